/* build-annotations.c: which annotations each document of a result has: an image's manifest, an
 * index, and the descriptors that name them. The kinds and their meaning are buildx's. */
#include "build/stages.h"
#include "engine/build-private.h"

static bool is_of_index(const BuildAnnotation *annotation) {
        return str_after(annotation->of, "index") != NULL;
}

/* ---- checks, before anything runs ---- */

static int check_platform(const Build *build, const BuildAnnotation *annotation, Error *err) {
        _cleanup_free_ char *wanted = NULL, *host = build_host_platform();
        int r = platform_normal(annotation->platform, &wanted, err);

        if (r < 0)
                return error_prefix(err, "invalid annotation");
        if (build->platforms ? strv_has(build->platforms, wanted) : str_equal(wanted, host))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid annotation: no platform %s found in source: it is none of those "
                          "that are built for",
                          wanted);
}

static int check_one(const Build *build, const BuildAnnotation *annotation, bool docker,
                     Error *err) {
        if (is_of_index(annotation) && strv_length(build->platforms) < 2)
                return error_kind(err, ERROR_INVALID,
                                  "index annotations not supported for single platform export: "
                                  "the result of one platform has no index; annotate its manifest");
        if (docker && !str_equal(annotation->of, "manifest"))
                return error_kind(err, ERROR_INVALID,
                                  "cannot export annotations with \"oci-mediatypes=false\": "
                                  "Docker's documents have none");
        return annotation->platform ? check_platform(build, annotation, err) : 0;
}

static int check_list(const Build *build, const JsonArray *list, bool docker, Error *err) {
        const BuildAnnotation *annotations = list->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < list->count; i++)
                r = check_one(build, &annotations[i], docker, err);
        return r;
}

int build_check_annotations(const Build *build, Error *err) {
        const BuildRequest *request = build->request;
        int r = 0;

        for (size_t i = 0; r == 0 && i < request->output_count; i++) {
                const BuildOutput *output = &request->outputs[i];

                if (!build_is_image(output))
                        continue;
                r = check_list(build, &request->annotations, output->form.docker, err);
                if (r == 0)
                        r = check_list(build, &output->annotations, output->form.docker, err);
        }
        return r;
}

/* ---- what each document has ---- */

/* Those of that kind and platform; NULL: those that are of no platform. What was checked has a
 * platform that can be read. */
static void gather(const JsonArray *list, const char *of, const char *platform, Pairs *ret) {
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++) {
                _cleanup_free_ char *wanted = NULL;

                if (!str_equal(annotations[i].of, of))
                        continue;
                if (annotations[i].platform &&
                    platform_normal(annotations[i].platform, &wanted, NULL) < 0)
                        continue;
                if (str_equal(wanted, platform))
                        pairs_put(ret, annotations[i].key, annotations[i].value);
        }
}

/* One that says for which platform it is goes before one that does not. */
static void gather_manifest(const JsonArray *list, const char *of, const char *platform,
                            Pairs *ret) {
        gather(list, of, NULL, ret);
        gather(list, of, platform, ret);
}

/* An index is one, for whatever platform somebody wrote it. */
static void gather_index(const JsonArray *list, const char *of, Pairs *ret) {
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++)
                if (str_equal(annotations[i].of, of))
                        pairs_put(ret, annotations[i].key, annotations[i].value);
}

static void add_list(const Build *build, const JsonArray *list, ImageAnnotations *ret) {
        _cleanup_free_ char *host = build_host_platform();

        for (size_t i = 0; i < ret->count; i++) {
                const char *platform = build->platforms ? build->platforms[i] : host;

                gather_manifest(list, "manifest", platform, &ret->manifests[i].manifest);
                gather_manifest(list, "manifest-descriptor", platform,
                                &ret->manifests[i].descriptor);
        }
        gather_index(list, "index", &ret->index);
        gather_index(list, "index-descriptor", &ret->index_descriptor);
}

static ImageAnnotations begin(const Build *build) {
        size_t count = MAX(strv_length(build->platforms), (size_t)1);
        ImageAnnotations made = { .manifests = NEW_ARRAY(ManifestAnnotations, count),
                                  .count = count };

        add_list(build, &build->request->annotations, &made);
        return made;
}

ImageAnnotations build_annotations_of(const Build *build, const BuildOutput *output) {
        ImageAnnotations made = begin(build);

        add_list(build, &output->annotations, &made);
        return made;
}

ImageAnnotations build_annotations_of_all(const Build *build) {
        ImageAnnotations made = begin(build);

        for (size_t i = 0; i < build->request->output_count; i++)
                add_list(build, &build->request->outputs[i].annotations, &made);
        return made;
}
