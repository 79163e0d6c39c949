/* cache-records.c: keys and the results that they name. Several keys may name one record; a record
 * that no key names goes, with a layer that nothing else needs. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "build/cache-private.h"

void cache_record_done(CacheRecord *record) {
        free(record->layer);
        free(record->description);
        *record = (CacheRecord){};
}

/* ---- find ---- */

/* CACHE_FOUND, 0 or an error. */
static int load(BuildCache *cache, const char *key, CacheRecord *ret, int64_t *ret_id, Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(cache->db, &row, err,
                            "SELECT id, result, layer, description, size, created_at, used_at, "
                            "uses FROM keys JOIN records ON id=record WHERE key=?",
                            "t", key);

        if (r == 0)
                r = sql_step(row, err);
        if (r <= 0)
                return r;
        *ret_id = sqlite3_column_int64(row, 0);
        *ret = (CacheRecord){
                .layer = sql_text(row, 2),
                .description = sql_text(row, 3),
                .size = sqlite3_column_int64(row, 4),
                .created_at = sqlite3_column_int64(row, 5),
                .used_at = sqlite3_column_int64(row, 6),
                .uses = sqlite3_column_int64(row, 7),
        };
        (void)snprintf(ret->result, sizeof(ret->result), "%s",
                       (const char *)sqlite3_column_text(row, 1));
        return CACHE_FOUND;
}

static int find(BuildCache *cache, const char *key, CacheRecord *ret, Error *err) {
        _cleanup_(cache_record_done) CacheRecord record = {};
        int64_t id;
        int r = load(cache, key, &record, &id, err);

        if (r <= 0)
                return r;
        if (cache_layer_is_own(record.layer) && !cache_layer_exists(cache, record.layer)) {
                log_warn("build cache: the layer of '%s' is gone from disk", record.description);
                return sql_run(cache->db, err, "DELETE FROM records WHERE id=?", "i", id);
        }
        record.used_at = clock_now();
        record.uses++;
        r = sql_run(cache->db, err, "UPDATE records SET used_at=?2, uses=?3 WHERE id=?1", "iii", id,
                    record.used_at, record.uses);
        if (r < 0)
                return r;
        cache_layer_hold(cache, record.layer);
        *ret = record;
        record = (CacheRecord){};
        return CACHE_FOUND;
}

int build_cache_find(BuildCache *cache, const char *key, CacheRecord *ret, Error *err) {
        CACHE_LOCKED(cache);

        return cache_note(cache, find(cache, key, ret, err));
}

/* ---- put ---- */

static int insert(BuildCache *cache, const CacheRecord *record, int64_t *ret_id, Error *err) {
        char name[ID_LENGTH + 1];
        int64_t now = clock_now();
        int r;

        cache->recorded = MAX(now, cache->recorded + 1);
        id_new(name);
        name[25] = '\0'; /* as long as Docker's */
        r = sql_run(cache->db, err,
                    "INSERT INTO records(name, result, layer, description, size, created_at, "
                    "used_at, uses, recorded_at) VALUES(?,?,?,?,?,?,?,?,?)",
                    "ttttiiiii", name, record->result, record->layer, record->description,
                    record->size, record->created_at ? record->created_at : now,
                    record->used_at ? record->used_at : now, record->uses, cache->recorded);
        if (r == 0)
                *ret_id = sqlite3_last_insert_rowid(cache->db);
        return r;
}

/* Makes the key the record's. *layers: appends the layer of a record that has no key left. */
static int point(BuildCache *cache, const char *key, int64_t id, char ***layers, Error *err) {
        int64_t old = 0, left = 0;
        int r = sql_number(cache->db, &old, err, "SELECT record FROM keys WHERE key=?", "t", key);

        if (r == 0)
                r = sql_run(cache->db, err, "INSERT OR REPLACE INTO keys(key, record) VALUES(?,?)",
                            "ti", key, id);
        if (r == 0 && old)
                r = sql_number(cache->db, &left, err, "SELECT 1 FROM keys WHERE record=? LIMIT 1",
                               "i", old);
        if (r < 0 || !old || left)
                return r;

        _cleanup_sql_ sqlite3_stmt *gone = NULL;

        r = sql_prepare(cache->db, &gone, err, "DELETE FROM records WHERE id=? RETURNING layer",
                        "i", old);
        while (r == 0 && (r = sql_step(gone, err)) > 0) {
                strv_take(layers, sql_text(gone, 0));
                r = 0;
        }
        return r;
}

