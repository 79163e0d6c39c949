/* registry.c: see registry.h. Credentials go to the host that a challenge of the registry itself
 * names, and no challenge is taken from where a redirection led. */
#include "image/registry.h"

#include <ctype.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/challenge.h"
#include "image/endpoint.h"

#define TOKEN_SCOPE "repository:%s:pull"

struct Registry {
        CURL *curl;
        char *name, *repository, *user_password, *identity_token;
        Endpoint *endpoints;
        size_t endpoint_count, current;
        char *authorization; /* the header's value */
        char *refresh_token; /* where offline is set and the realm gave one */
        char *ca_file;
        char **scopes; /* NULL: what the challenge says, or pulling */
        bool offline;  /* ask for a token that stands for the password */
};

static void challenge_donep(Challenge *challenge) {
        challenge_done(challenge);
}

static void curl_freep(char **text) {
        curl_free(*text);
}

static const Endpoint *endpoint_of(const Registry *registry) {
        return &registry->endpoints[registry->current];
}

const char *registry_endpoint(const Registry *registry) {
        return endpoint_of(registry)->url;
}

const char *registry_authorization(const Registry *registry) {
        return registry->authorization;
}

/* ---- errors ---- */

/* {"errors":[{"code":"MANIFEST_UNKNOWN","message":"…"}]} as "manifest unknown: …". */
static int answer_failed(const HttpGet *get, char ret_code[64], Error *err) {
        _cleanup_json_ json_object *object = NULL;
        json_object *list, *first = NULL;
        const char *code = NULL, *message = NULL;
        ErrorKind kind = get->status == 404   ? ERROR_NOT_FOUND
                         : get->status == 401 ? ERROR_UNAUTHORIZED
                         : get->status == 403 ? ERROR_FORBIDDEN
                                              : ERROR_UNAVAILABLE;

        if (get->body.length > 0 &&
            json_parse_any(get->body.data, get->body.length, &object, NULL) == 0) {
                list = json_member(object, "errors");
                if (json_object_is_type(list, json_type_array))
                        first = json_object_array_get_idx(list, 0);
                code = json_member_string(first, "code");
                message = json_member_string(first, "message");
        }
        (void)snprintf(ret_code, 64, "%.60s", code ? code : "");
        if (code) {
                _cleanup_free_ char *words = str_lower(str_copy(ret_code));

                for (char *c = words; *c; c++)
                        if (*c == '_')
                                *c = ' ';
                return error_kind(err, kind, "%s: %.400s", words, message ? message : words);
        }
        if (get->status == 429)
                return error_kind(
                        err, kind,
                        "toomanyrequests: the registry at %s allows no more requests for now",
                        get->url);
        return error_kind(err, kind, "received unexpected HTTP status %ld from %s", get->status,
                          get->url);
}

/* ---- tokens ---- */

static char *escape(Registry *registry, const char *text) {
        _cleanup_(curl_freep) char *escaped = curl_easy_escape(registry->curl, text, 0);

        return str_copy(escaped ? escaped : "");
}

static void add_scope(Registry *registry, Buf *parameters, const char *scope) {
        _cleanup_free_ char *escaped = escape(registry, scope);

        buf_format(parameters, "%sscope=%s", parameters->length > 0 ? "&" : "", escaped);
}

/* service and scopes as a query's or a form's parameters. Where the session has scopes of its own,
 * what this one answer asks for is not all that is needed. */
static char *token_parameters(Registry *registry, const Challenge *challenge) {
        _cleanup_free_ char *wanted = str_format(TOKEN_SCOPE, registry->repository),
                            *service = NULL;
        Buf parameters = {};

        if (challenge->service) {
                service = escape(registry, challenge->service);
                buf_format(&parameters, "service=%s", service);
        }
        for (size_t i = 0; registry->scopes && registry->scopes[i]; i++)
                add_scope(registry, &parameters, registry->scopes[i]);
        if (challenge->scope && !strv_has(registry->scopes, challenge->scope))
                add_scope(registry, &parameters, challenge->scope);
        else if (!challenge->scope && !registry->scopes && registry->repository[0])
                add_scope(registry, &parameters, wanted);
        if (registry->offline)
                buf_format(&parameters, "%soffline_token=true&client_id=brig",
                           parameters.length > 0 ? "&" : "");
        return buf_take(&parameters);
}

