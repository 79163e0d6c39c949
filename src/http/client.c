/* client.c: connecting and sending; reading replies is client-reply.c's. See client.h. RFC 9112. */
#include "http/client-private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "http/head.h"

#define BODY_CHUNK 65536

/* The address that /etc/hosts gives name. The program is linked statically, where the C library's
 * resolver cannot be used. */
static int hosts_lookup(const char *name, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (str_equal(name, "localhost")) {
                *ret = str_copy("127.0.0.1");
                return 0;
        }
        if (file_read_at(AT_FDCWD, "/etc/hosts", 1 << 20, &text, &length, NULL) < 0)
                return -ENOENT;
        for (char *line = text, *next; line && *line; line = next) {
                char *word, *address, *rest;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                line[strcspn(line, "#")] = '\0';
                rest = line;
                address = strsep(&rest, " \t");
                while ((word = strsep(&rest, " \t")))
                        if (str_equal(word, name)) {
                                *ret = str_copy(address);
                                return 0;
                        }
        }
        return -ENOENT;
}

static int parse_inet(HttpClient *client, const char *address, int port) {
        struct sockaddr_in *in = (struct sockaddr_in *)&client->address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&client->address;

        if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
                in->sin_family = AF_INET;
                in->sin_port = htons((uint16_t)port);
                client->address_length = sizeof(*in);
                return 0;
        }
        if (inet_pton(AF_INET6, address, &in6->sin6_addr) != 1)
                return -EINVAL;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        client->address_length = sizeof(*in6);
        return 0;
}

static int parse_tcp(HttpClient *client, const char *text, Error *err) {
        _cleanup_free_ char *name = str_copy(text), *found = NULL;
        char *host = name, *colon;
        int port = 2375;

        name[strcspn(name, "/")] = '\0';
        colon = strrchr(name, ':');
        if (colon && !strchr(colon, ']')) {
                *colon = '\0';
                if (str_to_int_in(colon + 1, 1, 65535, &port) < 0)
                        return error_kind(err, ERROR_INVALID, "'%s' is no port number", colon + 1);
        }
        client->host = str_copy(*name ? name : "localhost");
        if (*host == '[') {
                host++;
                host[strcspn(host, "]")] = '\0';
        }
        if (!*host)
                host = client->host;
        if (parse_inet(client, host, port) == 0)
                return 0;
        if (hosts_lookup(host, &found) == 0 && parse_inet(client, found, port) == 0)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "host '%s' is neither an address nor in /etc/hosts: give its address",
                          host);
}

static int parse_unix(HttpClient *client, const char *path, Error *err) {
        struct sockaddr_un *un = (struct sockaddr_un *)&client->address;

        if (strlen(path) >= sizeof(un->sun_path))
                return error_kind(err, ERROR_INVALID,
                                  "socket path '%s' is longer than the %zu bytes that one may have",
                                  path, sizeof(un->sun_path) - 1);
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, strlen(path) + 1);
        client->address_length = sizeof(*un);
        client->host = str_copy("api.moby.localhost");
        return 0;
}

int http_client_new(const char *host, HttpClient **ret, Error *err) {
        _cleanup_(http_client_freep) HttpClient *client = NEW(HttpClient);
        const char *rest;
        int r;

        client->idle_fd = client->give_up_fd = -1;
        client->name = str_copy(host);
        if ((rest = str_after(host, "unix://")))
                r = parse_unix(client, rest, err);
        else if ((rest = str_after(host, "tcp://")) || (rest = str_after(host, "http://")))
                r = parse_tcp(client, rest, err);
        else
                r = error_kind(err, ERROR_INVALID,
                               "unable to parse docker host `%s`: write unix://PATH or "
                               "tcp://ADDRESS:PORT",
                               host);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(client);
        return 0;
}

HttpClient *http_client_new_dialed(const char *name, const char *host, HttpDial dial, void *data) {
        HttpClient *client = NEW(HttpClient);

        client->idle_fd = client->give_up_fd = -1;
        client->name = str_copy(name);
        client->host = str_copy(host);
        client->dial = dial;
        client->dial_data = data;
        return client;
}

int http_client_give_up_on(HttpClient *client, int fd) {
        int before = client ? client->give_up_fd : -1;

        if (client)
                client->give_up_fd = fd;
        return before;
}

HttpClient *http_client_free(HttpClient *client) {
        if (!client)
                return NULL;
        close_fd(&client->idle_fd);
        pairs_done(&client->headers);
        free(client->host);
        free(client->name);
        free(client);
        return NULL;
}

void http_client_header(HttpClient *client, const char *name, const char *value) {
        pairs_put(&client->headers, name, value);
}