static int put(BuildCache *cache, char *const *keys, const CacheRecord *record, char ***layers,
               Error *err) {
        int64_t id = 0;
        int r = insert(cache, record, &id, err);

        for (size_t i = 0; r == 0 && keys[i]; i++)
                r = point(cache, keys[i], id, layers, err);
        if (r == 0 && record->place)
                r = sql_run(cache->db, err, "UPDATE places SET built=1 WHERE place=?", "t",
                            record->place);
        if (r < 0 || !record->place)
                return r;
        r = sql_run(cache->db, err,
                    "INSERT OR REPLACE INTO made(record, parts) SELECT ?1, parts FROM places "
                    "WHERE place=?2",
                    "it", id, record->place);
        return r < 0 ? r : cache_parts_written(cache, err);
}

static int put_locked(BuildCache *cache, char *const *keys, const CacheRecord *record,
                      char ***ret_unused, Error *err) {
        _cleanup_strv_ char **layers = NULL;
        int r = cache_begin(cache, err);

        if (r == 0)
                r = cache_end(cache, put(cache, keys, record, &layers, err), err);
        if (r < 0)
                return r;
        cache->unsynced = true;
        cache_layer_hold(cache, record->layer);
        for (size_t i = 0; layers && layers[i]; i++) {
                bool unused = false;

                /* What can't be told now is told by the next start. */
                (void)cache_note(cache, cache_layer_unused(cache, layers[i], &unused, NULL));
                if (unused)
                        strv_add(ret_unused, layers[i]);
        }
        return 0;
}

static int check(BuildCache *cache, char *const *keys, const CacheRecord *record, Error *err) {
        const char *layer = record->layer;

        if (!keys || !keys[0] || !record->result[0])
                return error_kind(err, ERROR_INVALID,
                                  "a result of the build cache needs a key and a result");
        if (*layer && !digest_valid(layer) && !cache_layer_is_own(layer))
                return error_kind(err, ERROR_INVALID,
                                  "'%s' is no layer of the build cache and no chain id", layer);
        if (cache_layer_is_own(layer) && !cache_layer_exists(cache, layer))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the build cache has no layer '%s': the step that made it must "
                                  "run again",
                                  layer);
        return 0;
}

static int count_size(BuildCache *cache, CacheRecord *record, Error *err) {
        _cleanup_free_ char *path = NULL;

        if (record->size >= 0)
                return 0;
        record->size = 0;
        if (!cache_layer_is_own(record->layer))
                return 0;
        path = str_format("%s/fs", record->layer);
        return cache_tree_size(cache->layers_fd, path, &record->size, err);
}

int build_cache_put(BuildCache *cache, char *const *keys, const CacheRecord *record, Error *err) {
        _cleanup_strv_ char **unused = NULL;
        CacheRecord counted = *record;
        int r;

        counted.layer = record->layer ? record->layer : (char[]){ "" };
        counted.description = record->description ? record->description : (char[]){ "" };
        r = check(cache, keys, &counted, err);

        if (r == 0)
                r = count_size(cache, &counted, err);
        if (r < 0)
                return error_prefix(err, "remember '%s'", counted.description);
        cache_sync_now_and_then(cache);
        {
                CACHE_LOCKED(cache);
                r = put_locked(cache, keys, &counted, &unused, err);
        }
        for (size_t i = 0; unused && unused[i]; i++)
                cache_layer_remove(cache, unused[i]);
        return r;
}

int build_cache_result_taken(BuildCache *cache, const char *result, const char *layer, bool *ret,
                             Error *err) {
        CACHE_LOCKED(cache);
        int64_t taken = 0;
        int r = sql_number(cache->db, &taken, err,
                           "SELECT 1 FROM records WHERE result=? AND layer<>? LIMIT 1", "tt",
                           result, layer);

        if (r == 0)
                *ret = taken != 0;
        return cache_note(cache, r);
}

int build_cache_keys(BuildCache *cache, const char *result, char ***ret, Error *err) {
        CACHE_LOCKED(cache); /* first, so that it ends last */
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(cache->db, &row, err,
                            "SELECT key FROM keys JOIN records ON id=record WHERE result=?", "t",
                            result);

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                strv_take(ret, sql_text(row, 0));
                r = 0;
        }
        return cache_note(cache, r);
}

int build_cache_chains(BuildCache *cache, char ***ret, Error *err) {
        CACHE_LOCKED(cache); /* first, so that it ends last */
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        _cleanup_strv_ char **chains = NULL;
        int r = sql_prepare(cache->db, &row, err,
                            "SELECT DISTINCT layer FROM records WHERE layer LIKE 'sha256:%'", "");

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                strv_take(&chains, sql_text(row, 0));
                r = 0;
        }
        if (cache_note(cache, r) < 0)
                return r;
        *ret = TAKE_PTR(chains);
        return 0;
}
