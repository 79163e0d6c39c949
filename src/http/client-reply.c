/* client-reply.c: the reply to a request of client.c: its head, its body (by length, in chunks, or
 * up to the end of the connection). RFC 9112, sections 4, 6 and 7. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <strings.h>
#include <unistd.h>

#include "http/client-private.h"

#define HEAD_MAX 65536
#define READ_SIZE 65536
#define LINE_MAX_BYTES 4096

typedef enum Framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE } Framing;

struct HttpReply {
        HttpClient *client;
        int fd;
        int status;
        Pairs headers; /* names in lower case */
        Framing framing;
        uint64_t left; /* of the body, or of the chunk */
        bool first_chunk, ended, close;
        Buf input; /* read from the socket, not yet given out */
};

/* Until there is something to read. */
static int await(const HttpReply *reply, Error *err) {
        struct pollfd fds[] = { { reply->fd, POLLIN, 0 },
                                { reply->client->give_up_fd, POLLIN, 0 } };
        bool over = reply->client->give_up_fd == HTTP_NOW;

        while ((over || fds[1].fd >= 0) && !fds[0].revents) {
                int r = poll(fds, over ? 1 : 2, over ? HTTP_GIVE_UP_S * 1000 : -1);

                if (r < 0 && errno != EINTR)
                        return error_set(err, errno, "poll");
                if (r == 0)
                        return error_set(err, EINTR, "%s does not answer", reply->client->name);
                over = over || (r > 0 && fds[1].revents);
        }
        return 0;
}

/* Reads more into input. 0 at the end of the connection. */
static ssize_t fill(HttpReply *reply, Error *err) {
        for (;;) {
                ssize_t got;
                int r = await(reply, err);

                if (r < 0)
                        return r;
                buf_reserve(&reply->input, READ_SIZE);
                got = read(reply->fd, reply->input.data + reply->input.length, READ_SIZE);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_set(err, errno, "read from %s", reply->client->name);
                reply->input.length += (size_t)got;
                return got;
        }
}

static int cut_off(Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE, "the daemon closed the connection: EOF");
}

/* Moves one line, without its end, from the input to line. */
static int read_line(HttpReply *reply, size_t limit, Buf *line, Error *err) {
        for (;;) {
                char *end = reply->input.length
                                    ? memchr(reply->input.data, '\n', reply->input.length)
                                    : NULL;
                ssize_t got;

                if (end) {
                        size_t length = (size_t)(end - reply->input.data);

                        buf_clear(line);
                        buf_add(line, reply->input.data,
                                length > 0 && end[-1] == '\r' ? length - 1 : length);
                        buf_drop_front(&reply->input, length + 1);
                        return 0;
                }
                if (reply->input.length > limit)
                        return error_kind(err, ERROR_INTERNAL,
                                          "malformed HTTP response: a line is too long");
                got = fill(reply, err);
                if (got <= 0)
                        return got < 0 ? (int)got : cut_off(err);
        }
}

static int read_status(HttpReply *reply, const char *line, Error *err) {
        const char *rest = str_after(line, "HTTP/1.");
        char digits[4] = "";

        if (rest && *rest && rest[1] == ' ')
                (void)snprintf(digits, sizeof(digits), "%.3s", rest + 2);
        if (str_to_int_in(digits, 100, 599, &reply->status) < 0)
                return error_kind(err, ERROR_INTERNAL,
                                  "malformed HTTP response \"%.60s\": is this a container engine?",
                                  line);
        return 0;
}

static int read_head(HttpReply *reply, Error *err) {
        _cleanup_buf_ Buf line = {};
        size_t total = 0;
        int r;

        r = read_line(reply, LINE_MAX_BYTES, &line, err);
        if (r == 0)
                r = read_status(reply, line.length ? line.data : "", err);
        if (r < 0)
                return r;
        for (;;) {
                char *colon;

                r = read_line(reply, HEAD_MAX, &line, err);
                if (r < 0)
                        return r;
                total += line.length;
                if (line.length == 0)
                        return 0;
                colon = strchr(line.data, ':');
                if (!colon || total > HEAD_MAX)
                        return error_kind(err, ERROR_INTERNAL,
                                          "malformed HTTP response: bad header");
                *colon = '\0';
                pairs_put(&reply->headers, str_lower(line.data), str_trim(colon + 1));
        }
}

static int choose_framing(HttpReply *reply, bool is_head, Error *err) {
        const char *length = pairs_get(&reply->headers, "content-length");
        const char *encoding = pairs_get(&reply->headers, "transfer-encoding");
        const char *connection = pairs_get(&reply->headers, "connection");

        reply->close = connection && strcasecmp(connection, "close") == 0;
        if (is_head || reply->status == 204 || reply->status == 304 || reply->status < 200) {
                reply->framing = FRAMING_NONE;
        } else if (encoding && strcasecmp(encoding, "chunked") == 0) {
                reply->framing = FRAMING_CHUNKED;
                reply->first_chunk = true;
        } else if (length) {
                reply->framing = FRAMING_LENGTH;
                if (str_to_uint64(length, &reply->left) < 0)
                        return error_kind(err, ERROR_INTERNAL,
                                          "malformed HTTP response: content length '%s'", length);
        } else {
                reply->framing = FRAMING_CLOSE;
        }
        reply->ended = reply->framing == FRAMING_NONE ||
                       (reply->framing == FRAMING_LENGTH && reply->left == 0);
        return 0;
}

