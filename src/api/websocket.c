/* websocket.c: attach over a WebSocket (RFC 6455): the handshake, and a thread that carries bytes
 * between the client's frames and one end of a socket pair, whose other end is the engine's. So
 * such a stream goes through the daemon and ends with it, which a plain attach does not. */
#include "http/websocket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "api/stream.h"
#include "base/clock.h"
#include "base/fd.h"

#define OUTPUT_CHUNK ((size_t)16 * 1024) /* of a frame */
#define INPUT_CHUNK ((size_t)4 * 1024)
/* Answers to pings may wait behind output; the client is read no further then. */
#define WAITING_MAX ((size_t)64 * 1024)
/* Together they are less than the ten seconds that a daemon which stops waits for its calls. */
#define LAST_WORDS_MS (5 * 1000)      /* for who takes nothing of what is left */
#define LAST_INPUT (2 * NSEC_PER_SEC) /* for a process to take what a client sent that has left */
#define FAREWELL (2 * NSEC_PER_SEC)   /* until the client has closed, too */
#define RELAY_STACK ((size_t)128 * 1024)

typedef struct Relay {
        int client_fd; /* the connection's, borrowed */
        int stream_fd; /* ours of the pair */
        WebsocketOpcode opcode;
        Websocket websocket;
        Buf to_client, to_stream;
        bool closing; /* the close frame is the last of to_client */
        bool lost;    /* the client takes nothing any more */
        int64_t left; /* monotonic: when it was seen that it sends no more, while what it sent last
                         waits; else 0 */
} Relay;

/* ---- frames ---- */

static void add_frame(Relay *relay, WebsocketOpcode opcode, const void *data, size_t length) {
        unsigned char header[WEBSOCKET_HEADER_MAX];

        buf_add(&relay->to_client, header, websocket_header(header, opcode, length));
        buf_add(&relay->to_client, data, length);
}

static void add_close(Relay *relay, unsigned code, const char *why) {
        char text[WEBSOCKET_CONTROL_MAX];
        size_t length = 0;

        if (code != WEBSOCKET_NO_CODE) {
                text[0] = (char)(code >> 8);
                text[1] = (char)code;
                length = 2 + strnlen(why, sizeof(text) - 2);
                memcpy(text + 2, why, length - 2);
        }
        add_frame(relay, WEBSOCKET_CLOSE, text, length);
        relay->closing = true;
}

static void on_event(Relay *relay, const WebsocketEvent *event) {
        if (event->kind == WEBSOCKET_DATA)
                buf_add(&relay->to_stream, event->data, event->length);
        else if (event->kind == WEBSOCKET_PINGED)
                add_frame(relay, WEBSOCKET_PONG, event->data, event->length);
        else if (event->kind == WEBSOCKET_CLOSED)
                add_close(relay, event->code, "");
        else if (event->kind == WEBSOCKET_ERROR)
                add_close(relay, event->code, event->why);
}

static void take_frames(Relay *relay, char *bytes, size_t length) {
        size_t used = 0;

        while (used < length && !relay->closing) {
                WebsocketEvent event;

                used += websocket_read(&relay->websocket, bytes + used, length - used, &event);
                on_event(relay, &event);
        }
}

/* ---- the relay ---- */

