/* test-index.h: what the tests of multi-platform indexes share: a registry of canned answers that
 * has an index of two platforms, and a store beside it. */
#pragma once

#include <errno.h>

#include "image/index.h"
#include "image/test-registry.h"
#include "image/test-store.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define FOREIGN "linux/riscv64" /* what the tests run on is another */

typedef struct TestDocument {
        char *text, digest[DIGEST_TEXT_MAX];
} TestDocument;

/* A registry with team/app:v1, an index of this host's image and one of FOREIGN; :both is an index
 * of them again, with an annotation; :plain is this host's alone. */
typedef struct World {
        TestRegistry registry;
        TestStore test;
        TestImage images[2];
        Buf configs[2];
        char ids[2][DIGEST_TEXT_MAX];
        TestDocument manifests[2], index, other;
        const char *tags; /* of the list, NULL: it is of two pages */
} World;

static UNUSED TestDocument document(char *text) {
        TestDocument document = { .text = text };

        digest_of(text, strlen(text), document.digest);
        return document;
}

static UNUSED void answer_text(Buf *out, const char *type, const char *text) {
        _cleanup_free_ char *header = str_format("Content-Type: %s\r\n", type);

        test_answer(out, "200 OK", header, text, strlen(text));
}

static UNUSED void answer_tags(World *world, const TestRequest *request, Buf *out) {
        static const char first[] = "{\"name\":\"team/app\",\"tags\":[\"both\",\"plain\"]}";
        static const char second[] = "{\"name\":\"team/app\",\"tags\":[\"v1\"]}";

        if (world->tags)
                test_answer(out, "200 OK", "", world->tags, strlen(world->tags));
        else if (strstr(request->path, "?last=plain&n=2"))
                test_answer(out, "200 OK", "", second, strlen(second));
        else
                test_answer(out, "200 OK",
                            "Link: </v2/team/app/tags/list?last=plain&n=2>; rel=\"next\"\r\n",
                            first, strlen(first));
}

static UNUSED bool answer_blob(World *world, const TestRequest *request, Buf *out) {
        for (size_t i = 0; i < 2; i++) {
                if (strstr(request->path, world->ids[i])) {
                        test_answer(out, "200 OK", "", world->configs[i].data,
                                    world->configs[i].length);
                        return true;
                }
                for (size_t j = 0; j < 2; j++)
                        if (strstr(request->path, world->images[i].diffs[j])) {
                                test_answer(out, "200 OK", "", world->images[i].layers[j].data,
                                            world->images[i].layers[j].length);
                                return true;
                        }
        }
        return false;
}

static UNUSED void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
        World *world = registry->data;
        const char *path = request->path;

        if (str_equal(path, "/v2/"))
                test_answer(out, "200 OK", "", "{}", 2);
        else if (strstr(path, "/tags/list"))
                answer_tags(world, request, out);
        else if (str_ends(path, "/manifests/v1") || strstr(path, world->index.digest))
                answer_text(out, INDEX_TYPE, world->index.text);
        else if (str_ends(path, "/manifests/both"))
                answer_text(out, INDEX_TYPE, world->other.text);
        else if (str_ends(path, "/manifests/plain") || strstr(path, world->manifests[0].digest))
                answer_text(out, MANIFEST_TYPE, world->manifests[0].text);
        else if (strstr(path, world->manifests[1].digest))
                answer_text(out, MANIFEST_TYPE, world->manifests[1].text);
        else if (!answer_blob(world, request, out))
                test_answer(out, "404 Not Found", "", "", 0);
}

static UNUSED const char *host_architecture(void) {
        static char text[32];
        ImagePlatform host = {};

        if (platform_parse(NULL, &host, NULL) < 0)
                abort();
        (void)snprintf(text, sizeof(text), "%s", host.architecture);
        platform_done(&host);
        return text;
}

