/* index.c: see index.h. Its tables: indexes (a document below blobs/), index_images (which of its
 * manifests are here, and as which image), name_indexes (which names mean it). */
#include "image/index.h"

#include "base/failpoint.h"
#include "sql/sql.h"

void stored_index_done(StoredIndex *index) {
        free(index->text);
        document_done(&index->document);
        free(index->variants);
        *index = (StoredIndex){};
}

/* ---- reading ---- */

int index_of_name(ImageStore *store, const char *name, char **ret, Error *err) {
        return sql_find_text(store->db, ret, err, "SELECT digest FROM name_indexes WHERE name=?",
                             name);
}

static void copy_digest(char to[DIGEST_TEXT_MAX], sqlite3_stmt *statement, int column) {
        (void)snprintf(to, DIGEST_TEXT_MAX, "%s",
                       (const char *)sqlite3_column_text(statement, column) ?: "");
}

static int load_variants(ImageStore *store, StoredIndex *index, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT manifest, image, host FROM index_images WHERE index_digest=? "
                            "ORDER BY rowid",
                            "t", index->digest);

        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                Variant *variant;

                GROW(index->variants, index->count);
                variant = &index->variants[index->count++];
                *variant = (Variant){ .host = sqlite3_column_int64(statement, 2) != 0 };
                copy_digest(variant->manifest, statement, 0);
                copy_digest(variant->image, statement, 1);
        }
        return r;
}

int index_load(ImageStore *store, const char *digest, StoredIndex *ret, Error *err) {
        StoredIndex index = {};
        int r = blob_read(store, digest, DOCUMENT_MAX, &index.text, &index.length, err);

        (void)snprintf(index.digest, sizeof(index.digest), "%s", digest);
        if (r == 0)
                r = document_parse(index.text, index.length, NULL, &index.document, err);
        if (r == 0 && !index.document.is_index)
                r = error_kind(err, ERROR_INTERNAL, "image store: '%s' is no index", digest);
        if (r == 0)
                r = load_variants(store, &index, err);
        if (r < 0)
                stored_index_done(&index);
        else
                *ret = index;
        return r;
}

static const Variant *variant_of(const StoredIndex *index, const char *manifest) {
        for (size_t i = 0; i < index->count; i++)
                if (str_equal(index->variants[i].manifest, manifest))
                        return &index->variants[i];
        return NULL;
}

const Variant *index_variant(const StoredIndex *index, const ImagePlatform *platform) {
        const JsonArray *all = &index->document.index.manifests;
        const Descriptor *manifests = all->items, *chosen;
        _cleanup_free_ Descriptor *here = NEW_ARRAY(Descriptor, all->count + 1);
        ImageIndex present = { .manifests = { .items = here } };

        for (size_t i = 0; i < all->count; i++)
                if (variant_of(index, manifests[i].digest))
                        here[present.manifests.count++] = manifests[i]; /* borrowed */
        chosen = index_choose(&present, platform);
        return chosen ? variant_of(index, chosen->digest) : NULL;
}

bool index_is_whole(const StoredIndex *index) {
        const Descriptor *manifests = index->document.index.manifests.items;

        for (size_t i = 0; i < index->document.index.manifests.count; i++)
                if (!variant_of(index, manifests[i].digest))
                        return false;
        return index->count > 0;
}

int index_prefer(ImageStore *store, const char *digest, const ImagePlatform *platform, char **id,
                 bool *ret_fits, Error *err) {
        _cleanup_(stored_index_done) StoredIndex index = {};
        const Variant *variant;
        int r = index_load(store, digest, &index, err);

        if (r < 0)
                return r;
        variant = index_variant(&index, platform);
        if (variant)
                str_replace(id, variant->image);
        *ret_fits = variant != NULL;
        return 0;
}

int index_default(ImageStore *store, const char *digest, char **ret, Error *err) {
        return sql_find_text(store->db, ret, err,
                             "SELECT image FROM index_images WHERE index_digest=? "
                             "ORDER BY host DESC, rowid LIMIT 1",
                             digest);
}

int index_of_image(ImageStore *store, const char *id, char **ret, Error *err) {
        int r = sql_find_text(store->db, ret, err,
                              "SELECT index_digest FROM index_images LEFT JOIN name_indexes ON "
                              "digest=index_digest WHERE image=? "
                              "ORDER BY name IS NULL, index_images.rowid DESC LIMIT 1",
                              id);

        return MIN(r, 0);
}

int index_others(ImageStore *store, const char *id, char ***ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT DISTINCT image FROM index_images WHERE index_digest IN (SELECT "
                            "index_digest FROM index_images WHERE image=?1) AND image<>?1 "
                            "ORDER BY image",
                            "t", id);

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(ret, sql_text(statement, 0));
        return r;
}

/* ---- recording ---- */

