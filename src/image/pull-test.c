/* pull-test.c: pulls from a registry of canned answers: the good paths, and what a hostile or a
 * tired one does. docker-registry itself is pulled from in registry-test.c. */
#include "image/store.h"
#include "image/test-registry.h"
#include "image/test-store.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"

/* What the registry has, and how it behaves. */
typedef struct World {
        TestRegistry registry;
        TestImage image;
        Buf top; /* the second layer, gzip */
        char top_digest[DIGEST_TEXT_MAX];
        char *manifest; /* as served */
        char manifest_digest[DIGEST_TEXT_MAX];
        const char *manifest_type;
        bool wants_token, wants_password, cut_once, busy_once, wrong_blob, foreign_realm,
                redirect_layers, redirect_token, endless_token, redirect_once, tired;
        bool listening;
        int redirect_port;
        char *range; /* of the last question for a part */
} World;

static void answer_unauthorized(World *world, Buf *out) {
        _cleanup_free_ char *header = NULL;

        if (world->wants_password)
                header = str_copy("WWW-Authenticate: Basic realm=\"here\"\r\n");
        else
                header = str_format("WWW-Authenticate: Bearer "
                                    "realm=\"%s://127.0.0.1:%d/token\",service=\"s\"\r\n",
                                    world->foreign_realm ? "ftp" : "http", world->registry.port);
        test_answer(out, "401 Unauthorized", header,
                    "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"no\"}]}", 52);
}

static bool authorized(const World *world, const TestRequest *request) {
        if (world->wants_password) /* user:secret */
                return str_equal(request->authorization, "Basic dXNlcjpzZWNyZXQ=");
        return !world->wants_token || str_equal(request->authorization, "Bearer good");
}

static void answer_blob(World *world, const TestRequest *request, const Buf *blob, Buf *out) {
        const char *from = request->range ? str_after(request->range, "bytes=") : NULL;
        _cleanup_free_ char *number = from ? str_copy_n(from, strcspn(from, "-")) : NULL;
        int64_t offset = 0;

        if (request->range && blob == &world->top)
                str_replace(&world->range, request->range);
        if (world->wrong_blob) {
                test_answer(out, "200 OK", "", "wrong", 5);
                return;
        }
        if (number && str_to_int64(number, &offset) == 0 && offset <= (int64_t)blob->length) {
                test_answer(out, "206 Partial Content", "", blob->data + offset,
                            blob->length - (size_t)offset);
                return;
        }
        test_answer(out, "200 OK", "", blob->data, blob->length);
        if (world->cut_once) /* the connection ends in the middle of the body */
                out->length -= blob->length / 2;
        world->cut_once = false;
}

/* Half of it, then nothing. */
static void answer_tired(World *world, const TestRequest *request, Buf *out) {
        if (request->range) {
                test_answer(out, "500 Internal Server Error", "", "", 0);
                return;
        }
        world->cut_once = true;
        answer_blob(world, request, &world->top, out);
}

static void answer_layer(World *world, const TestRequest *request, Buf *out) {
        if (world->redirect_layers || world->redirect_once) {
                _cleanup_free_ char *location = str_format(
                        "Location: http://127.0.0.1:%d/elsewhere\r\n", world->redirect_port);

                world->redirect_once = false;
                test_answer(out, "307 Temporary Redirect", location, "", 0);
        } else if (world->tired) {
                answer_tired(world, request, out);
        } else if (world->busy_once) {
                world->busy_once = false;
                test_answer(out, "503 Service Unavailable", "", "", 0);
        } else {
                answer_blob(world, request, &world->top, out);
        }
}

static void answer_token(World *world, Buf *out) {
        if (world->redirect_token) {
                _cleanup_free_ char *location =
                        str_format("Location: http://127.0.0.1:%d/steal\r\n", world->redirect_port);

                test_answer(out, "307 Temporary Redirect", location, "", 0);
        } else if (world->endless_token) {
                _cleanup_free_ char *spaces = alloc_zero(1, 5 << 20);

                memset(spaces, ' ', 5 << 20);
                test_answer(out, "200 OK", "", spaces, 5 << 20);
        } else {
                test_answer(out, "200 OK", "", "{\"token\":\"good\"}", 16);
        }
}

