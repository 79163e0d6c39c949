/* credentials.c: loads, stores and erases credentials, in config.json or through a helper. See
 * credentials.h. */
#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "cli/config.h"

#define ANSWER_MAX (1u << 20)
/* What helpers say on standard output where they know nothing of a server. */
#define HELPER_UNKNOWN "credentials not found in native keychain"

extern char **environ;

static const char *server_of(const char *host) {
        return str_equal(host, "docker.io") ? HUB_KEY : host;
}

const char *credentials_helper(Cli *cli, const char *host) {
        json_object *config = config_get(cli);
        const char *server = server_of(host);
        json_object *helpers = json_member(config, "credHelpers");
        const char *helper = json_member_string(helpers, server);

        if (str_empty(helper))
                helper = json_member_string(helpers, host);
        if (str_empty(helper))
                helper = json_member_string(config, "credsStore");
        return str_empty(helper) ? NULL : helper;
}

/* ---- helpers ---- */

static int spawn_helper(const char *program, const char *verb, int in, int out, pid_t *ret) {
        char *const words[] = { (char *)program, (char *)verb, NULL };
        posix_spawn_file_actions_t actions;
        int r;

        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        r = posix_spawnp(ret, program, &actions, NULL, words, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int make_pipe(int *read_end, int *write_end, Error *err) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe");
        *read_end = ends[0];
        *write_end = ends[1];
        return 0;
}

/* Says input to the program, and reads what it answers. A program that does not read ends the
 * writing, not brig. */
static void talk(int to, int from, const char *input, Buf *answer) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN);

        (void)fd_write_full(to, input, strlen(input));
        (void)close(to);
        (void)fd_read_all(from, ANSWER_MAX, answer);
        (void)signal(SIGPIPE, before);
}

/* Runs docker-credential-<helper> verb. An exit code other than 0 is an error with its words. */
static int run_helper(const char *helper, const char *verb, const char *input, Buf *answer,
                      Error *err) {
        _cleanup_free_ char *program = str_format("docker-credential-%s", helper), *words = NULL;
        _cleanup_close_ int child_in = -1, to = -1, from = -1, child_out = -1;
        int status = 0, r;
        pid_t pid;

        r = make_pipe(&child_in, &to, err);
        if (r == 0)
                r = make_pipe(&from, &child_out, err);
        if (r < 0)
                return r;
        r = spawn_helper(program, verb, child_in, child_out, &pid);
        if (r != 0)
                return error_kind(err, ERROR_INVALID,
                                  "error getting credentials - err: exec: \"%s\": %s", program,
                                  r == ENOENT ? "executable file not found in $PATH" : strerror(r));
        close_fd(&child_in);
        close_fd(&child_out);
        talk(TAKE_FD(to), from, input, answer);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        words = str_copy_n(answer->data ?: "", MIN(answer->length, (size_t)500));
        return error_kind(err, ERROR_INVALID, "%s %s: %s", program, verb, str_trim(words));
}

/* True if the helper knows the server. */
static bool load_from_helper(const char *helper, const char *server, Credentials *ret) {
        _cleanup_buf_ Buf answer = {};
        Error err = {};
        bool known = false;

        if (run_helper(helper, "get", server, &answer, &err) < 0) {
                if (!strstr(err.message, HELPER_UNKNOWN))
                        (void)fprintf(stderr, "WARNING: %s\n", err.message);
        } else {
                known = credentials_from_helper(answer.data ?: "", answer.length, ret);
                if (!known)
                        (void)fprintf(stderr,
                                      "WARNING: docker-credential-%s get: its answer is none\n",
                                      helper);
        }
        if (answer.data)
                explicit_bzero(answer.data, answer.length);
        return known;
}

