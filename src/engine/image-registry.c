/* image-registry.c: the engine's calls that talk to a registry but do not pull: push, credentials,
 * search, what a name stands for there. */
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/image-push.h"
#include "format/reference.h"

#define HUB "docker.io"
#define HUB_INDEX "index.docker.io"
#define SEARCH_LIMIT 25
#define SEARCH_LIMIT_MAX 100

int engine_image_push_platform(Engine *engine, const char *name, const char *platform,
                               const RegistryAuth *auth, ImageProgressFn progress, void *data,
                               Error *err) {
        const ImagePush push = { .platform = platform,
                                 .auth = auth,
                                 .options = engine_registry(engine),
                                 .progress = progress,
                                 .data = data };

        return engine_image_push_as(engine, name, &push, err);
}

int engine_image_push_as(Engine *engine, const char *name, const ImagePush *push, Error *err) {
        int r = image_push_as(engine->images, name, push, err);

        if (r == 0) {
                Pairs attributes = { 0 };

                pairs_put(&attributes, "name", name);
                engine_event_emit(engine, "image", "push", name, &attributes);
                pairs_done(&attributes);
        }
        return r;
}

/* "https://index.docker.io/v1/", "https://host/v2/", "host:port" → the registry's name. */
static char *registry_of(const char *address) {
        const char *given = str_empty(address) ? HUB : address;
        const char *host = str_after(given, "https://") ?: str_after(given, "http://") ?: given;

        host = str_copy_n(host, strcspn(host, "/"));
        if (str_equal(host, HUB_INDEX)) {
                free((char *)host);
                host = str_copy(HUB);
        }
        return (char *)host;
}

int engine_auth(Engine *engine, const char *address, const RegistryAuth *auth, char **ret_token,
                Error *err) {
        _cleanup_free_ char *registry = registry_of(address);

        if (!*registry)
                return error_kind(err, ERROR_INVALID,
                                  "'%s' is no address of a registry: give host or host:port",
                                  address);
        return image_registry_login(engine->images, registry, auth, engine_registry(engine),
                                    ret_token, err);
}

int engine_distribution(Engine *engine, const char *name, const RegistryAuth *auth, Buf *json,
                        Error *err) {
        return image_distribution(engine->images, name, auth, engine_registry(engine), json, err);
}

/* ---- manifests ---- */

/* The daemon's settings, and the name's registry as an insecure one where that is wanted. */
static RegistryOptions options_for(const Engine *engine, const char *name, bool insecure,
                                   char ***list) {
        RegistryOptions options = *engine_registry(engine);
        Reference reference = { 0 };

        *list = strv_copy(options.insecure);
        if (insecure && reference_parse(name, &reference, NULL) == 0)
                strv_add(list, reference.domain);
        reference_done(&reference);
        options.insecure = *list;
        return options;
}

int engine_manifest_get(Engine *engine, const char *name, bool insecure, const RegistryAuth *auth,
                        Buf *json, Error *err) {
        _cleanup_strv_ char **list = NULL;
        const RegistryOptions options = options_for(engine, name, insecure, &list);

        return image_manifest_get(engine->images, name, auth, &options, json, err);
}

int engine_manifest_push(Engine *engine, const char *name, bool insecure, const ManifestPush *push,
                         const RegistryAuth *auth, char ret_digest[], Error *err) {
        _cleanup_strv_ char **list = NULL;
        const RegistryOptions options = options_for(engine, name, insecure, &list);

        return image_manifest_push(engine->images, name, push, auth, &options, ret_digest, err);
}

/* ---- search ---- */

typedef struct SearchFilter {
        const char *official, *automated; /* "true", "false", NULL: any */
        int64_t stars;
} SearchFilter;

static int read_bool(const Filters *filters, const char *key, const char **ret, Error *err) {
        char *const *values = filters_get(filters, key);

        if (!values)
                return 0;
        if (!values[0] || values[1] || !filter_is_bool(values[0]))
                return error_kind(err, ERROR_INVALID, "invalid filter '%s=%s'", key,
                                  values[0] ? values[0] : "");
        *ret = filter_is_true(values[0]) ? "true" : "false";
        return 0;
}

static int read_filter(const Filters *filters, SearchFilter *ret, Error *err) {
        static const char *const accepted[] = { "is-automated", "is-official", "stars", NULL };
        char *const *stars = filters_get(filters, "stars");
        int r = filters_check(filters, accepted, err);

        if (r == 0)
                r = read_bool(filters, "is-official", &ret->official, err);
        if (r == 0)
                r = read_bool(filters, "is-automated", &ret->automated, err);
        for (size_t i = 0; r == 0 && stars && stars[i]; i++) {
                int64_t value;

                if (str_to_int64(stars[i], &value) < 0)
                        return error_kind(err, ERROR_INVALID, "invalid filter 'stars=%s'",
                                          stars[i]);
                ret->stars = MAX(ret->stars, value);
        }
        return r;
}

static bool is_true(json_object *result, const char *name) {
        return json_object_get_boolean(json_member(result, name));
}

static bool fits(json_object *result, const SearchFilter *filter) {
        if (filter->official &&
            str_equal(filter->official, "true") != is_true(result, "is_official"))
                return false;
        if (filter->automated &&
            str_equal(filter->automated, "true") != is_true(result, "is_automated"))
                return false;
        return json_object_get_int64(json_member(result, "star_count")) >= filter->stars;
}

/* A registry's answer is not passed on as it is: only what Docker's API has. */
static json_object *result_of(json_object *found) {
        json_object *result = json_object_new_object();
        const char *description = json_member_string(found, "description");
        const char *name = json_member_string(found, "name");

        (void)json_object_object_add(
                result, "star_count",
                json_object_new_int64(json_object_get_int64(json_member(found, "star_count"))));
        (void)json_object_object_add(result, "is_official",
                                     json_object_new_boolean(is_true(found, "is_official")));
        (void)json_object_object_add(result, "name", json_object_new_string(name ? name : ""));
        (void)json_object_object_add(result, "is_automated",
                                     json_object_new_boolean(is_true(found, "is_automated")));
        (void)json_object_object_add(result, "description",
                                     json_object_new_string(description ? description : ""));
        return result;
}

int engine_image_search(Engine *engine, const char *term, int limit, const Filters *filters,
                        const RegistryAuth *auth, Buf *json, Error *err) {
        _cleanup_json_ json_object *found = NULL, *results = json_object_new_array();
        SearchFilter filter = { 0 };
        int r = read_filter(filters, &filter, err);

        if (r == 0 && (limit < 0 || limit > SEARCH_LIMIT_MAX))
                r = error_kind(err, ERROR_INVALID, "limit %d is outside the range of [1, %d]",
                               limit, SEARCH_LIMIT_MAX);
        if (r == 0)
                r = image_search(engine->images, term, limit > 0 ? limit : SEARCH_LIMIT, auth,
                                 engine_registry(engine), &found, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(found); i++) {
                json_object *result = json_object_array_get_idx(found, i);

                if (fits(result, &filter))
                        (void)json_object_array_add(results, result_of(result));
        }
        buf_add_str(json,
                    json_object_to_json_string_ext(
                            results, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}
