/* api.c: from a request to its handler and from an error to its answer. The routes are in route.c,
 * the handlers in one file a kind of object. */
#include "api/api.h"

#include <errno.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/route.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define VERSION_MINOR 51
#define VERSION_MINOR_MIN 24

Api *api_new(Engine *engine) {
        Api *api = NEW(Api);

        api->engine = engine;
        return api;
}

Api *api_free(Api *api) {
        free(api);
        return NULL;
}

int api_status_of(ErrorKind kind) {
        static const int statuses[] = {
                [ERROR_INTERNAL] = 500,    [ERROR_INVALID] = 400,     [ERROR_UNAUTHORIZED] = 401,
                [ERROR_FORBIDDEN] = 403,   [ERROR_NOT_FOUND] = 404,   [ERROR_CONFLICT] = 409,
                [ERROR_UNAVAILABLE] = 503, [ERROR_UNSUPPORTED] = 501,
        };

        return (size_t)kind < ELEMENTS(statuses) ? statuses[kind] : 500;
}

/* ---- answers ---- */

int api_answer(ApiRequest *request, int status, Buf *json) {
        buf_add_char(json, '\n');
        http_answer(request->exchange, status, "application/json", json->data, json->length);
        return 0;
}

int api_answer_empty(ApiRequest *request, int status) {
        http_answer(request->exchange, status, NULL, NULL, 0);
        return 0;
}

int api_answer_done(ApiRequest *request, int r) {
        return r < 0 ? r : api_answer_empty(request, r == ENGINE_UNCHANGED ? 304 : 204);
}

int api_answer_id(ApiRequest *request, const char *id, const char *rest) {
        _cleanup_buf_ Buf json = { 0 };

        buf_add_str(&json, "{\"Id\":");
        json_add_quoted(&json, id);
        buf_format(&json, "%s}", rest);
        return api_answer(request, 201, &json);
}

void api_answer_error(ApiRequest *request, const Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int status = api_status_of(err->kind);

        buf_add_str(&json, "{\"message\":");
        json_add_quoted(&json, err->message);
        buf_add_char(&json, '}');
        (void)api_answer(request, status, &json);
        if (status == 500)
                log_error("%s: %s", request->head->path, err->message);
        else
                log_debug("%s: %d: %s", request->head->path, status, err->message);
}

/* ---- what was asked ---- */

int api_filters(const ApiRequest *request, Filters *ret, Error *err) {
        return filters_parse(api_query(request, "filters"), ret, err);
}

int api_prune(ApiRequest *request, PruneCall prune, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r = api_filters(request, &filters, err);

        if (r >= 0)
                r = prune(request->engine, &filters, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

static int bad_time(const char *name, const char *text, Error *err) {
        return error_kind(err, ERROR_INVALID, "%s: '%s' is not a time: give seconds since 1970",
                          name, text);
}

int api_time(const ApiRequest *request, const char *name, int64_t *ret, Error *err) {
        const char *text = api_query(request, name);
        char digits[10] = "000000000";
        _cleanup_free_ char *whole = NULL;
        int64_t seconds, fraction = 0;
        size_t length;

        *ret = 0;
        if (str_empty(text) || str_equal(text, "0"))
                return 0;
        length = strcspn(text, ".");
        whole = str_copy_n(text, length);
        if (str_to_int64(whole, &seconds) < 0 || seconds < 0 ||
            seconds > INT64_MAX / NSEC_PER_SEC - 1)
                return bad_time(name, text, err);
        if (text[length] == '.') {
                const char *part = text + length + 1;

                if (strlen(part) > 9 || strspn(part, "0123456789") != strlen(part))
                        return bad_time(name, text, err);
                memcpy(digits, part, strlen(part));
                if (str_to_int64(digits, &fraction) < 0)
                        return bad_time(name, text, err);
        }
        *ret = seconds * NSEC_PER_SEC + fraction;
        return 0;
}

int api_refuse_query(const ApiRequest *request, const char *name, Error *err) {
        if (!api_flag(request, name))
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED, "the parameter '%s' is not supported by brig yet",
                          name);
}

int api_platform_parse(const char *text, char **ret, Error *err) {
        static const JsonField fields[] = {
                JSON_FIELD(ImagePlatform, "os", JSON_STRING, os, 0),
                JSON_FIELD(ImagePlatform, "architecture", JSON_STRING, architecture, 0),
                JSON_FIELD(ImagePlatform, "variant", JSON_STRING, variant, 0),
        };
        static const JsonTable table = JSON_TABLE(ImagePlatform, "platform", fields);
        ImagePlatform platform = { 0 };
        int r = 0;

        if (*text != '{') {
                *ret = str_copy(text);
                return 0;
        }
        r = json_parse(&table, text, strlen(text), &platform, err);
        if (r == 0 && (str_empty(platform.os) || str_empty(platform.architecture)))
                r = error_kind(err, ERROR_INVALID,
                               "platform: give os and architecture, as in "
                               "{\"os\":\"linux\",\"architecture\":\"arm64\"}");
        if (r == 0)
                *ret = str_format("%s/%s%s%s", platform.os, platform.architecture,
                                  str_empty(platform.variant) ? "" : "/", platform.variant ?: "");
        json_done(&table, &platform);
        return r;
}

int api_platform(const ApiRequest *request, char **ret, Error *err) {
        const char *text = api_query(request, "platform");

        return str_empty(text) ? 0 : api_platform_parse(text, ret, err);
}

/* Docker's rule: no type is fine where there is no body. */
static int check_content_type(const ApiRequest *request, Error *err) {
        const char *type = http_head_get(request->head, "Content-Type");

        if (str_empty(type) && !request->head->chunked && request->head->length == 0)
                return 0;
        if (type && strncasecmp(type, "application/json", 16) == 0 &&
            (!type[16] || strchr("; \t", type[16])))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "unsupported Content-Type header (%s): must be 'application/json'",
                          type ?: "");
}

