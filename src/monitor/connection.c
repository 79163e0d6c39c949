/* connection.c: the daemons that are connected: the one that started this monitor, over descriptor
 * 3, and later ones over a socket in the container's run directory. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "monitor/supervisor.h"
#include "os/pidfd.h"

/* How long nobody is let in after there was no descriptor for it. */
#define LISTEN_AGAIN (250 * NSEC_PER_MSEC)

static void free_dead(Supervisor *supervisor) {
        for (Connection **at = &supervisor->connections; *at;) {
                Connection *connection = *at;

                if (!connection->dead) {
                        at = &connection->next;
                        continue;
                }
                *at = connection->next;
                loop_remove(connection->source);
                close_fd(&connection->fd);
                free(connection);
        }
}

/* The daemon has gone, or no longer waited: for it and for its user this start has failed. */
static void end_unheard(Supervisor *supervisor) {
        Error err = {};

        if (pidfd_signal(supervisor->init->pidfd, SIGKILL, &err) < 0)
                connections_warn(supervisor, &err);
}

/* The container that nobody has let go is given up with the last daemon that could have. */
static void after_loss(Supervisor *supervisor) {
        Error err = {};

        free_dead(supervisor);
        if (!supervisor->started && !supervisor->ended && !supervisor->connections) {
                (void)error_kind(&err, ERROR_UNAVAILABLE,
                                 "the daemon ended before it let the container go");
                supervisor_give_up(supervisor, &err);
        }
        if (supervisor->bound && supervisor->started && !supervisor->ended &&
            !supervisor->connections)
                end_unheard(supervisor);
        processes_settle(supervisor);
}

/* A daemon that does not read is dropped; it finds out by the end of its connection. */
static void send_reply(Connection *connection, const MonitorReply *reply, int fd) {
        if (connection->dead)
                return;
        if (message_send(connection->fd, &monitor_reply_table, reply, &fd, fd >= 0 ? 1 : 0, NULL) <
            0)
                connection->dead = true;
}

static void answer(Connection *connection, Exchange *exchange, int result, const Error *err) {
        MonitorReply *reply = &exchange->reply;

        if (result < 0) {
                bool exec = str_equal(exchange->request.kind, "exec");

                json_done(&monitor_reply_table, reply);
                reply->kind = str_copy(exec ? "exec-error" : "error");
                reply->error_kind = err->kind;
                reply->message = str_copy(err->message);
        } else if (!reply->kind)
                reply->kind = str_copy("ok");
        if (!reply->exec)
                reply->exec = str_copy(exchange->request.exec);
        if (!exchange->silent)
                send_reply(connection, reply, result < 0 ? -1 : exchange->reply_fd);
        if (connection->dead && str_equal(reply->kind, "started"))
                end_unheard(connection->supervisor);
}

static void on_message(void *data, int fd, uint32_t events) {
        Connection *connection = data;
        Supervisor *supervisor = connection->supervisor;
        Exchange exchange = { .connection = connection, .reply_fd = -1 };
        Error err = {};
        int r = message_receive(fd, &monitor_request_table, &exchange.request, exchange.fds,
                                &exchange.fd_count, &err);

        (void)events;
        if (r == -EAGAIN || r == -EINTR)
                return;
        if (r == 1 ||
            r == -EMFILE) { /* -EMFILE: its descriptors did not get in, which is the answer */
                if (r == 1)
                        r = request_handle(supervisor, &exchange, &err);
                answer(connection, &exchange, r, &err);
                for (size_t i = 0; i < exchange.fd_count; i++)
                        close_fd(&exchange.fds[i]);
                json_done(&monitor_request_table, &exchange.request);
                json_done(&monitor_reply_table, &exchange.reply);
                supervisor->busy = true;
        } else /* the end, or someone who does not speak the protocol */
                connection->dead = true;
        after_loss(supervisor);
}

