/* document.c: manifests and indexes, OCI's and Docker's, and the choice of a platform. See
 * assembly.h. */
#include <sys/utsname.h>

#include "base/bug.h"
#include "image/assembly.h"

void document_done(Document *document) {
        json_done(&image_manifest_table, &document->manifest);
        json_done(&image_index_table, &document->index);
        *document = (Document){};
}

static int check_descriptor(const Descriptor *descriptor, Error *err) {
        if (!digest_valid(descriptor->digest))
                return error_kind(err, ERROR_INVALID,
                                  "digest '%.80s' is not sha256 and 64 hexadecimal digits",
                                  descriptor->digest);
        if (descriptor->size < 0)
                return error_kind(err, ERROR_INVALID, "the size of '%s' is negative",
                                  descriptor->digest);
        return 0;
}

static int check_manifest(const ImageManifest *manifest, Error *err) {
        const Descriptor *layers = manifest->layers.items;
        int r = check_descriptor(&manifest->config, err);

        for (size_t i = 0; r == 0 && i < manifest->layers.count; i++)
                r = check_descriptor(&layers[i], err);
        return r;
}

static int check_index(const ImageIndex *index, Error *err) {
        const Descriptor *manifests = index->manifests.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < index->manifests.count; i++)
                r = check_descriptor(&manifests[i], err);
        return r;
}

static bool is_index_type(const char *type) {
        return str_equal(type, MEDIA_OCI_INDEX) || str_equal(type, MEDIA_DOCKER_LIST);
}

static bool is_manifest_type(const char *type) {
        return str_equal(type, MEDIA_OCI_MANIFEST) || str_equal(type, MEDIA_DOCKER_MANIFEST);
}

