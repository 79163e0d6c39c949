/* tls.c: see tls.h. The program gets the listening sockets and gives back a plain socket for each
 * client that passed the handshake. One that ends by itself is started again. */
#include "daemon/tls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/program.h"
#include "tls/message.h"

#define START_MS 10000
#define PAUSE NSEC_PER_SEC /* before it is started again */

struct TlsServer {
        Loop *loop;
        HttpServer *server;
        char *program, *words[7]; /* its argv, with the NULL */
        int listeners[TLS_LISTENERS_MAX];
        size_t count;
        pid_t pid; /* 0: it does not run */
        int report_fd;
        LoopSource *source, *timer;
};

static void start_later(TlsServer *tls);

/* ---- the program ---- */

static void end_program(TlsServer *tls) {
        tls->source = loop_remove(tls->source);
        close_fd(&tls->report_fd);
        /* Those of its connections are processes of their own. */
        if (tls->pid > 0 && kill(tls->pid, SIGKILL) == 0)
                (void)waitpid(tls->pid, NULL, 0);
        tls->pid = 0;
}

/* 1 a message (of which *ret_fd may have come along), 0 the program's end, or a negative errno. */
static int receive(TlsServer *tls, char text[TLS_WORDS_MAX + 1], int *ret_fd) {
        size_t count = 0;
        ssize_t n;

        *ret_fd = -1;
        n = fd_receive(tls->report_fd, text, TLS_WORDS_MAX, ret_fd, 1, &count);
        if (n <= 0)
                return (int)n;
        text[n] = '\0';
        return 1;
}

static void on_report(void *data, int fd, uint32_t events) {
        TlsServer *tls = data;
        char text[TLS_WORDS_MAX + 1];
        int client, r = receive(tls, text, &client);

        if (r == -EAGAIN || r == -EINTR)
                return;
        if (r <= 0) {
                log_error("brig-tls has ended; it is started again");
                end_program(tls);
                start_later(tls);
        } else if (text[0] == TLS_CONNECTION && client >= 0) {
                http_server_serve_relayed(tls->server, TAKE_FD(client));
        } else if (text[0] == TLS_ERROR) {
                log_error("brig-tls: %s", text + 1);
        }
        close_fd(&client);
}

static int spawn(TlsServer *tls, Error *err) {
        char *const environment[] = { NULL };
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        const SpawnFd fds[] = { { STDERR_FILENO, STDERR_FILENO }, { pair[1], TLS_FD_REPORT } };
        const Spawn program = { .program = tls->program,
                                .argv = tls->words,
                                .environment = environment,
                                .fds = fds,
                                .fd_count = ELEMENTS(fds),
                                .flags = SPAWN_SESSION };
        r = fd_send(pair[0], "L", 1, tls->listeners, tls->count);
        if (r == 0)
                r = program_spawn(&program, &tls->pid);
        (void)close(pair[1]);
        if (r < 0) {
                (void)close(pair[0]);
                tls->pid = 0;
                return error_set(err, -r, "start '%s'", program.program);
        }
        tls->report_fd = pair[0];
        return 0;
}

static int start(TlsServer *tls, Error *err) {
        int r = spawn(tls, err);

        if (r < 0)
                return r;
        r = fd_set_nonblocking(tls->report_fd, true);
        if (r < 0)
                return error_set(err, -r, "brig-tls");
        return loop_add_fd(tls->loop, tls->report_fd, EPOLLIN, on_report, tls, &tls->source, err);
}

static void start_again(void *data) {
        TlsServer *tls = data;
        Error err = { 0 };

        tls->timer = NULL;
        if (start(tls, &err) == 0)
                return;
        log_error("%s", err.message);
        end_program(tls);
        start_later(tls);
}

static void start_later(TlsServer *tls) {
        tls->timer = loop_add_timer(tls->loop, clock_monotonic() + PAUSE, start_again, tls);
}

/* ---- the beginning ---- */

static int await_ready(TlsServer *tls, Error *err) {
        struct pollfd wait = { .fd = tls->report_fd, .events = POLLIN };
        char text[TLS_WORDS_MAX + 1] = "";
        int client = -1, r;

        if (poll(&wait, 1, START_MS) <= 0)
                return error_kind(err, ERROR_UNAVAILABLE, "brig-tls did not start in time");
        r = receive(tls, text, &client);
        close_fd(&client);
        if (r == 1 && text[0] == TLS_READY)
                return 0;
        if (r == 1 && text[0] == TLS_ERROR)
                return error_kind(err, ERROR_INVALID, "%s", text + 1);
        return error_kind(err, ERROR_INTERNAL, "brig-tls ended at its start");
}

static int take_sockets(TlsServer *tls, const Sockets *sockets, Error *err) {
        for (size_t i = 0; i < sockets->count; i++) {
                if (!sockets->items[i]->tls)
                        continue;
                if (tls->count == TLS_LISTENERS_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "TLS is served on at most %d addresses",
                                          TLS_LISTENERS_MAX);
                tls->listeners[tls->count++] = sockets->items[i]->fd;
        }
        return 0;
}

int tls_server_new(Loop *loop, const char *program, const TlsSettings *settings,
                   const Sockets *sockets, HttpServer *server, TlsServer **ret, Error *err) {
        TlsServer *tls = NEW(TlsServer);
        const char *words[] = { "brig-tls",     "serve",       settings->ca,
                                settings->cert, settings->key, sockets->verify ? "1" : "0" };
        int r;

        *tls = (TlsServer){ .loop = loop, .server = server, .report_fd = -1 };
        tls->program = str_copy(program);
        for (size_t i = 0; i < ELEMENTS(words); i++)
                tls->words[i] = str_copy(words[i] ?: "");
        r = take_sockets(tls, sockets, err);
        if (r == 0 && tls->count == 0) {
                *ret = tls_server_free(tls);
                return 0;
        }
        if (r == 0)
                r = start(tls, err);
        if (r == 0)
                r = await_ready(tls, err);
        if (r < 0) {
                (void)tls_server_free(tls);
                return r;
        }
        *ret = tls;
        return 0;
}

TlsServer *tls_server_free(TlsServer *tls) {
        if (!tls)
                return NULL;
        (void)loop_remove(tls->timer);
        end_program(tls);
        for (size_t i = 0; i < ELEMENTS(tls->words); i++)
                free(tls->words[i]);
        free(tls->program);
        free(tls);
        return NULL;
}
