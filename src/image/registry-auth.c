/* registry-auth.c: what a registry's answer says of errors, and what it wants to know of its user:
 * tokens and passwords, for the host that asked. See registry-private.h. */
#include "base/base64.h"
#include "base/cleanup.h"
#include "image/challenge.h"
#include "image/registry-private.h"

#define TOKEN_SCOPE "repository:%s:pull"

static void challenge_donep(Challenge *challenge) {
        challenge_done(challenge);
}

static void curl_freep(char **text) {
        curl_free(*text);
}

void registry_trust(const Registry *registry, HttpGet *get) {
        const Endpoint *endpoint = registry_host(registry);

        get->insecure = endpoint->insecure;
        get->authorities = endpoint->authorities;
        get->certificate = endpoint->certificate;
        get->key = endpoint->key;
}

/* ---- errors ---- */

/* {"errors":[{"code":"MANIFEST_UNKNOWN","message":"…"}]} as "manifest unknown: …". */
int registry_answer_error(const HttpGet *get, char ret_code[64], Error *err) {
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
        free(registry_host(registry)->authorization);
        registry_host(registry)->authorization = str_format("Bearer %s", token);
        if (registry->offline)
                str_replace(&registry->refresh_token, json_member_string(object, "refresh_token"));
        return 0;
}

/* Docker's token authentication: GET with basic authentication, or POST of a refresh token. */
static int fetch_token(Registry *registry, const Challenge *challenge, Error *err) {
        _cleanup_free_ char *parameters = token_parameters(registry, challenge), *url = NULL,
                            *form = NULL;
        _cleanup_(http_get_done) HttpGet get = {};
        char code[64];
        int r = check_realm(registry, challenge, err);

        if (r < 0)
                return r;
        if (registry->identity_token && registry_host(registry)->trusted) {
                _cleanup_free_ char *token = escape(registry, registry->identity_token);

                form = str_format("grant_type=refresh_token&client_id=brig&refresh_token=%s&%s",
                                  token, parameters);
                url = str_copy(challenge->realm);
        } else {
                url = str_format("%s%c%s", challenge->realm,
                                 strchr(challenge->realm, '?') ? '&' : '?', parameters);
                get.user_password =
                        registry_host(registry)->trusted ? registry->user_password : NULL;
        }
        get.url = url;
        get.form = form;
        registry_trust(registry, &get);
        r = http_get(registry->curl, &get, err);
        if (r < 0)
                return r;
        return get.status == 200 ? read_token(registry, &get, err)
                                 : registry_answer_error(&get, code, err);
}

static int use_password(Registry *registry, const HttpGet *get, Error *err) {
        _cleanup_free_ char *encoded = NULL;

        if (!registry->user_password || !registry_host(registry)->trusted)
                return error_kind(err, ERROR_UNAUTHORIZED, "%s \"%s\": no basic auth credentials",
                                  str_equal(get->method, "HEAD") ? "Head" : "Get", get->url);
        encoded = base64_encode(registry->user_password, strlen(registry->user_password));
        free(registry_host(registry)->authorization);
        registry_host(registry)->authorization = str_format("Basic %s", encoded);
        return 0;
}

/* After a 401: gets what the registry asks for. */
int registry_authenticate(Registry *registry, const HttpGet *get, Error *err) {
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
