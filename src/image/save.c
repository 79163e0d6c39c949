/* save.c: which images are saved, and with which manifests; how they are written is
 * save-archive.c's. See save.h. */
#include "image/save.h"
#include "format/reference.h"
#include "sql/sql.h"

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
        for (size_t i = 0; i < saver->index_count; i++) {
                stored_index_done(&saver->indexes[i].stored);
                saver->indexes[i].names = strv_free(saver->indexes[i].names);
        }
        free(saver->indexes);
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
void save_make_manifest(SavedImage *saved) {
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

/* wanted: that of an index, or NULL for the image's own. */
static int read_manifest(Saver *saver, SavedImage *saved, const char *wanted, Error *err) {
        _cleanup_free_ char *digest = str_copy(wanted), *text = NULL;
        _cleanup_(document_done) Document document = {};
        size_t length = 0;
        int r = wanted ? 0 : find_manifest(saver, saved->image.id, &digest, err);

        if (r == 0 && digest)
                r = blob_read(saver->store, digest, DOCUMENT_MAX, &text, &length, err);
        if (r == 0 && text)
                r = document_parse(text, length, NULL, &document, err);
        if (r < 0)
                return r;
        pairs_copy(&saved->annotations,
                   saved->asked ? &saved->asked->manifest : &document.manifest.annotations);
        if (!text || !manifest_fits(saved, &document.manifest) || saved->form.docker ||
            saved->asked) {
                save_make_manifest(saved);
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

SavedImage *save_image_of(const Saver *saver, const char *id) {
        for (size_t i = 0; i < saver->count; i++)
                if (str_equal(saver->images[i].image.id, id))
                        return &saver->images[i];
        return NULL;
}

/* entry: of an index, which that is. */
static int add_image(Saver *saver, const char *id, const char *manifest, size_t entry, Error *err) {
        SavedImage *saved;
        int r;

        if (save_image_of(saver, id))
                return 0;
        GROW(saver->images, saver->count);
        saved = &saver->images[saver->count++];
        *saved = (SavedImage){ .asked = annotations_of(saver->save->annotations, entry) };
        r = image_read(saver->store, id, &saved->image, err);
        if (r == 0)
                r = describe_layers(saver, saved, err);
        if (saver->save->form)
                saved->form = *saver->save->form;
        else if (r == 0 && !manifest) /* an index names it as it is */
                r = form_of_image(saver->store, id, &saved->form, err);
        return r < 0 ? r : read_manifest(saver, saved, manifest, err);
}

static SavedIndex *saved_index_of(Saver *saver, const char *digest) {
        for (size_t i = 0; i < saver->index_count; i++)
                if (str_equal(saver->indexes[i].stored.digest, digest))
                        return &saver->indexes[i];
        return NULL;
}

static size_t entry_of(const StoredIndex *stored, const char *manifest) {
        const Descriptor *entries = stored->document.index.manifests.items;
        size_t i = 0;

        while (i < stored->document.index.manifests.count &&
               !str_equal(entries[i].digest, manifest))
                i++;
        return i;
}

static int add_variants(Saver *saver, const StoredIndex *stored, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < stored->count; i++) {
                const Variant *variant = &stored->variants[i];

                r = add_image(saver, variant->image, variant->manifest,
                              entry_of(stored, variant->manifest), err);
        }
        return r;
}

/* An index is saved where there is more than one image of it, or all; else its image alone, which
 * more programs can read. */
static int add_index(Saver *saver, const char *digest, SavedIndex **ret, Error *err) {
        StoredIndex stored = {};
        int r = 0;

        *ret = saved_index_of(saver, digest);
        if (*ret)
                return 0;
        r = index_load(saver->store, digest, &stored, err);
        if (r == 0 && (stored.count > 1 || index_is_whole(&stored))) {
                r = add_variants(saver, &stored, err);
                if (r == 0) {
                        for (size_t i = 0; i < stored.count; i++)
                                save_image_of(saver, stored.variants[i].image)->indexed = true;
                        GROW(saver->indexes, saver->index_count);
                        *ret = &saver->indexes[saver->index_count++];
                        **ret = (SavedIndex){ .stored = stored };
                        return 0;
                }
        }
        stored_index_done(&stored);
        return r;
}

/* Digests are no names there. */
static void add_name(char ***names, const char *name) {
        if (!strv_has(*names, name) && !strchr(name, '@'))
                strv_add(names, name);
}

/* What is meant, under the name by which it was found, or the one ref's names. */
static int add_found(Saver *saver, const Resolved *found, Error *err) {
        char *own[] = { found->name, NULL }, *const *names = saver->save->names ?: own;
        SavedIndex *index = NULL;
        SavedImage *saved;
        int r = found->index ? add_index(saver, found->index, &index, err) : 0;

        if (r == 0)
                r = add_image(saver, found->id, NULL, 0, err);
        if (r < 0)
                return r;
        saved = save_image_of(saver, found->id);
        saved->chosen = true;
        for (; *names; names++) {
                add_name(&saved->names, *names);
                if (index)
                        add_name(&index->names, *names);
        }
        return 0;
}

static int add_named(Saver *saver, const char *name, Error *err) {
        _cleanup_(resolved_done) Resolved found = {};
        const char *platform = saver->save->platform;
        int r = str_empty(platform)
                        ? image_resolve(saver->store, name, &found, err)
                        : image_resolve_platform(saver->store, name, platform, &found, err);

        return r < 0 ? r : add_found(saver, &found, err);
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
                        "SELECT name FROM names WHERE name>=? AND name<? ORDER BY name", "tt", low,
                        high);
        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                r = add_named(saver, (const char *)sqlite3_column_text(statement, 0), err);
                if (r < 0)
                        return r;
                *ret = true;
        }
        return r;
}

