/* record.c: images and names as the database has them, and the collection of what none of them
 * needs. See store.h. */
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/index.h"
#include "sql/sql.h"

void image_record_done(ImageRecord *record) {
        free(record->manifest);
        free(record->index);
        free(record->holder);
        free(record->lease);
        record->chains = strv_free(record->chains);
        record->names = strv_free(record->names);
        *record = (ImageRecord){};
}

static int insert_index(ImageStore *store, const ImageRecord *record, Error *err) {
        Variant variant = { .host = record->host };

        (void)snprintf(variant.manifest, sizeof(variant.manifest), "%s", record->manifest ?: "");
        memcpy(variant.image, record->id, sizeof(variant.image));
        return index_record(store, record->index, &variant, 1, record->names, err);
}

#define SQL_HOLD_IMAGE                                                                             \
        "INSERT OR IGNORE INTO holds(holder, chain) SELECT ?1, chain FROM image_layers WHERE "     \
        "image=?2"

static int insert_users(ImageStore *store, const ImageRecord *record, Error *err) {
        int r = 0;

        if (record->holder)
                r = sql_run(store->db, err, SQL_HOLD_IMAGE, "tt", record->holder, record->id);
        if (r == 0 && record->lease)
                r = lease_put(store, record->lease, record->id, err);
        return r;
}

static int insert_image(ImageStore *store, const ImageRecord *record, int64_t now, Error *err) {
        int r = sql_run(
                store->db, err,
                "INSERT INTO images(id, manifest, tagged_at) VALUES(?,?,?) ON CONFLICT(id) DO "
                "UPDATE"
                " SET manifest=coalesce(excluded.manifest, manifest), tagged_at=excluded.tagged_at",
                "tti", record->id, record->manifest, now);

        for (int64_t i = 0; r == 0 && record->chains && record->chains[i]; i++)
                r = sql_run(
                        store->db, err,
                        "INSERT OR REPLACE INTO image_layers(image, position, chain) VALUES(?,?,?)",
                        "tit", record->id, i, record->chains[i]);
        for (size_t i = 0; r == 0 && record->names && record->names[i]; i++)
                r = sql_run(store->db, err, "INSERT OR REPLACE INTO names(name, image) VALUES(?,?)",
                            "tt", record->names[i], record->id);
        if (r == 0 && record->index)
                r = insert_index(store, record, err);
        return r < 0 ? r : insert_users(store, record, err);
}

static int insert_durably(ImageStore *store, const ImageRecord *record, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        r = insert_image(store, record, clock_now(), err);
        if (r == 0)
                r = failpoint("image.record", err);
        return sql_end(store->db, r, err);
}

int image_record(ImageStore *store, const ImageRecord *record, Error *err) {
        int r = store_settle(store, err);

        return r < 0 ? r : insert_durably(store, record, err);
}

/* ---- collection ---- */

static int list_unused(ImageStore *store, char ***chains, char ***blobs, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(
                store->db, &statement, err,
                "SELECT chain, blob FROM layers WHERE chain NOT IN (SELECT chain FROM image_layers)"
                " AND chain NOT IN (SELECT chain FROM holds) ORDER BY rowid DESC",
                "");

        if (r < 0)
                return r;
        while ((r = sql_step(statement, err)) > 0) {
                const char *chain = (const char *)sqlite3_column_text(statement, 0);

                if (map_get(&store->pins, chain))
                        continue;
                strv_add(chains, chain);
                strv_add(blobs, (const char *)sqlite3_column_text(statement, 1));
        }
        return r;
}

/* Rows of layers and of indexes; blobs receives the indexes' documents. */
static int delete_rows(ImageStore *store, char *const *chains, char ***blobs, Error *err) {
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        r = index_sweep(store, blobs, err);
        for (size_t i = 0; r == 0 && chains && chains[i]; i++)
                r = sql_run(store->db, err, "DELETE FROM layers WHERE chain=?", "t", chains[i]);
        return sql_end(store->db, r, err);
}

static void delete_blob(ImageStore *store, const char *digest, bool set_aside) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        const char *name;
        Error err = {};

        if (!digest_valid(digest) || map_get(&store->pins, digest))
                return;
        if (sql_prepare(store->db, &statement, NULL, SQL_BLOB_IN_USE, "t", digest) < 0 ||
            sql_step(statement, NULL) != 0)
                return;
        name = digest_hex(digest);
        if (set_aside && renameat(store->blobs_fd, name, store->partial_fd, name) == 0)
                return;
        if (store_discard(store, store->blobs_fd, name, &err) < 0)
                log_warn("image store: remove blob %s: %s", digest, err.message);
}

static void delete_snapshot(ImageStore *store, const char *chain) {
        Error err = {};

        if (store_discard(store, store->snapshots_fd, digest_hex(chain), &err) < 0)
                log_warn("image store: remove layer %s: %s; it is tried again at the next start",
                         chain, err.message);
}

/* Under the lock: files leave their places at once, and the disk later. */
static int unrecord(ImageStore *store, char *const *blobs, bool set_aside, char ***chains,
                    Error *err) {
        _cleanup_strv_ char **candidates = strv_copy(blobs), **documents = NULL;
        STORE_LOCKED(store);
        int r = list_unused(store, chains, &candidates, err);

        if (r == 0)
                r = index_any_unused(store, err);
        if (r > 0 || (r == 0 && *chains))
                r = delete_rows(store, *chains, &documents, err);
        if (r == 0)
                r = failpoint("image.unrecorded", err);
        if (r < 0)
                return r;
        for (size_t i = 0; *chains && (*chains)[i]; i++)
                delete_snapshot(store, (*chains)[i]);
        for (size_t i = 0; candidates && candidates[i]; i++)
                delete_blob(store, candidates[i], set_aside);
        for (size_t i = 0; documents && documents[i]; i++)
                delete_blob(store, documents[i], false);
        return 0;
}

