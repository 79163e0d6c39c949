/* http-test.c: heads, bodies and queries as text; then a live server over socket pairs. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "http/input.h"
#include "http/query.h"
#include "http/server.h"

/* ---- heads ---- */

static char head_text[4096];

static int parse(const char *text, HttpHead *head, const char **why) {
        size_t length = strlen(text);

        memcpy(head_text, text, length + 1);
        return http_head_parse(head_text, length, head, why);
}

TEST(head) {
        HttpHead head;
        const char *why = NULL;

        ASSERT_INT(parse("POST /v1.41/a%20b?x=1&y HTTP/1.1\r\nHost: d\r\nX-Y:  v w \r\n"
                         "Content-Length: 12\r\nConnection: Upgrade, close\r\n\r\n",
                         &head, &why),
                   0);
        ASSERT_INT(head.method, HTTP_POST);
        ASSERT_STR(head.path, "/v1.41/a b");
        ASSERT_STR(head.query, "x=1&y");
        ASSERT_STR(http_head_get(&head, "x-y"), "v w");
        ASSERT_INT(head.length, 12);
        ASSERT(!head.keep_alive);
        ASSERT(http_head_has_token(&head, "connection", "upgrade"));
        ASSERT(!http_head_has_token(&head, "connection", "clos"));
        ASSERT_INT(parse("GET http://d/x HTTP/1.0\r\n\r\n", &head, &why), 0);
        ASSERT_STR(head.path, "/x");
        ASSERT(!head.keep_alive);
}

