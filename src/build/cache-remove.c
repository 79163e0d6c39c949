/* cache-remove.c: a thread that removes directories that no row names, one after the other: on a
 * busy disk that takes minutes, which nobody has to wait for. What is left when the cache is closed
 * the next opening finds (cache-reconcile.c). Knows no rows. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

struct CacheRemoval {
        struct CacheRemoval *next;
        int dir_fd; /* the cache's */
        char name[];
};

void remover_init(CacheRemover *remover) {
        pthread_condattr_t attributes;

        *remover = (CacheRemover){ .last = &remover->first };
        (void)pthread_mutex_init(&remover->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&remover->changed, &attributes);
}

static bool is_stopped(void *data) {
        return atomic_load(&((CacheRemover *)data)->stop);
}

static void remove_one(CacheRemover *remover, const CacheRemoval *removal) {
        Error err = {};
        int r = dir_remove_until(removal->dir_fd, removal->name, is_stopped, remover, &err);

        if (r < 0 && r != -ECANCELED)
                log_warn("build cache: %s; it is tried again at the next start", err.message);
}

static void *run(void *data) {
        CacheRemover *remover = data;

        (void)pthread_mutex_lock(&remover->lock);
        while (!is_stopped(remover)) {
                CacheRemoval *removal = remover->first;

                if (!removal) {
                        (void)pthread_cond_wait(&remover->changed, &remover->lock);
                        continue;
                }
                (void)pthread_mutex_unlock(&remover->lock);
                remove_one(remover, removal);
                (void)pthread_mutex_lock(&remover->lock);
                remover->first = removal->next;
                if (!remover->first)
                        remover->last = &remover->first;
                free(removal);
                remover->removed++;
                (void)pthread_cond_broadcast(&remover->changed);
        }
        (void)pthread_mutex_unlock(&remover->lock);
        return NULL;
}

/* The lock is held. */
static int start(CacheRemover *remover) {
        sigset_t all, before;
        int r;

        if (remover->started)
                return 0;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        r = pthread_create(&remover->thread, NULL, run, remover);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        remover->started = r == 0;
        return -r;
}

void cache_remove(BuildCache *cache, int dir_fd, const char *name) {
        CacheRemover *remover = &cache->remover;
        CacheRemoval *removal = alloc_zero(1, sizeof(*removal) + strlen(name) + 1);
        int r;

        removal->dir_fd = dir_fd;
        memcpy(removal->name, name, strlen(name) + 1);
        (void)pthread_mutex_lock(&remover->lock);
        r = start(remover);
        if (r == 0) {
                *remover->last = removal;
                remover->last = &removal->next;
                remover->queued++;
                (void)pthread_cond_broadcast(&remover->changed);
        }
        (void)pthread_mutex_unlock(&remover->lock);
        if (r == 0)
                return;
        remove_one(remover, removal); /* without a thread, then */
        free(removal);
}

void cache_remove_wait(BuildCache *cache, int64_t patience) {
        CacheRemover *remover = &cache->remover;
        int64_t until = clock_monotonic() + patience;
        const struct timespec end = { until / NSEC_PER_SEC, until % NSEC_PER_SEC };
        uint64_t wanted;
        int r = 0;

        (void)pthread_mutex_lock(&remover->lock);
        wanted = remover->queued;
        while (r == 0 && remover->removed < wanted)
                r = patience > 0 ? pthread_cond_timedwait(&remover->changed, &remover->lock, &end)
                                 : pthread_cond_wait(&remover->changed, &remover->lock);
        (void)pthread_mutex_unlock(&remover->lock);
}

void remover_done(CacheRemover *remover) {
        atomic_store(&remover->stop, true);
        (void)pthread_mutex_lock(&remover->lock);
        (void)pthread_cond_broadcast(&remover->changed);
        (void)pthread_mutex_unlock(&remover->lock);
        if (remover->started)
                (void)pthread_join(remover->thread, NULL);
        while (remover->first) {
                CacheRemoval *next = remover->first->next;

                free(remover->first);
                remover->first = next;
        }
        (void)pthread_cond_destroy(&remover->changed);
        (void)pthread_mutex_destroy(&remover->lock);
}
