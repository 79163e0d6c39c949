/* solve-stages-test.c: Dockerfiles of very many stages: threads and stacks stay as small as they
 * are (as far as the depth of a stack goes, in a build without a sanitizer).
 */
#include "base/sanitizer.h"
#include "build/test-solve.h"

#define SMALL_STACK ((SANITIZED ? 2048 : 64) * (size_t)1024)
#define MANY 100
#define LONG (SANITIZED ? 600 : 6000)

/* Builds on a stack that is smaller than a connection's, so that fewer stages do. */
static void build_small(Built *built) {
        pthread_attr_t attributes;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, SMALL_STACK);
        if (pthread_create(&built->thread, &attributes, build_main, built) != 0)
                abort();
        (void)pthread_attr_destroy(&attributes);
}

/* Stages that wait side by side, and last one that reads all of them. */
TEST(threads_are_bounded) {
        _cleanup_buf_ Buf text = {};
        _cleanup_fake_ Fake fake = fake_open();
        Built built;

        for (int i = 0; i < MANY; i++)
                buf_format(&text, "FROM busybox AS s%d\nRUN wait %d\nRUN write f%d x\n", i, i, i);
        buf_add_str(&text, "FROM busybox\n");
        for (int i = 0; i < MANY; i++)
                buf_format(&text, "COPY --from=s%d f%d /\n", i, i);
        built = (Built)BUILD(&fake, text.data, );
        begin(&built);
        ASSERT(wait_for(&fake, &fake.waiting, 64));
        open_gate(&fake);
        (void)pthread_join(built.thread, NULL);
        ASSERT_BUILT(&built);
        ASSERT_INT(strv_length(built.results[0].layers), 1 + MANY);
        ASSERT(strv_length(fake.threads) <= 64);
        built_done(&built);
}

/* Each upon the one before it. */
TEST(a_long_chain_needs_no_stack) {
        _cleanup_buf_ Buf text = {};
        _cleanup_fake_ Fake fake = fake_open();
        Built built;

        buf_add_str(&text, "FROM busybox AS s0\nRUN write first 1\n");
        for (int i = 1; i < LONG; i++)
                buf_format(&text, "FROM s%d AS s%d\n", i - 1, i);
        buf_add_str(&text, "RUN write last 2\n");
        built = (Built)BUILD(&fake, text.data, );
        build_small(&built);
        (void)pthread_join(built.thread, NULL);
        ASSERT_BUILT(&built);
        ASSERT_INT(strv_length(built.results[0].layers), 3);
        built_done(&built);
}

/* What the target does not reach, and a trigger does. */
TEST(a_long_chain_that_a_trigger_names_is_refused) {
        static char *const triggers[] = { (char *)"COPY --from=s999 file /", NULL };
        _cleanup_buf_ Buf text = {};
        _cleanup_fake_ Fake fake = fake_open();
        Built built;

        fake.triggers = triggers;
        buf_add_str(&text, "FROM busybox AS s0\nRUN write file 1\n");
        for (int i = 1; i < 1000; i++)
                buf_format(&text, "FROM s%d AS s%d\n", i - 1, i);
        buf_add_str(&text, "FROM triggers\n");
        built = (Built)BUILD(&fake, text.data, );
        build_small(&built);
        (void)pthread_join(built.thread, NULL);
        ASSERT(built.r < 0);
        ASSERT(strstr(built.err.message, "ONBUILD instructions name"));
        built_done(&built);
}

TEST_MAIN()
