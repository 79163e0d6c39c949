/* plan.c: a Dockerfile's stages: their names, what each is built from, what it needs, and which of
 * them the target reaches. */
#include <stdarg.h>

#include "build/plan-private.h"
#include "build/stages.h"
#include "build/words.h"

/* ---- options ---- */

static char **copy_args(char *const *args) {
        char **copy = NULL;

        for (; args && *args; args++) {
                _cleanup_free_ char *name = str_copy_n(*args, strcspn(*args, "="));

                if (strchr(*args, '='))
                        env_put(&copy, name, *args + strlen(name) + 1);
        }
        return copy;
}

static int read_options(Plan *plan, const PlanOptions *options, Error *err) {
        _cleanup_free_ char *machine = platform_machine();
        const char *build = options->build_platform ?: machine;
        const char *target = options->target_platform;
        int r = platform_normal(build, &plan->build_platform, err);

        if (r == 0)
                r = platform_normal(str_empty(target) ? build : target, &plan->target_platform,
                                    err);
        plan->target_platform_given = !str_empty(target);
        plan->args = copy_args(options->args);
        plan->labels = strv_copy(options->labels);
        plan->contexts = strv_copy(options->contexts);
        plan->no_cache_filter = strv_copy(options->no_cache_filter);
        plan->network = str_copy(str_empty(options->network) ? "default" : options->network);
        plan->no_cache = options->no_cache;
        for (size_t i = 0; i < ENTITLEMENTS; i++) {
                plan->granted[i] = options->grants[i].granted;
                plan->why_not[i] = str_copy(options->grants[i].why_not);
        }
        plan->epoch = options->source_date_epoch;
        return r;
}

/* The build argument wins over ARG's default, and both over the option; empty is none. */
static int read_epoch(Plan *plan, Error *err) {
        static const char name[] = "SOURCE_DATE_EPOCH";
        const char *given = env_get(plan->args, name);
        const char *value = given ?: env_get(plan->global, name);

        if (given && !*given) {
                plan->epoch = -1;
                env_drop(plan->args, name);
                env_drop(plan->global, name);
        } else if (!str_empty(value) &&
                   (str_to_int64(value, &plan->epoch) < 0 || plan->epoch < 0)) {
                return error_kind(err, ERROR_INVALID,
                                  "invalid SOURCE_DATE_EPOCH: %.100s: give the seconds since 1970",
                                  value);
        }
        return 0;
}

/* ---- FROM ---- */

static int expand_from(const Plan *plan, const Instruction *from, const char *word, char **ret,
                       char ***unmatched, Error *err) {
        WordRules rules = { .escape = plan->file->directives.escape,
                            .env = plan->global,
                            .unmatched = unmatched };
        Error why = {};

        if (word_expand(word, &rules, ret, &why) < 0)
                return dockerfile_error(plan->file, from->at, err, "%s", why.message);
        return 0;
}

static int read_platform(const Plan *plan, PlanStage *stage, Error *err) {
        const char *written = instruction_flag(stage->from, "platform");
        _cleanup_free_ char *value = NULL;
        _cleanup_strv_ char **unmatched = NULL;
        Error why = {};

        if (str_empty(written)) {
                stage->shown.platform = str_copy(plan->target_platform);
                return 0;
        }
        int r = expand_from(plan, stage->from, written, &value, &unmatched, err);
        if (r < 0)
                return r;
        _cleanup_free_ char *hint = name_hint(unmatched ? *unmatched : "", plan->global);
        if (!*value)
                return dockerfile_error(plan->file, stage->from->at, err,
                                        "empty platform value from expression %.200s%s", written,
                                        hint);
        if (platform_normal(value, &stage->shown.platform, &why) < 0)
                return dockerfile_error(plan->file, stage->from->at, err,
                                        "failed to parse platform %.200s: %s%s", written,
                                        why.message, hint);
        return 0;
}

static int read_base(Plan *plan, PlanStage *stage, Error *err) {
        const char *written = stage->from->words[0];
        const char *context =
                stage->named ? plan_context(plan, stage->shown.name, stage->shown.platform) : NULL;
        _cleanup_free_ char *name = NULL;
        int r = expand_from(plan, stage->from, written, &name, NULL, err);

        if (r < 0)
                return r;
        if (!*name)
                return dockerfile_error(plan->file, stage->from->at, err,
                                        "base name (%.200s) should not be blank", written);
        if (context) {
                stage->is_context = true;
                stage->shown.base = (Input){ .kind = INPUT_CONTEXT,
                                             .name = str_copy(context),
                                             .platform = str_copy(stage->shown.platform),
                                             .at = stage->shown.at };
                return 0;
        }
        size_t earlier = (size_t)map_get(&plan->names, name);
        if (!earlier) {
                r = plan_base_input(plan, stage, name, &stage->shown.base, err);
                /* An empty root is of no platform but the build's. */
                if (r == 0 && stage->shown.base.kind == INPUT_SCRATCH)
                        str_replace(&stage->shown.platform, plan->target_platform);
                return r;
        }
        stage->shown.base = (Input){ .kind = INPUT_STAGE, .stage = earlier - 1 };
        str_replace(&stage->shown.platform, plan->stages[earlier - 1].shown.platform);
        return 0;
}

