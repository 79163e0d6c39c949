/* exchange.c: one request and its answer on a connection's thread; accepting and threads are in
 * server.c. */
#include "http/exchange.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"

#define PUMP_SIZE (64 * 1024)
#define BODY_STALL (60 * NSEC_PER_SEC) /* a document whose client says nothing for so long */
#define DRAIN_BYTES (64 * 1024 * 1024) /* what is read of a body that nobody wanted … */
#define DRAIN_TIME (2 * NSEC_PER_SEC)  /* … and for how long, so that the answer is not lost */
#define PUMP_STACK (128 * 1024)
#define HIJACK_SECONDS 10 /* for the head: the caller may hold locks that others wait for */

const HttpHead *http_request_head(const HttpExchange *exchange) {
        return &exchange->head;
}

int http_request_socket(const HttpExchange *exchange) {
        return exchange->fd;
}

HttpOrigin http_request_origin(const HttpExchange *exchange) {
        int domain = AF_UNIX;
        socklen_t size = sizeof(domain);

        if (exchange->relayed)
                return HTTP_RELAYED;
        (void)getsockopt(exchange->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        return domain == AF_UNIX ? HTTP_LOCAL : HTTP_TCP;
}

bool http_answered(const HttpExchange *exchange) {
        return exchange->begun;
}

/* ---- sending ---- */

/* All of it, or a negative errno; after that the connection is good for nothing. */
static int send_all(HttpExchange *exchange, struct iovec *parts, size_t count) {
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        int flags = MSG_NOSIGNAL | (exchange->usual_room ? 0 : MSG_DONTWAIT);

        while (message.msg_iovlen > 0) {
                ssize_t n = sendmsg(exchange->fd, &message, flags);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT)) {
                        http_exchange_widen(exchange);
                        flags = MSG_NOSIGNAL;
                        continue;
                }
                if (n < 0) {
                        exchange->keep = false;
                        return -errno;
                }
                while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
                        n -= (ssize_t)message.msg_iov->iov_len;
                        message.msg_iov++;
                        message.msg_iovlen--;
                }
                if (message.msg_iovlen > 0) {
                        message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
                        message.msg_iov->iov_len -= (size_t)n;
                }
        }
        return 0;
}

static int send_one(HttpExchange *exchange, const void *data, size_t length) {
        struct iovec part = { (void *)data, length };

        return send_all(exchange, &part, 1);
}

static const char *reason_of(int status) {
        static const struct {
                int status;
                const char *reason;
        } reasons[] = {
                { 200, "OK" },
                { 201, "Created" },
                { 204, "No Content" },
                { 304, "Not Modified" },
                { 400, "Bad Request" },
                { 401, "Unauthorized" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 409, "Conflict" },
                { 413, "Request Entity Too Large" },
                { 414, "Request URI Too Long" },
                { 417, "Expectation Failed" },
                { 431, "Request Header Fields Too Large" },
                { 500, "Internal Server Error" },
                { 501, "Not Implemented" },
                { 503, "Service Unavailable" },
                { 505, "HTTP Version Not Supported" },
        };

        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "Status";
}

static bool has_no_body(int status) {
        return status < 200 || status == 204 || status == 304;
}

void http_header(HttpExchange *exchange, const char *name, const char *value) {
        size_t length = 0;

        while ((unsigned char)value[length] >= ' ' && value[length] != 0x7f)
                length++;
        buf_format(&exchange->fields, "%s: %.*s\r\n", name, (int)length, value);
}

