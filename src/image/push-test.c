/* push-test.c: pushes to a registry of canned answers: what goes up, mounts, broken transfers,
 * tokens. docker-registry itself is pushed to in tests/push.bats. */
#include "image/test-registry.h"
#include "image/test-store.h"

#define UPLOADS_MAX 32

/* A registry that keeps what it is sent. */
typedef struct World {
        TestRegistry registry;
        TestStore test;
        char id[DIGEST_TEXT_MAX];
        char **blobs;    /* digests that are there */
        char **requests; /* "METHOD path" of each */
        char *token_query, *manifest, *manifest_type;
        Buf uploads[UPLOADS_MAX];
        size_t upload_count;
        bool wants_token, mounts, forgets_uploads, busy_once, denies;
        bool exact; /* every piece began where the last one ended */
        ImageForm form;
        ImageAnnotations annotations;
} World;

static void answer_error(Buf *out, const char *status, const char *code) {
        _cleanup_free_ char *body =
                str_format("{\"errors\":[{\"code\":\"%s\",\"message\":\"said so\"}]}", code);

        test_answer(out, status, "", body, strlen(body));
}

static void answer_state(size_t number, const Buf *upload, const char *status, Buf *out) {
        size_t end = upload->length > 0 ? upload->length - 1 : 0;
        _cleanup_free_ char *headers =
                str_format("Location: /v2/team/app/blobs/uploads/%zu?at=%zu\r\nRange: 0-%zu\r\n",
                           number, upload->length, end);

        test_answer(out, status, headers, "", 0);
}

static void answer_post(World *world, const TestRequest *request, Buf *out) {
        if (world->busy_once) {
                world->busy_once = false;
                test_answer(out, "503 Service Unavailable", "", "", 0);
                return;
        }
        if (world->mounts && strstr(request->path, "?mount=")) {
                test_answer(out, "201 Created", "", "", 0);
                return;
        }
        if (world->upload_count == UPLOADS_MAX)
                abort();
        answer_state(world->upload_count, &world->uploads[world->upload_count], "202 Accepted",
                     out);
        world->upload_count++;
}

/* A piece must begin where the registry is. */
static void take_piece(World *world, Buf *upload, const TestRequest *request) {
        char start[32];

        (void)snprintf(start, sizeof(start), "%zu-", upload->length);
        if (request->content_range ? !str_after(request->content_range, start) : upload->length > 0)
                world->exact = false;
        buf_add(upload, request->body, request->body_length);
}

static void answer_put(World *world, Buf *upload, const TestRequest *request, Buf *out) {
        const char *wanted = strstr(request->path, "digest=sha256%3A");
        char digest[DIGEST_TEXT_MAX];

        take_piece(world, upload, request);
        digest_of(upload->data ? upload->data : "", upload->length, digest);
        if (wanted && str_equal(wanted + strlen("digest=sha256%3A"), digest_hex(digest))) {
                strv_add(&world->blobs, digest);
                test_answer(out, "201 Created", "", "", 0);
        } else {
                answer_error(out, "400 Bad Request", "DIGEST_INVALID");
        }
}

static void answer_upload(World *world, const TestRequest *request, Buf *out) {
        const char *rest = strstr(request->path, "/blobs/uploads/") + strlen("/blobs/uploads/");
        _cleanup_free_ char *text = str_copy_n(rest, strcspn(rest, "?"));
        int number = 0;
        Buf *upload;

        if (!str_equal(request->method, "POST") &&
            str_to_int_in(text, 0, UPLOADS_MAX - 1, &number) < 0)
                abort();
        upload = &world->uploads[number];
        if (world->denies)
                answer_error(out, "403 Forbidden", "DENIED");
        else if (str_equal(request->method, "POST"))
                answer_post(world, request, out);
        else if (str_equal(request->method, "PUT"))
                answer_put(world, upload, request, out);
        else if (str_equal(request->method, "GET") && world->forgets_uploads)
                answer_error(out, "404 Not Found", "BLOB_UPLOAD_UNKNOWN");
        else if (str_equal(request->method, "GET"))
                answer_state((size_t)number, upload, "204 No Content", out);
        else
                test_answer(out, "405 Method Not Allowed", "", "", 0);
}

