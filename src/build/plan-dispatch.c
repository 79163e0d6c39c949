/* plan-dispatch.c: the instructions of one stage, in order, upon its base's configuration. What
 * each of them does is in the files that the table names. */
#include <stdarg.h>

#include "build/ignore.h"
#include "build/plan-private.h"
#include "build/stages.h"
#include "build/words.h"

/* What BuildKit's history says that an image is made by. */
#define HISTORY_COMMENT "buildkit.dockerfile.v0"

static DispatchHandler *const handlers[INSTRUCTION_KINDS] = {
        [INSTRUCTION_ADD] = dispatch_copy,
        [INSTRUCTION_ARG] = dispatch_arg,
        [INSTRUCTION_CMD] = dispatch_cmd,
        [INSTRUCTION_COPY] = dispatch_copy,
        [INSTRUCTION_ENTRYPOINT] = dispatch_entrypoint,
        [INSTRUCTION_ENV] = dispatch_env,
        [INSTRUCTION_EXPOSE] = dispatch_expose,
        [INSTRUCTION_HEALTHCHECK] = dispatch_health,
        [INSTRUCTION_LABEL] = dispatch_label,
        [INSTRUCTION_MAINTAINER] = dispatch_maintainer,
        [INSTRUCTION_ONBUILD] = dispatch_onbuild,
        [INSTRUCTION_RUN] = dispatch_run,
        [INSTRUCTION_SHELL] = dispatch_shell,
        [INSTRUCTION_STOPSIGNAL] = dispatch_stop_signal,
        [INSTRUCTION_USER] = dispatch_user,
        [INSTRUCTION_VOLUME] = dispatch_volume,
        [INSTRUCTION_WORKDIR] = dispatch_workdir,
};

/* ---- steps ---- */

static void run_done(RunStep *run) {
        strv_free(run->argv);
        strv_free(run->env);
        strv_free(run->volatile_env);
        free(run->network);
        for (size_t i = 0; i < run->mount_count; i++) {
                input_done(&run->mounts[i].from);
                free(run->mounts[i].source);
                free(run->mounts[i].target);
                free(run->mounts[i].env);
                free(run->mounts[i].id);
        }
        free(run->mounts);
        free(run->script_path);
        free(run->script);
}

static void copy_done(CopyStep *copy) {
        input_done(&copy->from);
        for (size_t i = 0; i < copy->source_count; i++) {
                free(copy->sources[i].path);
                free(copy->sources[i].content);
        }
        free(copy->sources);
        free(copy->dest);
        free(copy->chown);
        free(copy->chmod);
        strv_free(copy->excludes);
        free(copy->checksum);
        free(copy->unpack);
}

static void step_done(Step *step) {
        free(step->text);
        free(step->created_by);
        free(step->user);
        free(step->cwd);
        free(step->target);
        run_done(&step->run);
        copy_done(&step->copy);
        free(step->workdir);
        *step = (Step){};
}

void stage_plan_done(StagePlan *plan) {
        for (size_t i = 0; i < plan->step_count; i++)
                step_done(&plan->steps[i]);
        free(plan->steps);
        json_done(&image_config_table, &plan->config);
        *plan = (StagePlan){};
}

/* ---- what handlers need ---- */

int dispatch_error(const Dispatch *dispatch, Error *err, const char *format, ...) {
        char words[600];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(words, sizeof(words), format, args);
        va_end(args);
        return dockerfile_error(dispatch->plan->file, dispatch->at, err, "%s%s",
                                dispatch->trigger ? "ONBUILD trigger of the base: " : "", words);
}

int dispatch_expand(const Dispatch *dispatch, const char *word, char **ret, Error *err) {
        WordRules rules = { .escape = dispatch->plan->file->directives.escape,
                            .env = dispatch->env };
        Error why = {};

        if (!word) {
                *ret = NULL;
                return 0;
        }
        if (word_expand(word, &rules, ret, &why) < 0)
                return dispatch_error(dispatch, err, "%s", why.message);
        return 0;
}

int dispatch_count(Dispatch *dispatch, size_t size, Error *err) {
        dispatch->text_size += size;
        if (dispatch->text_size <= STAGE_TEXT_LIMIT)
                return 0;
        return dispatch_error(dispatch, err,
                              "the stage \"%.100s\" comes to more than %zu MiB of text: shorten "
                              "the values that its instructions repeat",
                              dispatch->stage->shown.name, STAGE_TEXT_LIMIT >> 20);
}