TEST(head_refused) {
        static const struct {
                int status;
                const char *text;
        } cases[] = {
                { 400, "GET / HTTP/1.1\r\n\r\n" }, /* no Host */
                { 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n" },
                { 400,
                  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n" },
                { 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
                { 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                       "Transfer-Encoding: identity\r\n\r\n" },
                { 400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" },
                { 400, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n" },
                { 400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n" },
                { 400, "GET /%g1 HTTP/1.1\r\nHost: a\r\n\r\n" },
                { 400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n" },
                { 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n" },
                { 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n" },
                { 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n" },
                { 417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                HttpHead head;
                const char *why = NULL;

                ASSERT_INT(parse(cases[i].text, &head, &why), cases[i].status);
                ASSERT(why);
        }
}

TEST(head_end) {
        size_t scanned = 0;

        ASSERT_INT(http_head_end("GET / HTTP/1.1\r\n\r", 17, &scanned), 0);
        ASSERT_INT(http_head_end("GET / HTTP/1.1\r\n\r\nrest", 22, &scanned), 18);
}

/* ---- bodies ---- */

/* Reads a body of `text` into buf; 0 or the error. */
static int read_body(const char *text, HttpHead head, Buf *buf, size_t *ret_left) {
        HttpInput input = { .fd = -1, .watch_fd = -1 };
        HttpBody body;
        ssize_t n;
        char piece[7];

        buf_add(&input.buf, text, strlen(text));
        http_body_init(&body, &input, &head);
        while ((n = http_body_read(&body, piece, sizeof(piece), 0)) > 0)
                buf_add(buf, piece, (size_t)n);
        *ret_left = http_input_left(&input);
        http_input_done(&input);
        return (int)n;
}

TEST(body_chunked) {
        _cleanup_buf_ Buf buf = { 0 };
        size_t left;

        ASSERT_INT(read_body("5\r\nhello\r\n00a;x=\"y\"\r\n, chunked!\r\n0\r\nA: b\r\n\r\nnext",
                             (HttpHead){ .chunked = true }, &buf, &left),
                   0);
        ASSERT_STR(buf.data, "hello, chunked!");
        ASSERT_INT(left, 4);
}

TEST(body_chunked_refused) {
        static const struct {
                int error;
                const char *text;
        } cases[] = {
                { -EBADMSG, "x\r\n" },
                { -EBADMSG, "-1\r\nab\r\n" },
                { -EBADMSG, "5 5\r\nhello\r\n" },
                { -EBADMSG, "5\nhello\r\n" },
                { -EBADMSG, "5\r\nhelloX\r\n" },
                { -EBADMSG, "ffffffffffffffffff\r\n" },
                { -ECONNRESET, "5\r\nhel" },
                { -ECONNRESET, "5\r\nhello\r\n" },
                /* Not wrong yet: a line's end may come in two parts. */
                { -ECONNRESET, "5\r\nhello\r" },
                { -ECONNRESET, "5\r" },
                { -ECONNRESET, "0\r\n\r" },
                { -ECONNRESET, "0\r\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf buf = { 0 };
                size_t left;

                ASSERT_INT(read_body(cases[i].text, (HttpHead){ .chunked = true }, &buf, &left),
                           cases[i].error);
        }
}

TEST(body_length) {
        _cleanup_buf_ Buf buf = { 0 };
        size_t left;

        ASSERT_INT(read_body("helloGET", (HttpHead){ .length = 5 }, &buf, &left), 0);
        ASSERT_STR(buf.data, "hello");
        ASSERT_INT(left, 3);
        ASSERT_INT(read_body("hel", (HttpHead){ .length = 5 }, &buf, &left), -ECONNRESET);
}

TEST(query) {
        HttpQuery query = { 0 };
        Error err = { 0 };
        _cleanup_strv_ char **all = NULL;
        int64_t number = 7;

        ASSERT_OK(http_query_parse("a=1&b=x%2Fy+z&&a=2&c&d=False&e=none&n=12&m=x", &query, &err),
                  &err);
        ASSERT_STR(http_query_get(&query, "b"), "x/y z");
        all = http_query_all(&query, "a");
        ASSERT_INT(strv_length(all), 2);
        ASSERT(http_query_bool(&query, "a", false));
        ASSERT(!http_query_bool(&query, "c", true));
        ASSERT(!http_query_bool(&query, "d", true));
        ASSERT(!http_query_bool(&query, "e", true));
        ASSERT(http_query_bool(&query, "none-such", true));
        ASSERT_OK(http_query_int(&query, "n", &number, &err), &err);
        ASSERT_INT(number, 12);
        ASSERT(http_query_int(&query, "m", &number, &err) < 0);
        http_query_done(&query);
        ASSERT(http_query_parse("a=%", &query, &err) < 0);
        http_query_done(&query);
}

/* ---- a live server ---- */

static void answer_body(HttpExchange *exchange) {
        _cleanup_buf_ Buf body = { 0 };
        Error err = { 0 };

        if (http_request_body(exchange, 1000, &body, &err) < 0)
                http_answer(exchange, 400, "text/plain", err.message, strlen(err.message));
        else
                http_answer(exchange, 200, "text/plain", body.data, body.length);
}

static void answer_stream(HttpExchange *exchange) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf body = { 0 };
        Error err = { 0 };
        char text[32];
        int r = http_request_body_fd(exchange, &fd, &err);

        if (r >= 0)
                r = fd_read_all(fd, 100000000, &body);
        (void)snprintf(text, sizeof(text), "%d %zu", r, body.length);
        (void)http_begin(exchange, 200, "text/plain");
        (void)http_write(exchange, text, strlen(text));
}

static void answer_hijack(HttpExchange *exchange) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf early = { 0 };
        Error err = { 0 };

        http_early_bytes(exchange, &early);
        if (http_hijack(exchange, "application/x", &fd, &err) < 0)
                return;
        (void)fd_write_full(fd, early.data, early.length);
        (void)fd_write_full(fd, "!", 1);
}

/* Waits until the client is gone, as engine calls do with a cancel_fd. */
static void answer_follow(HttpExchange *exchange) {
        char byte;

        (void)http_begin(exchange, 200, "text/plain");
        while (recv(http_request_socket(exchange), &byte, 1, MSG_PEEK) > 0)
                ;
        (void)http_write(exchange, "end", 3);
}

#define LONG_ANSWER (600 * 1024)   /* more than a socket holds, less than a wide one */
#define WIDE_ROOM (1024 * 1024)    /* of a wide one */
#define WIDER_ROOM (2 * WIDE_ROOM) /* what another may hold before */

static sem_t written, finish; /* all zero is a semaphore of 0 */
static int room;              /* of a connection's socket, once it is written */

static int room_of(int fd) {
        int size = 0;
        socklen_t length = sizeof(size);

        (void)getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
        return size;
}

static void answer_long(HttpExchange *exchange) {
        _cleanup_free_ char *text = alloc_zero(1, LONG_ANSWER);

        memset(text, '.', LONG_ANSWER);
        (void)http_begin(exchange, 200, "text/plain");
        (void)http_write(exchange, text, LONG_ANSWER);
        (void)sem_post(&written);
}

static void answer_held(HttpExchange *exchange) {
        answer_long(exchange);
        (void)sem_wait(&finish);
}

/* More than any socket holds, to nobody. */
static void answer_endless(HttpExchange *exchange) {
        const struct timeval limit = { .tv_usec = 1000 };
        static const char text[4096];
        int fd = http_request_socket(exchange);

        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        (void)http_begin(exchange, 200, "text/plain");
        while (http_write(exchange, text, sizeof(text)) == 0)
                ;
        room = room_of(fd);
        (void)sem_post(&written);
}

static void answer_taken(HttpExchange *exchange) {
        _cleanup_close_ int fd = -1;

        room = http_hijack(exchange, "application/x", &fd, NULL) == 0 ? room_of(fd) : -1;
        (void)sem_post(&written);
}

static void handle(void *data, HttpExchange *exchange) {
        static const struct {
                const char *path;
                void (*answer)(HttpExchange *exchange);
        } paths[] = {
                { "/body", answer_body },     { "/stream", answer_stream },
                { "/hijack", answer_hijack }, { "/follow", answer_follow },
                { "/long", answer_long },     { "/held", answer_held },
                { "/taken", answer_taken },   { "/endless", answer_endless },
        };
        const char *path = http_request_head(exchange)->path;

        (void)data;
        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (str_equal(paths[i].path, path)) {
                        paths[i].answer(exchange);
                        return;
                }
        if (str_equal(path, "/break")) {
                (void)http_begin(exchange, 200, "text/plain");
                (void)http_write(exchange, "half", 4);
                http_abort(exchange);
                return;
        }
        http_answer(exchange, 200, "text/plain", path, strlen(path));
}

typedef struct Live {
        Loop *loop;
        HttpServer *server;
        int fd; /* the client's end */
} Live;

static void live_open(Live *live, const HttpServerOptions *options) {
        HttpServerOptions own = *options;
        int pair[2];

        (void)signal(SIGPIPE, SIG_IGN);
        own.handler = handle;
        if (loop_new(&live->loop, NULL) < 0 ||
            http_server_new(live->loop, &own, &live->server, NULL) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        live->fd = pair[0];
        http_server_serve(live->server, pair[1]);
}

static void live_close(Live *live) {
        close_fd(&live->fd);
        if (!http_server_stop(live->server, 20 * NSEC_PER_SEC))
                abort();
        live->server = http_server_free(live->server);
        live->loop = loop_free(live->loop);
}

/* Everything until the server closes, with the Date lines cut out. */
static char *read_rest(int fd) {
        Buf text = { 0 };
        char *date;

        (void)fd_read_all(fd, 1000000, &text);
        buf_add_char(&text, ' ');
        while ((date = strstr(text.data, "Date: ")) != NULL)
                memmove(date, strchr(date, '\n') + 1, strlen(strchr(date, '\n') + 1) + 1);
        return text.data;
}

static char *talk(const char *text, const HttpServerOptions *options) {
        Live live = { 0 };
        char *answer;

        live_open(&live, options);
        (void)fd_write_full(live.fd, text, strlen(text));
        (void)shutdown(live.fd, SHUT_WR);
        answer = read_rest(live.fd);
        live_close(&live);
        return answer;
}

#define HOST "Host: d\r\n"

static const HttpServerOptions defaults = { 0 };

TEST(live_pipelined) {
        _cleanup_free_ char *answer =
                talk("GET /a HTTP/1.1\r\n" HOST "\r\n"
                     "POST /body HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
                     "HEAD /b HTTP/1.1\r\n" HOST "\r\n"
                     "POST /c HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nunread"
                     "POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                     "2\r\nho\r\n0\r\n\r\n"
                     "GET /last HTTP/1.0\r\n\r\n",
                     &defaults);

        ASSERT_STR(answer,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n/a"
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n/c"
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nho"
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                   "Content-Length: 5\r\n\r\n/last ");
}

TEST(live_continue) {
        _cleanup_free_ char *answer = talk("POST /body HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                                           "Content-Length: 2\r\nConnection: close\r\n\r\nhi",
                                           &defaults);

        ASSERT(str_after(answer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
        ASSERT(str_ends(answer, "\r\n\r\nhi "));
}

TEST(live_refused) {
        _cleanup_free_ char *smuggled =
                talk("POST /a HTTP/1.1\r\n" HOST "Content-Length: 4\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
                     &defaults);
        _cleanup_free_ char *big =
                talk("POST /body HTTP/1.1\r\n" HOST "Content-Length: 2000\r\n\r\nx", &defaults);
        _cleanup_buf_ Buf text = { 0 };

        ASSERT(str_after(smuggled, "HTTP/1.1 400 Bad Request\r\n"));
        ASSERT(!strstr(smuggled + 1, "HTTP/1.1"));
        ASSERT(str_after(big, "HTTP/1.1 400 Bad Request\r\n"));
        buf_add_str(&text, "GET /");
        while (text.length < HTTP_HEAD_MAX + 10)
                buf_add_str(&text, "aaaaaaaaaaaaaaaa");
        free(big);
        big = talk(text.data, &defaults);
        ASSERT(str_after(big, "HTTP/1.1 414 "));
        buf_clear(&text);
        buf_add_str(&text, "GET / HTTP/1.1\r\nX: ");
        while (text.length < HTTP_HEAD_MAX + 10)
                buf_add_str(&text, "aaaaaaaaaaaaaaaa");
        free(big);
        big = talk(text.data, &defaults);
        ASSERT(str_after(big, "HTTP/1.1 431 "));
}

TEST(live_chunked_answer) {
        _cleanup_free_ char *answer =
                talk("POST /stream HTTP/1.1\r\n" HOST
                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                     "GET /after HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
                     &defaults);

        ASSERT(str_after(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n3\r\n0 3\r\n0\r\n\r\n"));
        ASSERT(str_ends(answer, "\r\n\r\n/after "));
}

TEST(live_body_broken_off) {
        _cleanup_free_ char *answer =
                talk("POST /stream HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc", &defaults);
        _cleanup_free_ char *expected = str_format("\r\n%d 3\r\n", -ECONNRESET);

        ASSERT(strstr(answer, expected));
}

TEST(live_abort) {
        _cleanup_free_ char *answer = talk("GET /break HTTP/1.1\r\n" HOST "\r\n", &defaults);

        ASSERT(str_ends(answer, "\r\n\r\n4\r\nhalf\r\n "));
}

TEST(live_hijack) {
        _cleanup_free_ char *upgraded = talk("POST /hijack HTTP/1.1\r\n" HOST
                                             "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly",
                                             &defaults);
        _cleanup_free_ char *plain = talk("POST /hijack HTTP/1.1\r\n" HOST "\r\n", &defaults);

        ASSERT_STR(upgraded, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/x\r\n"
                             "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly! ");
        ASSERT_STR(plain, "HTTP/1.1 200 OK\r\nContent-Type: application/x\r\n\r\n! ");
}

TEST(live_stop_ends_streams) {
        Live live = { 0 };
        char head[512];
        _cleanup_free_ char *rest = NULL;

        live_open(&live, &defaults);
        (void)fd_write_full(live.fd, "GET /follow HTTP/1.1\r\n" HOST "\r\n", 33);
        ASSERT(recv(live.fd, head, sizeof(head), 0) > 0); /* sent at once */
        ASSERT(http_server_stop(live.server, 20 * NSEC_PER_SEC));
        rest = read_rest(live.fd);
        ASSERT_STR(rest, "3\r\nend\r\n0\r\n\r\n ");
        live_close(&live);
}

TEST(live_too_many) {
        Live live = { 0 };
        int pair[2];
        _cleanup_free_ char *answer = NULL;

        live_open(&live, &(HttpServerOptions){ .connections_max = 1 });
        ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        http_server_serve(live.server, pair[1]);
        answer = read_rest(pair[0]);
        ASSERT(str_after(answer, "HTTP/1.1 503 Service Unavailable\r\n"));
        close_fd(&pair[0]);
        live_close(&live);
}

#define WIDE 16 /* as many connections may hold a long answer */

static void ask(int fd, const char *path) {
        _cleanup_free_ char *request = str_format("GET %s HTTP/1.1\r\n" HOST "\r\n", path);

        (void)fd_write_full(fd, request, strlen(request));
}

/* A connection on which something was asked for: the client's end, and the server's, which holds
 * `size` bytes (0: as others do). */
static void ask_anew(const Live *live, const char *path, int size, int pair[2]) {
        const int half = size / 2; /* the kernel doubles it */

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
            (size && setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &half, sizeof(half)) < 0))
                abort();
        http_server_serve(live->server, pair[1]);
        ask(pair[0], path);
}

/* An answer was written, though nobody reads it. */
static bool was_written(void) {
        struct timespec end;

        (void)clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 30;
        while (sem_timedwait(&written, &end) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

/* Reads to what an answer ends with. */
static bool read_to(int fd, const char *end) {
        _cleanup_buf_ Buf text = { 0 };
        char piece[4096];

        while (!text.length || !str_ends(text.data, end)) {
                ssize_t n = recv(fd, piece, sizeof(piece), 0);

                if (n <= 0)
                        return false;
                buf_add(&text, piece, (size_t)n);
        }
        return true;
}

/* Root of a container may lack CAP_NET_ADMIN: then nothing is open. */
static bool open_to_widen(Live *live) {
        const int size = WIDE_ROOM / 2;

        live_open(live, &defaults);
        if (setsockopt(live->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
                return true;
        printf("# skipped: sockets stay as they are: SO_SNDBUFFORCE: %s\n", strerror(errno));
        live_close(live);
        return false;
}

/* Long answers are written though nobody reads them, of the first that ask; who comes meanwhile
 * reads it out of a socket like any other. Later others may have it: who stays connected keeps
 * nothing. */
TEST(live_long_answers) {
        Live live = { 0 };
        int pairs[WIDE + 2][2];

        if (!open_to_widen(&live))
                return;
        for (size_t i = 0; i < WIDE; i++) {
                ask_anew(&live, "/held", 0, pairs[i]);
                ASSERT(was_written());
                ASSERT(room_of(pairs[i][1]) >= WIDE_ROOM);
        }
        ask_anew(&live, "/long", 0, pairs[WIDE]);
        ASSERT(read_to(pairs[WIDE][0], "\r\n0\r\n\r\n"));
        ASSERT_INT(room_of(pairs[WIDE][1]), room_of(pairs[WIDE][0]));
        ASSERT(was_written());
        for (size_t i = 0; i < WIDE; i++)
                (void)sem_post(&finish);
        for (size_t i = 0; i < WIDE; i++) {
                ASSERT(read_to(pairs[i][0], "\r\n0\r\n\r\n"));
                ask(pairs[i][0], "/next");
                ASSERT(read_to(pairs[i][0], "/next"));
                ASSERT_INT(room_of(pairs[i][1]), room_of(pairs[i][0]));
        }
        ask_anew(&live, "/long", 0, pairs[WIDE + 1]);
        ASSERT(was_written());
        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                close_fd(&pairs[i][0]);
        live_close(&live);
}

/* Its head finds the socket full, and whoever has it then may have it for days. */
TEST(live_taken_as_usual) {
        Live live = { 0 };
        int pair[2];

        if (!open_to_widen(&live))
                return;
        ask_anew(&live, "/long", 0, pair);
        ask(pair[0], "/taken");
        ASSERT(was_written());
        ASSERT(was_written());
        ASSERT_INT(room, room_of(pair[0]));
        close_fd(&pair[0]);
        live_close(&live);
}

TEST(live_wider_than_wide) {
        Live live = { 0 };
        int pair[2];

        if (!open_to_widen(&live))
                return;
        ask_anew(&live, "/endless", WIDER_ROOM, pair);
        ASSERT(was_written());
        ASSERT_INT(room, WIDER_ROOM);
        close_fd(&pair[0]);
        live_close(&live);
}

TEST(live_timeouts) {
        Live live = { 0 };
        _cleanup_free_ char *answer = NULL;

        live_open(&live, &(HttpServerOptions){ .head_timeout = 10 * NSEC_PER_MSEC });
        (void)fd_write_full(live.fd, "GET / HT", 8);
        answer = read_rest(live.fd); /* ends, although this end stays open */
        ASSERT_STR(answer, " ");
        live_close(&live);
}

TEST_MAIN()