int reply_new(HttpClient *client, int fd, bool is_head, HttpReply **ret, Error *err) {
        _cleanup_reply_ HttpReply *reply = NEW(HttpReply);
        int r;

        reply->client = client;
        reply->fd = fd;
        reply->close = true; /* until the head is read */
        do {
                pairs_done(&reply->headers);
                r = read_head(reply, err);
                if (r < 0)
                        return r;
        } while (reply->status == 100);
        r = choose_framing(reply, is_head, err);
        if (r < 0) {
                reply->close = true;
                return r;
        }
        *ret = TAKE_PTR(reply);
        return 0;
}

int http_reply_status(const HttpReply *reply) {
        return reply->status;
}

const char *http_reply_header(const HttpReply *reply, const char *name) {
        for (size_t i = 0; i < reply->headers.count; i++)
                if (strcasecmp(reply->headers.items[i].key, name) == 0)
                        return reply->headers.items[i].value;
        return NULL;
}

/* "1f;extension" */
static int parse_chunk_size(const char *line, uint64_t *ret) {
        uint64_t size = 0;
        size_t digits = 0;

        for (; isxdigit((unsigned char)*line); line++, digits++) {
                int low = tolower((unsigned char)*line);

                size = size * 16 + (uint64_t)(low <= '9' ? low - '0' : low - 'a' + 10);
        }
        if (digits == 0 || digits > 15 || !strchr("; \t", *line))
                return -EINVAL;
        *ret = size;
        return 0;
}

/* The size of the next chunk; ended after the last one and its trailer. */
static int next_chunk(HttpReply *reply, Error *err) {
        _cleanup_buf_ Buf line = {};
        int r;

        if (!reply->first_chunk) {
                r = read_line(reply, LINE_MAX_BYTES, &line, err);
                if (r < 0)
                        return r;
        }
        reply->first_chunk = false;
        r = read_line(reply, LINE_MAX_BYTES, &line, err);
        if (r < 0)
                return r;
        if (parse_chunk_size(line.length ? line.data : "", &reply->left) < 0)
                return error_kind(err, ERROR_INTERNAL, "malformed HTTP response: bad chunk size");
        if (reply->left > 0)
                return 0;
        do {
                r = read_line(reply, LINE_MAX_BYTES, &line, err);
                if (r < 0)
                        return r;
        } while (line.length > 0);
        reply->ended = true;
        return 0;
}

/* Between two chunks the end of the one before may lie in the input: it says nothing yet. */
static bool line_waits(const HttpReply *reply) {
        size_t skip = reply->first_chunk ? 0 : MIN(reply->input.length, (size_t)2);

        return reply->input.length > skip &&
               memchr(reply->input.data + skip, '\n', reply->input.length - skip);
}

/* Gives out at most size bytes of the input. */
static size_t take_input(HttpReply *reply, void *data, size_t size) {
        size_t length = MIN(size, reply->input.length);

        memcpy(data, reply->input.data, length);
        buf_drop_front(&reply->input, length);
        return length;
}

ssize_t http_reply_read(HttpReply *reply, void *data, size_t size, Error *err) {
        ssize_t got;
        size_t length;

        if (reply->framing == FRAMING_CHUNKED && !reply->ended && reply->left == 0) {
                int r = next_chunk(reply, err);

                if (r < 0)
                        return r;
        }
        if (reply->ended || size == 0)
                return 0;
        if (reply->input.length == 0) {
                got = fill(reply, err);
                if (got < 0)
                        return got;
                if (got == 0 && reply->framing != FRAMING_CLOSE)
                        return cut_off(err);
                if (got == 0) {
                        reply->ended = true;
                        return 0;
                }
        }
        if (reply->framing == FRAMING_CLOSE)
                return (ssize_t)take_input(reply, data, size);
        length = take_input(reply, data, (size_t)MIN((uint64_t)size, reply->left));
        reply->left -= length;
        if (reply->framing == FRAMING_LENGTH && reply->left == 0)
                reply->ended = true;
        return (ssize_t)length;
}

int http_reply_poll_fd(const HttpReply *reply) {
        bool waits = reply->framing == FRAMING_CHUNKED && reply->left == 0
                             ? line_waits(reply)
                             : reply->input.length > 0;

        return reply->ended || waits ? -1 : reply->fd;
}

int http_reply_read_all(HttpReply *reply, size_t limit, Buf *buf, Error *err) {
        for (;;) {
                ssize_t got;

                buf_reserve(buf, READ_SIZE);
                got = http_reply_read(reply, buf->data + buf->length, READ_SIZE - 1, err);
                if (got < 0)
                        return (int)got;
                buf->length += (size_t)got;
                buf->data[buf->length] = '\0';
                if (got == 0)
                        return 0;
                if (buf->length > limit)
                        return error_kind(err, ERROR_INTERNAL, "the daemon's answer is too large");
        }
}

int http_reply_take_stream(HttpReply *reply, Buf *early) {
        if (reply->input.length)
                buf_add(early, reply->input.data, reply->input.length);
        return TAKE_FD(reply->fd);
}

HttpReply *http_reply_free(HttpReply *reply) {
        if (!reply)
                return NULL;
        /* The last chunk's marker is often still unread. Nothing is waited for. */
        if (reply->framing == FRAMING_CHUNKED && !reply->ended && reply->left == 0 &&
            line_waits(reply))
                (void)next_chunk(reply, NULL);
        if (reply->fd >= 0 && reply->ended && !reply->close && reply->status >= 200 &&
            reply->framing != FRAMING_CLOSE && reply->client->idle_fd < 0)
                reply->client->idle_fd = TAKE_FD(reply->fd);
        close_fd(&reply->fd);
        pairs_done(&reply->headers);
        buf_done(&reply->input);
        free(reply);
        return NULL;
}
