/* job-fetch.c: the job that talks to a registry: a "start" message, then one "get" after the other;
 * each brings a file to write to, and perhaps a pipe that receives the same bytes. See job.h,
 * registry.h. */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/digest.h"
#include "image/confine.h"
#include "image/job.h"
#include "image/registry.h"

#define ATTEMPTS_MAX 5
#define RETRY_WAIT_MS 500
/* A transfer that gets so far before it breaks has made progress: attempts are counted anew. */
#define PROGRESS_MIN (1 << 20)
#define RETRY_WAIT_MAX_S 60
#define REPORT_EVERY (100 * NSEC_PER_MSEC)

typedef struct Fetch {
        int file_fd, pipe_fd; /* pipe_fd -1: none, or its reader has gone */
        Digester digester;
        int64_t received, limit; /* limit 0: as much as comes */
        int64_t reported_at;
} Fetch;

static void fetch_done(Fetch *fetch) {
        close_fd(&fetch->file_fd);
        close_fd(&fetch->pipe_fd);
}

static void report_progress(Fetch *fetch) {
        ImageMessage message = { .kind = (char *)"progress",
                                 .current = fetch->received,
                                 .total = fetch->limit };
        int64_t now = clock_monotonic();

        if (now - fetch->reported_at < REPORT_EVERY)
                return;
        fetch->reported_at = now;
        if (image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0) == -EPIPE)
                _exit(1); /* brigd has gone: nobody wants the rest */
}

/* One piece goes its ways, whether it comes from the registry or from the file. */
static void take_piece(Fetch *fetch, const void *bytes, size_t length) {
        /* A reader that gave up says why by itself; the download goes on until brigd ends it. */
        if (fetch->pipe_fd >= 0 && fd_write_full(fetch->pipe_fd, bytes, length) < 0)
                close_fd(&fetch->pipe_fd);
        digester_add(&fetch->digester, bytes, length);
        fetch->received += (int64_t)length;
        report_progress(fetch);
}

/* What an earlier attempt left counts as if it came now. */
static int take_beginning(Fetch *fetch, int64_t have, Error *err) {
        while (fetch->received < have) {
                char bytes[64 * 1024];
                ssize_t n =
                        fd_read_full(fetch->file_fd, bytes,
                                     (size_t)MIN(have - fetch->received, (int64_t)sizeof(bytes)));

                if (n <= 0)
                        return error_set(err, n < 0 ? (int)-n : EIO,
                                         "read what was downloaded before");
                take_piece(fetch, bytes, (size_t)n);
        }
        return 0;
}

static int sink(void *data, const void *bytes, size_t length, Error *err) {
        Fetch *fetch = data;
        int r;

        if (fetch->limit > 0 && (int64_t)length > fetch->limit - fetch->received)
                return error_kind(err, ERROR_INVALID,
                                  "the registry sent more than the %lld bytes that were announced",
                                  (long long)fetch->limit);
        r = fd_write_full(fetch->file_fd, bytes, length);
        if (r < 0)
                return error_set(err, -r, "store what the registry sent");
        take_piece(fetch, bytes, length);
        return 0;
}

/* True if time passed; false if brigd has gone meanwhile. */
static bool wait_for(int64_t milliseconds) {
        struct pollfd socket = { .fd = IMAGE_FD_SOCKET, .events = POLLRDHUP };

        return poll(&socket, 1, (int)MIN(milliseconds, RETRY_WAIT_MAX_S * 1000)) == 0;
}

static bool may_retry(const HttpGet *get) {
        return get->transport_failed || get->status == 429 || get->status == 502 ||
               get->status == 503 || get->status == 504;
}

/* Tries again where that helps, going on from where it stopped. */
static int download(Registry *registry, const ImageMessage *request, Fetch *fetch, HttpGet *get,
                    char code[64], Error *err) {
        int64_t pause = RETRY_WAIT_MS, begun = fetch->received;

        if (fetch->limit > 0 && fetch->received == fetch->limit)
                return 0;
        for (int attempt = 1;; attempt++) {
                int r;

                get->offset = fetch->received;
                r = registry_get(registry, request->path, request->accept, get, code, err);
                if (r < 0 && fetch->received - begun >= PROGRESS_MIN) {
                        begun = fetch->received;
                        pause = RETRY_WAIT_MS;
                        attempt = 1;
                }
                if (r == 0 || attempt == ATTEMPTS_MAX || !may_retry(get))
                        return r;
                if (!wait_for(get->retry_after > 0 ? get->retry_after * 1000 : pause))
                        return r;
                pause *= 2;
        }
}

static int report_done(const Registry *registry, const HttpGet *get, Fetch *fetch) {
        char digest[DIGEST_TEXT_MAX];
        ImageMessage message = {
                .kind = (char *)"done",
                .digest = digest,
                .size = fetch->received,
                .media_type = get->media_type,
                .endpoint = (char *)registry_endpoint(registry),
                .authorization = (char *)registry_authorization(registry),
        };

        digester_end(&fetch->digester, digest);
        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static int report_error(const HttpGet *get, const char *code, const Error *err) {
        ImageMessage message = {
                .kind = (char *)"error",
                .message = (char *)err->message,
                .error_kind = (int64_t)err->kind,
                .error_number = err->number,
                .status = get->status,
                .code = (char *)code,
        };

        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static int serve_get(Registry *registry, const ImageMessage *request, Fetch *fetch) {
        _cleanup_(http_get_done) HttpGet get = { .sink = sink, .data = fetch };
        char code[64] = "";
        Error err = {};
        int r;

        fetch->limit = request->size;
        digester_init(&fetch->digester);
        r = take_beginning(fetch, request->current, &err);
        if (r == 0)
                r = download(registry, request, fetch, &get, code, &err);
        return r < 0 ? report_error(&get, code, &err) : report_done(registry, &get, fetch);
}

static int serve(Registry *registry, Error *err) {
        for (;;) {
                _cleanup_(image_message_done) ImageMessage request = {};
                _cleanup_(fetch_done) Fetch fetch = { .file_fd = -1, .pipe_fd = -1 };
                int fds[2] = { -1, -1 };
                size_t count = 0;
                int r = image_message_receive(IMAGE_FD_SOCKET, &request, fds, ELEMENTS(fds), &count,
                                              err);

                fetch.file_fd = fds[0];
                fetch.pipe_fd = fds[1];
                if (r <= 0)
                        return r;
                if (!str_equal(request.kind, "get") || count < 1 || !request.path)
                        return error_kind(err, ERROR_INTERNAL, "brig-image was asked for '%s'",
                                          request.kind);
                r = serve_get(registry, &request, &fetch);
                if (r < 0)
                        return r;
        }
}

int job_fetch(Error *err) {
        _cleanup_(registry_freep) Registry *registry = NULL;
        _cleanup_(image_message_done) ImageMessage request = {};
        int r = confine_to_network(err);

        if (r == 0)
                r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);
        if (r <= 0)
                return r;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return error_kind(err, ERROR_INTERNAL, "start libcurl");
        r = registry_open(&request, &registry, err);
        return r < 0 ? r : serve(registry, err);
}
