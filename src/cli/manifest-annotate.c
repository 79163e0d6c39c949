/* manifest-annotate.c: manifest annotate: what a list says of one of its manifests. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/manifest-store.h"

typedef struct AnnotateOptions {
        char *architecture, *os, *os_version, *variant, **os_features;
} AnnotateOptions;

static const Option annotate_rows[] = {
        { "arch", 0, OPTION_STRING, offsetof(AnnotateOptions, architecture), "Architecture" },
        { "os", 0, OPTION_STRING, offsetof(AnnotateOptions, os), "Operating system" },
        { "os-features", 0, OPTION_STRINGS, offsetof(AnnotateOptions, os_features),
          "Features of the operating system" },
        { "os-version", 0, OPTION_STRING, offsetof(AnnotateOptions, os_version),
          "Version of the operating system" },
        { "variant", 0, OPTION_STRING, offsetof(AnnotateOptions, variant),
          "Variant of the architecture" },
};

/* Those that Docker takes. */
static bool is_platform(const char *os, const char *architecture) {
        static const char *const known[][2] = {
                { "darwin", " 386 amd64 arm arm64 " },
                { "dragonfly", " amd64 " },
                { "freebsd", " 386 amd64 arm " },
                { "linux", " 386 amd64 arm arm64 mips64 mips64le ppc64le riscv64 s390x " },
                { "netbsd", " 386 amd64 arm " },
                { "openbsd", " 386 amd64 arm " },
                { "plan9", " 386 amd64 " },
                { "solaris", " amd64 " },
                { "windows", " 386 amd64 arm arm64 " },
        };
        _cleanup_free_ char *word = str_format(" %s ", architecture);

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (str_equal(known[i][0], os))
                        return strstr(known[i][1], word) != NULL;
        return false;
}

static void set_text(json_object *platform, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(platform, name, json_object_new_string(value));
}

static void add_features(json_object *platform, char *const *features) {
        json_object *list = json_member(platform, "os.features");

        if (features && !json_object_is_type(list, json_type_array)) {
                list = json_object_new_array();
                (void)json_object_object_add(platform, "os.features", list);
        }
        for (size_t i = 0; features && features[i]; i++) {
                bool there = false;

                for (size_t j = 0; j < json_object_array_length(list); j++)
                        there |= str_equal(
                                json_object_get_string(json_object_array_get_idx(list, j)),
                                features[i]);
                if (!there)
                        (void)json_object_array_add(list, json_object_new_string(features[i]));
        }
}

static int annotate(json_object *manifest, const AnnotateOptions *o, Error *err) {
        json_object *descriptor = json_member(manifest, "Descriptor");
        json_object *platform = json_member(descriptor, "platform");

        if (!platform) {
                platform = json_object_new_object();
                (void)json_object_object_add(descriptor, "platform", platform);
        }
        set_text(platform, "architecture", o->architecture);
        set_text(platform, "os", o->os);
        set_text(platform, "os.version", o->os_version);
        add_features(platform, o->os_features);
        set_text(platform, "variant", o->variant);
        if (is_platform(json_words(platform, "os"), json_words(platform, "architecture")))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "manifest entry for image has unsupported os/arch combination: %s/%s",
                          o->os ?: "", o->architecture ?: "");
}

static int run_annotate(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *list = NULL, *name = NULL;
        _cleanup_json_ json_object *manifest = NULL;
        int r = manifest_name(options->arguments[0], &list, NULL, err);

        if (r == 0)
                r = manifest_name(options->arguments[1], &name, NULL, err);
        if (r == 0)
                r = manifest_load(cli, list, name, &manifest, err);
        if (r == -ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "manifest for image %s does not exist in %s",
                                  options->arguments[1], options->arguments[0]);
        if (r == 0)
                r = annotate(manifest, options->values, err);
        return r < 0 ? r : manifest_save(cli, list, name, manifest, err);
}

const Command manifest_annotate_command = {
        "[OPTIONS] MANIFEST_LIST MANIFEST",
        "Say more of a manifest in a list",
        { annotate_rows, ELEMENTS(annotate_rows), sizeof(AnnotateOptions) },
        run_annotate,
        2,
        2,
};
