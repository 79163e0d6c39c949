/* save-content.c: what an archive and a layout have in common: each blob once, and the index of
 * what was asked for. See save.h. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "image/layout-write.h"
#include "image/save.h"

static int64_t seconds_of(const SavedImage *saved) {
        return saved->image.config.created / NSEC_PER_SEC;
}

static bool first_time(Saver *saver, const char *digest) {
        if (strv_has(saver->written, digest))
                return false;
        strv_add(&saver->written, digest);
        return true;
}

static int put_text(Saver *saver, const SaveSink *sink, const char *digest, const char *text,
                    int64_t time, Error *err) {
        return first_time(saver, digest) ? sink->text(saver, digest, text, time, err) : 0;
}

static int put_layer(Saver *saver, const SaveSink *sink, const Descriptor *layer, int64_t time,
                     Error *err) {
        const Repacked *made = save_repacked_of(saver, layer->digest);
        _cleanup_close_ int fd = -1;
        int64_t size = 0;
        int r;

        if (!first_time(saver, layer->digest))
                return 0;
        if (sink->has && sink->has(saver, layer->digest, layer->size))
                return 0;
        if (made && lseek(made->temp.fd, 0, SEEK_SET) < 0)
                return error_set(err, errno, "read a compressed layer");
        if (made)
                return sink->file(saver, layer->digest, made->temp.fd, made->size, time, err);
        r = layer_blob_open(saver->store, layer->digest, &fd, &size, err);
        return r < 0 ? r : sink->file(saver, layer->digest, fd, size, time, err);
}

static int put_image(Saver *saver, const SaveSink *sink, const SavedImage *saved, Error *err) {
        const Descriptor *layers = saved->layers.items;
        int64_t time = seconds_of(saved);
        int r = 0;

        for (size_t i = 0; r == 0 && i < saved->layers.count; i++)
                r = put_layer(saver, sink, &layers[i], time, err);
        if (r == 0)
                r = put_text(saver, sink, saved->image.id, saved->image.config_text, time, err);
        return r < 0 ? r : put_text(saver, sink, saved->manifest, saved->manifest_text, time, err);
}

int save_blobs(Saver *saver, const SaveSink *sink, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < saver->count; i++)
                r = put_image(saver, sink, &saver->images[i], err);
        for (size_t i = 0; r == 0 && i < saver->index_count; i++)
                r = put_text(saver, sink, saver->indexes[i].stored.digest,
                             saver->indexes[i].stored.text, 0, err);
        return r;
}

/* ---- the index ---- */

static Descriptor *add_descriptor(ImageIndex *index, const SavedImage *saved) {
        Descriptor *descriptor = json_append(&index->manifests, &descriptor_table);

        descriptor->media_type = str_copy(saved->manifest_type);
        descriptor->digest = str_copy(saved->manifest);
        descriptor->size = (int64_t)saved->manifest_length;
        if (saved->asked && !saved->indexed)
                pairs_copy(&descriptor->annotations, &saved->asked->descriptor);
        return descriptor;
}

static void name_descriptor(Descriptor *descriptor, const char *name) {
        pairs_put(&descriptor->annotations, LAYOUT_IMAGE_NAME, name);
        pairs_put(&descriptor->annotations, LAYOUT_REF_NAME, strrchr(name, ':') + 1);
}

static bool means_index(const Saver *saver, const char *name) {
        for (size_t i = 0; i < saver->index_count; i++)
                if (strv_has(saver->indexes[i].names, name))
                        return true;
        return false;
}

static void list_image(const Saver *saver, const SavedImage *saved, ImageIndex *index) {
        if (!saved->names && !saved->indexed)
                (void)add_descriptor(index, saved);
        for (size_t i = 0; saved->names && saved->names[i]; i++)
                if (!means_index(saver, saved->names[i]))
                        name_descriptor(add_descriptor(index, saved), saved->names[i]);
}

static void list_index(const Saver *saver, const SavedIndex *saved, ImageIndex *index) {
        const ImageAnnotations *annotations = saver->save->annotations;
        const StoredIndex *stored = &saved->stored;
        char *const no_name[] = { NULL, NULL }, *const *names = saved->names ?: no_name;

        for (size_t i = 0; i == 0 || names[i]; i++) {
                Descriptor *descriptor = json_append(&index->manifests, &descriptor_table);

                descriptor->media_type =
                        str_copy(stored->document.index.media_type ?: MEDIA_OCI_INDEX);
                descriptor->digest = str_copy(stored->digest);
                descriptor->size = (int64_t)stored->length;
                if (annotations)
                        pairs_copy(&descriptor->annotations, &annotations->index_descriptor);
                if (names[i])
                        name_descriptor(descriptor, names[i]);
        }
}

void save_list(const Saver *saver, ImageIndex *ret) {
        *ret = (ImageIndex){ .schema_version = 2, .media_type = str_copy(MEDIA_OCI_INDEX) };
        for (size_t i = 0; i < saver->count; i++)
                list_image(saver, &saver->images[i], ret);
        for (size_t i = 0; i < saver->index_count; i++)
                list_index(saver, &saver->indexes[i], ret);
}
