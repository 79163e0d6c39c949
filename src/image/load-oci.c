/* load-oci.c: an image archive that is an OCI layout: what its index.json leads to. An index below
 * it stays whole, with those of its images that the archive has. See load.h. */
#include <errno.h>

#include "base/id.h"
#include "image/load.h"

static void descriptor_path(const Descriptor *descriptor, char path[96]) {
        (void)snprintf(path, 96, "blobs/sha256/%.64s", digest_hex(descriptor->digest));
}

static int need_blob(const Loader *loader, const Descriptor *descriptor, const StagedFile **ret,
                     Error *err) {
        char path[96];
        int r;

        descriptor_path(descriptor, path);
        r = load_need(loader->staging, path, ret, err);
        if (r == 0 && !str_equal((*ret)->digest, descriptor->digest))
                r = error_kind(
                        err, ERROR_INVALID,
                        "'%s' of the image archive has the digest %s: the archive is damaged", path,
                        (*ret)->digest);
        return r;
}

static int read_blob_file(const Loader *loader, const Descriptor *descriptor, Buf *buf,
                          Error *err) {
        const StagedFile *file;
        char path[96];
        int r = need_blob(loader, descriptor, &file, err);

        descriptor_path(descriptor, path);
        return r < 0 ? r : load_read(loader->staging, path, buf, err);
}

typedef struct OciImage {
        const Buf *text; /* the manifest */
        const ImageManifest *manifest;
        const char *name;  /* or NULL */
        const char *lease; /* or NULL */
} OciImage;

static int take_layers(const Loader *loader, const ImageManifest *manifest, Assembly *assembly,
                       Error *err) {
        const Descriptor *layers = manifest->layers.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < manifest->layers.count; i++) {
                const StagedFile *file;

                r = need_blob(loader, &layers[i], &file, err);
                if (r == 0)
                        r = load_layer(loader, assembly, i, file, err);
        }
        return r;
}

/* *ret (may be NULL): its row of an index, which speaks for it; else it is said to be loaded. */
static int load_oci_manifest(const Loader *loader, const OciImage *image, Variant *ret,
                             Error *err) {
        _cleanup_(assembly_done) Assembly assembly = {};
        _cleanup_buf_ Buf config = {};
        char digest[DIGEST_TEXT_MAX];
        bool fits = true;
        int r = read_blob_file(loader, &image->manifest->config, &config, err);

        if (r == 0 && !ret) /* of an index that has said so */
                r = load_fits(loader, &config, image->manifest->layers.count, &fits, err);
        if (r < 0 || !fits)
                return r;
        assembly_init(&assembly, loader->staging->store, loader->progress, loader->data);
        r = assembly_begin(&assembly, config.data, config.length, image->manifest->layers.count,
                           err);
        if (r == 0)
                r = take_layers(loader, image->manifest, &assembly, err);
        if (r == 0 && image->name)
                r = load_add_name(&assembly.record.names, image->name, err);
        if (r < 0)
                return r;
        digest_of(image->text->data, image->text->length, digest);
        pins_add(&assembly.pins, digest);
        r = blob_put(assembly.store, image->text->data, image->text->length, digest, err);
        if (r < 0)
                return r;
        assembly.record.manifest = str_copy(digest);
        assembly.record.lease = str_copy(image->lease);
        r = assembly_commit(&assembly, err);
        if (r < 0 || !ret)
                return r < 0 ? r : load_say(loader, assembly.record.id, assembly.record.names, err);
        memcpy(ret->manifest, digest, sizeof(digest));
        memcpy(ret->image, assembly.record.id, sizeof(digest));
        return 0;
}

/* containerd's annotation has the whole name; OCI's own often just a tag, which names no image. */
static const char *name_of(const Descriptor *descriptor) {
        const char *name = pairs_get(&descriptor->annotations, "io.containerd.image.name");

        if (name)
                return name;
        name = pairs_get(&descriptor->annotations, "org.opencontainers.image.ref.name");
        return name && strpbrk(name, "/:") ? name : NULL;
}

/* ---- an index below index.json ---- */

typedef struct OciIndex {
        const Buf *text;
        const ImageIndex *index;
        const Descriptor *host; /* what this host would choose, or NULL */
        const Descriptor *only; /* what alone is taken; NULL: all that is there */
        Variant *variants;
        size_t count;
        const char *lease; /* who has its images until it is recorded */
} OciIndex;

/* An image of it that the archive has and that this system can keep: attestations are of the
 * operating system "unknown". */
static bool is_here(const Loader *loader, const Descriptor *descriptor) {
        const char *os = descriptor->platform ? descriptor->platform->os : NULL;
        char path[96];

        descriptor_path(descriptor, path);
        return (!os || str_equal(os, "linux")) && load_find(loader->staging, path);
}

static int load_variant(const Loader *loader, OciIndex *oci, const Descriptor *descriptor,
                        Error *err) {
        _cleanup_(document_done) Document document = {};
        _cleanup_buf_ Buf text = {};
        const OciImage image = { .text = &text,
                                 .manifest = &document.manifest,
                                 .lease = oci->lease };
        Variant variant = { .host = descriptor == oci->host };
        int r = read_blob_file(loader, descriptor, &text, err);

        if (r == 0)
                r = document_parse(text.data, text.length, descriptor->media_type, &document, err);
        if (r == 0 && document.is_index)
                r = error_kind(err, ERROR_INVALID, "the image archive calls an index a manifest");
        if (r == 0)
                r = load_oci_manifest(loader, &image, &variant, err);
        if (r < 0)
                return r;
        GROW(oci->variants, oci->count);
        oci->variants[oci->count++] = variant;
        return 0;
}