int http_client_dial(HttpClient *client, Error *err) {
        _cleanup_close_ int fd = -1;
        int on = 1;

        if (client->dial)
                return client->dial(client->dial_data, err);
        fd = socket(client->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(err, errno, "socket");
        if (connect(fd, (struct sockaddr *)&client->address, client->address_length) < 0) {
                int number = errno;

                (void)error_kind(err, ERROR_UNAVAILABLE, "connect to %s: %s", client->name,
                                 strerror(number));
                if (err)
                        err->number = number;
                return -number;
        }
        if (client->address.ss_family != AF_UNIX)
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return TAKE_FD(fd);
}

static void add_headers(Buf *head, const Pairs *headers) {
        for (size_t i = 0; headers && i < headers->count; i++)
                buf_format(head, "%s: %s\r\n", headers->items[i].key, headers->items[i].value);
}

static void write_head(const HttpClient *client, const HttpRequest *request, Buf *head) {
        buf_format(head, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, request->path,
                   client->host);
        add_headers(head, &client->headers);
        add_headers(head, request->headers);
        if (request->content_type)
                buf_format(head, "Content-Type: %s\r\n", request->content_type);
        if (request->has_body_fd)
                buf_add_str(head, "Transfer-Encoding: chunked\r\n");
        else if (request->body || str_equal(request->method, "POST"))
                buf_format(head, "Content-Length: %zu\r\n", request->body ? request->length : 0);
        if (request->upgrade)
                buf_add_str(head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
        buf_add_str(head, "\r\n");
}

/* Sends without raising SIGPIPE where the daemon is gone. */
static int send_full(int fd, const void *data, size_t length) {
        const char *next = data;

        while (length > 0) {
                ssize_t sent = send(fd, next, length, MSG_NOSIGNAL);

                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return -errno;
                next += sent;
                length -= (size_t)sent;
        }
        return 0;
}

/* The same; descriptors go along with the first byte. */
static int send_with_fds(int fd, const char *data, size_t length, const int *fds, size_t count) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * HTTP_FDS_MAX)];
        } control = {};
        struct iovec part = { .iov_base = (void *)data, .iov_len = length };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        ssize_t sent;

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
        do
                sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : send_full(fd, data + sent, length - (size_t)sent);
}

/* Until there is something to send. Whether it is to be sent: no answer has come. */
static bool is_wanted(int fd, int body_fd) {
        struct pollfd fds[] = { { .fd = body_fd, .events = POLLIN },
                                { .fd = fd, .events = POLLIN } };

        while (poll(fds, ELEMENTS(fds), -1) < 0 && errno == EINTR)
                ;
        return fds[1].revents == 0;
}

static int send_chunks(int fd, const HttpRequest *request, Error *err) {
        _cleanup_free_ char *data = NEW_ARRAY(char, BODY_CHUNK);
        char size[24];

        for (;;) {
                ssize_t got;
                int r;

                if (request->answer_ends_body && !is_wanted(fd, request->body_fd))
                        return 0;
                got = read(request->body_fd, data, BODY_CHUNK);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_set(err, errno, "read what is to be sent");
                (void)snprintf(size, sizeof(size), "%zx\r\n", (size_t)got);
                r = send_full(fd, size, strlen(size));
                if (r == 0 && got > 0)
                        r = send_full(fd, data, (size_t)got);
                if (r == 0)
                        r = send_full(fd, "\r\n", 2);
                /* A daemon that refuses early answers and closes: the answer tells more. */
                if (r == -EPIPE || r == -ECONNRESET || (r == 0 && got == 0))
                        return 0;
                if (r < 0)
                        return error_set(err, -r, "send to the daemon");
        }
}

static int send_request(HttpClient *client, const HttpRequest *request, int fd, Error *err) {
        _cleanup_buf_ Buf head = {};
        int r;

        write_head(client, request, &head);
        if (request->body && !request->has_body_fd)
                buf_add(&head, request->body, request->length);
        if (request->fd_count > 0)
                r = send_with_fds(fd, head.data, head.length, request->fds, request->fd_count);
        else
                r = send_full(fd, head.data, head.length);
        /* A daemon that refuses this client answers and closes before it was asked. */
        if (r == -EPIPE || r == -ECONNRESET)
                return 0;
        if (r < 0) {
                (void)error_kind(err, ERROR_UNAVAILABLE, "send to %s: %s", client->name,
                                 strerror(-r));
                return r;
        }
        return request->has_body_fd ? send_chunks(fd, request, err) : 0;
}

static int exchange(HttpClient *client, const HttpRequest *request, int fd, HttpReply **ret,
                    Error *err) {
        _cleanup_close_ int owned = fd;
        int r;

        r = send_request(client, request, owned, err);
        if (r < 0)
                return r;
        return reply_new(client, TAKE_FD(owned), str_equal(request->method, "HEAD"), ret, err);
}

int http_client_send(HttpClient *client, const HttpRequest *request, HttpReply **ret, Error *err) {
        int fd;

        if (request->fd_count > HTTP_FDS_MAX ||
            (request->fd_count > 0 && client->address.ss_family != AF_UNIX))
                return error_kind(
                        err, ERROR_INVALID,
                        "at most %d descriptors can be sent, and over a Unix socket only, "
                        "not to %s",
                        HTTP_FDS_MAX, client->name);
        fd = TAKE_FD(client->idle_fd);
        if (fd >= 0) {
                char byte;

                /* The daemon may have closed an idle connection. */
                if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
                        return exchange(client, request, fd, ret, err);
                close_fd(&fd);
        }
        fd = http_client_dial(client, err);
        if (fd < 0)
                return fd;
        return exchange(client, request, fd, ret, err);
}

void http_escape(Buf *buf, const char *text) {
        for (; *text; text++) {
                unsigned char character = (unsigned char)*text;

                if (isalnum(character) || strchr("-._~", character))
                        buf_add_char(buf, *text);
                else
                        buf_format(buf, "%%%02X", character);
        }
}
