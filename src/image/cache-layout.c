/* cache-layout.c: a build cache in a directory: OCI image-spec, image-layout.md; how that is read
 * is layout.c's, how it is written layout-write.c's. */
#include "image/cache-layout.h"

#include <errno.h>

#include "base/fd.h"
#include "image/layout-write.h"
#include "image/origin.h"

static const char *tag_of(const CachePlace *place) {
        return str_empty(place->tag) ? "latest" : place->tag;
}

static Layout layout_of(const CachePlace *place) {
        return (Layout){ .dir_fd = place->dir_fd, .what = "the cache's directory" };
}

static LayoutWriter writer_of(const CachePlace *place) {
        return (LayoutWriter){
                .layout = layout_of(place), .uid = place->uid, .gid = place->gid, .renew = true
        };
}

/* ---- reading ---- */

static const Descriptor *find_tag(const ImageIndex *index, const CachePlace *place) {
        const Descriptor *entries = index->manifests.items;

        for (size_t i = index->manifests.count; i-- > 0;)
                if (str_equal(pairs_get(&entries[i].annotations, LAYOUT_REF_NAME), tag_of(place)))
                        return &entries[i];
        return NULL;
}

static int find_manifest(const CachePlace *place, char **ret, Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(image_index_done) ImageIndex index = {};
        const Descriptor *entry;
        int r;

        if (!str_empty(place->digest)) { /* which need not be in the index */
                *ret = str_copy(place->digest);
                return 0;
        }
        r = layout_read_index(&layout, &index, err);
        if (r < 0)
                return r;
        entry = find_tag(&index, place);
        if (!entry)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the cache's directory has nothing of the tag '%s'",
                                  tag_of(place));
        *ret = str_copy(entry->digest);
        return 0;
}

int cache_layout_fetch(const CachePlace *place, CacheFound *ret, Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(document_done) Document document = {};
        _cleanup_buf_ Buf text = {}, config = {};
        _cleanup_free_ char *digest = NULL;
        int r = find_manifest(place, &digest, err);

        if (r == 0)
                r = layout_read_document(&layout, digest, &text, err);
        if (r == 0)
                r = document_parse(text.data ?: "", text.length, NULL, &document, err);
        if (r == 0 && document.is_index)
                r = error_kind(err, ERROR_INVALID, "'%s' of the cache's directory is no manifest",
                               digest);
        if (r == 0)
                r = layout_read_document(&layout, document.manifest.config.digest, &config, err);
        if (r < 0)
                return r;
        ret->manifest = document.manifest;
        document.manifest = (ImageManifest){};
        ret->length = config.length;
        ret->config = buf_take(&config);
        return 0;
}

int cache_layout_bring(const CachePlace *place, Assembly *assembly, const CacheLayer *wanted,
                       Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(layer_done) Layer layer = {};

        cache_layer_take(wanted, &layer);
        return layout_bring(&layout, assembly, &layer, err);
}

/* ---- writing ---- */

static int write_layer(const LayoutWriter *writer, Push *push, size_t index, int blobs_fd,
                       Error *err) {
        const Layer *layer = &push->layers[index];
        ImageStore *store = push->assembly.store;
        Descriptor *descriptor = &push->descriptors[index];
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_close_ int fd = -1;
        char id[13], digest[DIGEST_TEXT_MAX], key[FORM_TEXT_MAX];
        bool packs = push_packs(push, layer);
        int64_t size = layer->blob_size;
        int r;

        form_key(&push->form, push_form(push, layer), key);
        r = packs ? packed_find(store, layer->blob, key, digest, &size, err) : 1;

        push_layer_id(layer, id);
        if (!packs)
                memcpy(digest, layer->blob, DIGEST_TEXT_MAX);
        if (r > 0 && layout_has_blob(writer, blobs_fd, digest, size))
                r = 2;
        else if (r >= 0)
                r = packs ? push_pack(push, layer, id, &temp, digest, &size, err)
                          : layer_blob_open(store, layer->blob, &fd, &size, err);
        if (r == 0 && packs && lseek(temp.fd, 0, SEEK_SET) < 0)
                r = error_set(err, errno, "read a compressed layer");
        if (r == 0)
                r = layout_write(writer, blobs_fd, digest_hex(digest), NULL, packs ? temp.fd : fd,
                                 err);
        if (r < 0)
                return r;
        descriptor->media_type =
                str_copy(packs ? form_media_type(push_form(push, layer)) : layer->media_type);
        descriptor->digest = str_copy(digest);
        descriptor->size = size;
        return 0;
}

static int write_text(const LayoutWriter *writer, int blobs_fd, const char *text,
                      char digest[DIGEST_TEXT_MAX], Error *err) {
        digest_of(text, strlen(text), digest);
        return layout_write(writer, blobs_fd, digest_hex(digest), text, -1, err);
}

static int report(void *data, const char *status, Error *err) {
        Push *push = data;

        return assembly_report(&push->assembly, NULL, status, 0, 0, err);
}

static int put_entry(const CachePlace *place, const LayoutWriter *writer, const char *manifest,
                     Error *err) {
        _cleanup_(image_index_done) ImageIndex entries = {};
        Descriptor *entry = json_append(&entries.manifests, &descriptor_table);
        char digest[DIGEST_TEXT_MAX];

        digest_of(manifest, strlen(manifest), digest);
        entry->media_type = str_copy(MEDIA_OCI_MANIFEST);
        entry->digest = str_copy(digest);
        entry->size = (int64_t)strlen(manifest);
        pairs_put(&entry->annotations, LAYOUT_REF_NAME, tag_of(place));
        return layout_put_entries(writer, &entries, NULL, NULL, err);
}

int cache_layout_send(const CachePlace *place, Push *push, Error *err) {
        LayoutWriter writer = writer_of(place);
        _cleanup_close_ int blobs_fd = layout_make_blobs(&writer, err);
        char digest[DIGEST_TEXT_MAX];
        int r = MIN(blobs_fd, 0);

        writer.report = report;
        writer.data = push;
        for (size_t i = 0; r == 0 && i < push->count; i++)
                r = write_layer(&writer, push, i, blobs_fd, err);
        if (r == 0)
                r = write_text(&writer, blobs_fd, push->image.config_text, digest, err);
        if (r < 0)
                return r;
        push_make_manifest(push);
        r = write_text(&writer, blobs_fd, push->manifest, digest, err);
        return r < 0 ? r : put_entry(place, &writer, push->manifest, err);
}
