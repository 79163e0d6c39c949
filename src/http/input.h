/* input.h: buffered reading from a connection, and the request's body on top of it: none, of a
 * given length, or chunked (RFC 9112, 7.1). Knows no threads and no answers. */
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
} HttpInput;

static inline size_t http_input_left(const HttpInput *input) {
        return input->buf.length - input->start;
}
static inline const char *http_input_data(const HttpInput *input) {
        return input->buf.data + input->start;
}
void http_input_use(HttpInput *input, size_t length); /* takes bytes from the front */
void http_input_done(HttpInput *input);

/* Waits for more bytes and adds them, reading up to about `want` at once. Returns their count, 0 at
 * the end of the stream, -ETIMEDOUT after `deadline` (clock_monotonic; 0: none), or another
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
