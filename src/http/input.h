/* input.h: buffered reading from a connection, the descriptors that come along on a Unix socket,
 * and the request's body on top of it: none, of a given length, or chunked (RFC 9112, 7.1). Knows
 * no threads and no answers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"
#include "http/head.h"

/* Bytes that came and are not used yet: buf.data[start..buf.length). */
typedef struct HttpInput {
        int fd;       /* -1: nothing follows what is in the buffer */
        int watch_fd; /* -1, or a descriptor whose hang-up ends a wait (-EPIPE) */
        Buf buf;
        size_t start;
        int64_t received; /* bytes, since the connection began */
        int64_t begun_at; /* the byte of them with which the current request began */
        /* Descriptors that nobody took yet. They came with bytes [fds_from, fds_to): the kernel
         * joins messages of a stream, so it is not known with which one of those. */
        int fds[HTTP_FDS_MAX];
        size_t fd_count;
        int64_t fds_from, fds_to;
} HttpInput;

static inline size_t http_input_left(const HttpInput *input) {
        return input->buf.length - input->start;
}
static inline const char *http_input_data(const HttpInput *input) {
        return input->buf.data + input->start;
}
void http_input_use(HttpInput *input, size_t length);               /* takes bytes from the front */
static inline int64_t http_input_position(const HttpInput *input) { /* of the next byte */
        return input->received - (int64_t)http_input_left(input);
}
/* A request begins with the next byte. */
static inline void http_input_begin(HttpInput *input) {
        input->begun_at = http_input_position(input);
}
/* Between requests: closes the descriptors that cannot be the next one's, and frees an empty
 * buffer. */
void http_input_next(HttpInput *input);
void http_input_done(HttpInput *input);

/* Takes the descriptors that came with the current request's first byte and stand for it alone; to
 * be called once its body was read. Returns their count; they are the caller's. -EINVAL where they
 * may be another request's: they are closed. */
int http_input_take_fds(HttpInput *input, int fds[HTTP_FDS_MAX]);

/* Waits for more bytes and adds them, reading up to about `want` at once. Returns their count, 0 at
 * the end of the stream, -ETIMEDOUT after `deadline` (clock_monotonic; 0: none), -EMFILE where
 * descriptors came along that could not be received (those that could are closed), or another
 * negative errno. */
ssize_t http_input_fill(HttpInput *input, size_t want, int64_t deadline);

typedef enum HttpBodyState {
        BODY_DATA,
        BODY_CHUNK_SIZE,
        BODY_CHUNK_END,
        BODY_TRAILER,
        BODY_END
} HttpBodyState;

typedef struct HttpBody {
        HttpInput *input;
        HttpBodyState state;
        bool chunked;
        int64_t left;         /* of the body, or of this chunk */
        size_t trailer_bytes; /* seen so far; bounded */
} HttpBody;

void http_body_init(HttpBody *body, HttpInput *input, const HttpHead *head);
static inline bool http_body_ended(const HttpBody *body) {
        return body->state == BODY_END;
}
/* At most length bytes; 0 at the body's end. -EBADMSG where the framing is wrong, -ECONNRESET where
 * the client left before the end, -ETIMEDOUT after deadline. */
ssize_t http_body_read(HttpBody *body, void *data, size_t length, int64_t deadline);
