/* connection.c: see connection.h. */
#include "logger/connection.h"

#include <ctype.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "logger/tls.h"

#define CONNECT_S 10
/* A peer that takes nothing for so long is taken for lost. */
#define WRITE_S 60
/* Acknowledged records are let go when more than this is kept. */
#define KEPT_MAX ((size_t)64 * 1024)

typedef struct Kept {
        size_t length;
        uint64_t end; /* bytes that the socket had taken behind it */
} Kept;

struct Connection {
        const LoggerOptions *options;
        const char *scheme; /* "" for the local one */
        char *host, *port;  /* or the path in host */
        int type;           /* SOCK_STREAM, SOCK_DGRAM */
        int fd;             /* -1: lost */
        Tls *tls;
        uint64_t written; /* by this socket */
        Buf kept;         /* streams: records that the peer may not have, one behind the other */
        Kept *records;
        size_t count;
};

static const struct {
        const char *scheme;
        int family, type;
} schemes[] = {
        { "udp", AF_UNSPEC, SOCK_DGRAM },      { "tcp", AF_UNSPEC, SOCK_STREAM },
        { "tcp+tls", AF_UNSPEC, SOCK_STREAM }, { "unix", AF_UNIX, SOCK_STREAM },
        { "unixgram", AF_UNIX, SOCK_DGRAM },
};

/* ---- making it ---- */

/* As Go says it: no capital. */
static int dial_error(const Connection *connection, int number, Error *err) {
        char words[128];

        (void)snprintf(words, sizeof(words), "%s",
                       number == EINPROGRESS || number == EAGAIN ? "i/o timeout"
                                                                 : strerror(number));
        words[0] = (char)tolower((unsigned char)words[0]);
        if (!connection->port)
                return error_kind(err, ERROR_UNAVAILABLE, "dial %s %s: connect: %s",
                                  connection->scheme, connection->host, words);
        return error_kind(err, ERROR_UNAVAILABLE, "dial %s %s%s%s:%s: connect: %s",
                          str_equal(connection->scheme, "tcp+tls") ? "tcp" : connection->scheme,
                          strchr(connection->host, ':') ? "[" : "", connection->host,
                          strchr(connection->host, ':') ? "]" : "", connection->port, words);
}

static int connect_to(int family, int type, const struct sockaddr *address, socklen_t length,
                      int *ret_fd) {
        struct timeval connect_time = { .tv_sec = CONNECT_S }, write_time = { .tv_sec = WRITE_S };
        _cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
        int on = 1;

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &connect_time, sizeof(connect_time));
        if (connect(fd, address, length) < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_time, sizeof(write_time));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int connect_path(const char *path, int type, int *ret_fd) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        return connect_to(AF_UNIX, type, (struct sockaddr *)&address, sizeof(address), ret_fd);
}

/* The host's own syslog, where its programs find it. */
static int connect_local(Connection *connection, Error *err) {
        static const char *const paths[] = { "/dev/log", "/var/run/syslog", "/var/run/log" };
        static const int types[] = { SOCK_DGRAM, SOCK_STREAM };

        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (size_t j = 0; j < ELEMENTS(paths); j++)
                        if (connect_path(paths[j], types[i], &connection->fd) == 0) {
                                connection->type = types[i];
                                return 0;
                        }
        return error_kind(err, ERROR_UNAVAILABLE, "Unix syslog delivery error");
}

static int connect_host(Connection *connection, Error *err) {
        struct addrinfo hints = { .ai_socktype = connection->type }, *found = NULL;
        int r = getaddrinfo(connection->host, connection->port, &hints, &found);

        if (r != 0)
                return error_kind(err, ERROR_UNAVAILABLE, "dial %s: lookup %s: %s",
                                  connection->scheme, connection->host, gai_strerror(r));
        r = -EADDRNOTAVAIL;
        for (struct addrinfo *at = found; at && r < 0; at = at->ai_next)
                r = connect_to(at->ai_family, at->ai_socktype, at->ai_addr, at->ai_addrlen,
                               &connection->fd);
        freeaddrinfo(found);
        return r < 0 ? dial_error(connection, -r, err) : 0;
}

