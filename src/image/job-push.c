/* job-push.c: see job-push.h. */
#include "image/job-push.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/digest.h"
#include "image/retry.h"
#include "image/upload.h"

#define REPORT_EVERY (100 * NSEC_PER_MSEC)
#define MANIFEST_MAX ((size_t)4 << 20)

typedef struct Report {
        int64_t total, at;
} Report;

int push_report_error(long status, const char *code, const Error *err) {
        ImageMessage message = {
                .kind = (char *)"error",
                .message = (char *)err->message,
                .error_kind = (int64_t)err->kind,
                .error_number = err->number,
                .status = status,
                .code = (char *)code,
        };

        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static void report_progress(void *data, int64_t current) {
        Report *report = data;
        ImageMessage message = { .kind = (char *)"progress",
                                 .current = current,
                                 .total = report->total };
        int64_t now = clock_monotonic();

        if (now - report->at < REPORT_EVERY)
                return;
        report->at = now;
        if (image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0) == -EPIPE)
                _exit(1); /* brigd has gone: nobody wants the rest */
}

static int report_done(Registry *registry, ImageMessage *message) {
        _cleanup_free_ char *endpoint = registry_known(registry);
        int r;

        message->kind = (char *)"done";
        message->endpoint = endpoint;
        message->authorization = (char *)registry_authorization(registry);
        r = image_message_send(IMAGE_FD_SOCKET, message, NULL, 0);
        message->endpoint = NULL;
        return r;
}

static int serve_blob(Registry *registry, const ImageMessage *request, int file_fd) {
        Report report = { .total = request->size };
        const Upload upload = {
                .digest = request->digest,
                .file_fd = file_fd,
                .size = request->size,
                .sources = request->sources,
                .progress = report_progress,
                .data = &report,
        };
        const char *outcome = NULL, *source = NULL;
        ImageMessage done = { .digest = request->digest, .size = request->size };
        char code[64] = "";
        long status = 0;
        Error err = {};

        if (!digest_valid(request->digest))
                return -EINVAL;
        if (upload_blob(registry, &upload, &outcome, &source, &status, code, &err) < 0)
                return push_report_error(status, code, &err);
        done.outcome = (char *)outcome;
        done.source = (char *)source;
        return report_done(registry, &done);
}

/* PUT of the manifest; a registry that is busy is asked again. */
static int put_manifest(Registry *registry, const ImageMessage *request, HttpGet *get,
                        char code[64], Error *err) {
        _cleanup_free_ char *type = str_format("Content-Type: %s", request->media_type);
        char *const headers[] = { type, NULL };
        Retry retry = {};

        for (;;) {
                int r;

                get->method = "PUT";
                get->headers = headers;
                r = registry_send(registry, request->path, get, err);
                get->headers = NULL;
                if (r == 0 && (get->status < 200 || get->status > 299))
                        r = registry_answer_error(get, code, err);
                if (r == 0 || !retry_may_help(get) || !retry_wait(&retry, get, 0))
                        return r;
        }
}

static int serve_manifest(Registry *registry, const ImageMessage *request, int file_fd) {
        _cleanup_(http_get_done) HttpGet get = { .body_fd = file_fd };
        _cleanup_buf_ Buf text = {};
        char code[64] = "", digest[DIGEST_TEXT_MAX];
        ImageMessage done = { .digest = digest };
        Error err = {};

        if (file_fd < 0 || !request->path || !request->media_type ||
            fd_read_all(file_fd, MANIFEST_MAX, &text) < 0)
                return -EINVAL;
        digest_of(text.data, text.length, digest);
        get.sent_length = done.size = (int64_t)text.length;
        if (put_manifest(registry, request, &get, code, &err) < 0)
                return push_report_error(get.status, code, &err);
        return report_done(registry, &done);
}

static int serve_check(Registry *registry, const ImageMessage *request, int file_fd) {
        _cleanup_free_ char *token = NULL;
        char digest[DIGEST_TEXT_MAX];
        ImageMessage done = { .digest = digest };
        Error err = {};

        (void)request;
        (void)file_fd;
        digest_of("", 0, digest);
        if (registry_check(registry, &token, &err) < 0)
                return push_report_error(0, "", &err);
        done.identity_token = token;
        return report_done(registry, &done);
}

/* The answer goes to the file. */
static int serve_search(Registry *registry, const ImageMessage *request, int file_fd) {
        _cleanup_(http_get_done) HttpGet get = {};
        char code[64] = "", digest[DIGEST_TEXT_MAX];
        ImageMessage done = { .digest = digest };
        Error err = {};
        int r;

        if (file_fd < 0 || !request->path)
                return -EINVAL;
        if (registry_get_root(registry, request->path, &get, code, &err) < 0)
                return push_report_error(get.status, code, &err);
        r = fd_write_full(file_fd, get.body.data ? get.body.data : "", get.body.length);
        if (r < 0)
                return r;
        digest_of(get.body.data ? get.body.data : "", get.body.length, digest);
        done.size = (int64_t)get.body.length;
        return report_done(registry, &done);
}

int push_serve(Registry *registry, const ImageMessage *request, int file_fd) {
        static const struct {
                const char *kind;
                int (*serve)(Registry *registry, const ImageMessage *request, int file_fd);
        } kinds[] = {
                { "blob", serve_blob },
                { "manifest", serve_manifest },
                { "check", serve_check },
                { "search", serve_search },
        };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_equal(request->kind, kinds[i].kind))
                        return kinds[i].serve(registry, request, file_fd);
        return -EINVAL;
}
