/* upload.c: see upload.h. A blob of one piece is a monolithic upload (POST, PUT); a larger one goes
 * in pieces (PATCH), as proxies limit the length of a request. After a broken transfer the registry
 * is asked how far it got. */
#include "image/upload.h"

#include <string.h>

#include "base/cleanup.h"
#include "image/retry.h"

#define PIECE_SIZE ((int64_t)64 << 20)

typedef struct Sending {
        Registry *registry;
        const Upload *upload;
        char *location; /* where the next piece goes; NULL: nothing is begun */
        int64_t offset; /* what the registry has */
        bool asked;     /* whether the blob is there */
        bool resumed;   /* the registry may disagree about offset */
        size_t source;  /* the next repository to mount from */
        int64_t piece_offset;
} Sending;

static void sending_done(Sending *sending) {
        free(sending->location);
}

int64_t upload_range(const char *text) {
        const char *from = text ? str_after(text, "bytes=") : NULL, *dash;
        int64_t end;

        if (!from)
                from = text;
        dash = from ? str_after(from, "0-") : NULL;
        if (!dash || str_to_int64(dash, &end) < 0 || end < 0 || end == INT64_MAX)
                return -1;
        /* Registries say "0-0" of nothing; that it may be one byte does no harm, as a part that is
         * sent twice is found out by its digest. */
        return end == 0 ? 0 : end + 1;
}

static char *escaped_digest(const char *digest) {
        return str_format("sha256%%3A%s", digest + strlen("sha256:"));
}

static void on_sent(void *data, int64_t sent) {
        Sending *sending = data;

        if (sending->upload->progress)
                sending->upload->progress(sending->upload->data, sending->piece_offset + sent);
}

/* ---- is it there ---- */

/* 1 it is, 0 it is not. What a HEAD's refusal means has no words; the POST's has. */
static int ask(Sending *sending, HttpGet *get, Error *err) {
        _cleanup_free_ char *path = str_format("blobs/%s", sending->upload->digest);
        int r;

        get->method = "HEAD";
        r = registry_send(sending->registry, path, get, err);
        get->url = NULL;
        if (r < 0)
                return r;
        if (get->status >= 500 || get->status == 429)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "received unexpected HTTP status %ld from the registry",
                                  get->status);
        return get->status == 200;
}

/* ---- beginning ---- */

static int post(Sending *sending, const char *path, HttpGet *get, Error *err) {
        int r;

        get->method = "POST";
        get->sent_length = 0;
        r = registry_send(sending->registry, path, get, err);
        get->url = NULL;
        if (r < 0 || get->status != 202)
                return r;
        sending->offset = 0;
        sending->resumed = false;
        free(sending->location);
        sending->location = NULL;
        return registry_location(sending->registry, get, &sending->location, err);
}

/* 1: mounted, from *ret_source. 0: not; the registry may have begun an upload in its place. */
static int mount(Sending *sending, HttpGet *get, const char **ret_source, Error *err) {
        char *const *sources = sending->upload->sources;
        _cleanup_free_ char *digest = escaped_digest(sending->upload->digest);

        while (sources && sources[sending->source] && !sending->location) {
                const char *source = sources[sending->source];
                _cleanup_free_ char *path =
                        str_format("blobs/uploads/?mount=%s&from=%s", digest, source);
                int r = post(sending, path, get, err);

                if (r < 0)
                        return r;
                sending->source++;
                if (get->status == 201) {
                        *ret_source = source;
                        return 1;
                }
        }
        return 0;
}

static int begin(Sending *sending, HttpGet *get, char code[64], Error *err) {
        int r = post(sending, "blobs/uploads/", get, err);

        if (r < 0 || sending->location)
                return r;
        get->url = "blobs/uploads/";
        r = registry_answer_error(get, code, err);
        get->url = NULL;
        return r;
}

/* ---- sending ---- */

/* After a PATCH: where the next one goes, and from which byte on. */
static int take_answer(Sending *sending, HttpGet *get, int64_t sent, Error *err) {
        int64_t has = upload_range(get->range);
        char *location = NULL;
        int r = registry_location(sending->registry, get, &location, err);

        if (r < 0)
                return r;
        free(sending->location);
        sending->location = location;
        if (has < 0)
                has = sending->offset + sent;
        if (has <= sending->offset || has > sending->upload->size)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the registry took a piece of %s and says that it has %lld bytes "
                                  "of it, not %lld",
                                  sending->upload->digest, (long long)has,
                                  (long long)(sending->offset + sent));
        sending->offset = has;
        return 0;
}

