/* solve-pool.c: the threads that run stages: one a stage, but of a file with very many no more than
 * a machine bears. Knows not what running one is. See solve.h. */
#include "build/solve-private.h"

#define STAGES_AT_ONCE 64u

typedef struct Pool {
        Solver *solver;
        void (*run)(StageState *stage);
        StageState **queue;
        size_t count, next; /* next: guarded by the solver's lock */
} Pool;

static bool must_run(const StageState *stage) {
        return stage->needed && !stage->ended;
}

static bool names_stages(const StageState *stage) {
        return stage->stage->need_count > 0 || stage->stage->base.kind == INPUT_STAGE;
}

/* Stages wait for those that they name: these stand before them in the file, or are contexts, which
 * name none. In this order the first that has not ended never waits for one that nobody has taken.
 */
static void fill(Pool *pool) {
        Solver *solver = pool->solver;

        pool->queue = NEW_ARRAY(StageState *, solver->count + 1);
        for (int waits = 0; waits < 2; waits++)
                for (size_t i = 0; i < solver->count; i++)
                        if (must_run(&solver->stages[i]) &&
                            names_stages(&solver->stages[i]) == waits)
                                pool->queue[pool->count++] = &solver->stages[i];
}

static StageState *next(Pool *pool) {
        StageState *stage;

        (void)pthread_mutex_lock(&pool->solver->lock);
        stage = pool->next < pool->count ? pool->queue[pool->next++] : NULL;
        (void)pthread_mutex_unlock(&pool->solver->lock);
        return stage;
}

static void *work(void *data) {
        Pool *pool = data;
        StageState *stage;

        while ((stage = next(pool)))
                pool->run(stage);
        return NULL;
}

int solver_run_stages(Solver *solver, void (*run)(StageState *stage), Error *err) {
        Pool pool = { .solver = solver, .run = run };
        pthread_t threads[STAGES_AT_ONCE];
        size_t started = 0;
        int r = 0;

        fill(&pool);
        while (r == 0 && started < MIN(pool.count, STAGES_AT_ONCE)) {
                r = solver_thread(&threads[started], work, &pool, err);
                started += r == 0;
        }
        for (size_t i = 0; i < started; i++)
                (void)pthread_join(threads[i], NULL);
        free(pool.queue);
        return started > 0 ? 0 : r; /* fewer threads do it, too */
}
