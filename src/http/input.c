/* input.c: see input.h. */
#include "http/input.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

#define FILL_SIZE (64 * 1024)
#define CHUNK_LINE_MAX 1024
#define TRAILER_MAX 8192

void http_input_use(HttpInput *input, size_t length) {
        input->start += length;
        if (input->start < input->buf.length)
                return;
        input->start = 0;
        if (input->buf.capacity > 2 * FILL_SIZE)
                buf_done(&input->buf);
        else
                buf_clear(&input->buf);
}

/* ---- descriptors ---- */

static void close_fds(HttpInput *input) {
        for (size_t i = 0; i < input->fd_count; i++)
                close_fd(&input->fds[i]);
        input->fd_count = 0;
}

/* Takes the descriptors out of a message that brought bytes [from, to) of the stream. One message's
 * are kept; what another brings before they are taken is nobody's. */
static void keep_fds(HttpInput *input, struct msghdr *message, int64_t from, int64_t to) {
        bool room = input->fd_count == 0;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
             header = CMSG_NXTHDR(message, header)) {
                size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < count; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
                        if (room && input->fd_count < HTTP_FDS_MAX)
                                input->fds[input->fd_count++] = fd;
                        else
                                close_fd(&fd);
                }
                if (room) {
                        input->fds_from = from;
                        input->fds_to = to;
                }
        }
}

int http_input_take_fds(HttpInput *input, int fds[HTTP_FDS_MAX]) {
        int count = (int)input->fd_count;

        if (count == 0 || input->begun_at < input->fds_from || input->begun_at >= input->fds_to)
                return 0;
        /* Another request began in what they came with. */
        if (http_input_position(input) < input->fds_to) {
                close_fds(input);
                return -EINVAL;
        }
        memcpy(fds, input->fds, sizeof(int) * input->fd_count);
        input->fd_count = 0;
        return count;
}

void http_input_next(HttpInput *input) {
        /* What came behind the last request's first byte, and reaches into the next request, is
         * that one's; whatever else is left was not taken. */
        if (input->fds_from <= input->begun_at || input->fds_to <= http_input_position(input))
                close_fds(input);
        if (http_input_left(input) > 0)
                return;
        buf_done(&input->buf);
        input->start = 0;
}

void http_input_done(HttpInput *input) {
        close_fds(input);
        buf_done(&input->buf);
        input->start = 0;
}

/* ---- bytes ---- */

/* recv(2) with MSG_DONTWAIT, and what came along. */
static ssize_t receive(HttpInput *input) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * HTTP_FDS_MAX)];
        } control;
        struct iovec part = { input->buf.data + input->buf.length,
                              input->buf.capacity - input->buf.length - 1 };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t n = recvmsg(input->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return -errno;
        if (message.msg_controllen > 0)
                keep_fds(input, &message, input->received, input->received + n);
        if (message.msg_flags & MSG_CTRUNC) {
                close_fds(input);
                return -EMFILE;
        }
        input->buf.length += (size_t)n;
        input->received += n;
        return n;
}

/* 1 once fd can be read, or a negative errno. */
static int wait_readable(const HttpInput *input, int64_t deadline) {
        for (;;) {
                struct pollfd polls[2] = { { .fd = input->fd, .events = POLLIN },
                                           { .fd = input->watch_fd } };
                int64_t left = deadline ? deadline - clock_monotonic() : -1;
                int r;

                if (deadline && left <= 0)
                        return -ETIMEDOUT;
                r = poll(polls, input->watch_fd >= 0 ? 2 : 1,
                         deadline ? (int)(left / NSEC_PER_MSEC + 1) : -1);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0)
                        continue;
                if (polls[1].revents & (POLLHUP | POLLERR | POLLNVAL))
                        return -EPIPE;
                if (polls[0].revents)
                        return 1;
        }
}

ssize_t http_input_fill(HttpInput *input, size_t want, int64_t deadline) {
        if (input->fd < 0)
                return 0;
        if (input->start > 0) {
                buf_drop_front(&input->buf, input->start);
                input->start = 0;
        }
        buf_reserve(&input->buf, want);
        for (;;) {
                /* The head is there as a rule by the time that a thread runs: try first. */
                ssize_t n = receive(input);

                if (n == -EINTR)
                        continue;
                if (n != -EAGAIN)
                        return n;
                n = wait_readable(input, deadline);
                if (n < 0)
                        return n;
        }
}

void http_body_init(HttpBody *body, HttpInput *input, const HttpHead *head) {
        *body = (HttpBody){ .input = input, .chunked = head->chunked, .left = head->length };
        if (head->chunked)
                body->state = BODY_CHUNK_SIZE;
        else
                body->state = head->length > 0 ? BODY_DATA : BODY_END;
}

