/* registry.c: see registry.h. Each host of a registry has its own authorization. Credentials go to
 * the host that a challenge of the registry itself names, and no challenge is taken from where a
 * redirection led. */
#include "image/registry-private.h"

#include <errno.h>

#include "base/bug.h"
#include "base/cleanup.h"

#define REDIRECTS_MAX 5

const char *registry_endpoint(const Registry *registry) {
        return registry_host(registry)->url;
}

/* Two hosts of a hosts.toml may differ by their paths alone. */
static char *registry_place(const Endpoint *endpoint) {
        return str_format("%s%s", endpoint->url, endpoint->path);
}

char *registry_known(const Registry *registry) {
        return registry_place(registry_host(registry));
}

const char *registry_authorization(const Registry *registry) {
        return registry_host(registry)->authorization;
}

static char *api_url(const Registry *registry, const char *path) {
        const Endpoint *endpoint = registry_host(registry);
        _cleanup_free_ char *url = str_format("%s%s/%s", endpoint->url, endpoint->path, path);

        if (!endpoint->lists_namespace)
                return TAKE_PTR(url);
        return str_format("%s%cns=%s", url, strchr(url, '?') ? '&' : '?', registry->name);
}

/* Of the repository. */
static char *content_url(const Registry *registry, const char *path) {
        if (BUG("layer-urls") && strstr(path, "://"))
                return str_copy(path);

        _cleanup_free_ char *below = str_format("%s/%s", registry->repository, path);

        return api_url(registry, below);
}

/* ---- requests ---- */

/* The scheme, host and port of the registry's endpoint are the URL's. */
static bool is_own(const Registry *registry, const char *url) {
        const char *rest = str_after(url, registry_endpoint(registry));

        return (rest && (*rest == '/' || *rest == '?' || !*rest)) || BUG("layer-urls");
}

static int send_here(Registry *registry, const char *url, char *const *accept, HttpGet *get,
                     Error *err) {
        const Endpoint *endpoint = registry_host(registry);
        char *const *more = get->headers;
        _cleanup_strv_ char **headers = strv_copy(more);

        for (size_t i = 0; accept && accept[i]; i++)
                strv_format(&headers, "Accept: %s", accept[i]);
        for (size_t i = 0; is_own(registry, url) && endpoint->headers && endpoint->headers[i]; i++)
                strv_add(&headers, endpoint->headers[i]);
        if (endpoint->authorization && is_own(registry, url))
                strv_format(&headers, "Authorization: %s", endpoint->authorization);
        get->url = url;
        get->headers = headers;
        registry_trust(registry, get);
        {
                int r = http_get(registry->curl, get, err);

                get->headers = more;
                return r;
        }
}

static int check_redirect(const char *url, const HttpGet *get, int count, Error *err) {
        if (count < REDIRECTS_MAX &&
            (!str_after(url, "https://") || str_after(get->redirect, "https://")))
                return 0;
        return error_kind(err, ERROR_UNAVAILABLE,
                          "Get \"%s\": refused to follow it to '%.200s': %s", url, get->redirect,
                          count < REDIRECTS_MAX ? "it is not https" : "too many redirections");
}

/* libcurl takes all headers but Authorization along to where a redirection leads. Those of
 * hosts.toml may be credentials, too: where there are some, it is followed here, without them. */
static int send_once(Registry *registry, const char *url, char *const *accept, HttpGet *get,
                     Error *err) {
        _cleanup_free_ char *next = NULL;
        int count = 0, r;

        get->stays = registry_host(registry)->headers != NULL;
        r = send_here(registry, url, accept, get, err);
        while (r == 0 && get->redirect) {
                r = check_redirect(url, get, count++, err);
                if (r < 0)
                        break;
                str_replace(&next, get->redirect);
                r = send_here(registry, next, accept, get, err);
        }
        get->url = url;
        get->redirected |= count > 0;
        return r;
}

