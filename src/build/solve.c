/* solve.c: see solve.h. Once the stages are dispatched (solve-dispatch.c) every stage's keys are
 * made, in the order of the file, as far as that needs no step to be run; then what the target
 * needs and the cache lacks is run (solve-pool.c). */
#include <errno.h>

#include "base/clock.h"
#include "build/solve-private.h"

#define STAGE_STACK ((size_t)512 * 1024)

void solve_image_done(SolveImage *image) {
        json_done(&image_config_table, &image->config);
        strv_free(image->layers);
        free(image->digest);
        *image = (SolveImage){};
}

void solve_input_done(SolveInput *input) {
        strv_free(input->layers);
        *input = (SolveInput){};
}

void solve_recall_done(SolveRecall *recall) {
        free(recall->layer);
        free(recall->parent);
        *recall = (SolveRecall){};
}

/* Takes what a build held. */
static void release(BuildCache *cache, char **held, int64_t began) {
        build_cache_used(cache, held, began);
        for (char **layer = held; layer && *layer; layer++)
                build_cache_release(cache, *layer);
        strv_free(held);
}

void solve_result_done(SolveResult *result) {
        for (size_t i = 0; i < result->stage_count; i++) {
                strv_free(result->stages[i].layers);
                free(result->stages[i].records);
        }
        free(result->stages);
        release(result->cache, result->held, result->began);
        strv_free(result->layers);
        json_done(&image_config_table, &result->config);
        *result = (SolveResult){};
}

static void solver_done(Solver *solver) {
        for (size_t i = 0; i < solver->count; i++) {
                StageState *stage = &solver->stages[i];

                for (size_t step = 0; step < stage->plan.step_count; step++) {
                        free(stage->steps[step].name);
                        free(stage->steps[step].layer);
                        free(stage->steps[step].digests);
                        strv_free(stage->steps[step].keys);
                }
                free(stage->steps);
                free(stage->name);
                stage_plan_done(&stage->plan);
        }
        free(solver->stages);
        solver_fetched_done(solver);
        solver_inputs_done(solver);
        free(solver->branches);
        images_done(solver);
        release(solver->options->cache, solver->held, solver->began);
        (void)pthread_mutex_destroy(&solver->lock);
        (void)pthread_mutex_destroy(&solver->event_lock);
        (void)pthread_cond_destroy(&solver->changed);
}

/* ---- what all threads share ---- */

bool solver_cancelled(void *data) {
        Solver *solver = data;
        bool failed;

        (void)pthread_mutex_lock(&solver->lock);
        failed = solver->failed;
        (void)pthread_mutex_unlock(&solver->lock);
        return failed || solver->options->cancelled(solver->options->data);
}

void solver_hold(Solver *solver, const char *layer) {
        (void)pthread_mutex_lock(&solver->lock);
        strv_add(&solver->held, layer);
        (void)pthread_mutex_unlock(&solver->lock);
}

bool solver_holds(Solver *solver, const char *layer) {
        bool holds;

        (void)pthread_mutex_lock(&solver->lock);
        holds = strv_has(solver->held, layer);
        (void)pthread_mutex_unlock(&solver->lock);
        return holds;
}

int solver_event(Solver *solver, const SolveEvent *given, Error *err) {
        bool begins = given->kind == SOLVE_STARTED || given->kind == SOLVE_CACHED, refused;
        SolveEvent event = *given;

        if (begins && given->step < solver->input_count) {
                event.inputs = solver->inputs[given->step].list;
                event.input_count = solver->inputs[given->step].count;
        }

        (void)pthread_mutex_lock(&solver->event_lock);
        if (!solver->refused && solver->options->event(solver->options->data, &event) < 0)
                solver->refused = true;
        refused = solver->refused;
        (void)pthread_mutex_unlock(&solver->event_lock);
        if (!refused)
                return 0;
        (void)pthread_mutex_lock(&solver->lock);
        solver->failed = true;
        (void)pthread_mutex_unlock(&solver->lock);
        return error_set(err, ECANCELED, "the build was cancelled");
}

