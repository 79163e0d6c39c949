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
static unsigned left_alone;

static void release(Bounded *bounded) {
        (void)pthread_cond_destroy(&bounded->ended);
        free(bounded);
}

static void *on_thread(void *data) {
        Bounded *bounded = data;
        bool left;

        bounded->run(bounded->data);
        pthread_mutex_lock(&lock);
        left = bounded->left;
        bounded->over = true;
        pthread_cond_signal(&bounded->ended);
        pthread_mutex_unlock(&lock);
        if (!left)
                return NULL; /* it is the waiter's */
        bounded->drop(bounded->data);
        release(bounded);
        pthread_mutex_lock(&lock);
        left_alone--;
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

static bool may_start(void) {
        bool may;

        pthread_mutex_lock(&lock);
        may = left_alone < BOUNDED_LEFT_MAX;
        pthread_mutex_unlock(&lock);
        return may;
}

int bounded_run(void (*run)(void *data), void *data, void (*drop)(void *data), int64_t timeout) {
        const int64_t end = clock_monotonic() + timeout;
        const struct timespec limit = { .tv_sec = end / NSEC_PER_SEC,
                                        .tv_nsec = end % NSEC_PER_SEC };
        Bounded *bounded;
        int r = 0;

        if (!may_start())
                return -EBUSY;
        bounded = bounded_new(run, data, drop);
        r = start(bounded);
        if (r < 0) {
                release(bounded);
                return r;
        }
        pthread_mutex_lock(&lock);
        while (!bounded->over && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&bounded->ended, &lock, &limit);
        bounded->left = !bounded->over;
        left_alone += bounded->left;
        r = bounded->left ? -ETIMEDOUT : 0;
        pthread_mutex_unlock(&lock);
        if (r == 0)
                release(bounded);
        return r;
}