static int check_realm(const Registry *registry, const Challenge *challenge, Error *err) {
        bool encrypted = challenge->realm && str_after(challenge->realm, "https://");
        bool plain = challenge->realm && str_after(challenge->realm, "http://");

        if (encrypted || (plain && str_after(registry_endpoint(registry), "http://")))
                return 0;
        return error_kind(
                err, ERROR_UNAUTHORIZED,
                "registry %s sends its users to '%.200s' for a token: refused, it is not https",
                registry->name, challenge->realm ? challenge->realm : "");
}

static int read_token(Registry *registry, const HttpGet *get, Error *err) {
        _cleanup_json_ json_object *object = NULL;
        const char *token;
        int r = json_parse_any(get->body.data ? get->body.data : "", get->body.length, &object,
                               err);

        if (r < 0)
                return error_prefix(err, "token from %s", get->url);
        token = json_member_string(object, "token");
        if (!token)
                token = json_member_string(object, "access_token");
        if (str_empty(token) || strpbrk(token, "\r\n"))
                return error_kind(err, ERROR_UNAUTHORIZED,
                                  "authorization server %s did not include a token in the response",
                                  get->url);
        free(registry->authorization);
        registry->authorization = str_format("Bearer %s", token);
        if (registry->offline)
                str_replace(&registry->refresh_token, json_member_string(object, "refresh_token"));
        return 0;
}

/* Docker's token authentication: GET with basic authentication, or POST of a refresh token. */
static int fetch_token(Registry *registry, const Challenge *challenge, Error *err) {
        _cleanup_free_ char *parameters = token_parameters(registry, challenge), *url = NULL,
                            *form = NULL;
        _cleanup_(http_get_done) HttpGet get = { .insecure = endpoint_of(registry)->insecure,
                                                 .ca_file = registry->ca_file };
        char code[64];
        int r = check_realm(registry, challenge, err);

        if (r < 0)
                return r;
        if (registry->identity_token && !endpoint_of(registry)->mirror) {
                _cleanup_free_ char *token = escape(registry, registry->identity_token);

                form = str_format("grant_type=refresh_token&client_id=brig&refresh_token=%s&%s",
                                  token, parameters);
                url = str_copy(challenge->realm);
        } else {
                url = str_format("%s%c%s", challenge->realm,
                                 strchr(challenge->realm, '?') ? '&' : '?', parameters);
                get.user_password = endpoint_of(registry)->mirror ? NULL : registry->user_password;
        }
        get.url = url;
        get.form = form;
        r = http_get(registry->curl, &get, err);
        if (r < 0)
                return r;
        return get.status == 200 ? read_token(registry, &get, err) : answer_failed(&get, code, err);
}

static int use_password(Registry *registry, const HttpGet *get, Error *err) {
        _cleanup_free_ char *encoded = NULL;
        size_t length, written = 0;
        static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const unsigned char *text = (const unsigned char *)registry->user_password;

        if (!text || endpoint_of(registry)->mirror)
                return error_kind(err, ERROR_UNAUTHORIZED, "%s \"%s\": no basic auth credentials",
                                  str_equal(get->method, "HEAD") ? "Head" : "Get", get->url);
        length = strlen(registry->user_password);
        encoded = alloc_zero(1, (length + 2) / 3 * 4 + 1);
        for (size_t i = 0; i < length; i += 3) {
                unsigned bits = (unsigned)text[i] << 16 |
                                (i + 1 < length ? (unsigned)text[i + 1] << 8 : 0) |
                                (i + 2 < length ? text[i + 2] : 0);

                encoded[written++] = digits[bits >> 18];
                encoded[written++] = digits[bits >> 12 & 63];
                encoded[written++] = i + 1 < length ? digits[bits >> 6 & 63] : '=';
                encoded[written++] = i + 2 < length ? digits[bits & 63] : '=';
        }
        free(registry->authorization);
        registry->authorization = str_format("Basic %s", encoded);
        return 0;
}

/* After a 401: gets what the registry asks for. */
static int authenticate(Registry *registry, const HttpGet *get, Error *err) {
        _cleanup_(challenge_donep) Challenge challenge = {};

        if (get->redirected)
                return error_kind(err, ERROR_UNAUTHORIZED,
                                  "%s led to another server, which wants credentials: refused, "
                                  "they are the registry's only",
                                  get->url);
        if (get->challenge && challenge_parse(get->challenge, "bearer", &challenge))
                return fetch_token(registry, &challenge, err);
        if (get->challenge && challenge_parse(get->challenge, "basic", &challenge))
                return use_password(registry, get, err);
        return error_kind(err, ERROR_UNAUTHORIZED,
                          "unauthorized: %s asks for no authentication that is known", get->url);
}