void solver_fail(Solver *solver, int r, const Error *err) {
        (void)pthread_mutex_lock(&solver->lock);
        if (solver->result == 0) {
                solver->result = r;
                solver->error = *err;
        }
        solver->failed = true;
        (void)pthread_cond_broadcast(&solver->changed);
        (void)pthread_mutex_unlock(&solver->lock);
}

int stage_wait(StageState *stage, Error *err) {
        Solver *solver = stage->solver;
        int r;

        (void)pthread_mutex_lock(&solver->lock);
        while (!stage->ended)
                (void)pthread_cond_wait(&solver->changed, &solver->lock);
        r = stage->result;
        (void)pthread_mutex_unlock(&solver->lock);
        return r < 0 ? error_set(err, ECANCELED, "stage %s failed", stage->stage->name) : 0;
}

static void stage_end(StageState *stage, int r) {
        Solver *solver = stage->solver;

        (void)pthread_mutex_lock(&solver->lock);
        stage->ended = true;
        stage->result = r;
        (void)pthread_cond_broadcast(&solver->changed);
        (void)pthread_mutex_unlock(&solver->lock);
}

/* ---- layers ---- */

const StageState *stage_below(const StageState *stage) {
        const Input *base = &stage->stage->base;

        return base->kind == INPUT_STAGE ? stage_at(stage, base->stage) : NULL;
}

char **stage_layers(const StageState *stage, size_t steps) {
        const NamedImage *image = stage_root(stage);
        char **layers = image ? strv_copy(image->image.layers) : NULL, **top = NULL;

        for (; stage; stage = stage_below(stage), steps = stage ? stage->plan.step_count : 0)
                for (size_t i = steps; i-- > 0;)
                        if (!str_empty(stage->steps[i].layer))
                                strv_add(&top, stage->steps[i].layer);
        for (size_t i = strv_length(top); i-- > 0;)
                strv_add(&layers, top[i]);
        strv_free(top);
        return layers;
}

/* ---- threads ---- */

int solver_thread(pthread_t *ret, void *(*run)(void *), void *data, Error *err) {
        pthread_attr_t attributes;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, STAGE_STACK);
        r = pthread_create(ret, &attributes, run, data);
        (void)pthread_attr_destroy(&attributes);
        return r ? error_set(err, r, "start a thread of the build") : 0;
}

int solver_result(const Solver *solver, Error *err) {
        if (solver->result < 0 && err)
                *err = solver->error;
        return solver->result;
}

/* ---- stages ---- */

StageState *stage_at(const StageState *stage, size_t index) {
        StageState *found = &stage->branch->stages[index];

        return found->twin ?: found;
}

bool step_makes_layer(const Step *step) {
        return step->kind != STEP_META;
}

bool stage_is_live(const StageState *stage) {
        return stage->wanted && !stage->twin;
}

SolveEvent step_event(const StageState *stage, size_t index, SolveEventKind kind) {
        const StepState *state = &stage->steps[index];
        const Step *step = &stage->plan.steps[index];

        return (SolveEvent){ .kind = kind,
                             .step = state->number,
                             .written = state->written,
                             .trigger = step->trigger,
                             .triggers = state->triggers,
                             .name = state->name,
                             .instruction = step->text,
                             .at = step->at };
}

static void tell_stage(const StageState *stage) {
        _cleanup_free_ char *text =
                str_format("FROM %s", str_after(strchr(stage->name, ']') + 1, " FROM ") ?: "");
        SolveEvent event = { .kind = SOLVE_STARTED,
                             .step = stage->number,
                             .written = stage->written,
                             .triggers = stage->triggers,
                             .name = stage->name,
                             .instruction = text,
                             .at = stage->stage->at };

        event.layer = stage->image ? stage->image->image.key : "";
        (void)solver_event(stage->solver, &event, NULL);
        event.kind = SOLVE_DONE;
        (void)solver_event(stage->solver, &event, NULL);
}

