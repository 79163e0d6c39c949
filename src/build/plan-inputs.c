/* plan-inputs.c: what a stage takes files from: stages, named contexts, images, the build's
 * context. Names only: whether an image is there is the solver's. */
#include <errno.h>

#include "build/plan-private.h"
#include "build/stages.h"
#include "format/reference.h"

void input_done(Input *input) {
        free(input->name);
        free(input->platform);
        *input = (Input){};
}

/* ---- names ---- */

/* A context's name as BuildKit compares it: familiar, without ":latest". NULL: no name of an image.
 * The caller's. */
static char *context_name(const char *name) {
        Reference reference = {};
        Error ignored = {};

        if (reference_parse(name, &reference, &ignored) < 0)
                return NULL;
        char *familiar = reference_familiar(&reference);
        reference_done(&reference);
        if (str_ends(familiar, ":latest"))
                familiar[strlen(familiar) - strlen(":latest")] = '\0';
        return familiar;
}

const char *plan_context(const Plan *plan, const char *name, const char *platform) {
        _cleanup_free_ char *wanted = NULL, *with_platform = NULL;
        _cleanup_free_ char *lower = str_lower(str_copy(name));

        if (!plan->contexts || str_equal(lower, "scratch") || str_equal(lower, "context"))
                return NULL;
        wanted = context_name(name);
        if (!wanted)
                return NULL;
        with_platform = str_format("%s::%s", wanted, platform);
        for (char **one = plan->contexts; *one; one++)
                if (str_equal(*one, with_platform))
                        return *one;
        for (char **one = plan->contexts; *one; one++) {
                _cleanup_free_ char *known = context_name(*one);

                if (str_equal(known, wanted))
                        return *one;
        }
        return NULL;
}

/* A name that is no stage's. `why` gets the words of an error. */
static int outside_input(const Plan *plan, const char *name, const char *platform, SourceRange at,
                         Input *ret, Error *why) {
        const char *context = plan_context(plan, name, platform ?: plan->target_platform);
        Reference reference = {};

        *ret = (Input){};
        if (context) {
                *ret = (Input){ .kind = INPUT_CONTEXT, .name = str_copy(context) };
        } else if (str_equal(name, "scratch")) {
                ret->kind = INPUT_SCRATCH;
                return 0;
        } else {
                int r = reference_parse(name, &reference, why);

                if (r < 0)
                        return r;
                reference_done(&reference);
                *ret = (Input){ .kind = INPUT_IMAGE, .name = str_copy(name) };
        }
        ret->platform = str_copy(platform);
        ret->at = at;
        return 0;
}

int plan_base_input(const Plan *plan, const PlanStage *stage, const char *name, Input *ret,
                    Error *err) {
        const char *platform = stage->shown.platform;
        Error why = {};

        if (outside_input(plan, name, platform, stage->shown.at, ret, &why) < 0)
                return dockerfile_error(plan->file, stage->shown.at, err,
                                        "failed to parse stage name \"%.200s\": %s", name,
                                        why.message);
        return 0;
}

static int bad_from(const Plan *plan, const char *from, const char *why, SourceRange at,
                    Error *err) {
        return dockerfile_error(plan->file, at, err, "invalid from flag value %.200s: %s", from,
                                why);
}

/* A stage's files, or those of the named context that stands in its place. */
static void stage_input(const Plan *plan, size_t index, SourceRange at, Input *ret) {
        const PlanStage *stage = &plan->stages[index];

        if (stage->is_context)
                *ret = (Input){ .kind = INPUT_CONTEXT,
                                .name = str_copy(stage->shown.base.name),
                                .platform = str_copy(stage->shown.platform),
                                .at = at };
        else
                *ret = (Input){ .kind = INPUT_STAGE, .stage = index };
}

int plan_from_input(const Plan *plan, const char *from, bool mount, SourceRange at, Input *ret,
                    Error *err) {
        _cleanup_free_ char *lower = str_lower(str_copy(from));
        size_t named = (size_t)map_get(&plan->names, lower);
        int64_t number;
        int r = mount ? -EINVAL : str_to_int64(from, &number);
        Error why = {};

        if (!mount && strpbrk(from, "$'\"\\`"))
                return bad_from(plan, from,
                                "variable expansion is not supported for --from, define a new "
                                "stage with FROM using ARG from global scope as a workaround",
                                at, err);
        if (r == -ERANGE || (r == 0 && (number < 0 || number >= (int64_t)plan->count))) {
                _cleanup_free_ char *what = str_format("invalid stage index %.40s", from);

                return bad_from(plan, from, what, at, err);
        }
        if (r == 0 || named) {
                stage_input(plan, r == 0 ? (size_t)number : named - 1, at, ret);
                return 0;
        }
        if (outside_input(plan, from, NULL, at, ret, &why) < 0)
                return bad_from(plan, from, why.message, at, err);
        return 0;
}

