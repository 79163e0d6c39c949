/* index-test.c: multi-platform indexes in the store: pulled from a registry of canned answers, one
 * platform after the other, made of images that are there, saved and loaded, and removed again. */
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

static TestDocument document(char *text) {
        TestDocument document = { .text = text };

        digest_of(text, strlen(text), document.digest);
        return document;
}

static void answer_text(Buf *out, const char *type, const char *text) {
        _cleanup_free_ char *header = str_format("Content-Type: %s\r\n", type);

        test_answer(out, "200 OK", header, text, strlen(text));
}

static void answer_tags(World *world, const TestRequest *request, Buf *out) {
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

static bool answer_blob(World *world, const TestRequest *request, Buf *out) {
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

static void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
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

static const char *host_architecture(void) {
        static char text[32];
        ImagePlatform host = {};

        if (platform_parse(NULL, &host, NULL) < 0)
                abort();
        (void)snprintf(text, sizeof(text), "%s", host.architecture);
        platform_done(&host);
        return text;
}

static void make_image(World *world, size_t i, const char *architecture) {
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

static char *make_index(const World *world, const char *annotations) {
        return str_format("{\"schemaVersion\":2,\"mediaType\":\"" INDEX_TYPE "\",\"manifests\":["
                          "{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%zu,"
                          "\"platform\":{\"architecture\":\"riscv64\",\"os\":\"linux\"}},"
                          "{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%zu,"
                          "\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"}}]%s}",
                          world->manifests[1].digest, strlen(world->manifests[1].text),
                          world->manifests[0].digest, strlen(world->manifests[0].text),
                          host_architecture(), annotations);
}

static void world_init(World *world) {
        *world = (World){};
        world->test = test_store();
        make_image(world, 0, host_architecture());
        make_image(world, 1, "riscv64");
        world->index = document(make_index(world, ""));
        world->other = document(make_index(world, ",\"annotations\":{\"a\":\"b\"}"));
        test_registry_start(&world->registry, answer, world);
}

static void world_done(World *world) {
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

static char *name_of(const World *world, const char *rest) {
        return str_format("127.0.0.1:%d/%s", world->registry.port, rest);
}

static int pull(World *world, const char *rest, const char *platform, Error *err) {
        _cleanup_free_ char *name = name_of(world, rest), *id = NULL;

        return image_pull(world->test.store, name, platform, NULL, NULL, NULL, NULL, &id, err);
}

/* The id that the name has on platform, or "". */
static const char *id_of(World *world, const char *rest, const char *platform) {
        static char text[DIGEST_TEXT_MAX];
        _cleanup_free_ char *name = name_of(world, rest);
        Image image = {};

        text[0] = '\0';
        if (image_find_platform(world->test.store, name, platform, &image, NULL) == 0)
                (void)snprintf(text, sizeof(text), "%s", image.id);
        image_done(&image);
        return text;
}

static int drop(World *world, const char *ref, Error *err) {
        JsonArray removals = {};
        int r = image_remove(world->test.store, ref, false, false, NULL, &removals, err);

        for (size_t i = 0; i < removals.count; i++)
                json_done(&image_removal_table, (ImageRemoval *)removals.items + i);
        free(removals.items);
        return r;
}

static int drop_name(World *world, const char *rest, Error *err) {
        _cleanup_free_ char *name = name_of(world, rest);

        return drop(world, name, err);
}

static size_t blobs(const World *world) {
        return test_count(&world->test, "blobs/sha256");
}

TEST(an_index_is_kept_whole_with_the_chosen_image) {
        _cleanup_(world_done) World world;
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *digest = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_INT(blobs(&world), 5); /* index, manifest, configuration, two layers */
        ASSERT(blob_exists(world.test.store, world.index.digest));
        ASSERT_OK(image_find(world.test.store, world.ids[0], &image, &err), &err);
        digest = str_format("127.0.0.1:%d/team/app@%s", world.registry.port, world.index.digest);
        ASSERT_STR(image.digests[0], digest);
        ASSERT_INT(image.variant, false);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), "");
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

