/* job-fetch.c: the job that talks to a registry: a "start" message, then one request after the
 * other; a "get" brings a file to write to, and perhaps a pipe that receives the same bytes. The
 * other requests are job-push.c's. See job.h, registry.h. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/digest.h"
#include "image/confine.h"
#include "image/job-push.h"
#include "image/job.h"
#include "image/registry.h"
#include "image/retry.h"

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

/* Tries again where that helps, going on from where it stopped. */
static int download(Registry *registry, const ImageMessage *request, Fetch *fetch, HttpGet *get,
                    char code[64], Error *err) {
        Retry retry = { .begun = fetch->received, .most = registry_attempts(registry) };

        if (fetch->limit > 0 && fetch->received == fetch->limit)
                return 0;
        for (;;) {
                int r;

                get->offset = fetch->received;
                r = registry_get(registry, request->path, request->accept, get, code, err);
                if (r == 0 || !retry_may_help(get) || !retry_wait(&retry, get, fetch->received))
                        return r;
        }
}

static int report_done(const Registry *registry, const HttpGet *get, Fetch *fetch) {
        _cleanup_free_ char *endpoint = registry_known(registry);
        char digest[DIGEST_TEXT_MAX];
        ImageMessage message = {
                .kind = (char *)"done",
                .digest = digest,
                .size = fetch->received,
                .media_type = get->media_type,
                .link = get->link,
                .endpoint = endpoint,
                .authorization = (char *)registry_authorization(registry),
        };

        digester_end(&fetch->digester, digest);
        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static int serve_get(Registry *registry, const ImageMessage *request, Fetch *fetch) {
        /* Without a reader it is a document, not a layer. */
        _cleanup_(http_get_done) HttpGet get = {
                .sink = sink, .data = fetch, .within = fetch->pipe_fd < 0 ? HTTP_DOCUMENT_S : 0
        };
        char code[64] = "";
        Error err = {};
        int r;

        fetch->limit = request->size;
        digester_init(&fetch->digester);
        r = take_beginning(fetch, request->current, &err);
        if (r == 0)
                r = download(registry, request, fetch, &get, code, &err);
        return r < 0 ? push_report_error(get.status, code, &err)
                     : report_done(registry, &get, fetch);
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
                if (!str_equal(request.kind, "get"))
                        r = push_serve(registry, &request, fetch.file_fd);
                else
                        r = count < 1 || !request.path ? -EINVAL
                                                       : serve_get(registry, &request, &fetch);
                if (r == -EINVAL)
                        return error_kind(err, ERROR_INTERNAL, "brig-image was asked for '%s'",
                                          request.kind);
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