static bool would_block(ssize_t n) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void read_client(Relay *relay) {
        char bytes[INPUT_CHUNK];
        ssize_t n = recv(relay->client_fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (would_block(n))
                return;
        if (n > 0)
                take_frames(relay, bytes, (size_t)n);
        else if (n == 0)
                add_close(relay, WEBSOCKET_GOING_AWAY, ""); /* it left, or the daemon stops */
        else
                relay->lost = true;
}

static void read_stream(Relay *relay) {
        char bytes[OUTPUT_CHUNK];
        ssize_t n = recv(relay->stream_fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (would_block(n))
                return;
        if (n > 0)
                add_frame(relay, relay->opcode, bytes, (size_t)n);
        else
                add_close(relay, WEBSOCKET_NORMAL, "");
}

/* As much as fd takes; false where it takes nothing any more. */
static bool write_some(int fd, Buf *buf) {
        ssize_t n = send(fd, buf->data, buf->length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (would_block(n))
                return true;
        if (n < 0)
                return false;
        buf_drop_front(buf, (size_t)n);
        return true;
}

/* The descriptor, or -1: one that nothing is asked of would tell its hang-up for ever. */
static struct pollfd watched(int fd, int events) {
        return (struct pollfd){ .fd = events ? fd : -1, .events = (short)events };
}

/* Milliseconds until what waits is given up, -1: it is not. */
static int patience(const Relay *relay) {
        int64_t rest;

        if (relay->closing)
                return LAST_WORDS_MS;
        if (relay->left == 0)
                return -1;
        rest = relay->left + LAST_INPUT - clock_monotonic();
        return (int)(MAX(rest, (int64_t)0) / NSEC_PER_MSEC);
}

static void step(Relay *relay) {
        bool input = relay->to_stream.length > 0, output = relay->to_client.length > 0;
        bool reads = !relay->closing && !input && relay->to_client.length < WAITING_MAX;
        int leaves = relay->closing || relay->left ? 0 : POLLRDHUP; /* told once */
        struct pollfd fds[] = {
                watched(relay->client_fd, (reads ? POLLIN : leaves) | (output ? POLLOUT : 0)),
                watched(relay->stream_fd,
                        (!relay->closing && !output ? POLLIN : 0) | (input ? POLLOUT : 0)),
        };
        int wait = patience(relay), n = poll(fds, 2, wait);

        if (n == 0 || wait == 0 || (n < 0 && errno != EINTR))
                relay->lost = true;
        if (relay->lost || n < 0)
                return;
        if (reads)
                relay->left = 0;
        else if (leaves && (fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)))
                relay->left = clock_monotonic();
        /* What the process does not take any more is dropped. */
        if (input && fds[1].revents && !write_some(relay->stream_fd, &relay->to_stream))
                buf_clear(&relay->to_stream);
        if (output && (fds[0].revents & (POLLOUT | POLLERR | POLLHUP)) &&
            !write_some(relay->client_fd, &relay->to_client))
                relay->lost = true;
        if (!input && (fds[0].events & POLLIN) && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)))
                read_client(relay);
        if (!relay->closing && (fds[1].events & POLLIN) && fds[1].revents)
                read_stream(relay);
}

/* Reads to the client's end: what nobody read would become a reset that overtakes our last frame.
 */
static void await_end(int fd) {
        int64_t end = clock_monotonic() + FAREWELL;
        char bytes[INPUT_CHUNK];

        (void)shutdown(fd, SHUT_WR);
        for (;;) {
                int64_t left = (end - clock_monotonic()) / NSEC_PER_MSEC;
                struct pollfd client = { .fd = fd, .events = POLLIN };

                if (left <= 0 || poll(&client, 1, (int)left) <= 0 ||
                    recv(fd, bytes, sizeof(bytes), 0) <= 0)
                        return;
        }
}

static void *run_relay(void *data) {
        Relay *relay = data;

        while (!relay->lost &&
               !(relay->closing && relay->to_client.length == 0 && relay->to_stream.length == 0))
                step(relay);
        /* The process's input ends and its output has no reader any more, as of a plain attach. */
        close_fd(&relay->stream_fd);
        if (!relay->lost)
                await_end(relay->client_fd);
        return NULL;
}

/* ---- the handshake ---- */

