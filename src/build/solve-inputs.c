/* solve-inputs.c: which steps each step stands upon, by the numbers that events have. Those without
 * a name, which make no layer, are passed over. */
#include "build/solve-private.h"

/* The last one of the stage's first `steps` that has a name, else its FROM. */
static size_t number_after(const StageState *stage, size_t steps) {
        for (size_t i = steps; i-- > 0;)
                if (stage->steps[i].name)
                        return stage->steps[i].number;
        return stage->number;
}

static void add(StepInputs *inputs, size_t number) {
        for (size_t i = 0; i < inputs->count; i++)
                if (inputs->list[i] == number)
                        return;
        GROW(inputs->list, inputs->count);
        inputs->list[inputs->count++] = number;
}

static void add_stage(const StageState *stage, const Input *input, StepInputs *inputs) {
        const StageState *from = input->kind == INPUT_STAGE ? stage_at(stage, input->stage) : NULL;

        if (from)
                add(inputs, number_after(from, from->plan.step_count));
}

static void note_stage(const StageState *stage, StepInputs *inputs) {
        add_stage(stage, &stage->stage->base, &inputs[stage->number]);
        for (size_t i = 0; i < stage->plan.step_count; i++) {
                const Step *step = &stage->plan.steps[i];
                StepInputs *own = &inputs[stage->steps[i].number];

                add(own, number_after(stage, i));
                for (size_t k = 0; k < step_input_count(step); k++)
                        add_stage(stage, step_input(step, k), own);
        }
}

void solver_note_inputs(Solver *solver, size_t count) {
        solver->inputs = NEW_ARRAY(StepInputs, count + 1);
        solver->input_count = count;
        for (size_t i = 0; i < solver->count; i++)
                if (stage_is_live(&solver->stages[i]))
                        note_stage(&solver->stages[i], solver->inputs);
}

void solver_inputs_done(Solver *solver) {
        for (size_t i = 0; i < solver->input_count; i++)
                free(solver->inputs[i].list);
        free(solver->inputs);
}
