/* plan-fuzz.c: any bytes as a Dockerfile whose stages are all planned, upon an image that keeps
 * triggers; its first byte chooses the options. */
#include "build/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stages in their order: a base stands above what is built from it. */
static void plan_all(Plan *plan, const ImageConfig *image) {
        size_t count = plan_stage_count(plan);
        StagePlan *made = NEW_ARRAY(StagePlan, count ? count : 1);
        bool *done = NEW_ARRAY(bool, count ? count : 1);
        Error err = {};

        for (size_t i = 0; i < count; i++) {
                const Stage *stage = plan_stage(plan, i);
                const ImageConfig *base = image;

                if (stage->base.kind == INPUT_SCRATCH)
                        base = NULL;
                if (stage->base.kind == INPUT_STAGE) {
                        if (!done[stage->base.stage])
                                continue;
                        base = &made[stage->base.stage].config;
                }
                done[i] = plan_dispatch(plan, i, base, &made[i], &err) == 0;
                if (done[i] &&
                    made[i].base_history + made[i].step_count != made[i].config.history.count)
                        abort();
        }
        strv_free(plan_unused_args(plan));
        for (size_t i = 0; i < count; i++)
                if (done[i])
                        stage_plan_done(&made[i]);
        free(made);
        free(done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const args[] = { "a=alpha", "http_proxy=p", "TARGETARCH=x", NULL };
        static const char *const contexts[] = { "ctx", "busybox", NULL };
        static const char *const triggers[] = { "COPY --from=0 a /b", "RUN <<E\nx\nE", NULL };
        Dockerfile file;
        ImageConfig image = { .os = (char *)"linux", .config.on_build = (char **)triggers };
        _cleanup_(plan_freep) Plan *plan = NULL;
        Error err = {};

        if (!size || dockerfile_parse("D", (const char *)data + 1, size - 1, &file, &err) < 0)
                return 0;
        PlanOptions options = { .args = *data & 1 ? (char *const *)args : NULL,
                                .contexts = *data & 2 ? (char *const *)contexts : NULL,
                                .target = *data & 4 ? "a" : NULL,
                                .target_platform = *data & 8 ? "linux/arm64/v8" : NULL,
                                .grants = { { .granted = *data & 16 }, { .granted = *data & 32 } },
                                .source_date_epoch = -1 };
        if (plan_new(&file, &options, &plan, &err) == 0)
                plan_all(plan, &image);
        dockerfile_done(&file);
        return 0;
}