static char **piece_headers(const Sending *sending, int64_t length, bool last) {
        char **headers = NULL;

        strv_add(&headers, "Content-Type: application/octet-stream");
        if (length > 0 && (!last || sending->offset > 0))
                strv_format(&headers, "Content-Range: %lld-%lld", (long long)sending->offset,
                            (long long)(sending->offset + length - 1));
        return headers;
}

/* 1: that was the last piece. */
static int send_piece(Sending *sending, HttpGet *get, char code[64], Error *err) {
        const Upload *upload = sending->upload;
        int64_t length = MIN(upload->size - sending->offset, PIECE_SIZE);
        bool last = sending->offset + length == upload->size;
        _cleanup_strv_ char **headers = piece_headers(sending, length, last);
        const char *location = sending->location ?: "";
        _cleanup_free_ char *digest = escaped_digest(upload->digest), *url = NULL;
        int r;

        url = last ? str_format("%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?',
                                digest)
                   : str_copy(location);
        get->method = last ? "PUT" : "PATCH";
        get->headers = headers;
        get->body_fd = upload->file_fd;
        get->sent_offset = sending->piece_offset = sending->offset;
        get->sent_length = length;
        get->on_sent = on_sent;
        get->data = sending;
        r = registry_send(sending->registry, url, get, err);
        get->headers = NULL;
        if (r == 0 && (get->status < 200 || get->status > 299))
                r = registry_answer_error(get, code, err);
        get->url = NULL;
        if (r < 0)
                return r;
        return last ? 1 : take_answer(sending, get, length, err);
}

/* ---- going on ---- */

/* After a broken piece: what has the registry? Where it does not say, the upload begins anew. */
static void look(Sending *sending) {
        _cleanup_(http_get_done) HttpGet get = {};
        int64_t has;

        if (!sending->location ||
            registry_send(sending->registry, sending->location, &get, NULL) < 0)
                return;
        has = upload_range(get.range);
        sending->resumed = true;
        if (get.status / 100 == 2 && has >= 0 && has <= sending->upload->size) {
                char *location = NULL;

                sending->offset = has;
                if (get.location &&
                    registry_location(sending->registry, &get, &location, NULL) == 0) {
                        free(sending->location);
                        sending->location = location;
                }
                return;
        }
        free(sending->location);
        sending->location = NULL;
        sending->offset = 0;
}

/* The upload that a registry began in place of a mount is of no use without a file. */
static void give_up(Sending *sending) {
        _cleanup_(http_get_done) HttpGet get = { .method = "DELETE" };

        if (sending->location) /* a registry that cannot do that drops it in time */
                (void)registry_send(sending->registry, sending->location, &get, NULL);
}

static bool may_go_on(const Sending *sending, const HttpGet *get) {
        if (retry_may_help(get) || get->status >= 500)
                return true;
        return sending->resumed && (get->status == 400 || get->status == 404 || get->status == 416);
}

static int attempt(Sending *sending, HttpGet *get, const char **ret_outcome,
                   const char **ret_source, char code[64], Error *err) {
        int r = 0;

        if (!sending->asked)
                r = ask(sending, get, err);
        if (r < 0)
                return r;
        sending->asked = true;
        *ret_outcome = PUSH_EXISTS;
        if (r > 0)
                return 0;
        *ret_outcome = PUSH_MOUNTED;
        r = sending->location ? 0 : mount(sending, get, ret_source, err);
        if (r != 0)
                return MIN(r, 0);
        *ret_outcome = PUSH_ABSENT;
        if (sending->upload->file_fd < 0) {
                give_up(sending);
                return 0;
        }
        *ret_outcome = PUSH_UPLOADED;
        if (!sending->location)
                r = begin(sending, get, code, err);
        while (r == 0)
                r = send_piece(sending, get, code, err);
        return MIN(r, 0);
}

int upload_blob(Registry *registry, const Upload *upload, const char **ret_outcome,
                const char **ret_source, long *ret_status, char ret_code[64], Error *err) {
        _cleanup_(sending_done) Sending sending = { .registry = registry, .upload = upload };
        Retry retry = {};

        for (;;) {
                _cleanup_(http_get_done) HttpGet get = { .retry_after = -1 };
                int r;

                ret_code[0] = '\0';
                *ret_source = NULL;
                r = attempt(&sending, &get, ret_outcome, ret_source, ret_code, err);
                *ret_status = get.status;
                if (r == 0 || !may_go_on(&sending, &get) ||
                    !retry_wait(&retry, &get, sending.offset))
                        return r;
                look(&sending);
        }
}