static UNUSED void make_image(World *world, size_t i, const char *architecture) {
        TestImage *image = &world->images[i];
        char *text;

        *image = test_image(architecture);
        buf_format(&world->configs[i],
                   "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"%s\"]},"
                   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
                   architecture, architecture, image->diffs[0], image->diffs[1]);
        digest_of(world->configs[i].data, world->configs[i].length, world->ids[i]);
        text = str_format("{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE "\",\"config\":{"
                          "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
                          "\"%s\",\"size\":%zu},\"layers\":["
                          "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":"
                          "\"%s\",\"size\":%zu},"
                          "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":"
                          "\"%s\",\"size\":%zu}]}",
                          world->ids[i], world->configs[i].length, image->diffs[0],
                          image->layers[0].length, image->diffs[1], image->layers[1].length);
        world->manifests[i] = document(text);
}

static UNUSED char *make_index(const World *world, const char *annotations) {
        return str_format("{\"schemaVersion\":2,\"mediaType\":\"" INDEX_TYPE "\",\"manifests\":["
                          "{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%zu,"
                          "\"platform\":{\"architecture\":\"riscv64\",\"os\":\"linux\"}},"
                          "{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%zu,"
                          "\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"}}]%s}",
                          world->manifests[1].digest, strlen(world->manifests[1].text),
                          world->manifests[0].digest, strlen(world->manifests[0].text),
                          host_architecture(), annotations);
}

static UNUSED void world_init(World *world) {
        *world = (World){};
        world->test = test_store();
        make_image(world, 0, host_architecture());
        make_image(world, 1, "riscv64");
        world->index = document(make_index(world, ""));
        world->other = document(make_index(world, ",\"annotations\":{\"a\":\"b\"}"));
        test_registry_start(&world->registry, answer, world);
}

static UNUSED void world_done(World *world) {
        test_registry_stop(&world->registry);
        test_store_done(&world->test);
        for (size_t i = 0; i < 2; i++) {
                test_image_done(&world->images[i]);
                buf_done(&world->configs[i]);
                free(world->manifests[i].text);
        }
        free(world->index.text);
        free(world->other.text);
}

static UNUSED char *name_of(const World *world, const char *rest) {
        return str_format("127.0.0.1:%d/%s", world->registry.port, rest);
}

static UNUSED int pull(World *world, const char *rest, const char *platform, Error *err) {
        _cleanup_free_ char *name = name_of(world, rest), *id = NULL;

        return image_pull(world->test.store, name, platform, NULL, NULL, NULL, NULL, &id, err);
}

/* The id that the name has on platform, or "". */
static UNUSED const char *id_of(World *world, const char *rest, const char *platform) {
        static char text[DIGEST_TEXT_MAX];
        _cleanup_free_ char *name = name_of(world, rest);
        Image image = {};

        text[0] = '\0';
        if (image_find_platform(world->test.store, name, platform, &image, NULL) == 0)
                (void)snprintf(text, sizeof(text), "%s", image.id);
        image_done(&image);
        return text;
}

static UNUSED int drop(World *world, const char *ref, Error *err) {
        JsonArray removals = {};
        int r = image_remove(world->test.store, ref, false, false, NULL, &removals, err);

        for (size_t i = 0; i < removals.count; i++)
                json_done(&image_removal_table, (ImageRemoval *)removals.items + i);
        free(removals.items);
        return r;
}

static UNUSED int drop_name(World *world, const char *rest, Error *err) {
        _cleanup_free_ char *name = name_of(world, rest);

        return drop(world, name, err);
}

static UNUSED size_t blobs(const World *world) {
        return test_count(&world->test, "blobs/sha256");
}

static UNUSED int make_index_of(World *world, char *const *ids, char *const *platforms,
                                char *const *names, char digest[DIGEST_TEXT_MAX], Error *err) {
        const IndexMake make = { .ids = ids, .platforms = platforms, .names = names };
        bool is_new;

        return image_index_make(world->test.store, &make, digest, &is_new, err);
}
