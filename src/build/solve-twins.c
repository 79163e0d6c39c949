/* solve-twins.c: of plans for several platforms the stages that are the same in them, as those that
 * are built from $BUILDPLATFORM and ask for no target: they run once. See solve.h. */
#include "build/solve-private.h"

/* Both plans are of one file, so that the instructions are the same: they differ by the values of
 * arguments, which an ARG names, and by what they are built upon. */
static bool same_steps(const StagePlan *a, const StagePlan *b) {
        if (a->step_count != b->step_count)
                return false;
        for (size_t i = 0; i < a->step_count; i++)
                if (!str_equal(a->steps[i].created_by, b->steps[i].created_by) ||
                    !str_equal(a->steps[i].text, b->steps[i].text))
                        return false;
        return true;
}

static bool same_config(const StagePlan *a, const StagePlan *b) {
        _cleanup_free_ char *left = json_text(&image_config_table, &a->config);
        _cleanup_free_ char *right = json_text(&image_config_table, &b->config);

        return str_equal(left, right);
}

static bool same_base(const StageState *a, const StageState *b) {
        const Input *left = &a->stage->base, *right = &b->stage->base;

        if (left->kind != right->kind || a->image != b->image)
                return false;
        return left->kind != INPUT_STAGE || stage_at(a, left->stage) == stage_at(b, right->stage);
}

static bool same_inputs(const StageState *a, const StageState *b) {
        if (a->stage->need_count != b->stage->need_count ||
            a->stage->input_count != b->stage->input_count)
                return false;
        for (size_t i = 0; i < a->stage->need_count; i++)
                if (stage_at(a, a->stage->needs[i]) != stage_at(b, b->stage->needs[i]))
                        return false;
        for (size_t i = 0; i < a->stage->input_count; i++)
                if (stage_image(a, &a->stage->inputs[i]) != stage_image(b, &b->stage->inputs[i]) ||
                    !str_equal(a->stage->inputs[i].name, b->stage->inputs[i].name))
                        return false;
        return true;
}

void stage_find_twin(StageState *stage) {
        const Solver *solver = stage->solver;

        for (const Branch *branch = solver->branches; branch < stage->branch; branch++) {
                StageState *other = &branch->stages[stage->index];

                if (!other->wanted || other->twin ||
                    !str_equal(other->stage->platform, stage->stage->platform))
                        continue;
                if (same_base(stage, other) && same_inputs(stage, other) &&
                    same_steps(&stage->plan, &other->plan) &&
                    same_config(&stage->plan, &other->plan)) {
                        stage->twin = other;
                        return;
                }
        }
}
