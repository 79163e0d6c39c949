/* build-query.c: POST /build in Docker's form: the parameters of its classic builder, each taken,
 * or refused by name. Engine API 1.44, "Build an image". */
#include "api/auth.h"
#include "api/build.h"
#include "format/git-source.h"
#include "format/reference.h"
#include "spec/build.h"

/* ---- values that are JSON ---- */

/* The parameter's document, the caller's; NULL where there is none. */
static int read_json(const ApiRequest *request, const char *name, json_type type, const char *kind,
                     json_object **ret, Error *err) {
        const char *text = api_query(request, name);
        int r;

        *ret = NULL;
        if (str_empty(text))
                return 0;
        r = json_parse_any(text, strlen(text), ret, err);
        if (r < 0)
                return error_prefix(err, "%s", name);
        if (*ret && !json_object_is_type(*ret, type))
                return error_kind(err, ERROR_INVALID, "%s: must be %s", name, kind);
        return 0;
}

/* An object of strings as NAME=value; null stands for a name that the client has no value for. */
static int read_pairs(const ApiRequest *request, const char *name, bool nulls, char ***ret,
                      Error *err) {
        _cleanup_json_ json_object *object = NULL;
        int r = read_json(request, name, json_type_object, "an object", &object, err);

        if (r < 0 || !object)
                return r;
        json_object_object_foreach(object, key, value) {
                if (!value && nulls)
                        continue;
                if (!json_object_is_type(value, json_type_string))
                        return error_kind(err, ERROR_INVALID, "%s.%s: must be a string", name, key);
                strv_format(ret, "%s=%s", key, json_object_get_string(value));
        }
        return 0;
}

static int read_list(const ApiRequest *request, const char *name, char ***ret, Error *err) {
        _cleanup_json_ json_object *list = NULL;
        int r = read_json(request, name, json_type_array, "an array of strings", &list, err);

        if (r < 0 || !list)
                return r;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);

                if (!json_object_is_type(item, json_type_string))
                        return error_kind(err, ERROR_INVALID, "%s: must be an array of strings",
                                          name);
                strv_add(ret, json_object_get_string(item));
        }
        return 0;
}

static int read_ulimits(const ApiRequest *request, JsonArray *ret, Error *err) {
        _cleanup_json_ json_object *list = NULL;
        int r = read_json(request, "ulimits", json_type_array, "an array", &list, err);

        if (r < 0 || !list)
                return r;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);

                r = json_read(&ulimit_table, item, json_append(ret, &ulimit_table), err);
                if (r < 0)
                        return error_prefix(err, "ulimits");
        }
        return 0;
}

/* Clients repeat the parameter; some send an array. */
static int read_hosts(const ApiRequest *request, char ***ret, Error *err) {
        const char *first = api_query(request, "extrahosts");

        if (first && *first == '[')
                return read_list(request, "extrahosts", ret, err);
        *ret = http_query_all(&request->query, "extrahosts");
        return 0;
}

/* ---- names ---- */

static int add_tag(const char *tag, char ***ret, Error *err) {
        Reference reference = { 0 };
        _cleanup_free_ char *full = NULL;
        int r = reference_parse(tag, &reference, err);

        if (r >= 0 && reference.digest)
                r = error_kind(err, ERROR_INVALID,
                               "'%s': a name with a digest cannot be given to an image", tag);
        if (r >= 0) {
                reference_default_tag(&reference);
                full = reference_full(&reference);
                if (!strv_has(*ret, full))
                        strv_add(ret, full);
        }
        reference_done(&reference);
        return r;
}