/* The layer that is topmost after a step. */
static const char *layer_after(const StageState *stage, size_t index) {
        for (size_t i = index + 1; i-- > 0;)
                if (!str_empty(stage->steps[i].layer))
                        return stage->steps[i].layer;
        return stage->image ? stage->image->image.key : "";
}

/* A step that makes no layer: found with the one before it, or done as soon as it begins. Nothing
 * is found where no cache is wanted, or none can be. */
static void tell_meta(StageState *stage, size_t index, bool before_found) {
        const SolveOptions *options = stage->solver->options;
        bool found = before_found && !options->no_cache && !stage->plan.steps[index].no_cache &&
                     (!options->worker.trusts || options->worker.trusts(options->worker.data, ""));
        SolveEvent event = step_event(stage, index, found ? SOLVE_CACHED : SOLVE_STARTED);

        event.layer = layer_after(stage, index);
        if (stage->steps[index].told)
                return;
        stage->steps[index].told = true;
        (void)solver_event(stage->solver, &event, NULL);
        event.kind = SOLVE_DONE;
        if (!found)
                (void)solver_event(stage->solver, &event, NULL);
}

/* A step that changes the configuration only has its parent's key and no layer. */
static void pass_meta(StageState *stage, size_t index, const char *parent) {
        (void)snprintf(stage->steps[index].key, DIGEST_TEXT_MAX, "%s", parent);
        str_replace(&stage->steps[index].layer, "");
}

static const char *key_before(const StageState *stage, size_t index) {
        return index > 0 ? stage->steps[index - 1].key : stage->base_key;
}

static void find_base(StageState *stage) {
        const Input *base = &stage->stage->base;

        stage->base_key = "scratch";
        if (base->kind == INPUT_STAGE)
                stage->base_key = stage_at(stage, base->stage)->key;
        else if (stage->image && *stage->image->image.key)
                stage->base_key = stage->image->image.key;
}

/* The steps that are there, from the first one on: nothing is run. What a step that is not there
 * gives is not known, nor is what stands upon it. */
static int find_stage(StageState *stage, Error *err) {
        bool found;
        int r = 0;

        find_base(stage);
        tell_stage(stage);
        found = *stage->base_key != '\0';
        stage->missing = found ? stage->plan.step_count : 0;
        for (size_t i = 0; r == 0 && found && i < stage->plan.step_count; i++) {
                const char *before = key_before(stage, i);

                if (!step_makes_layer(&stage->plan.steps[i])) {
                        pass_meta(stage, i, before);
                        tell_meta(stage, i, true);
                        continue;
                }
                r = step_find(stage, i, before, &found, err);
                if (!found)
                        stage->missing = i;
        }
        if (!found)
                return r;
        (void)snprintf(stage->key, sizeof(stage->key), "%s",
                       key_before(stage, stage->plan.step_count));
        stage->ended = true;
        return r;
}

/* ---- what is needed ---- */

/* Stages that were found to be needed, and what they need was not looked at. */
typedef struct Needed {
        StageState **stages;
        size_t count;
} Needed;

static void add_needed(Needed *needed, StageState *stage) {
        if (stage->needed)
                return;
        stage->needed = true;
        needed->stages[needed->count++] = stage;
}

static void need_input(Needed *needed, const StageState *stage, const Input *input) {
        if (input->kind == INPUT_STAGE)
                add_needed(needed, stage_at(stage, input->stage));
}

static void need_inputs(Needed *needed, const StageState *stage) {
        need_input(needed, stage, &stage->stage->base);
        for (size_t i = stage->missing; i < stage->plan.step_count; i++)
                for (size_t k = 0; k < step_input_count(&stage->plan.steps[i]); k++)
                        need_input(needed, stage, step_input(&stage->plan.steps[i], k));
}

void need(StageState *stage) {
        /* Each is added once. */
        Needed needed = { .stages = NEW_ARRAY(StageState *, stage->solver->count + 1) };

        add_needed(&needed, stage);
        while (needed.count > 0)
                need_inputs(&needed, needed.stages[--needed.count]);
        free(needed.stages);
}