static int store_with_helper(const char *helper, const char *server, const Credentials *credentials,
                             Error *err) {
        _cleanup_json_ json_object *message = json_object_new_object();
        bool token = !str_empty(credentials->identity_token);
        _cleanup_buf_ Buf answer = {};

        (void)json_object_object_add(message, "ServerURL", json_object_new_string(server));
        (void)json_object_object_add(
                message, "Username",
                json_object_new_string(token ? "<token>" : credentials->username ?: ""));
        (void)json_object_object_add(
                message, "Secret",
                json_object_new_string(token ? credentials->identity_token
                                             : credentials->password ?: ""));
        return run_helper(helper, "store",
                          json_object_to_json_string_ext(
                                  message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                          &answer, err);
}

/* ---- both ---- */

void credentials_load(Cli *cli, const char *host, Credentials *ret) {
        const char *helper = credentials_helper(cli, host), *server = server_of(host);

        if (helper && load_from_helper(helper, server, ret))
                return;
        credentials_from_auths(json_member(config_get(cli), "auths"), server, ret);
}

/* With a helper, config.json has the server's name only. */
int credentials_store(Cli *cli, const char *host, const Credentials *credentials, Error *err) {
        const char *helper = credentials_helper(cli, host), *server = server_of(host);
        const Credentials none = {};
        json_object *config, *auths;
        int r = config_edit(cli, &config, err);

        if (r == 0 && helper)
                r = store_with_helper(helper, server, credentials, err);
        if (r < 0)
                return r;
        auths = json_member(config, "auths");
        if (!json_object_is_type(auths, json_type_object)) {
                auths = json_object_new_object();
                (void)json_object_object_add(config, "auths", auths);
        }
        (void)json_object_object_add(auths, server,
                                     credentials_entry(helper ? &none : credentials));
        return config_write(cli, err);
}

/* Drops every key that means the server. True: there was one. */
static bool drop_entries(json_object *auths, const char *server) {
        _cleanup_strv_ char **keys = NULL;

        if (!json_object_is_type(auths, json_type_object))
                return false;
        json_object_object_foreach(auths, key, entry) {
                (void)entry;
                if (credentials_same_server(key, server))
                        strv_add(&keys, key);
        }
        for (size_t i = 0; keys && keys[i]; i++)
                json_object_object_del(auths, keys[i]);
        return keys != NULL;
}

int credentials_erase(Cli *cli, const char *host, Error *err) {
        const char *helper = credentials_helper(cli, host), *server = server_of(host);
        _cleanup_buf_ Buf answer = {};
        json_object *config;
        int r = config_edit(cli, &config, err);

        if (r == 0 && helper) {
                r = run_helper(helper, "erase", server, &answer, err);
                if (r < 0 && err && strstr(err->message, HELPER_UNKNOWN))
                        r = 0;
        }
        if (r < 0 || !drop_entries(json_member(config, "auths"), server))
                return r;
        return config_write(cli, err);
}

/* ---- the header ---- */

static void put(json_object *auth, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(auth, name, json_object_new_string(value));
}

/* {} where nothing is known. The caller's reference. */
static json_object *header_document(Cli *cli, const char *host) {
        json_object *auth = json_object_new_object();
        Credentials credentials = {};

        credentials_load(cli, host, &credentials);
        put(auth, "username", credentials.username);
        put(auth, "password", credentials.password);
        put(auth, "identitytoken", credentials.identity_token);
        put(auth, "registrytoken", credentials.registry_token);
        if (!credentials_empty(&credentials))
                put(auth, "serveraddress", server_of(host));
        credentials_done(&credentials);
        return auth;
}

static char *header_text(json_object *document) {
        return credentials_encode(
                json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE),
                true);
}

char *credentials_header(Cli *cli, const char *host) {
        _cleanup_json_ json_object *auth = header_document(cli, host);

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
                auth = header_document(cli, str_equal(host, HUB_KEY) ? "docker.io" : host);
                if (json_object_object_length(auth) > 0)
                        (void)json_object_object_add(all, host, auth);
                else
                        (void)json_object_put(auth);
        }
}

char *credentials_all_header(Cli *cli) {
        _cleanup_json_ json_object *all = json_object_new_object();

        add_all(cli, "auths", all);
        add_all(cli, "credHelpers", all);
        return header_text(all);
}