static int collect(ImageStore *store, char *const *blobs, bool set_aside, char ***ret_chains,
                   Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = unrecord(store, blobs, set_aside, &chains, err);

        for (size_t i = 0; r == 0 && ret_chains && chains && chains[i]; i++)
                strv_add(ret_chains, chains[i]);
        return r;
}

int store_collect(ImageStore *store, char *const *blobs, char ***ret_chains, Error *err) {
        return collect(store, blobs, false, ret_chains, err);
}

int store_set_aside(ImageStore *store, Error *err) {
        return collect(store, NULL, true, NULL, err);
}

/* ---- holds ---- */

#define SQL_USE                                                                                    \
        "INSERT INTO uses(image, at) SELECT id, ?2 FROM images WHERE id=?1 "                       \
        "ON CONFLICT(image) DO UPDATE SET at=excluded.at"

/* No sync: a create or removal of a container does not wait for the disk here. A hold that a power
 * cut takes is put again at the daemon's start, before anything can be removed; one that comes back
 * is released again. */
static int run_unsynced(ImageStore *store, const char *sql, const char *holder,
                        const char *image_id, Error *err) {
        int r = sql_set(store->db, "PRAGMA synchronous=NORMAL", err);

        if (r == 0)
                r = image_id ? sql_run(store->db, err, sql, "tt", holder, image_id)
                             : sql_run(store->db, err, sql, "t", holder);
        (void)sql_set(store->db, "PRAGMA synchronous=FULL", NULL);
        return r;
}

/* One transaction, so one write. */
static int hold_and_use(ImageStore *store, const char *image_id, const char *holder, Error *err) {
        int r = sql_begin(store->db, err);

        if (r < 0)
                return r;
        r = sql_run(store->db, err, SQL_HOLD_IMAGE, "tt", holder, image_id);
        if (r == 0)
                r = sql_run(store->db, err, SQL_USE, "ti", image_id, clock_now());
        return sql_end(store->db, r, err);
}

int image_hold_locked(ImageStore *store, const char *image_id, const char *holder, Error *err) {
        int64_t known = 0;
        int r = sql_number(store->db, &known, err, "SELECT count(*) FROM images WHERE id=?", "t",
                           image_id);

        if (r == 0 && !known)
                r = error_kind(err, ERROR_NOT_FOUND, "No such image: %s", image_id);
        if (r < 0)
                return r;
        r = sql_set(store->db, "PRAGMA synchronous=NORMAL", err);
        if (r == 0)
                r = hold_and_use(store, image_id, holder, err);
        (void)sql_set(store->db, "PRAGMA synchronous=FULL", NULL);
        return r;
}

int image_used(ImageStore *store, const char *image_id, Error *err) {
        STORE_LOCKED(store);
        int r = sql_set(store->db, "PRAGMA synchronous=NORMAL", err);

        if (r == 0)
                r = sql_run(store->db, err, SQL_USE, "ti", image_id, clock_now());
        (void)sql_set(store->db, "PRAGMA synchronous=FULL", NULL);
        return r;
}

int image_hold(ImageStore *store, const char *image_id, const char *holder, Error *err) {
        STORE_LOCKED(store);

        return image_hold_locked(store, image_id, holder, err);
}

int image_hold_layer(ImageStore *store, const char *chain, const char *holder, Error *err) {
        _cleanup_(layer_done) Layer layer = {};
        STORE_LOCKED(store);
        int r = layer_load(store, chain, &layer, err);

        return r < 0 ? r
                     : run_unsynced(store, "INSERT OR IGNORE INTO holds(holder, chain) VALUES(?,?)",
                                    holder, chain, err);
}

int image_release_layer(ImageStore *store, const char *holder, const char *lower, Error *err) {
        const char *name = str_after(lower, "snapshots/");
        _cleanup_free_ char *chain =
                name ? str_format("sha256:%.*s", (int)strcspn(name, "/"), name) : NULL;

        if (!chain)
                return error_kind(err, ERROR_INTERNAL, "'%s' is no layer of the store", lower);
        STORE_LOCKED(store);
        return run_unsynced(store, "DELETE FROM holds WHERE holder=? AND chain=?", holder, chain,
                            err);
}

/* ---- leases ---- */

int lease_put(ImageStore *store, const char *holder, const char *digest, Error *err) {
        return sql_run(store->db, err, "INSERT OR IGNORE INTO leases(holder, digest) VALUES(?,?)",
                       "tt", holder, digest);
}

int lease_find(ImageStore *store, const char *digest, bool *ret, Error *err) {
        int64_t count = 0;
        int r = sql_number(store->db, &count, err, "SELECT count(*) FROM leases WHERE digest=?",
                           "t", digest);

        *ret = count > 0;
        return r;
}

static int delete_holds(ImageStore *store, const char *holder, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "DELETE FROM leases WHERE holder=?", "t", holder);

        return r < 0 ? r
                     : run_unsynced(store, "DELETE FROM holds WHERE holder=?", holder, NULL, err);
}

int image_forget_holders(ImageStore *store, const char *pattern, Error *err) {
        STORE_LOCKED(store);

        return run_unsynced(store, "DELETE FROM holds WHERE holder GLOB ?", pattern, NULL, err);
}

int image_release(ImageStore *store, const char *holder, Error *err) {
        int r = delete_holds(store, holder, err);

        return r < 0 ? r : store_collect(store, NULL, NULL, err);
}
