/* save.c: writes images as an OCI layout that is a docker-archive too: blobs by digest, index.json,
 * oci-layout, manifest.json, repositories. Layers go out as they came in. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/reference.h"
#include "format/tar.h"
#include "image/assembly.h"
#include "image/form.h"
#include "image/origin.h"
#include "sql/sql.h"

typedef struct SavedImage {
        Image image;
        char **names;                   /* full; those that were asked for */
        char manifest[DIGEST_TEXT_MAX]; /* its digest */
        char *manifest_text;
        size_t manifest_length;
        const char *manifest_type;
        JsonArray layers; /* of Descriptor, base first */
        Layer *kept;      /* the same as the store has them */
        Pairs annotations;
        ImageForm form;
} SavedImage;

/* A layer in another form, until it is written. */
typedef struct Repacked {
        char digest[DIGEST_TEXT_MAX];
        int64_t size;
        BlobTemp temp;
} Repacked;

typedef struct Saver {
        ImageStore *store;
        const ImageSave *save;
        int fd;
        SavedImage *images;
        size_t count;
        Repacked *repacked;
        size_t repacked_count;
        char **written; /* digests */
} Saver;

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static void saved_image_done(SavedImage *saved) {
        Descriptor *layers = saved->layers.items;

        for (size_t i = 0; saved->kept && i < saved->layers.count; i++)
                layer_done(&saved->kept[i]);
        free(saved->kept);
        pairs_done(&saved->annotations);
        image_done(&saved->image);
        saved->names = strv_free(saved->names);
        free(saved->manifest_text);
        for (size_t i = 0; i < saved->layers.count; i++)
                json_done(&descriptor_table, &layers[i]);
        free(saved->layers.items);
}

static void saver_done(Saver *saver) {
        for (size_t i = 0; i < saver->count; i++)
                saved_image_done(&saver->images[i]);
        free(saver->images);
        for (size_t i = 0; i < saver->repacked_count; i++)
                blob_temp_done(&saver->repacked[i].temp);
        free(saver->repacked);
        saver->written = strv_free(saver->written);
}

/* ---- what is saved ---- */

static int describe_layers(Saver *saver, SavedImage *saved, Error *err) {
        saved->kept = NEW_ARRAY(Layer, strv_length(saved->image.chain_ids) + 1);
        for (size_t i = 0; saved->image.chain_ids && saved->image.chain_ids[i]; i++) {
                Layer *layer = &saved->kept[i];
                Descriptor *descriptor;
                int r = layer_load(saver->store, saved->image.chain_ids[i], layer, err);

                if (r < 0)
                        return r;
                descriptor = json_append(&saved->layers, &descriptor_table);
                descriptor->media_type = str_copy(layer->media_type);
                descriptor->digest = str_copy(layer->blob);
                descriptor->size = layer->blob_size;
        }
        return 0;
}

/* An image that came without a manifest, or goes in another form, gets one. */
static void make_manifest(SavedImage *saved) {
        const FormManifest manifest = {
                .id = saved->image.id,
                .config_size = (int64_t)strlen(saved->image.config_text),
                .layers = saved->layers.items,
                .count = saved->layers.count,
                .annotations = &saved->annotations,
                .docker = saved->form.docker,
        };

        free(saved->manifest_text);
        saved->manifest_text = form_manifest(&manifest, &saved->manifest_type);
        saved->manifest_length = strlen(saved->manifest_text);
        digest_of(saved->manifest_text, saved->manifest_length, saved->manifest);
}

static int find_manifest(Saver *saver, const char *id, char **ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(saver->store->db, &statement, err,
                            "SELECT manifest FROM images WHERE id=?", "t", id);

        if (r == 0)
                r = sql_step(statement, err);
        if (r > 0)
                *ret = sql_text(statement, 0);
        return r < 0 ? r : 0;
}

/* Layers must be those that the manifest names: a layer shared with another image may be kept as
 * that one's blob. */
