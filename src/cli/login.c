/* login.c: login and logout. */
#include <errno.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/credentials.h"
#include "cli/terminal.h"

#define SECRET_MAX ((size_t)64 * 1024)

typedef struct LoginOptions {
        char *password, *username;
        bool from_stdin;
} LoginOptions;

static const Option login_rows[] = {
        { "password", 'p', OPTION_STRING, offsetof(LoginOptions, password),
          "Password or access token" },
        { "password-stdin", 0, OPTION_BOOL, offsetof(LoginOptions, from_stdin),
          "Take the password or access token from stdin" },
        { "username", 'u', OPTION_STRING, offsetof(LoginOptions, username), "Username" },
};

static void credentials_donep(Credentials *credentials) {
        credentials_done(credentials);
}

/* The registry's name without scheme and path; Docker Hub's where none is given. The caller's. */
static char *host_of(const Options *options) {
        const char *text = options->count > 0 ? options->arguments[0] : "";
        const char *host = str_after(text, "https://") ?: str_after(text, "http://") ?: text;
        char *name = str_copy_n(host, strcspn(host, "/"));

        if (*name && !str_equal(name, "index.docker.io"))
                return name;
        free(name);
        return str_copy("docker.io");
}

/* As it is called in messages, in config.json and by the daemon. */
static const char *server_of(const char *host) {
        return str_equal(host, "docker.io") ? HUB_KEY : host;
}

/* ---- asking the user ---- */

static int prompt(const char *words, bool hidden, char **ret, Error *err) {
        Buf line = {};
        int r;

        r = terminal_read_line(STDIN_FILENO, words, hidden, SECRET_MAX, &line);
        if (r < 0) {
                buf_done(&line);
                return error_set(err, -r, "read what was typed");
        }
        *ret = buf_take(&line);
        return 0;
}

static int read_password(char **ret, Error *err) {
        Buf text = {};
        int r = fd_read_all(STDIN_FILENO, SECRET_MAX, &text);

        if (r < 0) {
                buf_done(&text);
                return error_set(err, -r, "read the password from stdin");
        }
        if (text.length > 0 && text.data[text.length - 1] == '\n')
                text.length--;
        if (text.length > 0 && text.data[text.length - 1] == '\r')
                text.length--;
        *ret = str_copy_n(text.data ?: "", text.length);
        if (text.data)
                explicit_bzero(text.data, text.length);
        buf_done(&text);
        return 0;
}

static int ask_user(const LoginOptions *o, const char *known_user, Credentials *ret, Error *err) {
        _cleanup_free_ char *words =
                known_user ? str_format("Username (%s): ", known_user) : str_copy("Username: ");
        int r = 0;

        if (!isatty(STDIN_FILENO))
                return error_kind(
                        err, ERROR_INVALID,
                        "Error: Cannot perform an interactive login from a non TTY device");
        if (str_empty(o->username))
                r = prompt(words, false, &ret->username, err);
        else
                str_replace(&ret->username, o->username);
        if (r == 0 && str_empty(ret->username) && known_user)
                str_replace(&ret->username, known_user);
        if (r == 0 && str_empty(ret->username))
                r = error_kind(err, ERROR_INVALID, "Error: Non-null Username Required");
        if (r == 0)
                r = prompt("Password: ", true, &ret->password, err);
        if (r == 0)
                (void)fputc('\n', stdout);
        if (r == 0 && str_empty(ret->password))
                r = error_kind(err, ERROR_INVALID, "Error: Password Required");
        return r;
}

static int check_options(const LoginOptions *o, Error *err) {
        if (o->password && o->from_stdin)
                return error_kind(err, ERROR_INVALID,
                                  "conflicting options: cannot specify both --password and "
                                  "--password-stdin");
        if (o->from_stdin && str_empty(o->username))
                return error_kind(err, ERROR_INVALID,
                                  "the --password-stdin option requires --username to be set");
        if (o->password)
                (void)fputs("WARNING! Using --password via the CLI is insecure. Use "
                            "--password-stdin.\n",
                            stderr);
        return 0;
}

/* ---- the daemon ---- */

static void put(json_object *object, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(object, name, json_object_new_string(value));
}

