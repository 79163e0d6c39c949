/* outside-test.c: looks at clients' paths. One that has no answer: tests/abandoned.bats. */
#include "engine/outside.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/macro.h"
#include "base/test.h"

#define AT_ONCE 20

static pthread_barrier_t all_look;
static atomic_int dropped;

static void look_with_others(void *data) {
        (void)data;
        (void)pthread_barrier_wait(&all_look);
}

static void drop(void *data) {
        (void)data;
        atomic_fetch_add(&dropped, 1);
}

static void *look(void *data) {
        Error *err = data;

        return outside_look("/", look_with_others, NULL, drop, err) < 0 ? err : NULL;
}

/* None is refused because others are under way. */
TEST(many_look_at_once) {
        pthread_t threads[AT_ONCE];
        Error errors[AT_ONCE] = {};
        int failed = 0;

        ASSERT_INT(pthread_barrier_init(&all_look, NULL, AT_ONCE), 0);
        for (size_t i = 0; i < AT_ONCE; i++)
                ASSERT_INT(pthread_create(&threads[i], NULL, look, &errors[i]), 0);
        for (size_t i = 0; i < AT_ONCE; i++) {
                void *why = NULL;

                (void)pthread_join(threads[i], &why);
                failed += why != NULL;
        }
        ASSERT_INT(failed, 0);
        ASSERT_INT(atomic_load(&dropped), 0);
}

TEST(what_is_there_is_told_and_made) {
        char directory[] = "/tmp/brig-outside-test-XXXXXX";
        Error err = {};

        ASSERT(mkdtemp(directory));
        ASSERT_INT(outside_exists(directory, false, &err), 1);
        ASSERT_INT(rmdir(directory), 0);
        ASSERT_INT(outside_exists(directory, false, &err), 0);
        ASSERT_INT(outside_exists(directory, true, &err), 1);
        ASSERT_INT(rmdir(directory), 0);
        ASSERT_INT(outside_exists("/dev/null/x", false, &err), -ENOTDIR);
}

TEST_MAIN()