static int read_stage(Plan *plan, size_t index, Error *err) {
        PlanStage *stage = &plan->stages[index];
        const Instruction *from = stage->from;

        stage->named = from->word_count >= 3;
        stage->shown.name =
                stage->named ? str_lower(str_copy(from->words[2])) : str_format("stage-%zu", index);
        stage->shown.at = from->at;
        int r = read_platform(plan, stage, err);
        if (r == 0)
                r = read_base(plan, stage, err);
        if (r < 0)
                return r;
        plan_add_input(stage, &stage->shown.base);
        if (stage->named)
                (void)map_put(&plan->names, stage->shown.name, (void *)(index + 1));
        return 0;
}

static void collect_stages(Plan *plan) {
        const Dockerfile *file = plan->file;

        for (size_t i = 0; i < file->count; i++) {
                const Instruction *at = &file->instructions[i];

                if (at->kind == INSTRUCTION_FROM) {
                        GROW(plan->stages, plan->count);
                        plan->stages[plan->count++] = (PlanStage){ .from = at, .first = i + 1 };
                } else if (!plan->count && at->kind == INSTRUCTION_ARG) {
                        for (size_t k = 0; k < at->word_count; k += 2)
                                strv_add(&plan->global_args, at->words[k]);
                }
                if (plan->count)
                        plan->stages[plan->count - 1].end = i + 1;
        }
}

/* The name that TARGETSTAGE has: as it is asked for, else the last stage's own. */
static const char *target_name(const Plan *plan, const PlanOptions *options, char **buffer) {
        const Instruction *last = plan->stages[plan->count - 1].from;

        if (!str_empty(options->target))
                return options->target;
        *buffer = last->word_count >= 3 ? str_lower(str_copy(last->words[2])) : NULL;
        return *buffer;
}

static int read_stages(Plan *plan, const PlanOptions *options, Error *err) {
        _cleanup_free_ char *buffer = NULL;

        collect_stages(plan);
        if (!plan->count)
                return error_kind(err, ERROR_INVALID,
                                  "%.200s: dockerfile contains no stages to build",
                                  plan->file->name);
        platform_args_put(&plan->global, plan->build_platform, plan->target_platform,
                          target_name(plan, options, &buffer), plan->args);
        int r = global_args_put(plan->file, plan->args, &plan->global, err);
        if (r == 0)
                r = read_epoch(plan, err);
        for (size_t i = 0; r == 0 && i < plan->count; i++)
                r = read_stage(plan, i, err);
        return r;
}

/* ---- the target and what it needs ---- */

static int choose_target(Plan *plan, const char *target, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int number;

        plan->target = plan->count - 1;
        if (str_empty(target))
                return 0;
        _cleanup_free_ char *lower = str_lower(str_copy(target));
        size_t named = (size_t)map_get(&plan->names, lower);
        if (named) {
                plan->target = named - 1;
                return 0;
        }
        if (str_to_int_in(target, 0, (int)plan->count - 1, &number) == 0) {
                plan->target = (size_t)number;
                return 0;
        }
        for (size_t i = 0; i < plan->count; i++)
                if (plan->stages[i].named)
                        strv_add(&names, plan->stages[i].shown.name);
        return target_error(target, names, err);
}

static int add_needs(Plan *plan, PlanStage *stage, Error *err) {
        const Instruction *all = plan->file->instructions;
        const Input *base = &stage->shown.base;
        int r = 0;

        if (stage->is_context)
                return 0;
        for (size_t i = stage->first; r == 0 && i < stage->end; i++)
                r = plan_add_inputs(plan, stage, &all[i], all[i].at, err);
        if (base->kind != INPUT_STAGE || plan->stages[base->stage].is_context)
                return r;
        for (size_t i = plan->stages[base->stage].first;
             r == 0 && i < plan->stages[base->stage].end; i++)
                if (all[i].onbuild)
                        r = plan_add_inputs(plan, stage, all[i].onbuild, stage->shown.at, err);
        return r;
}

typedef struct Visit {
        size_t stage, next; /* the dependency that is looked at next */
} Visit;

enum { UNSEEN, OPEN, CLOSED };

/* Walks what instructions name, not bases, which are above in any case. marks and path: room for
 * one a stage. */
