/* cache-private.h: the inside of the build cache, shared by the cache-*.c files. */
#pragma once

#include <pthread.h>

#include "base/id.h"
#include "base/map.h"
#include "base/remover.h"
#include "build/cache.h"
#include "sql/sql.h"

#define CACHE_EXPIRY_DAYS 30
#define GONE_PREFIX ".gone-" /* what the names of directories begin with that are being removed */
#define NSEC_PER_DAY (24 * 3600 * NSEC_PER_SEC)

/* Below dir_fd: cache.db; layers/<id>; mounts/<name>/fs; either has names that begin with
 * GONE_PREFIX. */
struct BuildCache {
        int dir_fd, layers_fd, mounts_fd; /* dir_fd is the caller's */
        pthread_mutex_t lock;             /* of all below; held for no work on files but renames */
        pthread_cond_t changed;           /* a mount was given back or became ready */
        sqlite3 *db;
        sqlite3_stmt *memo_get, *memo_put; /* of db; found by pointer, as a file costs one each */
        unsigned parts_written;            /* how often, so far */
        unsigned batched;                  /* files put into the transaction that is open */
        bool damaged;                      /* SQLite said so: db is begun anew at the next call */
        int64_t recorded;                  /* the newest record's recorded_at */
        Map holds;                         /* layer → Hold */
        Map mounts;                        /* name → MountState */
        int64_t synced_at;                 /* clock_monotonic: the layers, or the daemon began */
        bool unsynced;                     /* something was recorded since */
        Remover remover;                   /* of directories that no row names */
};

void cache_lock(BuildCache *cache);
void cache_unlock(BuildCache *cache);
static inline void cache_unlockp(BuildCache **cache) {
        cache_unlock(*cache);
}
/* Holds the lock to the end of the scope. */
#define CACHE_LOCKED(cache)                                                                        \
        _cleanup_(cache_unlockp) UNUSED BuildCache *locked_ = (cache_lock(cache), (cache))

/* ---- the database: cache-db.c; the lock is held ---- */
/* damage: why the file is moved away without a look at it; or NULL. */
int cache_db_open(BuildCache *cache, const char *damage, Error *err);
void cache_db_close(BuildCache *cache);
/* Commits the memo's batch and opens a transaction. */
int cache_begin(BuildCache *cache, Error *err);
/* Ends it with what came of it, r. */
int cache_end(BuildCache *cache, int r, Error *err);
/* Passes r on, and notes where it says that the database is damaged. */
int cache_note(BuildCache *cache, int r);
void cache_flush_locked(BuildCache *cache);
int cache_meta_get(BuildCache *cache, const char *name, char **ret, Error *err);
int cache_meta_set(BuildCache *cache, const char *name, const char *value, Error *err);

/* ---- disk and database in agreement: cache-reconcile.c; the lock is held ---- */
int cache_reconcile(BuildCache *cache, Error *err);
/* After a power cut a layer's files may be lost though its record is not: what was recorded since
 * the last sync counts as lost, where the machine was started anew since. */
int cache_drop_unsynced(BuildCache *cache, Error *err);
/* Syncs the layers if the last time is long ago. Takes the lock itself. */
void cache_sync_now_and_then(BuildCache *cache);
int cache_sync(BuildCache *cache, Error *err);

/* ---- why steps ran: cache-explain.c; the lock is held ---- */
/* Of the parts of keys, those of places and those of records, the newest 16 MiB each stay. */
int cache_parts_trim(BuildCache *cache, Error *err);
/* Some were written: does the same now and then. */
int cache_parts_written(BuildCache *cache, Error *err);

/* ---- layers: cache-layers.c; the lock is held ---- */
bool cache_layer_is_own(const char *layer); /* an id of this cache, not a chain id and not "" */
bool cache_layer_held(const BuildCache *cache, const char *layer);
void cache_holds_done(BuildCache *cache);
void cache_layer_hold(BuildCache *cache, const char *layer);
bool cache_layer_exists(BuildCache *cache, const char *layer);
int cache_layer_recorded(BuildCache *cache, const char *layer, bool *ret, Error *err);
/* Removes a layer's directory, without the lock; what fails is logged and found at the next start.
 */
void cache_layer_remove(BuildCache *cache, const char *layer);
/* The layer if it is this cache's own, unrecorded and not held: to be removed. */
int cache_layer_unused(BuildCache *cache, const char *layer, bool *ret, Error *err);

/* Renames a mount's directory, for the remover: others may have one of its name at once.
 * *ret_aside: the name that it has now, the caller's; its own where the disk is too full for
 * another. false: it was not there. */
bool cache_set_aside(int dir_fd, const char *name, char **ret_aside);

/* Bytes of the regular files below the directory, each inode once; however deep it is, and while
 * others change it. Takes no lock. cache-size.c */
int cache_tree_size(int dir_fd, const char *path, int64_t *ret, Error *err);

/* ---- mounts: cache-mounts.c; the lock is held ---- */
bool cache_mount_in_use(const BuildCache *cache, const char *name);