static void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
        World *world = registry->data;
        _cleanup_free_ char *type =
                str_format("Content-Type: %s; charset=utf-8\r\n", world->manifest_type);

        if (str_after(request->path, "/token"))
                answer_token(world, out);
        else if (!authorized(world, request))
                answer_unauthorized(world, out);
        else if (str_equal(request->path, "/v2/"))
                test_answer(out, "200 OK", "", "{}", 2);
        else if (strstr(request->path, "/manifests/v1") ||
                 strstr(request->path, world->manifest_digest))
                test_answer(out, "200 OK", type, world->manifest, strlen(world->manifest));
        else if (strstr(request->path, world->image.id))
                test_answer(out, "200 OK", "", world->image.config.data,
                            world->image.config.length);
        else if (strstr(request->path, world->image.diffs[0]))
                answer_blob(world, request, &world->image.layers[0], out);
        else if (strstr(request->path, world->top_digest))
                answer_layer(world, request, out);
        else
                test_answer(out, "404 Not Found", "",
                            "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest "
                            "unknown\"}]}",
                            69);
}

static void world_done(World *world) {
        test_registry_stop(&world->registry);
        test_image_done(&world->image);
        buf_done(&world->top);
        free(world->manifest);
        free(world->range);
}

static void world_init(World *world) {
        const TestEntry top[] = { { "etc/", 'd' },
                                  { "etc/word", 'f', "pulled" },
                                  { "bin/.wh.tool", 'f', "" } };

        *world = (World){ .manifest_type = "application/vnd.docker.distribution.manifest.v2+json" };
        world->image = test_image("pulled");
        world->top = test_archive(top, ELEMENTS(top), ARCHIVE_FILTER_GZIP);
        digest_of(world->top.data, world->top.length, world->top_digest);
        world->manifest = str_format(
                "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":"
                "[{\"digest\":\"%s\",\"size\":%zu},{\"digest\":\"%s\",\"size\":%zu}]}",
                world->image.id, world->image.config.length, world->image.diffs[0],
                world->image.layers[0].length, world->top_digest, world->top.length);
        digest_of(world->manifest, strlen(world->manifest), world->manifest_digest);
}

/* From here on the registry's thread reads *world. */
static void world_listen(World *world) {
        if (world->listening)
                return;
        test_registry_start(&world->registry, answer, world);
        world->listening = true;
}

typedef struct Progress {
        char **lines; /* "id: status", each once */
        const char *cancel_at;
        bool lingers; /* while a layer is downloaded, until two helpers have ended */
} Progress;

/* Children that have ended and are not collected. */
static int ended_children(void) {
        _cleanup_closedir_ DIR *dir = opendir("/proc");
        int count = 0;

        for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
                _cleanup_free_ char *path = str_format("%s/stat", entry->d_name), *text = NULL;
                char state = 0, *end;
                int parent = 0;

                if (file_read_at(dirfd(dir), path, 4096, &text, NULL, NULL) < 0)
                        continue;
                end = strrchr(text, ')');
                if (end && sscanf(end, ") %c %d", &state, &parent) == 2)
                        count += state == 'Z' && parent == getpid();
        }
        return count;
}

static void linger(void) {
        const int64_t end = clock_monotonic() + 20 * NSEC_PER_SEC;

        while (ended_children() < 2 && clock_monotonic() < end)
                (void)poll(NULL, 0, 5);
}

static int on_progress(void *data, const ImageProgress *progress) {
        Progress *seen = data;

        if (seen->lingers && str_equal(progress->status, "Downloading"))
                linger();
        _cleanup_free_ char *line = progress->id
                                            ? str_format("%s: %s", progress->id, progress->status)
                                            : str_copy(progress->status);

        if (!strv_has(seen->lines, line))
                strv_add(&seen->lines, line);
        return seen->cancel_at && str_equal(progress->status, seen->cancel_at) ? -1 : 0;
}

static void progress_done(Progress *progress) {
        progress->lines = strv_free(progress->lines);
}

static int pull_as(TestStore *test, World *world, const char *tag, const RegistryAuth *auth,
                   Progress *progress, Error *err) {
        _cleanup_free_ char *name = NULL, *id = NULL;

        world_listen(world);
        name = str_format("127.0.0.1:%d/app%s", world->registry.port, tag);
        return image_pull(test->store, name, NULL, auth, NULL, progress ? on_progress : NULL,
                          progress, &id, err);
}

