/* serve.c: the daemon's side. A process a connection, so that nothing of one client's is in the
 * memory of another's, made only of what came before: the key, and no way to anything but the
 * client and brigd. */
#include "tls/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/ip.h"
#include "base/log.h"
#include "tls/confine.h"
#include "tls/message.h"
#include "tls/relay.h"

#define CONNECTIONS_MAX 1024 /* as many as brigd serves */
/* Whoever reaches the port may begin a handshake: those that go on have room of their own, and one
 * more takes the place of the one that has taken longest, so that nobody can hold them all. */
#define HANDSHAKES_MAX 128
#define HANDSHAKE_MS 10000
#define SAY_AGAIN (60 * NSEC_PER_SEC) /* that there are too many */
#define NOBODY 65534

typedef struct Service {
        SSL_CTX *context;
        scmp_filter_ctx filter; /* of who serves a client */
        int listeners[TLS_LISTENERS_MAX];
        size_t count;
        unsigned connections;             /* that passed their handshake */
        pid_t handshakes[HANDSHAKES_MAX]; /* the others' processes, oldest first */
        size_t handshake_count;
        int passed[2];   /* a pipe: the number of a process that has passed its handshake */
        int64_t said_at; /* clock_monotonic: that there are too many handshakes; 0: never */
} Service;

/* ---- what it may ---- */

/* The sockets are there and the files read: nothing else is needed. A network of its own has no
 * way out, a user of its own no right to anything. */
static int confine(Error *err) {
        if (geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
                return error_set(err, errno, "unshare");
        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                               setresuid(NOBODY, NOBODY, NOBODY) < 0))
                return error_set(err, errno, "become nobody");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
                return error_set(err, errno, "prctl");
        return 0;
}

/* ---- a connection, in its own process ---- */

static int make_ssl(SSL_CTX *context, int fd, SSL **ret, Error *err) {
        _cleanup_(SSL_freep) SSL *ssl = SSL_new(context);

        if (!ssl || SSL_set_fd(ssl, fd) != 1)
                return error_kind(err, ERROR_INTERNAL, "OpenSSL: %s", tls_reason("no memory"));
        SSL_set_accept_state(ssl);
        *ret = TAKE_PTR(ssl);
        return 0;
}

/* Before brigd has it: from then on no other handshake ends this process. */
static int say_passed(Service *service) {
        const pid_t pid = getpid();
        ssize_t n = write(service->passed[1], &pid, sizeof(pid));

        close_fd(&service->passed[1]);
        return n == sizeof(pid) ? 0 : -errno;
}

static int serve_client(Service *service, int fd, Error *err) {
        _cleanup_(SSL_freep) SSL *ssl = NULL;
        _cleanup_close_ int plain = -1;
        int pair[2], on = 1, r;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        r = make_ssl(service->context, fd, &ssl, err);
        if (r == 0)
                r = tls_handshake(ssl, fd, HANDSHAKE_MS, err);
        if (r < 0)
                return r;
        r = say_passed(service);
        if (r < 0)
                return error_set(err, -r, "tell of the handshake");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        plain = pair[0];
        r = tls_report(TLS_CONNECTION, "", pair[1]);
        (void)close(pair[1]);
        if (r < 0)
                return error_set(err, -r, "hand the connection to brigd");
        /* brigd may end now, and this connection not with it. */
        (void)close(TLS_FD_REPORT);
        tls_relay(ssl, fd, plain);
        return 0;
}

static void name_of(int fd, char ret[64]) {
        struct sockaddr_storage address = { 0 };
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
        socklen_t size = sizeof(address);
        char text[IP_TEXT_MAX];

        (void)snprintf(ret, 64, "a client");
        if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
                return;
        ip_format(address.ss_family == AF_INET ? ip_from_bytes(AF_INET, &four->sin_addr)
                                               : ip_from_bytes(AF_INET6, &six->sin6_addr),
                  text);
        (void)snprintf(ret, 64, "a client at %s", text);
}

static _Noreturn void run_client(Service *service, int fd) {
        Error err = { 0 };
        char name[64];

        for (size_t i = 0; i < service->count; i++)
                (void)close(service->listeners[i]);
        close_fd(&service->passed[0]);
        name_of(fd, name);
        if (tls_confine_client(service->filter, &err) < 0 || serve_client(service, fd, &err) < 0)
                log_warn("%s was turned away: %s", name, err.message);
        _exit(0);
}

/* ---- accepting ---- */

/* False: it has passed its handshake already. */
static bool drop_handshake(Service *service, pid_t pid) {
        for (size_t i = 0; i < service->handshake_count; i++) {
                if (service->handshakes[i] != pid)
                        continue;
                service->handshake_count--;
                memmove(service->handshakes + i, service->handshakes + i + 1,
                        (service->handshake_count - i) * sizeof(pid_t));
                return true;
        }
        return false;
}

