/* solve.c: see solve.h. First every stage's keys are made, in the order of the file, as far as that
 * needs no step to be run; then what the target needs and the cache lacks is run, a thread a stage.
 */
#include <errno.h>

#include "base/clock.h"
#include "build/solve-private.h"

#define STAGE_STACK ((size_t)512 * 1024)

void solve_image_done(SolveImage *image) {
        json_done(&image_config_table, &image->config);
        strv_free(image->layers);
        *image = (SolveImage){};
}

void solve_input_done(SolveInput *input) {
        strv_free(input->layers);
        *input = (SolveInput){};
}

void solve_recall_done(SolveRecall *recall) {
        free(recall->layer);
        free(recall->parent);
        strv_free(recall->keys);
        *recall = (SolveRecall){};
}

void solve_result_done(SolveResult *result) {
        for (size_t i = 0; i < result->stage_count; i++) {
                strv_free(result->stages[i].layers);
                free(result->stages[i].records);
        }
        free(result->stages);
        for (char **layer = result->held; layer && *layer; layer++)
                build_cache_release(result->cache, *layer);
        strv_free(result->held);
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
        for (size_t i = 0; i < solver->image_count; i++) {
                free(solver->images[i].name);
                free(solver->images[i].platform);
                solve_image_done(&solver->images[i].image);
        }
        free(solver->images);
        solver_fetched_done(solver);
        for (char **layer = solver->held; layer && *layer; layer++)
                build_cache_release(solver->options->cache, *layer);
        strv_free(solver->held);
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

int solver_event(Solver *solver, const SolveEvent *event, Error *err) {
        bool refused;

        (void)pthread_mutex_lock(&solver->event_lock);
        if (!solver->refused && solver->options->event(solver->options->data, event) < 0)
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

/* The first error is the build's; those after it are mostly of its making. */
static void solver_fail(Solver *solver, int r, const Error *err) {
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

char **stage_layers(const StageState *stage, size_t steps) {
        const Input *base = &stage->stage->base;
        char **layers = NULL;

        if (base->kind == INPUT_STAGE) {
                const StageState *below = &stage->solver->stages[base->stage];

                layers = stage_layers(below, below->plan.step_count);
        } else if (stage->image) {
                layers = strv_copy(stage->image->layers);
        }
        for (size_t i = 0; i < steps; i++)
                if (!str_empty(stage->steps[i].layer))
                        strv_add(&layers, stage->steps[i].layer);
        return layers;
}

/* ---- images ---- */

typedef struct ImageJob {
        Solver *solver;
        NamedImage *image;
        pthread_t thread;
        bool started;
} ImageJob;

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

static void want_image(Solver *solver, const Input *input) {
        const char *name = input_image_name(solver, input);

        if (!name || solver_image(solver, name, input->platform))
                return;
        GROW(solver->images, solver->image_count);
        solver->images[solver->image_count++] =
                (NamedImage){ .name = str_copy(name), .platform = str_copy(input->platform) };
}

int solver_thread(pthread_t *ret, void *(*run)(void *), void *data, Error *err) {
        pthread_attr_t attributes;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, STAGE_STACK);
        r = pthread_create(ret, &attributes, run, data);
        (void)pthread_attr_destroy(&attributes);
        return r ? error_set(err, r, "start a thread of the build") : 0;
}

static int solver_result(const Solver *solver, Error *err) {
        if (solver->result < 0 && err)
                *err = solver->error;
        return solver->result;
}

/* All that reachable stages name, at once: the slowest pull is what a build waits for. */
static int find_images(Solver *solver, size_t from, Error *err) {
        size_t count = solver->image_count - from;
        _cleanup_free_ ImageJob *jobs = NEW_ARRAY(ImageJob, count + 1);
        int r = 0;

        for (size_t i = 0; i < count; i++) {
                jobs[i] = (ImageJob){ .solver = solver, .image = &solver->images[from + i] };
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

static int resolve_images(Solver *solver, Error *err) {
        for (size_t i = 0; i < solver->count; i++) {
                const Stage *stage = solver->stages[i].stage;

                if (!stage->reachable)
                        continue;
                want_image(solver, &stage->base);
                for (size_t k = 0; k < stage->input_count; k++)
                        want_image(solver, &stage->inputs[k]);
        }
        return find_images(solver, 0, err);
}

/* ---- stages ---- */

static bool makes_layer(const Step *step) {
        return step->kind != STEP_META;
}

static int check_base(const StageState *stage, Error *err) {
        const Input *base = &stage->stage->base;

        if (base->kind == INPUT_CONTEXT && !stage->image)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "stage %s is built from the files of context '%s', which brig "
                                  "does not do yet: COPY them into a stage from scratch",
                                  stage->stage->name, base->name);
        return 0;
}

static int dispatch(StageState *stage, Error *err);

/* Triggers of an image's ONBUILD may name stages that nothing else does. */
static int dispatch_needs(StageState *stage, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < stage->stage->need_count; i++) {
                StageState *needed = &stage->solver->stages[stage->stage->needs[i]];

                if (!needed->wanted)
                        r = dispatch(needed, err);
        }
        return r;
}

/* Images that were wanted since there were that many: those that only triggers name. */
static int find_more(Solver *solver, size_t images, Error *err) {
        int r;

        if (images == solver->image_count)
                return 0;
        r = find_images(solver, images, err);
        /* The list may have moved. */
        for (size_t i = 0; i < solver->count; i++) {
                StageState *moved = &solver->stages[i];
                const char *name =
                        moved->image ? input_image_name(solver, &moved->stage->base) : NULL;

                if (name)
                        moved->image = solver_image(solver, name, moved->stage->base.platform);
        }
        return r;
}

static int dispatch_images(StageState *stage, Error *err) {
        Solver *solver = stage->solver;
        size_t images = solver->image_count;

        for (size_t i = 0; i < stage->stage->input_count; i++)
                want_image(solver, &stage->stage->inputs[i]);
        return find_more(solver, images, err);
}

/* What a stage begins with; nobody has looked for it where the target does not reach the stage. */
static int dispatch_base(StageState *stage, Error *err) {
        Solver *solver = stage->solver;
        const Input *base = &stage->stage->base;
        size_t images = solver->image_count;

        if (base->kind == INPUT_STAGE && !solver->stages[base->stage].wanted)
                return dispatch(&solver->stages[base->stage], err);
        want_image(solver, base);
        return find_more(solver, images, err);
}

static int dispatch(StageState *stage, Error *err) {
        Solver *solver = stage->solver;
        const Input *base = &stage->stage->base;
        const char *name = input_image_name(solver, base);
        const ImageConfig *config = NULL;
        int r;

        stage->wanted = true;
        r = dispatch_base(stage, err);
        if (r < 0)
                return r;
        stage->image = name ? solver_image(solver, name, base->platform) : NULL;
        r = check_base(stage, err);
        if (r < 0)
                return r;
        if (stage->image)
                config = &stage->image->config;
        else if (base->kind == INPUT_STAGE)
                config = &solver->stages[base->stage].plan.config;
        r = plan_dispatch(solver->plan, stage->index, config, &stage->plan, err);
        if (r < 0)
                return r;
        stage->steps = NEW_ARRAY(StepState, stage->plan.step_count + 1);
        stage->missing = stage->plan.step_count;
        r = dispatch_images(stage, err);
        return r < 0 ? r : dispatch_needs(stage, err);
}

/* "[build 2/5] RUN make": the steps that make layers are counted, and FROM. */
static void name_steps(StageState *stage, size_t *number) {
        size_t total = 1, position = 1;
        bool alone = str_equal(stage->stage->name, "stage-0") &&
                     plan_target(stage->solver->plan) == stage->index && stage->index == 0;
        const char *shown = alone ? "" : stage->stage->name;
        const char *space = alone ? "" : " ";

        for (size_t i = 0; i < stage->plan.step_count; i++)
                total += makes_layer(&stage->plan.steps[i]);
        stage->number = (*number)++;
        stage->name =
                str_format("[%s%s1/%zu] FROM %s", shown, space, total,
                           stage->stage->base.kind == INPUT_SCRATCH ? "scratch"
                           : stage->stage->base.kind == INPUT_STAGE
                                   ? stage->solver->stages[stage->stage->base.stage].stage->name
                                   : stage->stage->base.name);
        for (size_t i = 0; i < stage->plan.step_count; i++) {
                stage->steps[i].number = (*number)++;
                if (makes_layer(&stage->plan.steps[i]))
                        stage->steps[i].name =
                                str_format("[%s%s%zu/%zu] %s", shown, space, ++position, total,
                                           stage->plan.steps[i].text);
        }
}

static int dispatch_all(Solver *solver, Error *err) {
        SolveEvent event = { .kind = SOLVE_PLANNED };
        size_t number = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (solver->stages[i].stage->reachable && !solver->stages[i].wanted)
                        r = dispatch(&solver->stages[i], err);
        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (solver->stages[i].wanted)
                        name_steps(&solver->stages[i], &number);
        if (r < 0)
                return r;
        event.total = (int64_t)number;
        return solver_event(solver, &event, err);
}

static void tell_stage(const StageState *stage) {
        _cleanup_free_ char *text =
                str_format("FROM %s", str_after(strchr(stage->name, ']') + 1, " FROM ") ?: "");
        SolveEvent event = { .kind = SOLVE_STARTED,
                             .step = stage->number,
                             .name = stage->name,
                             .instruction = text,
                             .at = stage->stage->at };

        event.layer = stage->image && *stage->image->key ? stage->image->key : "";
        (void)solver_event(stage->solver, &event, NULL);
        event.kind = SOLVE_DONE;
        (void)solver_event(stage->solver, &event, NULL);
}

/* The layer that is topmost after a step. */
static const char *layer_after(const StageState *stage, size_t index) {
        for (size_t i = index + 1; i-- > 0;)
                if (!str_empty(stage->steps[i].layer))
                        return stage->steps[i].layer;
        return stage->image ? stage->image->key : "";
}

/* A step that makes no layer: found with the one before it, or done as soon as it begins. */
static void tell_meta(StageState *stage, size_t index, bool found) {
        SolveEvent event = { .kind = found ? SOLVE_CACHED : SOLVE_STARTED,
                             .step = stage->steps[index].number,
                             .instruction = stage->plan.steps[index].text,
                             .at = stage->plan.steps[index].at,
                             .layer = layer_after(stage, index) };

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
                stage->base_key = stage->solver->stages[base->stage].key;
        else if (stage->image && *stage->image->key)
                stage->base_key = stage->image->key;
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

                if (!makes_layer(&stage->plan.steps[i])) {
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

static void need_input(const StageState *stage, const Input *input) {
        if (input->kind == INPUT_STAGE)
                need(&stage->solver->stages[input->stage]);
}

void need(StageState *stage) {
        if (stage->needed)
                return;
        stage->needed = true;
        need_input(stage, &stage->stage->base);
        for (size_t i = stage->missing; i < stage->plan.step_count; i++)
                for (size_t k = 0; k < step_input_count(&stage->plan.steps[i]); k++)
                        need_input(stage, step_input(&stage->plan.steps[i], k));
}

/* Whoever counts the steps hears of those, too, that nothing needs any more. */
static void tell_unneeded(StageState *stage) {
        for (size_t i = 0; !stage->needed && i < stage->plan.step_count; i++) {
                SolveEvent event = { .kind = SOLVE_CACHED,
                                     .step = stage->steps[i].number,
                                     .instruction = stage->plan.steps[i].text,
                                     .layer = "",
                                     .at = stage->plan.steps[i].at };

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
                        r = stage_wait(&stage->solver->stages[step_input(step, i)->stage], err);
        return r;
}

static int run_stage(StageState *stage, Error *err) {
        const Input *base = &stage->stage->base;
        int r = 0;

        if (base->kind == INPUT_STAGE)
                r = stage_wait(&stage->solver->stages[base->stage], err);
        if (r == 0)
                find_base(stage);
        for (size_t i = stage->missing; r == 0 && i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];

                if (solver_cancelled(stage->solver))
                        return error_set(err, ECANCELED, "the build was cancelled");
                if (!makes_layer(step)) {
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

static void *stage_main(void *data) {
        StageState *stage = data;
        Error err = {};
        int r = run_stage(stage, &err);

        if (r < 0)
                solver_fail(stage->solver, r, &err);
        stage_end(stage, r);
        return NULL;
}

static int run_needed(Solver *solver, Error *err) {
        int r = solver_settle(solver, err);

        for (size_t i = 0; r == 0 && i < solver->count; i++)
                if (solver->stages[i].wanted)
                        tell_unneeded(&solver->stages[i]);
        for (size_t i = 0; r == 0 && i < solver->count; i++) {
                StageState *stage = &solver->stages[i];

                if (!stage->needed || stage->ended)
                        continue;
                r = solver_thread(&stage->thread, stage_main, stage, err);
                stage->started = r == 0;
                if (r < 0) {
                        solver_fail(solver, r, err);
                        stage_end(stage, r);
                }
        }
        for (size_t i = 0; i < solver->count; i++)
                if (solver->stages[i].started)
                        (void)pthread_join(solver->stages[i].thread, NULL);
        return r < 0 ? r : solver_result(solver, err);
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

                if (made > before || (makes_layer(&stage->plan.steps[i]) && made))
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

static void finish(Solver *solver, SolveResult *ret) {
        StageState *target = &solver->stages[plan_target(solver->plan)];
        int64_t epoch = plan_source_date_epoch(solver->plan);

        for (size_t i = 0; i <= target->index; i++) {
                StageState *stage = &solver->stages[i];
                const Input *base = &stage->stage->base;
                const ImageConfig *below;

                if (!stage->wanted)
                        continue;
                if (base->kind == INPUT_STAGE)
                        below = &solver->stages[base->stage].plan.config;
                else
                        below = stage->image ? &stage->image->config : NULL;
                copy_dates(below, stage->plan.base_history, &stage->plan.config);
                date_history(stage, epoch, below ? below->created : 0, &stage->plan.config);
        }
        json_copy(&image_config_table, &target->plan.config, &ret->config);
        ret->layers = stage_layers(target, target->plan.step_count);
        solver_records(solver, ret);
        ret->held = TAKE_PTR(solver->held);
        ret->cache = solver->options->cache;
}

static int solver_init(Solver *solver, Plan *plan, const SolveOptions *options) {
        solver->plan = plan;
        solver->options = options;
        solver->count = plan_stage_count(plan);
        solver->stages = NEW_ARRAY(StageState, solver->count + 1);
        for (size_t i = 0; i < solver->count; i++)
                solver->stages[i] =
                        (StageState){ .solver = solver, .index = i, .stage = plan_stage(plan, i) };
        (void)pthread_mutex_init(&solver->lock, NULL);
        (void)pthread_mutex_init(&solver->event_lock, NULL);
        (void)pthread_cond_init(&solver->changed, NULL);
        return 0;
}

int solve(Plan *plan, const SolveOptions *options, SolveResult *ret, Error *err) {
        _cleanup_(solver_done) Solver solver = {};
        int r = solver_init(&solver, plan, options);

        if (r == 0)
                r = resolve_images(&solver, err);
        if (r == 0)
                r = dispatch_all(&solver, err);
        if (r == 0)
                r = solver_fetch_all(&solver, err);
        for (size_t i = 0; r == 0 && i < solver.count; i++)
                if (solver.stages[i].wanted)
                        r = find_stage(&solver.stages[i], err);
        if (r == 0)
                r = run_needed(&solver, err);
        if (r == 0)
                finish(&solver, ret);
        return r;
}
