/* server.c: listeners on the loop, a detached thread a connection, and the list of connections by
 * which the server can be stopped. What happens within an exchange is in exchange.c. */
#include "http/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sanitizer.h"
#include "http/exchange.h"

#define CONNECTIONS_MAX 1024
#define IDLE_TIMEOUT (300 * NSEC_PER_SEC)
#define HEAD_TIMEOUT (30 * NSEC_PER_SEC)
#define ACCEPT_PAUSE (100 * NSEC_PER_MSEC)
#define WIDE_ROOM (1024 * 1024) /* what a socket holds that was made wider */
#define WIDE_MAX 16
#define HEAD_FILL 2048 /* most heads are shorter, and an idle connection holds no buffer */
#define STACK_SIZE ((SANITIZED ? 8192 : 512) * (size_t)1024)

typedef struct Listener {
        HttpServer *server;
        int fd;
        LoopSource *source;
        LoopSource *pause; /* a timer: nobody is accepted before it */
        HttpAllow allow;
        void *data;
} Listener;

struct HttpServer {
        Loop *loop;
        HttpServerOptions options;
        Listener **listeners;
        size_t listener_count;
        int spare_fd;    /* given up for a moment where descriptors ran out */
        bool told_short; /* that somebody waits for one; until the next is accepted */

        pthread_mutex_t lock; /* guards what follows */
        HttpExchange *connections;
        unsigned count; /* threads, which outlive their place in the list by a little */
        unsigned wide;  /* sockets */
        bool stopping;
};

int http_server_new(Loop *loop, const HttpServerOptions *options, HttpServer **ret, Error *err) {
        HttpServer *server = NEW(HttpServer);

        (void)err;
        server->loop = loop;
        server->options = *options;
        server->options.connections_max = options->connections_max ?: CONNECTIONS_MAX;
        server->options.idle_timeout = options->idle_timeout ?: IDLE_TIMEOUT;
        server->options.head_timeout = options->head_timeout ?: HEAD_TIMEOUT;
        server->spare_fd = dup(STDERR_FILENO);
        (void)pthread_mutex_init(&server->lock, NULL);
        *ret = server;
        return 0;
}

/* ---- a connection's thread ---- */

static void unlink_exchange(HttpExchange *exchange) {
        HttpServer *server = exchange->server;

        if (exchange->previous)
                exchange->previous->next = exchange->next;
        else
                server->connections = exchange->next;
        if (exchange->next)
                exchange->next->previous = exchange->previous;
}

/* The kernel doubles what it is told, and takes more than net.core.wmem_max by CAP_NET_ADMIN only.
 */