static int pull(TestStore *test, World *world, Error *err) {
        return pull_as(test, world, ":v1", NULL, NULL, err);
}

static size_t count_asked(World *world, const char *word) {
        size_t count = 0;

        test_registry_lock(&world->registry);
        for (size_t i = 0; world->registry.log && world->registry.log[i]; i++)
                count += strstr(world->registry.log[i], word) != NULL;
        test_registry_unlock(&world->registry);
        return count;
}

static bool asked_for(World *world, const char *word) {
        return count_asked(world, word) > 0;
}

/* ---- the good paths ---- */

TEST(pulls_and_says_so) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(progress_done) Progress progress = {}, again = {};
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *digest = NULL, *repository = NULL, *layer = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull_as(&test, &world, ":v1", NULL, &progress, &err), &err);
        digest = str_format("Digest: %s", world.manifest_digest);
        ASSERT_STR(progress.lines[0], "v1: Pulling from app");
        ASSERT(strv_has(progress.lines, digest));
        for (size_t i = 0; i < 5; i++) {
                static const char *const words[] = { "Pulling fs layer", "Verifying Checksum",
                                                     "Download complete", "Pull complete",
                                                     "Pull complete" };
                layer = str_format("%.12s: %s",
                                   digest_hex(i == 4 ? world.image.diffs[0] : world.top_digest),
                                   words[i]);
                ASSERT(strv_has(progress.lines, layer));
                free(layer);
                layer = NULL;
        }
        ASSERT(str_after(progress.lines[strv_length(progress.lines) - 1],
                         "Status: Downloaded newer image for 127.0.0.1:"));

        ASSERT_OK(pull_as(&test, &world, ":v1", NULL, &again, &err), &err);
        ASSERT_INT(strv_length(again.lines), 3);
        ASSERT(str_after(again.lines[2], "Status: Image is up to date for "));
        ASSERT_OK(image_find(test.store, world.image.id, &image, &err), &err);
        repository = str_format("127.0.0.1:%d/app@%s", world.registry.port, world.manifest_digest);
        ASSERT_STR(image.digests[0], repository);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 4);
}

TEST(pulls_by_digest) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_free_ char *tag = NULL;
        Error err = {};

        world_init(&world);
        tag = str_format("@%s", world.manifest_digest);
        ASSERT_OK(pull_as(&test, &world, tag, NULL, NULL, &err), &err);
}

TEST(fetches_no_layer_twice) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(progress_done) Progress progress = {};
        _cleanup_free_ char *line = NULL;
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        ASSERT_OK(test_load_word(&test, "other", "\"other\"", id, &err),
                  &err); /* shares the base */
        ASSERT_OK(pull_as(&test, &world, ":v1", NULL, &progress, &err), &err);
        line = str_format("%.12s: Already exists", digest_hex(world.image.diffs[0]));
        ASSERT(strv_has(progress.lines, line));
        ASSERT(!asked_for(&world, world.image.diffs[0]));
}

/* ---- authentication ---- */

/* As the registry has it under that tag, or an error. */
static int look(TestStore *test, World *world, const char *platform, ImageRemote *ret, Error *err) {
        _cleanup_free_ char *name = NULL;

        world_listen(world);
        name = str_format("127.0.0.1:%d/app:v1", world->registry.port);
        return image_remote(test->store, name, platform, NULL, NULL, ret, err);
}

TEST(a_look_asks_for_no_layer_and_leaves_nothing) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(image_remote_done) ImageRemote remote = {};
        char chain[DIGEST_TEXT_MAX];
        size_t count = 0;
        Image *images = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(look(&test, &world, NULL, &remote, &err), &err);
        ASSERT_STR(remote.digest, world.manifest_digest);
        ASSERT_STR(remote.id, world.image.id);
        ASSERT_STR(remote.config.architecture, "amd64");
        ASSERT_INT(strv_length(remote.chain_ids), 2);
        digest_chain(NULL, world.image.diffs[0], chain);
        ASSERT_STR(remote.chain_ids[0], chain);
        ASSERT(!asked_for(&world, world.top_digest) && !asked_for(&world, world.image.diffs[0]));
        ASSERT_OK(image_list(test.store, &images, &count, &err), &err);
        free(images);
        ASSERT_INT(count, 0);
        ASSERT(!blob_exists(test.store, world.manifest_digest));
        ASSERT(!blob_exists(test.store, world.image.id));
}

