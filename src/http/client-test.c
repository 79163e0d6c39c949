/* client-test.c: replies of every framing, connections kept and closed, requests as they are sent,
 * and the stream after an upgrade; against a server of canned texts. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "http/client.h"
#include "http/head.h"

/* Answers each connection's requests with texts in turn; keeps what it was sent. */
typedef struct Server {
        const char *const *answers; /* NULL: closes, and waits for the next connection */
        size_t count;
        int listener;
        char path[64];
        char request[4096]; /* the last one */
        unsigned connections;
        pthread_t thread;
} Server;

/* Reads up to the end of the head, and of a chunked body. */
static void read_request(Server *server, int fd) {
        size_t length = 0;
        bool chunked = false;

        while (length < sizeof(server->request) - 1) {
                ssize_t got =
                        read(fd, server->request + length, sizeof(server->request) - 1 - length);

                if (got <= 0)
                        break;
                length += (size_t)got;
                server->request[length] = '\0';
                chunked = strstr(server->request, "chunked") != NULL;
                if (strstr(server->request, chunked ? "0\r\n\r\n" : "\r\n\r\n"))
                        break;
        }
}

static void *serve(void *data) {
        Server *server = data;
        _cleanup_close_ int fd = -1;

        for (size_t i = 0; i < server->count; i++) {
                if (!server->answers[i]) {
                        close_fd(&fd);
                        continue;
                }
                if (fd < 0) {
                        fd = accept(server->listener, NULL, NULL);
                        server->connections++;
                }
                read_request(server, fd);
                (void)fd_write_full(fd, server->answers[i], strlen(server->answers[i]));
        }
        return NULL;
}

static int start(Server *server, const char *const *answers, size_t count, HttpClient **ret,
                 Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_free_ char *host = NULL;

        *server = (Server){ .answers = answers, .count = count };
        (void)snprintf(server->path, sizeof(server->path), "/tmp/brig-client-test.%d",
                       (int)getpid());
        memcpy(address.sun_path, server->path, strlen(server->path) + 1);
        (void)unlink(server->path);
        server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(server->listener, 8) < 0)
                return error_kind(err, ERROR_INTERNAL, "no socket for the test");
        if (pthread_create(&server->thread, NULL, serve, server) != 0)
                return error_kind(err, ERROR_INTERNAL, "no thread for the test");
        host = str_format("unix://%s", server->path);
        return http_client_new(host, ret, err);
}

static void stop(Server *server) {
        (void)pthread_join(server->thread, NULL);
        close_fd(&server->listener);
        (void)unlink(server->path);
}

/* The body of GET /, the caller's; the error's message on failure. */
static char *get(HttpClient *client, int *status) {
        HttpRequest request = { .method = "GET", .path = "/" };
        _cleanup_reply_ HttpReply *reply = NULL;
        Buf body = {};
        Error err = {};

        *status = 0;
        if (http_client_send(client, &request, &reply, &err) < 0 ||
            http_reply_read_all(reply, 1000, &body, &err) < 0) {
                buf_done(&body);
                return str_copy(err.message);
        }
        *status = http_reply_status(reply);
        return buf_take(&body);
}

TEST(framings_on_one_connection) {
        static const char *const answers[] = {
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx",
                "HTTP/1.1 200 OK\r\n\r\nto the end",
                NULL,
        };
        static const char *const bodies[] = { "hello", "abcde", "", "x", "to the end" };
        static const int statuses[] = { 200, 200, 204, 404, 200 };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        Server server;
        Error err = {};

        ASSERT_OK(start(&server, answers, ELEMENTS(answers), &client, &err), &err);
        for (size_t i = 0; i < ELEMENTS(bodies); i++) {
                int status;
                _cleanup_free_ char *body = get(client, &status);

                ASSERT_STR(body, bodies[i]);
                ASSERT_INT(status, statuses[i]);
        }
        stop(&server);
        ASSERT_INT(server.connections, 1);
}

TEST(closed_connections_are_replaced) {
        static const char *const answers[] = {
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
                NULL,
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
        };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;
        Server server;
        Error err = {};
        int status;

        ASSERT_OK(start(&server, answers, ELEMENTS(answers), &client, &err), &err);
        first = get(client, &status);
        second = get(client, &status);
        stop(&server);
        ASSERT_STR(first, "a");
        ASSERT_STR(second, "b");
        ASSERT_INT(server.connections, 2);
}

TEST(broken_replies_are_errors) {
        static const char *const answers[] = {
                "hello\r\n\r\n",
                NULL,
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                NULL,
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                NULL,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                NULL,
                "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                NULL,
        };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        Server server;
        Error err = {};

        ASSERT_OK(start(&server, answers, ELEMENTS(answers), &client, &err), &err);
        for (size_t i = 0; i < ELEMENTS(answers) / 2; i++) {
                int status;
                _cleanup_free_ char *message = get(client, &status);

                ASSERT_INT(status, 0);
                ASSERT(strstr(message, "malformed HTTP response") || strstr(message, "EOF"));
        }
        stop(&server);
}

TEST(a_body_in_chunks_and_headers) {
        static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        Pairs headers = {};
        HttpRequest request = { .method = "POST",
                                .path = "/load",
                                .headers = &headers,
                                .content_type = "application/x-tar",
                                .has_body_fd = true };
        int ends[2];
        Server server;
        Error err = {};

        ASSERT_INT(pipe(ends), 0);
        ASSERT_INT(fd_write_full(ends[1], "0123456789", 10), 0);
        (void)close(ends[1]);
        pairs_put(&headers, "X-A", "b");
        request.body_fd = ends[0];
        ASSERT_OK(start(&server, answers, 1, &client, &err), &err);
        http_client_header(client, "User-Agent", "test");
        ASSERT_OK(http_client_send(client, &request, &reply, &err), &err);
        stop(&server);
        (void)close(ends[0]);
        pairs_done(&headers);
        ASSERT(str_after(server.request, "POST /load HTTP/1.1\r\n"));
        ASSERT(strstr(server.request, "X-A: b\r\n") &&
               strstr(server.request, "User-Agent: test\r\n"));
        ASSERT(strstr(server.request, "\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"));
}

