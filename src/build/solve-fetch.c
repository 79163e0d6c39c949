/* solve-fetch.c: what ADD names by URL, fetched all at once before the first key is made: a key has
 * the digest of the bytes, and one file after the other would make a build wait for each. What
 * failed is told by the step that asks for it. */
#include "build/solve-private.h"

#define AT_ONCE 8u

struct Fetched {
        const char *url, *checksum; /* the step's */
        char digest[DIGEST_TEXT_MAX];
        int r;
        Error *err; /* where r is negative */
};

typedef struct Fetching {
        Solver *solver;
        size_t next; /* guarded by the solver's lock */
} Fetching;

static Fetched *find_fetched(const Solver *solver, const char *url, const char *checksum) {
        for (size_t i = 0; i < solver->fetched_count; i++) {
                Fetched *fetched = &solver->fetched[i];

                if (str_equal(fetched->url, url) && str_equal(fetched->checksum, checksum))
                        return fetched;
        }
        return NULL;
}

static void collect_step(Solver *solver, const CopyStep *copy) {
        for (size_t i = 0; i < copy->source_count; i++) {
                const CopySource *source = &copy->sources[i];

                if (source->kind != COPY_URL || find_fetched(solver, source->path, copy->checksum))
                        continue;
                GROW(solver->fetched, solver->fetched_count);
                solver->fetched[solver->fetched_count++] =
                        (Fetched){ .url = source->path, .checksum = copy->checksum };
        }
}

static void collect(Solver *solver) {
        for (size_t i = 0; i < solver->count; i++) {
                const StageState *stage = &solver->stages[i];
                const StagePlan *plan = &stage->plan;

                for (size_t k = 0; stage_is_live(stage) && k < plan->step_count; k++)
                        if (plan->steps[k].kind == STEP_COPY)
                                collect_step(solver, &plan->steps[k].copy);
        }
}

static void *fetch_some(void *data) {
        Fetching *fetching = data;
        Solver *solver = fetching->solver;
        const SolveWorker *worker = &solver->options->worker;

        for (;;) {
                Fetched *fetched;
                Error err = {};
                size_t at;

                (void)pthread_mutex_lock(&solver->lock);
                at = fetching->next++;
                (void)pthread_mutex_unlock(&solver->lock);
                if (at >= solver->fetched_count)
                        return NULL;
                fetched = &solver->fetched[at];
                fetched->r = worker->fetch(worker->data, fetched->url, fetched->checksum,
                                           fetched->digest, &err);
                if (fetched->r < 0)
                        fetched->err = alloc_copy(&err, sizeof(err));
        }
}

int solver_fetch_all(Solver *solver, Error *err) {
        Fetching fetching = { .solver = solver };
        pthread_t threads[AT_ONCE];
        size_t started = 0;
        int r = 0;

        collect(solver);
        /* This thread is one of them. */
        while (r == 0 && started + 1 < MIN(solver->fetched_count, AT_ONCE)) {
                r = solver_thread(&threads[started], fetch_some, &fetching, err);
                started += r == 0;
        }
        (void)fetch_some(&fetching);
        for (size_t i = 0; i < started; i++)
                (void)pthread_join(threads[i], NULL);
        return r;
}

int solver_fetched(const Solver *solver, const char *url, const char *checksum,
                   char digest[DIGEST_TEXT_MAX], Error *err) {
        const Fetched *fetched = find_fetched(solver, url, checksum);

        if (!fetched)
                return error_kind(err, ERROR_INTERNAL, "'%s' was not fetched", url);
        if (fetched->r < 0 && err)
                *err = *fetched->err;
        memcpy(digest, fetched->digest, DIGEST_TEXT_MAX);
        return fetched->r;
}

void solver_fetched_done(Solver *solver) {
        for (size_t i = 0; i < solver->fetched_count; i++)
                free(solver->fetched[i].err);
        free(solver->fetched);
}
