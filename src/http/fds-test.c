/* fds-test.c: descriptors that come along with requests, to a live server over a socket pair: whose
 * they are, and that none is left open. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "http/server.h"

/* How many descriptors came, and the sizes of their files. */
static void answer_fds(HttpExchange *exchange) {
        _cleanup_buf_ Buf text = { 0 };
        Error err = { 0 };
        int fds[HTTP_FDS_MAX];
        size_t count = 0;
        int r = http_request_body(exchange, 10000, &text, &err);

        buf_clear(&text);
        if (r >= 0)
                r = http_request_fds(exchange, fds, &count, &err);
        if (r < 0) {
                http_answer(exchange, 400, "text/plain", err.message, strlen(err.message));
                return;
        }
        buf_format(&text, "%zu:", count);
        for (size_t i = 0; i < count; i++) {
                struct stat info = { 0 };
                bool closes = fcntl(fds[i], F_GETFD) == FD_CLOEXEC;

                (void)fstat(fds[i], &info);
                buf_format(&text, " %lld%s", (long long)info.st_size, closes ? "" : "!");
                close_fd(&fds[i]);
        }
        http_answer(exchange, 200, "text/plain", text.data, text.length);
}

/* /fds takes them, /body reads its body, everything else is answered with its path. */
static void handle(void *data, HttpExchange *exchange) {
        const char *path = http_request_head(exchange)->path;
        _cleanup_buf_ Buf body = { 0 };

        (void)data;
        if (str_equal(path, "/fds")) {
                answer_fds(exchange);
                return;
        }
        if (str_equal(path, "/body") && http_request_body(exchange, 1000, &body, NULL) < 0)
                return;
        http_answer(exchange, 200, "text/plain", path, strlen(path));
}

typedef struct Live {
        Loop *loop;
        HttpServer *server;
        int fd; /* the client's end */
} Live;

/* The connection is there; the server does not read it yet. Returns the server's end. */
static int live_prepare(Live *live) {
        HttpServerOptions options = { .handler = handle };
        int pair[2];

        (void)signal(SIGPIPE, SIG_IGN);
        if (loop_new(&live->loop, NULL) < 0 ||
            http_server_new(live->loop, &options, &live->server, NULL) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        live->fd = pair[0];
        return pair[1];
}

static void live_begin(Live *live) {
        int fd = live_prepare(live);

        http_server_serve(live->server, fd);
}

static void live_close(Live *live) {
        close_fd(&live->fd);
        if (!http_server_stop(live->server, 20 * NSEC_PER_SEC))
                abort();
        live->server = http_server_free(live->server);
        live->loop = loop_free(live->loop);
}

/* Everything until the server closes, and a '.' for its end. */
static char *read_rest(int fd) {
        Buf text = { 0 };

        (void)fd_read_all(fd, 1000000, &text);
        buf_add_char(&text, '.');
        return text.data;
}

static size_t open_fds(void) {
        _cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
        size_t count = 0;

        while (dir && readdir(dir))
                count++;
        return count;
}

/* A file of that many bytes, which has no name. */
static int file_of(size_t size) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                abort();
        return fd;
}

/* Sends text with `count` descriptors of files of 1, 2, 3… bytes. */
static bool send_text(int fd, const char *text, size_t count) {
        int fds[FDS_MAX] = { 0 };
        bool sent;

        for (size_t i = 0; i < count; i++)
                fds[i] = file_of(i + 1);
        sent = fd_send(fd, text, strlen(text), fds, count) == 0;
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        return sent;
}

#define HOST "Host: d\r\n"
#define POST_FDS "POST /fds HTTP/1.1\r\n" HOST

typedef struct Sent {
        const char *text;
        size_t count; /* of descriptors */
} Sent;

/* All messages are in the socket before the server reads it. The caller's. */
static char *talk_with_fds(const Sent *messages, size_t count) {
        Live live = { 0 };
        int fd = live_prepare(&live);
        char *answer;

        for (size_t i = 0; i < count; i++)
                if (!send_text(live.fd, messages[i].text, messages[i].count))
                        abort();
        (void)shutdown(live.fd, SHUT_WR);
        http_server_serve(live.server, fd);
        answer = read_rest(live.fd);
        live_close(&live);
        return answer;
}

static size_t count_of(const char *text, const char *part) {
        size_t count = 0;

        while ((text = strstr(text, part)) != NULL) {
                count++;
                text += strlen(part);
        }
        return count;
}