TEST(a_look_believes_no_wrong_digest) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(image_remote_done) ImageRemote remote = {};
        Error err = {};

        world_init(&world);
        buf_add_char(&world.image.config, ' ');
        ASSERT(look(&test, &world, NULL, &remote, &err) < 0);
        ASSERT(strstr(err.message, "digest is wrong"));
        ASSERT(!remote.digest);
}

TEST(a_look_takes_an_image_of_one_platform_as_it_is) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(image_remote_done) ImageRemote remote = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(look(&test, &world, "linux/s390x", &remote, &err), &err);
        ASSERT_STR(remote.config.architecture, "amd64");
}

/* Between a look and the pull the tag may move. */
TEST(pulls_what_a_look_saw) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(image_remote_done) ImageRemote remote = {};
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *name = NULL, *id = NULL, *path = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(look(&test, &world, NULL, &remote, &err), &err);
        name = str_format("127.0.0.1:%d/app:v1", world.registry.port);
        ASSERT_OK(image_pull_remote(test.store, name, remote.digest, NULL, NULL, NULL, NULL, NULL,
                                    NULL, &id, &err),
                  &err);
        path = str_format("manifests/%s", remote.digest);
        ASSERT(asked_for(&world, path));
        ASSERT_INT(count_asked(&world, "manifests/v1"), 1);
        ASSERT_STR(id, remote.id);
        ASSERT_OK(image_find(test.store, name, &image, &err), &err);
        ASSERT_STR(image.id, id);
}

typedef struct Puller {
        TestStore *test;
        World *world;
        pthread_t thread;
        int r;
        Error err;
} Puller;

static void *puller_main(void *data) {
        Puller *puller = data;

        puller->r = pull(puller->test, puller->world, &puller->err);
        return NULL;
}

/* The database's connection is one thread's at a time: ThreadSanitizer tells where it is not. */
TEST(many_pulls_of_one_image_at_once_are_well) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Puller pullers[6] = {};

        world_init(&world);
        world_listen(&world);
        for (size_t i = 0; i < ELEMENTS(pullers); i++) {
                pullers[i] = (Puller){ .test = &test, .world = &world };
                if (pthread_create(&pullers[i].thread, NULL, puller_main, &pullers[i]) != 0)
                        abort();
        }
        for (size_t i = 0; i < ELEMENTS(pullers); i++)
                (void)pthread_join(pullers[i].thread, NULL);
        for (size_t i = 0; i < ELEMENTS(pullers); i++)
                ASSERT_OK(pullers[i].r, &pullers[i].err);
        ASSERT_INT(count_asked(&world, world.top_digest), 1);
}

TEST(gets_a_token) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.wants_token = true;
        ASSERT_OK(pull(&test, &world, &err), &err);
        ASSERT(asked_for(&world, "/token?service=s&scope=repository%3Aapp%3Apull -"));
}

TEST(sends_the_password_where_it_belongs) {
        const RegistryAuth auth = { .username = (char *)"user", .password = (char *)"secret" };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.wants_password = true;
        ASSERT(pull(&test, &world, &err) < 0);
        ASSERT(strstr(err.message, "no basic auth credentials"));
        ASSERT_OK(pull_as(&test, &world, ":v1", &auth, NULL, &err), &err);
}

TEST(follows_no_realm_but_http) {
        const RegistryAuth auth = { .username = (char *)"user", .password = (char *)"secret" };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.wants_token = world.foreign_realm = true;
        ASSERT(pull_as(&test, &world, ":v1", &auth, NULL, &err) < 0);
        ASSERT(strstr(err.message, "refused, it is not https"));
}

/* CVE-2020-15157: a layer elsewhere that asks for credentials. */
static void answer_elsewhere(TestRegistry *registry, const TestRequest *request, Buf *out) {
        _cleanup_free_ char *header = str_format(
                "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/steal\",service=\"s\"\r\n",
                registry->port);

        (void)request;
        test_answer(out, "401 Unauthorized", header, "", 0);
}

