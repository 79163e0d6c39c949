/* stream.h: the forms of Docker's streams: frames of output, and the objects of a job's progress.
 * Inside api only. */
#pragma once

#include "api/request.h"

#define STREAM_RAW "application/vnd.docker.raw-stream"
#define STREAM_MULTIPLEXED "application/vnd.docker.multiplexed-stream"

/* The content type of a container's output. */
const char *stream_type(const ApiRequest *request, bool tty);

#define STREAM_HEADER 8
/* [stream, 0, 0, 0, length big-endian]; stream 1 stdout, 2 stderr, 3 an error of the daemon's. */
void stream_header(unsigned char header[STREAM_HEADER], int stream, size_t length);

/* Says err on a connection that was taken over already: as output, as Docker does. */
void api_stream_error(int fd, bool tty, const Error *err);

/* Docker's bar of 50: "[=====>      ]  1.5kB/3kB"; "" where nothing is known. */
void stream_bar(Buf *text, int64_t current, int64_t total);
/* go-units' HumanSize: "1.234MB". */
void stream_size(Buf *text, double bytes);

/* transfer.c: sends what comes out of fd; nothing at all leaves the request unanswered. A negative
 * errno once the client is gone. */
int api_send_archive(ApiRequest *request, const char *type, int fd);

/* A stream of objects {"status":…}: the header is sent with the first of them. */
typedef struct Progress {
        HttpExchange *exchange;
        bool quiet; /* nothing but the end */
} Progress;
/* An ImageProgressFn; data is a Progress. */
int progress_send(void *data, const ImageProgress *progress);
/* {"status": …} or {"stream": …} */
int progress_text(Progress *progress, const char *member, const char *text);
/* {"errorDetail":…}; where nothing was sent yet, r is returned, so that it becomes a plain answer.
 */
int progress_fail(Progress *progress, int r, const Error *err);