TEST(fds_taken_and_closed) {
        static const struct {
                Sent messages[3];
                size_t count;
                const char *first, *last; /* of the answers */
        } cases[] = {
                { { { POST_FDS "\r\n", 2 } }, 1, "200 OK", "\r\n2: 1 2." },
                { { { POST_FDS "\r\n", HTTP_FDS_MAX } }, 1, "200 OK", " 31 32." },
                { { { POST_FDS "\r\n", 0 } }, 1, "200 OK", "\r\n0:." },
                { { { "\r\n" POST_FDS "\r\n", 1 } }, 1, "200 OK", "\r\n1: 1." },
                /* A head and a body in pieces: what comes with the first counts. */
                { { { "POST /f", 1 },
                    { "ds HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na", 2 },
                    { "b", 0 } },
                  3,
                  "200 OK",
                  "\r\n1: 1." },
                /* A route that takes none, and with more than there may be. */
                { { { "GET /a HTTP/1.1\r\n" HOST "\r\n", 3 } }, 1, "200 OK", "\r\n/a." },
                { { { POST_FDS "\r\n", HTTP_FDS_MAX + 1 } },
                  1,
                  "400 Bad Request",
                  "open files\"}\n." },
                /* Joined by the kernel: nobody can tell whose they are. */
                { { { POST_FDS "\r\n", 0 }, { POST_FDS "\r\n", 1 } },
                  2,
                  "400 Bad Request",
                  "\r\n0:." },
                { { { "GET /a HTTP/1.1\r\n" HOST "\r\n", 0 }, { POST_FDS "\r\n", 1 } },
                  2,
                  "200 OK",
                  "\r\n0:." },
                { { { "GET /a HTTP/1.1\r\n" HOST "\r\n" POST_FDS "\r\n", 1 } },
                  1,
                  "200 OK",
                  "\r\n0:." },
                /* Not joined: a message with descriptors ends what is read at once. */
                { { { POST_FDS "\r\n", 1 }, { POST_FDS "\r\n", 2 } }, 2, "200 OK", "\r\n2: 1 2." },
                { { { "GET /a HTTP/1.1\r\n" HOST "\r\n", 1 }, { POST_FDS "\r\n", 0 } },
                  2,
                  "200 OK",
                  "\r\n0:." },
        };
        size_t before = open_fds();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = talk_with_fds(cases[i].messages, cases[i].count);

                ASSERT(str_after(text + 9, cases[i].first));
                ASSERT(str_ends(text, cases[i].last));
                ASSERT_INT(open_fds(), before);
        }
}

/* The first request's body ends in the message before that of the second's descriptors: joined or
 * not, they are the second's. */
TEST(fds_behind_a_body) {
        char head[] = "POST /body HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n";
        size_t before = open_fds();
        Sent messages[] = { { head, 0 }, { "abc", 1 }, { POST_FDS "\r\n", 2 } };
        Sent joined[] = { { head, 1 }, { "abc", 0 }, { POST_FDS "\r\n", 2 } };
        _cleanup_free_ char *text = talk_with_fds(messages, 3);
        _cleanup_free_ char *other = talk_with_fds(joined, 3);

        ASSERT_INT(count_of(text, "200 OK"), 2);
        ASSERT(str_ends(text, "\r\n2: 1 2."));
        ASSERT(str_ends(other, "\r\n0:.")); /* the first request's were not taken yet */
        ASSERT_INT(open_fds(), before);
}

TEST(fds_kept_apart_on_one_connection) {
        Live live = { 0 };
        char text[1000];
        size_t before = open_fds(), open;

        live_begin(&live);
        open = open_fds();
        for (size_t i = 0; i < 3; i++) {
                ssize_t n;

                ASSERT(send_text(live.fd, POST_FDS "\r\n", i));
                n = recv(live.fd, text, sizeof(text) - 1, 0);
                ASSERT(n > 0);
                text[n] = '\0';
                ASSERT_INT(strstr(text, "\r\n\r\n")[4] - '0', i);
        }
        ASSERT_INT(open_fds(), open);
        live_close(&live);
        ASSERT_INT(open_fds(), before);
}

TEST(fds_without_room) {
        Live live = { 0 };
        struct rlimit limit, less;
        int fillers[256];
        size_t count = 0;
        _cleanup_free_ char *text = NULL;
        size_t before = open_fds();
        int fds[2] = { file_of(1), file_of(2) };

        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
        less = (struct rlimit){ 200, limit.rlim_max };
        live_begin(&live);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &less), 0);
        while (count < ELEMENTS(fillers) &&
               (fillers[count] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
                count++;
        close_fd(&fillers[--count]); /* room for one of the two */
        ASSERT_INT(fd_send(live.fd, POST_FDS "\r\n", strlen(POST_FDS "\r\n"), fds, 2), 0);
        text = read_rest(live.fd);
        while (count > 0)
                close_fd(&fillers[--count]);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
        close_fd(&fds[0]);
        close_fd(&fds[1]);
        live_close(&live);
        ASSERT(str_after(text, "HTTP/1.1 400 Bad Request\r\n"));
        ASSERT_INT(open_fds(), before);
}

TEST_MAIN()
