/* solve-images.c: images that stages are built from or take files of. What they are is found out
 * for all of them at once, before anything else; their layers come when files of them are needed.
 * See solve.h. */
#include <errno.h>

#include "build/solve-private.h"

void images_done(Solver *solver) {
        for (size_t i = 0; i < solver->image_count; i++) {
                free(solver->images[i]->name);
                free(solver->images[i]->platform);
                solve_image_done(&solver->images[i]->image);
                free(solver->images[i]);
        }
        free(solver->images);
        free(solver->wanted);
}

/* ---- names ---- */

const char *input_image_name(const Solver *solver, const Input *input) {
        const SolveWorker *worker = &solver->options->worker;

        if (input->kind == INPUT_IMAGE)
                return input->name;
        if (input->kind == INPUT_CONTEXT && *input->name)
                return worker->alias(worker->data, input->name);
        return NULL;
}

static const char *platform_of(const StageState *stage, const Input *input) {
        return input->platform ?: plan_target_platform(stage->branch->plan);
}

NamedImage *stage_image(const StageState *stage, const Input *input) {
        const Solver *solver = stage->solver;
        const char *name = input_image_name(solver, input);
        const char *platform = platform_of(stage, input);

        for (size_t i = 0; name && i < solver->image_count; i++)
                if (str_equal(solver->images[i]->name, name) &&
                    str_equal(solver->images[i]->platform, platform))
                        return solver->images[i];
        return NULL;
}

NamedImage *stage_root(const StageState *stage) {
        while (stage->stage->base.kind == INPUT_STAGE)
                stage = stage_at(stage, stage->stage->base.stage);
        return stage->image;
}

/* ---- what they are ---- */

void images_want(const StageState *stage, const Input *input) {
        Solver *solver = stage->solver;
        const char *name = input_image_name(solver, input);
        NamedImage *image;

        if (!name || stage_image(stage, input))
                return;
        image = NEW(NamedImage);
        image->name = str_copy(name);
        image->platform = str_copy(platform_of(stage, input));
        image->plan = stage->branch->plan;
        image->at = input->at;
        GROW(solver->images, solver->image_count);
        solver->images[solver->image_count++] = image;
}

/* A share of the images from `next` on, a thread each. */
typedef struct Finding {
        Solver *solver;
        size_t next; /* guarded by the solver's lock */
} Finding;

static NamedImage *next_image(Solver *solver, NamedImage **images, size_t count, size_t *next) {
        NamedImage *image;

        (void)pthread_mutex_lock(&solver->lock);
        image = *next < count && !solver->failed ? images[(*next)++] : NULL;
        (void)pthread_mutex_unlock(&solver->lock);
        return image;
}

/* Where it was named, and what may have been meant; of the kind that it was. */
static void explain(const NamedImage *image, Error *err) {
        _cleanup_free_ char *hint = plan_name_hint(image->plan, image->name);
        const Error why = *err;

        (void)plan_error(image->plan, image->at, err, "%.340s%s", why.message, hint);
        err->kind = why.kind;
        err->number = why.number;
}

static void *find_some(void *data) {
        Finding *finding = data;
        Solver *solver = finding->solver;
        const SolveWorker *worker = &solver->options->worker;
        NamedImage *image;

        while ((image = next_image(solver, solver->images, solver->image_count, &finding->next))) {
                Error err = {};
                int r = worker->image(worker->data, image->name, image->platform, &image->image,
                                      &err);

                if (r < 0 && r != -ECANCELED)
                        explain(image, &err);
                if (r < 0)
                        solver_fail(solver, r, &err);
        }
        return NULL;
}

int images_find(Solver *solver, size_t from, Error *err) {
        Finding finding = { .solver = solver, .next = from };
        pthread_t threads[SOLVE_IMAGES_AT_ONCE];
        size_t started = 0, count = solver->image_count - from;
        int r = 0;

        /* This thread is one of them. */
        while (r == 0 && started + 1 < MIN(count, SOLVE_IMAGES_AT_ONCE)) {
                r = solver_thread(&threads[started], find_some, &finding, err);
                started += r == 0;
        }
        (void)find_some(&finding);
        for (size_t i = 0; i < started; i++)
                (void)pthread_join(threads[i], NULL);
        return r < 0 ? r : solver_result(solver, err);
}

