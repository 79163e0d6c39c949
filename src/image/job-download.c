/* job-download.c: the job that fetches one file by its URL: a "start" message, and the file to
 * write to as IMAGE_FD_TARGET. See job.h. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/digest.h"
#include "image/confine.h"
#include "image/download-name.h"
#include "image/http-get.h"
#include "image/job.h"
#include "image/message.h"

#define REPORT_EVERY (100 * NSEC_PER_MSEC)

typedef struct Download {
        HttpGet get;
        Digester digester;
        int64_t received, limit, reported_at;
} Download;

static void curl_freep(CURL **curl) {
        curl_easy_cleanup(*curl);
}

static void report_progress(Download *download) {
        ImageMessage message = { .kind = (char *)"progress",
                                 .current = download->received,
                                 .total = MAX(download->get.length, 0) };
        int64_t now = clock_monotonic();

        if (now - download->reported_at < REPORT_EVERY)
                return;
        download->reported_at = now;
        if (image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0) == -EPIPE)
                _exit(1); /* brigd has gone: nobody wants the rest */
}

static int sink(void *data, const void *bytes, size_t length, Error *err) {
        Download *download = data;
        int r;

        if ((int64_t)length > download->limit - download->received) {
                (void)error_kind(err, ERROR_INVALID,
                                 "Get \"%s\": the file is larger than the %lld bytes that it may "
                                 "have",
                                 download->get.url, (long long)download->limit);
                if (err) /* a limit, not a server's fault */
                        err->number = EFBIG;
                return -EFBIG;
        }
        r = fd_write_full(IMAGE_FD_TARGET, bytes, length);
        if (r < 0)
                return error_set(err, -r, "store what '%s' sent", download->get.url);
        digester_add(&download->digester, bytes, length);
        download->received += (int64_t)length;
        report_progress(download);
        return 0;
}

static int check_status(const HttpGet *get, Error *err) {
        static const struct {
                long status;
                ErrorKind kind;
        } kinds[] = {
                { 401, ERROR_FORBIDDEN },
                { 403, ERROR_FORBIDDEN },
                { 404, ERROR_NOT_FOUND },
                { 410, ERROR_NOT_FOUND },
        };
        ErrorKind kind = ERROR_UNAVAILABLE;

        if (get->status >= 200 && get->status < 300)
                return 0;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].status == get->status)
                        kind = kinds[i].kind;
        return error_kind(err, kind, "Get \"%s\": invalid response status %ld", get->url,
                          get->status);
}

static int report_done(Download *download) {
        const HttpGet *get = &download->get;
        _cleanup_free_ char *name = download_name(get->url, get->disposition);
        char digest[DIGEST_TEXT_MAX];
        const ImageMessage message = {
                .kind = (char *)"done",
                .digest = digest,
                .size = download->received,
                .time = MAX(get->last_modified, 0),
                .name = name,
        };

        digester_end(&download->digester, digest);
        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static int run(const ImageMessage *request, Error *err) {
        _cleanup_(curl_freep) CURL *curl = NULL;
        Download download = {
                .get = { .url = request->path,
                         .sink = sink,
                         .data = &download,
                         .no_registry = true },
                .limit = request->size,
        };
        int r;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(curl = curl_easy_init()))
                return error_kind(err, ERROR_INTERNAL, "start libcurl");
        digester_init(&download.digester);
        r = http_get(curl, &download.get, err);
        if (r == 0)
                r = check_status(&download.get, err);
        if (r == 0)
                r = report_done(&download);
        http_get_done(&download.get);
        return r;
}

int job_download(Error *err) {
        _cleanup_(image_message_done) ImageMessage request = {};
        int r = confine_to_network(err);

        if (r == 0)
                r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);
        if (r <= 0)
                return r;
        if (!request.path)
                return error_kind(err, ERROR_INTERNAL, "brig-image was asked for no URL");
        return run(&request, err);
}
