/* cache-db.c: the file cache.db: opened, checked for being ours, begun anew where it is not or is
 * damaged. Nobody needs a cache so much that a daemon should not start for want of it. */
#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

/* "brgc": what says that a database is this one's. */
#define APPLICATION_ID 0x62726763
#define SCHEMA_VERSION 1

/* One connection has the file for itself, so that a read asks the kernel for no lock. */
static const char settings[] =
        "PRAGMA busy_timeout=5000; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA "
        "synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-1024;";

/* records.layer: see CacheRecord; recorded_at: rises from record to record, whatever
 * created_at says and the clock is set to.
 * files.asked: the day on which it was asked for last. mounts.size -1: to be counted. mounts.ready:
 * has the content that it begins with. */
static const char schema[] =
        "BEGIN IMMEDIATE;"
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE records(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, result TEXT NOT "
        "NULL, layer TEXT NOT NULL, description TEXT NOT NULL, size INTEGER NOT NULL,"
        " created_at INTEGER NOT NULL, used_at INTEGER NOT NULL, uses INTEGER NOT NULL, "
        "recorded_at INTEGER NOT NULL);"
        "CREATE INDEX records_layer ON records(layer);"
        "CREATE TABLE keys(key TEXT PRIMARY KEY, record INTEGER NOT NULL REFERENCES records(id) ON "
        "DELETE CASCADE) WITHOUT ROWID;"
        "CREATE INDEX keys_record ON keys(record);"
        "CREATE TABLE places(place TEXT PRIMARY KEY, parts BLOB NOT NULL, built INTEGER NOT NULL, "
        "asked INTEGER NOT NULL);"
        "CREATE TABLE files(device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,"
        " mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, digest BLOB NOT NULL, asked INTEGER NOT "
        "NULL, PRIMARY KEY(device, inode)) WITHOUT ROWID;"
        "CREATE TABLE mounts(name TEXT PRIMARY KEY, id TEXT NOT NULL, number INTEGER NOT NULL,"
        " ready INTEGER NOT NULL, size INTEGER NOT NULL, created_at INTEGER NOT NULL, used_at "
        "INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX mounts_id ON mounts(id, number);"
        "PRAGMA application_id=1651664739; PRAGMA user_version=1;"
        "COMMIT;";
/* What later versions look up beside that; earlier ones do without. made: what the key of a record
 * was made of, as in places. */
static const char additions[] =
        "CREATE INDEX IF NOT EXISTS records_result ON records(result);"
        "CREATE TABLE IF NOT EXISTS made(record INTEGER PRIMARY KEY REFERENCES records(id) ON "
        "DELETE CASCADE, parts BLOB NOT NULL);";
_Static_assert(APPLICATION_ID == 1651664739 && SCHEMA_VERSION == 1, "as the schema has them");

/* ---- opening ---- */

static int schema_check(sqlite3 *db, Error *err) {
        int64_t application = 0, version = 0, tables = 0;
        int r = sql_number(db, &application, err, "PRAGMA application_id", "");

        if (r == 0)
                r = sql_number(db, &version, err, "PRAGMA user_version", "");
        if (r == 0)
                r = sql_number(db, &tables, err, "SELECT count(*) FROM sqlite_master", "");
        if (r < 0)
                return r;
        if (application == 0 && version == 0 && tables == 0)
                return sql_set(db, schema, err);
        if (application != APPLICATION_ID || version != SCHEMA_VERSION)
                return error_kind(err, ERROR_INVALID,
                                  "it is another program's or another version's");
        return 0;
}

/* Compiling them reads the schema: what is damaged there shows now. */
static int prepare_memo(BuildCache *cache, Error *err) {
        static const char get[] =
                "SELECT digest, asked FROM files WHERE device=?1 AND inode=?2 AND "
                "size=?3 AND mtime=?4 AND ctime=?5";
        static const char put[] = "INSERT OR REPLACE INTO files(device, inode, size, mtime, ctime, "
                                  "digest, asked) VALUES(?1,?2,?3,?4,?5,?6,?7)";
        int r = sql_prepare(cache->db, &cache->memo_get, err, get, "");

        return r < 0 ? r : sql_prepare(cache->db, &cache->memo_put, err, put, "");
}

static int try_open(BuildCache *cache, const char *name, Error *err) {
        int r = sql_open_at(cache->dir_fd, name, settings, &cache->db, err);

        if (r == 0)
                r = schema_check(cache->db, err);
        if (r == 0)
                r = sql_set(cache->db, additions, err);
        if (r == 0)
                r = prepare_memo(cache, err);
        if (r < 0)
                cache_db_close(cache);
        return r;
}

/* Its log would else be read into the new one. */
static int move_aside(BuildCache *cache, const char *why, Error *err) {
        static const char *const names[] = { "cache.db", "cache.db-wal", "cache.db-shm" };

        log_warn("build cache: cache.db can't be used (%s): it is moved to cache.db.bad and the "
                 "cache begins anew, empty",
                 why);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                _cleanup_free_ char *to =
                        str_format("cache.db.bad%s", str_after(names[i], "cache.db"));

                if (dir_remove_at(cache->dir_fd, to, err) < 0)
                        return error_prefix(err, "build cache");
                if (renameat(cache->dir_fd, names[i], cache->dir_fd, to) < 0 && errno != ENOENT)
                        return error_set(err, errno, "move the build cache's '%s' away", names[i]);
        }
        return 0;
}

