/* solve-images.c: images that stages are built from or take files of. What they are is found out
 * for all of them at once, before anything else; their layers come when files of them are needed.
 * See solve.h. */
#include <errno.h>

#include "build/solve-private.h"

typedef struct ImageJob {
        Solver *solver;
        NamedImage *image;
        pthread_t thread;
        bool started;
} ImageJob;

void images_done(Solver *solver) {
        for (size_t i = 0; i < solver->image_count; i++) {
                free(solver->images[i]->name);
                free(solver->images[i]->platform);
                solve_image_done(&solver->images[i]->image);
                free(solver->images[i]);
        }
        free(solver->images);
        free(solver->jobs);
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
        GROW(solver->images, solver->image_count);
        solver->images[solver->image_count++] = image;
}

static void *find_image(void *data) {
        ImageJob *job = data;
        const SolveWorker *worker = &job->solver->options->worker;
        Error err = {};
        int r = worker->image(worker->data, job->image->name, job->image->platform,
                              &job->image->image, &err);

        if (r < 0)
                solver_fail(job->solver, r, &err);
        return NULL;
}

int images_find(Solver *solver, size_t from, Error *err) {
        size_t count = solver->image_count - from;
        _cleanup_free_ ImageJob *jobs = NEW_ARRAY(ImageJob, count + 1);
        int r = 0;

        for (size_t i = 0; i < count; i++) {
                jobs[i] = (ImageJob){ .solver = solver, .image = solver->images[from + i] };
                if (i + 1 == count)
                        (void)find_image(&jobs[i]); /* the last one on this thread */
                else if (r == 0)
                        r = solver_thread(&jobs[i].thread, find_image, &jobs[i], err);
                jobs[i].started = r == 0 && i + 1 < count;
        }
        for (size_t i = 0; i < count; i++)
                if (jobs[i].started)
                        (void)pthread_join(jobs[i].thread, NULL);
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

static void *bring_image(void *data) {
        ImageJob *job = data;
        Error err = {};
        int r = image_bring(job->solver, job->image, &err);

        if (r < 0)
                solver_fail(job->solver, r, &err);
        return NULL;
}

/* ---- early ---- */

/* image may be NULL. */
static void add_job(Solver *solver, NamedImage *image) {
        for (size_t i = 0; i < solver->job_count; i++)
                if (solver->jobs[i].image == image)
                        return;
        if (!image)
                return;
        GROW(solver->jobs, solver->job_count);
        solver->jobs[solver->job_count++] = (ImageJob){ .solver = solver, .image = image };
}

/* What a step reads of others: it is opened for the step's second key already. */
static void add_inputs(StageState *stage, const Step *step) {
        for (size_t i = 0; i < step_input_count(step); i++) {
                const Input *input = step_input(step, i);

                if (!step_reads_files(step, i))
                        continue;
                add_job(stage->solver, input->kind == INPUT_STAGE
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
                        add_job(stage->solver, stage_root(stage));
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

                add_job(solver, stage_root(stage_at(branch->stages, plan_target(branch->plan))));
        }
        for (size_t i = 0; r == 0 && i < solver->job_count; i++) {
                ImageJob *job = &solver->jobs[i];

                r = solver_thread(&job->thread, bring_image, job, err);
                job->started = r == 0;
        }
        return r;
}

void images_join(Solver *solver) {
        for (size_t i = 0; i < solver->job_count; i++)
                if (solver->jobs[i].started)
                        (void)pthread_join(solver->jobs[i].thread, NULL);
}
