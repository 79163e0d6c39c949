/* hosts-test.c: containerd's hosts.toml and Docker's directories of certificates: which hosts, in
 * which order, trusted how far; and what is refused, by file and line. */
#include "image/hosts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/test.h"

#define PEM "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

typedef struct World {
        char path[40];
        Endpoint *hosts;
        size_t count;
        Error err;
} World;

static World world(void) {
        World world = { .path = "/tmp/brig-hosts-XXXXXX" };

        if (!mkdtemp(world.path))
                abort();
        return world;
}

static void world_done(World *world) {
        (void)endpoints_free(world->hosts, world->count);
        (void)dir_remove_at(AT_FDCWD, world->path, NULL);
}

static void put(const World *world, const char *directory, const char *name, const char *text) {
        _cleanup_free_ char *dir = str_format("%s/%s", world->path, directory);
        _cleanup_free_ char *path = str_format("%s/%s", dir, name);

        (void)mkdir(dir, 0755);
        if (file_replace_at(AT_FDCWD, path, text, strlen(text), 0644, false, NULL) < 0)
                abort();
}

static int find(World *world, const char *registry) {
        char *const directories[] = { (char *)"/nowhere/certs.d", world->path, NULL };
        char *const mirrors[] = { (char *)"https://daemon.example", NULL };
        const EndpointOptions options = { .directories = directories, .mirrors = mirrors };

        world->hosts = endpoints_free(world->hosts, world->count);
        world->count = 0;
        world->err = (Error){};
        return endpoints_of(registry, &options, &world->hosts, &world->count, &world->err);
}

TEST(hosts_in_their_order_and_the_server_last) {
        _cleanup_(world_done) World w = world();

        put(&w, "docker.io", "own.crt", PEM);
        put(&w, "docker.io", "hosts.toml",
            "server = \"https://registry-1.docker.io\"\n"
            "[host.\"https://mirror.example/hub/\"]\n"
            "  ca = \"own.crt\"\n  client = [\"/k/client.cert\", \"client.key\"]\n"
            "[host.\"http://plain.example:5000/v2\"]\n"
            "  capabilities = [\"pull\"]\n"
            "[host.\"http://plain.example:5000/v2\".header]\n  X-One = \"1\"\n  X-Two = [\"a\", "
            "\"b\"]\n"
            "[host.\"bare.example\"]\n  override_path = true\n  skip_verify = true\n"
            "  capabilities = [\"pull\", \"resolve\", \"push\"]\n");
        ASSERT_OK(find(&w, "docker.io"), &w.err);
        ASSERT_INT(w.count, 4);
        ASSERT_STR(w.hosts[0].url, "https://mirror.example");
        ASSERT_STR(w.hosts[0].path, "/hub/v2");
        ASSERT(w.hosts[0].mirror && w.hosts[0].lists_namespace && !w.hosts[0].insecure);
        ASSERT_INT(w.hosts[0].can, HOST_PULL | HOST_RESOLVE); /* push must be named */
        ASSERT(strstr(w.hosts[0].authorities, PEM));
        ASSERT_STR(w.hosts[0].certificate, "/k/client.cert");
        ASSERT(str_ends(w.hosts[0].key, "/docker.io/client.key"));
        ASSERT_STR(w.hosts[1].path, "/v2");
        ASSERT_INT(w.hosts[1].can, HOST_PULL);
        ASSERT_STR(w.hosts[1].headers[0], "X-One: 1");
        ASSERT_STR(w.hosts[1].headers[2], "X-Two: b");
        ASSERT_STR(w.hosts[2].url, "https://bare.example");
        ASSERT_STR(w.hosts[2].path, "");
        ASSERT(w.hosts[2].insecure && w.hosts[2].can & HOST_PUSH);
        ASSERT_STR(w.hosts[3].url, "https://registry-1.docker.io");
        ASSERT(!w.hosts[3].mirror && !w.hosts[3].lists_namespace && !w.hosts[3].authorities);
}

/* What only begins like this machine's name is another, and spoken to over TLS. */
TEST(this_machine_alone_is_plain_without_a_scheme) {
        static const char *const urls[] = { "https://localhost.example", "https://127.example",
                                            "https://127.0.0.1.example", "http://localhost:5000",
                                            "http://127.0.0.1",          "http://[::1]:5000" };
        _cleanup_(world_done) World w = world();

        put(&w, "reg.example", "hosts.toml",
            "[host.\"localhost.example\"]\n[host.\"127.example/v2\"]\n"
            "[host.\"127.0.0.1.example\"]\n[host.\"localhost:5000/v2\"]\n"
            "[host.\"127.0.0.1\"]\n[host.\"[::1]:5000\"]\n");
        ASSERT_OK(find(&w, "reg.example"), &w.err);
        ASSERT_INT(w.count, ELEMENTS(urls) + 1);
        for (size_t i = 0; i < ELEMENTS(urls); i++) {
                ASSERT_STR(w.hosts[i].url, urls[i]);
                ASSERT_INT(w.hosts[i].insecure, !str_after(urls[i], "https://"));
        }
}

