/* plan-private.h: what the files of the plan share: stages (plan.c), what they take files from
 * (plan-inputs.c), then the instructions of one stage (plan-dispatch.c and what its table names).
 */
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "build/plan.h"

/* What the texts of one stage may come to, and what all stages may take over from their bases:
 * variables that repeat themselves end here, and long chains of stages. */
#define STAGE_TEXT_LIMIT ((size_t)64 << 20)

typedef struct PlanStage {
        Stage shown; /* what plan_stage gives */
        const Instruction *from;
        size_t first, end; /* instructions: first … end - 1 */
        bool named;        /* the file names it */
        bool is_context;   /* a named context stands in its place: it has no instructions */
        size_t *deps;      /* of shown.needs those that an instruction names, as often as it does */
        const Instruction **dep_at;
        size_t dep_count;
        /* Once it is dispatched: what stages upon it begin with. */
        bool dispatched;
        char **env;  /* ENV and the arguments in scope, as they stand at its end */
        char **args; /* NAME=value of ARG, in order, each once; "" where there is no value */
} PlanStage;

struct Plan {
        const Dockerfile *file;
        char **args, **contexts, **no_cache_filter, **labels;
        char *build_platform, *target_platform, *network;
        bool target_platform_given, no_cache;
        char **global;      /* the variables of FROM, which ARG takes over, too */
        char **global_args; /* names that ARG declared before the first FROM */
        PlanStage *stages;
        size_t count, target;
        Map names; /* lower case, to its number + 1: the last stage of a name */
        bool granted[ENTITLEMENTS];
        char *why_not[ENTITLEMENTS]; /* PlanGrant's, or NULL */
        int64_t epoch;
        _Atomic size_t taken_over; /* bytes, of STAGE_TEXT_LIMIT */
};

/* ---- plan-inputs.c ---- */

/* What FROM's name means behind the stages: scratch, a named context or an image. */
int plan_base_input(const Plan *plan, const PlanStage *stage, const char *name, Input *ret,
                    Error *err);
/* Where an instruction's --from= (mount: its from=) points. Errors are at `at`: an image's name
 * that is none, a number that no stage has, a variable. */
int plan_from_input(const Plan *plan, const char *from, bool mount, SourceRange at, Input *ret,
                    Error *err);
/* That the input is a stage above `index`, or none. */
int plan_check_order(const Plan *plan, size_t index, const Input *input, bool mount, SourceRange at,
                     Error *err);
/* Adds all that an instruction takes files from to its stage; variables are not known yet, so the
 * context may be among them in vain. */
int plan_add_inputs(const Plan *plan, PlanStage *stage, const Instruction *instruction,
                    SourceRange at, Error *err);
void plan_add_input(PlanStage *stage, const Input *input);
void input_done(Input *input);
/* Whether a named context has this name; its own name, borrowed, or NULL. */
const char *plan_context(const Plan *plan, const char *name, const char *platform);

/* ---- one stage ---- */

typedef struct Dispatch {
        Plan *plan;
        PlanStage *stage;
        size_t index;
        StagePlan *made;
        const Instruction *instruction;
        SourceRange at;
        bool trigger;     /* the instruction is ONBUILD's, of the base */
        char **env;       /* ENV and the arguments in scope */
        char **args;      /* as PlanStage.args */
        bool cmd_set;     /* by an instruction of this stage */
        Step step;        /* of the instruction; a handler fills it */
        size_t text_size; /* what was made so far, of STAGE_TEXT_LIMIT */
} Dispatch;

typedef int DispatchHandler(Dispatch *dispatch, Error *err);

int dispatch_error(const Dispatch *dispatch, Error *err, const char *format, ...) PRINTF_LIKE(3, 4);
/* One word with its variables replaced. NULL stays NULL. */
int dispatch_expand(const Dispatch *dispatch, const char *word, char **ret, Error *err);
/* Ends the instruction: its step and the history's entry with these words, which become its own. */
int dispatch_commit(Dispatch *dispatch, StepKind kind, bool empty_layer, char *created_by,
                    Error *err);
/* Counts what else an instruction makes. */
int dispatch_count(Dispatch *dispatch, size_t size, Error *err);
int dispatch_count_list(Dispatch *dispatch, char *const *list, Error *err);
/* The instruction's command: its own words, or the shell with text (NULL: its line). The caller's.
 */
char **dispatch_command(const Dispatch *dispatch, const char *text);

/* path, from cwd where it is relative, clean and absolute. The caller's. */
char *path_below(const char *cwd, const char *path);

DispatchHandler dispatch_arg;  /* plan-args.c */
DispatchHandler dispatch_run;  /* plan-run.c */
DispatchHandler dispatch_copy; /* plan-copy.c */
DispatchHandler dispatch_cmd, dispatch_entrypoint, dispatch_env, dispatch_expose, dispatch_health,
        dispatch_label, dispatch_maintainer, dispatch_onbuild, dispatch_shell, dispatch_stop_signal,
        dispatch_user, dispatch_volume, dispatch_workdir; /* plan-config.c */

/* ---- plan-args.c ---- */
/* Adds the proxies of the build's arguments to the environment of a RUN and their names to
 * *ret_volatile, unless ENV or ARG gives them. */
void plan_add_proxies(const Plan *plan, char ***env, char ***ret_volatile);
/* "|2 a=1 b=2 ", of the arguments in scope; "" without. The caller's. */
char *dispatch_args_text(const Dispatch *dispatch);

/* ---- plan-mount.c ---- */
/* The fields of --mount=, split at commas outside quotes. The caller's. */
int mount_fields(const char *text, char ***ret, Error *err);
/* from= of a --mount=, as it is written; NULL: none. Its variables are an error. The caller's. */
int mount_from(const char *text, char **ret, Error *err);
/* Reads the instruction's mounts into dispatch->step.run. */
int dispatch_mounts(Dispatch *dispatch, Error *err);

/* ---- plan-text.c: as Go prints them, each the caller's ---- */
char *go_list(char *const *list);        /* %v: [a b] */
char *go_quoted_list(char *const *list); /* %q: ["a" "b"] */