/* Sets what the answer to the handshake says (RFC 6455, 4.2). */
static int shake_hands(ApiRequest *request, Error *err) {
        const HttpHead *head = request->head;
        const char *key = http_head_get(head, "Sec-WebSocket-Key");
        const char *protocols = http_head_get(head, "Sec-WebSocket-Protocol");
        char accept[WEBSOCKET_ACCEPT_SIZE];

        if (!http_head_has_token(head, "Upgrade", "websocket") ||
            !http_head_has_token(head, "Connection", "upgrade") || head->minor < 1)
                return error_kind(err, ERROR_INVALID,
                                  "attach/ws wants a WebSocket: the fields 'Connection: Upgrade' "
                                  "and 'Upgrade: websocket'");
        if (!str_equal(http_head_get(head, "Sec-WebSocket-Version"), "13")) {
                http_header(request->exchange, "Sec-WebSocket-Version", "13");
                return error_kind(err, ERROR_INVALID,
                                  "Sec-WebSocket-Version: version 13 is spoken (RFC 6455)");
        }
        if (!key || !websocket_accept(key, accept))
                return error_kind(err, ERROR_INVALID,
                                  "Sec-WebSocket-Key: sixteen bytes in base64 are wanted");
        http_header(request->exchange, "Sec-WebSocket-Accept", accept);
        /* Whatever it is called, it is a stream of bytes. */
        if (protocols) {
                _cleanup_free_ char *first = str_copy_n(protocols, strcspn(protocols, ", \t"));

                http_header(request->exchange, "Sec-WebSocket-Protocol", first);
        }
        return 0;
}

/* ---- attach ---- */

typedef struct SocketAttachment {
        ApiRequest *request;
        Relay relay;
        pthread_t thread;
        bool running;
} SocketAttachment;

static int start_relay(SocketAttachment *attachment, Error *err) {
        pthread_attr_t attributes;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, RELAY_STACK);
        r = pthread_create(&attachment->thread, &attributes, run_relay, &attachment->relay);
        (void)pthread_attr_destroy(&attributes);
        attachment->running = r == 0;
        return r == 0 ? 0 : error_set(err, r, "start a thread for a WebSocket");
}

/* The stream begins. What came behind the request goes first: nobody has the relay yet. */
static int open_socket(void *data, Error *err) {
        SocketAttachment *attachment = data;
        HttpExchange *exchange = attachment->request->exchange;
        _cleanup_buf_ Buf early = { 0 };
        int r = http_switch(exchange, "websocket", err);

        if (r < 0)
                return r;
        http_early_bytes(exchange, &early);
        take_frames(&attachment->relay, early.data, early.length);
        return start_relay(attachment, err);
}

/* From 1.42 each stream is asked for; before, a WebSocket has them all, as dockerd has it. */
static bool wants(const ApiRequest *request, const char *stream) {
        return request->version < 42 || api_flag(request, stream);
}

static int attach(ApiRequest *request, SocketAttachment *attachment, int engine_fd, Error *err) {
        const char *keys = api_query(request, "detachKeys");
        const AttachOptions options = {
                .logs = api_flag(request, "logs"),
                .stream = api_flag(request, "stream"),
                .stdin_ = wants(request, "stdin"),
                .stdout_ = wants(request, "stdout"),
                .stderr_ = wants(request, "stderr"),
                .raw = true,
                .detach_keys = str_empty(keys) ? NULL : keys,
                .ready = open_socket,
                .ready_data = attachment,
        };
        int r = engine_container_attach(request->engine, api_name(request), &options, engine_fd,
                                        err);

        if (r < 0 && attachment->running)
                api_stream_error(engine_fd, true, err);
        return r;
}

int on_container_attach_ws(ApiRequest *request, Error *err) {
        SocketAttachment attachment = {
                .request = request,
                .relay = { .client_fd = http_request_socket(request->exchange),
                           .opcode = request->version >= 28 ? WEBSOCKET_BINARY : WEBSOCKET_TEXT },
        };
        _cleanup_close_ int engine_fd = -1;
        bool tty;
        int pair[2];
        int r = engine_container_attach_check(request->engine, api_name(request), &tty, err);

        if (r >= 0)
                r = shake_hands(request, err);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair for a WebSocket");
        attachment.relay.stream_fd = pair[0];
        engine_fd = pair[1];
        r = attach(request, &attachment, engine_fd, err);
        close_fd(&engine_fd);
        if (attachment.running)
                (void)pthread_join(attachment.thread, NULL);
        close_fd(&attachment.relay.stream_fd);
        buf_done(&attachment.relay.to_client);
        buf_done(&attachment.relay.to_stream);
        return attachment.running ? 0 : r;
}
