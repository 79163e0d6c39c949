/* build-collect.c: keeps the build cache below what it may take: a thread that sleeps until a build
 * has ended or a cache mount was given back, either of which may have grown. What is in use stays,
 * so a cache may be over its cap while builds run. */
#include <signal.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/room.h"

#define SHARE 10 /* of the disk's parts one is the cache's by default … */
#define SHARE_LEAST ((int64_t)2000000000) /* … but not less */

/* The share of the disk that the data root is on. */
static int64_t default_cap(const Builder *builder) {
        struct statvfs disk;

        if (fstatvfs(builder->dir_fd, &disk) < 0)
                return SHARE_LEAST;
        return MAX((int64_t)(disk.f_blocks * disk.f_frsize / SHARE), SHARE_LEAST);
}

static void collect(Builder *builder) {
        CachePrune prune = { .cap = true,
                             .keep = builder->collector.cap,
                             .patience = NSEC_PER_SEC };
        _cleanup_strv_ char **ids = NULL;
        Error error = {};
        int64_t bytes = 0;

        ROOM_TO_REMOVE(builder->engine);
        builder_prune_owner(builder->engine, &prune);
        if (build_cache_prune(builder->cache, &prune, &ids, &bytes, &error) < 0)
                log_warn("build cache: %s", error.message);
        else if (ids)
                log_info("build cache: %zu entries went, %lld bytes, as it may have no more than "
                         "%lld",
                         strv_length(ids), (long long)bytes, (long long)builder->collector.cap);
}

static void *run(void *data) {
        Builder *builder = data;
        Collector *collector = &builder->collector;

        (void)pthread_mutex_lock(&collector->lock);
        while (!collector->stop) {
                if (!collector->wanted) {
                        (void)pthread_cond_wait(&collector->changed, &collector->lock);
                        continue;
                }
                collector->wanted = false;
                (void)pthread_mutex_unlock(&collector->lock);
                collect(builder);
                (void)pthread_mutex_lock(&collector->lock);
        }
        (void)pthread_mutex_unlock(&collector->lock);
        return NULL;
}

int collector_start(Builder *builder, Error *err) {
        const int64_t *given = builder->engine->options.build_cache_max;
        Collector *collector = &builder->collector;
        sigset_t all, before;
        int r;

        (void)pthread_mutex_init(&collector->lock, NULL);
        (void)pthread_cond_init(&collector->changed, NULL);
        collector->cap = given ? *given : default_cap(builder);
        if (collector->cap == 0)
                return 0;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        r = pthread_create(&collector->thread, NULL, run, builder);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return error_set(err, r, "start the build cache's collector");
        collector->started = true;
        builder_collect(builder); /* the cap may be lower than it was */
        return 0;
}

void builder_collect(Builder *builder) {
        Collector *collector = &builder->collector;

        if (!collector->started)
                return;
        (void)pthread_mutex_lock(&collector->lock);
        collector->wanted = true;
        (void)pthread_cond_signal(&collector->changed);
        (void)pthread_mutex_unlock(&collector->lock);
}

void collector_stop(Builder *builder) {
        Collector *collector = &builder->collector;

        if (!collector->started)
                return;
        (void)pthread_mutex_lock(&collector->lock);
        collector->stop = true;
        (void)pthread_cond_signal(&collector->changed);
        (void)pthread_mutex_unlock(&collector->lock);
        (void)pthread_join(collector->thread, NULL);
        (void)pthread_cond_destroy(&collector->changed);
        (void)pthread_mutex_destroy(&collector->lock);
        *collector = (Collector){};
}