/* ---- their layers ---- */

/* True: the caller brings them, and ends it with image_came. */
static bool image_claim(Solver *solver, NamedImage *image) {
        bool ours;

        (void)pthread_mutex_lock(&solver->lock);
        while (image->state == IMAGE_COMING)
                (void)pthread_cond_wait(&solver->changed, &solver->lock);
        ours = image->state == IMAGE_KNOWN;
        if (ours)
                image->state = IMAGE_COMING;
        (void)pthread_mutex_unlock(&solver->lock);
        return ours;
}

static void image_came(Solver *solver, NamedImage *image, int result, const Error *err) {
        (void)pthread_mutex_lock(&solver->lock);
        image->state = IMAGE_CAME;
        image->result = result;
        image->error = *err;
        (void)pthread_cond_broadcast(&solver->changed);
        (void)pthread_mutex_unlock(&solver->lock);
}

/* Whoever waited for it fails by the same error. */
int image_bring(Solver *solver, NamedImage *image, Error *err) {
        const SolveWorker *worker = &solver->options->worker;
        Error why = {};
        int r;

        if (!image)
                return 0;
        if (image_claim(solver, image)) {
                r = worker->bring_image(worker->data, image->name, image->platform, &image->image,
                                        &why);
                image_came(solver, image, r, &why);
        }
        if (image->result < 0 && err)
                *err = image->error;
        return image->result;
}

static void *bring_some(void *data) {
        Solver *solver = data;
        NamedImage *image;

        while ((image = next_image(solver, solver->wanted, solver->wanted_count,
                                   &solver->next_wanted))) {
                Error err = {};
                int r = image_bring(solver, image, &err);

                if (r < 0)
                        solver_fail(solver, r, &err);
        }
        return NULL;
}

/* ---- early ---- */

/* image may be NULL. */
static void add_wanted(Solver *solver, NamedImage *image) {
        for (size_t i = 0; i < solver->wanted_count; i++)
                if (solver->wanted[i] == image)
                        return;
        if (!image)
                return;
        GROW(solver->wanted, solver->wanted_count);
        solver->wanted[solver->wanted_count++] = image;
}

/* What a step reads of others: it is opened for the step's second key already. */
static void add_inputs(StageState *stage, const Step *step) {
        for (size_t i = 0; i < step_input_count(step); i++) {
                const Input *input = step_input(step, i);

                if (!step_reads_files(step, i))
                        continue;
                add_wanted(stage->solver, input->kind == INPUT_STAGE
                                                  ? stage_root(stage_at(stage, input->stage))
                                                  : stage_image(stage, input));
        }
}

/* A step that may yet be found by what its inputs hold needs no base so far. */
static void add_stage(StageState *stage) {
        bool is_first = true;

        for (size_t i = stage->missing; i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];

                if (is_first && step_makes_layer(step) && step_is_certain(stage, i))
                        add_wanted(stage->solver, stage_root(stage));
                is_first = is_first && !step_makes_layer(step);
                add_inputs(stage, step);
        }
}

int images_bring_needed(Solver *solver, Error *err) {
        int r = 0;

        for (size_t i = 0; i < solver->count; i++)
                if (solver->stages[i].needed && !solver->stages[i].ended)
                        add_stage(&solver->stages[i]);
        for (size_t i = 0; i < solver->branch_count; i++) {
                const Branch *branch = &solver->branches[i];

                add_wanted(solver, stage_root(stage_at(branch->stages, plan_target(branch->plan))));
        }
        while (r == 0 && solver->bringer_count < MIN(solver->wanted_count, SOLVE_IMAGES_AT_ONCE)) {
                r = solver_thread(&solver->bringers[solver->bringer_count], bring_some, solver,
                                  err);
                solver->bringer_count += r == 0;
        }
        return r;
}

void images_join(Solver *solver) {
        for (size_t i = 0; i < solver->bringer_count; i++)
                (void)pthread_join(solver->bringers[i], NULL);
}