int index_record(ImageStore *store, const char *digest, const Variant *variants, size_t count,
                 char *const *names, Error *err) {
        int r = sql_run(store->db, err, "INSERT OR IGNORE INTO indexes(digest) VALUES(?)", "t",
                        digest);

        for (size_t i = 0; r == 0 && i < count; i++)
                r = sql_run(store->db, err,
                            "INSERT OR REPLACE INTO index_images(index_digest, manifest, image, "
                            "host) VALUES(?,?,?,?)",
                            "ttti", digest, variants[i].manifest, variants[i].image,
                            (int64_t)variants[i].host);
        for (size_t i = 0; r == 0 && names && names[i]; i++)
                r = index_put_name(store, digest, names[i], err);
        /* Names that meant it before stand for the host's image, too, once it is here. */
        return r < 0 ? r
                     : sql_run(store->db, err,
                               "UPDATE names SET image=coalesce((SELECT image FROM index_images "
                               "WHERE index_digest=?1 AND host=1), image) "
                               "WHERE name IN (SELECT name FROM name_indexes WHERE digest=?1)",
                               "t", digest);
}

int index_put_name(ImageStore *store, const char *digest, const char *name, Error *err) {
        return sql_run(store->db, err,
                       "INSERT OR REPLACE INTO name_indexes(name, digest) VALUES(?,?)", "tt", name,
                       digest);
}

int index_move_name(ImageStore *store, const char *name, const char *id, bool *ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        _cleanup_free_ char *other = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT image FROM index_images JOIN name_indexes ON "
                            "index_digest=digest WHERE name=? AND image<>? "
                            "ORDER BY host DESC, index_images.rowid LIMIT 1",
                            "tt", name, id);

        if (r == 0)
                r = sql_step(statement, err);
        *ret = r > 0;
        if (r <= 0)
                return r;
        other = sql_text(statement, 0);
        return sql_run(store->db, err, "UPDATE names SET image=?2 WHERE name=?1 AND image=?3",
                       "ttt", name, other, id);
}

/* ---- forgetting ---- */

void descriptor_free(void *data) {
        if (data)
                json_done(&descriptor_table, data);
        free(data);
}

static int list_texts(ImageStore *store, const char *sql, const char *types, const char *value,
                      char ***ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, sql, types, value);

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(ret, sql_text(statement, 0));
        return r;
}

int index_forget(ImageStore *store, const char *digest, char ***blobs, Error *err) {
        int r = list_texts(store, "SELECT manifest FROM index_images WHERE index_digest=?", "t",
                           digest, blobs, err);

        return r < 0 ? r
                     : sql_run(store->db, err, "DELETE FROM index_images WHERE index_digest=?", "t",
                               digest);
}

#define SQL_UNUSED_INDEXES                                                                         \
        "SELECT digest FROM indexes WHERE digest NOT IN (SELECT index_digest FROM index_images) "  \
        "AND digest NOT IN (SELECT digest FROM name_indexes)"

int index_any_unused(ImageStore *store, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, SQL_UNUSED_INDEXES " LIMIT 1", "");

        return r < 0 ? r : sql_step(statement, err);
}

int index_list_unused(ImageStore *store, char ***ret, Error *err) {
        return list_texts(store, SQL_UNUSED_INDEXES, "", NULL, ret, err);
}

int index_sweep(ImageStore *store, char ***blobs, Error *err) {
        _cleanup_strv_ char **digests = NULL;
        int r = index_list_unused(store, &digests, err);

        if (r < 0 || !digests)
                return r;
        r = sql_run(store->db, err, "DELETE FROM indexes WHERE digest IN (" SQL_UNUSED_INDEXES ")",
                    "");
        if (r == 0)
                r = failpoint("image.unindexed", err);
        for (size_t i = 0; r == 0 && digests[i]; i++) {
                descriptor_free(map_drop(&store->descriptors, digests[i]));
                strv_add(blobs, digests[i]);
        }
        return r;
}

int image_list_dangling_indexes(ImageStore *store, char ***ret, Error *err) {
        STORE_LOCKED(store);

        return list_texts(
                store,
                "SELECT DISTINCT index_digest FROM index_images WHERE index_digest NOT IN "
                "(SELECT digest FROM name_indexes)",
                "", NULL, ret, err);
}

/* What a digest stands for never changes: a list of images reads no file twice. */
static int read_descriptor(ImageStore *store, const char *digest, const Descriptor **ret,
                           Error *err) {
        _cleanup_(stored_index_done) StoredIndex index = {};
        Descriptor *descriptor;
        int r = index_load(store, digest, &index, err);

        if (r < 0)
                return r;
        descriptor = NEW(Descriptor);
        descriptor->media_type = str_copy(index.document.index.media_type ?: MEDIA_OCI_INDEX);
        descriptor->digest = str_copy(digest);
        descriptor->size = (int64_t)index.length;
        (void)map_put(&store->descriptors, digest, descriptor);
        *ret = descriptor;
        return 0;
}

int image_index_descriptor(ImageStore *store, const char *digest, Descriptor *ret, Error *err) {
        STORE_LOCKED(store);
        const Descriptor *known = map_get(&store->descriptors, digest);
        int r = known ? 0 : read_descriptor(store, digest, &known, err);

        if (r == 0)
                json_copy(&descriptor_table, known, ret);
        return r;
}