TEST(platforms_of_a_tag_are_here_together) {
        _cleanup_(world_done) World world;
        _cleanup_(image_done) Image image = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[1]); /* all that there is */
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), world.ids[1]);
        ASSERT_STR(id_of(&world, "team/app:v1", "linux/s390x"), "");
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err); /* the host's stays first */
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_OK(image_find(world.test.store, world.ids[1], &image, &err), &err);
        ASSERT_INT(strv_length(image.names), 1); /* both are called so */
        ASSERT(image.variant);
        ASSERT_INT(blobs(&world), 8); /* the lower layer is the same */
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

TEST(a_variant_is_removed_by_its_id_and_the_names_stay) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(drop(&world, world.ids[0], &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[1]);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(drop(&world, world.ids[1], &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), "");
        ASSERT_INT(blobs(&world), 0);
}

TEST(a_tag_means_the_index_too) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *source = NULL, *target = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        source = name_of(&world, "team/app:v1");
        target = name_of(&world, "other:v2");
        ASSERT_OK(image_tag(world.test.store, source, target, &err), &err);
        ASSERT_OK(image_tag(world.test.store, source, source, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_STR(id_of(&world, "other:v2", FOREIGN), world.ids[1]);
        ASSERT_INT(blobs(&world), 8);
        /* of an image alone, by its id, it means that alone */
        ASSERT_OK(image_tag(world.test.store, world.ids[1], target, &err), &err);
        ASSERT_STR(id_of(&world, "other:v2", NULL), world.ids[1]);
        ASSERT_OK(drop(&world, world.ids[0], &err), &err); /* nobody's any more */
        ASSERT_OK(drop_name(&world, "other:v2", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(another_index_under_the_tag_leaves_the_old_images_without_it) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *was = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        test_registry_lock(&world.registry);
        was = str_copy(world.index.text);
        free(world.index.text);
        world.index = document(make_index(&world, ",\"annotations\":{\"new\":\"1\"}"));
        test_registry_unlock(&world.registry);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), ""); /* the new one's was not pulled */
        ASSERT_INT(blobs(&world), 9);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), world.ids[1]);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

/* What the registry lists, until the next call. */
static void list_tags(World *world, const char *tags) {
        test_registry_lock(&world->registry);
        world->tags = tags;
        test_registry_unlock(&world->registry);
}

