/* unsynced.c: layers whose files are not durable yet, as the steps of a build leave them. See
 * store.h. */
#include "base/log.h"
#include "image/store.h"
#include "sql/sql.h"

static int list_unsynced(ImageStore *store, char ***ret, Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, "SELECT chain FROM unsynced", "");

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(ret, sql_text(statement, 0));
        return r;
}

static int unmark(ImageStore *store, char *const *chains, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && chains[i]; i++)
                r = sql_run(store->db, err, "DELETE FROM unsynced WHERE chain=?", "t", chains[i]);
        return sql_end(store->db, r, err);
}

int store_settle(ImageStore *store, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = list_unsynced(store, &chains, err); /* what comes after this waits for the next */

        if (r < 0 || !chains)
                return r;
        r = store_sync(store, err);
        return r < 0 ? r : unmark(store, chains, err);
}

/* No image can list one: recording an image settles. */
int store_drop_unsynced(ImageStore *store, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = list_unsynced(store, &chains, err);

        if (r < 0 || !chains)
                return r;
        log_info("image store: dropping %zu layers that were not written out when the daemon died",
                 strv_length(chains));
        STORE_LOCKED(store);
        r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && chains[i]; i++) {
                r = sql_run(store->db, err, "DELETE FROM holds WHERE chain=?", "t", chains[i]);
                if (r == 0)
                        r = sql_run(store->db, err, "DELETE FROM layers WHERE chain=?", "t",
                                    chains[i]);
        }
        return sql_end(store->db, r, err);
}