static int find_circle(const Plan *plan, size_t root, unsigned char *marks, Visit *path,
                       Error *err) {
        size_t depth = 0;

        if (marks[root] != UNSEEN)
                return 0;
        path[depth++] = (Visit){ .stage = root };
        marks[root] = OPEN;
        while (depth) {
                Visit *top = &path[depth - 1];
                const PlanStage *stage = &plan->stages[top->stage];

                if (top->next == stage->dep_count) {
                        marks[top->stage] = CLOSED;
                        depth--;
                        continue;
                }
                size_t next = stage->deps[top->next++];
                if (marks[next] == OPEN)
                        return dockerfile_error(plan->file, stage->dep_at[top->next - 1]->at, err,
                                                "circular dependency detected on stage: %.200s",
                                                plan->stages[root].shown.name);
                if (marks[next] == UNSEEN) {
                        marks[next] = OPEN;
                        path[depth++] = (Visit){ .stage = next };
                }
        }
        return 0;
}

static int check_circles(const Plan *plan, Error *err) {
        _cleanup_free_ unsigned char *marks = NEW_ARRAY(unsigned char, plan->count);
        _cleanup_free_ Visit *path = NEW_ARRAY(Visit, plan->count);
        int r = 0;

        for (size_t i = 0; r == 0 && i < plan->count; i++)
                r = find_circle(plan, i, marks, path, err);
        return r;
}

static void reach(Plan *plan) {
        _cleanup_free_ size_t *open = NEW_ARRAY(size_t, plan->count);
        size_t count = 0;

        plan->stages[plan->target].shown.reachable = true;
        open[count++] = plan->target;
        while (count) {
                const Stage *stage = &plan->stages[open[--count]].shown;

                for (size_t i = 0; i < stage->need_count; i++) {
                        Stage *need = &plan->stages[stage->needs[i]].shown;

                        if (!need->reachable)
                                open[count++] = stage->needs[i];
                        need->reachable = true;
                }
        }
}

/* A stage takes files only from stages above it. */
static int check_order(const Plan *plan, Error *err) {
        int r = 0;

        for (size_t i = 0; i < plan->count; i++) {
                const PlanStage *stage = &plan->stages[i];

                for (size_t k = 0; r == 0 && stage->shown.reachable && k < stage->dep_count; k++) {
                        Input input = { .kind = INPUT_STAGE, .stage = stage->deps[k] };
                        const Instruction *at = stage->dep_at[k];

                        r = plan_check_order(plan, i, &input, at->kind == INSTRUCTION_RUN, at->at,
                                             err);
                }
        }
        return r;
}

int plan_new(const Dockerfile *file, const PlanOptions *options, Plan **ret, Error *err) {
        _cleanup_(plan_freep) Plan *plan = NEW(Plan);

        plan->file = file;
        int r = read_options(plan, options, err);
        if (r == 0)
                r = read_stages(plan, options, err);
        if (r == 0)
                r = choose_target(plan, options->target, err);
        for (size_t i = 0; r == 0 && i < plan->count; i++)
                r = add_needs(plan, &plan->stages[i], err);
        if (r == 0)
                r = check_circles(plan, err);
        if (r < 0)
                return r;
        reach(plan);
        r = check_order(plan, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(plan);
        return 0;
}

static void stage_done(PlanStage *stage) {
        free(stage->shown.name);
        free(stage->shown.platform);
        input_done(&stage->shown.base);
        free(stage->shown.needs);
        for (size_t i = 0; i < stage->shown.input_count; i++)
                input_done(&stage->shown.inputs[i]);
        free(stage->shown.inputs);
        free(stage->deps);
        free(stage->dep_at);
        strv_free(stage->env);
        strv_free(stage->args);
}

Plan *plan_free(Plan *plan) {
        if (!plan)
                return NULL;
        for (size_t i = 0; i < plan->count; i++)
                stage_done(&plan->stages[i]);
        free(plan->stages);
        map_done(&plan->names, NULL);
        strv_free(plan->args);
        strv_free(plan->contexts);
        strv_free(plan->no_cache_filter);
        strv_free(plan->labels);
        strv_free(plan->global);
        strv_free(plan->global_args);
        free(plan->build_platform);
        free(plan->target_platform);
        free(plan->network);
        for (size_t i = 0; i < ENTITLEMENTS; i++)
                free(plan->why_not[i]);
        free(plan);
        return NULL;
}

size_t plan_stage_count(const Plan *plan) {
        return plan->count;
}

const Stage *plan_stage(const Plan *plan, size_t index) {
        return &plan->stages[index].shown;
}

size_t plan_target(const Plan *plan) {
        return plan->target;
}

int64_t plan_source_date_epoch(const Plan *plan) {
        return plan->epoch;
}

const char *plan_target_platform(const Plan *plan) {
        return plan->target_platform;
}

int plan_error(const Plan *plan, SourceRange at, Error *err, const char *format, ...) {
        char words[800];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(words, sizeof(words), format, args);
        va_end(args);
        return dockerfile_error(plan->file, at, err, "%s", words);
}
