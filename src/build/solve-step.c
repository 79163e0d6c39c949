/* solve-step.c: one step: looked up, or run. See solve.h. */
#include <errno.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "build/solve-private.h"

typedef struct Attempt {
        StageState *stage;
        size_t index;
        const Step *step;
        StepState *state;
        const char *parent;
        StepKeys keys;
} Attempt;

static Attempt attempt_of(StageState *stage, size_t index, const char *parent) {
        return (Attempt){ .stage = stage,
                          .index = index,
                          .step = &stage->plan.steps[index],
                          .state = &stage->steps[index],
                          .parent = parent };
}

/* A layer that fits upon anything says nothing of what it lies upon: the steps after it depend on
 * both. */
static void set_result(const Attempt *attempt, const char *result) {
        StepState *state = attempt->state;
        _cleanup_free_ char *joined = NULL;

        (void)snprintf(state->result, sizeof(state->result), "%s", result);
        memcpy(state->key, state->result, sizeof(state->key));
        if (!step_is_linked(attempt->step))
                return;
        joined = str_format("%s\nlinked upon %s", result, attempt->parent);
        digest_of(joined, strlen(joined), state->key);
}

static void take_record(const Attempt *attempt, const CacheRecord *record) {
        set_result(attempt, record->result);
        str_replace(&attempt->state->layer, record->layer);
        attempt->state->created_at = record->created_at;
}

/* Where in the Dockerfile it is, for the next miss there. */
static void find_place(const Attempt *attempt, char place[DIGEST_TEXT_MAX]) {
        _cleanup_free_ char *text =
                str_format("%s\n%s\n%s\n%zu", attempt->stage->solver->options->project ?: "",
                           plan_target_platform(attempt->stage->branch->plan),
                           attempt->stage->stage->name, attempt->index);

        digest_of(text, strlen(text), place);
}

static int note_found(const Attempt *attempt, Error *err) {
        char place[DIGEST_TEXT_MAX];

        find_place(attempt, place);
        return build_cache_found_at(attempt->stage->solver->options->cache, place,
                                    attempt->state->result, err);
}

/* What this build made or found before it may use again. */
static bool is_trusted(Solver *solver, const char *layer) {
        const SolveWorker *worker = &solver->options->worker;

        return !worker->trusts || worker->trusts(worker->data, layer) ||
               (!str_empty(layer) && solver_holds(solver, layer));
}

static int find(Attempt *attempt, const char *key, bool *ret, Error *err) {
        Solver *solver = attempt->stage->solver;
        _cleanup_(cache_record_done) CacheRecord record = {};
        int r = build_cache_find(solver->options->cache, key, &record, err);

        if (r < 0)
                return r;
        *ret = r == CACHE_FOUND;
        if (!*ret)
                return 0;
        *ret = is_trusted(solver, record.layer);
        if (!*ret) {
                build_cache_release(solver->options->cache, record.layer);
                return 0;
        }
        solver_hold(solver, record.layer);
        take_record(attempt, &record);
        return note_found(attempt, err);
}

void step_lose(StepState *state) {
        state->recalled = false;
        state->lost = true;
        free(state->layer);
        state->layer = NULL;
}

/* Whether the layer lies upon what the step has below it: what another cache says of layers is
 * believed no further. */
static bool fits(const Attempt *attempt, const SolveRecall *found) {
        _cleanup_strv_ char **layers = stage_layers(attempt->stage, attempt->index);
        size_t count = strv_length(layers);

        return step_is_linked(attempt->step) ||
               str_equal(count > 0 ? layers[count - 1] : NULL, found->parent);
}

/* The same in the caches from elsewhere. */
static int recall(Attempt *attempt, const char *key, bool *ret, Error *err) {
        const SolveWorker *worker = &attempt->stage->solver->options->worker;
        StepState *state = attempt->state;
        _cleanup_(solve_recall_done) SolveRecall found = {};
        bool taken = false;
        int r = worker->recall ? worker->recall(worker->data, key, &found, err) : 0;

        if (r < 0)
                return r;
        *ret = r == SOLVE_RECALLED;
        if (*ret && found.layer) {
                r = build_cache_result_taken(attempt->stage->solver->options->cache, found.result,
                                             found.layer, &taken, err);
                *ret = !taken;
        }
        if (r < 0 || !*ret)
                return MIN(r, 0);
        set_result(attempt, found.result);
        str_replace(&state->layer, NULL);
        state->layer = found.layer && fits(attempt, &found) ? TAKE_PTR(found.layer) : NULL;
        state->created_at = found.created_at;
        state->keys = strv_free(state->keys);
        strv_add(&state->keys, key);
        state->recalled = true;
        return 0;
}