static int load_variants(const Loader *loader, OciIndex *oci, Error *err) {
        const Descriptor *manifests = oci->index->manifests.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < oci->index->manifests.count; i++)
                if (is_here(loader, &manifests[i]) && (!oci->only || oci->only == &manifests[i]))
                        r = load_variant(loader, oci, &manifests[i], err);
        return r;
}

static int put_index(const OciIndex *oci, PinSet *pins, char *const *names,
                     char digest[DIGEST_TEXT_MAX], Error *err) {
        const IndexPut put = { .text = oci->text->data,
                               .length = oci->text->length,
                               .variants = oci->variants,
                               .count = oci->count,
                               .names = names };

        return index_store(pins, &put, digest, err);
}

/* What of it is in the archive stays together under the name. Until that is recorded nothing is
 * removed of it. */
static int load_index(const Loader *loader, OciIndex *oci, const char *name, Error *err) {
        _cleanup_(pins_release) PinSet pins = { .store = loader->staging->store };
        _cleanup_strv_ char **names = NULL;
        char digest[DIGEST_TEXT_MAX], holder[ID_LENGTH + 8], id[ID_LENGTH + 1];
        int r;

        id_new(id);
        (void)snprintf(holder, sizeof(holder), "load:%s", id);
        oci->lease = holder;
        r = load_variants(loader, oci, err);
        if (r == 0)
                r = load_add_name(&names, name, err);
        if (r == 0)
                r = put_index(oci, &pins, names, digest, err);
        oci->lease = NULL;
        if (image_release(loader->staging->store, holder, r == 0 ? err : NULL) < 0 && r == 0)
                return -EIO;
        return r < 0 ? r : load_say(loader, oci->variants[0].image, names, err);
}

/* Whether it leads to images that are in the archive, and to no further index. */
static bool is_plain_index(const Loader *loader, const ImageIndex *index) {
        const Descriptor *manifests = index->manifests.items;
        bool any = false;

        for (size_t i = 0; i < index->manifests.count; i++) {
                if (str_equal(manifests[i].media_type, MEDIA_OCI_INDEX) ||
                    str_equal(manifests[i].media_type, MEDIA_DOCKER_LIST))
                        return false;
                any |= is_here(loader, &manifests[i]);
        }
        return any;
}

/* One index may stand below another: then the platform's manifest is meant. */
static int load_oci_descriptor(const Loader *loader, const Descriptor *descriptor, const char *name,
                               int depth, Error *err) {
        _cleanup_(document_done) Document document = {};
        ImagePlatform platform = {};
        const Descriptor *host, *chosen;
        _cleanup_buf_ Buf text = {};
        int r = read_blob_file(loader, descriptor, &text, err);

        if (r == 0)
                r = document_parse(text.data, text.length, descriptor->media_type, &document, err);
        if (r < 0)
                return r;
        if (!document.is_index) {
                const OciImage image = { .text = &text,
                                         .manifest = &document.manifest,
                                         .name = name };

                return load_oci_manifest(loader, &image, NULL, err);
        }
        if (depth > 1)
                return error_kind(err, ERROR_INVALID,
                                  "the image archive has indexes in indexes in indexes");
        r = platform_parse(NULL, &platform, err);
        if (r < 0)
                return r;
        host = index_choose(&document.index, &platform);
        chosen = loader->platform ? index_choose(&document.index, loader->platform) : host;
        platform_done(&platform);
        if (loader->platform && (!chosen || !is_here(loader, chosen)))
                return 0; /* another image of the archive may fit */
        if (name && is_plain_index(loader, &document.index)) {
                OciIndex oci = { .text = &text,
                                 .index = &document.index,
                                 .host = host,
                                 .only = loader->platform ? chosen : NULL };

                *loader->matched = true;
                r = load_index(loader, &oci, name, err);
                free(oci.variants);
                return r;
        }
        if (!chosen)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the image archive has no image for this host's platform");
        return load_oci_descriptor(loader, chosen, name, depth + 1, err);
}

int load_oci_archive(const Loader *loader, Error *err) {
        _cleanup_(document_done) Document document = {};
        const Descriptor *manifests;
        _cleanup_buf_ Buf text = {};
        int r = load_read(loader->staging, "index.json", &text, err);

        if (r == 0)
                r = document_parse(text.data, text.length, NULL, &document, err);
        if (r == 0 && !document.is_index)
                r = error_kind(err, ERROR_INVALID, "index.json of the archive is no index");
        manifests = document.index.manifests.items;
        for (size_t i = 0; r == 0 && i < document.index.manifests.count; i++)
                r = load_oci_descriptor(loader, &manifests[i], name_of(&manifests[i]), 0, err);
        return r;
}

bool load_has_index(const Loader *loader) {
        _cleanup_(document_done) Document document = {};
        const Descriptor *manifests;
        _cleanup_buf_ Buf text = {};

        /* What is wrong with it is said where it is the archive's only list. */
        if (!load_find(loader->staging, "index.json") ||
            load_read(loader->staging, "index.json", &text, NULL) < 0 ||
            document_parse(text.data, text.length, NULL, &document, NULL) < 0)
                return false;
        manifests = document.index.manifests.items;
        for (size_t i = 0; i < document.index.manifests.count; i++)
                if (name_of(&manifests[i]) &&
                    (str_equal(manifests[i].media_type, MEDIA_OCI_INDEX) ||
                     str_equal(manifests[i].media_type, MEDIA_DOCKER_LIST)))
                        return true;
        return false;
}