static int fill(HttpBody *body, int64_t deadline) {
        size_t want = body->chunked || body->left > FILL_SIZE ? FILL_SIZE : (size_t)body->left;
        ssize_t n = http_input_fill(body->input, want, deadline);

        return n == 0 ? -ECONNRESET : (int)n;
}

/* One line of the framing, without its CRLF, into *ret (borrowed until the next fill); its full
 * length is *ret_use. */
static int read_line(HttpBody *body, size_t limit, int64_t deadline, const char **ret,
                     size_t *ret_length) {
        HttpInput *input = body->input;

        for (;;) {
                const char *data = http_input_data(input);
                size_t left = http_input_left(input);
                const char *end = left ? memchr(data, '\n', left) : NULL;

                if (end) {
                        if (end == data || end[-1] != '\r')
                                return -EBADMSG;
                        *ret = data;
                        *ret_length = (size_t)(end - data) - 1;
                        return *ret_length > limit ? -EBADMSG : 0;
                }
                if (left > limit + 1) /* the CR may be here before the LF is */
                        return -EBADMSG;
                int r = fill(body, deadline);
                if (r < 0)
                        return r;
        }
}

/* chunk-size [;extensions]; extensions mean nothing to us. */
static int parse_chunk_size(const char *line, size_t length, int64_t *ret) {
        size_t i = 0;
        int64_t size = 0;

        for (; i < length; i++) {
                char c = line[i];
                int digit = c >= '0' && c <= '9'   ? c - '0'
                            : c >= 'a' && c <= 'f' ? c - 'a' + 10
                            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                   : -1;

                if (digit < 0)
                        break;
                if (i == 15)
                        return -EBADMSG;
                size = size << 4 | digit;
        }
        if (i == 0)
                return -EBADMSG;
        for (size_t rest = i; rest < length; rest++) {
                if (line[rest] == ';')
                        break;
                if (line[rest] != ' ' && line[rest] != '\t')
                        return -EBADMSG;
        }
        for (; i < length; i++)
                if ((unsigned char)line[i] < ' ' && line[i] != '\t')
                        return -EBADMSG;
        *ret = size;
        return 0;
}

static int next_chunk(HttpBody *body, int64_t deadline) {
        const char *line;
        size_t length;
        int r = read_line(body, CHUNK_LINE_MAX, deadline, &line, &length);

        if (r < 0)
                return r;
        r = parse_chunk_size(line, length, &body->left);
        if (r < 0)
                return r;
        http_input_use(body->input, length + 2);
        body->state = body->left > 0 ? BODY_DATA : BODY_TRAILER;
        return 0;
}

static int end_chunk(HttpBody *body, int64_t deadline) {
        const char *line;
        size_t length;
        int r = read_line(body, 0, deadline, &line, &length);

        if (r < 0)
                return r;
        http_input_use(body->input, 2);
        body->state = BODY_CHUNK_SIZE;
        return 0;
}

/* Trailer fields are read and dropped. */
static int skip_trailer(HttpBody *body, int64_t deadline) {
        const char *line;
        size_t length;
        int r = read_line(body, TRAILER_MAX, deadline, &line, &length);

        if (r < 0)
                return r;
        body->trailer_bytes += length + 2;
        if (body->trailer_bytes > TRAILER_MAX)
                return -EBADMSG;
        http_input_use(body->input, length + 2);
        if (length == 0)
                body->state = BODY_END;
        return 0;
}

static ssize_t read_data(HttpBody *body, void *data, size_t length, int64_t deadline) {
        size_t n;

        if (http_input_left(body->input) == 0) {
                int r = fill(body, deadline);

                if (r < 0)
                        return r;
        }
        n = MIN(http_input_left(body->input), length);
        n = (int64_t)n > body->left ? (size_t)body->left : n;
        memcpy(data, http_input_data(body->input), n);
        http_input_use(body->input, n);
        body->left -= (int64_t)n;
        if (body->left == 0)
                body->state = body->chunked ? BODY_CHUNK_END : BODY_END;
        return (ssize_t)n;
}

ssize_t http_body_read(HttpBody *body, void *data, size_t length, int64_t deadline) {
        static int (*const steps[])(HttpBody *, int64_t) = {
                [BODY_CHUNK_SIZE] = next_chunk,
                [BODY_CHUNK_END] = end_chunk,
                [BODY_TRAILER] = skip_trailer,
        };

        while (body->state != BODY_END) {
                int r;

                if (body->state == BODY_DATA)
                        return read_data(body, data, length, deadline);
                r = steps[body->state](body, deadline);
                if (r < 0)
                        return r;
        }
        return 0;
}