static int set_room(int fd, int room) {
        const int size = room / 2;

        return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static void narrow(HttpExchange *exchange) {
        if (!exchange->usual_room)
                return;
        (void)set_room(exchange->fd, exchange->usual_room);
        exchange->usual_room = 0;
        (void)pthread_mutex_lock(&exchange->server->lock);
        exchange->server->wide--;
        (void)pthread_mutex_unlock(&exchange->server->lock);
}

int http_exchange_take(HttpExchange *exchange) {
        int fd;

        narrow(exchange);
        (void)pthread_mutex_lock(&exchange->server->lock);
        fd = TAKE_FD(exchange->fd);
        exchange->input.fd = -1;
        (void)pthread_mutex_unlock(&exchange->server->lock);
        return fd;
}

void http_exchange_widen(HttpExchange *exchange) {
        HttpServer *server = exchange->server;
        int domain = AF_UNSPEC, room = WIDE_ROOM;
        socklen_t length = sizeof(int);

        (void)getsockopt(exchange->fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
        if (exchange->usual_room || domain != AF_UNIX) /* TCP sizes its buffers itself */
                return;
        (void)getsockopt(exchange->fd, SOL_SOCKET, SO_SNDBUF, &room, &length);
        if (room >= WIDE_ROOM) /* by net.core.wmem_default */
                return;
        (void)pthread_mutex_lock(&server->lock);
        if (server->wide < WIDE_MAX && set_room(exchange->fd, WIDE_ROOM) == 0) {
                exchange->usual_room = room;
                server->wide++;
        }
        (void)pthread_mutex_unlock(&server->lock);
}

static void wake(void *null) {
        (void)null;
}

static void end_exchange(HttpExchange *exchange) {
        HttpServer *server = exchange->server;

        narrow(exchange);
        http_input_done(&exchange->input);
        buf_done(&exchange->text);
        buf_done(&exchange->fields);
        (void)pthread_mutex_lock(&server->lock);
        unlink_exchange(exchange);
        close_fd(&exchange->fd);
        free(exchange);
        server->count--;
        if (server->count == 0 && server->stopping)
                loop_post(server->loop, wake, NULL); /* for http_server_stop */
        else if (server->count == 0 && server->options.on_idle)
                loop_post(server->loop, server->options.on_idle, NULL);
        (void)pthread_mutex_unlock(&server->lock);
}

static bool is_stopping(HttpServer *server) {
        bool stopping;

        (void)pthread_mutex_lock(&server->lock);
        stopping = server->stopping;
        (void)pthread_mutex_unlock(&server->lock);
        return stopping;
}

/* An empty line before a request is skipped (RFC 9112, 2.2). */
static void skip_empty_lines(HttpInput *input) {
        while (http_input_left(input) >= 2 && memcmp(http_input_data(input), "\r\n", 2) == 0)
                http_input_use(input, 2);
}

/* Reads a head into exchange->text: 0 if the connection is over, 1, or the status of a refusal
 * (*why says why). */
static int read_head(HttpExchange *exchange, const char **why) {
        HttpInput *input = &exchange->input;
        int64_t deadline = clock_monotonic() + exchange->server->options.idle_timeout;
        bool started = false;
        size_t scanned = 0, end;

        for (;;) {
                ssize_t n;

                skip_empty_lines(input);
                end = http_head_end(http_input_data(input), http_input_left(input), &scanned);
                if (end > HTTP_HEAD_MAX || (!end && http_input_left(input) > HTTP_HEAD_MAX))
                        return memchr(http_input_data(input), '\r', HTTP_LINE_MAX) ? 431 : 414;
                if (end)
                        break;
                if (!started && http_input_left(input) > 0) {
                        started = true;
                        deadline = clock_monotonic() + exchange->server->options.head_timeout;
                }
                n = http_input_fill(input, HEAD_FILL, deadline);
                if (n == -EMFILE) {
                        *why = "the descriptors that came along with the request could not be "
                               "received: send at most 32, or raise the daemon's limit on open "
                               "files";
                        return 400;
                }
                if (n <= 0)
                        return 0;
        }
        http_input_begin(input);
        buf_add(&exchange->text, http_input_data(input), end);
        http_input_use(input, end);
        return 1;
}

static void refuse(HttpExchange *exchange, int status, const char *why) {
        exchange->keep = false;
        exchange->head.minor = 1;
        exchange->head.method = HTTP_GET;
        http_answer_error(exchange, status, why);
        (void)shutdown(exchange->fd, SHUT_WR);
}

/* True if the connection goes on. */
static bool serve_one(HttpExchange *exchange) {
        HttpServer *server = exchange->server;
        const char *why = "the request's head is too long";
        int status;

        http_exchange_reset(exchange);
        status = read_head(exchange, &why);
        if (status == 0)
                return false;
        if (status == 1)
                status = http_head_parse(exchange->text.data, exchange->text.length,
                                         &exchange->head, &why);
        if (status > 1) {
                refuse(exchange, status, why);
                return false;
        }
        http_body_init(&exchange->body, &exchange->input, &exchange->head);
        exchange->keep = exchange->head.keep_alive && !is_stopping(server);
        server->options.handler(server->options.data, exchange);
        http_exchange_finish(exchange);
        narrow(exchange);
        return exchange->keep && exchange->fd >= 0 && !is_stopping(server);
}

static void *serve_connection(void *data) {
        HttpExchange *exchange = data;

        while (serve_one(exchange))
                ;
        end_exchange(exchange);
        return NULL;
}

/* ---- the loop's thread ---- */

/* One short message to a client that gets no thread, if it fits into its socket. */
static void turn_away(int fd, const char *status, const char *why) {
        char text[512];
        int n = snprintf(text, sizeof(text),
                         "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
                         "Content-Length: %zu\r\n\r\n{\"message\":\"%s\"}\n",
                         status, strlen(why) + 15, why);

        if (send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
                log_debug("a client that was turned away (%s) did not hear why", status);
}

static bool enter(HttpServer *server, HttpExchange *exchange) {
        bool room;

        (void)pthread_mutex_lock(&server->lock);
        room = server->count < server->options.connections_max && !server->stopping;
        if (room) {
                server->count++;
                exchange->next = server->connections;
                if (server->connections)
                        server->connections->previous = exchange;
                server->connections = exchange;
        }
        (void)pthread_mutex_unlock(&server->lock);
        return room;
}

static int start_thread(HttpExchange *exchange) {
        pthread_attr_t attributes;
        pthread_t thread;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        r = pthread_create(&thread, &attributes, serve_connection, exchange);
        (void)pthread_attr_destroy(&attributes);
        return -r;
}

static void serve(HttpServer *server, int fd, bool relayed) {
        HttpExchange *exchange = NEW(HttpExchange);

        exchange->relayed = relayed;
        exchange->server = server;
        exchange->fd = exchange->input.fd = fd;
        exchange->input.watch_fd = exchange->pump_fd = -1;
        if (!enter(server, exchange)) {
                turn_away(fd, "503 Service Unavailable",
                          "too many connections; end some of them and try again");
                close_fd(&fd);
                free(exchange);
                return;
        }
        if (start_thread(exchange) < 0) {
                turn_away(
                        fd, "503 Service Unavailable",
                        "the daemon has no thread left for this connection: a limit of processes "
                        "or of memory is reached (TasksMax and MemoryMax of its unit, pids.max of "
                        "its control group); raise it");
                end_exchange(exchange);
        }
}

void http_server_serve(HttpServer *server, int fd) {
        serve(server, fd, false);
}

void http_server_serve_relayed(HttpServer *server, int fd) {
        serve(server, fd, true);
}

static void set_tcp_options(int fd) {
        int on = 1, domain = 0;
        socklen_t size = sizeof(domain);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain == AF_UNIX)
                return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int accept_client(int listen_fd) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);

        return accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
}

static void on_pause_end(void *data);

static void pause_listener(Listener *listener) {
        listener->pause = loop_add_timer(listener->server->loop, clock_monotonic() + ACCEPT_PAUSE,
                                         on_pause_end, listener);
}

static void on_pause_end(void *data) {
        Listener *listener = data;

        listener->pause = NULL;
        if (listener->server->spare_fd < 0)
                listener->server->spare_fd = dup(STDERR_FILENO);
        if (loop_change_fd(listener->source, EPOLLIN) < 0)
                pause_listener(listener);
}

/* Out of descriptors: the listener stays readable while somebody waits there, and the loop would
 * spin. Another thread may take the spare one's place, and then nobody can be refused either: who
 * waits, waits until a descriptor is free. */
static void drop_one(Listener *listener) {
        HttpServer *server = listener->server;
        int fd;

        close_fd(&server->spare_fd);
        fd = accept_client(listener->fd);
        if (fd >= 0) {
                log_error("no descriptor is left for a new connection; it is refused");
                turn_away(fd, "503 Service Unavailable",
                          "the daemon has no descriptor left for this connection");
                close_fd(&fd);
        } else if ((errno == EMFILE || errno == ENFILE) &&
                   loop_change_fd(listener->source, 0) == 0) {
                if (!server->told_short)
                        log_error("no descriptor is left for a new connection; it waits for one");
                server->told_short = true;
                pause_listener(listener);
                return;
        }
        server->spare_fd = dup(STDERR_FILENO);
}

static void on_listener(void *data, int listen_fd, uint32_t events) {
        Listener *listener = data;

        (void)events;
        for (;;) {
                const char *why = "you may not talk to this daemon";
                int fd = accept_client(listen_fd);

                if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
                        continue;
                if (fd < 0) {
                        if (errno == EMFILE || errno == ENFILE)
                                drop_one(listener);
                        else if (errno != EAGAIN)
                                log_error("accept: %s", strerror(errno));
                        return;
                }
                if (listener->allow && !listener->allow(listener->data, fd, &why)) {
                        turn_away(fd, "403 Forbidden", why);
                        close_fd(&fd);
                        continue;
                }
                listener->server->told_short = false;
                set_tcp_options(fd);
                http_server_serve(listener->server, fd);
        }
}

int http_server_listen(HttpServer *server, int listen_fd, HttpAllow allow, void *data, Error *err) {
        Listener *listener = NEW(Listener);
        int r;

        *listener = (Listener){ .server = server, .fd = listen_fd, .allow = allow, .data = data };
        r = fd_set_nonblocking(listen_fd, true);
        if (r < 0)
                r = error_set(err, -r, "make the listening socket non-blocking");
        else
                r = loop_add_fd(server->loop, listen_fd, EPOLLIN, on_listener, listener,
                                &listener->source, err);
        if (r < 0) {
                close_fd(&listener->fd);
                free(listener);
                return r;
        }
        GROW(server->listeners, server->listener_count);
        server->listeners[server->listener_count++] = listener;
        return 0;
}

static void close_listeners(HttpServer *server) {
        for (size_t i = 0; i < server->listener_count; i++) {
                loop_remove(server->listeners[i]->pause);
                loop_remove(server->listeners[i]->source);
                close_fd(&server->listeners[i]->fd);
                free(server->listeners[i]);
        }
        free(server->listeners);
        server->listeners = NULL;
        server->listener_count = 0;
}

static bool has_threads(HttpServer *server) {
        unsigned count;

        (void)pthread_mutex_lock(&server->lock);
        count = server->count;
        (void)pthread_mutex_unlock(&server->lock);
        return count > 0;
}

bool http_server_stop(HttpServer *server, int64_t grace) {
        int64_t end = clock_monotonic() + grace, left;

        close_listeners(server);
        (void)pthread_mutex_lock(&server->lock);
        server->stopping = true;
        /* Reading ends, as if the client had left; answers can still be written. */
        for (HttpExchange *exchange = server->connections; exchange; exchange = exchange->next)
                if (exchange->fd >= 0)
                        (void)shutdown(exchange->fd, SHUT_RD);
        (void)pthread_mutex_unlock(&server->lock);
        /* The loop goes on meanwhile: a call may wait for what only it can tell. */
        while (has_threads(server)) {
                left = end - clock_monotonic();
                if (left <= 0 || loop_step(server->loop, (int)(left / NSEC_PER_MSEC) + 1, NULL) < 0)
                        return false;
        }
        return true;
}

HttpServer *http_server_free(HttpServer *server) {
        if (!server)
                return NULL;
        close_listeners(server);
        close_fd(&server->spare_fd);
        (void)pthread_mutex_destroy(&server->lock);
        free(server);
        return NULL;
}