/* Once more with credentials if they are asked for; a token may have expired, too. */
static int send_request(Registry *registry, const char *url, char *const *accept, HttpGet *get,
                        Error *err) {
        int r = send_once(registry, url, accept, get, err);

        if (r < 0 || get->status != 401 || !is_own(registry, url))
                return r;
        r = registry_authenticate(registry, get, err);
        return r < 0 ? r : send_once(registry, url, accept, get, err);
}

/* ---- which host ---- */

/* Whether the host speaks the registry's protocol. */
static int ping(Registry *registry, Error *err) {
        const Endpoint *endpoint = registry_host(registry);
        _cleanup_free_ char *url = api_url(registry, "");
        _cleanup_(http_get_done) HttpGet get = {};
        char code[64];
        int r = send_once(registry, url, NULL, &get, err);

        if (r < 0)
                return r;
        if (get.status == 401) {
                r = registry_authenticate(registry, &get, err);
                /* What is public needs no credentials, whatever the root says: the request itself
                 * will tell. */
                return r < 0 && registry->user_password ? r : 0;
        }
        /* A mirror under a path of its own may have nothing at its root. */
        return get.status == 200 || get.status == 404 || (endpoint->mirror && get.status < 500)
                       ? 0
                       : registry_answer_error(&get, code, err);
}

static bool own_is_known(const Registry *registry) {
        for (size_t i = 0; i < registry->endpoint_count; i++)
                if (registry->endpoints[i].alive && !registry->endpoints[i].mirror)
                        return true;
        return false;
}

/* Makes the first host from `from` on the current one that may be asked for that and answers. 1: it
 * is; 0: there is none, and *err is as it was; negative: none that was tried answers. Of the
 * registry's own the plain one's error is the telling one: what speaks no TLS is mostly not there
 * at all. */
static int choose_endpoint(Registry *registry, size_t from, unsigned can, Error *err) {
        Error plain = {};
        int r = 0;

        for (size_t i = from; i < registry->endpoint_count; i++) {
                Endpoint *endpoint = &registry->endpoints[i];
                Error why = {};

                if (endpoint->failed || !(endpoint->can & can) ||
                    (!endpoint->mirror && !endpoint->alive && own_is_known(registry)))
                        continue;
                registry->current = i;
                r = endpoint->alive ? 0 : ping(registry, &why);
                endpoint->alive = r == 0;
                if (r == 0)
                        return 1;
                endpoint->failed = endpoint->mirror;
                if (err)
                        *err = why;
                /* It is a registry, and this one: another scheme changes nothing. */
                if (why.kind == ERROR_UNAUTHORIZED && !endpoint->mirror)
                        return r;
                if (str_after(endpoint->url, "http://") && !endpoint->mirror)
                        plain = why;
        }
        if (plain.message[0] && err)
                *err = plain;
        return r;
}

static int nobody(const Registry *registry, Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE,
                          "no host of %s may be asked for that: see the capabilities in its "
                          "hosts.toml",
                          registry->name);
}

/* Content by its digest, or what only a host that is trusted to know may say. */
static unsigned capability_for(const char *path) {
        return str_after(path, "blobs/") || str_after(path, "manifests/sha256:") ? HOST_PULL
                                                                                 : HOST_RESOLVE;
}

static int get_once(Registry *registry, const char *path, char *const *accept, HttpGet *get,
                    char ret_code[64], Error *err) {
        _cleanup_free_ char *url = content_url(registry, path);
        int r = send_request(registry, url, accept, get, err);

        if (r == 0 && get->status >= 400)
                r = registry_answer_error(get, ret_code, err);
        get->url = NULL;
        return r;
}

int registry_get(Registry *registry, const char *path, char *const *accept, HttpGet *get,
                 char ret_code[64], Error *err) {
        unsigned can = capability_for(path);
        bool tried = false;
        int r = -EIO;

        ret_code[0] = '\0';
        for (size_t from = 0;; from = registry->current + 1) {
                int found = choose_endpoint(registry, from, can, err);

                if (found < 0)
                        return found;
                if (found == 0)
                        return tried ? r : nobody(registry, err);
                tried = true;
                r = get_once(registry, path, accept, get, ret_code, err);
                if (r == 0 || get->passed || !registry_host(registry)->mirror)
                        return r;
                registry_host(registry)->failed =
                        true; /* what follows is asked of the next at once */
        }
}