static int tell_cached(const Attempt *attempt, Error *err) {
        SolveEvent event = step_event(attempt->stage, attempt->index, SOLVE_CACHED);

        event.layer = attempt->state->layer;
        attempt->state->told = true;
        return solver_event(attempt->stage->solver, &event, err);
}

static bool is_fresh(const Attempt *attempt) {
        return attempt->stage->solver->options->no_cache || attempt->step->no_cache;
}

/* What it reads is not there, or nothing can run it. Its name and its line are what the reader
 * needs. */
int step_refused(StageState *stage, size_t index, int r, const Error *err) {
        Solver *solver = stage->solver;
        StepState *state = &stage->steps[index];
        SolveEvent event = step_event(stage, index, SOLVE_STARTED);
        _cleanup_free_ char *line = NULL;

        if (!err || state->told || solver_cancelled(solver))
                return r;
        state->told = true;
        (void)solver_event(solver, &event, NULL);
        event.kind = SOLVE_FAILED;
        /* The build's error has the lines of the file, too. */
        line = str_copy_n(err->message, strcspn(err->message, "\n"));
        event.text = line;
        event.length = strlen(line);
        (void)solver_event(solver, &event, NULL);
        return r;
}

int step_find(StageState *stage, size_t index, const char *parent, bool *ret, Error *err) {
        Attempt attempt = attempt_of(stage, index, parent);
        int r;

        *ret = false;
        if (is_fresh(&attempt))
                return 0;
        r = step_keys(stage, index, parent, false, &attempt.keys, NULL, err);
        if (r < 0)
                return step_refused(stage, index, r, err);
        if (*attempt.keys.def)
                r = find(&attempt, attempt.keys.def, ret, err);
        if (r == 0 && *ret)
                return tell_cached(&attempt, err);
        return r == 0 && *attempt.keys.def ? recall(&attempt, attempt.keys.def, ret, err) : r;
}

/* What the key of a step was made of that is not run, so that a later miss can say what differs;
 * only where that asks for no files of other stages and images. */
static int keep_parts(const Attempt *attempt, Error *err) {
        _cleanup_(cache_parts_done) CacheParts parts = {};
        _cleanup_free_ char *why = NULL;
        char place[DIGEST_TEXT_MAX];
        StepKeys keys;
        int r = step_keys(attempt->stage, attempt->index, attempt->parent, false, &keys, &parts,
                          err);

        find_place(attempt, place);
        return r < 0 ? r
                     : build_cache_explain(attempt->stage->solver->options->cache, place, &parts,
                                           &why, err);
}

static const char *parent_of(const StageState *stage, size_t index) {
        return index > 0 ? stage->steps[index - 1].key : stage->base_key;
}

int step_tell_found(StageState *stage, size_t index, Error *err) {
        Attempt attempt = attempt_of(stage, index, parent_of(stage, index));

        return attempt.state->told ? 0 : tell_cached(&attempt, err);
}

int step_adopt(StageState *stage, size_t index, int64_t size, Error *err) {
        const SolveOptions *options = stage->solver->options;
        Attempt attempt = attempt_of(stage, index, parent_of(stage, index));
        StepState *state = attempt.state;
        char place[DIGEST_TEXT_MAX];
        CacheRecord record = { .layer = state->layer,
                               .description = state->name,
                               .place = place,
                               .size = size,
                               .created_at = state->created_at };
        int r = keep_parts(&attempt, err);

        find_place(&attempt, place);
        memcpy(record.result, state->result, sizeof(record.result));
        /* Recorded before it is held: who lets go of it meanwhile looks at the records last. */
        if (r == 0)
                r = build_cache_put(options->cache, state->keys, &record, err);
        if (r < 0)
                return r;
        solver_hold(stage->solver, state->layer);
        state->recalled = false;
        r = options->worker.keep(options->worker.data, state->layer, err);
        if (r < 0)
                (void)build_cache_chain_lost(options->cache, state->layer, NULL);
        return r;
}

/* ---- running ---- */

typedef struct Running {
        Attempt *attempt;
        SolveInput *inputs;
        size_t input_count;
        char *layer;
        int layer_fd, exit_code;
        char place[DIGEST_TEXT_MAX]; /* in the Dockerfile, for the next miss here */
} Running;

static void running_done(Running *running) {
        for (size_t i = 0; i < running->input_count; i++)
                solve_input_done(&running->inputs[i]);
        free(running->inputs);
        free(running->layer);
        close_fd(&running->layer_fd);
}

static void on_output(void *data, int stream, const char *text, size_t length) {
        const Attempt *attempt = ((Running *)data)->attempt;
        SolveEvent event = { .kind = SOLVE_OUTPUT,
                             .step = attempt->state->number,
                             .stream = stream,
                             .text = text,
                             .length = length };

        (void)solver_event(attempt->stage->solver, &event, NULL);
}