int cache_db_open(BuildCache *cache, const char *damage, Error *err) {
        Error why = {};
        int r = damage ? 0 : try_open(cache, "cache.db", &why);

        if (r == 0 && !damage)
                return 0;
        /* A full disk or another process that has it is no reason to throw it away. */
        if (why.kind == ERROR_UNAVAILABLE) {
                if (err)
                        *err = why;
                return r;
        }
        r = move_aside(cache, damage ? damage : why.message, err);
        return r < 0 ? r : try_open(cache, "cache.db", err);
}

void cache_db_close(BuildCache *cache) {
        if (cache->db)
                sql_close(cache->db);
        cache->db = NULL;
        cache->memo_get = cache->memo_put = NULL;
        cache->batched = 0;
}

/* Where not even a new file can be made, the cache goes on in memory, for the builds that run. */
static void renew(BuildCache *cache) {
        Error err = {};
        int r;

        cache->damaged = false;
        cache_db_close(cache);
        r = cache_db_open(cache, "it is damaged", &err);
        if (r == 0)
                r = cache_reconcile(cache, &err);
        if (r == 0)
                return;
        log_error("build cache: %s; it remembers nothing beyond this run of the daemon",
                  err.message);
        cache_db_close(cache);
        if (try_open(cache, NULL, &err) < 0) {
                log_error("build cache: no database even in memory: %s", err.message);
                abort();
        }
}

void cache_lock(BuildCache *cache) {
        (void)pthread_mutex_lock(&cache->lock);
        if (cache->damaged)
                renew(cache);
}

void cache_unlock(BuildCache *cache) {
        (void)pthread_mutex_unlock(&cache->lock);
}

/* ---- transactions ---- */

int cache_note(BuildCache *cache, int r) {
        if (r == -EUCLEAN)
                cache->damaged = true;
        return r;
}

void cache_flush_locked(BuildCache *cache) {
        Error err = {};

        if (cache->batched && cache_note(cache, sql_end(cache->db, 0, &err)) < 0)
                log_warn("build cache: digests of files are lost: %s", err.message);
        cache->batched = 0;
}

int cache_begin(BuildCache *cache, Error *err) {
        cache_flush_locked(cache);
        return cache_note(cache, sql_begin(cache->db, err));
}

int cache_end(BuildCache *cache, int r, Error *err) {
        return cache_note(cache, sql_end(cache->db, r, err));
}

/* ---- single values ---- */

int cache_meta_get(BuildCache *cache, const char *name, char **ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(cache->db, &row, err, "SELECT value FROM meta WHERE name=?", "t", name);

        if (r == 0)
                r = sql_step(row, err);
        if (r < 0)
                return r;
        *ret = r > 0 ? sql_text(row, 0) : str_copy("");
        return 0;
}

int cache_meta_set(BuildCache *cache, const char *name, const char *value, Error *err) {
        return sql_run(cache->db, err, "INSERT OR REPLACE INTO meta(name, value) VALUES(?,?)", "tt",
                       name, value);
}