static bool manifest_fits(const SavedImage *saved, const ImageManifest *manifest) {
        const Descriptor *named = manifest->layers.items, *kept = saved->layers.items;

        if (manifest->layers.count != saved->layers.count)
                return false;
        for (size_t i = 0; i < saved->layers.count; i++)
                if (!str_equal(named[i].digest, kept[i].digest))
                        return false;
        return true;
}

static int read_manifest(Saver *saver, SavedImage *saved, Error *err) {
        _cleanup_free_ char *digest = NULL, *text = NULL;
        _cleanup_(document_done) Document document = {};
        size_t length = 0;
        int r = find_manifest(saver, saved->image.id, &digest, err);

        if (r == 0 && digest)
                r = blob_read(saver->store, digest, DOCUMENT_MAX, &text, &length, err);
        if (r == 0 && text)
                r = document_parse(text, length, NULL, &document, err);
        if (r < 0)
                return r;
        pairs_copy(&saved->annotations, saver->save->annotations ?: &document.manifest.annotations);
        if (!text || !manifest_fits(saved, &document.manifest) || saved->form.docker ||
            saver->save->annotations) {
                make_manifest(saved);
                return 0;
        }
        memcpy(saved->manifest, digest, DIGEST_TEXT_MAX);
        saved->manifest_text = TAKE_PTR(text);
        saved->manifest_length = length;
        saved->manifest_type = str_equal(document.manifest.media_type, MEDIA_DOCKER_MANIFEST)
                                       ? MEDIA_DOCKER_MANIFEST
                                       : MEDIA_OCI_MANIFEST;
        return 0;
}

static SavedImage *saved_of(Saver *saver, const char *id) {
        for (size_t i = 0; i < saver->count; i++)
                if (str_equal(saver->images[i].image.id, id))
                        return &saver->images[i];
        return NULL;
}

static int add_image(Saver *saver, const char *id, Error *err) {
        SavedImage *saved;
        int r;

        if (saved_of(saver, id))
                return 0;
        GROW(saver->images, saver->count);
        saved = &saver->images[saver->count++];
        *saved = (SavedImage){};
        r = image_read(saver->store, id, &saved->image, err);
        if (r == 0)
                r = describe_layers(saver, saved, err);
        if (saver->save->form)
                saved->form = *saver->save->form;
        else if (r == 0)
                r = form_of_image(saver->store, id, &saved->form, err);
        return r < 0 ? r : read_manifest(saver, saved, err);
}

static void add_name(SavedImage *saved, const char *name) {
        if (!strv_has(saved->names, name) && !strchr(name, '@'))
                strv_add(&saved->names, name);
}

/* A repository without a tag means all its tags. True if ref is one and has some. */
static int add_repository(Saver *saver, const char *ref, bool *ret, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        _cleanup_free_ char *low = NULL, *high = NULL;
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r;

        *ret = false;
        if (reference_parse(ref, &reference, NULL) < 0 || reference.tag || reference.digest)
                return 0;
        low = str_format("%s/%s:", reference.domain, reference.path);
        high = str_format("%s/%s;", reference.domain, reference.path); /* ';' follows ':' */
        r = sql_prepare(saver->store->db, &statement, err,
                        "SELECT name, image FROM names WHERE name>=? AND name<? ORDER BY name",
                        "tt", low, high);
        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                const char *id = (const char *)sqlite3_column_text(statement, 1);

                r = add_image(saver, id, err);
                if (r < 0)
                        return r;
                add_name(saved_of(saver, id), (const char *)sqlite3_column_text(statement, 0));
                *ret = true;
        }
        return r;
}

static int add_ref(Saver *saver, const char *ref, Error *err) {
        _cleanup_free_ char *id = NULL, *name = NULL;
        bool done;
        int r = add_repository(saver, ref, &done, err);

        if (r < 0 || done)
                return r;
        r = image_resolve(saver->store, ref, &id, &name, err);
        if (r == 0)
                r = add_image(saver, id, err);
        if (r == 0 && name)
                add_name(saved_of(saver, id), name);
        return r;
}

