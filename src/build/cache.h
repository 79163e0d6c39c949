/* cache.h: what builds remember: which operation gave which layer, what each place in a Dockerfile
 * was made of last time, and the digests of files that did not change. One SQLite database,
 * `cache.db`, beside layers/<id>/fs; knows no images, no containers, no solver. Thread-safe. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "build/tree.h"
#include "format/digest.h"
#include "format/json.h"

typedef struct BuildCache BuildCache;

/* dir_fd: <data root>/build, stays the caller's until build_cache_free. Makes layers/ and mounts/;
 * removes what no record names (of a daemon that was killed). A power cut may lose the newest
 * records, whose layers then go. A database that is damaged or another program's is moved to
 * cache.db.bad and the cache begins anew: the log says so, it is no error. */
int build_cache_open(int dir_fd, BuildCache **ret, Error *err);
BuildCache *build_cache_free(BuildCache *cache);
/* Directories are removed by a thread of the cache's. Whenever nothing is left to remove, removed
 * is called, on that thread and without a lock. */
void build_cache_on_removed(BuildCache *cache, void (*removed)(void *data), void *data);
DEFINE_CLEANUP(BuildCache *, build_cache_free)

/* ---- results ---- */
typedef struct CacheRecord {
        char result[DIGEST_TEXT_MAX]; /* what the keys of the steps after it are made of */
        char *layer; /* id of a layer of this cache; or "sha256:…", the chain id of the image
                        store's layer that it became; or "": nothing was changed */
        char *description;           /* "[build 2/5] RUN make" */
        int64_t size;                /* bytes of the layer */
        int64_t created_at, used_at; /* ns since 1970 */
        int64_t uses;
        const char *place; /* put: as build_cache_explain has it, whose parts are now built; or
                              NULL. Borrowed; find sets it to NULL */
} CacheRecord;
void cache_record_done(CacheRecord *record);

#define CACHE_FOUND 1
/* CACHE_FOUND and *ret; 0: none. A record whose layer is gone is none. Counts as a use; holds the
 * layer until cache_release. */
int build_cache_find(BuildCache *cache, const char *key, CacheRecord *ret, Error *err);
/* Records a result under each of keys (NULL-terminated); a key that is there is replaced. The layer
 * is held as by find; the first put of a new layer takes its hold over, so that one release is due
 * for both. layer: an id for which build_cache_layer_new was called and which is finished; or "";
 * or a chain id. size -1: is counted here. created_at, used_at 0: now. */
int build_cache_put(BuildCache *cache, char *const *keys, const CacheRecord *record, Error *err);
/* Whether a result of that name is another layer's here: who says otherwise gives one thing the
 * name of another. */
int build_cache_result_taken(BuildCache *cache, const char *result, const char *layer, bool *ret,
                             Error *err);
/* Appends every key under which that result is recorded to *ret, the caller's list. */
int build_cache_keys(BuildCache *cache, const char *result, char ***ret, Error *err);
/* The result stands at that place now, found and not made: what it was made of is what a miss there
 * is compared with next. What came from elsewhere and never was made here changes nothing. */
int build_cache_found_at(BuildCache *cache, const char *place, const char *result, Error *err);
/* A build ends that had these layers (NULL-terminated; by any name that they have had) and began at
 * `since`, ns since 1970: they, and the cache mounts that were given back since, were used now, all
 * at one time. Before it releases them. */
void build_cache_used(BuildCache *cache, char *const *layers, int64_t since);
/* Lets a layer that find or put held be collected again; one call a hold. By the id that it had
 * when it was held or by the one that it has now; "" and NULL are fine. */
void build_cache_release(BuildCache *cache, const char *layer);

/* ---- layers: layers/<id>/fs, in overlayfs's form ---- */
/* A new id (64 hex) with its directory layers/<id> made; *ret_fd is that directory. Held until
 * release; without a record by then it goes. */
int build_cache_layer_new(BuildCache *cache, char **ret_id, int *ret_fd, Error *err);
/* The layer became the image store's: its directory was moved there. Every record is changed. */
int build_cache_layer_moved(BuildCache *cache, const char *id, const char *chain, Error *err);
/* The image store has that layer no more: every record of it goes. */
int build_cache_chain_lost(BuildCache *cache, const char *chain, Error *err);
/* The image store's layers that records name, chain ids; the caller's: they must be held there. */
int build_cache_chains(BuildCache *cache, char ***ret, Error *err);

/* ---- why a step is run ---- */
/* What a step's key was made of: "instruction" → digest, "network" → its mode, "base" (the image
 * that the stage begins with), "before" (the result of the step before), "arg VERSION", "from
 * build" (a stage or image that it takes files of), "git https://h/r.git#main" → commit, "file
 * src/main.c" … Another name is shown as it is. */
