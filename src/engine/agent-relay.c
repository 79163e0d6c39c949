/* agent-relay.c: see agent-relay.h. unix(7). */
#include "engine/agent-relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/str.h"

#define CONNECTIONS_MAX 16
#define CHUNK 16384

/* What goes one way. */
typedef struct Half {
        size_t start, end; /* in data: read and not yet written */
        bool ended;        /* nothing more is read */
        bool closed;       /* nor written: the other side was told */
        char data[CHUNK];
} Half;

typedef struct Connection {
        int fds[2];     /* the client's, the agent's */
        Half halves[2]; /* [i]: what comes from fds[i] */
} Connection;

struct AgentRelay {
        int agent_fd, dir_fd, listen_fd, stop_fd;
        char *name;
        bool started;
        pthread_t thread;
        Connection *connections[CONNECTIONS_MAX];
        size_t count;
};

/* ---- one connection ---- */

static Connection *connection_free(Connection *connection) {
        for (int i = 0; i < 2; i++)
                close_fd(&connection->fds[i]);
        free(connection);
        return NULL;
}

/* Through procfs: the agent's own path is its client's, and may be of another mount namespace. */
static int connect_agent(const AgentRelay *relay) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d",
                       relay->agent_fd);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* An agent that is gone or lets nobody in: the client sees the end of its connection. */
static void accept_client(AgentRelay *relay) {
        _cleanup_close_ int client =
                /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
                accept4(relay->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int agent = client < 0 ? -1 : connect_agent(relay);
        Connection *connection;

        if (agent < 0)
                return;
        connection = NEW(Connection);
        connection->fds[0] = TAKE_FD(client);
        connection->fds[1] = agent;
        relay->connections[relay->count++] = connection;
}

static bool again(void) {
        return errno == EAGAIN || errno == EINTR;
}

/* False: the connection is of no more use. */
static bool half_read(Half *half, int from) {
        ssize_t n;

        if (half->ended || half->end > 0)
                return true;
        n = recv(from, half->data, sizeof(half->data), 0);
        if (n < 0)
                return again();
        half->ended = n == 0;
        half->start = 0;
        half->end = (size_t)n;
        return true;
}

static bool half_write(Half *half, int to) {
        ssize_t n;

        if (half->end > 0) {
                n = send(to, half->data + half->start, half->end - half->start, MSG_NOSIGNAL);
                if (n < 0)
                        return again();
                half->start += (size_t)n;
                if (half->start == half->end)
                        half->start = half->end = 0;
        }
        if (half->ended && half->end == 0 && !half->closed) {
                (void)shutdown(to, SHUT_WR);
                half->closed = true;
        }
        return true;
}

/* False: it is over. */
static bool shuttle(Connection *connection) {
        for (int i = 0; i < 2; i++)
                if (!half_read(&connection->halves[i], connection->fds[i]) ||
                    !half_write(&connection->halves[i], connection->fds[!i]))
                        return false;
        return !(connection->halves[0].closed && connection->halves[1].closed);
}

/* What fds[i] is waited for: room for what came from the other, or more. */
static struct pollfd wanted(const Connection *connection, int i) {
        const Half *from = &connection->halves[i], *to = &connection->halves[!i];
        short events = 0;

        if (!from->ended && from->end == 0)
                events |= POLLIN;
        if (to->end > 0)
                events |= POLLOUT;
        /* An end would be told without being asked for, again and again. */
        return (struct pollfd){ .fd = events ? connection->fds[i] : -1, .events = events };
}

/* ---- all of them ---- */

static void serve_once(AgentRelay *relay) {
        struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
        size_t count = relay->count;

        fds[0] = (struct pollfd){ .fd = relay->stop_fd, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = count < CONNECTIONS_MAX ? relay->listen_fd : -1,
                                  .events = POLLIN };
        for (size_t i = 0; i < 2 * count; i++)
                fds[2 + i] = wanted(relay->connections[i / 2], (int)(i % 2));
        if (poll(fds, 2 + 2 * count, -1) <= 0)
                return;
        /* From the end, as the last takes the place of one that is over. */
        for (size_t i = count; i-- > 0;) {
                if (!fds[2 + 2 * i].revents && !fds[3 + 2 * i].revents)
                        continue;
                if (shuttle(relay->connections[i]))
                        continue;
                (void)connection_free(relay->connections[i]);
                relay->connections[i] = relay->connections[--relay->count];
        }
        if (fds[1].revents)
                accept_client(relay);
}

static void *serve(void *data) {
        AgentRelay *relay = data;
        struct pollfd stop = { .fd = relay->stop_fd, .events = POLLIN };

        while (poll(&stop, 1, 0) <= 0)
                serve_once(relay);
        return NULL;
}

/* ---- its socket ---- */

static int listen_at(AgentRelay *relay, const AgentAccess *access, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        relay->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (relay->listen_fd < 0)
                return error_set(err, errno, "make a socket for the ssh agent");
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                       relay->dir_fd, relay->name);
        if (bind(relay->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno, "make a socket for the ssh agent");
        if (fchownat(relay->dir_fd, relay->name, access->uid, access->gid, AT_SYMLINK_NOFOLLOW) <
                    0 ||
            fchmodat(relay->dir_fd, relay->name, access->mode, 0) < 0 ||
            listen(relay->listen_fd, CONNECTIONS_MAX) < 0)
                return error_set(err, errno, "open the ssh agent's socket");
        return 0;
}

int agent_relay_new(int agent_fd, int dir_fd, const char *name, const AgentAccess *access,
                    AgentRelay **ret, Error *err) {
        _cleanup_(agent_relay_freep) AgentRelay *relay = NEW(AgentRelay);
        int r;

        relay->listen_fd = -1;
        relay->name = str_copy(name);
        relay->agent_fd = fcntl(agent_fd, F_DUPFD_CLOEXEC, 3);
        relay->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        relay->stop_fd = eventfd(0, EFD_CLOEXEC);
        if (relay->agent_fd < 0 || relay->dir_fd < 0 || relay->stop_fd < 0)
                return error_set(err, errno, "open a relay for the ssh agent");
        r = listen_at(relay, access, err);
        if (r < 0)
                return r;
        r = pthread_create(&relay->thread, NULL, serve, relay);
        if (r > 0)
                return error_set(err, r, "start a relay for the ssh agent");
        relay->started = true;
        *ret = TAKE_PTR(relay);
        return 0;
}

AgentRelay *agent_relay_free(AgentRelay *relay) {
        if (!relay)
                return NULL;
        if (relay->started) {
                (void)eventfd_write(relay->stop_fd, 1);
                (void)pthread_join(relay->thread, NULL);
        }
        while (relay->count > 0)
                (void)connection_free(relay->connections[--relay->count]);
        if (relay->listen_fd >= 0)
                (void)unlinkat(relay->dir_fd, relay->name, 0);
        close_fd(&relay->listen_fd);
        close_fd(&relay->stop_fd);
        close_fd(&relay->agent_fd);
        close_fd(&relay->dir_fd);
        free(relay->name);
        free(relay);
        return NULL;
}