/* ---- requests ---- */

/* The scheme, host and port of the registry's endpoint are the URL's. */
static bool is_own(const Registry *registry, const char *url) {
        const char *rest = str_after(url, registry_endpoint(registry));

        return rest && (*rest == '/' || *rest == '?' || !*rest);
}

static int send_once(Registry *registry, const char *url, char *const *accept, HttpGet *get,
                     Error *err) {
        char *const *more = get->headers;
        _cleanup_strv_ char **headers = strv_copy(more);

        for (size_t i = 0; accept && accept[i]; i++)
                strv_format(&headers, "Accept: %s", accept[i]);
        if (registry->authorization && is_own(registry, url))
                strv_format(&headers, "Authorization: %s", registry->authorization);
        get->url = url;
        get->headers = headers;
        get->insecure = endpoint_of(registry)->insecure;
        get->ca_file = registry->ca_file;
        {
                int r = http_get(registry->curl, get, err);

                get->headers = more;
                return r;
        }
}

/* Once more with credentials if they are asked for; a token may have expired, too. */
static int send_request(Registry *registry, const char *url, char *const *accept, HttpGet *get,
                        Error *err) {
        int r = send_once(registry, url, accept, get, err);

        if (r < 0 || get->status != 401 || !is_own(registry, url))
                return r;
        r = authenticate(registry, get, err);
        return r < 0 ? r : send_once(registry, url, accept, get, err);
}

int registry_get(Registry *registry, const char *path, char *const *accept, HttpGet *get,
                 char ret_code[64], Error *err) {
        ret_code[0] = '\0';
        for (;; registry->current++) {
                _cleanup_free_ char *url = str_format("%s/v2/%s/%s", registry_endpoint(registry),
                                                      registry->repository, path);
                bool last = !endpoint_of(registry)->mirror ||
                            registry->current + 1 == registry->endpoint_count;
                int r = send_request(registry, url, accept, get, err);

                if (r == 0 && get->status >= 400)
                        r = answer_failed(get, ret_code, err);
                get->url = NULL;
                if (r == 0 || last || get->passed)
                        return r;
                free(registry->authorization);
                registry->authorization = NULL;
        }
}

int registry_answer_error(const HttpGet *get, char ret_code[64], Error *err) {
        return answer_failed(get, ret_code, err);
}

int registry_send(Registry *registry, const char *path, HttpGet *get, Error *err) {
        _cleanup_free_ char *url = strstr(path, "://")
                                           ? str_copy(path)
                                           : str_format("%s/v2/%s/%s", registry_endpoint(registry),
                                                        registry->repository, path);
        int r = send_request(registry, url, NULL, get, err);

        /* Words for the answer may need it: the path, which outlives the request. */
        get->url = path;
        return r;
}

static void url_freep(CURLU **url) {
        curl_url_cleanup(*url);
}

int registry_location(const Registry *registry, const HttpGet *get, char **ret, Error *err) {
        _cleanup_(url_freep) CURLU *url = curl_url();
        _cleanup_(curl_freep) char *text = NULL;

        if (!url || !get->location ||
            curl_url_set(url, CURLUPART_URL, registry_endpoint(registry), 0) != CURLUE_OK ||
            curl_url_set(url, CURLUPART_URL, get->location, 0) != CURLUE_OK ||
            curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "registry %s gave no place to upload to (Location: '%.200s')",
                                  registry->name, get->location ? get->location : "");
        if (str_after(registry_endpoint(registry), "https://") && !str_after(text, "https://"))
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "registry %s wants the upload at '%.200s': refused, it is not "
                                  "https",
                                  registry->name, text);
        *ret = str_copy(text);
        return 0;
}

int registry_get_root(Registry *registry, const char *path, HttpGet *get, char ret_code[64],
                      Error *err) {
        _cleanup_free_ char *url = str_format("%s/%s", registry_endpoint(registry), path);
        int r = send_request(registry, url, NULL, get, err);

        ret_code[0] = '\0';
        if (r == 0 && get->status >= 400)
                r = answer_failed(get, ret_code, err);
        get->url = NULL;
        return r;
}

