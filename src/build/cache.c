/* cache.c: opening and closing. What is remembered: cache-records.c, cache-explain.c, cache-memo.c;
 * what takes room: cache-layers.c, cache-mounts.c, cache-prune.c. */
#include "build/cache-private.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* What a killed daemon left is mostly gone before anybody looks. */
#define REMOVAL_PATIENCE (5 * NSEC_PER_SEC)

static int condition_init(pthread_cond_t *condition) {
        pthread_condattr_t attributes;

        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        return pthread_cond_init(condition, &attributes);
}

static int start(BuildCache *cache, Error *err) {
        int r = dir_open_at(cache->dir_fd, "layers", 0710, &cache->layers_fd, err);

        if (r == 0)
                dir_spread(cache->layers_fd);
        if (r == 0)
                r = dir_open_at(cache->dir_fd, "mounts", 0710, &cache->mounts_fd, err);
        if (r == 0)
                r = cache_db_open(cache, NULL, err);
        if (r < 0)
                return r;
        r = cache_note(cache, cache_drop_unsynced(cache, err));
        if (r == 0)
                r = cache_note(cache, cache_reconcile(cache, err));
        remover_wait(&cache->remover, REMOVAL_PATIENCE);
        if (cache->damaged) /* seen only now that it is read: taking the lock begins it anew */
                r = 0;
        return r;
}

int build_cache_open(int dir_fd, BuildCache **ret, Error *err) {
        _cleanup_(build_cache_freep) BuildCache *cache = NEW(BuildCache);
        int r;

        *cache = (BuildCache){ .dir_fd = dir_fd,
                               .layers_fd = -1,
                               .mounts_fd = -1,
                               .synced_at = clock_monotonic(),
                               .lock = PTHREAD_MUTEX_INITIALIZER };
        (void)condition_init(&cache->changed);
        remover_init(&cache->remover, "build cache");
        r = start(cache, err);
        if (r < 0)
                return error_prefix(err, "open the build cache");
        *ret = TAKE_PTR(cache);
        return 0;
}

void build_cache_on_removed(BuildCache *cache, void (*removed)(void *data), void *data) {
        remover_on_idle(&cache->remover, removed, data);
}

void build_cache_hurry(BuildCache *cache) {
        remover_hurry(&cache->remover);
}

int build_cache_secret(BuildCache *cache, char ret[ID_LENGTH + 1], Error *err) {
        CACHE_LOCKED(cache);
        _cleanup_free_ char *known = NULL;
        int r;

        cache_flush_locked(cache); /* a kill loses what that transaction holds */
        r = cache_meta_get(cache, "secret", &known, err);
        if (r == 0 && id_valid(known)) {
                memcpy(ret, known, ID_LENGTH + 1);
                return 0;
        }
        id_new(ret);
        return cache_note(cache, r < 0 ? r : cache_meta_set(cache, "secret", ret, err));
}

/* Records outlive a power cut only if the layers were synced before. */
static void finish(BuildCache *cache) {
        Error err = {};
        bool unsynced;

        cache_lock(cache);
        cache_flush_locked(cache);
        unsynced = cache->unsynced;
        cache_unlock(cache);
        if (unsynced && cache_sync(cache, &err) < 0)
                log_warn("build cache: %s", err.message);
}

BuildCache *build_cache_free(BuildCache *cache) {
        if (!cache)
                return NULL;
        if (cache->db)
                finish(cache);
        remover_done(&cache->remover);
        cache_db_close(cache);
        cache_holds_done(cache);
        map_done(&cache->mounts, free);
        close_fd(&cache->layers_fd);
        close_fd(&cache->mounts_fd);
        (void)pthread_cond_destroy(&cache->changed);
        (void)pthread_mutex_destroy(&cache->lock);
        free(cache);
        return NULL;
}
