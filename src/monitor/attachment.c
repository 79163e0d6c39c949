/* attachment.c: one client's socket: frames out, input and detach keys in. streams.c decides what
 * is read from the process and when. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/base64.h"
#include "base/bug.h"
#include "base/fd.h"
#include "monitor/detach.h"
#include "monitor/frame.h"
#include "monitor/streams.h"

/* What is read from a client at a time. */
#define INPUT_CHUNK 4096

bool attachment_waiting(const Attachment *attachment) {
        return !attachment->dead && attachment->pending.length > 0;
}

bool attachment_dead(const Attachment *attachment) {
        return attachment->dead;
}

/* The client's input ended, by its half-close or with the client itself. As dockerd has it: input
 * that must not end with its client leaves the process alone, and the client's output ends. */
static void end_input(Attachment *attachment) {
        if (attachment->input_ended)
                return;
        attachment->input_ended = true;
        if (!attachment->want_stdin)
                return;
        if (attachment->streams->stdin_once && !attachment->streams->terminal)
                streams_close_stdin(attachment->streams);
        else
                attachment_end(attachment);
}

/* Nothing can be written any more. */
static void lose_client(Attachment *attachment) {
        attachment->gone = true;
        buf_done(&attachment->pending);
        attachment->source = loop_remove(attachment->source);
        if (!attachment->want_stdin || attachment->input_ended)
                attachment->dead = true;
}

/* Hands input on; true if the detach keys were among it. */
static bool pass_input(Attachment *attachment, const void *data, size_t length) {
        _cleanup_buf_ Buf rest = {};
        bool detached;

        if (!attachment->keys) {
                streams_input(attachment->streams, data, length);
                return false;
        }
        detached = detach_keys_filter(attachment->keys, data, length, &rest);
        if (rest.length > 0)
                streams_input(attachment->streams, rest.data, rest.length);
        return detached;
}

static void detach(Attachment *attachment) {
        attachment->input_ended = true;
        attachment_end(attachment);
        if (attachment->streams->on_detach)
                attachment->streams->on_detach(attachment->streams->data);
}

/* One read. False where there is nothing to read now. */
static bool read_input(Attachment *attachment) {
        char data[INPUT_CHUNK];
        ssize_t n = recv(attachment->fd, data, sizeof(data), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n > 0) {
                if (pass_input(attachment, data, (size_t)n))
                        detach(attachment);
                return true;
        }
        end_input(attachment);
        if (n < 0 || attachment->gone)
                lose_client(attachment);
        return true;
}

static bool reads_input(const Attachment *attachment) {
        return attachment->want_stdin && !attachment->input_ended && !attachment->dead &&
               streams_takes_input(attachment->streams);
}

