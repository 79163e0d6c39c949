/* layout-image.c: an image in a directory that is an OCI layout: what it is, and its layers when
 * they are needed. Nothing of it is recorded as an image. See image.h and layout.h. */
#include <errno.h>

#include "base/fd.h"
#include "image/layout.h"

typedef struct Reading {
        Layout layout;
        char what[256]; /* the layout's */
        Assembly assembly;
        Descriptor entry; /* of the manifest, or of an index that leads to it */
        Document document;
        char digest[DIGEST_TEXT_MAX]; /* the manifest's */
        bool other;                   /* there was no such tag, but one entry */
} Reading;

static void reading_init(Reading *reading, ImageStore *store, const ImageLayout *image,
                         ImageProgressFn progress, void *data) {
        *reading = (Reading){ .layout = { .dir_fd = image->dir_fd } };
        (void)snprintf(reading->what, sizeof(reading->what), "the OCI layout%s%.200s%s",
                       image->path ? " '" : "", image->path ?: "", image->path ? "'" : "");
        reading->layout.what = reading->what;
        assembly_init(&reading->assembly, store, progress, data);
}

static void reading_done(Reading *reading) {
        document_done(&reading->document);
        json_done(&descriptor_table, &reading->entry);
        assembly_done(&reading->assembly);
}

/* ---- what is meant ---- */

static int no_index(const Reading *reading, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "%s has no index.json: it is no OCI layout, or name a manifest of it: "
                          "PATH@DIGEST",
                          reading->what);
}

static int find_entry(Reading *reading, const ImageLayout *image, Error *err) {
        const char *tag = str_empty(image->tag) ? "latest" : image->tag;
        _cleanup_(image_index_done) ImageIndex index = {};
        _cleanup_free_ char *tags = NULL;
        const Descriptor *entry;
        int r;

        if (!str_empty(image->digest)) { /* which need not be in the index */
                reading->entry.digest = str_copy(image->digest);
                return 0;
        }
        r = layout_read_index(&reading->layout, &index, err);
        if (r < 0)
                return r == -ENOENT ? no_index(reading, err) : r;
        entry = layout_find_tag(&index, tag, &reading->other);
        if (entry) {
                json_copy(&descriptor_table, entry, &reading->entry);
                return 0;
        }
        tags = layout_list_tags(&index);
        if (index.manifests.count == 0)
                return error_kind(err, ERROR_NOT_FOUND, "%s has no image", reading->what);
        return error_kind(err, ERROR_NOT_FOUND,
                          "%s has no tag '%s', and %zu images%s%.150s: give PATH:TAG or "
                          "PATH@DIGEST",
                          reading->what, tag, index.manifests.count,
                          str_empty(tags) ? "" : " of the tags ", tags ?: "");
}

/* ---- documents ---- */

static int read_entry(Reading *reading, const Descriptor *entry, Error *err) {
        _cleanup_buf_ Buf text = {};
        Document document = {};
        int r = layout_read_document(&reading->layout, entry->digest, &text, err);

        if (r < 0)
                return r;
        r = document_parse(text.data ?: "", text.length, entry->media_type, &document, err);
        if (r < 0)
                return error_prefix(err, "'%s' of %s", entry->digest, reading->what);
        memcpy(reading->digest, entry->digest, sizeof(reading->digest));
        document_done(&reading->document);
        reading->document = document;
        return 0;
}

static int read_chosen(Reading *reading, const char *platform, Error *err) {
        ImagePlatform wanted = {};
        Descriptor chosen = {};
        int r = platform_parse(platform, &wanted, err);
        const Descriptor *found;

        if (r < 0)
                return r;
        found = index_choose(&reading->document.index, &wanted);
        if (!found) {
                _cleanup_free_ char *name = platform_text(&wanted);

                r = error_kind(err, ERROR_NOT_FOUND, "%s has no image for %s in its index %s",
                               reading->what, name, reading->digest);
        } else {
                json_copy(&descriptor_table, found, &chosen);
                r = read_entry(reading, &chosen, err);
        }
        if (r == 0 && reading->document.is_index)
                r = error_kind(err, ERROR_INVALID,
                               "%s has an index in an index: name one of its manifests: "
                               "PATH@DIGEST",
                               reading->what);
        json_done(&descriptor_table, &chosen);
        platform_done(&wanted);
        return r;
}

static int read_config(Reading *reading, Error *err) {
        const ImageManifest *manifest = &reading->document.manifest;
        _cleanup_buf_ Buf text = {};
        int r = layout_read_document(&reading->layout, manifest->config.digest, &text, err);

        if (r < 0)
                return r;
        r = assembly_read(&reading->assembly, text.data ?: "", text.length, manifest->layers.count,
                          err);
        return r < 0 ? error_prefix(err, "'%s' of %s", reading->digest, reading->what) : 0;
}

static int read_image(Reading *reading, const char *platform, Error *err) {
        int r = read_entry(reading, &reading->entry, err);

        if (r == 0 && reading->document.is_index)
                r = read_chosen(reading, platform, err);
        return r < 0 ? r : read_config(reading, err);
}

int image_layout_find(ImageStore *store, const ImageLayout *image, const char *platform,
                      ImageRemote *ret, Error *err) {
        _cleanup_(reading_done) Reading reading;
        int r;

        reading_init(&reading, store, image, NULL, NULL);
        r = find_entry(&reading, image, err);
        if (r == 0)
                r = read_image(&reading, platform, err);
        if (r < 0)
                return r;
        *ret = (ImageRemote){ .digest = str_copy(reading.digest),
                              .id = str_copy(reading.assembly.record.id),
                              .config = reading.assembly.config };
        ret->chain_ids = TAKE_PTR(reading.assembly.record.chains);
        reading.assembly.config = (ImageConfig){};
        return reading.other ? IMAGE_LAYOUT_OTHER : 0;
}

/* ---- layers ---- */

static int bring_layers(Reading *reading, Error *err) {
        const Descriptor *blobs = reading->document.manifest.layers.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < reading->document.manifest.layers.count; i++) {
                _cleanup_(layer_done) Layer layer = {};

                assembly_layer(&reading->assembly, i, &layer);
                memcpy(layer.blob, blobs[i].digest, DIGEST_TEXT_MAX);
                layer.blob_size = blobs[i].size;
                r = layout_bring(&reading->layout, &reading->assembly, &layer, err);
        }
        return r;
}

int image_layout_bring(ImageStore *store, const ImageLayout *image, const char *holder,
                       ImageProgressFn progress, void *data, Error *err) {
        _cleanup_(reading_done) Reading reading;
        int r;

        reading_init(&reading, store, image, progress, data);
        r = find_entry(&reading, image, err);
        if (r == 0)
                r = read_image(&reading, NULL, err);
        if (r == 0)
                r = bring_layers(&reading, err);
        for (char **chain = reading.assembly.record.chains; r == 0 && chain && *chain; chain++)
                r = image_hold_layer(store, *chain, holder, err); /* pinned still */
        return r;
}