/* Asks whether the registry takes them; an identity token takes the password's place. */
static int check(Cli *cli, const char *host, Credentials *credentials, char **ret_status,
                 Error *err) {
        _cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
        const char *token;
        int r;

        put(body, "username", credentials->username);
        put(body, "password", credentials->password);
        put(body, "identitytoken", credentials->identity_token);
        put(body, "registrytoken", credentials->registry_token);
        put(body, "serveraddress", server_of(host));
        r = api_json(cli, "POST", "/auth", body, &answer, err);
        if (r < 0)
                return r;
        token = json_member_string(answer, "IdentityToken");
        if (!str_empty(token)) {
                str_replace(&credentials->identity_token, token);
                str_replace(&credentials->password, NULL);
        }
        *ret_status = str_copy(json_words(answer, "Status"));
        return 0;
}

static int keep(Cli *cli, const char *host, const Credentials *credentials, Error *err) {
        _cleanup_free_ char *path = config_path(cli);
        int r = credentials_store(cli, host, credentials, err);

        if (r < 0)
                return error_prefix(err, "Error saving credentials");
        if (!credentials_helper(cli, host))
                (void)fprintf(stderr,
                              "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
                              "Configure a credential helper to remove this warning. See\n"
                              "https://docs.docker.com/go/credential-store/\n\n",
                              path);
        return 0;
}

/* 1: what is stored is good still. */
static int use_stored(Cli *cli, const char *host, Credentials *stored, Error *err) {
        _cleanup_free_ char *status = NULL;
        const char *user = stored->username;
        int r;

        if (credentials_empty(stored))
                return 0;
        (void)fprintf(stderr, "Authenticating with existing credentials...%s%s%s\n",
                      user ? " [Username: " : "", user ?: "", user ? "]" : "");
        (void)fprintf(stderr,
                      "\n Info -> To login with a different account, run '%s logout' followed by "
                      "'%s login'\n\n\n",
                      cli->program, cli->program);
        r = check(cli, host, stored, &status, err);
        if (r < 0 && (err->kind == ERROR_UNAUTHORIZED || isatty(STDIN_FILENO))) {
                (void)fprintf(stderr, "Stored credentials invalid or expired: %s\n", err->message);
                return 0;
        }
        if (r < 0)
                return r;
        (void)printf("%s\n", status);
        return 1;
}

static int log_in(Cli *cli, const char *host, Credentials *credentials, Error *err) {
        _cleanup_free_ char *status = NULL;
        int r = check(cli, host, credentials, &status, err);

        if (r == 0)
                r = keep(cli, host, credentials, err);
        if (r == 0)
                (void)printf("%s\n", status);
        return r;
}

static int run_login(Cli *cli, const Options *options, Error *err) {
        const LoginOptions *o = options->values;
        _cleanup_(credentials_donep) Credentials stored = {}, given = {};
        _cleanup_free_ char *host = host_of(options);
        int r = check_options(o, err);

        if (r == 0 && o->from_stdin)
                r = read_password(&given.password, err);
        if (r < 0)
                return r;
        if (o->password)
                str_replace(&given.password, o->password);
        if (!str_empty(given.password) && !str_empty(o->username)) {
                str_replace(&given.username, o->username);
                return log_in(cli, host, &given, err);
        }
        if (o->from_stdin)
                return error_kind(err, ERROR_INVALID, "Error: Password Required");
        credentials_load(cli, host, &stored);
        if (str_empty(o->username) && str_empty(o->password)) {
                r = use_stored(cli, host, &stored, err);
                if (r != 0)
                        return MIN(r, 0);
        }
        r = ask_user(o, stored.username, &given, err);
        return r < 0 ? r : log_in(cli, host, &given, err);
}

const Command login_command = { "[OPTIONS] [SERVER]",
                                "Log in to a registry",
                                { login_rows, ELEMENTS(login_rows), sizeof(LoginOptions) },
                                run_login,
                                0,
                                1 };

static int run_logout(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *host = host_of(options);
        Error why = {};

        (void)err;
        (void)printf("Removing login credentials for %s\n", server_of(host));
        if (credentials_erase(cli, host, &why) < 0) /* Docker warns, too */
                (void)fprintf(stderr, "WARNING: could not erase credentials:\n%s\n", why.message);
        return 0;
}

const Command logout_command = { "[SERVER]", "Log out of a registry", {}, run_logout, 0, 1 };
