/* build-cache-spec.c: what users write for --cache-from and --cache-to; see build-specs.h.
 * https://docs.docker.com/build/cache/backends/ */
#include "cli/build-specs.h"
#include "cli/values.h"
#include "format/reference.h"

typedef struct CacheFields {
        CacheSpec spec;
        bool to;
        char *mode;
} CacheFields;

static int unexpected(const char *key, const char *value, const char *remedy, Error *err) {
        return error_kind(err, ERROR_UNSUPPORTED, "%s=%s is not done: %s", key, value, remedy);
}

/* What is true here whatever is said. */
static int set_flag(const char *key, const char *value, Error *err) {
        bool given;

        if (value_bool(&given, value, NULL) < 0)
                return error_kind(err, ERROR_INVALID, "invalid value for %s: %s", key, value);
        return given ? 0
                     : unexpected(key, value, "the cache is an OCI image manifest: leave it out",
                                  err);
}

static bool is_known(const char *type) {
        return str_equal(type, "registry") || str_equal(type, "local") || str_equal(type, "inline");
}

/* What a type that is none of those has for an answer. */
static int check_other(const CacheFields *fields, Error *err) {
        static const char *const others[] = { "gha", "s3", "azblob", NULL };
        const char *type = fields->spec.type;
        const char *known = fields->to ? "type=registry,ref=NAME, type=local,dest=DIRECTORY or "
                                         "type=inline"
                                       : "type=registry,ref=NAME or type=local,src=DIRECTORY";

        if (!type)
                return error_kind(err, ERROR_INVALID, "type is missing: %s", known);
        if (strv_has((char *const *)others, type))
                return unexpected("type", type, known, err);
        return error_kind(err, ERROR_INVALID, "there is no type '%s': %s", type, known);
}

static int set_other(CacheFields *fields, const char *key, const char *value, Error *err) {
        if (str_equal(key, "image-manifest") || str_equal(key, "oci-mediatypes"))
                return set_flag(key, value, err);
        if (str_equal(key, "compression") && str_equal(value, "gzip"))
                return 0;
        if (str_equal(key, "ignore-error") && fields->to)
                return value_bool(&fields->spec.ignore_error, value, NULL) < 0
                               ? error_kind(err, ERROR_INVALID, "invalid value for %s: %s", key,
                                            value)
                               : 0;
        return unexpected(key, value,
                          "a cache has type, ref, src or dest, tag, digest, mode and ignore-error",
                          err);
}

static int set_cache(void *data, const char *key, const char *value, Error *err) {
        CacheFields *fields = data;
        const struct {
                const char *key;
                char **place;
        } places[] = {
                { "type", &fields->spec.type },
                { "ref", &fields->spec.ref },
                { fields->to ? "dest" : "src", &fields->spec.path },
                { "tag", &fields->spec.tag },
                { fields->to ? "" : "digest", &fields->spec.digest },
                { fields->to ? "mode" : "", &fields->mode },
        };

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                if (!str_equal(key, places[i].key))
                        continue;
                str_replace(places[i].place, value);
                return i == 0 && !is_known(value) ? check_other(fields, err) : 0;
        }
        return set_other(fields, key, value, err);
}

static int check_type(const CacheFields *fields, Error *err) {
        const CacheSpec *spec = &fields->spec;
        Reference reference = {};
        int r = 0;

        if (str_equal(spec->type, "registry")) {
                if (str_empty(spec->ref))
                        return error_kind(err, ERROR_INVALID, "ref is missing: ref=NAME");
                r = reference_parse(spec->ref, &reference, err);
                reference_done(&reference);
                return r;
        }
        if (str_equal(spec->type, "local"))
                return str_empty(spec->path)
                               ? error_kind(err, ERROR_INVALID, "%s is missing: %s=DIRECTORY",
                                            fields->to ? "dest" : "src",
                                            fields->to ? "dest" : "src")
                               : 0;
        if (str_equal(spec->type, "inline") && fields->to)
                return fields->spec.max ? unexpected("mode", "max",
                                                     "an image has its own layers only: "
                                                     "type=registry has those of all stages",
                                                     err)
                                        : 0;
        if (str_equal(spec->type, "inline"))
                return error_kind(err, ERROR_INVALID,
                                  "type=inline is read as type=registry,ref=IMAGE");
        return check_other(fields, err);
}

static int check_cache(CacheFields *fields, Error *err) {
        CacheSpec *spec = &fields->spec;
        bool registry = str_equal(spec->type, "registry"), local = str_equal(spec->type, "local");

        if (fields->mode && !str_equal(fields->mode, "min") && !str_equal(fields->mode, "max"))
                return error_kind(err, ERROR_INVALID, "mode is %s: min or max", fields->mode);
        spec->max = str_equal(fields->mode, "max");
        if (spec->ref && !registry)
                return error_kind(err, ERROR_INVALID, "ref is for type=registry");
        if ((spec->path || spec->tag || spec->digest) && !local)
                return error_kind(err, ERROR_INVALID, "%s is for type=local",
                                  spec->path  ? fields->to ? "dest" : "src"
                                  : spec->tag ? "tag"
                                              : "digest");
        return check_type(fields, err);
}

int cache_spec_parse(const char *text, bool to, CacheSpec *ret, Error *err) {
        CacheFields fields = { .to = to };
        int r = 0;

        if (strpbrk(text, "=,")) {
                r = spec_fields(&fields, text, set_cache, err);
        } else { /* a name, as before there were types */
                fields.spec.type = str_copy("registry");
                fields.spec.ref = str_copy(text);
        }
        if (r == 0)
                r = check_cache(&fields, err);
        free(fields.mode);
        if (r < 0) {
                cache_spec_done(&fields.spec);
                return error_prefix(err, "invalid --cache-%s '%s'", to ? "to" : "from", text);
        }
        *ret = fields.spec;
        return 0;
}

void cache_spec_done(CacheSpec *spec) {
        free(spec->type);
        free(spec->ref);
        free(spec->path);
        free(spec->tag);
        free(spec->digest);
        *spec = (CacheSpec){};
}