/* Whoever counts the steps hears of those, too, that nothing needs any more. */
static void tell_unneeded(StageState *stage) {
        for (size_t i = 0; !stage->needed && i < stage->plan.step_count; i++) {
                SolveEvent event = step_event(stage, i, SOLVE_CACHED);

                event.name = NULL;
                event.layer = "";
                if (!stage->steps[i].told)
                        (void)solver_event(stage->solver, &event, NULL);
                stage->steps[i].told = true;
        }
}

/* ---- running ---- */

static int wait_inputs(const StageState *stage, const Step *step, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < step_input_count(step); i++)
                if (step_input(step, i)->kind == INPUT_STAGE)
                        r = stage_wait(stage_at(stage, step_input(step, i)->stage), err);
        return r;
}

static int run_stage(StageState *stage, Error *err) {
        const Input *base = &stage->stage->base;
        int r = 0;

        if (base->kind == INPUT_STAGE)
                r = stage_wait(stage_at(stage, base->stage), err);
        if (r == 0)
                find_base(stage);
        for (size_t i = stage->missing; r == 0 && i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];

                if (solver_cancelled(stage->solver))
                        return error_set(err, ECANCELED, "the build was cancelled");
                if (!step_makes_layer(step)) {
                        pass_meta(stage, i, key_before(stage, i));
                        tell_meta(stage, i, false);
                        continue;
                }
                r = wait_inputs(stage, step, err);
                if (r == 0)
                        r = step_solve(stage, i, key_before(stage, i), err);
        }
        if (r == 0)
                (void)snprintf(stage->key, sizeof(stage->key), "%s",
                               key_before(stage, stage->plan.step_count));
        return r;
}

static void run_and_end(StageState *stage) {
        Error err = {};
        int r = run_stage(stage, &err);

        if (r < 0)
                solver_fail(stage->solver, r, &err);
        stage_end(stage, r);
}

/* Programs of which platform a stage's RUN starts: its base's, whatever was asked for. */
static char *runs_platform(const StageState *stage) {
        const NamedImage *root = stage_root(stage);
        const ImageConfig *config = root ? &root->image.config : NULL;

        return config && config->os && config->architecture
                       ? str_format("%s/%s", config->os, config->architecture)
                       : str_copy(stage->stage->platform);
}

static int check_stage(StageState *stage, Error *err) {
        const SolveWorker *worker = &stage->solver->options->worker;
        _cleanup_free_ char *platform = runs_platform(stage);

        for (size_t i = stage->missing; i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];
                int r;

                if (step->kind != STEP_RUN || worker->can_run(worker->data, platform))
                        continue;
                r = plan_error(
                        stage->branch->plan, step->at, err,
                        "%s is for %s, and this machine has no way to run that: install an "
                        "emulator that is registered in binfmt_misc with the flag F (Debian: "
                        "qemu-user-static), or cross-compile in a stage FROM "
                        "--platform=$BUILDPLATFORM and COPY the result",
                        stage->steps[i].name, platform);
                return step_refused(stage, i, r, err);
        }
        return 0;
}

static int run_needed(Solver *solver, Error *err) {
        int r = solver_settle(solver, err);

        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (stage_is_live(&solver->stages[i]))
                        tell_unneeded(&solver->stages[i]);
        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (solver->stages[i].needed && !solver->stages[i].ended)
                        r = check_stage(&solver->stages[i], err);
        if (r < 0)
                return r;
        r = images_bring_needed(solver, err);
        if (r == 0)
                r = solver_run_stages(solver, run_and_end, err);
        if (r < 0)
                solver_fail(solver, r, err);
        images_join(solver);
        return solver_result(solver, err);
}

/* ---- the result ---- */

/* When each entry of the history was made: its layer's time, or that of the layer before it. So the
 * same layers give the same image. */
