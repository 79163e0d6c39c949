/* mirror-test.c: pulls and pushes where a registry's hosts.toml names other hosts: which of them is
 * asked for what, what happens where one fails, lacks or lies, and that a token stays where it was
 * got. */
#include <sys/stat.h>

#include "image/assembly.h"
#include "image/test-registry.h"
#include "image/test-store.h"

typedef struct Host {
        TestRegistry registry;
        const struct World *world;
        bool lacks, lies, wants_token, dies, redirects; /* blobs are at the server */
        size_t told; /* requests that brought the header which hosts.toml gives */
} Host;

typedef struct World {
        TestStore test;
        TestImage image;
        char *manifest, digest[DIGEST_TEXT_MAX];
        Host mirror, server;
        char hosts[40]; /* the directory */
} World;

static void answer_content(const Host *host, const TestRequest *request, Buf *out) {
        const World *world = host->world;

        if (str_equal(request->method, "PUT") || str_equal(request->method, "HEAD")) {
                /* every blob is there already */
                test_answer(out, str_equal(request->method, "PUT") ? "201 Created" : "200 OK", "",
                            "", 0);
                return;
        }
        if (host->redirects && strstr(request->path, "/blobs/")) {
                _cleanup_free_ char *location =
                        str_format("Location: http://127.0.0.1:%d%s\r\n",
                                   world->server.registry.port, request->path);

                test_answer(out, "307 Temporary Redirect", location, "", 0);
                return;
        }
        for (size_t i = 0; i < 2; i++)
                if (strstr(request->path, world->image.diffs[i])) {
                        const Buf *layer = &world->image.layers[i];

                        if (host->lies)
                                test_answer(out, "200 OK", "", "a lie", 5);
                        else
                                test_answer(out, "200 OK", "", layer->data, layer->length);
                        return;
                }
        if (strstr(request->path, world->image.id))
                test_answer(out, "200 OK", "", world->image.config.data,
                            world->image.config.length);
        else if (strstr(request->path, "/manifests/"))
                test_answer(out, "200 OK",
                            "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n",
                            world->manifest, strlen(world->manifest));
        else
                test_answer(out, "404 Not Found", "", "", 0);
}

static void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
        Host *host = registry->data;
        _cleanup_free_ char *header = str_format(
                "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/token\"\r\n", registry->port);
        _cleanup_free_ char *token = str_format("{\"token\":\"of-%d\"}", registry->port);
        _cleanup_free_ char *wanted = str_format("Bearer of-%d", registry->port);

        host->told += str_equal(request->content_type, "secret/header");
        if (str_after(request->path, "/token"))
                test_answer(out, "200 OK", "", token, strlen(token));
        else if (host->wants_token && !str_equal(request->authorization, wanted))
                test_answer(out, "401 Unauthorized", header, "", 0);
        else if (host->dies)
                test_answer(out, "502 Bad Gateway", "", "", 0);
        else if (str_ends(request->path, "/v2/") || strstr(request->path, "/v2/?ns="))
                test_answer(out, "200 OK", "", "{}", 2);
        else if (host->lacks)
                test_answer(out, "404 Not Found", "", "", 0);
        else
                answer_content(host, request, out);
}

static void world_init(World *world) {
        *world = (World){ .hosts = "/tmp/brig-mirror-XXXXXX" };
        world->test = test_store();
        world->image = test_image("mirrored");
        world->manifest = str_format(
                "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
                "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
                "\",\"digest\":\"%s\",\"size\":%zu},{\"mediaType\":\"" MEDIA_OCI_LAYER
                "\",\"digest\":\"%s\",\"size\":%zu}]}",
                world->image.id, world->image.config.length, world->image.diffs[0],
                world->image.layers[0].length, world->image.diffs[1],
                world->image.layers[1].length);
        digest_of(world->manifest, strlen(world->manifest), world->digest);
        world->mirror.world = world->server.world = world;
        test_registry_start(&world->mirror.registry, answer, &world->mirror);
        test_registry_start(&world->server.registry, answer, &world->server);
        if (!mkdtemp(world->hosts))
                abort();
}

