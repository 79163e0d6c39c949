/* save-archive.c: writes images as an OCI layout that is a docker-archive too: blobs by digest,
 * index.json, oci-layout, manifest.json, repositories. Layers go out as they came in. See save.h.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/reference.h"
#include "format/tar.h"
#include "image/save.h"

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static int64_t seconds_of(const SavedImage *saved) {
        return saved->image.config.created / NSEC_PER_SEC;
}

static bool first_time(Saver *saver, const char *digest) {
        if (strv_has(saver->written, digest))
                return false;
        strv_add(&saver->written, digest);
        return true;
}

static void blob_name(const char *digest, char name[96]) {
        (void)snprintf(name, 96, "blobs/sha256/%.64s", digest_hex(digest));
}

static int write_document(Saver *saver, const char *digest, const char *text, size_t length,
                          int64_t time, Error *err) {
        char name[96];

        blob_name(digest, name);
        return first_time(saver, digest) ? tar_put_bytes(saver->fd, name, text, length, time, err)
                                         : 0;
}

static int write_layer(Saver *saver, const Descriptor *layer, int64_t time, Error *err) {
        const Repacked *made = save_repacked_of(saver, layer->digest);
        _cleanup_close_ int fd = -1;
        int64_t size = 0;
        char name[96];
        int r;

        if (!first_time(saver, layer->digest))
                return 0;
        blob_name(layer->digest, name);
        if (made && lseek(made->temp.fd, 0, SEEK_SET) < 0)
                return error_set(err, errno, "read a compressed layer");
        if (made)
                return tar_put_file(saver->fd, name, made->temp.fd, made->size, time, err);
        r = layer_blob_open(saver->store, layer->digest, &fd, &size, err);
        return r < 0 ? r : tar_put_file(saver->fd, name, fd, size, time, err);
}

static int write_image(Saver *saver, const SavedImage *saved, Error *err) {
        const Descriptor *layers = saved->layers.items;
        const char *config = saved->image.config_text;
        int64_t time = seconds_of(saved);
        int r = 0;

        for (size_t i = 0; r == 0 && i < saved->layers.count; i++)
                r = write_layer(saver, &layers[i], time, err);
        if (r == 0)
                r = write_document(saver, saved->image.id, config, strlen(config), time, err);
        if (r == 0)
                r = write_document(saver, saved->manifest, saved->manifest_text,
                                   saved->manifest_length, time, err);
        return r;
}

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
        pairs_put(&descriptor->annotations, "io.containerd.image.name", name);
        pairs_put(&descriptor->annotations, "org.opencontainers.image.ref.name",
                  strrchr(name, ':') + 1);
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

static int write_index(Saver *saver, Error *err) {
        ImageIndex index = { .schema_version = 2, .media_type = str_copy(MEDIA_OCI_INDEX) };
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < saver->count; i++)
                list_image(saver, &saver->images[i], &index);
        for (size_t i = 0; i < saver->index_count; i++)
                list_index(saver, &saver->indexes[i], &index);
        text = json_text(&image_index_table, &index);
        json_done(&image_index_table, &index);
        return tar_put_bytes(saver->fd, "index.json", text, strlen(text), 0, err);
}

static json_object *archive_image(const SavedImage *saved) {
        const Descriptor *layers = saved->layers.items;
        json_object *object = json_object_new_object(), *tags = NULL,
                    *paths = json_object_new_array();
        char name[96];

        for (size_t i = 0; i < saved->layers.count; i++) {
                blob_name(layers[i].digest, name);
                (void)json_object_array_add(paths, json_object_new_string(name));
        }
        for (size_t i = 0; saved->names && saved->names[i]; i++) {
                _cleanup_(reference_donep) Reference reference = {};
                _cleanup_free_ char *familiar = NULL;

                if (reference_parse(saved->names[i], &reference, NULL) < 0)
                        continue;
                familiar = reference_familiar(&reference);
                if (!tags)
                        tags = json_object_new_array();
                (void)json_object_array_add(tags, json_object_new_string(familiar));
        }
        blob_name(saved->image.id, name);
        (void)json_object_object_add(object, "Config", json_object_new_string(name));
        (void)json_object_object_add(object, "RepoTags", tags);
        (void)json_object_object_add(object, "Layers", paths);
        return object;
}

static int write_json(Saver *saver, const char *name, json_object *object, Error *err) {
        const char *text = json_object_to_json_string_ext(
                object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

        return tar_put_bytes(saver->fd, name, text, strlen(text), 0, err);
}

static int write_manifest_json(Saver *saver, Error *err) {
        _cleanup_json_ json_object *array = json_object_new_array();

        /* Its readers know no platforms: of an index they get what the name stands for. */
        for (size_t i = 0; i < saver->count; i++)
                if (saver->images[i].chosen || !saver->images[i].indexed)
                        (void)json_object_array_add(array, archive_image(&saver->images[i]));
        return write_json(saver, "manifest.json", array, err);
}

/* {"busybox":{"latest":"<hex of the top layer's blob>"}}: Docker before 1.10. */
static int write_repositories(Saver *saver, Error *err) {
        _cleanup_json_ json_object *object = json_object_new_object();

        for (size_t i = 0; i < saver->count; i++) {
                const SavedImage *saved = &saver->images[i];
                const Descriptor *layers = saved->layers.items;

                for (size_t j = 0; saved->layers.count > 0 && saved->names && saved->names[j];
                     j++) {
                        _cleanup_(reference_donep) Reference reference = {};
                        _cleanup_free_ char *repository = NULL;
                        json_object *tags;

                        if (reference_parse(saved->names[j], &reference, NULL) < 0)
                                continue;
                        repository = reference_familiar_repository(&reference);
                        tags = json_member(object, repository);
                        if (!tags) {
                                tags = json_object_new_object();
                                (void)json_object_object_add(object, repository, tags);
                        }
                        (void)json_object_object_add(
                                tags, reference.tag,
                                json_object_new_string(
                                        digest_hex(layers[saved->layers.count - 1].digest)));
                }
        }
        return write_json(saver, "repositories", object, err);
}

int save_archive(Saver *saver, Error *err) {
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        int r = tar_put_directory(saver->fd, "blobs/", 0, err);

        if (r == 0)
                r = tar_put_directory(saver->fd, "blobs/sha256/", 0, err);
        for (size_t i = 0; r == 0 && i < saver->count; i++)
                r = write_image(saver, &saver->images[i], err);
        for (size_t i = 0; r == 0 && i < saver->index_count; i++)
                r = write_document(saver, saver->indexes[i].stored.digest,
                                   saver->indexes[i].stored.text, saver->indexes[i].stored.length,
                                   0, err);
        if (r == 0)
                r = write_index(saver, err);
        if (r == 0)
                r = write_manifest_json(saver, err);
        if (r == 0)
                r = tar_put_bytes(saver->fd, "oci-layout", layout, sizeof(layout) - 1, 0, err);
        if (r == 0)
                r = write_repositories(saver, err);
        return r < 0 ? r : tar_end(saver->fd, err);
}
