/* remover.c: see remover.h. The thread is there from the first removal on. */
#include "base/remover.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"

struct RemoverItem {
        struct RemoverItem *next;
        int dir_fd;
        char name[];
};

void remover_init(Remover *remover, const char *owner) {
        pthread_condattr_t attributes;

        *remover = (Remover){ .owner = owner, .last = &remover->first };
        (void)pthread_mutex_init(&remover->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&remover->changed, &attributes);
}

static bool is_stopped(void *data) {
        return atomic_load(&((Remover *)data)->stop);
}

static void remove_one(Remover *remover, const RemoverItem *item) {
        Error err = {};
        int r = failpoint("remover.remove", &err);

        if (r == 0)
                r = dir_remove_until(item->dir_fd, item->name, is_stopped, remover, &err);
        if (r < 0 && r != -ECANCELED)
                log_warn("%s: %s; it is tried again at the next start", remover->owner,
                         err.message);
}

/* The lock is held. */
static void drop_first(Remover *remover) {
        RemoverItem *item = remover->first;

        remover->first = item->next;
        if (!remover->first)
                remover->last = &remover->first;
        free(item);
        remover->removed++;
        (void)pthread_cond_broadcast(&remover->changed);
}

/* The lock is held, but not meanwhile. */
static void tell_idle(Remover *remover) {
        void (*idle)(void *data) = remover->first ? NULL : remover->idle;
        void *data = remover->idle_data;

        if (!idle)
                return;
        (void)pthread_mutex_unlock(&remover->lock);
        idle(data);
        (void)pthread_mutex_lock(&remover->lock);
}

static void *run(void *data) {
        Remover *remover = data;

        (void)pthread_mutex_lock(&remover->lock);
        while (!is_stopped(remover)) {
                const RemoverItem *item = remover->first;

                if (!item) {
                        (void)pthread_cond_wait(&remover->changed, &remover->lock);
                        continue;
                }
                (void)pthread_mutex_unlock(&remover->lock);
                remove_one(remover, item);
                (void)pthread_mutex_lock(&remover->lock);
                drop_first(remover);
                tell_idle(remover);
        }
        (void)pthread_mutex_unlock(&remover->lock);
        return NULL;
}

/* The lock is held. */
static int start(Remover *remover) {
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

void remover_on_idle(Remover *remover, void (*idle)(void *data), void *data) {
        (void)pthread_mutex_lock(&remover->lock);
        remover->idle = idle;
        remover->idle_data = data;
        (void)pthread_mutex_unlock(&remover->lock);
}

void remover_add(Remover *remover, int dir_fd, const char *name) {
        RemoverItem *item = alloc_zero(1, sizeof(*item) + strlen(name) + 1);
        int r;

        item->dir_fd = dir_fd;
        memcpy(item->name, name, strlen(name) + 1);
        (void)pthread_mutex_lock(&remover->lock);
        r = start(remover);
        if (r == 0) {
                *remover->last = item;
                remover->last = &item->next;
                remover->queued++;
                (void)pthread_cond_broadcast(&remover->changed);
        }
        (void)pthread_mutex_unlock(&remover->lock);
        if (r == 0)
                return;
        remove_one(remover, item); /* without a thread, then */
        free(item);
}

void remover_wait(Remover *remover, int64_t patience) {
        int64_t until = clock_monotonic() + patience;
        const struct timespec end = { until / NSEC_PER_SEC, until % NSEC_PER_SEC };
        uint64_t wanted;
        int r = 0;

        (void)pthread_mutex_lock(&remover->lock);
        wanted = remover->queued;
        while (r == 0 && !remover->hurried && remover->removed < wanted)
                r = patience > 0 ? pthread_cond_timedwait(&remover->changed, &remover->lock, &end)
                                 : pthread_cond_wait(&remover->changed, &remover->lock);
        (void)pthread_mutex_unlock(&remover->lock);
}

void remover_hurry(Remover *remover) {
        (void)pthread_mutex_lock(&remover->lock);
        remover->hurried = true;
        (void)pthread_cond_broadcast(&remover->changed);
        (void)pthread_mutex_unlock(&remover->lock);
}

void remover_done(Remover *remover) {
        atomic_store(&remover->stop, true);
        (void)pthread_mutex_lock(&remover->lock);
        (void)pthread_cond_broadcast(&remover->changed);
        (void)pthread_mutex_unlock(&remover->lock);
        if (remover->started)
                (void)pthread_join(remover->thread, NULL);
        while (remover->first) {
                RemoverItem *next = remover->first->next;

                free(remover->first);
                remover->first = next;
        }
        (void)pthread_cond_destroy(&remover->changed);
        (void)pthread_mutex_destroy(&remover->lock);
}
