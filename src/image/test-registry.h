/* test-registry.h: for pull-test: a registry of a few canned answers on a free port of 127.0.0.1,
 * served by a thread, one connection a request. */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

typedef struct TestRequest {
        const char *path;                           /* with the query */
        const char *authorization, *range, *accept; /* or NULL */
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
        char **log; /* "GET-path authorization" of each request */
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

static inline void test_dispatch(TestRegistry *registry, char *head, Buf *out) {
        const char *start = strchrnul(head, '/');
        _cleanup_free_ char *path = str_copy_n(start, strcspn(start, " "));
        _cleanup_free_ char *authorization = test_header(head, "\r\nAuthorization: ");
        _cleanup_free_ char *range = test_header(head, "\r\nRange: ");
        _cleanup_free_ char *accept = test_header(head, "\r\nAccept: ");
        const TestRequest request = { path, authorization, range, accept };

        (void)pthread_mutex_lock(&registry->lock);
        strv_format(&registry->log, "%s %s", path, authorization ? authorization : "-");
        registry->answer(registry, &request, out);
        (void)pthread_mutex_unlock(&registry->lock);
}

static inline void test_serve(TestRegistry *registry, int fd) {
        _cleanup_buf_ Buf out = {};
        char head[16384];
        size_t length = 0;

        while (length < sizeof(head) - 1) {
                ssize_t n = read(fd, head + length, sizeof(head) - 1 - length);

                if (n <= 0)
                        return;
                length += (size_t)n;
                head[length] = '\0';
                if (strstr(head, "\r\n\r\n"))
                        break;
        }
        test_dispatch(registry, head, &out);
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
