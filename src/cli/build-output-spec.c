/* build-output-spec.c: what users write for --output, in buildx's grammar; see build-specs.h.
 * https://docs.docker.com/build/exporters/ */
#include <errno.h>
#include <limits.h>

#include "cli/build-specs.h"
#include "cli/values.h"

/* What an attribute is for. */
enum {
        OF_IMAGE = 1,   /* image, registry, docker, oci */
        OF_ENGINE = 2,  /* image, registry, docker without dest */
        OF_ARCHIVE = 4, /* docker and oci with dest */
};

static const struct {
        const char *name;
        bool needs_dest, has_dest;
        bool image;
} output_types[] = {
        { "local", true, true, false },       { "tar", true, true, false },
        { "oci", true, true, true },          { "docker", false, true, true },
        { "image", false, false, true },      { "registry", false, false, true },
        { "cacheonly", false, false, false },
};

/* ---- single attributes ---- */

typedef struct Fields {
        OutputSpec spec;
        bool push_given;
        char *first[3]; /* the first attribute that is for images, for the engine, for archives */
} Fields;

static int read_bool(const char *key, const char *value, bool *ret, Error *err) {
        return value_bool(ret, value, NULL) < 0
                       ? error_kind(err, ERROR_INVALID, "invalid value for %s: %s", key, value)
                       : 0;
}

static int set_type(Fields *fields, const char *key, const char *value, Error *err) {
        str_replace(&fields->spec.type, value);
        return 0;
}

static int set_dest(Fields *fields, const char *key, const char *value, Error *err) {
        str_replace(&fields->spec.dest, value);
        return 0;
}

static int set_name(Fields *fields, const char *key, const char *value, Error *err) {
        _cleanup_strv_ char **names = str_split(value, ',');

        for (char **name = names; name && *name; name++)
                if (**name)
                        strv_add(&fields->spec.names, *name);
        return 0;
}

static int set_push(Fields *fields, const char *key, const char *value, Error *err) {
        fields->push_given = true;
        return read_bool(key, value, &fields->spec.push, err);
}

static int set_by_digest(Fields *fields, const char *key, const char *value, Error *err) {
        return read_bool(key, value, &fields->spec.by_digest, err);
}

static int set_canonical(Fields *fields, const char *key, const char *value, Error *err) {
        return read_bool(key, value, &fields->spec.canonical, err);
}

