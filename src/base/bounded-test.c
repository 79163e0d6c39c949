/* bounded-test.c: who waits for a call that does not end waits only so long. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/clock.h"
#include "base/test.h"

typedef struct Call {
        int gate[2], dropped[2]; /* pipes: run ends as gate is closed; drop writes to dropped */
        int runs, result;
} Call;

static void run(void *data) {
        Call *call = data;
        char byte;

        call->runs++;
        (void)!read(call->gate[0], &byte, 1);
}

static void drop(void *data) {
        Call *call = data;

        (void)!write(call->dropped[1], "x", 1);
}

static void run_and_say(void *data) {
        drop(data); /* it runs */
        run(data);
}

static bool call_init(Call *call) {
        call->runs = 0;
        return pipe(call->gate) == 0 && pipe(call->dropped) == 0;
}

static void call_done(Call *call) {
        for (int i = 0; i < 2; i++) {
                (void)close(call->gate[i]);
                (void)close(call->dropped[i]);
        }
}

TEST(a_call_that_ends_leaves_its_data_to_the_caller) {
        Call call;

        ASSERT(call_init(&call));
        ASSERT_INT(write(call.gate[1], "x", 1), 1);
        ASSERT_INT(bounded_run(run, &call, drop, 60 * NSEC_PER_SEC), 0);
        ASSERT_INT(call.runs, 1);
        call_done(&call);
}

TEST(a_call_that_does_not_end_is_left_alone_and_drops_its_data) {
        Call call;
        char byte;

        ASSERT(call_init(&call));
        ASSERT_INT(bounded_run(run, &call, drop, NSEC_PER_MSEC), -ETIMEDOUT);
        ASSERT_INT(write(call.gate[1], "x", 1), 1);
        ASSERT_INT(read(call.dropped[0], &byte, 1), 1);
        call_done(&call);
}

TEST(only_so_many_are_left_alone) {
        Call calls[BOUNDED_LEFT_MAX], more;
        char byte;

        ASSERT(call_init(&more));
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                int r;

                ASSERT(call_init(&calls[i]));
                /* One of an earlier test may be about to end. */
                while ((r = bounded_run(run, &calls[i], drop, 0)) == -EBUSY)
                        ;
                ASSERT_INT(r, -ETIMEDOUT);
        }
        ASSERT_INT(bounded_run(run, &more, drop, 0), -EBUSY);
        ASSERT_INT(more.runs, 0);
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                ASSERT_INT(write(calls[i].gate[1], "x", 1), 1);
                ASSERT_INT(read(calls[i].dropped[0], &byte, 1), 1);
                call_done(&calls[i]);
        }
        call_done(&more);
}

static void *wait_for_call(void *data) {
        Call *call = data;

        call->result = bounded_run(run_and_say, call, drop, 60 * NSEC_PER_SEC);
        return NULL;
}

/* They count from their start, not only once they were left alone; one that ends makes room. */
TEST(only_so_many_run_at_once) {
        pthread_t threads[BOUNDED_LEFT_MAX], waiter;
        Call calls[BOUNDED_LEFT_MAX], more;
        char byte;

        ASSERT(call_init(&more));
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                ASSERT(call_init(&calls[i]));
                ASSERT_INT(pthread_create(&threads[i], NULL, wait_for_call, &calls[i]), 0);
                ASSERT_INT(read(calls[i].dropped[0], &byte, 1), 1);
        }
        ASSERT_INT(bounded_run(run, &more, drop, NSEC_PER_MSEC), -EBUSY);
        ASSERT_INT(more.runs, 0);
        ASSERT_INT(pthread_create(&waiter, NULL, wait_for_call, &more), 0);
        ASSERT_INT(write(calls[0].gate[1], "x", 1), 1);
        ASSERT_INT(read(more.dropped[0], &byte, 1), 1);
        ASSERT_INT(write(more.gate[1], "x", 1), 1);
        ASSERT_INT(pthread_join(waiter, NULL), 0);
        ASSERT_INT(more.result, 0);
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                ASSERT(i == 0 || write(calls[i].gate[1], "x", 1) == 1);
                ASSERT_INT(pthread_join(threads[i], NULL), 0);
                ASSERT_INT(calls[i].result, 0);
                call_done(&calls[i]);
        }
        call_done(&more);
}

TEST_MAIN()
