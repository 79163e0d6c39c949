/* stream.c: clients that ask over TCP: two bytes of length, a message, and the same back (RFC 1035,
 * 4.2.2). One question of a connection at a time. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/resolver-private.h"

#define IDLE (10 * NSEC_PER_SEC)
#define LISTEN_AGAIN (250 * NSEC_PER_MSEC)

struct Stream {
        Attachment *attachment;
        Stream *previous, *next;
        int fd;
        LoopSource *source, *timer;
        Buf in, out;
        bool busy;     /* a question is being answered */
        bool ended;    /* the client has said all */
        bool handling; /* on the stack: freed by who is there */
        bool closed;
};

static void free_stream(Stream *stream) {
        Attachment *attachment = stream->attachment;

        forward_cancel(attachment, stream);
        loop_remove(stream->source);
        loop_remove(stream->timer);
        close_fd(&stream->fd);
        if (stream->previous)
                stream->previous->next = stream->next;
        else
                attachment->streams = stream->next;
        if (stream->next)
                stream->next->previous = stream->previous;
        attachment->stream_count--;
        (*resolver_stream_count(attachment->resolver))--;
        buf_done(&stream->in);
        buf_done(&stream->out);
        free(stream);
}

static void on_idle(void *data) {
        Stream *stream = data;

        stream->timer = NULL;
        free_stream(stream);
}

static void restart_timer(Stream *stream) {
        loop_remove(stream->timer);
        stream->timer = loop_add_timer(resolver_loop(stream->attachment->resolver),
                                       clock_monotonic() + IDLE, on_idle, stream);
}

/* False if the connection is lost. */
static bool flush(Stream *stream) {
        while (stream->out.length) {
                ssize_t sent = send(stream->fd, stream->out.data, stream->out.length,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);

                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return errno == EAGAIN;
                buf_drop_front(&stream->out, (size_t)sent);
        }
        return true;
}

/* Answers the questions that are complete, as long as each is answered at once. */
static void handle_questions(Stream *stream) {
        while (!stream->busy && !stream->out.length && stream->in.length >= 2) {
                size_t length = dns_id((uint8_t *)stream->in.data); /* two bytes, like an id */
                _cleanup_free_ uint8_t *message = NULL;
                Client client = { .stream = stream };

                if (stream->in.length - 2 < length)
                        return;
                message = alloc_copy(stream->in.data + 2, length);
                buf_drop_front(&stream->in, length + 2);
                stream->busy = true;
                client_ask(stream->attachment, &client, message, length);
        }
}

/* Does what can be done; frees the stream when nothing is left. */
static void advance(Stream *stream) {
        uint32_t events;

        stream->handling = true;
        do {
                stream->closed |= !flush(stream);
                if (!stream->closed)
                        handle_questions(stream);
        } while (!stream->closed && stream->out.length && !stream->busy && flush(stream) &&
                 !stream->out.length);
        stream->handling = false;
        if (stream->closed || (stream->ended && !stream->busy && !stream->out.length)) {
                free_stream(stream);
                return;
        }
        events = stream->out.length ? EPOLLOUT : stream->busy || stream->ended ? 0 : EPOLLIN;
        (void)loop_change_fd(stream->source, events);
        restart_timer(stream);
}

static void on_stream(void *data, int fd, uint32_t events) {
        Stream *stream = data;
        uint8_t bytes[4096];

        if (events & EPOLLIN) {
                ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

                if (length > 0)
                        buf_add(&stream->in, bytes, (size_t)length);
                else if (length == 0)
                        stream->ended = true;
                else if (errno != EAGAIN && errno != EINTR)
                        stream->closed = true;
        } else if (events & (EPOLLHUP | EPOLLERR)) {
                stream->closed = true;
        }
        advance(stream);
}

void stream_answer(Stream *stream, const void *data, size_t length) {
        uint8_t size[2] = { (uint8_t)(length >> 8), (uint8_t)length };

        buf_add(&stream->out, size, sizeof(size));
        buf_add(&stream->out, data, length);
        stream->busy = false;
        if (!stream->handling)
                advance(stream);
}

static void add_stream(Attachment *attachment, int fd) {
        Stream *stream = NEW(Stream);

        *stream = (Stream){ .attachment = attachment, .fd = fd, .next = attachment->streams };
        if (stream->next)
                stream->next->previous = stream;
        attachment->streams = stream;
        attachment->stream_count++;
        (*resolver_stream_count(attachment->resolver))++;
        if (loop_add_fd(resolver_loop(attachment->resolver), fd, EPOLLIN, on_stream, stream,
                        &stream->source, NULL) < 0)
                free_stream(stream);
        else
                restart_timer(stream);
}

static void on_listen_again(void *data);

static void listen_later(Attachment *attachment) {
        attachment->tcp_source = loop_remove(attachment->tcp_source);
        attachment->tcp_timer =
                loop_add_timer(resolver_loop(attachment->resolver),
                               clock_monotonic() + LISTEN_AGAIN, on_listen_again, attachment);
}

static void on_listen_again(void *data) {
        Attachment *attachment = data;

        attachment->tcp_timer = NULL;
        if (stream_listen(attachment, NULL) < 0)
                listen_later(attachment);
}

static void on_connection(void *data, int listen_fd, uint32_t events) {
        Attachment *attachment = data;
        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        (void)events;
        if (fd >= 0 && attachment->stream_count < STREAMS_MAX_EACH &&
            *resolver_stream_count(attachment->resolver) < STREAMS_MAX) {
                add_stream(attachment, fd);
        } else if (fd >= 0) {
                close_fd(&fd);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                /* Without a descriptor it stays readable, and the thread would turn without end. */
                listen_later(attachment);
        }
}

int stream_listen(Attachment *attachment, Error *err) {
        return loop_add_fd(resolver_loop(attachment->resolver), attachment->tcp_fd, EPOLLIN,
                           on_connection, attachment, &attachment->tcp_source, err);
}

void stream_close_all(Attachment *attachment) {
        while (attachment->streams)
                free_stream(attachment->streams); /* NOLINT: it makes the next the first */
}