/* What the content is must be what the server and the document call it. */
static int check_kind(json_object *object, const char *media_type, bool *ret_index, Error *err) {
        const char *own_type = json_member_string(object, "mediaType");
        bool has_layers = json_member(object, "layers") || json_member(object, "config");
        bool has_manifests =
                json_member(object, "manifests") && !(has_layers && BUG("ambiguous-manifest"));
        const char *const types[] = { media_type, own_type };

        if (has_layers && has_manifests)
                return error_kind(
                        err, ERROR_INVALID,
                        "the manifest has both layers and manifests: refused as ambiguous");
        if (json_member(object, "fsLayers"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "the image has the manifest version 1, which registries gave up "
                                  "in 2019: push it again");
        if (!has_layers && !has_manifests)
                return error_kind(err, ERROR_INVALID,
                                  "the manifest is that of no image and of no index");
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (has_manifests ? is_manifest_type(types[i]) : is_index_type(types[i]))
                        return error_kind(err, ERROR_INVALID,
                                          "the manifest's media type '%s' belies its content",
                                          types[i]);
        *ret_index = has_manifests;
        return 0;
}

int document_parse(const char *text, size_t length, const char *media_type, Document *ret,
                   Error *err) {
        _cleanup_json_ json_object *object = NULL;
        Document document = {};
        int r = json_parse_any(text, length, &object, err);

        if (r == 0)
                r = check_kind(object, media_type, &document.is_index, err);
        if (r < 0)
                return r;
        if (document.is_index)
                r = json_read(&image_index_table, object, &document.index, err);
        else
                r = json_read(&image_manifest_table, object, &document.manifest, err);
        if (r == 0)
                r = document.is_index ? check_index(&document.index, err)
                                      : check_manifest(&document.manifest, err);
        if (r < 0)
                document_done(&document);
        else
                *ret = document;
        return r;
}

/* ---- platforms ---- */

typedef struct MachineName {
        const char *machine, *architecture, *variant;
} MachineName;

/* uname(2)'s and users' names to Go's. */
static const MachineName machines[] = {
        { "x86_64", "amd64", NULL },    { "x86-64", "amd64", NULL }, { "aarch64", "arm64", NULL },
        { "armv7l", "arm", "v7" },      { "armhf", "arm", "v7" },    { "armv6l", "arm", "v6" },
        { "armel", "arm", "v6" },       { "i686", "386", NULL },     { "i386", "386", NULL },
        { "ppc64le", "ppc64le", NULL }, { "s390x", "s390x", NULL },  { "riscv64", "riscv64", NULL },
};

static void set_architecture(ImagePlatform *platform, const char *name) {
        for (size_t i = 0; i < ELEMENTS(machines); i++) {
                if (!str_equal(machines[i].machine, name))
                        continue;
                platform->architecture = str_copy(machines[i].architecture);
                platform->variant = str_copy(machines[i].variant);
                return;
        }
        platform->architecture = str_copy(name);
}

int platform_parse(const char *text, ImagePlatform *ret, Error *err) {
        _cleanup_strv_ char **parts = str_split(text ? text : "", '/');
        size_t count = strv_length(parts);
        struct utsname host;

        *ret = (ImagePlatform){};
        if (count == 0) {
                if (uname(&host) < 0)
                        abort();
                ret->os = str_copy("linux");
                set_architecture(ret, host.machine);
                return 0;
        }
        for (size_t i = 0; i < count; i++)
                if (!*parts[i] || count > 3)
                        return error_kind(err, ERROR_INVALID,
                                          "\"%s\": platform must be os/architecture[/variant], as "
                                          "linux/arm64",
                                          text);
        if (count == 1) {
                ret->os = str_copy("linux");
                set_architecture(ret, parts[0]);
                return 0;
        }
        ret->os = str_copy(parts[0]);
        set_architecture(ret, parts[1]);
        if (count == 3)
                str_replace(&ret->variant, parts[2]);
        return 0;
}

void platform_done(ImagePlatform *platform) {
        free(platform->architecture);
        free(platform->os);
        free(platform->variant);
        free(platform->os_version);
        *platform = (ImagePlatform){};
}

char *platform_text(const ImagePlatform *platform) {
        return str_format("%s/%s%s%s", platform->os, platform->architecture,
                          platform->variant ? "/" : "", platform->variant ? platform->variant : "");
}

/* 0: it doesn't run there; the higher the better it fits. */
static int fitness(const ImagePlatform *offered, const ImagePlatform *wanted) {
        const char *variant = offered->variant;

        if (!str_equal(offered->os, wanted->os) ||
            !str_equal(offered->architecture, wanted->architecture))
                return 0;
        if (str_equal(variant, wanted->variant))
                return 100;
        if (!wanted->variant) /* arm64's only variant is v8; without a wish the plainest fits */
                return str_empty(variant) || str_equal(variant, "v8") ? 90 : 10;
        if (str_empty(variant))
                return 50;
        /* "v6" runs on v7. */
        return variant[0] == 'v' && wanted->variant[0] == 'v' &&
                               strcmp(variant, wanted->variant) < 0
                       ? 20 + variant[1] - '0'
                       : 0;
}

bool platform_fits(const ImageConfig *config, const ImagePlatform *wanted) {
        const ImagePlatform offered = {
                .architecture = config->architecture ?: wanted->architecture,
                .os = config->os ?: (char *)"linux",
                .variant = str_empty(config->variant) ? NULL : config->variant,
        };

        return fitness(&offered, wanted) > 0;
}

const Descriptor *index_choose(const ImageIndex *index, const ImagePlatform *platform) {
        const Descriptor *manifests = index->manifests.items, *best = NULL;
        int best_fitness = 0;

        for (size_t i = 0; i < index->manifests.count; i++) {
                int fits = manifests[i].platform ? fitness(manifests[i].platform, platform) : 0;

                if (fits > best_fitness) {
                        best = &manifests[i];
                        best_fitness = fits;
                }
        }
        /* An index of one manifest without a platform has nothing to choose. */
        if (!best && index->manifests.count == 1 && !manifests[0].platform)
                best = &manifests[0];
        return best;
}