static int dial(Connection *connection, Error *err) {
        int r;

        if (str_empty(connection->scheme))
                return connect_local(connection, err);
        if (connection->port)
                r = connect_host(connection, err);
        else {
                r = connect_path(connection->host, connection->type, &connection->fd);
                if (r < 0)
                        return dial_error(connection, -r, err);
        }
        if (r == 0 && connection_secure(connection))
                r = tls_new(connection->fd, connection->host, connection->options, &connection->tls,
                            err);
        return r;
}

static void lose(Connection *connection) {
        connection->tls = tls_free(connection->tls);
        close_fd(&connection->fd);
        connection->written = 0;
}

/* ---- what the peer has ---- */

/* Bytes of this socket that TCP's peer has acknowledged; of others all that was written. */
static uint64_t acknowledged(const Connection *connection) {
        int waiting = 0;

        if (!connection->port || connection->type != SOCK_STREAM ||
            ioctl(connection->fd, SIOCOUTQ, &waiting) < 0)
                return connection->written;
        return connection->written - (uint64_t)MAX(waiting, 0);
}

static void let_go(Connection *connection) {
        uint64_t done = acknowledged(connection);
        size_t count = 0, bytes = 0;

        while (count < connection->count && connection->records[count].end <= done)
                bytes += connection->records[count++].length;
        if (count == 0)
                return;
        buf_drop_front(&connection->kept, bytes);
        connection->count -= count;
        memmove(connection->records, connection->records + count, connection->count * sizeof(Kept));
}

static void keep(Connection *connection, const void *data, size_t length) {
        if (connection->kept.length > KEPT_MAX)
                let_go(connection);
        GROW(connection->records, connection->count);
        buf_add(&connection->kept, data, length);
        connection->records[connection->count++] = (Kept){ length, connection->written };
}

/* ---- sending ---- */