TEST(every_tag_page_by_page) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *repository = NULL, *tagged = NULL;
        _cleanup_buf_ Buf many = {};
        Error err = {};

        world_init(&world);
        repository = name_of(&world, "team/app");
        tagged = name_of(&world, "team/app:v1");
        ASSERT_OK(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err),
                  &err);
        ASSERT_STR(id_of(&world, "team/app:plain", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:both", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT(image_pull_tags(world.test.store, tagged, NULL, NULL, NULL, NULL, NULL, &err) < 0);
        list_tags(&world, "{\"tags\":\"v1\"}");
        ASSERT(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err) <
               0);
        ASSERT(strstr(err.message, "is no array"));
        buf_add_str(&many, "{\"tags\":[\"0\"");
        for (int i = 1; i <= 50000; i++)
                buf_format(&many, ",\"%d\"", i);
        buf_add_str(&many, "]}");
        list_tags(&world, many.data);
        ASSERT(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err) <
               0);
        ASSERT(strstr(err.message, "has more than 50000 tags"));
        list_tags(&world, NULL);
        ASSERT_OK(drop_name(&world, "team/app:plain", &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:both", &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(an_index_is_made_of_images_that_are_here) {
        _cleanup_(world_done) World world;
        char digest[DIGEST_TEXT_MAX];
        char *const names[] = { (char *)"made:v1", (char *)"made:latest", NULL };
        char *ids[3] = {};
        Error err = {};
        Image image = {};

        world_init(&world);
        ids[0] = world.ids[1];
        ids[1] = world.ids[0];
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT(image_index_make(world.test.store, ids, names, NULL, digest, &err) == -ENOENT);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(image_index_make(world.test.store, ids, names, NULL, digest, &err), &err);
        ASSERT(blob_exists(world.test.store, digest));
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_OK(image_find(world.test.store, "made:v1", &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]); /* the host's, though it is not the first */
        image_done(&image);
        ASSERT_OK(image_find_platform(world.test.store, "made", FOREIGN, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[1]);
        image_done(&image);
        ASSERT_OK(drop(&world, "made:v1", &err), &err);
        ASSERT_OK(drop(&world, "made", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

static int save_and_load(World *world, TestStore *to, const char *rest, char ***loaded,
                         Error *err) {
        _cleanup_free_ char *name = name_of(world, rest);
        char *const refs[] = { name, NULL };
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        int r = image_save(world->test.store, refs, fd, err);

        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return image_load(to->store, fd, NULL, NULL, loaded, err);
}

TEST(an_archive_carries_the_index_and_what_is_here_of_it) {
        _cleanup_(world_done) World world;
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_strv_ char **alone = NULL, **both = NULL;
        _cleanup_free_ char *name = NULL;
        Image image = {};
        Error err = {};

        world_init(&world);
        name = name_of(&world, "team/app:v1");
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(save_and_load(&world, &other, "team/app:v1", &alone, &err), &err);
        ASSERT_INT(strv_length(alone), 1);
        ASSERT(!blob_exists(other.store, world.index.digest)); /* of one image no index is made */
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(save_and_load(&world, &other, "team/app:v1", &both, &err), &err);
        ASSERT_INT(strv_length(both), 1);
        ASSERT(str_ends(both[0], "/team/app:v1"));
        ASSERT(blob_exists(other.store, world.index.digest));
        ASSERT_OK(image_find(other.store, name, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]);
        image_done(&image);
        ASSERT_OK(image_find_platform(other.store, name, FOREIGN, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[1]);
        image_done(&image);
}

/* Asked for by itself, too, and in another form: what the index names does not go then. */
TEST(an_archive_has_no_index_of_what_it_has_not) {
        _cleanup_(world_done) World world;
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_(image_done) Image host = {}, foreign = {};
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        _cleanup_free_ char *plain = NULL, *name = NULL;
        _cleanup_strv_ char **loaded = NULL;
        const ImageForm form = { .compression = LAYERS_GZIP };
        char *refs[] = { NULL, NULL, NULL };
        Error err = {};

        world_init(&world);
        refs[0] = plain = name_of(&world, "team/app:plain");
        refs[1] = name = name_of(&world, "team/app:v1");
        ASSERT_OK(pull(&world, "team/app:plain", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(image_save_as(world.test.store, &(ImageSave){ .refs = refs, .form = &form }, fd,
                                &err),
                  &err);
        ASSERT(lseek(fd, 0, SEEK_SET) == 0);
        ASSERT_OK(image_load(other.store, fd, NULL, NULL, &loaded, &err), &err);
        ASSERT_OK(image_find(other.store, name, &host, &err), &err);
        ASSERT_STR(host.id, world.ids[0]);
        ASSERT_OK(image_find(other.store, world.ids[1], &foreign, &err), &err);
        ASSERT(!blob_exists(other.store, world.index.digest));
}

TEST(a_list_is_pushed_to_a_tag) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *rest = NULL, *name = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        rest = str_format("team/app@%s", world.index.digest);
        name = name_of(&world, rest);
        ASSERT(image_manifest_push(
                       world.test.store, name,
                       &(ManifestPush){ .text = world.index.text, .media_type = INDEX_TYPE }, NULL,
                       NULL, digest, &err) < 0);
        ASSERT(strstr(err.message, "is pushed to a tag, not to a digest"));
}

TEST(a_store_without_its_last_transaction_has_nothing_of_it) {
        _cleanup_(world_done) World world;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:plain", NULL, &err), &err);
        ASSERT_INT(blobs(&world), 4);
        /* what a daemon leaves that dies between the document and the record */
        ASSERT_OK(blob_put(world.test.store, world.index.text, strlen(world.index.text), digest,
                           &err),
                  &err);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_INT(blobs(&world), 4);
        ASSERT_STR(id_of(&world, "team/app:plain", NULL), world.ids[0]);
}

TEST_MAIN()