static void answer_authorized(World *world, const TestRequest *request, Buf *out) {
        const char *blob = str_after(request->path, "/v2/team/app/blobs/");

        if (str_equal(request->path, "/v2/")) {
                test_answer(out, "200 OK", "", "{}", 2);
        } else if (strstr(request->path, "/blobs/uploads/")) {
                answer_upload(world, request, out);
        } else if (blob) {
                test_answer(out, strv_has(world->blobs, blob) ? "200 OK" : "404 Not Found", "", "",
                            0);
        } else if (str_equal(request->method, "PUT")) {
                str_replace(&world->manifest_type, request->content_type);
                free(world->manifest);
                world->manifest = str_copy_n(request->body, request->body_length);
                test_answer(out, "201 Created", "", "", 0);
        } else {
                answer_error(out, "404 Not Found", "MANIFEST_UNKNOWN");
        }
}

static void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
        World *world = registry->data;
        const char *query = str_after(request->path, "/token?");
        _cleanup_free_ char *header =
                str_format("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/token\","
                           "service=\"s\",scope=\"repository:team/app:pull\"\r\n",
                           registry->port);

        strv_format(&world->requests, "%s %s", request->method, request->path);
        if (query) {
                str_replace(&world->token_query, query);
                test_answer(out, "200 OK", "", "{\"token\":\"good\"}", 16);
        } else if (world->wants_token && !str_equal(request->authorization, "Bearer good")) {
                test_answer(out, "401 Unauthorized", header, "", 0);
        } else {
                answer_authorized(world, request, out);
        }
}

static void world_done(World *world) {
        test_registry_unlock(&world->registry);
        test_registry_stop(&world->registry);
        test_store_done(&world->test);
        world->blobs = strv_free(world->blobs);
        world->requests = strv_free(world->requests);
        free(world->token_query);
        free(world->manifest);
        free(world->manifest_type);
        image_annotations_done(&world->annotations);
        for (size_t i = 0; i < UPLOADS_MAX; i++)
                buf_done(&world->uploads[i]);
}

static char *name_of(const World *world, const char *rest) {
        return str_format("127.0.0.1:%d/%s", world->registry.port, rest);
}

static void world_init(World *world) {
        _cleanup_free_ char *name = NULL, *quoted = NULL;
        Error err = {};

        *world = (World){ .exact = true };
        world->test = test_store();
        test_registry_start(&world->registry, answer, world);
        /* The world is the test's but while it pushes. */
        test_registry_lock(&world->registry);
        name = name_of(world, "team/app:v1");
        quoted = str_format("\"%s\"", name);
        if (test_load_word(&world->test, "pushed", quoted, world->id, &err) < 0)
                abort();
}

typedef struct Seen {
        char **lines;
} Seen;

static int see(void *data, const ImageProgress *progress) {
        Seen *seen = data;

        if (progress->current == 0)
                strv_format(&seen->lines, "%s%s%s", progress->id ? progress->id : "",
                            progress->id ? " " : "",
                            progress->aux ? progress->aux : progress->status);
        return 0;
}

static void seen_done(Seen *seen) {
        seen->lines = strv_free(seen->lines);
}

static int push(World *world, const char *rest, Seen *seen, Error *err) {
        const ImagePush push = { .form = &world->form,
                                 .annotations =
                                         world->annotations.count > 0 ? &world->annotations : NULL,
                                 .progress = see,
                                 .data = seen };
        _cleanup_free_ char *name = name_of(world, rest);
        int r;

        test_registry_unlock(&world->registry);
        r = image_push_as(world->test.store, name, &push, err);
        test_registry_lock(&world->registry);
        return r;
}

static size_t count_like(char *const *lines, const char *part) {
        size_t count = 0;

        for (size_t i = 0; lines && lines[i]; i++)
                count += strstr(lines[i], part) != NULL;
        return count;
}

