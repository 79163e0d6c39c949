/* origin.c: see origin.h. */
#include "image/origin.h"

#include "sql/sql.h"

/* No sync: what a power cut takes is found out again. */
static int begin(ImageStore *store, Error *err) {
        int r = sql_set(store->db, "PRAGMA synchronous=NORMAL", err);

        return r < 0 ? r : sql_run(store->db, err, "BEGIN IMMEDIATE", "");
}

static int end(ImageStore *store, int r, Error *err) {
        if (r == 0)
                r = sql_run(store->db, err, "COMMIT", "");
        if (r < 0)
                (void)sql_run(store->db, NULL, "ROLLBACK", "");
        (void)sql_set(store->db, "PRAGMA synchronous=FULL", NULL);
        return r;
}

int origins_record(ImageStore *store, const Reference *reference, char *const *blobs, Error *err) {
        STORE_LOCKED(store);
        int r = begin(store, err);

        for (size_t i = 0; r == 0 && blobs && blobs[i]; i++)
                r = sql_run(store->db, err,
                            "INSERT OR REPLACE INTO origins(blob, registry, repository) "
                            "VALUES(?,?,?)",
                            "ttt", blobs[i], reference->domain, reference->path);
        return end(store, r, err);
}

int origins_of(ImageStore *store, const Reference *reference, const char *blob, char ***ret,
               Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT repository FROM origins WHERE blob=? AND registry=? AND "
                            "repository<>? ORDER BY rowid DESC LIMIT 3",
                            "ttt", blob, reference->domain, reference->path);

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(ret, sql_text(statement, 0));
        return r;
}

int packed_find(ImageStore *store, const char *blob, const char *form,
                char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT digest, size FROM repacked WHERE blob=? AND form=?", "tt", blob,
                            form);

        if (r == 0)
                r = sql_step(statement, err);
        if (r <= 0)
                return r;
        (void)snprintf(ret_digest, DIGEST_TEXT_MAX, "%s",
                       (const char *)sqlite3_column_text(statement, 0));
        *ret_size = sqlite3_column_int64(statement, 1);
        return 1;
}

int packed_record(ImageStore *store, const char *blob, const char *form, const char *digest,
                  int64_t size, Error *err) {
        STORE_LOCKED(store);
        int r = begin(store, err);

        if (r == 0)
                r = sql_run(store->db, err,
                            "INSERT OR REPLACE INTO repacked(blob, form, digest, size) "
                            "VALUES(?,?,?,?)",
                            "ttti", blob, form, digest, size);
        return end(store, r, err);
}

int origins_expire(ImageStore *store, Error *err) {
        STORE_LOCKED(store);
        int r = begin(store, err);

        if (r == 0)
                r = sql_run(store->db, err,
                            "DELETE FROM repacked WHERE blob NOT IN (SELECT blob FROM layers)", "");
        if (r == 0)
                r = sql_run(store->db, err,
                            "DELETE FROM origins WHERE blob NOT IN (SELECT blob FROM layers UNION "
                            "SELECT digest FROM repacked)",
                            "");
        return end(store, r, err);
}