static void date_history(const StageState *stage, int64_t epoch, int64_t before,
                         ImageConfig *config) {
        ImageHistory *history = config->history.items;

        for (size_t i = 0; i < stage->plan.step_count; i++) {
                size_t at = stage->plan.base_history + i;
                int64_t made = stage->steps[i].created_at;

                if (made > before || (step_makes_layer(&stage->plan.steps[i]) && made))
                        before = made;
                if (at < config->history.count)
                        history[at].created = epoch >= 0 ? epoch * NSEC_PER_SEC : before;
        }
        config->created = epoch >= 0 ? epoch * NSEC_PER_SEC : before ?: clock_now();
}

/* A stage upon a stage begins with that one's history, which has been dated by now. */
static void copy_dates(const ImageConfig *below, size_t count, ImageConfig *config) {
        ImageHistory *to = config->history.items;
        const ImageHistory *from = below ? below->history.items : NULL;

        for (size_t i = 0; i < count; i++)
                to[i].created = from[i].created;
}

static void date_stages(const Branch *branch) {
        int64_t epoch = plan_source_date_epoch(branch->plan);

        for (size_t i = 0; i <= plan_target(branch->plan); i++) {
                StageState *stage = &branch->stages[i];
                const Input *base = &stage->stage->base;
                const ImageConfig *below = NULL;

                if (!stage_is_live(stage))
                        continue;
                if (base->kind == INPUT_STAGE)
                        below = &stage_at(stage, base->stage)->plan.config;
                else if (stage->image)
                        below = &stage->image->image.config;
                copy_dates(below, stage->plan.base_history, &stage->plan.config);
                date_history(stage, epoch, below ? below->created : 0, &stage->plan.config);
        }
}

static void finish(Solver *solver, SolveResult *ret) {
        for (size_t i = 0; i < solver->branch_count; i++) {
                const Branch *branch = &solver->branches[i];
                const StageState *target = stage_at(branch->stages, plan_target(branch->plan));

                date_stages(branch);
                json_copy(&image_config_table, &target->plan.config, &ret[i].config);
                ret[i].layers = stage_layers(target, target->plan.step_count);
                ret[i].cache = solver->options->cache;
                branch_records(branch, &ret[i]);
        }
        ret[0].held = TAKE_PTR(solver->held);
        ret[0].began = solver->began;
}

static void solver_init(Solver *solver, Plan *const *plans, size_t count,
                        const SolveOptions *options) {
        StageState *stage;

        solver->options = options;
        solver->began = clock_now();
        for (size_t i = 0; i < count; i++)
                solver->count += plan_stage_count(plans[i]);
        solver->stages = stage = NEW_ARRAY(StageState, solver->count + 1);
        solver->branches = NEW_ARRAY(Branch, count + 1);
        solver->branch_count = count;
        for (size_t i = 0; i < count; i++) {
                Branch *branch = &solver->branches[i];

                *branch = (Branch){ .plan = plans[i],
                                    .stages = stage,
                                    .count = plan_stage_count(plans[i]) };
                for (size_t k = 0; k < branch->count; k++)
                        stage[k] = (StageState){ .solver = solver,
                                                 .branch = branch,
                                                 .index = k,
                                                 .stage = plan_stage(plans[i], k) };
                stage += branch->count;
        }
        (void)pthread_mutex_init(&solver->lock, NULL);
        (void)pthread_mutex_init(&solver->event_lock, NULL);
        (void)pthread_cond_init(&solver->changed, NULL);
}

int solve(Plan *const *plans, size_t count, const SolveOptions *options, SolveResult *ret,
          Error *err) {
        _cleanup_(solver_done) Solver solver = {};
        int r;

        solver_init(&solver, plans, count, options);
        r = solver_dispatch(&solver, err);
        if (r == 0)
                r = solver_fetch_all(&solver, err);
        for (size_t i = 0; r == 0 && i < solver.count; i++)
                if (stage_is_live(&solver.stages[i]))
                        r = find_stage(&solver.stages[i], err);
        if (r == 0)
                r = run_needed(&solver, err);
        if (r == 0)
                finish(&solver, ret);
        return r;
}