static void hear_passed(Service *service) {
        pid_t pid;

        while (read(service->passed[0], &pid, sizeof(pid)) == sizeof(pid))
                service->connections += drop_handshake(service, pid);
}

static void reap(Service *service) {
        pid_t pid;

        hear_passed(service);
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
                hear_passed(service); /* it may have passed it and ended since */
                if (!drop_handshake(service, pid))
                        service->connections--;
        }
}

static pid_t wait_for(pid_t pid, int *ret_status, int options) {
        pid_t r;

        do
                r = waitpid(pid, ret_status, options);
        while (r < 0 && errno == EINTR);
        return r;
}

/* A flood of them is one event in the log, not one a client. */
static void say_too_many(Service *service) {
        const int64_t now = clock_monotonic();

        if (service->said_at != 0 && now - service->said_at < SAY_AGAIN)
                return;
        service->said_at = now;
        log_warn("too many handshakes over TLS at once: the oldest are ended");
}

/* It stands still while it is heard whether it has passed, so that none is killed that has. It is
 * not reaped yet: the number is its own. */
static void end_oldest(Service *service) {
        const pid_t pid = service->handshakes[0];
        int status = 0;
        bool pending;

        (void)kill(pid, SIGSTOP);
        (void)wait_for(pid, &status, WUNTRACED);
        hear_passed(service);
        pending = drop_handshake(service, pid);
        if (!WIFSTOPPED(status)) { /* it has ended by itself */
                service->connections -= !pending;
                return;
        }
        (void)kill(pid, pending ? SIGKILL : SIGCONT);
        if (!pending)
                return;
        (void)wait_for(pid, &status, 0);
        say_too_many(service);
}

static void accept_one(Service *service, int listener) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        _cleanup_close_ int fd =
                accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
        pid_t pid;

        if (fd < 0)
                return;
        if (service->connections >= CONNECTIONS_MAX) {
                log_warn("too many connections over TLS: one was turned away");
                return;
        }
        hear_passed(service);
        if (service->handshake_count == HANDSHAKES_MAX)
                end_oldest(service);
        pid = fork();
        if (pid == 0)
                run_client(service, TAKE_FD(fd));
        if (pid < 0)
                log_error("no process for a connection over TLS: %s", strerror(errno));
        else
                service->handshakes[service->handshake_count++] = pid;
}

static void on_child(int signal) {
        (void)signal; /* it ends poll(2) */
}

static void serve(Service *service) {
        struct pollfd fds[TLS_LISTENERS_MAX + 2];
        struct sigaction action = { .sa_handler = on_child };

        (void)sigaction(SIGCHLD, &action, NULL);
        for (size_t i = 0; i < service->count; i++)
                fds[i] = (struct pollfd){ service->listeners[i], POLLIN, 0 };
        fds[service->count] = (struct pollfd){ TLS_FD_REPORT, 0, 0 };
        fds[service->count + 1] = (struct pollfd){ service->passed[0], POLLIN, 0 };
        for (;;) {
                int ready = poll(fds, service->count + 2, -1);

                reap(service);
                if (ready <= 0)
                        continue;
                if (fds[service->count].revents) /* brigd has ended */
                        return;
                for (size_t i = 0; i < service->count; i++)
                        if (fds[i].revents)
                                accept_one(service, fds[i].fd);
        }
}

static int take_listeners(Service *service, Error *err) {
        char byte;
        ssize_t n = fd_receive(TLS_FD_REPORT, &byte, 1, service->listeners, TLS_LISTENERS_MAX,
                               &service->count);

        if (n < 0 || service->count == 0)
                return error_set(err, n < 0 ? (int)-n : EPROTO, "receive the listening sockets");
        for (size_t i = 0; i < service->count; i++)
                (void)fd_set_nonblocking(service->listeners[i], true);
        return 0;
}

int tls_serve(const TlsFiles *files, Error *err) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *context = NULL;
        _cleanup_(seccomp_releasep) scmp_filter_ctx filter = NULL;
        Service service = { 0 };
        int r = take_listeners(&service, err);

        if (r == 0)
                r = tls_context_server(files, &context, err);
        if (r == 0)
                r = tls_filter_new(&filter, err);
        if (r == 0 && pipe2(service.passed, O_CLOEXEC | O_NONBLOCK) < 0)
                r = error_set(err, errno, "make a pipe");
        if (r == 0)
                r = confine(err);
        if (r == 0)
                r = tls_report(TLS_READY, "", -1);
        if (r < 0)
                return r;
        service.context = context;
        service.filter = filter;
        serve(&service);
        return 0;
}
