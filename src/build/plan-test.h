/* plan-test.h: a Dockerfile's text to the plans of its stages, and those to text, for the tests of
 * the plan. */
#pragma once

#include "base/test.h"
#include "build/plan.h"

#define STAGES_MAX 8

typedef struct Made {
        Dockerfile *file; /* the plan points to it, and this is copied */
        Plan *plan;
        StagePlan stages[STAGES_MAX];
        int r;
        Error err;
} Made;

/* What every image that a stage is built from is; ONBUILD where a test sets it. */
static ImageConfig test_image UNUSED;
static char *const *test_triggers UNUSED;

static void test_image_make(void) {
        json_done(&image_config_table, &test_image);
        test_image = (ImageConfig){ .os = str_copy("linux"), .architecture = str_copy("arm64") };
        strv_add(&test_image.config.env, "PATH=/bin");
        strv_add(&test_image.config.env, "BASE=image");
        strv_add(&test_image.config.cmd, "inherited");
        test_image.config.user = str_copy("basis");
        test_image.config.working_dir = str_copy("srv/");
        test_image.config.on_build = strv_copy(test_triggers);
        ((ImageHistory *)json_append(&test_image.history, &image_history_table))->created_by =
                str_copy("of the image");
}

static void made_done(Made *made) {
        for (size_t i = 0; i < STAGES_MAX; i++)
                stage_plan_done(&made->stages[i]);
        plan_free(made->plan);
        dockerfile_done(made->file);
        free(made->file);
        json_done(&image_config_table, &test_image);
}

/* Plans every stage that the target reaches. */
static UNUSED Made make(const char *text, PlanOptions options) {
        Made made = { .file = NEW(Dockerfile) };

        options.source_date_epoch = options.source_date_epoch ?: -1;
        options.build_platform = options.build_platform ?: "linux/amd64";
        test_image_make();
        made.r = dockerfile_parse("D", text, strlen(text), made.file, &made.err);
        if (made.r == 0)
                made.r = plan_new(made.file, &options, &made.plan, &made.err);
        for (size_t i = 0; made.r == 0 && i < plan_stage_count(made.plan); i++) {
                const Input *base = &plan_stage(made.plan, i)->base;
                const ImageConfig *config = base->kind == INPUT_IMAGE ? &test_image : NULL;

                if (base->kind == INPUT_STAGE)
                        config = &made.stages[base->stage].config;
                if (plan_stage(made.plan, i)->reachable)
                        made.r = plan_dispatch(made.plan, i, config, &made.stages[i], &made.err);
        }
        return made;
}

static UNUSED StagePlan *target(Made *made) {
        return &made->stages[plan_target(made->plan)];
}

/* The history of the target behind its base's, an entry a line, "-" before those without a layer.
 * The caller's. */
static UNUSED char *history(Made *made) {
        const StagePlan *stage = target(made);
        const ImageHistory *all = stage->config.history.items;
        Buf text = {};

        for (size_t i = stage->base_history; i < stage->config.history.count; i++)
                buf_format(&text, "%s%s\n", all[i].empty_layer ? "-" : "", all[i].created_by);
        return buf_take(&text);
}

static UNUSED char *texts(Made *made) {
        const StagePlan *stage = target(made);
        Buf text = {};

        for (size_t i = 0; i < stage->step_count; i++)
                buf_format(&text, "%s\n", stage->steps[i].text);
        return buf_take(&text);
}

/* The first step of a kind in the target. */
static UNUSED const Step *step_of(Made *made, StepKind kind) {
        const StagePlan *stage = target(made);

        for (size_t i = 0; i < stage->step_count; i++)
                if (stage->steps[i].kind == kind)
                        return &stage->steps[i];
        return NULL;
}

static UNUSED char *input_text(const Input *input) {
        switch (input->kind) {
        case INPUT_SCRATCH:
                return str_copy("scratch");
        case INPUT_CONTEXT:
                return str_format("context:%s", input->name);
        case INPUT_STAGE:
                return str_format("stage:%zu", input->stage);
        case INPUT_IMAGE:
                return str_format("image:%s", input->name);
        }
        return str_copy("?");
}

static UNUSED char *list_text(char *const *list) {
        return list ? strv_join(list, ",") : str_copy("(none)");
}

#define ASSERT_MADE(made) ASSERT_OK((made).r, &(made).err)

#define ASSERT_LIST(list, expected)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *list_ = list_text(list);                                      \
                ASSERT_STR(list_, expected);                                                       \
        } while (0)

#define ASSERT_INPUT(input, expected)                                                              \
        do {                                                                                       \
                _cleanup_free_ char *input_ = input_text(input);                                   \
                ASSERT_STR(input_, expected);                                                      \
        } while (0)

#define ASSERT_HISTORY(text, expected, ...)                                                        \
        do {                                                                                       \
                _cleanup_(made_done) Made made_ = make(text, (PlanOptions){ __VA_ARGS__ });        \
                ASSERT_MADE(made_);                                                                \
                _cleanup_free_ char *history_ = history(&made_);                                   \
                ASSERT_STR(history_, expected);                                                    \
        } while (0)

#define ASSERT_TEXTS(text, expected, ...)                                                          \
        do {                                                                                       \
                _cleanup_(made_done) Made made_ = make(text, (PlanOptions){ __VA_ARGS__ });        \
                ASSERT_MADE(made_);                                                                \
                _cleanup_free_ char *texts_ = texts(&made_);                                       \
                ASSERT_STR(texts_, expected);                                                      \
        } while (0)

/* The error's first line; words without a place begin the message. */
#define ASSERT_ERROR(text, expected, ...)                                                          \
        do {                                                                                       \
                _cleanup_(made_done) Made made_ = make(text, (PlanOptions){ __VA_ARGS__ });        \
                ASSERT(made_.r < 0);                                                               \
                ASSERT_INT(made_.err.kind, ERROR_INVALID);                                         \
                made_.err.message[strcspn(made_.err.message, "\n")] = '\0';                        \
                ASSERT_STR(made_.err.message, expected);                                           \
        } while (0)

#define LIST(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