TEST(credentials_stay_with_the_registry) {
        const RegistryAuth auth = { .username = (char *)"user", .password = (char *)"secret" };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(test_registry_stop) TestRegistry thief;
        _cleanup_free_ char *log = NULL;
        Error err = {};

        world_init(&world);
        test_registry_start(&thief, answer_elsewhere, NULL);
        world.wants_token = world.redirect_layers = true;
        world.redirect_port = thief.port;
        ASSERT(pull_as(&test, &world, ":v1", &auth, NULL, &err) < 0);
        ASSERT(strstr(err.message, "refused, they are the registry's only"));
        test_registry_lock(&thief);
        log = strv_join(thief.log, ",");
        test_registry_unlock(&thief);
        ASSERT_STR(log, "/elsewhere -");
}

/* A refresh token is in a form, which some redirections send once more. */
TEST(a_refresh_token_is_sent_once) {
        const RegistryAuth auth = { .identity_token = (char *)"refresh" };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(test_registry_stop) TestRegistry thief;
        Error err = {};

        world_init(&world);
        test_registry_start(&thief, answer_elsewhere, NULL);
        world.wants_token = world.redirect_token = true;
        world.redirect_port = thief.port;
        ASSERT(pull_as(&test, &world, ":v1", &auth, NULL, &err) < 0);
        test_registry_lock(&thief);
        ASSERT(!thief.log);
        test_registry_unlock(&thief);
}

/* ---- tired and hostile registries ---- */

TEST(refuses_a_token_without_end) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.wants_token = world.endless_token = true;
        ASSERT(pull(&test, &world, &err) < 0);
        ASSERT(strstr(err.message, "is longer than"));
}

TEST(resumes_a_broken_download) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.cut_once = true;
        ASSERT_OK(pull(&test, &world, &err), &err);
}

static int64_t partial_size(const TestStore *test, const char *digest) {
        _cleanup_free_ char *path = str_format("partial/%s", digest_hex(digest));
        struct stat st;

        return fstatat(test->fd, path, &st, 0) < 0 ? -1 : st.st_size;
}

/* The daemon's restart in between is the store's opening. */
/* The registry's thread reads and writes these. */
static void recover(World *world) {
        test_registry_lock(&world->registry);
        world->tired = false;
        str_replace(&world->range, NULL);
        test_registry_unlock(&world->registry);
}

static bool asked_range(World *world, const char *range) {
        bool same;

        test_registry_lock(&world->registry);
        same = str_equal(world->range, range);
        test_registry_unlock(&world->registry);
        return same;
}

/* That the archive was cut short is no news then: what there is of it is kept. */
TEST(a_download_that_breaks_off_is_kept_though_both_programs_have_failed) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Progress progress = { .lingers = true };
        Error err = {};

        world_init(&world);
        world.tired = true;
        ASSERT(pull_as(&test, &world, ":v1", NULL, &progress, &err) < 0);
        ASSERT(!strstr(err.message, "failed to register layer"));
        ASSERT_INT(partial_size(&test, world.top_digest), world.top.length - world.top.length / 2);
        progress_done(&progress);
}

TEST(a_later_pull_goes_on_where_one_failed) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_free_ char *range = NULL;
        int64_t half;
        Error err = {};

        world_init(&world);
        half = (int64_t)(world.top.length - world.top.length / 2);
        world.tired = true;
        ASSERT(pull(&test, &world, &err) < 0);
        ASSERT_INT(partial_size(&test, world.top_digest), half);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(partial_size(&test, world.top_digest), half);
        recover(&world);
        ASSERT_OK(pull(&test, &world, &err), &err);
        range = str_format("bytes=%lld-", (long long)half);
        ASSERT(asked_range(&world, range));
        ASSERT_INT(test_count(&test, "partial"), 0);
}

TEST(a_spoiled_beginning_is_fetched_anew) {
        const size_t lengths[] = { 10, SIZE_MAX, 100000 }; /* SIZE_MAX: the whole blob's */

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_(test_store_done) TestStore test = test_store();
                _cleanup_(world_done) World world;
                _cleanup_free_ char *path = NULL, *wrong = NULL;
                size_t length;
                Error err = {};

                world_init(&world);
                length = lengths[i] == SIZE_MAX ? world.top.length : lengths[i];
                wrong = alloc_zero(1, length);
                path = str_format("partial/%s", digest_hex(world.top_digest));
                ASSERT_OK(file_replace_at(test.fd, path, wrong, length, 0600, false, &err), &err);
                ASSERT_OK(pull(&test, &world, &err), &err);
                ASSERT_INT(test_count(&test, "partial"), 0);
        }
}