TEST(plain_layers_go_up_as_gzip_under_a_new_manifest) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        _cleanup_(image_done) Image image = {};
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT_INT(strv_length(world.blobs), 3);
        ASSERT(strv_has(world.blobs, world.id));
        ASSERT_STR(world.manifest_type, "application/vnd.oci.image.manifest.v1+json");
        ASSERT(strstr(world.manifest, world.id));
        ASSERT(strstr(world.manifest, "application/vnd.oci.image.layer.v1.tar+gzip"));
        ASSERT_INT(count_like(seen.lines, " Preparing"), 2);
        ASSERT_INT(count_like(seen.lines, " Pushed"), 2);
        ASSERT_INT(count_like(seen.lines, "v1: digest: sha256:"), 1);
        ASSERT_INT(count_like(seen.lines, "{\"Tag\":\"v1\",\"Digest\":\"sha256:"), 1);
        digest_of(world.manifest, strlen(world.manifest), digest);
        ASSERT_OK(image_find(world.test.store, world.id, &image, &err), &err);
        ASSERT_INT(strv_length(image.digests), 1);
        ASSERT(str_equal(strrchr(image.digests[0], '@') + 1, digest));
}

TEST(a_second_push_sends_no_layer_even_after_a_restart) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen first = {}, second = {};
        _cleanup_free_ char *manifest = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(push(&world, "team/app:v1", &first, &err), &err);
        manifest = str_copy(world.manifest);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        world.requests = strv_free(world.requests);
        ASSERT_OK(push(&world, "team/app:v1", &second, &err), &err);
        ASSERT_INT(count_like(second.lines, " Layer already exists"), 2);
        ASSERT_INT(count_like(world.requests, "POST "), 0);
        ASSERT_STR(world.manifest, manifest);
}

static void push_elsewhere(World *world, Seen *seen) {
        _cleanup_free_ char *source = name_of(world, "team/app:v1"),
                            *target = name_of(world, "team/other:v1");
        _cleanup_(seen_done) Seen first = {};
        Error err = {};

        ASSERT_OK(push(world, "team/app:v1", &first, &err), &err);
        ASSERT_OK(image_tag(world->test.store, source, target, &err), &err);
        world->requests = strv_free(world->requests);
        ASSERT_OK(push(world, "team/other:v1", seen, &err), &err);
}

TEST(layers_of_another_repository_are_mounted) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};

        world_init(&world);
        world.mounts = world.wants_token = true;
        push_elsewhere(&world, &seen);
        ASSERT_INT(count_like(seen.lines, " Mounted from team/app"), 2);
        ASSERT_INT(count_like(world.requests, "from=team/app"), 2);
        ASSERT(strstr(world.token_query, "scope=repository%3Ateam%2Fother%3Apull%2Cpush"));
        ASSERT(strstr(world.token_query, "scope=repository%3Ateam%2Fapp%3Apull"));
}

TEST(a_refused_mount_is_an_upload) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};

        world_init(&world);
        push_elsewhere(&world, &seen);
        ASSERT_INT(count_like(seen.lines, " Pushed"), 2);
        ASSERT_INT(count_like(world.requests, "mount="), 2);
        ASSERT_INT(count_like(world.requests, "DELETE "), 2); /* what came in place of the mount */
        ASSERT(world.exact);
}

TEST(a_token_allows_pushing) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        Error err = {};

        world_init(&world);
        world.wants_token = true;
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT(strstr(world.token_query, "scope=repository%3Ateam%2Fapp%3Apull%2Cpush"));
}

TEST(a_broken_transfer_goes_on_where_it_stopped) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        Error err = {};

        world_init(&world);
        world.registry.body_max = 60;
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT(world.registry.broke);
        ASSERT(world.exact);
        ASSERT(count_like(world.requests, "GET /v2/team/app/blobs/uploads/") > 0);
        ASSERT_INT(strv_length(world.blobs), 3);
}

TEST(a_forgotten_upload_begins_anew) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        Error err = {};

        world_init(&world);
        world.registry.body_max = 60;
        world.forgets_uploads = world.busy_once = true;
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT(world.registry.broke);
        ASSERT_INT(strv_length(world.blobs), 3);
}