static void on_status(void *data, const char *what, int64_t current, int64_t total) {
        const Attempt *attempt = ((Running *)data)->attempt;
        SolveEvent event = { .kind = SOLVE_STATUS,
                             .step = attempt->state->number,
                             .status = what,
                             .current = current,
                             .total = total };

        (void)solver_event(attempt->stage->solver, &event, NULL);
}

static bool on_cancelled(void *data) {
        return solver_cancelled(((Running *)data)->attempt->stage->solver);
}

static int open_inputs(Running *running, Error *err) {
        const Attempt *attempt = running->attempt;
        size_t count = step_input_count(attempt->step);
        int r = 0;

        running->inputs = NEW_ARRAY(SolveInput, count + 1);
        for (; r == 0 && running->input_count < count; running->input_count++) {
                /* COPY of heredocs alone asks nothing of a context, which need not be there. */
                if (attempt->step->kind != STEP_RUN &&
                    !step_reads_files(attempt->step, running->input_count))
                        continue;
                r = input_open(attempt->stage, step_input(attempt->step, running->input_count),
                               &running->inputs[running->input_count], err);
        }
        return r;
}

/* What the keys of the steps after it are made of. A step that runs again makes another layer, if
 * only by its times, and what was made upon one does not fit the other: each run has a result of
 * its own. */
static void name_result(const Running *running, char result[DIGEST_TEXT_MAX]) {
        _cleanup_free_ char *run =
                str_format("%s\n%s", running->attempt->keys.content, running->layer);

        digest_of(run, strlen(run), result);
}

static int record_result(Running *running, Error *err) {
        Attempt *attempt = running->attempt;
        char *keys[] = { attempt->keys.content, attempt->keys.def, NULL };
        const CacheRecord record = { .layer = running->layer,
                                     .description = attempt->state->name,
                                     .place = running->place,
                                     .size = -1,
                                     .created_at = clock_now() };
        CacheRecord kept = record;

        if (!*attempt->keys.def || str_equal(attempt->keys.def, attempt->keys.content))
                keys[1] = NULL;
        name_result(running, kept.result);
        int r = failpoint("build.ran", err);
        if (r == 0)
                r = build_cache_put(attempt->stage->solver->options->cache, keys, &kept, err);
        if (r == 0) {
                solver_hold(attempt->stage->solver, running->layer);
                take_record(attempt, &kept);
        }
        return r;
}

static int tell(const Running *running, SolveEventKind kind, const char *why, const char *text,
                Error *err) {
        const Attempt *attempt = running->attempt;
        SolveEvent event = step_event(attempt->stage, attempt->index, kind);
        _cleanup_free_ char *command =
                running->exit_code ? strv_join(attempt->step->run.argv, " ") : NULL;

        event.why = why;
        event.text = text;
        event.length = text ? strlen(text) : 0;
        event.layer = attempt->state->layer;
        event.container = attempt->step->kind == STEP_RUN ? running->layer : NULL;
        event.exit_code = running->exit_code;
        event.command = command;
        attempt->state->told = true;
        return solver_event(attempt->stage->solver, &event, err);
}

/* Why it must be run: what its key is made of, beside what it was made of last time. */
static int explain(const Running *running, char **ret, Error *err) {
        const Attempt *attempt = running->attempt;
        const Solver *solver = attempt->stage->solver;
        _cleanup_(cache_parts_done) CacheParts parts = {};
        StepKeys keys;
        int r = step_keys(attempt->stage, attempt->index, attempt->parent, true, &keys, &parts,
                          err);

        if (r == 0)
                r = build_cache_explain(solver->options->cache, running->place, &parts, ret, err);
        if (r == 0 && attempt->state->lost)
                str_replace(ret, "no cache that was given has its layer");
        if (r == 0 && is_fresh(attempt))
                str_replace(ret, "the cache was not to be used");
        return r;
}

static int execute(Running *running, Error *err) {
        Attempt *attempt = running->attempt;
        StageState *stage = attempt->stage;
        const SolveOptions *options = stage->solver->options;
        _cleanup_strv_ char **layers = stage_layers(stage, attempt->index);
        const SolveJob job = { .step = attempt->step,
                               .layers = layers,
                               .inputs = running->inputs,
                               .layer = running->layer,
                               .layer_fd = running->layer_fd,
                               .epoch = plan_source_date_epoch(stage->branch->plan),
                               .output = on_output,
                               .status = on_status,
                               .cancelled = on_cancelled,
                               .data = running,
                               .ret_exit_code = &running->exit_code };

        return options->worker.execute(options->worker.data, &job, err);
}

