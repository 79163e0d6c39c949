/* config.c: see config.h. */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "cli/base64.h"

#define CONFIG_MAX (1u << 20)
#define HUB_KEY "https://index.docker.io/v1/"

extern char **environ;

char *config_directory(const Cli *cli) {
        const char *directory = cli->config_dir ?: getenv("DOCKER_CONFIG");
        const char *home = getenv("HOME");

        if (!str_empty(directory))
                return str_copy(directory);
        return str_format("%s/.docker", home ?: "");
}

json_object *config_get(Cli *cli) {
        _cleanup_free_ char *directory = NULL, *path = NULL, *text = NULL;
        size_t length;
        Error err = {};

        if (cli->config_read)
                return cli->config;
        cli->config_read = true;
        directory = config_directory(cli);
        path = str_format("%s/config.json", directory);
        if (file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &length, &err) == -ENOENT)
                return NULL;
        if (!text || json_parse_any(text, length, &cli->config, &err) < 0)
                (void)fprintf(stderr, "WARNING: Error loading config file: %s: %s\n", path,
                              err.message);
        return cli->config;
}

const char *config_string(Cli *cli, const char *name) {
        return json_member_string(config_get(cli), name);
}

/* ---- credentials ---- */

static void put(json_object *auth, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(auth, name, json_object_new_string(value));
}

/* Runs docker-credential-<helper> get with the server on its input; its JSON answer, or NULL where
 * it has none or cannot be run. */
static json_object *ask_helper(const char *helper, const char *server) {
        _cleanup_free_ char *program = str_format("docker-credential-%s", helper);
        char *const words[] = { program, (char *)"get", NULL };
        _cleanup_buf_ Buf answer = {};
        posix_spawn_file_actions_t actions;
        json_object *document = NULL;
        int in[2], out[2], status = 0;
        pid_t pid;
        int r;

        if (pipe2(in, O_CLOEXEC) < 0)
                return NULL;
        if (pipe2(out, O_CLOEXEC) < 0) {
                close_fd(&in[0]);
                close_fd(&in[1]);
                return NULL;
        }
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        (void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        r = posix_spawnp(&pid, program, &actions, NULL, words, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        close_fd(&in[0]);
        close_fd(&out[1]);
        if (r == 0) {
                (void)fd_write_full(in[1], server, strlen(server));
                close_fd(&in[1]);
                (void)fd_read_all(out[0], CONFIG_MAX, &answer);
                (void)waitpid(pid, &status, 0);
        }
        close_fd(&in[1]);
        close_fd(&out[0]);
        if (r != 0)
                (void)fprintf(stderr, "WARNING: credential helper '%s': %s\n", program,
                              strerror(r));
        else if (status == 0 && answer.length > 0)
                (void)json_parse_any(answer.data, answer.length, &document, NULL);
        return document;
}

static void add_from_helper(json_object *auth, const char *helper, const char *server) {
        _cleanup_json_ json_object *answer = ask_helper(helper, server);
        const char *user = json_member_string(answer, "Username");
        const char *secret = json_member_string(answer, "Secret");

        if (!secret)
                return;
        if (str_equal(user, "<token>")) {
                put(auth, "identitytoken", secret);
        } else {
                put(auth, "username", user);
                put(auth, "password", secret);
        }
        put(auth, "serveraddress", server);
}

/* auths' keys may carry a scheme and a path. */
static bool same_server(const char *key, const char *server) {
        const char *host = str_after(key, "https://") ?: str_after(key, "http://") ?: key;
        size_t length = strcspn(host, "/");

        return str_equal(key, server) ||
               (strlen(server) == length && strncmp(host, server, length) == 0);
}

static void add_from_file(json_object *auth, json_object *auths, const char *server) {
        json_object_object_foreach(auths, key, entry) {
                _cleanup_buf_ Buf pair = {};
                char *colon;

                if (!same_server(key, server))
                        continue;
                colon = base64_read(json_words(entry, "auth"), &pair) == 0 && pair.length > 0
                                ? strchr(pair.data, ':')
                                : NULL;
                if (colon) {
                        *colon = '\0';
                        put(auth, "username", pair.data);
                        put(auth, "password", colon + 1);
                }
                put(auth, "identitytoken", json_member_string(entry, "identitytoken"));
                put(auth, "registrytoken", json_member_string(entry, "registrytoken"));
                put(auth, "serveraddress", server);
                return;
        }
}

/* What is known of a registry: {} where that is nothing. The caller's reference. */
static json_object *auth_of(Cli *cli, const char *host) {
        json_object *auth = json_object_new_object();
        const char *server = str_equal(host, "docker.io") ? HUB_KEY : host;
        json_object *config = config_get(cli);
        json_object *auths = json_member(config, "auths");
        const char *helper = json_member_string(json_member(config, "credHelpers"), host);

        if (!helper)
                helper = json_member_string(config, "credsStore");
        if (!str_empty(helper))
                add_from_helper(auth, helper, server);
        if (json_object_object_length(auth) == 0 && json_object_is_type(auths, json_type_object))
                add_from_file(auth, auths, server);
        return auth;
}

static char *header_text(json_object *document) {
        const char *text = json_object_to_json_string_ext(
                document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

        return base64_url_text(text, strlen(text));
}

char *config_registry_auth(Cli *cli, const char *host) {
        _cleanup_json_ json_object *auth = auth_of(cli, host);

        return header_text(auth);
}

static void add_all(Cli *cli, const char *member, json_object *all) {
        json_object *hosts = json_member(config_get(cli), member);

        if (!json_object_is_type(hosts, json_type_object))
                return;
        json_object_object_foreach(hosts, host, unused) {
                json_object *auth;

                (void)unused;
                if (json_member(all, host))
                        continue;
                auth = auth_of(cli, str_equal(host, HUB_KEY) ? "docker.io" : host);
                if (json_object_object_length(auth) > 0)
                        (void)json_object_object_add(all, host, auth);
                else
                        (void)json_object_put(auth);
        }
}

char *config_registries(Cli *cli) {
        _cleanup_json_ json_object *all = json_object_new_object();

        add_all(cli, "auths", all);
        add_all(cli, "credHelpers", all);
        return header_text(all);
}