/* What a registry has under a manifest's first layer begins with these bytes. */
static bool layer_begins(const World *world, const char *magic, size_t length) {
        for (size_t i = 0; i < world->upload_count; i++)
                if (world->uploads[i].length > length &&
                    memcmp(world->uploads[i].data, magic, length) == 0)
                        return true;
        return false;
}

TEST(layers_go_up_in_the_form_that_is_asked_for_and_are_remembered_in_each) {
        static const struct {
                ImageForm form;
                const char *type, *layer, *magic;
        } cases[] = {
                { { .compression = LAYERS_ZSTD },
                  "application/vnd.oci.image.manifest.v1+json",
                  "application/vnd.oci.image.layer.v1.tar+zstd\"",
                  "\x28\xb5\x2f\xfd" },
                { { .compression = LAYERS_GZIP, .has_level = true, .level = 1 },
                  "application/vnd.oci.image.manifest.v1+json",
                  "application/vnd.oci.image.layer.v1.tar+gzip\"",
                  "\x1f\x8b\x08" },
                { { .compression = LAYERS_UNCOMPRESSED },
                  "application/vnd.oci.image.manifest.v1+json",
                  "application/vnd.oci.image.layer.v1.tar\"",
                  "etc" },
                { { .docker = true },
                  "application/vnd.docker.distribution.manifest.v2+json",
                  "application/vnd.docker.image.rootfs.diff.tar.gzip\"",
                  "\x1f\x8b\x08" },
                { { .docker = true, .compression = LAYERS_UNCOMPRESSED },
                  "application/vnd.docker.distribution.manifest.v2+json",
                  "application/vnd.docker.image.rootfs.diff.tar\"",
                  "etc" },
                { { .docker = true, .compression = LAYERS_ZSTD },
                  "application/vnd.oci.image.manifest.v1+json",
                  "application/vnd.oci.image.layer.v1.tar+zstd\"",
                  "\x28\xb5\x2f\xfd" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(world_done) World world;
                _cleanup_(seen_done) Seen seen = {}, again = {};
                Error err = {};

                world_init(&world);
                world.form = cases[i].form;
                ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
                ASSERT_STR(world.manifest_type, cases[i].type);
                ASSERT(strstr(world.manifest, cases[i].layer));
                ASSERT(layer_begins(&world, cases[i].magic, strlen(cases[i].magic)));
                ASSERT_INT(count_like(seen.lines, " Pushed"), 2);
                ASSERT_OK(push(&world, "team/app:v1", &again, &err), &err);
                ASSERT_INT(count_like(again.lines, " Layer already exists"), 2);
        }
}

TEST(another_form_is_another_push_of_the_same_image) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT(strstr(world.manifest, "tar+gzip"));
        world.form = (ImageForm){ .compression = LAYERS_ZSTD, .has_level = true, .level = 19 };
        world.annotations = (ImageAnnotations){ .manifests = NEW(ManifestAnnotations), .count = 1 };
        pairs_put(&world.annotations.manifests[0].manifest, "note", "pushed");
        ASSERT_OK(push(&world, "team/app:v1", &seen, &err), &err);
        ASSERT(strstr(world.manifest, "tar+zstd"));
        ASSERT(strstr(world.manifest, "\"annotations\":{\"note\":\"pushed\"}"));
        ASSERT(strstr(world.manifest, world.id));
        ASSERT_INT(strv_length(world.blobs), 5); /* one configuration, two layers in two forms */
}

TEST(errors) {
        _cleanup_(world_done) World world;
        _cleanup_(seen_done) Seen seen = {};
        Error err = {};

        world_init(&world);
        ASSERT(push(&world, "team/nothing:v1", &seen, &err) < 0);
        ASSERT(strstr(err.message, "An image does not exist locally with the tag: 127.0.0.1:"));
        ASSERT(push(&world, "team/app:v2", &seen, &err) < 0);
        ASSERT(strstr(err.message, "tag does not exist: "));
        world.denies = true;
        ASSERT(push(&world, "team/app:v1", &seen, &err) < 0);
        ASSERT_STR(err.message, "denied: said so");
        ASSERT_INT(strv_length(world.blobs), 0);
        ASSERT(!world.manifest);
}

TEST_MAIN()