TEST(a_finished_layer_of_a_failed_pull_outlives_the_daemon) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(progress_done) Progress progress = { .cancel_at = "Pull complete" };
        const char *digests[2];
        size_t asked[2], whole = 0;
        Error err = {};

        world_init(&world);
        digests[0] = world.image.diffs[0];
        digests[1] = world.top_digest;
        ASSERT(pull_as(&test, &world, ":v1", NULL, &progress, &err) < 0);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        for (size_t i = 0; i < 2; i++) {
                size_t length = i ? world.top.length : world.image.layers[0].length;

                asked[i] = SIZE_MAX;
                if (partial_size(&test, digests[i]) != (int64_t)length)
                        continue;
                asked[i] = count_asked(&world, digests[i]);
                whole++;
        }
        ASSERT(whole > 0);
        ASSERT_OK(pull(&test, &world, &err), &err);
        for (size_t i = 0; i < 2; i++)
                ASSERT(asked[i] == SIZE_MAX || count_asked(&world, digests[i]) == asked[i]);
        ASSERT_INT(test_count(&test, "partial"), 0);
}

TEST(an_old_beginning_goes) {
        const struct timespec old[2] = { { .tv_sec = time(NULL) - (8 * 24 * 3600) },
                                         { .tv_sec = time(NULL) - (8 * 24 * 3600) } };
        _cleanup_(test_store_done) TestStore test = test_store();
        Error err = {};

        ASSERT_OK(file_replace_at(test.fd, "partial/old", "x", 1, 0600, false, &err), &err);
        ASSERT_OK(file_replace_at(test.fd, "partial/new", "x", 1, 0600, false, &err), &err);
        ASSERT_INT(utimensat(test.fd, "partial/old", old, 0), 0);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "partial"), 1);
}

TEST(tries_again_where_nobody_listens) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        (void)close(test_listen(&world.redirect_port)); /* a mirror that restarts */
        world.redirect_once = true;
        ASSERT_OK(pull(&test, &world, &err), &err);
}

TEST(waits_for_a_busy_registry) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.busy_once = true;
        ASSERT_OK(pull(&test, &world, &err), &err);
}

TEST(refuses_a_wrong_blob) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.wrong_blob = true;
        ASSERT(pull(&test, &world, &err) < 0);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

TEST(refuses_a_wrong_manifest) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        /* Of another content. */
        world.manifest_digest[10] = world.manifest_digest[10] == '0' ? '1' : '0';
        {
                _cleanup_free_ char *tag = str_format("@%s", world.manifest_digest);

                ASSERT(pull_as(&test, &world, tag, NULL, NULL, &err) < 0);
        }
        ASSERT(strstr(err.message, "its digest is wrong"));
}

TEST(refuses_an_ambiguous_manifest) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        world.manifest[strlen(world.manifest) - 1] = '\0';
        {
                char *both = str_format("%s,\"manifests\":[]}", world.manifest);

                free(world.manifest);
                world.manifest = both;
        }
        ASSERT(pull(&test, &world, &err) < 0);
        ASSERT(strstr(err.message, "both layers and manifests"));
}

TEST(errors_are_worded_as_docker_does) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_free_ char *expected = NULL;
        int port;
        Error err = {};

        world_init(&world);
        ASSERT(pull_as(&test, &world, ":nope", NULL, NULL, &err) < 0);
        expected = str_format(
                "manifest for 127.0.0.1:%d/app:nope not found: manifest unknown: manifest unknown",
                world.registry.port);
        ASSERT_STR(err.message, expected);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        free(expected);
        port = world.registry.port;
        test_registry_stop(&world.registry);
        world.registry.port = port;
        ASSERT(pull(&test, &world, &err) < 0);
        expected = str_format("Get \"http://127.0.0.1:%d/v2/\": dial tcp 127.0.0.1:%d: connect: "
                              "connection refused",
                              port, port);
        ASSERT_STR(err.message, expected);
}

TEST(can_be_cancelled) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(world_done) World world;
        _cleanup_(progress_done) Progress progress = { .cancel_at = "Download complete" };
        Error err = {};

        world_init(&world);
        ASSERT(pull_as(&test, &world, ":v1", NULL, &progress, &err) < 0);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        progress.cancel_at = NULL;
        ASSERT_OK(pull_as(&test, &world, ":v1", NULL, &progress, &err), &err);
}

TEST_MAIN()