static int run_step(Attempt *attempt, Error *err) {
        BuildCache *cache = attempt->stage->solver->options->cache;
        _cleanup_(running_done) Running running = { .attempt = attempt, .layer_fd = -1 };
        _cleanup_free_ char *why = NULL;
        int r;

        find_place(attempt, running.place);
        r = explain(&running, &why, err);
        if (r == 0)
                r = image_bring(attempt->stage->solver, stage_root(attempt->stage), err);
        if (r == 0)
                r = open_inputs(&running, err);
        if (r == 0)
                r = build_cache_layer_new(cache, &running.layer, &running.layer_fd, err);
        if (r < 0)
                return r;
        r = tell(&running, SOLVE_STARTED, why, NULL, err);
        if (r == 0)
                r = execute(&running, err);
        if (r == 0)
                r = step_check_contexts(attempt->stage, attempt->index, err);
        if (r == 0)
                r = record_result(&running, err);
        if (r < 0)
                build_cache_release(cache, running.layer);
        if (r == 0)
                r = tell(&running, SOLVE_DONE, NULL, NULL, err);
        else if (err && r != -ECANCELED) /* another step's failure is no failure of this one */
                (void)tell(&running, SOLVE_FAILED, NULL, err->message, NULL);
        return r;
}

/* Of a record from elsewhere nothing is believed but what it says of the key that was asked: the
 * step's other key is this build's own, and not what the record lists beside it. */
static void add_own_keys(Attempt *attempt) {
        const char *keys[] = { attempt->keys.def, attempt->keys.content };

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (*keys[i] && !strv_has(attempt->state->keys, keys[i]))
                        strv_add(&attempt->state->keys, keys[i]);
}

/* A step that is needed: what is recalled is brought, or counts as none. */
static int recall_now(Attempt *attempt, const char *key, bool *ret, Error *err) {
        const SolveWorker *worker = &attempt->stage->solver->options->worker;
        char *chains[2] = {};
        int64_t size = -1;
        int r = *key ? recall(attempt, key, ret, err) : 0;

        if (r < 0 || !*ret)
                return r;
        chains[0] = attempt->state->layer;
        if (chains[0])
                r = worker->bring(worker->data, chains, &size, err);
        if (r == 0 && size >= 0) {
                add_own_keys(attempt);
                return step_adopt(attempt->stage, attempt->index, size, err);
        }
        step_lose(attempt->state);
        *ret = false;
        return r;
}

/* By each key that is known. */
static int look_up_here(Attempt *attempt, bool *ret, Error *err) {
        int r = 0;

        *ret = false;
        if (is_fresh(attempt))
                return 0;
        if (*attempt->keys.def)
                r = find(attempt, attempt->keys.def, ret, err);
        if (r < 0 || *ret)
                return r;
        r = step_keys(attempt->stage, attempt->index, attempt->parent, true, &attempt->keys, NULL,
                      err);
        if (r == 0 && !str_equal(attempt->keys.def, attempt->keys.content))
                r = find(attempt, attempt->keys.content, ret, err);
        return r;
}

static int look_up(Attempt *attempt, bool *ret, Error *err) {
        int r = look_up_here(attempt, ret, err);

        if (r < 0 || *ret || is_fresh(attempt) || attempt->state->lost)
                return r;
        r = recall_now(attempt, attempt->keys.def, ret, err);
        if (r == 0 && !*ret && !str_equal(attempt->keys.def, attempt->keys.content))
                r = recall_now(attempt, attempt->keys.content, ret, err);
        return r;
}

int step_solve(StageState *stage, size_t index, const char *parent, Error *err) {
        Solver *solver = stage->solver;
        Attempt attempt = attempt_of(stage, index, parent);
        bool found = false;
        int r = step_keys(stage, index, parent, is_fresh(&attempt), &attempt.keys, NULL, err);

        if (r < 0)
                return step_refused(stage, index, r, err);
        /* What is not looked up is not waited for either: it runs beside another build's. */
        if (is_fresh(&attempt))
                return run_step(&attempt, err);
        while (r == 0) {
                r = look_up(&attempt, &found, err);
                if (r < 0)
                        return step_refused(stage, index, r, err);
                if (found)
                        break;
                switch (flight_begin(solver->options->flights, attempt.keys.content,
                                     solver_cancelled, solver)) {
                case FLIGHT_CANCELLED:
                        return error_set(err, ECANCELED, "the build was cancelled");
                case FLIGHT_LANDED:
                        continue;
                case FLIGHT_OURS:
                        break;
                }
                /* It may have landed between the look and the claim. */
                r = look_up(&attempt, &found, err);
                if (r == 0 && !found)
                        r = run_step(&attempt, err);
                flight_end(solver->options->flights, attempt.keys.content);
                if (r < 0 || !found)
                        return r;
                break;
        }
        return r < 0 ? r : tell_cached(&attempt, err);
}
