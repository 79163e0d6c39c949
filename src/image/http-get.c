/* http-get.c: see http-get.h. */
#include "image/http-get.h"

#include <errno.h>
#include <strings.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/cleanup.h"

#define BODY_MAX (64 * 1024)
#define DOCUMENT_LIMIT (4 << 20)
#define REDIRECTS_MAX 5L
#define CONNECT_TIMEOUT_S 30L
/* A transfer below this many bytes a second for so long has stalled. */
#define STALL_BYTES 1L
#define STALL_S 90L
/* A registry that was sent all of a blob may move it about before it answers. */
#define UPLOAD_STALL_S 600L

typedef struct Transfer {
        CURL *curl;
        HttpGet *get;
        Error *err;
        int sink_result;
        bool cut;     /* the body is longer than anybody reads */
        int64_t sent; /* bytes of our body */
        int64_t skip; /* bytes of a whole answer to a question for the rest */
} Transfer;

static void slist_freep(struct curl_slist **list) {
        curl_slist_free_all(*list);
}

static void url_freep(CURLU **url) {
        curl_url_cleanup(*url);
}

static long status_of(const Transfer *transfer) {
        long status = 0;

        (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *data) {
        Transfer *transfer = data;
        HttpGet *get = transfer->get;
        long status = status_of(transfer);
        bool good = status >= 200 && status < 300;
        size_t skipped;

        (void)one;
        if (!good || !get->sink) {
                size_t limit = good ? DOCUMENT_LIMIT : BODY_MAX, room = limit - get->body.length;

                buf_add(&get->body, bytes, MIN(length, room));
                transfer->cut = length > room; /* nobody waits for the end of it */
                return transfer->cut ? 0 : length;
        }
        if (get->offset > 0 && status == 200 && transfer->skip < 0)
                transfer->skip = get->offset;
        skipped = (size_t)MIN((int64_t)length, MAX(transfer->skip, 0));
        if (transfer->skip > 0)
                transfer->skip -= (int64_t)skipped;
        if (length > skipped) {
                get->passed = true;
                transfer->sink_result =
                        get->sink(get->data, bytes + skipped, length - skipped, transfer->err);
        }
        return transfer->sink_result < 0 ? 0 : length;
}

/* What is sent: read by position, so that it can be sent again. */
static size_t on_send(char *bytes, size_t one, size_t length, void *data) {
        Transfer *transfer = data;
        const HttpGet *get = transfer->get;
        size_t wanted = MIN(one * length, (size_t)(get->sent_length - transfer->sent));
        ssize_t n = wanted == 0 ? 0
                                : pread(get->body_fd, bytes, wanted,
                                        (off_t)(get->sent_offset + transfer->sent));

        if (n < 0 || (n == 0 && wanted > 0)) {
                transfer->sink_result = error_set(transfer->err, n < 0 ? errno : EIO,
                                                  "read what is sent to the registry");
                return CURL_READFUNC_ABORT;
        }
        transfer->sent += n;
        if (get->on_sent)
                get->on_sent(get->data, transfer->sent);
        return (size_t)n;
}

static int on_rewind(void *data, curl_off_t offset, int origin) {
        Transfer *transfer = data;

        if (origin != SEEK_SET)
                return CURL_SEEKFUNC_CANTSEEK;
        transfer->sent = offset;
        return CURL_SEEKFUNC_OK;
}

/* The value, trimmed, if the header line has that name; the caller's. */
static char *header_value(const char *line, const char *name) {
        size_t length = strlen(name);

        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
                return NULL;
        {
                _cleanup_free_ char *copy = str_copy(line + length + 1);

                return str_copy(str_trim(copy));
        }
}

static void keep(char **slot, char *value) {
        free(*slot);
        *slot = value;
}

static void keep_challenge(HttpGet *get, char *value) {
        char *joined;

        if (!get->challenge) {
                get->challenge = value;
                return;
        }
        joined = str_format("%s, %s", get->challenge, value);
        free(value);
        free(get->challenge);
        get->challenge = joined;
}

static void clear_answer(HttpGet *get) {
        free(get->challenge);
        free(get->media_type);
        free(get->disposition);
        free(get->location);
        free(get->range);
        free(get->link);
        free(get->redirect);
        get->challenge = get->media_type = get->disposition = get->location = get->range =
                get->link = get->redirect = NULL;
        get->length = get->retry_after = get->last_modified = -1;
}

static size_t on_header(char *bytes, size_t one, size_t length, void *data) {
        HttpGet *get = ((Transfer *)data)->get;
        _cleanup_free_ char *line = str_copy_n(bytes, length), *value = NULL;

        (void)one;
        if (str_after(line,
                      "HTTP/")) /* of a redirection's target: what came before is of no interest */
                clear_answer(get);
        if ((value = header_value(line, "WWW-Authenticate"))) {
                keep_challenge(get, TAKE_PTR(value));
        } else if ((value = header_value(line, "Content-Type"))) {
                value[strcspn(value, "; ")] = '\0';
                keep(&get->media_type, TAKE_PTR(value));
        } else if ((value = header_value(line, "Location"))) {
                keep(&get->location, TAKE_PTR(value));
        } else if ((value = header_value(line, "Link"))) {
                keep(&get->link, TAKE_PTR(value));
        } else if ((value = header_value(line, "Range"))) {
                keep(&get->range, TAKE_PTR(value));
        } else if ((value = header_value(line, "Content-Length"))) {
                if (str_to_int64(value, &get->length) < 0 || get->length < 0)
                        get->length = -1;
        } else if ((value = header_value(line, "Retry-After"))) {
                if (str_to_int64(value, &get->retry_after) < 0)
                        get->retry_after = -1;
        } else if ((value = header_value(line, "Last-Modified"))) {
                get->last_modified = curl_getdate(value, NULL);
        } else if ((value = header_value(line, "Content-Disposition"))) {
                free(get->disposition);
                get->disposition = TAKE_PTR(value);
        }
        return length;
}

/* ---- setting up ---- */

static void set_security(CURL *curl, const HttpGet *get) {
        bool encrypted = str_after(get->url, "https:") != NULL;

        (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        /* What began encrypted stays so. */
        (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                               encrypted ? "https" : "http,https");
        (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        if (get->insecure) {
                (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
                (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
                (void)curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
                (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
        } else if (get->authorities) { /* the system's are in CAPATH */
                struct curl_blob blob = { .data = (void *)get->authorities,
                                          .len = strlen(get->authorities),
                                          .flags = CURL_BLOB_NOCOPY };

                (void)curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
        }
        if (get->certificate) {
                (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, get->certificate);
                (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, get->key);
        }
        if (BUG("credentials"))
                (void)curl_easy_setopt(curl, CURLOPT_UNRESTRICTED_AUTH, 1L);
        if (get->user_password) {
                (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
                (void)curl_easy_setopt(curl, CURLOPT_USERPWD, get->user_password);
        }
}

static bool sends_body(const HttpGet *get) {
        return get->method && !str_equal(get->method, "HEAD") && !str_equal(get->method, "GET");
}

static void set_method(CURL *curl, const HttpGet *get, Transfer *transfer) {
        if (str_equal(get->method, "HEAD"))
                (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        if (!sends_body(get))
                return;
        (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, UPLOAD_STALL_S);
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get->method);
        if (get->sent_length == 0) {
                (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
                return;
        }
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)get->sent_length);
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
        (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_rewind);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
}

/* Seconds; 0: none. */
static long time_limit(const HttpGet *get) {
        return get->within > 0                ? (long)get->within
               : get->sink || sends_body(get) ? 0L
                                              : (long)HTTP_DOCUMENT_S;
}

static void set_up(CURL *curl, const HttpGet *get, Transfer *transfer, struct curl_slist *headers,
                   char *reason) {
        curl_easy_reset(curl); /* keeps the connections */
        (void)curl_easy_setopt(curl, CURLOPT_URL, get->url);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "brig/" BRIG_VERSION);
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        /* A form holds a credential, and 307 and 308 would bring it to another host. */
        (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, get->form || get->stays ? 0L : 1L);
        (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
        (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
        (void)curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
        (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
        (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, time_limit(get));
        if (get->form)
                (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, get->form);
        set_method(curl, get, transfer);
        set_security(curl, get);
}

/* ---- failing ---- */

/* As Go names a method in an error. */
static const char *method_word(const HttpGet *get) {
        static const char *const words[][2] = {
                { "HEAD", "Head" }, { "POST", "Post" }, { "PUT", "Put" }, { "PATCH", "Patch" }
        };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_equal(get->method ? get->method : get->form ? "POST" : "", words[i][0]))
                        return words[i][1];
        return "Get";
}

/* Docker's clients and their users know these words from Go's net/http. */
static int describe(const HttpGet *get, CURLcode code, const char *reason, Error *err) {
        _cleanup_(url_freep) CURLU *url = curl_url();
        char *host = NULL, *port = NULL;
        const char *method = method_word(get);
        const char *scheme = strstr(get->url, "://"), *authority = scheme ? scheme + 3 : "";
        int r;

        if (!url || curl_url_set(url, CURLUPART_URL, get->url, 0) != CURLUE_OK ||
            curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
            curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
                r = error_kind(err, ERROR_INVALID, "%s \"%s\": no URL of %s", method, get->url,
                               get->no_registry ? "a server" : "a registry");
        else if (code == CURLE_COULDNT_RESOLVE_HOST)
                r = error_kind(err, ERROR_UNAVAILABLE,
                               "%s \"%s\": dial tcp: lookup %s: no such host", method, get->url,
                               host);
        else if (code == CURLE_COULDNT_CONNECT)
                r = error_kind(err, ERROR_UNAVAILABLE, "%s \"%s\": dial tcp %s:%s: connect: %s",
                               method, get->url, host, port,
                               strcasestr(reason, "unreachable") ? "network is unreachable"
                                                                 : "connection refused");
        else if (code == CURLE_PEER_FAILED_VERIFICATION && get->no_registry)
                r = error_kind(
                        err, ERROR_UNAVAILABLE,
                        "%s \"%s\": x509: certificate of %s is not trusted (%s): install its "
                        "authority on this host",
                        method, get->url, host, reason);
        else if (code == CURLE_PEER_FAILED_VERIFICATION)
                r = error_kind(err, ERROR_UNAVAILABLE,
                               "%s \"%s\": x509: certificate of %s is not trusted (%s): put its "
                               "authority into "
                               "/etc/docker/certs.d/%.*s/ca.crt, or name the registry in "
                               "insecure-registries",
                               method, get->url, host, reason, (int)strcspn(authority, "/?"),
                               authority);
        else if (code == CURLE_OPERATION_TIMEDOUT)
                r = error_kind(err, ERROR_UNAVAILABLE, "%s \"%s\": net/http: request canceled (%s)",
                               method, get->url, reason);
        else
                r = error_kind(err, ERROR_UNAVAILABLE, "%s \"%s\": %s", method, get->url,
                               *reason ? reason : curl_easy_strerror(code));
        curl_free(host);
        curl_free(port);
        return r;
}

/* The answer is of a question that a redirection may be followed with. */
static void keep_redirect(CURL *curl, HttpGet *get) {
        char *url = NULL;

        if (get->stays && !get->form && !sends_body(get) &&
            curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &url) == CURLE_OK && url)
                keep(&get->redirect, str_copy(url));
}

int http_get(CURL *curl, HttpGet *get, Error *err) {
        Transfer transfer = { .curl = curl, .get = get, .err = err, .skip = -1 };
        _cleanup_(slist_freep) struct curl_slist *headers = NULL;
        char reason[CURL_ERROR_SIZE] = "", range[40];
        CURLcode code;
        long redirects = 0;

        for (size_t i = 0; get->headers && get->headers[i]; i++)
                headers = curl_slist_append(headers, get->headers[i]);
        if (sends_body(get)) /* a second's wait for "100 Continue" where nobody says it */
                headers = curl_slist_append(headers, "Expect:");
        buf_clear(&get->body);
        clear_answer(get);
        get->status = 0;
        get->transport_failed = get->passed = false;
        set_up(curl, get, &transfer, headers, reason);
        if (get->offset > 0) {
                (void)snprintf(range, sizeof(range), "%lld-", (long long)get->offset);
                (void)curl_easy_setopt(curl, CURLOPT_RANGE, range);
        }
        code = curl_easy_perform(curl);
        get->status = status_of(&transfer);
        (void)curl_easy_getinfo(curl, CURLINFO_REDIRECT_COUNT, &redirects);
        get->redirected = redirects > 0;
        keep_redirect(curl, get);
        if (transfer.sink_result < 0)
                return transfer.sink_result;
        if (transfer.cut && get->status < 300)
                return error_kind(err, ERROR_INVALID,
                                  "Get \"%s\": the answer is longer than %d bytes", get->url,
                                  DOCUMENT_LIMIT);
        if (code == CURLE_OK || transfer.cut)
                return 0;
        get->transport_failed = code != CURLE_PEER_FAILED_VERIFICATION;
        return describe(get, code, reason, err);
}

void http_get_done(HttpGet *get) {
        clear_answer(get);
        buf_done(&get->body);
}