int connection_add(Supervisor *supervisor, int fd, Error *err) {
        Connection *connection;
        int r = fd_set_nonblocking(fd, true);

        if (r < 0) {
                (void)close(fd);
                return error_set(err, -r, "make a daemon's connection non-blocking");
        }
        connection = NEW(Connection);
        connection->supervisor = supervisor;
        connection->fd = fd;
        connection->next = supervisor->connections;
        supervisor->connections = connection;
        r = loop_add_fd(supervisor->loop, fd, EPOLLIN, on_message, connection, &connection->source,
                        err);
        if (r < 0) {
                connection->dead = true;
                free_dead(supervisor);
        }
        return r;
}

static void on_daemon(void *data, int fd, uint32_t events);

static int watch_listener(Supervisor *supervisor, Error *err) {
        return loop_add_fd(supervisor->loop, supervisor->listen_fd, EPOLLIN, on_daemon, supervisor,
                           &supervisor->listen_source, err);
}

static void on_listen_again(void *data);

/* Who waits makes the listener readable until it was let in: without this the loop would turn
 * without end. */
static void listen_later(Supervisor *supervisor) {
        supervisor->listen_source = loop_remove(supervisor->listen_source);
        supervisor->listen_timer = loop_add_timer(
                supervisor->loop, clock_monotonic() + LISTEN_AGAIN, on_listen_again, supervisor);
}

static void on_listen_again(void *data) {
        Supervisor *supervisor = data;

        supervisor->listen_timer = NULL;
        if (watch_listener(supervisor, NULL) < 0)
                listen_later(supervisor);
}

static void on_daemon(void *data, int fd, uint32_t events) {
        Supervisor *supervisor = data;
        /* cppcheck-suppress nullPointer ; accept4 takes NULL for an address that nobody wants */
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        (void)events;
        if (client >= 0)
                (void)connection_add(supervisor, client, NULL);
        else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                listen_later(supervisor);
}

int connections_listen(Supervisor *supervisor, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        mode_t mask;
        int r;

        /* Through procfs, as the directory's own path may not fit into an address. */
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                       supervisor->run_fd, MONITOR_SOCKET);
        if (unlinkat(supervisor->run_fd, MONITOR_SOCKET, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove an old '%s'", MONITOR_SOCKET);
        supervisor->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (supervisor->listen_fd < 0)
                return error_set(err, errno, "make a socket");
        mask = umask(0177);
        r = bind(supervisor->listen_fd, (struct sockaddr *)&address, sizeof(address));
        (void)umask(mask);
        if (r < 0 || listen(supervisor->listen_fd, 16) < 0)
                return error_set(err, errno, "listen at '%s'", MONITOR_SOCKET);
        return watch_listener(supervisor, err);
}

void connections_unlisten(Supervisor *supervisor) {
        if (supervisor->listen_fd < 0)
                return;
        supervisor->listen_source = loop_remove(supervisor->listen_source);
        supervisor->listen_timer = loop_remove(supervisor->listen_timer);
        close_fd(&supervisor->listen_fd);
        (void)unlinkat(supervisor->run_fd, MONITOR_SOCKET, 0);
}

void connections_notice(Supervisor *supervisor, const MonitorReply *reply, bool wants_seen) {
        for (Connection *connection = supervisor->connections; connection;
             connection = connection->next) {
                send_reply(connection, reply, -1);
                connection->unseen += wants_seen;
        }
}

void connections_ending(Supervisor *supervisor) {
        MonitorReply reply = { .kind = (char *)"ending" };

        for (Connection *connection = supervisor->connections; connection;
             connection = connection->next)
                if (connection->endings)
                        send_reply(connection, &reply, -1);
}

void connections_warn(Supervisor *supervisor, const Error *err) {
        MonitorReply reply = { .kind = (char *)"warning",
                               .error_kind = err->kind,
                               .message = (char *)err->message };

        connections_notice(supervisor, &reply, false);
}

bool connections_seen(const Supervisor *supervisor) {
        for (const Connection *connection = supervisor->connections; connection;
             connection = connection->next)
                if (!connection->dead && connection->unseen > 0)
                        return false;
        return true;
}

void connections_free(Supervisor *supervisor) {
        for (Connection *connection = supervisor->connections; connection;
             connection = connection->next)
                connection->dead = true;
        free_dead(supervisor);
}
