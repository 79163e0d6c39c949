/* build-outputs.c: what POST /build in brig's own form says of its outputs, checked; see build.h.
 */
#include <sys/stat.h>

#include "api/build.h"
#include "format/reference.h"
#include "spec/build.h"

static int read_form(const BuildOutputDocument *document, ImageForm *ret, Error *err) {
        int r = 0;

        *ret = (ImageForm){ .force = document->force_compression,
                            .docker = document->docker_media_types };
        if (document->compression)
                r = layer_compression_parse(document->compression, &ret->compression, err);
        if (r < 0 || !document->compression_level || ret->compression == LAYERS_UNCOMPRESSED)
                return r; /* uncompressed layers have no level: any is ignored, as by BuildKit */
        ret->has_level = true;
        ret->level = (int)MIN(MAX(*document->compression_level, -1), 1000);
        /* A level alone is gzip's. */
        ret->compression = ret->compression ?: LAYERS_GZIP;
        return image_form_check(ret, err);
}

/* Whether one of that type goes to a descriptor: 1 it must, 0 it must not, -1: neither. */
static int needs_fd(const char *type) {
        static const struct {
                const char *type;
                int needs;
        } types[] = { { "tar", 1 }, { "docker", 1 }, { "oci", 1 }, { "local", 1 }, { "image", 0 } };

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (str_equal(type, types[i].type))
                        return types[i].needs;
        return -1;
}

/* What an output of files has no use for: taken without a word, it would be thought done. */
static int check_files(const BuildOutputDocument *document, Error *err) {
        const struct {
                const char *name;
                bool given;
        } members[] = {
                { "names", strv_length(document->names) > 0 },
                { "compression", document->compression != NULL },
                { "compressionLevel", document->compression_level != NULL },
                { "forceCompression", document->force_compression },
                { "dockerMediaTypes", document->docker_media_types },
                { "annotations", document->annotations.count > 0 },
        };

        if (!str_equal(document->type, "tar") && !str_equal(document->type, "local"))
                return 0;
        for (size_t i = 0; i < ELEMENTS(members); i++)
                if (members[i].given)
                        return error_kind(err, ERROR_INVALID,
                                          "output '%s' has no '%s': it is files, not an image",
                                          document->type, members[i].name);
        return 0;
}

static int check_output(const BuildOutputDocument *document, Error *err) {
        int needs = needs_fd(document->type);

        if (needs < 0)
                return error_kind(err, ERROR_INVALID,
                                  "output '%s' is none of image, tar, docker, oci and local",
                                  document->type);
        if (needs > 0 && !document->fd)
                return error_kind(err, ERROR_INVALID, "output '%s' needs 'fd'", document->type);
        if (needs == 0 && document->fd)
                return error_kind(err, ERROR_INVALID, "output '%s' has no 'fd'", document->type);
        if (needs > 0 && (document->push || document->by_digest))
                return error_kind(err, ERROR_INVALID, "output '%s' cannot be pushed",
                                  document->type);
        if (document->layout && !str_equal(document->type, "oci") &&
            !str_equal(document->type, "docker"))
                return error_kind(err, ERROR_INVALID, "output '%s' is no layout", document->type);
        return check_files(document, err);
}

int build_annotations_check(const JsonArray *list, Error *err) {
        static const char *const kinds[] = { "manifest", "manifest-descriptor", "index",
                                             "index-descriptor", NULL };
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++)
                if (!strv_has((char *const *)kinds, annotations[i].of))
                        return error_kind(err, ERROR_INVALID,
                                          "an annotation of '%s': it is of a manifest, "
                                          "manifest-descriptor, index or index-descriptor",
                                          annotations[i].of);
        return 0;
}

/* What is pushed by its digest has no tag. The words are BuildKit's. */
static int read_repository(const char *name, char ***ret, Error *err) {
        Reference reference = { 0 };
        _cleanup_free_ char *full = NULL;
        int r = reference_parse(name, &reference, err);
        bool alone = r >= 0 && !reference.tag && !reference.digest;

        if (r >= 0)
                full = reference_full(&reference);
        reference_done(&reference);
        if (r >= 0 && !alone)
                return error_kind(err, ERROR_INVALID,
                                  "can't push tagged ref %s by digest: name the repository alone",
                                  full);
        if (r >= 0 && !strv_has(*ret, full))
                strv_take(ret, TAKE_PTR(full));
        return r;
}

static int read_names(const BuildOutputDocument *document, bool by_digest, char ***ret,
                      Error *err) {
        int r = 0;

        if (!by_digest)
                return build_tags_read(document->names, ret, err);
        if (strv_length(document->names) == 0)
                return error_kind(err, ERROR_INVALID,
                                  "'byDigest' needs 'names': the repositories that it goes to");
        for (size_t i = 0; r >= 0 && i < strv_length(document->names); i++)
                r = read_repository(document->names[i], ret, err);
        return r;
}

int build_output_add(BuildOutputDocument *document, BuildFds *fds, BuildRequest *ret, Error *err) {
        BuildFdWanted wanted = { "output", document->type, 0, false };
        BuildOutput *output;
        int r = check_output(document, err);

        if (r < 0)
                return r;
        GROW(ret->outputs, ret->output_count);
        output = &ret->outputs[ret->output_count++];
        *output = (BuildOutput){ .fd = -1,
                                 .layout = document->layout,
                                 .push = document->push,
                                 .by_digest = document->push && document->by_digest };
        wanted.name = output->type = TAKE_PTR(document->type);
        output->annotations = document->annotations;
        document->annotations = (JsonArray){ 0 };
        r = build_annotations_check(&output->annotations, err);
        if (r >= 0)
                r = read_names(document, output->by_digest, &output->names, err);
        if (r >= 0)
                r = read_form(document, &output->form, err);
        if (r < 0)
                return error_prefix(err, "output '%s'", output->type);
        if (str_equal(output->type, "local") || output->layout)
                wanted.type = S_IFDIR;
        return document->fd ? build_take_fd(fds, *document->fd, &wanted, &output->fd, err) : 0;
}
