/* dial.c: see dial.h. Each connection is a process that carries it; it ends with the connection. */
#include "cli/dial.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "tls/message.h"

extern char **environ;

static bool is_program(const char *path) {
        return access(path, X_OK) == 0;
}

/* ---- TLS ---- */

/* Beside this program, in libexec, or where the build leaves it. The caller's. */
static int find_brig_tls(char **ret, Error *err) {
        static const char *const places[] = { "brig-tls", "../libexec/brig/brig-tls",
                                              "../tls/brig-tls" };
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

        self[MAX(length, 0)] = '\0';
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                const char *slash = strrchr(self, '/');
                _cleanup_free_ char *path =
                        str_format("%.*s/%s", (int)(slash ? slash - self : 0), self, places[i]);

                if (is_program(path)) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return error_kind(err, ERROR_NOT_FOUND,
                          "the program brig-tls is not in ../libexec/brig beside brig: install "
                          "brig as a whole");
}

/* "tcp://127.0.0.1:2376", "tcp://[::1]:2376/…"; 2376 where there is no port. */
static void split_tcp(const char *url, char **ret_host, char **ret_port) {
        const char *rest = strstr(url, "://") + 3;
        _cleanup_free_ char *text = str_copy_n(rest, strcspn(rest, "/"));
        char *colon = strrchr(text, ':');
        char *host = text;

        if (colon && strchr(colon, ']'))
                colon = NULL;
        *ret_port = str_copy(colon && colon[1] ? colon + 1 : "2376");
        if (colon)
                *colon = '\0';
        if (*host == '[') {
                host++;
                host[strcspn(host, "]")] = '\0';
        }
        *ret_host = str_copy(*host ? host : "localhost");
}

/* What brig-tls says before bytes may flow. */
static int await_tls(int report_fd, const char *url, Error *err) {
        char text[TLS_WORDS_MAX + 1];
        ssize_t n;

        do
                n = recv(report_fd, text, sizeof(text) - 1, 0);
        while (n < 0 && errno == EINTR);
        text[MAX(n, 0)] = '\0';
        if (text[0] == TLS_READY)
                return 0;
        return error_kind(err, ERROR_UNAVAILABLE,
                          "Cannot connect to the daemon at %s: %s. Is it running, and with TLS?",
                          url, text[0] == TLS_ERROR ? text + 1 : "brig-tls ended");
}

static int start_tls(const char *program, char *const *words, int plain_fd, int report_fd,
                     Error *err) {
        char *const environment[] = { NULL };
        const SpawnFd fds[] = { { STDERR_FILENO, STDERR_FILENO },
                                { report_fd, TLS_FD_REPORT },
                                { plain_fd, TLS_FD_PLAIN } };
        /* An interrupt from the terminal is for brig, which may have to say something yet. */
        const Spawn spawn = { .program = program,
                              .argv = words,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds),
                              .flags = SPAWN_SESSION };
        pid_t pid;
        int r = program_spawn(&spawn, &pid);

        return r < 0 ? error_set(err, -r, "start '%s'", program) : 0;
}

int dial_over_tls(const Endpoint *endpoint, Error *err) {
        _cleanup_free_ char *program = NULL, *host = NULL, *port = NULL;
        _cleanup_close_ int ours = -1, theirs = -1, report = -1, their_report = -1;
        int pair[2], reports[2], r = find_brig_tls(&program, err);

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        ours = pair[0];
        theirs = pair[1];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reports) < 0)
                return error_set(err, errno, "socketpair");
        report = reports[0];
        their_report = reports[1];
        split_tcp(endpoint->host, &host, &port);
        char *const words[] = { (char *)"brig-tls",
                                (char *)"connect",
                                host,
                                port,
                                endpoint->ca ?: (char *)"",
                                endpoint->cert ?: (char *)"",
                                endpoint->key ?: (char *)"",
                                (char *)(endpoint->verify ? "1" : "0"),
                                NULL };
        r = start_tls(program, words, theirs, their_report, err);
        close_fd(&theirs);
        close_fd(&their_report);
        if (r == 0)
                r = await_tls(report, endpoint->host, err);
        return r < 0 ? r : TAKE_FD(ours);
}

