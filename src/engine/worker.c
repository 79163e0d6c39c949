/* worker.c: a pool of plain threads with one queue. It grows when work waits and no thread is idle,
 * and shrinks again, so that an idle daemon has none. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/worker.h"

/* An exit handler may wait for a container's lock while a start holds it, so there must be more of
 * them than starts that are under way at a time on a machine of ordinary size; the queue takes the
 * rest. */
#define WORKERS_MAX 64
#define IDLE_SECONDS 10
#define AGAIN_AFTER NSEC_PER_SEC /* no thread could be started */

typedef struct Job {
        WorkerFn fn;
        void *data;
        struct Job *next;
} Job;

struct Workers {
        pthread_mutex_t lock;
        pthread_cond_t work, ended;
        Job *first, **end;
        size_t queued, threads, idle;
        bool stopping;
        Loop *loop;
        LoopSource *timer; /* the loop's thread alone */
};

int workers_new(Loop *loop, Workers **ret, Error *err) {
        Workers *workers = NEW(Workers);
        pthread_condattr_t attributes;

        (void)err;
        pthread_mutex_init(&workers->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&workers->work, &attributes);
        pthread_cond_init(&workers->ended, NULL);
        pthread_condattr_destroy(&attributes);
        workers->end = &workers->first;
        workers->loop = loop;
        *ret = workers;
        return 0;
}

static Job *job_take(Workers *workers) {
        Job *job = workers->first;

        workers->first = job->next;
        if (!workers->first)
                workers->end = &workers->first;
        workers->queued--;
        return job;
}

/* lock held. False: the thread has been idle for long, or the pool ends. */
static bool job_wait(Workers *workers) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        while (!workers->first && !workers->stopping) {
                workers->idle++;
                int r = pthread_cond_timedwait(&workers->work, &workers->lock, &until);
                workers->idle--;
                if (r == ETIMEDOUT)
                        break;
        }
        return workers->first != NULL;
}

/* lock held, but for the time that the job takes. */
static void job_run(Workers *workers) {
        Job *job = job_take(workers);

        pthread_mutex_unlock(&workers->lock);
        job->fn(job->data);
        free(job);
        pthread_mutex_lock(&workers->lock);
}

static void *worker_main(void *data) {
        Workers *workers = data;

        pthread_mutex_lock(&workers->lock);
        while (job_wait(workers))
                job_run(workers);
        workers->threads--;
        pthread_cond_broadcast(&workers->ended);
        pthread_mutex_unlock(&workers->lock);
        return NULL;
}

static void on_timer(void *data);

static void arm(void *data) {
        Workers *workers = data;

        if (!workers->timer)
                workers->timer = loop_add_timer(workers->loop, clock_monotonic() + AGAIN_AFTER,
                                                on_timer, workers);
}

/* lock held. */
static void worker_start(Workers *workers) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, worker_main, workers);

        if (r == 0) {
                (void)pthread_detach(thread);
                workers->threads++;
        } else if (workers->threads == 0) {
                log_error("start a worker thread: %s; exits are handled once one can be started",
                          strerror(r));
                loop_post(workers->loop, arm, workers);
        }
}

static void on_timer(void *data) {
        Workers *workers = data;

        workers->timer = NULL;
        pthread_mutex_lock(&workers->lock);
        if (workers->first && workers->threads == 0)
                worker_start(workers);
        pthread_mutex_unlock(&workers->lock);
}

void workers_post(Workers *workers, WorkerFn fn, void *data) {
        Job *job = NEW(Job);

        job->fn = fn;
        job->data = data;
        pthread_mutex_lock(&workers->lock);
        *workers->end = job;
        workers->end = &job->next;
        workers->queued++;
        if (workers->queued > workers->idle && workers->threads < WORKERS_MAX)
                worker_start(workers);
        pthread_cond_signal(&workers->work);
        pthread_mutex_unlock(&workers->lock);
}

void workers_stop(Workers *workers) {
        pthread_mutex_lock(&workers->lock);
        workers->stopping = true;
        pthread_cond_broadcast(&workers->work);
        while (workers->threads > 0)
                pthread_cond_wait(&workers->ended, &workers->lock);
        while (workers->first) /* no thread could be started for it */
                job_run(workers);
        pthread_mutex_unlock(&workers->lock);
}

Workers *workers_free(Workers *workers) {
        if (!workers)
                return NULL;
        loop_remove(workers->timer);
        pthread_cond_destroy(&workers->work);
        pthread_cond_destroy(&workers->ended);
        pthread_mutex_destroy(&workers->lock);
        free(workers);
        return NULL;
}