int api_body_any(ApiRequest *request, json_object **ret, Error *err) {
        _cleanup_buf_ Buf text = { 0 };
        int r = check_content_type(request, err);

        if (r < 0)
                return r;
        r = http_request_body(request->exchange, API_BODY_MAX, &text, err);
        if (r < 0)
                return r;
        *ret = NULL;
        if (text.length == 0)
                return 0;
        return json_parse_any(text.data, text.length, ret, err);
}

int api_body_object(ApiRequest *request, json_object **ret, Error *err) {
        int r = api_body_any(request, ret, err);

        if (r < 0 || *ret)
                return r;
        return error_kind(err, ERROR_INVALID, "invalid JSON: got EOF while reading request body");
}

int api_body(ApiRequest *request, const JsonTable *table, void *thing, Error *err) {
        _cleanup_json_ json_object *body = NULL;
        int r = api_body_object(request, &body, err);

        return r < 0 ? r : json_read(table, body, thing, err);
}

/* ---- dispatch ---- */

static void add_common_fields(HttpExchange *exchange) {
        http_header(exchange, "Api-Version", API_VERSION);
        http_header(exchange, "Docker-Experimental", "true");
        http_header(exchange, "Ostype", "linux");
        http_header(exchange, "Server", "brig/" BRIG_VERSION " (linux)");
}

/* Puts the version that the path names into request->version and moves *path behind it. */
static int read_version(ApiRequest *request, const char **path, Error *err) {
        int major = 1, minor;

        if (!route_version(path, &major, &minor))
                return error_kind(err, ERROR_NOT_FOUND, "page not found");
        if (minor < 0) {
                request->version = VERSION_MINOR;
                return 0;
        }
        if (major < 1 || (major == 1 && minor < VERSION_MINOR_MIN))
                return error_kind(err, ERROR_INVALID,
                                  "client version %d.%d is too old. Minimum supported API version "
                                  "is " API_VERSION_MIN
                                  ", please upgrade your client to a newer version",
                                  major, minor);
        if (major > 1 || minor > VERSION_MINOR)
                return error_kind(err, ERROR_INVALID,
                                  "client version %d.%d is too new. Maximum supported API version "
                                  "is " API_VERSION,
                                  major, minor);
        request->version = minor;
        return 0;
}

static bool is_loopback_name(const char *host) {
        static const char *const names[] = { "localhost", "127.", "[::1]" };

        for (size_t i = 0; host && i < ELEMENTS(names); i++) {
                const char *rest = str_after(host, names[i]);

                if (rest && strspn(rest, "0123456789.:") == strlen(rest))
                        return true;
        }
        return false;
}

/* Programs' WebSockets say where they go to as where they come from. No page is at that address:
 * the daemon has none. */
static bool names_ourselves(const ApiRequest *request, const char *origin) {
        const char *host = http_head_get(request->head, "Host"), *rest = str_after(origin, "http");
        const char *secure = rest ? str_after(rest, "s") : NULL;

        if (!host || !rest || !http_head_has_token(request->head, "Upgrade", "websocket"))
                return false;
        rest = str_after(secure ?: rest, "://");
        return rest && str_equal(rest, host);
}

/* A web page in the user's browser reaches TCP on the loopback too. What comes from a page says so
 * (Origin), or came by a name that the page's owner points here (Host). */
static int refuse_browsers(const ApiRequest *request, Error *err) {
        HttpOrigin origin = http_request_origin(request->exchange);
        const char *from = http_head_get(request->head, "Origin");
        bool page = from && !names_ourselves(request, from);

        if (origin == HTTP_LOCAL || (origin == HTTP_RELAYED && !page))
                return 0;
        if (origin == HTTP_RELAYED)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "a web page may not use the certificate of who looks at it");
        if (!page && is_loopback_name(http_head_get(request->head, "Host")))
                return 0;
        return error_kind(err, ERROR_FORBIDDEN,
                          "over TCP the daemon answers requests to localhost, 127.0.0.1 or [::1] "
                          "that come from no web page");
}

static int dispatch(ApiRequest *request, Error *err) {
        const char *path = request->head->path;
        int r = refuse_browsers(request, err);

        if (r >= 0)
                r = read_version(request, &path, err);

        if (r < 0)
                return r;
        request->route = route_find(request->head->method, path, request->captures);
        if (!request->route)
                return error_kind(err, ERROR_NOT_FOUND, "page not found");
        r = http_query_parse(request->head->query, &request->query, err);
        if (r < 0)
                return r;
        return request->route->handler(request, err);
}

void api_handle(void *data, HttpExchange *exchange) {
        Api *api = data;
        ApiRequest request = { .engine = api->engine,
                               .exchange = exchange,
                               .head = http_request_head(exchange) };
        Error err = { 0 };
        int r;

        add_common_fields(exchange);
        r = dispatch(&request, &err);
        if (r < 0 && !http_answered(exchange))
                api_answer_error(&request, &err);
        else if (r < 0)
                log_warn("%s: after its answer had begun: %s", request.head->path, err.message);
        for (size_t i = 0; i < API_CAPTURES; i++)
                free(request.captures[i]);
        http_query_done(&request.query);
}