/* ---- ssh ---- */

int ssh_address_parse(const char *url, SshAddress *ret, Error *err) {
        const char *rest = str_after(url, "ssh://") ?: "";
        _cleanup_free_ char *place = str_copy_n(rest, strcspn(rest, "/"));
        const char *path = rest + strlen(place);
        char *host = place, *at = strrchr(place, '@'), *colon;
        int port;

        if (strpbrk(rest, "?#"))
                return error_kind(err, ERROR_INVALID, "'%s': no query and no fragment may follow",
                                  url);
        if (at) {
                *at = '\0';
                host = at + 1;
                if (strchr(place, ':'))
                        return error_kind(err, ERROR_INVALID,
                                          "'%s': plain-text passwords are not supported", url);
        }
        colon = strrchr(host, ':');
        if (colon && !strchr(colon, ']'))
                *colon++ = '\0';
        else
                colon = NULL;
        if (*host == '[') {
                host++;
                host[strcspn(host, "]")] = '\0';
        }
        /* ssh takes what begins with a dash for an option. */
        if (!*host || *host == '-' || (at && (!*place || *place == '-')) ||
            (colon && str_to_int_in(colon, 1, 65535, &port) < 0))
                return error_kind(err, ERROR_INVALID,
                                  "'%s' is no address: write ssh://[USER@]HOST[:PORT]", url);
        *ret = (SshAddress){ .user = at ? str_copy(place) : NULL,
                             .host = str_copy(host),
                             .port = str_copy(colon),
                             .path = str_copy(path[0] && path[1] ? path : NULL) };
        return 0;
}

void ssh_address_done(SshAddress *address) {
        free(address->user);
        free(address->host);
        free(address->port);
        free(address->path);
        *address = (SshAddress){ 0 };
}

/* In one word for the far side's shell. */
static char *shell_quoted(const char *text) {
        Buf buf = { 0 };

        buf_add_char(&buf, '\'');
        for (; *text; text++)
                if (*text == '\'')
                        buf_add_str(&buf, "'\\''");
                else
                        buf_add_char(&buf, *text);
        buf_add_char(&buf, '\'');
        return buf_take(&buf);
}

static char **ssh_words(const SshAddress *address) {
        char **words = NULL;

        strv_add(&words, "ssh");
        strv_add(&words, "-oConnectTimeout=30");
        strv_add(&words, "-T");
        if (address->user)
                strv_format(&words, "-l%s", address->user);
        if (address->port)
                strv_format(&words, "-p%s", address->port);
        strv_add(&words, "--");
        strv_add(&words, address->host);
        strv_add(&words, "brig");
        if (address->path) {
                _cleanup_free_ char *host = str_format("unix://%s", address->path);
                _cleanup_free_ char *quoted = shell_quoted(host);

                strv_add(&words, "--host");
                strv_add(&words, quoted);
        }
        strv_add(&words, "system");
        strv_add(&words, "dial-stdio");
        return words;
}

int dial_over_ssh(const char *url, Error *err) {
        _cleanup_(ssh_address_done) SshAddress address = { 0 };
        _cleanup_free_ char *program = program_find("ssh");
        _cleanup_strv_ char **words = NULL;
        _cleanup_close_ int ours = -1, theirs = -1;
        int pair[2], r = ssh_address_parse(url, &address, err);
        pid_t pid;

        if (r < 0)
                return r;
        if (!program)
                return error_kind(err, ERROR_NOT_FOUND, "there is no ssh in PATH: install it");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        ours = pair[0];
        theirs = pair[1];
        words = ssh_words(&address);
        const SpawnFd fds[] = { { theirs, STDIN_FILENO },
                                { theirs, STDOUT_FILENO },
                                { STDERR_FILENO, STDERR_FILENO } };
        const Spawn spawn = { .program = program,
                              .argv = words,
                              .environment = environ,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds),
                              .flags = SPAWN_SESSION };
        r = program_spawn(&spawn, &pid);
        return r < 0 ? error_set(err, -r, "start '%s'", program) : TAKE_FD(ours);
}
