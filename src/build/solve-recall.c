/* solve-recall.c: what caches from elsewhere know of a build. Keys are looked up first, everywhere;
 * once it is known what the target needs, the layers of that are brought. A step whose layer can't
 * be had is run, and what lies upon it. See solve.h. */
#include "build/solve-private.h"

/* The steps from that one on are run. */
static void take_back(StageState *stage, size_t index) {
        stage->missing = index;
        stage->key[0] = '\0';
        stage->ended = false;
        for (size_t i = index; i < stage->plan.step_count; i++)
                if (stage->steps[i].recalled)
                        step_lose(&stage->steps[i]);
}

/* True: more is needed than before. */
static bool take_back_lost(StageState *stage) {
        const Input *base = &stage->stage->base;

        /* What lies upon a stage that runs does not fit what that gives. */
        if (base->kind == INPUT_STAGE && !stage_at(stage, base->stage)->ended &&
            (stage->ended || stage->missing > 0)) {
                take_back(stage, 0);
                return true;
        }
        for (size_t i = 0; i < stage->missing; i++) {
                if (!stage->steps[i].recalled || stage->steps[i].layer)
                        continue;
                take_back(stage, i);
                return true;
        }
        return false;
}

static void mark_needed(Solver *solver) {
        bool changed;

        do {
                for (size_t i = 0; i < solver->count; i++)
                        solver->stages[i].needed = false;
                for (size_t i = 0; i < solver->branch_count; i++)
                        need(stage_at(solver->branches[i].stages,
                                      plan_target(solver->branches[i].plan)));
                changed = false;
                for (size_t i = 0; i < solver->count; i++)
                        if (solver->stages[i].needed && take_back_lost(&solver->stages[i]))
                                changed = true;
        } while (changed);
}

/* ---- bringing ---- */

typedef struct Recalled {
        StageState *stage;
        size_t index;
} Recalled;

static bool is_recalled(const StageState *stage, size_t index) {
        return stage->needed && index < stage->missing && stage->steps[index].recalled;
}

static Recalled *gather(Solver *solver, char ***chains, size_t *ret_count) {
        Recalled *list = NULL;
        size_t count = 0;

        for (size_t i = 0; i < solver->count; i++) {
                StageState *stage = &solver->stages[i];

                for (size_t k = 0; k < stage->plan.step_count; k++) {
                        if (!is_recalled(stage, k))
                                continue;
                        GROW(list, count);
                        list[count++] = (Recalled){ stage, k };
                        strv_add(chains, stage->steps[k].layer);
                }
        }
        *ret_count = count;
        return list;
}

static int take_brought(const Recalled *recalled, int64_t size, Error *err) {
        StageState *stage = recalled->stage;

        /* It may have been taken back for a layer below. */
        if (!is_recalled(stage, recalled->index))
                return 0;
        if (size >= 0)
                return step_adopt(stage, recalled->index, size, err);
        take_back(stage, recalled->index);
        return 0;
}

static int bring(Solver *solver, bool *ret_any, Error *err) {
        const SolveWorker *worker = &solver->options->worker;
        _cleanup_strv_ char **chains = NULL;
        size_t count;
        _cleanup_free_ Recalled *list = gather(solver, &chains, &count);
        _cleanup_free_ int64_t *sizes = NEW_ARRAY(int64_t, count + 1);
        int r = 0;

        *ret_any = count > 0;
        if (count > 0)
                r = worker->bring(worker->data, chains, sizes, err);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = take_brought(&list[i], sizes[i], err);
        return r;
}

static int tell_found(Solver *solver, Error *err) {
        int r = 0;

        for (size_t i = 0; i < solver->count; i++) {
                StageState *stage = &solver->stages[i];

                for (size_t k = 0; r == 0 && stage_is_live(stage) && k < stage->missing; k++)
                        if (stage->steps[k].name)
                                r = step_tell_found(stage, k, err);
        }
        return r;
}

int solver_settle(Solver *solver, Error *err) {
        bool any = true;
        int r = 0;

        while (r == 0 && any) {
                mark_needed(solver);
                r = bring(solver, &any, err);
        }
        return r < 0 ? r : tell_found(solver, err);
}

/* ---- what the build knows in the end ---- */

static bool has_all_layers(const StageState *stage) {
        if (!*stage->key)
                return false;
        for (size_t i = 0; i < stage->plan.step_count; i++)
                if (stage->steps[i].name && str_empty(stage->steps[i].layer))
                        return false;
        return true;
}

/* Whether every layer of it is known, and of those that it stands upon. */
static bool is_whole(const StageState *stage) {
        while (stage && has_all_layers(stage))
                stage = stage_below(stage);
        return !stage;
}

static void add_records(const StageState *stage, SolveStage *ret) {
        const StageState *below = stage_below(stage);
        bool whole = !below || is_whole(below); /* every layer so far is at hand */
        size_t depth;

        if (below && whole)
                ret->layers = stage_layers(below, below->plan.step_count);
        else if (stage->image)
                ret->layers = strv_copy(stage->image->image.layers);
        depth = strv_length(ret->layers);
        ret->records = NEW_ARRAY(SolveRecord, stage->plan.step_count + 1);
        for (size_t i = 0; i < stage->plan.step_count; i++) {
                const StepState *state = &stage->steps[i];
                SolveRecord *record = &ret->records[ret->count];

                if (!state->name || !*state->key)
                        continue;
                whole = whole && !str_empty(state->layer);
                if (whole) {
                        strv_add(&ret->layers, state->layer);
                        depth++;
                }
                record->created_at = state->created_at;
                record->depth = whole ? depth : 0;
                memcpy(record->result, state->result, sizeof(record->result));
                ret->count++;
        }
}

static bool is_part(const Branch *branch, const StageState *stage) {
        const StageState *part = stage_at(branch->stages, plan_target(branch->plan));

        while (part && part != stage)
                part = stage_below(part);
        return part != NULL;
}

void branch_records(const Branch *branch, SolveResult *ret) {
        ret->stages = NEW_ARRAY(SolveStage, branch->count + 1);
        for (size_t i = 0; i < branch->count; i++) {
                const StageState *stage = stage_at(branch->stages, i);

                if (!stage->wanted)
                        continue;
                ret->stages[ret->stage_count].exported = is_part(branch, stage);
                add_records(stage, &ret->stages[ret->stage_count++]);
        }
}