/* The head of the answer, but for its last empty line. */
static void write_head(HttpExchange *exchange, int status, const char *type, Buf *head) {
        struct timespec now;
        struct tm tm;
        char date[48];

        (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
        (void)gmtime_r(&now.tv_sec, &tm);
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        buf_format(head, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
        buf_add(head, exchange->fields.data, exchange->fields.length);
        if (type)
                buf_format(head, "Content-Type: %s\r\n", type);
        buf_format(head, "Date: %s\r\n", date);
        if (!exchange->keep)
                buf_add_str(head, "Connection: close\r\n");
        else if (exchange->head.minor == 0)
                buf_add_str(head, "Connection: keep-alive\r\n");
}

void http_answer(HttpExchange *exchange, int status, const char *type, const void *data,
                 size_t length) {
        _cleanup_buf_ Buf head = { 0 };
        struct iovec parts[2];

        if (exchange->begun)
                return;
        /* A client that waits for "100 Continue" will not send its body now. */
        if (exchange->head.expect_continue && !exchange->continue_sent)
                exchange->keep = false;
        exchange->begun = exchange->ended = true;
        write_head(exchange, status, type, &head);
        if (!has_no_body(status))
                buf_format(&head, "Content-Length: %zu\r\n", length);
        buf_add_str(&head, "\r\n");
        parts[0] = (struct iovec){ head.data, head.length };
        parts[1] = (struct iovec){ (void *)data, length };
        (void)send_all(
                exchange, parts,
                exchange->head.method == HTTP_HEAD || has_no_body(status) || length == 0 ? 1 : 2);
}

void http_answer_error(HttpExchange *exchange, int status, const char *message) {
        _cleanup_buf_ Buf body = { 0 };

        buf_format(&body, "{\"message\":\"%s\"}\n", message);
        http_answer(exchange, status, "application/json", body.data, body.length);
}

int http_begin(HttpExchange *exchange, int status, const char *type) {
        _cleanup_buf_ Buf head = { 0 };

        if (exchange->begun)
                return 0;
        exchange->begun = true;
        exchange->chunked = exchange->head.minor > 0;
        if (!exchange->chunked || (exchange->head.expect_continue && !exchange->continue_sent))
                exchange->keep = false;
        write_head(exchange, status, type, &head);
        if (exchange->chunked)
                buf_add_str(&head, "Transfer-Encoding: chunked\r\n");
        buf_add_str(&head, "\r\n");
        return send_one(exchange, head.data, head.length);
}

int http_write(HttpExchange *exchange, const void *data, size_t length) {
        char size[24];
        struct iovec parts[3] = { { size, 0 }, { (void *)data, length }, { (void *)"\r\n", 2 } };

        if (length == 0 || exchange->head.method == HTTP_HEAD)
                return 0;
        if (!exchange->chunked)
                return send_one(exchange, data, length);
        parts[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", length);
        return send_all(exchange, parts, 3);
}

void http_abort(HttpExchange *exchange) {
        exchange->begun = exchange->ended = true;
        exchange->keep = false;
        (void)shutdown(exchange->fd, SHUT_RDWR);
}

/* ---- the body ---- */

static int send_continue(HttpExchange *exchange) {
        static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (!exchange->head.expect_continue || exchange->continue_sent ||
            http_body_ended(&exchange->body))
                return 0;
        exchange->continue_sent = true;
        return send_one(exchange, line, sizeof(line) - 1);
}

static int body_error(HttpExchange *exchange, int r, Error *err) {
        exchange->keep = false;
        if (r == -EBADMSG)
                return error_kind(err, ERROR_INVALID, "malformed chunk in the request's body");
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_INVALID,
                                  "the request's body did not come within a minute");
        if (r == -EMFILE)
                return error_kind(
                        err, ERROR_INVALID,
                        "descriptors that came along with the request's body could not be "
                        "received");
        return error_set(err, -r, "read the request's body");
}

int http_request_body(HttpExchange *exchange, size_t limit, Buf *buf, Error *err) {
        char data[4096];
        int r = send_continue(exchange);

        if (r < 0)
                return body_error(exchange, r, err);
        for (;;) {
                ssize_t n = http_body_read(&exchange->body, data, sizeof(data),
                                           clock_monotonic() + BODY_STALL);

                if (n < 0)
                        return body_error(exchange, (int)n, err);
                if (n == 0)
                        return 0;
                if (buf->length + (size_t)n > limit) {
                        exchange->keep = false;
                        return error_kind(err, ERROR_INVALID,
                                          "the request's body is larger than %zu bytes", limit);
                }
                buf_add(buf, data, (size_t)n);
        }
}

int http_request_fds(HttpExchange *exchange, int fds[HTTP_FDS_MAX], size_t *ret, Error *err) {
        int count = http_input_take_fds(&exchange->input, fds);

        if (count < 0)
                return error_kind(
                        err, ERROR_INVALID,
                        "the descriptors that came along may be another request's: wait for "
                        "the answer before the next request is sent");
        *ret = (size_t)count;
        return 0;
}

static int write_pump(int fd, const char *data, size_t length) {
        while (length > 0) {
                ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                length -= (size_t)n;
        }
        return 0;
}

/* Feeds the socket pair from the body. The reader's end holds one byte of ours in the other
 * direction: closing before it was taken resets the stream, so a body that broke off is never
 * mistaken for a short one. */
static void *pump_body(void *data) {
        HttpExchange *exchange = data;
        _cleanup_free_ char *piece = alloc_zero(1, PUMP_SIZE);
        char mark;

        for (;;) {
                ssize_t n = http_body_read(&exchange->body, piece, PUMP_SIZE, 0);

                if (n == 0 && recv(exchange->pump_fd, &mark, 1, 0) < 0)
                        break;
                if (n <= 0 || write_pump(exchange->pump_fd, piece, (size_t)n) < 0)
                        break;
        }
        exchange->input.watch_fd = -1;
        close_fd(&exchange->pump_fd);
        return NULL;
}

static int start_pump(HttpExchange *exchange) {
        pthread_attr_t attributes;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, PUMP_STACK);
        r = pthread_create(&exchange->pump, &attributes, pump_body, exchange);
        (void)pthread_attr_destroy(&attributes);
        exchange->pumping = r == 0;
        return -r;
}

int http_request_body_fd(HttpExchange *exchange, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int pair[2], r;

        r = send_continue(exchange);
        if (r < 0)
                return body_error(exchange, r, err);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        fd = pair[0];
        exchange->pump_fd = exchange->input.watch_fd = pair[1];
        if (send(fd, "", 1, MSG_NOSIGNAL) != 1)
                return error_set(err, errno, "prepare the body's stream");
        r = start_pump(exchange);
        if (r < 0) {
                exchange->input.watch_fd = -1;
                close_fd(&exchange->pump_fd);
                return error_set(err, -r, "start a thread for the request's body");
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* True once the body is at its end. */
static bool drain(HttpExchange *exchange) {
        int64_t deadline = clock_monotonic() + DRAIN_TIME;
        char data[4096];
        size_t total = 0;

        while (total < DRAIN_BYTES) {
                ssize_t n = http_body_read(&exchange->body, data, sizeof(data), deadline);

                if (n <= 0)
                        return n == 0;
                total += (size_t)n;
        }
        return false;
}

void http_exchange_finish(HttpExchange *exchange) {
        if (exchange->pumping)
                (void)pthread_join(exchange->pump, NULL);
        exchange->pumping = false;
        if (exchange->fd < 0)
                return;
        if (!exchange->begun)
                http_answer_error(exchange, 500, "the request was not answered");
        if (exchange->chunked && !exchange->ended && exchange->head.method != HTTP_HEAD &&
            send_one(exchange, "0\r\n\r\n", 5) < 0)
                return;
        if (http_body_ended(&exchange->body))
                return;
        if (!exchange->keep)
                (void)shutdown(exchange->fd, SHUT_WR);
        if (!drain(exchange))
                exchange->keep = false;
}

void http_exchange_reset(HttpExchange *exchange) {
        buf_done(&exchange->text);
        buf_clear(&exchange->fields);
        exchange->continue_sent = exchange->begun = exchange->ended = exchange->chunked = false;
        http_input_next(&exchange->input);
}

/* ---- another protocol ---- */

void http_early_bytes(HttpExchange *exchange, Buf *early) {
        if (!http_body_ended(&exchange->body))
                return; /* they belong to the body */
        buf_add(early, http_input_data(&exchange->input), http_input_left(&exchange->input));
        http_input_use(&exchange->input, http_input_left(&exchange->input));
}

/* The caller may hold locks that others wait for: it waits for the client ten seconds. */
static int send_switch(HttpExchange *exchange, Buf *head, Error *err) {
        const struct timeval limit = { .tv_sec = HIJACK_SECONDS }, none = { 0 };
        int r;

        buf_add(head, exchange->fields.data, exchange->fields.length);
        buf_add_str(head, "\r\n");
        exchange->begun = exchange->ended = true;
        exchange->keep = false;
        (void)setsockopt(exchange->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        r = send_one(exchange, head->data, head->length);
        (void)setsockopt(exchange->fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
        return r < 0 ? error_set(err, -r, "answer") : 0;
}

static int refuse_body(const HttpExchange *exchange, Error *err) {
        if (http_body_ended(&exchange->body))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "a request that takes over its connection has no body");
}

int http_hijack(HttpExchange *exchange, const char *type, int *ret_fd, Error *err) {
        _cleanup_buf_ Buf head = { 0 };
        bool upgrade = http_head_get(&exchange->head, "Upgrade");
        int r = refuse_body(exchange, err);

        if (r < 0)
                return r;
        buf_format(&head, "HTTP/1.1 %s\r\n", upgrade ? "101 UPGRADED" : "200 OK");
        buf_format(&head, "Content-Type: %s\r\n", type);
        if (upgrade)
                buf_add_str(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
        r = send_switch(exchange, &head, err);
        if (r < 0)
                return r;
        *ret_fd = http_exchange_take(exchange);
        return 0;
}

int http_switch(HttpExchange *exchange, const char *protocol, Error *err) {
        _cleanup_buf_ Buf head = { 0 };
        int r = refuse_body(exchange, err);

        if (r < 0)
                return r;
        buf_format(&head,
                   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n",
                   protocol);
        return send_switch(exchange, &head, err);
}