static void world_done(World *world) {
        test_registry_stop(&world->mirror.registry);
        test_registry_stop(&world->server.registry);
        test_store_done(&world->test);
        test_image_done(&world->image);
        free(world->manifest);
        (void)dir_remove_at(AT_FDCWD, world->hosts, NULL);
}

/* hosts.toml of reg.example: the mirror with those settings, then the server. */
static void settings(const World *world, const char *text, int mirror_port) {
        _cleanup_free_ char *dir = str_format("%s/reg.example", world->hosts),
                            *path = str_format("%s/hosts.toml", dir),
                            *file = str_format("server = \"http://127.0.0.1:%d\"\n"
                                               "[host.\"http://127.0.0.1:%d\"]\n%s",
                                               world->server.registry.port, mirror_port, text);

        (void)mkdir(dir, 0755);
        if (file_replace_at(AT_FDCWD, path, file, strlen(file), 0644, false, NULL) < 0)
                abort();
}

static int pull(World *world, Error *err) {
        char *directories[] = { world->hosts, NULL };
        const RegistryOptions options = { .host_directories = directories };
        const RegistryAuth auth = { .username = (char *)"user", .password = (char *)"secret" };
        _cleanup_free_ char *id = NULL;

        return image_pull(world->test.store, "reg.example/team/app:v1", NULL, &auth, &options, NULL,
                          NULL, &id, err);
}

static void set(Host *host, bool *what) {
        test_registry_lock(&host->registry);
        *what = true;
        test_registry_unlock(&host->registry);
}

static size_t times_told(Host *host) {
        size_t times;

        test_registry_lock(&host->registry);
        times = host->told;
        test_registry_unlock(&host->registry);
        return times;
}

static size_t asked(Host *host, const char *part) {
        size_t count = 0;

        test_registry_lock(&host->registry);
        for (size_t i = 0; host->registry.log && host->registry.log[i]; i++)
                count += strstr(host->registry.log[i], part) != NULL;
        test_registry_unlock(&host->registry);
        return count;
}

TEST(a_mirror_is_asked_first_and_told_whose_images) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        settings(&world, "", world.mirror.registry.port);
        ASSERT_OK(pull(&world, &err), &err);
        ASSERT_INT(asked(&world.server, ""), 0);
        ASSERT_INT(asked(&world.mirror, "/v2/team/app/manifests/v1?ns=reg.example"), 1);
        ASSERT_INT(asked(&world.mirror, "/blobs/"), 3);
}

TEST(a_mirror_without_resolve_is_not_asked_what_a_tag_is) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        settings(&world, "capabilities = [\"pull\"]\n", world.mirror.registry.port);
        ASSERT_OK(pull(&world, &err), &err);
        ASSERT_INT(asked(&world.mirror, "/manifests/"), 0);
        ASSERT_INT(asked(&world.server, "/manifests/v1"), 1);
        ASSERT_INT(asked(&world.mirror, "/blobs/"), 3);
        ASSERT_INT(asked(&world.server, "/blobs/"), 0);
}

TEST(what_fails_or_lacks_is_asked_of_the_next) {
        for (int way = 0; way < 3; way++) {
                _cleanup_(world_done) World world;
                Error err = {};
                int port;

                world_init(&world);
                port = world.mirror.registry.port;
                if (way == 0)
                        set(&world.mirror, &world.mirror.lacks);
                if (way == 1)
                        set(&world.mirror, &world.mirror.dies);
                if (way == 2) { /* nobody listens */
                        UNUSED _cleanup_close_ int fd = test_listen(&port);
                }
                settings(&world, "", port);
                ASSERT_OK(pull(&world, &err), &err);
                ASSERT_INT(asked(&world.server, "/manifests/v1"), 1);
                ASSERT_INT(asked(&world.server, "/blobs/"), 3);
                ASSERT(asked(&world.mirror, "/blobs/") == 0); /* it is not asked again */
        }
}

