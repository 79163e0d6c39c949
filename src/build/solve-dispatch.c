/* solve-dispatch.c: the images that stages name are found out about, the stages dispatched upon
 * them, and their steps given names and numbers. See solve.h. */
#include <errno.h>

#include "build/solve-private.h"

#define DEPTH_MAX 256u /* stages that are dispatched within each other: a stack is small */

static int resolve_images(Solver *solver, Error *err) {
        for (size_t i = 0; i < solver->count; i++) {
                const StageState *stage = &solver->stages[i];

                if (!stage->stage->reachable)
                        continue;
                images_want(stage, &stage->stage->base);
                for (size_t k = 0; k < stage->stage->input_count; k++)
                        images_want(stage, &stage->stage->inputs[k]);
        }
        return images_find(solver, 0, err);
}

static int dispatch(StageState *stage, Error *err);

/* Triggers of an image's ONBUILD may name stages that nothing else does. */
static int dispatch_needs(StageState *stage, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < stage->stage->need_count; i++) {
                StageState *needed = &stage->branch->stages[stage->stage->needs[i]];

                if (!needed->wanted)
                        r = dispatch(needed, err);
        }
        return r;
}

/* And images. */
static int dispatch_images(StageState *stage, Error *err) {
        size_t images = stage->solver->image_count;

        for (size_t i = 0; i < stage->stage->input_count; i++)
                images_want(stage, &stage->stage->inputs[i]);
        return images == stage->solver->image_count ? 0 : images_find(stage->solver, images, err);
}

static bool fits(const ImageConfig *config, const char *platform) {
        _cleanup_strv_ char **parts = str_split(platform, '/');

        return (!config->os || str_equal(config->os, parts[0])) &&
               (!config->architecture || str_equal(config->architecture, parts[1]));
}

/* What a stage begins with; nobody has looked for it where the target does not reach the stage. */
static int dispatch_base(StageState *stage, const ImageConfig **ret, Error *err) {
        const SolveWorker *worker = &stage->solver->options->worker;
        const Input *base = &stage->stage->base;
        size_t images = stage->solver->image_count;
        int r = 0;

        *ret = NULL;
        if (base->kind == INPUT_STAGE) {
                StageState *below = &stage->branch->stages[base->stage];

                if (!below->wanted)
                        r = dispatch(below, err);
                *ret = &below->plan.config;
                return r;
        }
        images_want(stage, base);
        if (images != stage->solver->image_count)
                r = images_find(stage->solver, images, err);
        stage->image = stage_image(stage, base);
        if (r < 0 || !stage->image)
                return r;
        *ret = &stage->image->image.config;
        return fits(*ret, stage->stage->platform)
                       ? 0
                       : worker->mismatch(worker->data, stage->stage, *ret, err);
}

static int dispatch_one(StageState *stage, Error *err) {
        const ImageConfig *base = NULL;
        int r;

        stage->wanted = true;
        r = dispatch_base(stage, &base, err);
        if (r == 0)
                r = plan_dispatch(stage->branch->plan, stage->index, base, &stage->plan, err);
        if (r < 0)
                return r;
        stage->steps = NEW_ARRAY(StepState, stage->plan.step_count + 1);
        stage->missing = stage->plan.step_count;
        r = dispatch_images(stage, err);
        if (r == 0)
                r = dispatch_needs(stage, err);
        if (r == 0)
                stage_find_twin(stage);
        return r;
}

/* In the order of the file none is dispatched within another, but for those that triggers name. */
static int dispatch(StageState *stage, Error *err) {
        Solver *solver = stage->solver;
        int r = solver->depth < DEPTH_MAX
                        ? 0
                        : error_kind(err, ERROR_UNSUPPORTED,
                                     "stage %s: more than %u stages that only an image's ONBUILD "
                                     "instructions name need each other: name one of them in the "
                                     "Dockerfile's target",
                                     stage->stage->name, DEPTH_MAX);

        solver->depth++;
        if (r == 0)
                r = dispatch_one(stage, err);
        solver->depth--;
        return r;
}

static const char *base_name(const StageState *stage) {
        const Input *base = &stage->stage->base;

        if (base->kind == INPUT_STAGE)
                return stage_at(stage, base->stage)->stage->name;
        return base->kind == INPUT_SCRATCH ? "scratch" : base->name;
}

/* "linux/amd64->arm64 build " of what stands between the bracket and the number. target: what the
 * step is built for, or NULL. */
static char *shown_stage(const StageState *stage, const char *target) {
        const Plan *plan = stage->branch->plan;
        bool alone = str_equal(stage->stage->name, "stage-0") && plan_target(plan) == 0 &&
                     stage->index == 0;
        bool several = stage->solver->branch_count > 1;

        return str_format("%s%s%s%s%s%s", several ? stage->stage->platform : "",
                          several && target ? "->" : "", several && target ? target : "",
                          several ? " " : "", alone ? "" : stage->stage->name, alone ? "" : " ");
}

typedef struct Numbers {
        size_t steps, triggers; /* those among them */
} Numbers;

/* "[build 2/5] RUN make": the steps that make layers are counted, and FROM. */
static void name_steps(StageState *stage, Numbers *numbers) {
        size_t total = 1, position = 1;
        _cleanup_free_ char *shown = shown_stage(stage, NULL);

        for (size_t i = 0; i < stage->plan.step_count; i++) {
                total += step_makes_layer(&stage->plan.steps[i]);
                stage->triggers += stage->plan.steps[i].trigger;
        }
        stage->written = numbers->steps - numbers->triggers;
        stage->number = numbers->steps++;
        stage->name = str_format("[%s1/%zu] FROM %s", shown, total, base_name(stage));
        for (size_t i = 0; i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];
                _cleanup_free_ char *where = shown_stage(stage, step->target);

                stage->steps[i].written = numbers->steps - numbers->triggers;
                stage->steps[i].number = numbers->steps++;
                stage->steps[i].triggers = step->trigger ? stage->triggers - i - 1 : 0;
                numbers->triggers += step->trigger;
                if (step_makes_layer(step))
                        stage->steps[i].name =
                                str_format("[%s%zu/%zu] %s", where, ++position, total, step->text);
        }
}

int solver_dispatch(Solver *solver, Error *err) {
        SolveEvent event = { .kind = SOLVE_PLANNED };
        Numbers numbers = {};
        int r = resolve_images(solver, err);

        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (solver_cancelled(solver))
                        r = error_set(err, ECANCELED, "the build was cancelled");
                else if (solver->stages[i].stage->reachable && !solver->stages[i].wanted)
                        r = dispatch(&solver->stages[i], err);
        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (stage_is_live(&solver->stages[i]))
                        name_steps(&solver->stages[i], &numbers);
        if (r < 0)
                return r;
        solver_note_inputs(solver, numbers.steps);
        event.total = (int64_t)numbers.steps;
        event.triggers = numbers.triggers;
        return solver_event(solver, &event, err);
}
