/* build-annotation.c: what an image's documents are annotated with, in buildx's two grammars; see
 * build-specs.h. https://docs.docker.com/build/metadata/annotations/ */
#include "cli/build-specs.h"

/* The first is what is meant where nothing is said. */
static const char *const kinds[] = { "manifest", "manifest-descriptor", "index",
                                     "index-descriptor" };

static const char *kind_of(const char *name) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_equal(name, kinds[i]))
                        return kinds[i];
        return NULL;
}

/* "linux/arm64" of "OF[linux/arm64]", or NULL: that has no platform. *ret_ok: it is well formed. */
static char *platform_of(const char *target, bool *ret_ok) {
        static const char letters[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                "_/-";
        const char *bracket = strchr(target, '[');
        size_t length = bracket ? strspn(bracket + 1, letters) : 0;

        *ret_ok = !bracket || (length > 0 && str_equal(bracket + 1 + length, "]"));
        return bracket && *ret_ok ? str_copy_n(bracket + 1, length) : NULL;
}

/* target: "OF" or "OF[PLATFORM]". */
static int add(JsonArray *list, const char *target, const char *key, const char *value,
               Error *err) {
        _cleanup_free_ char *name = str_copy_n(target, strcspn(target, "["));
        bool well_formed;
        _cleanup_free_ char *platform = platform_of(target, &well_formed);
        const char *of = kind_of(name);
        BuildAnnotation *added;

        if (!well_formed)
                return error_kind(err, ERROR_INVALID,
                                  "invalid annotation type \"%s\", expected type and optional "
                                  "platform in square brackets",
                                  target);
        if (!of)
                return error_kind(err, ERROR_INVALID,
                                  "unknown annotation type \"%s\": manifest, manifest-descriptor, "
                                  "index or index-descriptor",
                                  name);
        added = json_append(list, &build_annotation_table);
        added->of = str_copy(of);
        added->platform = TAKE_PTR(platform);
        added->key = str_copy(key);
        added->value = str_copy(value);
        return 0;
}

int annotation_parse(const char *text, JsonArray *list, Error *err) {
        size_t length = strcspn(text, "=");
        _cleanup_free_ char *whole = str_copy_n(text, length);
        const char *colon = strchr(whole, ':'), *key = colon ? colon + 1 : whole;
        _cleanup_free_ char *names =
                colon ? str_copy_n(whole, (size_t)(colon - whole)) : str_copy(kinds[0]);
        _cleanup_strv_ char **targets = str_split(names, ',');
        int r = 0;

        if (!*key || !text[length])
                return error_kind(err, ERROR_INVALID,
                                  "invalid annotation \"%s\": expected key=value", text);
        if (!*names)
                r = add(list, "", key, text + length + 1, err);
        for (char **target = targets; r == 0 && target && *target; target++)
                r = add(list, *target, key, text + length + 1, err);
        return r < 0 ? error_prefix(err, "invalid annotation \"%s\"", text) : r;
}

int annotation_attribute(const char *name, const char *value, JsonArray *list, Error *err) {
        const char *rest = str_after(name, "annotation");
        const char *dot = rest ? strchr(rest, '.') : NULL;
        _cleanup_free_ char *target = dot ? str_copy_n(rest, (size_t)(dot - rest)) : NULL;
        _cleanup_free_ char *whole = NULL;
        int r;

        if (!rest)
                return 0;
        if (!dot || !dot[1] || (*target && *target != '-' && *target != '['))
                return error_kind(err, ERROR_INVALID,
                                  "%s=%s: write annotation.KEY=VALUE, annotation-OF.KEY=VALUE or "
                                  "annotation-OF[PLATFORM].KEY=VALUE",
                                  name, value);
        whole = *target == '-' ? str_copy(target + 1) : str_format("%s%s", kinds[0], target);
        r = add(list, whole, dot + 1, value, err);
        return r < 0 ? r : 1;
}