static int write_stream(Connection *connection, const char *data, size_t length, Error *err) {
        if (connection->tls)
                return tls_write(connection->tls, data, length, &connection->written, err);
        while (length > 0) {
                ssize_t n = send(connection->fd, data, length, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(err, errno, "write %s %s", connection->scheme,
                                         connection->host ?: "");
                data += n;
                length -= (size_t)n;
                connection->written += (uint64_t)n;
        }
        return 0;
}

/* A refusal is the answer to an earlier datagram, which is lost, as datagrams may be. */
static int write_datagram(Connection *connection, const void *data, size_t length, Error *err) {
        ssize_t n = send(connection->fd, data, length, MSG_NOSIGNAL);

        if (n < 0 && errno == ECONNREFUSED && connection->port)
                n = send(connection->fd, data, length, MSG_NOSIGNAL);
        if (n >= 0)
                return 0;
        return error_set(err, errno, "write %s %s", connection->scheme, connection->host ?: "");
}

static int resend(Connection *connection, Error *err) {
        size_t at = 0;

        for (size_t i = 0; i < connection->count; i++) {
                int r = write_stream(connection, connection->kept.data + at,
                                     connection->records[i].length, err);

                if (r < 0)
                        return r;
                connection->records[i].end = connection->written;
                at += connection->records[i].length;
        }
        return 0;
}

/* TCP's peer may have closed: what is written then goes nowhere, without an error. */
static bool has_ended(const Connection *connection) {
        char byte;
        ssize_t n;

        if (connection->type != SOCK_STREAM)
                return false;
        if (connection->tls)
                return tls_has_ended(connection->tls);
        n = recv(connection->fd, &byte, 1, MSG_DONTWAIT);
        return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int connection_mend(Connection *connection, Error *err) {
        int r;

        if (connection->fd >= 0) {
                if (!has_ended(connection))
                        return 0;
                let_go(connection);
                lose(connection);
        }
        r = dial(connection, err);
        if (r == 0)
                r = resend(connection, err);
        if (r < 0)
                lose(connection);
        return r;
}

int connection_send(Connection *connection, const void *data, size_t length, Error *err) {
        int r = connection_mend(connection, err);

        if (r < 0)
                return r;
        r = connection->type == SOCK_STREAM ? write_stream(connection, data, length, err)
                                            : write_datagram(connection, data, length, err);
        if (r < 0) {
                let_go(connection);
                lose(connection);
                return r;
        }
        if (connection->type == SOCK_STREAM)
                keep(connection, data, length);
        return 0;
}

int connection_fd(const Connection *connection) {
        return connection->type == SOCK_STREAM ? connection->fd : -1;
}

bool connection_secure(const Connection *connection) {
        return str_equal(connection->scheme, "tcp+tls");
}

/* ---- the address ---- */

/* "[::1]:514", "host:514", "host". */
static void split_host(const char *text, char **ret_host, char **ret_port) {
        const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
        size_t length =
                colon && (!bracket || colon > bracket) ? (size_t)(colon - text) : strlen(text);

        *ret_port = text[length] ? str_copy(text + length + 1) : str_copy("514");
        if (text[0] == '[' && bracket)
                *ret_host = str_copy_n(text + 1, (size_t)(bracket - text - 1));
        else
                *ret_host = str_copy_n(text, length);
}

static int take_address(Connection *connection, Error *err) {
        const char *address = connection->options->address ?: "", *rest;

        connection->scheme = "";
        if (!*address)
                return 0;
        for (size_t i = 0; i < ELEMENTS(schemes); i++) {
                size_t length = strlen(schemes[i].scheme);

                if (!str_after(address, schemes[i].scheme) ||
                    !(rest = str_after(address + length, "://")))
                        continue;
                connection->scheme = schemes[i].scheme;
                connection->type = schemes[i].type;
                if (schemes[i].family == AF_UNIX)
                        connection->host = str_copy(rest);
                else
                        split_host(rest, &connection->host, &connection->port);
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "syslog-address should be in form proto://address, got %s", address);
}

int connection_open(const LoggerOptions *options, bool later, Connection **ret, Error *err) {
        Connection *connection = NEW(Connection);
        int r;

        *connection = (Connection){ .options = options, .fd = -1 };
        r = take_address(connection, err);
        if (r == 0 && !later)
                r = dial(connection, err);
        if (r < 0) {
                lose(connection);
                connection_free(connection);
                return r;
        }
        *ret = connection;
        return 0;
}

/* ---- the end ---- */

/* Nothing is sent any more, and nothing acknowledged. */
static bool is_dead(const Connection *connection) {
        struct tcp_info info = { 0 };
        socklen_t size = sizeof(info);

        return getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
               info.tcpi_state == TCP_CLOSE;
}

/* The kernel tells nobody of an acknowledgement. */
static void wait_acknowledged(const Connection *connection, int ms) {
        const int64_t deadline = clock_monotonic() + ms * NSEC_PER_MSEC;
        int pause = 1;

        while (acknowledged(connection) < connection->written && clock_monotonic() < deadline &&
               !is_dead(connection)) {
                (void)poll(NULL, 0, pause);
                pause = MIN(pause * 2, 20);
        }
}

size_t connection_end(Connection *connection, int ms) {
        if (connection->type != SOCK_STREAM)
                return 0;
        if (connection->fd >= 0) {
                tls_end(connection->tls);
                (void)shutdown(connection->fd, SHUT_WR);
                wait_acknowledged(connection, ms);
                let_go(connection);
        }
        return connection->count;
}

Connection *connection_free(Connection *connection) {
        if (!connection)
                return NULL;
        lose(connection);
        buf_done(&connection->kept);
        free(connection->records);
        free(connection->host);
        free(connection->port);
        free(connection);
        return NULL;
}