static int add_ref(Saver *saver, const char *ref, Error *err) {
        bool done;
        int r = add_repository(saver, ref, &done, err);

        return r < 0 || done ? r : add_named(saver, ref, err);
}

static int collect(Saver *saver, char *const *refs, PinSet *pins, Error *err) {
        STORE_LOCKED(saver->store);
        int r = 0;

        for (size_t i = 0; r == 0 && refs && refs[i]; i++)
                r = add_ref(saver, refs[i], err);
        for (size_t i = 0; r == 0 && i < saver->count; i++)
                for (size_t j = 0; j < saver->images[i].layers.count; j++) {
                        pins_add_locked(pins, saver->images[i].kept[j].chain);
                        pins_add_locked(pins, saver->images[i].kept[j].blob);
                }
        return r;
}

/* To the place, or as an archive to fd. */
static int save_to(ImageStore *store, const ImageSave *save, const ImageLayoutPlace *place, int fd,
                   Error *err) {
        _cleanup_(saver_done) Saver saver = { .store = store, .save = save, .fd = fd };
        _cleanup_(pins_release) PinSet pins = { .store = store };
        int r = collect(&saver, save->refs, &pins, err);

        for (size_t i = 0; r == 0 && i < saver.count; i++)
                r = save_repack(&saver, &saver.images[i], err);
        save_make_indexes(&saver);
        if (r < 0)
                return r;
        return place ? save_layout(&saver, place, err) : save_archive(&saver, err);
}

int image_save_as(ImageStore *store, const ImageSave *save, int fd, Error *err) {
        return save_to(store, save, NULL, fd, err);
}

int image_save_layout(ImageStore *store, const ImageSave *save, const ImageLayoutPlace *place,
                      Error *err) {
        return save_to(store, save, place, -1, err);
}

int image_save(ImageStore *store, char *const *refs, int fd, Error *err) {
        return image_save_as(store, &(ImageSave){ .refs = refs }, fd, err);
}