int dispatch_count_list(Dispatch *dispatch, char *const *list, Error *err) {
        size_t size = 0;

        for (; list && *list; list++)
                size += strlen(*list) + sizeof(*list);
        return dispatch_count(dispatch, size, err);
}

int dispatch_commit(Dispatch *dispatch, StepKind kind, bool empty_layer, char *created_by,
                    Error *err) {
        StagePlan *made = dispatch->made;
        Step *step = &dispatch->step;

        step->kind = kind;
        free(step->created_by);
        step->created_by = created_by;
        int r = dispatch_count(dispatch, 2 * strlen(created_by) + strlen(step->text), err);
        if (r < 0)
                return r;
        ImageHistory *entry = json_append(&made->config.history, &image_history_table);
        entry->created_by = str_copy(created_by);
        entry->comment = str_copy(HISTORY_COMMENT);
        entry->empty_layer = empty_layer;
        GROW(made->steps, made->step_count);
        made->steps[made->step_count++] = *step;
        *step = (Step){};
        return 0;
}

char **dispatch_command(const Dispatch *dispatch, const char *text) {
        const Instruction *at = dispatch->instruction;
        char **shell = dispatch->made->config.config.shell, **command = NULL;

        if (at->is_json)
                return strv_copy(at->words);
        if (shell && *shell) {
                command = strv_copy(shell);
        } else {
                strv_add(&command, "/bin/sh");
                strv_add(&command, "-c");
        }
        strv_add(&command, text ?: at->word_count ? at->words[0] : "");
        return command;
}

char *path_below(const char *cwd, const char *path) {
        _cleanup_free_ char *whole =
                *path == '/' ? str_copy(path) : str_format("/%s/%s", cwd, path);

        return ignore_clean_path(whole);
}

/* ---- one instruction ---- */

/* The instruction as progress shows it: its name in upper case, variables replaced; as it is where
 * that fails, which may be an error of its own later. */
static char *shown_text(const Dispatch *dispatch) {
        WordRules rules = { .escape = dispatch->plan->file->directives.escape,
                            .env = dispatch->env };
        const Instruction *at = dispatch->instruction;
        _cleanup_free_ char *text = NULL;
        Error ignored = {};

        /* RUN shows itself otherwise. */
        if (at->kind == INSTRUCTION_RUN || word_expand(at->text, &rules, &text, &ignored) < 0)
                text = str_copy(at->text);
        for (char *c = text; *c && *c != ' ' && *c != '\t'; c++)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char)(*c - 'a' + 'A');
        return dispatch->trigger ? str_format("ONBUILD %s", text) : TAKE_PTR(text);
}

static bool is_uncached(const Dispatch *dispatch) {
        const Plan *plan = dispatch->plan;
        bool found = plan->no_cache;

        for (char **name = plan->no_cache_filter; name && *name && !found; name++) {
                _cleanup_free_ char *lower = str_lower(str_copy(*name));

                found = dispatch->stage->named && str_equal(lower, dispatch->stage->shown.name);
        }
        return found;
}

/* What TARGETPLATFORM, or else TARGETOS, TARGETARCH and TARGETVARIANT say. The caller's. */
static char *named_target(char *const *env, const char *own) {
        const char *whole = env_get(env, "TARGETPLATFORM"), *os = env_get(env, "TARGETOS"),
                   *architecture = env_get(env, "TARGETARCH"),
                   *variant = env_get(env, "TARGETVARIANT");
        _cleanup_strv_ char **parts = str_split(own, '/');

        if (!str_empty(whole))
                return str_copy(whole);
        if (str_empty(os) && str_empty(architecture))
                return NULL;
        return str_format("%s/%s%s%s", str_empty(os) ? parts[0] : os,
                          str_empty(architecture) ? parts[1] : architecture,
                          str_empty(variant) ? "" : "/", variant ?: "");
}

/* See Step.target. */
static char *cross_target(const Dispatch *dispatch) {
        const char *own = dispatch->stage->shown.platform;
        _cleanup_free_ char *named = named_target(dispatch->env, own), *target = NULL;
        _cleanup_strv_ char **here = str_split(own, '/'), **there = NULL;

        if (!named || platform_normal(named, &target, NULL) < 0)
                return NULL;
        there = str_split(target, '/');
        if (!str_equal(here[0], there[0]))
                return TAKE_PTR(target);
        return str_equal(here[1], there[1]) ? NULL : str_copy(target + strlen(there[0]) + 1);
}

