/* solve-platforms-test.c: when layers of images are asked for, and what several platforms share. */
#include "build/test-solve.h"

/* ---- images come when they are needed ---- */

TEST(what_is_found_needs_no_image_but_the_result_its_base) {
        static const char text[] = "FROM other AS maker\nRUN write made same\n"
                                   "FROM busybox\nCOPY --from=maker made /\n"
                                   "RUN --mount=from=third,target=/m write end x\n";
        _cleanup_fake_ Fake fake = fake_open();

        ASSERT_BUILD(&fake, text,
                     "COPY --from=maker made /,RUN --mount=from=third,target=/m write end x,RUN "
                     "write made same", );
        ASSERT_SORTED(&fake.brought, "busybox linux/amd64,other linux/amd64,third linux/amd64");
        ASSERT_BUILD(&fake, text, "", );
        ASSERT_SORTED(&fake.brought, "busybox linux/amd64");
        /* The copy is looked up by what it reads, for which its stage's base must be here. */
        forget(&fake, "COPY --from=maker");
        ASSERT_BUILD(&fake, text,
                     "COPY --from=maker made /,RUN --mount=from=third,target=/m write end x", );
        ASSERT_SORTED(&fake.brought, "busybox linux/amd64,other linux/amd64,third linux/amd64");
}

TEST(an_image_that_does_not_come_fails_the_build_with_its_own_error) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, "FROM stays\nRUN write a b\n");

        (void)build_main(&built);
        ASSERT(built.r < 0);
        ASSERT_STR(built.err.message, "stays stays");
        ASSERT_RAN(&fake, "");
}

/* One thread an image is one too many where a file names hundreds. */
TEST(two_hundred_images_are_asked_for_and_brought_by_a_few_threads) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_buf_ Buf text = {};
        size_t threads = 8; /* docs/build.md, "Images" */

        for (int i = 0; i < 200; i++)
                buf_format(&text, "FROM crowd%d AS s%d\n", i, i);
        buf_add_str(&text, "FROM busybox\nRUN ");
        for (int i = 0; i < 200; i++)
                buf_format(&text, "--mount=from=s%d,target=/m%d ", i, i);
        buf_add_str(&text, "write a 1\n");
        {
                _cleanup_built_ Built built = BUILD(&fake, text.data, );

                (void)build_main(&built);
                ASSERT_BUILT(&built);
        }
        ASSERT_INT(strv_length(fake.brought), 201);
        ASSERT(fake.crowded > 0 && fake.crowded <= threads);
}

TEST(a_slow_image_holds_up_only_what_needs_it) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, "FROM busybox AS quick\nRUN write a 1\n"
                                                   "FROM slow\nCOPY --from=quick a /\n");
        bool ran;

        begin(&built);
        ran = wait_for(&fake, &fake.count, 1);
        open_gate(&fake);
        (void)pthread_join(built.thread, NULL);
        ASSERT(ran);
        ASSERT_BUILT(&built);
        ASSERT_RAN(&fake, "COPY --from=quick a /,RUN write a 1");
}

/* ---- several platforms ---- */

#define PLATFORMS LIST("linux/amd64", "linux/arm64")
#define LIST(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static const char cross[] = "FROM --platform=$BUILDPLATFORM busybox AS maker\nRUN write made same\n"
                            "FROM maker AS cross\nARG TARGETARCH\nRUN write bin x\n"
                            "FROM busybox\nCOPY --from=cross bin /\n"
                            "COPY --from=maker made /\n";
#define CROSS_NAMES                                                                                \
        "[linux/amd64 cross 2/2] RUN write bin x,"                                                 \
        "[linux/amd64 maker 2/2] RUN write made same,"                                             \
        "[linux/amd64 stage-2 2/3] COPY --from=cross bin /,"                                       \
        "[linux/amd64 stage-2 3/3] COPY --from=maker made /,"                                      \
        "[linux/amd64->arm64 cross 2/2] RUN write bin x,"                                          \
        "[linux/arm64 stage-2 2/3] COPY --from=cross bin /,"                                       \
        "[linux/arm64 stage-2 3/3] COPY --from=maker made /"

TEST(what_platforms_have_in_common_runs_once) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, cross), again = BUILD(&fake, cross),
                              uncached = BUILD(&fake, cross, .no_cache = true);

        built.platforms = again.platforms = uncached.platforms = PLATFORMS;
        (void)build_main(&built);
        ASSERT_BUILT(&built);
        ASSERT_SORTED(&built.names, CROSS_NAMES);
        ASSERT_SORTED(&fake.brought, "busybox linux/amd64,busybox linux/arm64");
        ASSERT_STR(built.results[0].config.architecture, "amd64");
        ASSERT_STR(built.results[1].config.architecture, "arm64");
        ASSERT_INT(strv_length(built.results[1].layers), 3);
        ASSERT(!str_equal(built.results[0].layers[1], built.results[1].layers[1]));
        (void)build_main(&again);
        ASSERT_BUILT(&again);
        ASSERT_SORTED(&again.names, "");
        (void)build_main(&uncached);
        ASSERT_BUILT(&uncached);
        ASSERT_SORTED(&uncached.names, CROSS_NAMES);
}

/* What one platform was built of is not what another was built of last. */
TEST(why_a_step_runs_is_told_by_its_own_platforms_last_build) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, cross), again = BUILD(&fake, cross);

        built.platforms = again.platforms = PLATFORMS;
        (void)build_main(&built);
        ASSERT_BUILT(&built);
        for (char **why = built.why; *why; why++)
                ASSERT(str_ends(*why, ": it was never built here"));
        solve_result_done(&built.results[0]); /* which holds the layers of both */
        forget(&fake, "RUN write bin");
        (void)build_main(&again);
        ASSERT_BUILT(&again);
        ASSERT_INT(strv_length(again.why), 2);
        for (char **why = again.why; *why; why++)
                ASSERT_STR(*why, "RUN write bin x: its layer was collected");
}

TEST(a_run_that_nothing_can_run_is_refused_before_anything_runs) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, "FROM busybox AS own\nRUN write a 1\n"
                                                   "FROM busybox\nCOPY --from=own a /\n"
                                                   "RUN write b 2\n");

        built.platforms = PLATFORMS;
        (void)build_main(&built);
        ASSERT(built.r < 0);
        ASSERT(strstr(built.err.message, "D:2"));
        ASSERT(strstr(built.err.message, "[linux/arm64 own 2/2] RUN write a 1 is for linux/arm64"));
        ASSERT(strstr(built.err.message, "binfmt_misc"));
        ASSERT_INT(strv_length(built.failed), 1);
        ASSERT_RAN(&fake, "");
        ASSERT_SORTED(&fake.brought, "");
}

TEST(a_base_of_another_platform_is_told_of_and_runs_as_what_it_is) {
        _cleanup_fake_ Fake fake = fake_open();

        ASSERT_BUILD(&fake, "FROM only\nRUN write a 1\n", "RUN write a 1",
                     .target_platform = "linux/arm64");
        ASSERT_SORTED(&fake.mismatches, "amd64 for linux/arm64");
}

TEST_MAIN()