int registry_send(Registry *registry, const char *path, HttpGet *get, Error *err) {
        _cleanup_free_ char *url =
                strstr(path, "://") ? str_copy(path) : content_url(registry, path);
        int r = send_request(registry, url, NULL, get, err);

        /* Words for the answer may need it: the path, which outlives the request. */
        get->url = path;
        return r;
}

static void text_freep(char **text) {
        curl_free(*text);
}

static void url_freep(CURLU **url) {
        curl_url_cleanup(*url);
}

int registry_location(const Registry *registry, const HttpGet *get, char **ret, Error *err) {
        _cleanup_(url_freep) CURLU *url = curl_url();
        _cleanup_(text_freep) char *text = NULL;

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
                r = registry_answer_error(get, ret_code, err);
        get->url = NULL;
        return r;
}

int registry_check(Registry *registry, char **ret_token, Error *err) {
        _cleanup_free_ char *url = api_url(registry, "");
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

/* What is before it failed, unless it was not asked at all. */
static void set_known_endpoint(Registry *registry, const ImageMessage *request) {
        for (size_t i = 0; i < registry->endpoint_count; i++) {
                Endpoint *endpoint = &registry->endpoints[i];

                _cleanup_free_ char *place = registry_place(endpoint);

                if (str_equal(place, request->endpoint)) {
                        registry->current = i;
                        endpoint->alive = true;
                        str_replace(&endpoint->authorization, request->authorization);
                        return;
                }
                endpoint->failed = endpoint->mirror && (endpoint->can & HOST_RESOLVE);
        }
}

/* Where the registry itself is meant, only a host that takes what is pushed stands in for it. */
static unsigned capability_of_session(Registry *registry, const ImageMessage *request) {
        for (size_t i = 0; request->no_mirrors && i < registry->endpoint_count; i++) {
                Endpoint *endpoint = &registry->endpoints[i];

                if (endpoint->mirror && !(request->scopes && endpoint->can & HOST_PUSH))
                        endpoint->failed = true;
        }
        return !request->no_mirrors ? HOST_PULL | HOST_RESOLVE
               : request->scopes    ? HOST_PUSH
                                    : HOST_ALL;
}

static int find_endpoints(Registry *registry, const ImageMessage *request, Error *err) {
        const EndpointOptions options = { request->insecure, request->mirrors,
                                          request->host_directories };
        unsigned can;
        int r = endpoints_of(registry->name, &options, &registry->endpoints,
                             &registry->endpoint_count, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < registry->endpoint_count; i++)
                if (registry->endpoints[i].trusted && !str_empty(request->registry_token))
                        registry->endpoints[i].authorization =
                                str_format("Bearer %s", request->registry_token);
        can = capability_of_session(registry, request);
        if (request->endpoint) {
                set_known_endpoint(registry, request);
                return 0;
        }
        r = choose_endpoint(registry, 0, can, err);
        if (r == 0)
                return nobody(registry, err);
        return MIN(r, 0);
}

int registry_open(const ImageMessage *request, Registry **ret, Error *err) {
        _cleanup_(registry_freep) Registry *registry = NEW(Registry);
        int r;

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
        registry->scopes = strv_copy(request->scopes);
        registry->offline = request->offline;
        registry->attempts = (int)MIN(request->attempts, (int64_t)INT_MAX);
        r = find_endpoints(registry, request, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(registry);
        return 0;
}

int registry_attempts(const Registry *registry) {
        return registry->attempts;
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
        free(registry->refresh_token);
        registry->scopes = strv_free(registry->scopes);
        free(registry);
        return NULL;
}