TEST(a_liar_is_refused_by_digest) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        set(&world.mirror, &world.mirror.lies);
        settings(&world, "", world.mirror.registry.port);
        ASSERT(pull(&world, &err) < 0);
        ASSERT(strstr(err.message, "verification failed for digest") ||
               strstr(err.message, "failed to register layer"));
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
        ASSERT(image_find(world.test.store, "reg.example/team/app:v1", &(Image){}, &err) < 0);
}

TEST(a_token_stays_with_the_host_that_asked) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *of_mirror = NULL, *of_server = NULL;
        Error err = {};

        world_init(&world);
        set(&world.mirror, &world.mirror.wants_token);
        set(&world.mirror, &world.mirror.lacks);
        set(&world.server, &world.server.wants_token);
        settings(&world, "[host.\"http://127.0.0.1:1\".header]\nX = \"y\"\n",
                 world.mirror.registry.port);
        of_mirror = str_format("Bearer of-%d", world.mirror.registry.port);
        of_server = str_format("Bearer of-%d", world.server.registry.port);
        ASSERT_OK(pull(&world, &err), &err);
        ASSERT(asked(&world.mirror, of_mirror) > 0);
        ASSERT(asked(&world.server, of_server) > 0);
        ASSERT_INT(asked(&world.mirror, of_server), 0);
        ASSERT_INT(asked(&world.server, of_mirror), 0);
        ASSERT_INT(asked(&world.mirror, "Basic "), 0); /* the password is the registry's */
        ASSERT(asked(&world.server, "Basic ") > 0);
}

TEST(a_table_of_the_registry_itself_gets_the_credentials) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        set(&world.server, &world.server.wants_token);
        settings(&world, "", world.server.registry.port);
        ASSERT_OK(pull(&world, &err), &err);
        ASSERT(asked(&world.server, "Basic ") > 0);
        ASSERT_INT(asked(&world.server, "/manifests/v1?ns=reg.example"), 1); /* by the table */
}

/* Content-Type stands for any header: the test's registry looks at it. */
TEST(headers_of_a_host_stay_with_it_where_it_redirects) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        set(&world.mirror, &world.mirror.redirects);
        settings(&world, "header.Content-Type = \"secret/header\"\n", world.mirror.registry.port);
        ASSERT_OK(pull(&world, &err), &err);
        ASSERT_INT(asked(&world.mirror, "/blobs/"), 3);
        ASSERT_INT(asked(&world.server, "/blobs/"), 3);
        ASSERT(times_told(&world.mirror) >= 4); /* all that it was asked, the manifest too */
        ASSERT_INT(times_told(&world.server), 0);
}

static int push(World *world, Error *err) {
        char *directories[] = { world->hosts, NULL };
        const RegistryOptions options = { .host_directories = directories };
        char id[DIGEST_TEXT_MAX];
        int r = test_load_word(&world->test, "mirrored", "\"reg.example/team/app:v1\"", id, err);

        return r < 0 ? r
                     : image_push(world->test.store, "reg.example/team/app:v1", NULL, &options,
                                  NULL, NULL, err);
}

TEST(what_is_pushed_goes_to_a_mirror_only_where_it_says_push) {
        for (int way = 0; way < 2; way++) {
                _cleanup_(world_done) World world;
                Error err = {};

                world_init(&world);
                settings(&world, way ? "capabilities = [\"push\", \"pull\"]\n" : "",
                         world.mirror.registry.port);
                ASSERT_OK(push(&world, &err), &err);
                ASSERT_INT(asked(way ? &world.server : &world.mirror, ""), 0);
                ASSERT(asked(way ? &world.mirror : &world.server, "/manifests/v1") > 0);
        }
}

TEST(errors_name_the_file) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        settings(&world, "capability = 1\n", world.mirror.registry.port);
        ASSERT(pull(&world, &err) < 0);
        ASSERT(strstr(err.message, "/reg.example/hosts.toml: line 3: 'capability' is no setting"));
        settings(&world, "capabilities = []\n", world.mirror.registry.port);
        ASSERT_OK(pull(&world, &err), &err); /* a mirror for nothing */
        ASSERT_INT(asked(&world.mirror, ""), 0);
}

TEST_MAIN()