static int set_compression(Fields *fields, const char *key, const char *value, Error *err) {
        static const char *const known[] = { "gzip", "zstd", "uncompressed", NULL };

        if (str_equal(value, "estargz"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "compression=estargz is not done: gzip, zstd or uncompressed");
        if (!strv_has((char *const *)known, value))
                return error_kind(err, ERROR_INVALID,
                                  "invalid compression '%s': gzip, zstd or uncompressed", value);
        str_replace(&fields->spec.compression, value);
        return 0;
}

static int set_level(Fields *fields, const char *key, const char *value, Error *err) {
        fields->spec.has_level = true;
        return str_to_int64(value, &fields->spec.level) < 0
                       ? error_kind(err, ERROR_INVALID, "%s=%s: it is a number", key, value)
                       : 0;
}

static int set_force(Fields *fields, const char *key, const char *value, Error *err) {
        return read_bool(key, value, &fields->spec.force_compression, err);
}

static int set_media_types(Fields *fields, const char *key, const char *value, Error *err) {
        bool oci = true;
        int r = read_bool(key, value, &oci, err);

        fields->spec.docker_media_types = !oci;
        return r;
}

/* What is so in any case; the other value is refused. */
static int only(const char *key, const char *value, bool wanted, const char *remedy, Error *err) {
        bool given;
        int r = read_bool(key, value, &given, err);

        if (r < 0 || given == wanted)
                return r;
        return error_kind(err, ERROR_UNSUPPORTED, "%s=%s is not done: %s", key, value, remedy);
}

static int set_tar(Fields *fields, const char *key, const char *value, Error *err) {
        bool tar = true;
        int r = read_bool(key, value, &tar, err);

        fields->spec.layout = !tar;
        return r;
}

static int set_store(Fields *fields, const char *key, const char *value, Error *err) {
        return only(key, value, true, "an image that is pushed is the engine's, too; leave it out",
                    err);
}

static int set_unpack(Fields *fields, const char *key, const char *value, Error *err) {
        return only(key, value, true, "layers are unpacked here in any case; leave it out", err);
}

static int set_timestamp(Fields *fields, const char *key, const char *value, Error *err) {
        return only(key, value, true,
                    "times are SOURCE_DATE_EPOCH's at the most where that is given; leave it out",
                    err);
}

static const struct {
        const char *key;
        int (*set)(Fields *fields, const char *key, const char *value, Error *err);
        int of; /* 0: any */
} attributes[] = {
        { "type", set_type, 0 },
        { "dest", set_dest, 0 },
        { "name", set_name, OF_IMAGE },
        { "push", set_push, OF_ENGINE },
        { "push-by-digest", set_by_digest, OF_ENGINE },
        { "name-canonical", set_canonical, OF_ENGINE },
        { "compression", set_compression, OF_IMAGE },
        { "compression-level", set_level, OF_IMAGE },
        { "force-compression", set_force, OF_IMAGE },
        { "oci-mediatypes", set_media_types, OF_IMAGE },
        { "rewrite-timestamp", set_timestamp, OF_IMAGE },
        { "store", set_store, OF_ENGINE },
        { "unpack", set_unpack, OF_ENGINE },
        { "tar", set_tar, OF_ARCHIVE },
};

static const struct {
        const char *key, *remedy;
} refused[] = {
        { "registry.insecure", "start brigd with --insecure-registry" },
        { "dangling-name-prefix", "give it a tag" },
        { "oci-artifact", "attestations are not done; leave it out" },
        { "context", "it is for docker's contexts; use -H" },
        { "platform-split", "leave it out" },
        { "mode", "remove the directory before" },
};

static void note_use(Fields *fields, int of, const char *key) {
        for (size_t i = 0; i < ELEMENTS(fields->first); i++)
                if (of == 1 << i && !fields->first[i])
                        fields->first[i] = str_copy(key);
}

static int refuse_key(const char *key, const char *value, Error *err) {
        _cleanup_buf_ Buf known = {};

        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (str_equal(key, refused[i].key))
                        return error_kind(err, ERROR_UNSUPPORTED, "%s=%s is not done: %s", key,
                                          value, refused[i].remedy);
        for (size_t i = 0; i < ELEMENTS(attributes); i++)
                buf_format(&known, "%s, ", attributes[i].key);
        return error_kind(err, ERROR_UNSUPPORTED,
                          "%s=%s is not done: outputs have %sannotation.KEY", key, value,
                          known.data);
}

static int set_output(void *data, const char *key, const char *value, Error *err) {
        Fields *fields = data;
        int r = annotation_attribute(key, value, &fields->spec.annotations, err);

        if (r > 0)
                note_use(fields, OF_IMAGE, key);
        if (r != 0)
                return MIN(r, 0);
        for (size_t i = 0; i < ELEMENTS(attributes); i++) {
                if (!str_equal(key, attributes[i].key))
                        continue;
                note_use(fields, attributes[i].of, key);
                return attributes[i].set(fields, key, value, err);
        }
        return refuse_key(key, value, err);
}

/* ---- the whole ---- */

static int check_level(const OutputSpec *spec, Error *err) {
        const char *name = spec->compression ?: "gzip";
        int high = str_equal(name, "zstd") ? 22 : 9;

        if (!spec->has_level || str_equal(name, "uncompressed"))
                return 0;
        if (spec->level < 0 || spec->level > high)
                return error_kind(err, ERROR_INVALID, "compression-level=%lld: %s has 0 to %d",
                                  (long long)spec->level, name, high);
        return 0;
}

/* Whether each attribute is one of this type's. */
static int check_uses(const Fields *fields, bool image, Error *err) {
        const OutputSpec *spec = &fields->spec;
        const bool fits[] = { image, image && !spec->dest, image && spec->dest };

        for (size_t i = 0; i < ELEMENTS(fits); i++)
                if (fields->first[i] && !fits[i])
                        return error_kind(err, ERROR_INVALID, "type=%s%s has no %s", spec->type,
                                          image && spec->dest    ? " with dest"
                                          : image && !spec->dest ? " without dest"
                                                                 : "",
                                          fields->first[i]);
        return check_level(spec, err);
}

static int check_output(const Fields *fields, Error *err) {
        const OutputSpec *spec = &fields->spec;

        for (size_t i = 0; i < ELEMENTS(output_types); i++) {
                if (!str_equal(spec->type, output_types[i].name))
                        continue;
                if (output_types[i].needs_dest && str_empty(spec->dest))
                        return error_kind(err, ERROR_INVALID, "dest is missing: dest=PATH%s",
                                          str_equal(spec->type, "local") || spec->layout
                                                  ? ""
                                                  : ", or dest=-");
                if (!output_types[i].has_dest && spec->dest)
                        return error_kind(err, ERROR_INVALID,
                                          "type=%s has no dest: type=oci or type=docker has one",
                                          spec->type);
                if ((str_equal(spec->type, "local") || spec->layout) && str_equal(spec->dest, "-"))
                        return error_kind(err, ERROR_INVALID,
                                          "dest cannot be stdout for a directory: %s",
                                          spec->layout ? "tar=true" : "type=tar");
                return check_uses(fields, output_types[i].image, err);
        }
        return error_kind(err, ERROR_INVALID,
                          "type is %s: local, tar, oci, docker, image, registry or cacheonly",
                          spec->type ?: "missing");
}

/* A registry's is an image that is pushed. */
static void settle(Fields *fields) {
        OutputSpec *spec = &fields->spec;

        if (str_empty(spec->dest)) {
                free(spec->dest);
                spec->dest = NULL;
        }
        if (str_equal(spec->type, "registry") && !fields->push_given)
                spec->push = true;
        if (str_equal(spec->type, "registry") || (str_equal(spec->type, "docker") && !spec->dest))
                str_replace(&spec->type, "image");
}

/* "path" and "-", without a key. */
static bool short_output(const char *text, OutputSpec *spec) {
        if (strpbrk(text, "=,") || !*text)
                return false;
        spec->type = str_copy(str_equal(text, "-") ? "tar" : "local");
        spec->dest = str_copy(text);
        return true;
}

int output_spec_parse(const char *text, OutputSpec *ret, Error *err) {
        Fields fields = {};
        int r = 0;

        if (!short_output(text, &fields.spec))
                r = spec_fields(&fields, text, set_output, err);
        if (r == 0)
                r = check_output(&fields, err);
        for (size_t i = 0; i < ELEMENTS(fields.first); i++)
                free(fields.first[i]);
        if (r < 0) {
                output_spec_done(&fields.spec);
                return error_prefix(err, "invalid output '%s'", text);
        }
        settle(&fields);
        *ret = fields.spec;
        return 0;
}

void output_spec_done(OutputSpec *spec) {
        free(spec->type);
        free(spec->dest);
        free(spec->compression);
        (void)strv_free(spec->names);
        build_annotations_done(&spec->annotations);
        *spec = (OutputSpec){};
}
