/* http-get-test.c: servers that never come to an end, and how long one waits before one asks again.
 */
#include "image/http-get.h"

#include <poll.h>

#include "base/clock.h"
#include "base/test.h"
#include "image/retry.h"
#include "image/test-registry.h"

#define SENT_MAX ((size_t)64 << 20)

/* Says `first`, then `more` without end, every `pause_ms`. */
typedef struct Server {
        int fd, port, pause_ms;
        const char *first, *more;
        size_t sent;
        pthread_t thread;
} Server;

static bool say(Server *server, int fd, const char *text) {
        size_t length = strlen(text);

        if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
                return false;
        server->sent += length;
        return true;
}

static void *serve(void *data) {
        Server *server = data;
        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
        _cleanup_close_ int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        struct pollfd client = { .fd = fd, .events = POLLRDHUP };
        char head[4096];

        if (fd < 0 || read(fd, head, sizeof(head)) <= 0 || !say(server, fd, server->first))
                return NULL;
        while (server->sent < SENT_MAX && poll(&client, 1, server->pause_ms) == 0 &&
               say(server, fd, server->more))
                ;
        return NULL;
}

/* The result of http_get, which has at most a second; *ret_sent: what the server could say. */
static int ask(const char *first, const char *more, int pause_ms, size_t *ret_sent, Error *err) {
        Server server = { .first = first, .more = more, .pause_ms = pause_ms };
        _cleanup_free_ char *url = NULL;
        CURL *curl = curl_easy_init();
        HttpGet get = { .within = 1, .no_registry = true };
        int r;

        server.fd = test_listen(&server.port);
        if (!curl || pthread_create(&server.thread, NULL, serve, &server) != 0)
                abort();
        url = str_format("http://127.0.0.1:%d/", server.port);
        get.url = url;
        r = http_get(curl, &get, err);
        http_get_done(&get);
        curl_easy_cleanup(curl);
        (void)pthread_join(server.thread, NULL);
        close_fd(&server.fd);
        *ret_sent = server.sent;
        return r;
}

TEST(a_document_that_comes_a_byte_at_a_time) {
        int64_t before = clock_monotonic();
        Error err = {};
        size_t sent;

        ASSERT(ask("HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n", "x", 20, &sent, &err) < 0);
        ASSERT(strstr(err.message, "request canceled"));
        ASSERT(clock_monotonic() - before < 20 * NSEC_PER_SEC);
}

/* It is libcurl that bounds them; one that does not (before 8.4 or its backports) would fill the
 * memory that there is. */
TEST(headers_without_end) {
        _cleanup_free_ char *value = alloc_zero(1, 8001);
        _cleanup_free_ char *line = NULL;
        Error err = {};
        size_t sent;

        memset(value, 'x', 8000);
        line = str_format("WWW-Authenticate: %s\r\n", value);
        ASSERT(ask("HTTP/1.1 401 Unauthorized\r\n", line, 0, &sent, &err) < 0);
        ASSERT(sent < SENT_MAX);
}

TEST(how_long_to_wait) {
        static const int64_t said[] = { -1, 0, 1, 59, 60, 61, INT64_MAX / 1000, INT64_MAX };
        static const int wanted[] = { 500, 500, 1000, 59000, 60000, 60000, 60000, 60000 };

        for (size_t i = 0; i < ELEMENTS(said); i++) {
                const HttpGet get = { .retry_after = said[i] };
                Retry retry = {};

                ASSERT_INT(retry_pause(&retry, &get), wanted[i]);
        }
}

TEST(as_often_as_is_said) {
        const HttpGet get = { .retry_after = 0 };
        Retry once = { .most = 1 };

        ASSERT(!retry_wait(&once, &get, 0));
        ASSERT_INT(once.attempts, 1);
}

TEST(waiting_grows_and_is_bounded) {
        const HttpGet get = { .retry_after = -1 };
        Retry retry = {};
        int last = 0;

        for (int i = 0; i < 40; i++) {
                int pause = retry_pause(&retry, &get);

                ASSERT(pause >= last && pause <= 60000);
                last = pause;
        }
        ASSERT_INT(last, 60000);
}

TEST_MAIN()
