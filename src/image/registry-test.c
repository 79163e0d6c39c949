/* registry-test.c: Debian's docker-registry on loopback, filled by skopeo, plain and with TLS and
 * htpasswd. Skipped where those programs are missing. */
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "image/test-registry.h"
#include "image/test-store.h"

typedef struct Server {
        char path[48];
        int port;
        pid_t pid;
        int output;
} Server;

static int shell(const char *format, ...) PRINTF_LIKE(1, 2);
static int shell(const char *format, ...) {
        char command[4096];
        va_list arguments;
        int r;

        va_start(arguments, format);
        (void)vsnprintf(command, sizeof(command), format, arguments);
        va_end(arguments);
        r = system(command);
        if (r != 0)
                printf("# status %d: %s\n", r, command);
        return r;
}

__attribute__((constructor)) static void need_programs(void) {
        static const char *const programs[] = { "docker-registry", "skopeo", "htpasswd",
                                                "openssl" };

        for (size_t i = 0; i < ELEMENTS(programs); i++) {
                _cleanup_free_ char *command = str_format("command -v %s >/dev/null", programs[i]);

                if (system(command) == 0)
                        continue;
                printf("1..0 # SKIP needs %s\n", programs[i]);
                exit(0);
        }
}

static void write_config(const Server *server, bool secured) {
        _cleanup_free_ char *file = str_format("%s/config.yml", server->path), *more = NULL,
                            *text = NULL;

        more = secured ? str_format("  tls:\n    certificate: %s/cert.pem\n    key: "
                                    "%s/key.pem\nauth:\n  htpasswd:\n"
                                    "    realm: test\n    path: %s/htpasswd\n",
                                    server->path, server->path, server->path)
                       : str_copy("");
        text = str_format("version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    "
                          "rootdirectory: %s/data\n"
                          "http:\n  addr: 127.0.0.1:%d\n%s",
                          server->path, server->port, more);
        if (file_replace_at(AT_FDCWD, file, text, strlen(text), 0600, false, NULL) < 0)
                abort();
}

/* Until the registry says that it listens. */
static bool wait_for_listening(Server *server) {
        _cleanup_buf_ Buf text = {};
        char chunk[4096];
        ssize_t n;

        while ((n = read(server->output, chunk, sizeof(chunk))) > 0) {
                buf_add(&text, chunk, (size_t)n);
                if (strstr(text.data, "listening on"))
                        return true;
        }
        printf("# docker-registry: %s\n", text.data ? text.data : "said nothing");
        return false;
}

static bool server_start(Server *server, bool secured) {
        char *argv[] = { (char *)"docker-registry", (char *)"serve", NULL, NULL };
        _cleanup_free_ char *file = NULL;
        posix_spawn_file_actions_t actions;
        int pipe_fds[2];

        *server = (Server){ .path = "/tmp/brig-registry-XXXXXX" };
        if (!mkdtemp(server->path) || pipe2(pipe_fds, O_CLOEXEC) < 0)
                abort();
        if (secured &&
            (shell("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
                   "-keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
                   server->path, server->path) != 0 ||
             shell("htpasswd -Bbc %s/htpasswd user secret 2>/dev/null", server->path) != 0))
                return false;
        (void)close(test_listen(&server->port));
        write_config(server, secured);
        argv[2] = file = str_format("%s/config.yml", server->path);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 2);
        if (posix_spawnp(&server->pid, "docker-registry", &actions, NULL, argv, environ) != 0)
                abort();
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)close(pipe_fds[1]);
        server->output = pipe_fds[0];
        return wait_for_listening(server);
}

static void server_stop(Server *server) {
        if (server->pid > 0) {
                (void)kill(server->pid, SIGKILL);
                (void)waitpid(server->pid, NULL, 0);
                (void)close(server->output);
        }
        (void)dir_remove_at(AT_FDCWD, server->path, NULL);
}

static int push(const Server *server, const char *options) {
        _cleanup_(test_image_done) TestImage image = test_image("pushed");
        _cleanup_buf_ Buf archive = test_docker_archive(&image, "\"app:v1\"", 0);
        _cleanup_free_ char *file = str_format("%s/image.tar", server->path);

        if (file_replace_at(AT_FDCWD, file, archive.data, archive.length, 0600, false, NULL) < 0)
                abort();
        return shell(
                "skopeo --insecure-policy copy -q --dest-tls-verify=false %s docker-archive:%s "
                "docker://127.0.0.1:%d/team/app:v1",
                options, file, server->port);
}

static int pull(TestStore *test, const Server *server, const RegistryAuth *auth, char **id,
                Error *err) {
        _cleanup_free_ char *name = str_format("127.0.0.1:%d/team/app:v1", server->port);

        return image_pull(test->store, name, NULL, auth, NULL, NULL, NULL, id, err);
}

TEST(pulls_what_skopeo_pushed) {
        static const char *const options[] = { "", "--format oci --dest-compress-format zstd",
                                               "--format v2s2" };
        _cleanup_(server_stop) Server server = {};

        ASSERT(server_start(&server, false));
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                _cleanup_(test_store_done) TestStore test = test_store();
                _cleanup_(image_done) Image image = {};
                _cleanup_strv_ char **lowers = NULL;
                _cleanup_free_ char *id = NULL;
                Error err = {};

                ASSERT_INT(push(&server, options[i]), 0);
                ASSERT_OK(pull(&test, &server, NULL, &id, &err), &err);
                ASSERT_OK(image_find(test.store, id, &image, &err), &err);
                ASSERT_STR(image.config.config.cmd[0], "pushed");
                ASSERT_OK(image_layers(test.store, &image, &lowers, &err), &err);
                ASSERT_INT(strv_length(lowers), 2);
        }
}

TEST(tls_and_a_password) {
        const RegistryAuth right = { .username = (char *)"user", .password = (char *)"secret" };
        const RegistryAuth wrong = { .username = (char *)"user", .password = (char *)"guess" };
        _cleanup_(server_stop) Server server = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_free_ char *id = NULL;
        Error err = {};

        ASSERT(server_start(&server, true));
        ASSERT_INT(push(&server, "--dest-creds user:secret"), 0);
        ASSERT(pull(&test, &server, NULL, &id, &err) < 0);
        ASSERT(strstr(err.message, "no basic auth credentials"));
        ASSERT(pull(&test, &server, &wrong, &id, &err) < 0);
        ASSERT(strstr(err.message, "unauthorized: authentication required"));
        ASSERT_OK(pull(&test, &server, &right, &id, &err), &err);
}

TEST_MAIN()