typedef struct CacheParts {
        Pairs items;
        bool cut;     /* more files than are kept (4096): the rest is in one sum */
        size_t files; /* of cache_parts_file */
        char rest[DIGEST_TEXT_MAX];
} CacheParts;
/* An EntrySink whose data is a CacheParts: adds "file <path>". */
void cache_parts_file(void *parts, const char *path, const char *digest);
/* Compares with what was kept for this place last, keeps the new parts, and says in one line what
 * differs: "the instruction changed", "file src/main.c changed (and 3 more)", "file x is new", "the
 * step before it ran", "it was never built here"; and where nothing differs "its layer was
 * collected", or "its last run did not finish" where no put named the place since. The caller's. */
int build_cache_explain(BuildCache *cache, const char *place, const CacheParts *parts,
                        char **ret_why, Error *err);
void cache_parts_done(CacheParts *parts);

/* ---- files ---- */
/* Of regular files on this host; what was not asked for within 30 days goes at open. */
FileMemo build_cache_memo(BuildCache *cache);
/* Commits what was put into it, which is else done every 1000 files, by build_cache_put, and by
 * build_cache_free. For a build's end. */
void build_cache_flush(BuildCache *cache);

/* ---- RUN --mount=type=cache: mounts/<id>/fs ---- */
typedef struct CacheMount CacheMount;
/* sharing as the mount says. SHARED: everybody has the same directory. LOCKED: waits until nobody
 * has it; asks cancelled meanwhile (-ECANCELED). PRIVATE: one that nobody has, a new one where all
 * are taken. SHARED never gets what another has LOCKED or PRIVATE. id: the mount's, any text.
 * *ret_new: it is empty, and the caller calls cache_mount_ready when it is filled. */
typedef enum MountSharing { MOUNT_SHARED, MOUNT_PRIVATE_, MOUNT_LOCKED } MountSharing;
int build_cache_mount(BuildCache *cache, const char *id, MountSharing sharing,
                      bool (*cancelled)(void *data), void *data, CacheMount **ret, int *ret_fd,
                      bool *ret_new, Error *err);
/* The ids of which there is one, sorted; the caller's. */
int build_cache_mount_ids(BuildCache *cache, char ***ret, Error *err);
/* The directory below the data root, "build/mounts/<name>/fs"; borrowed. */
const char *cache_mount_path(const CacheMount *mount);
/* A new one has the content that it begins with: it stays, and others may have it, too. Released
 * (or the daemon killed) before that it goes. */
int cache_mount_ready(CacheMount *mount, Error *err);
/* Gives it back; its size is counted anew, later. NULL is fine. */
CacheMount *cache_mount_release(CacheMount *mount);

/* ---- the collector ---- */
typedef struct CacheEntry {            /* as GET /system/df and POST /build/prune show it */
        char *id, *type, *description; /* type: "regular", "exec.cachemount" */
        char *chain;                   /* the image store's layer that it became, or NULL */
        bool in_use, shared;           /* shared: so that an image may have it, too */
        int64_t size, created_at, used_at, uses;
} CacheEntry;
void cache_entries_free(CacheEntry *entries, size_t count);
/* Newest use first. */
int build_cache_list(BuildCache *cache, CacheEntry **ret, size_t *ret_count, Error *err);
typedef struct CachePrune {
        bool all;         /* else what an image shares stays */
        bool cap;         /* `keep` is of all that is the cache's alone, with cache mounts and what
                             is in use; what an image shares counts not and stays */
        int64_t keep;     /* bytes that may stay of what may go, the oldest use goes first; 0:
                             nothing stays */
        int64_t until;    /* only what was not used since, ns since 1970; 0: whatever */
        char *const *ids; /* only these, or NULL */
        int64_t patience; /* ns to wait for the removal of directories, which goes on after that; 0:
                             however long it takes */
        /* What the owner of the image store knows, with data; called without a lock. shared:
         * whether an image has that layer (NULL: each may be an image's). release: it is needed no
         * more; returns the bytes that this freed (NULL: none). hold: it is, after all: it was
         * recorded anew meanwhile (NULL where nobody does). Who records one holds it after that. */
        bool (*shared)(void *data, const char *chain);
        int64_t (*release)(void *data, const char *chain);
        void (*hold)(void *data, const char *chain);
        void *data;
} CachePrune;
/* What is in use stays. ret_ids: the caller's. *ret_bytes counts the layers and mounts that went,
 * and what release says, once they are given up: within prune.patience or later they are gone. */
int build_cache_prune(BuildCache *cache, const CachePrune *prune, char ***ret_ids,
                      int64_t *ret_bytes, Error *err);