int build_tags_read(char *const *tags, char ***ret, Error *err) {
        for (size_t i = 0; i < strv_length(tags); i++) {
                int r = *tags[i] ? add_tag(tags[i], ret, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

char **build_platforms_read(const char *list) {
        _cleanup_strv_ char **parts = str_empty(list) ? NULL : str_split(list, ',');
        char **platforms = NULL;

        for (char **part = parts; part && *part; part++)
                if (**part)
                        strv_add(&platforms, *part);
        return platforms;
}

static int read_tags(const ApiRequest *request, char ***ret, Error *err) {
        _cleanup_strv_ char **tags = http_query_all(&request->query, "t");

        return build_tags_read(tags, ret, err);
}

static int read_network(const ApiRequest *request, char **ret, Error *err) {
        const char *mode = api_query(request, "networkmode");

        if (str_empty(mode) || str_equal(mode, "bridge"))
                mode = "default";
        int r = build_network_check(mode, err);
        if (r < 0)
                return error_prefix(err, "networkmode");
        *ret = str_copy(mode);
        return 0;
}

/* ---- what the context is ---- */

#define NO_SESSIONS "BuildKit sessions are not supported by brig yet: set DOCKER_BUILDKIT=0"

static int read_remote(const ApiRequest *request, BuildRequest *ret, Error *err) {
        const char *remote = api_query(request, "remote");
        GitSource source = {};
        int r;

        if (str_empty(remote))
                return 0;
        if (str_equal(remote, "client-session"))
                return error_kind(err, ERROR_UNSUPPORTED, NO_SESSIONS);
        r = git_source_parse(remote, true, &source, err);
        git_source_done(&source);
        if (r < 0)
                return error_prefix(err, "remote");
        if (r == 0 && !str_after(remote, "http://") && !str_after(remote, "https://"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "remote: '%s' is neither a git repository nor the http or https "
                                  "URL of a Dockerfile or an archive",
                                  remote);
        GROW(ret->contexts, ret->context_count);
        ret->contexts[ret->context_count++] = (BuildContext){
                .name = str_copy(""),
                .dir_fd = -1,
                .tar_fd = -1,
                .url = str_copy(remote),
                .layout_fd = -1,
        };
        return 0;
}

static int refuse(const ApiRequest *request, Error *err) {
        static const struct {
                const char *name, *why;
                const char *fine[2]; /* values that ask for nothing */
        } refused[] = {
                { "version", NO_SESSIONS, { "1" } },
                { "session", NO_SESSIONS, { 0 } },
                { "outputs",
                  "outputs: other outputs than an image (--output) are not supported by brig's "
                  "classic builder: use 'brig build --output'",
                  { "[]", "null" } },
                { "securityopt",
                  "securityopt: the security options of a build are not supported by brig: leave "
                  "them out",
                  { "[]", "null" } },
                { "isolation",
                  "isolation: containers are isolated in one way here: leave it out",
                  { "default" } },
        };

        if (api_flag(request, "squash"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "squash: squashing layers (--squash) is not supported by brig "
                                  "yet: COPY --from of an earlier stage leaves its layers behind");
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                const char *value = api_query(request, refused[i].name);

                if (!str_empty(value) && !str_equal(value, refused[i].fine[0]) &&
                    !str_equal(value, refused[i].fine[1]))
                        return error_kind(err, ERROR_UNSUPPORTED, "%s", refused[i].why);
        }
        return 0;
}

/* ---- plain values ---- */

static void read_texts(const ApiRequest *request, BuildRequest *ret) {
        const struct {
                const char *name;
                char **place;
        } texts[] = {
                { "target", &ret->target },
                { "cpusetcpus", &ret->cpuset_cpus },
                { "cpusetmems", &ret->cpuset_mems },
                { "cgroupparent", &ret->cgroup_parent },
        };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                const char *value = api_query(request, texts[i].name);

                if (!str_empty(value))
                        *texts[i].place = str_copy(value);
        }
}

static int read_numbers(const ApiRequest *request, BuildRequest *ret, Error *err) {
        const struct {
                const char *name;
                int64_t *place, low;
        } numbers[] = {
                { "shmsize", &ret->shm_size, 0 },     { "memory", &ret->memory, 0 },
                { "memswap", &ret->memory_swap, -1 }, { "cpushares", &ret->cpu_shares, 0 },
                { "cpuperiod", &ret->cpu_period, 0 }, { "cpuquota", &ret->cpu_quota, -1 },
        };

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                int r = http_query_int(&request->query, numbers[i].name, numbers[i].place, err);

                if (r < 0)
                        return r;
                if (*numbers[i].place < numbers[i].low)
                        return error_kind(err, ERROR_INVALID, "%s: %lld is too small",
                                          numbers[i].name, (long long)*numbers[i].place);
        }
        return 0;
}

/* Images that are here, or in a registry, whose configuration has a cache. */
static int read_cache_from(const ApiRequest *request, BuildRequest *ret, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = read_list(request, "cachefrom", &names, err);

        if (r < 0)
                return r;
        ret->cache_from_alone = true;
        ret->cache_from = NEW_ARRAY(BuildCachePlace, strv_length(names) + 1);
        for (char **name = names; name && *name; name++)
                if (**name)
                        ret->cache_from[ret->cache_from_count++] =
                                (BuildCachePlace){ .kind = BUILD_CACHE_IMAGE,
                                                   .reference = str_copy(*name),
                                                   .dir_fd = -1 };
        return 0;
}

int build_query_read(const ApiRequest *request, BuildRequest *ret, Error *err) {
        const char *dockerfile = api_query(request, "dockerfile");
        int r = refuse(request, err);

        if (r >= 0)
                r = read_remote(request, ret, err);
        if (r >= 0)
                r = read_tags(request, &ret->tags, err);
        if (r >= 0)
                r = read_pairs(request, "buildargs", true, &ret->args, err);
        if (r >= 0)
                r = read_pairs(request, "labels", false, &ret->labels, err);
        if (r >= 0)
                r = read_hosts(request, &ret->extra_hosts, err);
        if (r >= 0)
                r = read_ulimits(request, &ret->ulimits, err);
        if (r >= 0)
                r = read_network(request, &ret->network, err);
        if (r >= 0)
                r = read_numbers(request, ret, err);
        if (r >= 0)
                r = read_cache_from(request, ret, err);
        if (r < 0)
                return r;
        read_texts(request, ret);
        ret->dockerfile_name = str_copy(str_empty(dockerfile) ? "Dockerfile" : dockerfile);
        ret->platforms = build_platforms_read(api_query(request, "platform"));
        ret->no_cache = api_flag(request, "nocache");
        ret->pull = api_flag(request, "pull");
        GROW(ret->outputs, ret->output_count);
        ret->outputs[ret->output_count++] = (BuildOutput){ .type = str_copy("image"), .fd = -1 };
        return 0;
}