TEST(names_of_directories) {
        _cleanup_(world_done) World w = world();

        put(&w, "_default", "hosts.toml", "[host.\"https://all.example\"]\n");
        put(&w, "reg.example_5000_", "hosts.toml", "server = \"http://elsewhere\"\n");
        ASSERT_OK(find(&w, "quay.io"), &w.err);
        ASSERT_INT(w.count, 2);
        ASSERT_STR(w.hosts[0].url, "https://all.example");
        ASSERT_STR(w.hosts[1].url, "https://quay.io");
        ASSERT_OK(find(&w, "reg.example:5000"), &w.err);
        ASSERT_INT(w.count, 1);
        ASSERT_STR(w.hosts[0].url, "http://elsewhere");
        ASSERT(w.hosts[0].lists_namespace && !w.hosts[0].mirror);
        ASSERT_OK(find(&w, "127.0.0.1:5000"), &w.err); /* both schemes, as without a file */
        ASSERT_INT(w.count, 3);
        ASSERT_OK(find(&w, "../_default"), &w.err); /* no registry is called so */
        ASSERT_INT(w.count, 1);
}

TEST(docker_s_directories) {
        _cleanup_(world_done) World w = world();

        put(&w, "reg.example", "a.crt", PEM);
        put(&w, "reg.example", "ca.crt", PEM);
        put(&w, "reg.example", "client.cert", PEM);
        ASSERT(find(&w, "reg.example") < 0);
        ASSERT(strstr(w.err.message, "missing key client.key for client certificate "));
        put(&w, "reg.example", "client.key", "k");
        ASSERT_OK(find(&w, "reg.example"), &w.err);
        ASSERT_INT(w.count, 1);
        ASSERT_STR(w.hosts[0].authorities, PEM "\n" PEM "\n");
        ASSERT(str_ends(w.hosts[0].certificate, "/client.cert"));
        ASSERT(str_ends(w.hosts[0].key, "/client.key"));
        ASSERT_OK(find(&w, "docker.io"), &w.err); /* the daemon's mirror, without a file */
        ASSERT_STR(w.hosts[0].url, "https://daemon.example");
        ASSERT(!w.hosts[0].authorities);
        put(&w, "docker.io", "ca.crt", "no certificate");
        ASSERT(find(&w, "docker.io") < 0);
        ASSERT(strstr(w.err.message, "/docker.io/ca.crt' holds no certificate in PEM"));
}

TEST(refuses_by_file_and_line) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "server = 1\n", "line 1: 'server' must be a string, not a whole number" },
                { "\nserver = \"ftp://x\"\n", "line 2: 'ftp://x' is no address of a host" },
                { "[host.\"https://\"]\n", "line 1: 'https://' is no address of a host" },
                { "[host.\"https://user@x\"]\n", "line 1: 'https://user@x' is no address" },
                { "[host.\"https://x\"]\nskip-verify = true\n",
                  "line 2: 'skip-verify' is no setting of a host that brig knows" },
                { "skip_verify = \"true\"\n",
                  "line 1: 'skip_verify' must be a truth value, not a string" },
                { "[host.x]\ncapabilities = [\"pul\"]\n",
                  "line 2: there is no capability 'pul': give pull, resolve, push" },
                { "[host.x]\ncapabilities = \"pull\"\n",
                  "line 2: 'capabilities' must be an array, not a string" },
                { "ca = \"nothing.crt\"\n", "line 1: " },
                { "ca = [1]\n", "line 1: 'ca' must be an array of strings" },
                { "client = [\"one\"]\n", "line 1: 'client' must be a file of certificate and" },
                { "client = [[\"a\", \"b\"], [\"c\", \"d\"]]\n",
                  "line 1: 'client' has several certificates" },
                { "[header]\n\"a b\" = \"1\"\n", "line 2: 'a b' is no name of a header" },
                { "[header]\na = \"1\\r\\nb: 2\"\n", "line 2: 'a' has a value of several lines" },
                { "host = 1\n", "line 1: 'host' must be a table, not a whole number" },
                { "[host]\nx = 1\n", "line 2: 'x' must be a table, not a whole number" },
                { "a = [\n", "line 2: a value is missing" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(world_done) World w = world();
                _cleanup_free_ char *begin =
                        str_format("%s/reg.example/hosts.toml: %s", w.path, cases[i].message);

                put(&w, "reg.example", "hosts.toml", cases[i].text);
                ASSERT(find(&w, "reg.example") < 0);
                if (!str_after(w.err.message, begin))
                        printf("# %s: %s\n", cases[i].text, w.err.message);
                ASSERT(str_after(w.err.message, begin));
        }
}

TEST_MAIN()