static int dispatch_one(Dispatch *dispatch, const Instruction *instruction, SourceRange at,
                        Error *err) {
        const ImageRunConfig *config = &dispatch->made->config.config;
        DispatchHandler *handler = handlers[instruction->kind];

        if (!handler)
                return 0;
        dispatch->instruction = instruction;
        dispatch->at = at;
        dispatch->step = (Step){
                .instruction = instruction->kind,
                .at = at,
                .no_cache = is_uncached(dispatch),
                .trigger = dispatch->trigger,
                .user = str_copy(config->user),
                .cwd = str_copy(str_empty(config->working_dir) ? "/" : config->working_dir),
                .target = cross_target(dispatch),
        };
        dispatch->step.text = shown_text(dispatch);
        int r = handler(dispatch, err);
        step_done(&dispatch->step);
        return r;
}

/* ---- ONBUILD of the base ---- */

static int bad_trigger(const Dispatch *dispatch, const char *text, const char *why, Error *err) {
        return dockerfile_error(dispatch->plan->file, dispatch->stage->shown.at, err,
                                "ONBUILD trigger \"%.100s\" of the base: %.*s", text,
                                (int)strcspn(why, "\n"), why);
}

static int run_trigger(Dispatch *dispatch, const char *text, Error *err) {
        _cleanup_(dockerfile_done) Dockerfile trigger = {};
        Error why = {};

        if (dockerfile_parse_trigger(text, &trigger, &why) < 0)
                return bad_trigger(dispatch, text, why.message, err);
        return dispatch_one(dispatch, &trigger.instructions[0], dispatch->stage->shown.at, err);
}

static int run_triggers(Dispatch *dispatch, Error *err) {
        _cleanup_strv_ char **triggers = TAKE_PTR(dispatch->made->config.config.on_build);
        int r = 0;

        dispatch->trigger = true;
        for (char **text = triggers; r == 0 && text && *text; text++)
                r = run_trigger(dispatch, *text, err);
        dispatch->trigger = false;
        return r;
}

/* ---- a stage ---- */

/* OS, architecture and variant of a platform as plan_new has it. */
static void put_platform(ImageConfig *config, const char *platform) {
        _cleanup_strv_ char **parts = str_split(platform, '/');
        bool same = str_equal(config->os, parts[0]) && str_equal(config->architecture, parts[1]);

        str_replace(&config->os, parts[0]);
        str_replace(&config->architecture, parts[1]);
        if (parts[2] || !same)
                str_replace(&config->variant, parts[2]);
        if (!same)
                str_replace(&config->os_version, NULL);
}

static void begin_config(const Dispatch *dispatch, const ImageConfig *base) {
        ImageConfig *config = &dispatch->made->config;

        if (!base) {
                put_platform(config, dispatch->stage->shown.platform);
                config->rootfs.type = str_copy("layers");
                config->config.working_dir = str_copy("/");
        } else {
                json_copy(&image_config_table, base, config);
                config->created = 0;
                str_replace(&config->docker_version, NULL);
                str_replace(&config->comment, NULL);
                str_replace(&config->parent, NULL);
        }
        if (!str_empty(config->config.working_dir)) {
                _cleanup_free_ char *clean = path_below("/", config->config.working_dir);

                str_replace(&config->config.working_dir, clean);
        }
        if (!env_get(config->config.env, "PATH"))
                env_put(&config->config.env, "PATH", DEFAULT_PATH);
        dispatch->made->base_history = config->history.count;
}

/* About what copies of the configuration take, the variables once more as those in scope. */
static size_t config_size(const ImageConfig *config) {
        const ImageHistory *entries = config->history.items;
        size_t size = 0;

        for (char **one = config->config.env; one && *one; one++)
                size += 2 * (strlen(*one) + sizeof(*one));
        for (size_t i = 0; i < config->config.labels.count; i++)
                size += strlen(config->config.labels.items[i].key) +
                        strlen(config->config.labels.items[i].value);
        for (size_t i = 0; i < config->history.count; i++)
                size += sizeof(ImageHistory) + strlen(entries[i].created_by ?: "");
        return size;
}

static int count_base(const Dispatch *dispatch, const ImageConfig *base, Error *err) {
        size_t size = base ? config_size(base) : 0;

        if (atomic_fetch_add(&dispatch->plan->taken_over, size) + size <= STAGE_TEXT_LIMIT)
                return 0;
        return dockerfile_error(dispatch->plan->file, dispatch->stage->shown.at, err,
                                "the stages up to \"%.100s\" take more than %zu MiB of variables, "
                                "labels and history over from their bases: build fewer stages "
                                "upon each other",
                                dispatch->stage->shown.name, STAGE_TEXT_LIMIT >> 20);
}