char *plan_name_hint(const Plan *plan, const char *name) {
        static const char *const images[] = { "alpine", "busybox", "centos", "debian",
                                              "fedora", "golang",  "ubuntu" };
        _cleanup_strv_ char **names = NULL;

        for (size_t i = 0; i < plan->count; i++)
                if (plan->stages[i].named)
                        strv_add(&names, plan->stages[i].shown.name);
        for (size_t i = 0; i < ELEMENTS(images); i++)
                strv_add(&names, images[i]);
        return name_hint(name, names);
}

int plan_check_order(const Plan *plan, size_t index, const Input *input, bool mount, SourceRange at,
                     Error *err) {
        if (input->kind != INPUT_STAGE || input->stage < index ||
            plan->stages[input->stage].is_context)
                return 0;
        return dockerfile_error(plan->file, at, err,
                                "cannot %s from stage \"%.100s\", it needs to be defined before "
                                "current stage \"%.100s\"",
                                mount ? "mount" : "copy", plan->stages[input->stage].shown.name,
                                plan->stages[index].shown.name);
}

/* ---- what a stage names ---- */

static void add_need(Stage *stage, size_t need) {
        for (size_t i = 0; i < stage->need_count; i++)
                if (stage->needs[i] == need)
                        return;
        GROW(stage->needs, stage->need_count);
        stage->needs[stage->need_count++] = need;
}

void plan_add_input(PlanStage *stage, const Input *input) {
        Stage *shown = &stage->shown;

        if (input->kind == INPUT_SCRATCH)
                return;
        if (input->kind == INPUT_STAGE) {
                add_need(shown, input->stage);
                return;
        }
        for (size_t i = 0; i < shown->input_count; i++)
                if (shown->inputs[i].kind == input->kind &&
                    str_equal(shown->inputs[i].name, input->name) &&
                    str_equal(shown->inputs[i].platform, input->platform))
                        return;
        GROW(shown->inputs, shown->input_count);
        shown->inputs[shown->input_count++] = (Input){ .kind = input->kind,
                                                       .name = str_copy(input->name),
                                                       .platform = str_copy(input->platform),
                                                       .at = input->at };
}

static int add_from(const Plan *plan, PlanStage *stage, const Instruction *instruction,
                    const char *from, bool mount, SourceRange at, Error *err) {
        _cleanup_(input_done) Input input = {};
        int r = plan_from_input(plan, from, mount, at, &input, err);

        if (r < 0)
                return r;
        if (input.kind == INPUT_STAGE) {
                size_t room = stage->dep_count;

                GROW(stage->deps, stage->dep_count);
                GROW(stage->dep_at, room);
                stage->deps[stage->dep_count] = input.stage;
                stage->dep_at[stage->dep_count++] = instruction;
        }
        plan_add_input(stage, &input);
        return 0;
}

static void add_context(PlanStage *stage) {
        plan_add_input(stage, &(Input){ .kind = INPUT_CONTEXT, .name = (char *)"" });
}

static int add_mount(const Plan *plan, PlanStage *stage, const Instruction *instruction,
                     const char *value, SourceRange at, Error *err) {
        _cleanup_strv_ char **fields = NULL;
        _cleanup_free_ char *from = NULL;
        bool typed = false;
        Error why = {};

        if (mount_from(value, &from, &why) < 0 || mount_fields(value, &fields, &why) < 0)
                return dockerfile_error(plan->file, at, err, "%s", why.message);
        if (!str_empty(from))
                return add_from(plan, stage, instruction, from, true, at, err);
        /* Without from, a bind mount is of the context; the type may be a variable's. */
        for (char **field = fields; *field; field++) {
                const char *type = str_after(*field, "type=");

                typed |= type && !strchr(type, '$') && !str_equal(type, "bind");
        }
        if (!typed)
                add_context(stage);
        return 0;
}

/* Whether COPY or ADD may read the context, as far as that can be known without variables. */
static bool reads_context(const Instruction *instruction) {
        for (size_t i = 0; i + 1 < instruction->word_count; i++)
                if (!heredoc_word(instruction->words[i], NULL) &&
                    !(instruction->kind == INSTRUCTION_ADD && strstr(instruction->words[i], "://")))
                        return true;
        return false;
}

int plan_add_inputs(const Plan *plan, PlanStage *stage, const Instruction *instruction,
                    SourceRange at, Error *err) {
        const char *from = instruction_flag(instruction, "from");
        int r = 0;

        if (instruction->kind == INSTRUCTION_COPY && !str_empty(from))
                return add_from(plan, stage, instruction, from, false, at, err);
        if (instruction->kind == INSTRUCTION_COPY || instruction->kind == INSTRUCTION_ADD) {
                if (reads_context(instruction))
                        add_context(stage);
                return 0;
        }
        if (instruction->kind != INSTRUCTION_RUN)
                return 0;
        for (size_t i = 0; r == 0 && i < instruction->flag_count; i++)
                if (str_equal(instruction->flags[i].name, "mount"))
                        r = add_mount(plan, stage, instruction, instruction->flags[i].value, at,
                                      err);
        return r;
}