/* Takes one message and its descriptors, and answers with their count. */
static void *serve_fds(void *data) {
        Server *server = data;
        _cleanup_close_ int fd = accept(server->listener, NULL, NULL);
        int fds[FDS_MAX];
        size_t count = 0;
        ssize_t n =
                fd_receive(fd, server->request, sizeof(server->request) - 1, fds, FDS_MAX, &count);
        _cleanup_free_ char *text =
                str_format("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%zu", count);

        server->request[MAX(n, 0)] = '\0';
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        (void)fd_write_full(fd, text, strlen(text));
        return NULL;
}

TEST(descriptors_go_along) {
        _cleanup_(http_client_freep) HttpClient *client = NULL, *tcp = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf body = {};
        int fds[HTTP_FDS_MAX + 1] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
        HttpRequest request = { .method = "POST",
                                .path = "/build",
                                .body = "{}",
                                .length = 2,
                                .fds = fds,
                                .fd_count = 3 };
        Server server;
        Error err = {};

        ASSERT_OK(start(&server, NULL, 0, &client, &err), &err);
        (void)pthread_join(server.thread, NULL);
        ASSERT_INT(pthread_create(&server.thread, NULL, serve_fds, &server), 0);
        ASSERT_OK(http_client_send(client, &request, &reply, &err), &err);
        ASSERT_OK(http_reply_read_all(reply, 10, &body, &err), &err);
        stop(&server);
        ASSERT_STR(body.data, "3");
        ASSERT(str_ends(server.request, "\r\n\r\n{}"));

        reply = http_reply_free(reply);
        request.fd_count = ELEMENTS(fds);
        ASSERT(http_client_send(client, &request, &reply, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        request.fd_count = 1;
        ASSERT_OK(http_client_new("tcp://127.0.0.1:1", &tcp, &err), &err);
        ASSERT(http_client_send(tcp, &request, &reply, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(the_stream_after_an_upgrade) {
        static const char *const answers[] = {
                "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nearly"
        };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf early = {};
        HttpRequest request = { .method = "POST", .path = "/attach", .upgrade = true };
        char rest[16];
        Server server;
        Error err = {};

        ASSERT_OK(start(&server, answers, 1, &client, &err), &err);
        ASSERT_OK(http_client_send(client, &request, &reply, &err), &err);
        ASSERT_INT(http_reply_status(reply), 101);
        fd = http_reply_take_stream(reply, &early);
        stop(&server);
        ASSERT(strstr(server.request, "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
        /* The first bytes come with the head or after it. */
        if (early.length < 5)
                buf_add(&early, rest, (size_t)MAX(fd_read_full(fd, rest, 5 - early.length), 0));
        ASSERT_STR(early.data, "early");
}

TEST(waiting_for_more_of_a_body) {
        static const char *const answers[] = {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                "2\r\nde\r\n0\r\n\r\n",
        };
        HttpRequest request = { .method = "GET", .path = "/" };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        char data[8] = "";
        Server server;
        Error err = {};
        int fd;

        ASSERT_OK(start(&server, answers, ELEMENTS(answers), &client, &err), &err);
        ASSERT_OK(http_client_send(client, &request, &reply, &err), &err);
        ASSERT_INT(http_reply_read(reply, data, sizeof(data), &err), 3);
        fd = http_reply_poll_fd(reply); /* what is left of the chunk is no reason to read */
        ASSERT(fd >= 0);
        ASSERT_INT(fd_write_full(fd, "\r\n\r\n", 4), 0); /* the server answers once more */
        ASSERT_INT(http_reply_read(reply, data, sizeof(data), &err), 2);
        ASSERT_INT(http_reply_read(reply, data, sizeof(data), &err), 0);
        ASSERT_INT(http_reply_poll_fd(reply), -1);
        stop(&server);
}

TEST(a_reply_is_given_up_between_two_chunks) {
        static const char *const answers[] = {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                "", /* waits for a request, which ends with the connection */
        };
        HttpRequest request = { .method = "GET", .path = "/" };
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        HttpReply *reply = NULL;
        char data[8] = "";
        Server server;
        Error err = {};

        ASSERT_OK(start(&server, answers, ELEMENTS(answers), &client, &err), &err);
        ASSERT_OK(http_client_send(client, &request, &reply, &err), &err);
        ASSERT_INT(http_reply_read(reply, data, sizeof(data), &err), 3);
        (void)http_reply_free(reply); /* returns, though the body has not ended */
        stop(&server);
}

TEST(hosts) {
        static const char *const good[] = { "unix:///a", "tcp://127.0.0.1:2375", "tcp://[::1]:1",
                                            "tcp://localhost", "http://127.0.0.1:80" };
        static const char *const bad[] = { "foo://x", "tcp://127.0.0.1:x",
                                           "tcp://no.such.invalid:1", "" };

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                _cleanup_(http_client_freep) HttpClient *client = NULL;
                Error err = {};

                ASSERT_OK(http_client_new(good[i], &client, &err), &err);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_(http_client_freep) HttpClient *client = NULL;
                Error err = {};

                ASSERT(http_client_new(bad[i], &client, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST(escaping) {
        _cleanup_buf_ Buf out = {};

        http_escape(&out, "a b/c?d=é~");
        ASSERT_STR(out.data, "a%20b%2Fc%3Fd%3D%C3%A9~");
}

TEST_MAIN()
