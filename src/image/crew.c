/* crew.c: see crew.h. */
#include "image/crew.h"

#include <errno.h>

#define PULLS 3
#define PUSHES 5

typedef struct Shift {
        const Crew *crew;
        Session known; /* what the first session found out: the others' start must not race with
                          what it learns */
        pthread_mutex_t lock; /* guards what follows */
        size_t next;
        Error failure; /* the first one's */
        bool failed;
} Shift;

typedef struct Worker {
        Shift *shift;
        pthread_t thread;
        bool started;
} Worker;

/* The next layer's position, or -1: there is none, or a worker failed. */
static ssize_t take_layer(Shift *shift) {
        ssize_t position = -1;

        (void)pthread_mutex_lock(&shift->lock);
        if (!shift->failed && shift->next < shift->crew->count)
                position = (ssize_t)shift->next++;
        (void)pthread_mutex_unlock(&shift->lock);
        return position;
}

static void fail(Shift *shift, const Error *err) {
        Assembly *assembly = shift->crew->assembly;

        (void)pthread_mutex_lock(&shift->lock);
        if (!shift->failed)
                shift->failure = *err;
        shift->failed = true;
        (void)pthread_mutex_unlock(&shift->lock);
        /* The other workers see it at their next report. */
        (void)pthread_mutex_lock(&assembly->lock);
        if (assembly->cancelled == 0)
                assembly->cancelled = -ECANCELED;
        (void)pthread_mutex_unlock(&assembly->lock);
}

static void work(Shift *shift, Session *session) {
        ssize_t position;

        while ((position = take_layer(shift)) >= 0) {
                Error err = {};

                if (shift->crew->work(shift->crew->data, session, (size_t)position, &err) < 0)
                        fail(shift, &err);
        }
}

static void *run_worker(void *data) {
        Shift *shift = ((Worker *)data)->shift;
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        Error err = {};

        if (session_start(shift->crew->options, &shift->known, &session, &err) < 0)
                fail(shift, &err);
        else
                work(shift, &session);
        return NULL;
}

int crew_run(const Crew *crew, Session *first, Error *err) {
        _cleanup_free_ char *endpoint = str_copy(first->endpoint),
                            *authorization = str_copy(first->authorization);
        Shift shift = { .crew = crew,
                        .known = { .endpoint = endpoint, .authorization = authorization },
                        .lock = PTHREAD_MUTEX_INITIALIZER };
        size_t helpers = MIN(crew->count, crew->most);
        _cleanup_free_ Worker *workers = NEW_ARRAY(Worker, helpers + 1);

        for (size_t i = 1; i < helpers; i++) {
                workers[i].shift = &shift;
                /* Fewer threads do the same layers. */
                workers[i].started =
                        pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0;
        }
        work(&shift, first);
        for (size_t i = 1; i < helpers; i++)
                if (workers[i].started)
                        (void)pthread_join(workers[i].thread, NULL);
        (void)pthread_mutex_destroy(&shift.lock);
        if (!shift.failed)
                return 0;
        if (err)
                *err = shift.failure;
        return shift.failure.number ? -shift.failure.number : error_number_of(shift.failure.kind);
}

size_t crew_pulls(const RegistryOptions *options) {
        return options && options->downloads > 0 ? (size_t)options->downloads : PULLS;
}

size_t crew_pushes(const RegistryOptions *options) {
        return options && options->uploads > 0 ? (size_t)options->uploads : PUSHES;
}
