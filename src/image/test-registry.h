/* test-registry.h: for pull-test and push-test: a registry of a few canned answers on a free port
 * of 127.0.0.1, served by a thread, one connection a request. */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

typedef struct TestRequest {
        const char *method;
        const char *path;                           /* with the query */
        const char *authorization, *range, *accept; /* or NULL */
        const char *content_range, *content_type;   /* or NULL */
        const char *body;
        size_t body_length; /* less than was announced where body_max of the registry cut it */
} TestRequest;

typedef struct TestRegistry TestRegistry;
/* Writes a whole answer, status line to body, to out. */
typedef void (*TestAnswerFn)(TestRegistry *registry, const TestRequest *request, Buf *out);

struct TestRegistry {
        int fd;
        int port;
        pthread_t thread;
        TestAnswerFn answer;
        void *data;
        pthread_mutex_t lock;
        char **log;      /* "path authorization" of each request */
        size_t body_max; /* a request's body is read so far, then the connection breaks; once; 0:
                            never */
        bool broke;
};

static inline void test_answer(Buf *out, const char *status, const char *headers, const void *body,
                               size_t length) {
        buf_format(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
                   length, headers);
        buf_add(out, body, length);
}

/* The header's value, the caller's; NULL: absent. */
static inline char *test_header(char *head, const char *name) {
        char *line = strcasestr(head, name);

        if (!line)
                return NULL;
        return str_copy_n(line + strlen(name), strcspn(line + strlen(name), "\r"));
}

static inline void test_dispatch(TestRegistry *registry, char *head, const Buf *body, Buf *out) {
        const char *start = strchrnul(head, '/');
        _cleanup_free_ char *path = str_copy_n(start, strcspn(start, " "));
        _cleanup_free_ char *authorization = test_header(head, "\r\nAuthorization: ");
        _cleanup_free_ char *range = test_header(head, "\r\nRange: ");
        _cleanup_free_ char *accept = test_header(head, "\r\nAccept: ");
        _cleanup_free_ char *method = str_copy_n(head, strcspn(head, " "));
        _cleanup_free_ char *content_range = test_header(head, "\r\nContent-Range: ");
        _cleanup_free_ char *content_type = test_header(head, "\r\nContent-Type: ");
        const TestRequest request = { method,       path,       authorization,
                                      range,        accept,     content_range,
                                      content_type, body->data, body->length };

        (void)pthread_mutex_lock(&registry->lock);
        strv_format(&registry->log, "%s %s", path, authorization ? authorization : "-");
        registry->answer(registry, &request, out);
        (void)pthread_mutex_unlock(&registry->lock);
}

/* The head, NUL-terminated, with what came behind it in body; false: there was none. */
static inline bool test_read_head(int fd, char *head, size_t size, Buf *body) {
        size_t length = 0;

        while (length < size - 1) {
                ssize_t n = read(fd, head + length, size - 1 - length);
                char *end;

                if (n <= 0)
                        return false;
                length += (size_t)n;
                head[length] = '\0';
                end = memmem(head, length, "\r\n\r\n", 4);
                if (!end)
                        continue;
                buf_add(body, end + 4, length - (size_t)(end + 4 - head));
                end[2] = '\0';
                return true;
        }
        return false;
}

/* How much of a body is read; 0: all. Under the lock, as the test sets it. */
static inline size_t test_body_max(TestRegistry *registry) {
        size_t max;

        (void)pthread_mutex_lock(&registry->lock);
        max = registry->body_max;
        (void)pthread_mutex_unlock(&registry->lock);
        return max;
}

static inline void test_broke(TestRegistry *registry) {
        (void)pthread_mutex_lock(&registry->lock);
        registry->body_max = 0;
        registry->broke = true;
        (void)pthread_mutex_unlock(&registry->lock);
}

/* False: the connection shall break. */
static inline bool test_read_body(TestRegistry *registry, int fd, char *head, Buf *body) {
        _cleanup_free_ char *text = test_header(head, "\r\nContent-Length: ");
        const size_t max = test_body_max(registry);
        int64_t length = 0;

        if (text && str_to_int64(text, &length) < 0)
                return false;
        while ((int64_t)body->length < length) {
                char piece[16384];
                ssize_t n = read(fd, piece, sizeof(piece));

                if (n <= 0)
                        break;
                buf_add(body, piece, (size_t)n);
                if (max > 0 && body->length > max)
                        break;
        }
        if (max == 0 || body->length <= max)
                return true;
        body->length = max;
        test_broke(registry);
        return false;
}

static inline void test_serve(TestRegistry *registry, int fd) {
        _cleanup_buf_ Buf out = {}, body = {};
        char head[16384];
        bool whole;

        if (!test_read_head(fd, head, sizeof(head), &body))
                return;
        whole = test_read_body(registry, fd, head, &body);
        test_dispatch(registry, head, &body, &out);
        if (!whole)
                return;
        (void)fd_write_full(fd, out.data, out.length);
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, head, sizeof(head)) > 0)
                ;
}

static inline void *test_registry_run(void *data) {
        TestRegistry *registry = data;

        for (;;) {
                /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
                _cleanup_close_ int fd = accept4(registry->fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return NULL;
                test_serve(registry, fd);
        }
}

static inline int test_listen(int *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                abort();
        *ret_port = ntohs(address.sin_port);
        return fd;
}

/* What the answers depend upon is changed and read between these two: the thread answers under the
 * same lock. */
static inline void test_registry_lock(TestRegistry *registry) {
        (void)pthread_mutex_lock(&registry->lock);
}

static inline void test_registry_unlock(TestRegistry *registry) {
        (void)pthread_mutex_unlock(&registry->lock);
}

/* In place: the thread keeps its address. */
static inline void test_registry_start(TestRegistry *registry, TestAnswerFn answer, void *data) {
        *registry =
                (TestRegistry){ .answer = answer, .data = data, .lock = PTHREAD_MUTEX_INITIALIZER };
        registry->fd = test_listen(&registry->port);
        if (pthread_create(&registry->thread, NULL, test_registry_run, registry) != 0)
                abort();
}

static inline void test_registry_stop(TestRegistry *registry) {
        if (!registry->answer)
                return;
        (void)shutdown(registry->fd, SHUT_RDWR);
        (void)pthread_join(registry->thread, NULL);
        close_fd(&registry->fd);
        registry->log = strv_free(registry->log);
        registry->answer = NULL;
}