static void write_pending(Attachment *attachment) {
        Buf *pending = &attachment->pending;
        ssize_t n =
                send(attachment->fd, pending->data, pending->length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                lose_client(attachment);
        if (n <= 0)
                return;
        if ((size_t)n < pending->length)
                buf_drop_front(pending, (size_t)n);
        else
                buf_done(pending); /* an idle monitor keeps no buffer */
        if (pending->length == 0 && attachment->ending)
                attachment->dead = true;
}

static void on_client(void *data, int fd, uint32_t events) {
        Attachment *attachment = data;
        Streams *streams = attachment->streams;

        (void)fd;
        if ((events & EPOLLIN) && reads_input(attachment))
                (void)read_input(attachment);
        if ((events & EPOLLOUT) && attachment_waiting(attachment))
                write_pending(attachment);
        if (events & (EPOLLHUP | EPOLLERR))
                lose_client(attachment);
        streams_update(streams);
}

int attachment_new(Streams *streams, int client_fd, const MonitorRequest *request, Attachment **ret,
                   Error *err) {
        _cleanup_free_ char *early = NULL;
        size_t early_length = 0;
        Attachment *attachment;
        DetachKeys keys;
        int fd, r = detach_keys_parse(request->detach_keys, &keys, err);

        if (r == 0 && request->early)
                r = base64_decode(request->early, &early, &early_length, err);
        if (r < 0)
                return r;
        fd = fcntl(client_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return error_set(err, errno, "duplicate a client's socket");
        attachment = NEW(Attachment);
        *attachment = (Attachment){
                .streams = streams,
                .fd = fd,
                .want_stdin = request->want_stdin,
                .want_stdout = request->want_stdout,
                .want_stderr = request->want_stderr,
                .multiplex = request->multiplex,
        };
        if (streams->terminal && request->want_stdin)
                attachment->keys = alloc_copy(&keys, sizeof(keys));
        if (early_length > 0 && request->want_stdin && pass_input(attachment, early, early_length))
                detach(attachment);
        *ret = attachment;
        return 0;
}

/* brigd's copy of the descriptor may still be open, so the end is said, not left to close. Input
 * that nobody read would turn that end into a reset, so it is read. */
static void close_client(int fd) {
        char data[INPUT_CHUNK];
        ssize_t n;

        (void)shutdown(fd, SHUT_RDWR);
        for (size_t total = 0; total < STREAMS_PENDING_MAX; total += (size_t)n) {
                n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
                if (n <= 0)
                        return;
        }
}

Attachment *attachment_free(Attachment *attachment) {
        if (!attachment)
                return NULL;
        loop_remove(attachment->source);
        close_client(attachment->fd);
        close_fd(&attachment->fd);
        buf_done(&attachment->pending);
        free(attachment->keys);
        free(attachment);
        return NULL;
}

void attachment_end(Attachment *attachment) {
        attachment->ending = true;
        if (attachment->pending.length == 0)
                attachment->dead = true;
}

/* Keeps what the socket did not take. */
static void keep_pending(Attachment *attachment, const struct iovec *parts, size_t sent) {
        for (size_t i = 0; i < 2; i++) {
                size_t skipped = MIN(sent, parts[i].iov_len);

                buf_add(&attachment->pending, (const char *)parts[i].iov_base + skipped,
                        parts[i].iov_len - skipped);
                sent -= skipped;
        }
        if (attachment->pending.length > STREAMS_PENDING_MAX && !BUG("exec-flood"))
                lose_client(attachment);
}

void attachment_output(Attachment *attachment, int stream, const void *data, size_t length) {
        unsigned char header[FRAME_HEADER];
        struct iovec parts[2] = { { header, 0 }, { (void *)data, length } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
        ssize_t n = 0;

        if (attachment->dead || attachment->gone || attachment->ending ||
            !(stream == 1 ? attachment->want_stdout : attachment->want_stderr))
                return;
        if (attachment->multiplex) {
                frame_header(header, stream, length);
                parts[0].iov_len = sizeof(header);
        }
        if (attachment->pending.length == 0)
                n = sendmsg(attachment->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                lose_client(attachment);
        else if ((size_t)MAX(n, 0) < parts[0].iov_len + length)
                keep_pending(attachment, parts, (size_t)MAX(n, 0));
}

void attachment_update(Attachment *attachment) {
        uint32_t events = attachment_waiting(attachment) ? EPOLLOUT : 0;
        Error err = {};

        /* A hung-up socket is not watched, as epoll would report it for ever: it is read here. */
        while (attachment->gone && reads_input(attachment) && read_input(attachment))
                continue;
        if (attachment->gone || attachment->dead)
                return;
        if (reads_input(attachment))
                events |= EPOLLIN;
        if (!attachment->source && events == 0 && BUG("attaches"))
                return; /* its end is seen by nobody */
        if (!attachment->source) {
                if (loop_add_fd(attachment->streams->loop, attachment->fd, events, on_client,
                                attachment, &attachment->source, &err) < 0)
                        attachment->dead = true;
        } else if (events != attachment->events)
                (void)loop_change_fd(attachment->source, events);
        attachment->events = events;
}
