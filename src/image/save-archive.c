/* save-archive.c: writes images as an OCI layout that is a docker-archive too: blobs by digest,
 * index.json, oci-layout, manifest.json, repositories. Layers go out as they came in. See save.h.
 */
#include "format/reference.h"
#include "format/tar.h"
#include "image/save.h"

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static void blob_name(const char *digest, char name[96]) {
        (void)snprintf(name, 96, "blobs/sha256/%.64s", digest_hex(digest));
}

static int put_text(Saver *saver, const char *digest, const char *text, int64_t time, Error *err) {
        char name[96];

        blob_name(digest, name);
        return tar_put_bytes(saver->fd, name, text, strlen(text), time, err);
}

static int put_file(Saver *saver, const char *digest, int fd, int64_t size, int64_t time,
                    Error *err) {
        char name[96];

        blob_name(digest, name);
        return tar_put_file(saver->fd, name, fd, size, time, err);
}

static int write_index(const Saver *saver, Error *err) {
        ImageIndex index;
        _cleanup_free_ char *text = NULL;

        save_list(saver, &index);
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
        static const SaveSink sink = { .text = put_text, .file = put_file };
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        int r = tar_put_directory(saver->fd, "blobs/", 0, err);

        if (r == 0)
                r = tar_put_directory(saver->fd, "blobs/sha256/", 0, err);
        if (r == 0)
                r = save_blobs(saver, &sink, err);
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