static int collect(Saver *saver, char *const *refs, PinSet *pins, Error *err) {
        int r = 0;

        {
                STORE_LOCKED(saver->store);
                for (size_t i = 0; r == 0 && refs && refs[i]; i++)
                        r = add_ref(saver, refs[i], err);
        }
        for (size_t i = 0; r == 0 && i < saver->count; i++) {
                const Descriptor *layers = saver->images[i].layers.items;

                for (size_t j = 0; j < saver->images[i].layers.count; j++)
                        pins_add(pins, layers[j].digest);
        }
        return r;
}

/* ---- layers in another form ---- */

static const Repacked *repacked_of(const Saver *saver, const char *digest) {
        for (size_t i = 0; i < saver->repacked_count; i++)
                if (str_equal(saver->repacked[i].digest, digest))
                        return &saver->repacked[i];
        return NULL;
}

/* The layer in that form, which may have been made for another image already. */
static int make_repacked(Saver *saver, const SavedImage *saved, const Layer *layer, Compression to,
                         const Repacked **ret, Error *err) {
        const Repack repack = { .layer = layer, .to = to, .form = &saved->form };
        char key[FORM_TEXT_MAX], digest[DIGEST_TEXT_MAX];
        Repacked *made;
        int64_t size;
        int r;

        form_key(&saved->form, to, key);
        r = packed_find(saver->store, layer->blob, key, digest, &size, err);
        if (r < 0)
                return r;
        *ret = r > 0 ? repacked_of(saver, digest) : NULL;
        if (*ret)
                return 0;
        GROW(saver->repacked, saver->repacked_count);
        made = &saver->repacked[saver->repacked_count++];
        *made = (Repacked){ .temp = { .fd = -1 } };
        *ret = made;
        return layer_repack(saver->store, &repack, &made->temp, made->digest, &made->size, err);
}

static int repack_image(Saver *saver, SavedImage *saved, Error *err) {
        Descriptor *layers = saved->layers.items;
        bool any = false;

        for (size_t i = 0; i < saved->layers.count; i++) {
                Compression to = form_of_layer(&saved->form, layers[i].media_type, false);
                const Repacked *made;
                int r;

                if (to == FORM_KEEP)
                        continue;
                r = make_repacked(saver, saved, &saved->kept[i], to, &made, err);
                if (r < 0)
                        return r;
                str_replace(&layers[i].media_type, form_media_type(to));
                str_replace(&layers[i].digest, made->digest);
                layers[i].size = made->size;
                any = true;
        }
        if (any)
                make_manifest(saved);
        return 0;
}

/* ---- writing ---- */

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
        const Repacked *made = repacked_of(saver, layer->digest);
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
        return descriptor;
}

static int write_index(Saver *saver, Error *err) {
        ImageIndex index = { .schema_version = 2, .media_type = str_copy(MEDIA_OCI_INDEX) };
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < saver->count; i++) {
                const SavedImage *saved = &saver->images[i];

                if (!saved->names)
                        (void)add_descriptor(&index, saved);
                for (size_t j = 0; saved->names && saved->names[j]; j++) {
                        Descriptor *descriptor = add_descriptor(&index, saved);

                        pairs_put(&descriptor->annotations, "io.containerd.image.name",
                                  saved->names[j]);
                        pairs_put(&descriptor->annotations, "org.opencontainers.image.ref.name",
                                  strrchr(saved->names[j], ':') + 1);
                }
        }
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

        for (size_t i = 0; i < saver->count; i++)
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

static int write_archive(Saver *saver, Error *err) {
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        int r = tar_put_directory(saver->fd, "blobs/", 0, err);

        if (r == 0)
                r = tar_put_directory(saver->fd, "blobs/sha256/", 0, err);
        for (size_t i = 0; r == 0 && i < saver->count; i++)
                r = write_image(saver, &saver->images[i], err);
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

int image_save(ImageStore *store, const ImageSave *save, int fd, Error *err) {
        _cleanup_(saver_done) Saver saver = { .store = store, .save = save, .fd = fd };
        _cleanup_(pins_release) PinSet pins = { .store = store };
        int r = collect(&saver, save->refs, &pins, err);

        for (size_t i = 0; r == 0 && i < saver.count; i++)
                r = repack_image(&saver, &saver.images[i], err);
        return r < 0 ? r : write_archive(&saver, err);
}