/* What a stage takes over from the stage that it is built from, and then the image's environment,
 * which wins. */
static int begin_env(Dispatch *dispatch, Error *err) {
        const Input *base = &dispatch->stage->shown.base;

        if (base->kind == INPUT_STAGE) {
                const PlanStage *stage = &dispatch->plan->stages[base->stage];

                if (!stage->dispatched)
                        return error_kind(err, ERROR_INTERNAL,
                                          "stage \"%.100s\" was planned before its base \"%.100s\"",
                                          dispatch->stage->shown.name, stage->shown.name);
                dispatch->env = strv_copy(stage->env);
                dispatch->args = strv_copy(stage->args);
        }
        for (char **one = dispatch->made->config.config.env; *one; one++) {
                _cleanup_free_ char *name = str_copy_n(*one, strcspn(*one, "="));

                env_put(&dispatch->env, name, (*one)[strlen(name)] ? *one + strlen(name) + 1 : "");
        }
        return 0;
}

static int run_instructions(Dispatch *dispatch, Error *err) {
        const Instruction *all = dispatch->plan->file->instructions;
        int r = run_triggers(dispatch, err);

        for (size_t i = dispatch->stage->first; r == 0 && i < dispatch->stage->end; i++)
                r = dispatch_one(dispatch, &all[i], all[i].at, err);
        return r;
}

/* A stage that begins with the files of a named context, which is no image. */
static int copy_context(Dispatch *dispatch, Error *err) {
        const Input *base = &dispatch->stage->shown.base;
        CopyStep *copy = &dispatch->step.copy;

        dispatch->instruction = dispatch->stage->from;
        dispatch->at = dispatch->stage->shown.at;
        dispatch->step = (Step){ .instruction = INSTRUCTION_COPY,
                                 .at = dispatch->at,
                                 .no_cache = is_uncached(dispatch),
                                 .cwd = str_copy("/"),
                                 .text = str_format("COPY --from=%s . /", base->name) };
        copy->from = (Input){ .kind = INPUT_CONTEXT, .name = str_copy(base->name), .at = base->at };
        copy->sources = NEW(CopySource);
        copy->sources[copy->source_count++] =
                (CopySource){ .kind = COPY_FILES, .path = str_copy(".") };
        copy->dest = str_copy("/");
        int r = dispatch_commit(dispatch, STEP_COPY, false, str_copy("COPY . / # buildkit"), err);
        step_done(&dispatch->step);
        return r;
}

/* What only the image that the build is for has. */
static void finish_target(const Dispatch *dispatch) {
        const Plan *plan = dispatch->plan;
        ImageConfig *config = &dispatch->made->config;

        for (char **label = plan->labels; label && *label; label++) {
                const char *value = strchrnul(*label, '=');
                _cleanup_free_ char *name = str_copy_n(*label, (size_t)(value - *label));

                pairs_put(&config->config.labels, name, *value ? value + 1 : "");
        }
        if (plan->target_platform_given)
                put_platform(config, plan->target_platform);
}

int plan_dispatch(Plan *plan, size_t index, const ImageConfig *base, StagePlan *ret, Error *err) {
        _cleanup_(stage_plan_done) StagePlan made = {};
        PlanStage *stage = &plan->stages[index];
        Dispatch dispatch = { .plan = plan, .stage = stage, .index = index, .made = &made };

        int r = count_base(&dispatch, base, err);
        if (r < 0)
                return r;
        begin_config(&dispatch, base);
        r = begin_env(&dispatch, err);
        if (r == 0 && !base && stage->shown.base.kind == INPUT_CONTEXT)
                r = copy_context(&dispatch, err);
        if (r == 0 && !stage->is_context)
                r = run_instructions(&dispatch, err);
        _cleanup_strv_ char **env = dispatch.env, **args = dispatch.args;
        if (r < 0)
                return r;
        if (index == plan->target)
                finish_target(&dispatch);
        strv_free(stage->env);
        strv_free(stage->args);
        stage->env = TAKE_PTR(env);
        stage->args = TAKE_PTR(args);
        stage->dispatched = true;
        *ret = made;
        made = (StagePlan){};
        return 0;
}