int registry_check(Registry *registry, char **ret_token, Error *err) {
        _cleanup_free_ char *url = str_format("%s/v2/", registry_endpoint(registry));
        _cleanup_(http_get_done) HttpGet get = {};
        int r = send_request(registry, url, NULL, &get, err);

        if (r < 0)
                return r;
        if (get.status != 200)
                return error_kind(err, get.status == 401 ? ERROR_UNAUTHORIZED : ERROR_UNAVAILABLE,
                                  "login attempt to %s failed with status: %ld %s", url, get.status,
                                  get.status == 401   ? "Unauthorized"
                                  : get.status == 403 ? "Forbidden"
                                  : get.status == 404 ? "Not Found"
                                                      : "");
        *ret_token = str_copy(registry->refresh_token);
        return 0;
}

/* ---- opening ---- */

/* Whether the endpoint speaks the registry's protocol. */
static int ping(Registry *registry, Error *err) {
        _cleanup_free_ char *url = str_format("%s/v2/", registry_endpoint(registry));
        _cleanup_(http_get_done) HttpGet get = {};
        char code[64];
        int r = send_once(registry, url, NULL, &get, err);

        if (r < 0)
                return r;
        if (get.status == 401) {
                r = authenticate(registry, &get, err);
                /* What is public needs no credentials, whatever the root says: the request itself
                 * will tell. */
                return r < 0 && registry->user_password ? r : 0;
        }
        return get.status == 200 || get.status == 404 ? 0 : answer_failed(&get, code, err);
}

/* Where none answers, the plain one's error is the telling one: what speaks no TLS is mostly not
 * there at all. */
static int choose_endpoint(Registry *registry, Error *err) {
        Error plain = {};
        int r = -1;

        for (registry->current = 0; registry->current < registry->endpoint_count;
             registry->current++) {
                Error why = {};

                r = ping(registry, &why);
                if (r == 0)
                        return 0;
                if (err)
                        *err = why;
                /* It is a registry, and this one: another scheme changes nothing. */
                if (why.kind == ERROR_UNAUTHORIZED && !endpoint_of(registry)->mirror)
                        return r;
                if (str_after(registry_endpoint(registry), "http://") &&
                    !endpoint_of(registry)->mirror)
                        plain = why;
        }
        registry->current = registry->endpoint_count - 1;
        if (plain.message[0] && err)
                *err = plain;
        return r;
}

/* Where Docker's users put a registry's authority. */
static char *find_authority(const char *registry) {
        _cleanup_free_ char *path = str_format("/etc/docker/certs.d/%s/ca.crt", registry);

        return access(path, R_OK) == 0 ? TAKE_PTR(path) : NULL;
}

static void set_known_endpoint(Registry *registry, const char *url) {
        for (size_t i = 0; i < registry->endpoint_count; i++)
                if (str_equal(registry->endpoints[i].url, url))
                        registry->current = i;
}

int registry_open(const ImageMessage *request, Registry **ret, Error *err) {
        _cleanup_(registry_freep) Registry *registry = NEW(Registry);
        int r = 0;

        registry->curl = curl_easy_init();
        if (!registry->curl)
                return error_kind(err, ERROR_INTERNAL, "start libcurl");
        registry->name = str_copy(request->registry ? request->registry : "");
        registry->repository = str_copy(request->repository ? request->repository : "");
        registry->identity_token =
                str_copy(str_empty(request->identity_token) ? NULL : request->identity_token);
        if (!str_empty(request->username))
                registry->user_password = str_format("%s:%s", request->username,
                                                     request->password ? request->password : "");
        registry->ca_file = find_authority(registry->name);
        registry->scopes = strv_copy(request->scopes);
        registry->offline = request->offline;
        registry->endpoints = endpoints_of(registry->name, request->insecure, request->mirrors,
                                           &registry->endpoint_count);
        if (!str_empty(request->registry_token))
                registry->authorization = str_format("Bearer %s", request->registry_token);
        if (request->endpoint) {
                registry->authorization = str_copy(request->authorization);
                set_known_endpoint(registry, request->endpoint);
        } else {
                r = choose_endpoint(registry, err);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(registry);
        return 0;
}

Registry *registry_free(Registry *registry) {
        if (!registry)
                return NULL;
        if (registry->curl)
                curl_easy_cleanup(registry->curl);
        (void)endpoints_free(registry->endpoints, registry->endpoint_count);
        free(registry->name);
        free(registry->repository);
        free(registry->user_password);
        free(registry->identity_token);
        free(registry->authorization);
        free(registry->refresh_token);
        free(registry->ca_file);
        registry->scopes = strv_free(registry->scopes);
        free(registry);
        return NULL;
}
