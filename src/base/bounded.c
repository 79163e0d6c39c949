/* bounded.c: see bounded.h. */
#include "base/bounded.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

typedef struct Bounded {
        pthread_cond_t ended;
        void (*run)(void *data);
        void (*drop)(void *data);
        void *data;
        bool over, left; /* left: nobody waits any more */
} Bounded;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows and is in Bounded */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* the two numbers */
static unsigned running, left_alone; /* calls: that have not ended; those of them that are left */

static void release(Bounded *bounded) {
        (void)pthread_cond_destroy(&bounded->ended);
        free(bounded);
}

/* Under the lock. */
static void has_ended(bool left) {
        running--;
        left_alone -= left;
        pthread_cond_broadcast(&changed);
}

static void *on_thread(void *data) {
        Bounded *bounded = data;
        bool left;

        bounded->run(bounded->data);
        pthread_mutex_lock(&lock);
        left = bounded->left;
        bounded->over = true;
        pthread_cond_signal(&bounded->ended);
        if (!left)
                has_ended(false);
        pthread_mutex_unlock(&lock);
        if (!left)
                return NULL; /* it is the waiter's */
        bounded->drop(bounded->data);
        release(bounded);
        pthread_mutex_lock(&lock);
        has_ended(true);
        pthread_mutex_unlock(&lock);
        return NULL;
}

static Bounded *bounded_new(void (*run)(void *data), void *data, void (*drop)(void *data)) {
        Bounded *bounded = NEW(Bounded);
        pthread_condattr_t attributes;

        *bounded = (Bounded){ .run = run, .drop = drop, .data = data };
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&bounded->ended, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        return bounded;
}

/* Without signals, which are for the program's own threads. */
static int start(Bounded *bounded) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, on_thread, bounded);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void)pthread_attr_destroy(&attributes);
        return -r;
}

/* Counts one more if there is room. Calls that somebody waits for are likely to end: then it waits,
 * too. Those that were left alone are not. */
static bool may_start(const struct timespec *limit) {
        bool may;
        int r = 0;

        pthread_mutex_lock(&lock);
        while (running == BOUNDED_LEFT_MAX && left_alone < BOUNDED_LEFT_MAX && r != ETIMEDOUT)
                r = pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, limit);
        may = running < BOUNDED_LEFT_MAX;
        running += may;
        pthread_mutex_unlock(&lock);
        return may;
}

int bounded_run(void (*run)(void *data), void *data, void (*drop)(void *data), int64_t timeout) {
        const int64_t end = clock_monotonic() + timeout;
        const struct timespec limit = { .tv_sec = end / NSEC_PER_SEC,
                                        .tv_nsec = end % NSEC_PER_SEC };
        Bounded *bounded;
        int r = 0;

        if (!may_start(&limit))
                return -EBUSY;
        bounded = bounded_new(run, data, drop);
        r = start(bounded);
        if (r < 0) {
                release(bounded);
                pthread_mutex_lock(&lock);
                has_ended(false);
                pthread_mutex_unlock(&lock);
                return r;
        }
        pthread_mutex_lock(&lock);
        while (!bounded->over && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&bounded->ended, &lock, &limit);
        bounded->left = !bounded->over;
        left_alone += bounded->left;
        if (bounded->left)
                pthread_cond_broadcast(&changed);
        r = bounded->left ? -ETIMEDOUT : 0;
        pthread_mutex_unlock(&lock);
        if (r == 0)
                release(bounded);
        return r;
}
