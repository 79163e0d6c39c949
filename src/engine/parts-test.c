/* parts-test.c: the engine's small parts that need no engine: names, resolv.conf, signals, steps,
 * workers. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/test.h"
#include "engine/create-parts.h"
#include "engine/steps.h"
#include "engine/stop.h"
#include "engine/worker.h"
#include "format/resolvconf.h"

TEST(names) {
        Map seen = { 0 };

        for (int i = 0; i < 200; i++) {
                _cleanup_free_ char *name = name_random(i % 12);
                ASSERT(name_valid(name));
                ASSERT(strchr(name, '_') != NULL);
                map_put(&seen, name, seen.slots);
        }
        ASSERT(seen.count > 150);
        map_done(&seen, NULL);
}

TEST(signals) {
        Error err = { 0 };
        int number;

        ASSERT_OK(signal_parse("TERM", &number, &err), &err);
        ASSERT_INT(number, SIGTERM);
        ASSERT_OK(signal_parse("sigkill", &number, &err), &err);
        ASSERT_INT(number, SIGKILL);
        ASSERT_OK(signal_parse("15", &number, &err), &err);
        ASSERT_INT(number, 15);
        ASSERT_OK(signal_parse("SIGRTMIN+3", &number, &err), &err);
        ASSERT_INT(number, SIGRTMIN + 3);
        ASSERT_INT(signal_parse("0", &number, &err) < 0, 1);
        ASSERT_INT(signal_parse("65", &number, &err) < 0, 1);
        ASSERT_INT(signal_parse("FOO", &number, &err) < 0, 1);
        ASSERT_STR(err.message, "Invalid signal: FOO");
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(resolv_conf) {
        _cleanup_(resolv_done) ResolvConf conf = { 0 };
        _cleanup_buf_ Buf text = { 0 };
        char *const fallback[] = { (char *)"9.9.9.9", NULL };

        resolv_parse(
                "# comment\nnameserver 127.0.0.53\nnameserver\t10.0.0.1  \nsearch a b\nsearch c\n"
                "options edns0 trust-ad\nnameserver ::1\n;x\nsortlist 1.2.3.4\n",
                &conf);
        ASSERT_INT(strv_length(conf.servers), 3);
        resolv_drop_loopback(&conf, fallback);
        resolv_write(&conf, &text);
        ASSERT_STR(text.data, "search c\nnameserver 10.0.0.1\noptions edns0 trust-ad\n");
}

TEST(resolv_conf_fallback) {
        _cleanup_(resolv_done) ResolvConf conf = { 0 };
        _cleanup_buf_ Buf text = { 0 };
        char *const fallback[] = { (char *)"9.9.9.9", NULL };

        resolv_parse("nameserver 127.0.0.1\nsearch .\n", &conf);
        resolv_drop_loopback(&conf, fallback);
        resolv_write(&conf, &text);
        ASSERT_STR(text.data, "nameserver 9.9.9.9\n");
}

/* ---- steps ---- */

static int step_a(void *data, Error *err) {
        buf_add_str(data, "a");
        return 0;
}

static int step_b(void *data, Error *err) {
        buf_add_str(data, "b");
        return 0;
}

static int step_fails(void *data, Error *err) {
        return error_kind(err, ERROR_CONFLICT, "no");
}

static void undo_a(void *data) {
        buf_add_str(data, "A");
}

static void undo_b(void *data) {
        buf_add_str(data, "B");
}

TEST(steps_undo) {
        static const JobStep steps[] = {
                { "test.a", step_a, undo_a },
                { "test.b", step_b, undo_b },
                { "test.c", step_fails, undo_a },
        };
        _cleanup_buf_ Buf trace = { 0 };
        Error err = { 0 };

        ASSERT_INT(steps_run(steps, 3, &trace, &err) < 0, 1);
        ASSERT_STR(trace.data, "abBA");
        ASSERT_INT(err.kind, ERROR_CONFLICT);
}

/* ---- workers ---- */

static atomic_int ran;

static void count_up(void *data) {
        atomic_fetch_add(&ran, 1);
}

TEST(workers_finish_what_is_queued) {
        Loop *loop;
        Workers *workers;
        Error err = { 0 };

        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(workers_new(loop, &workers, &err), &err);
        for (int i = 0; i < 1000; i++)
                workers_post(workers, count_up, NULL);
        workers_stop(workers);
        workers_free(workers);
        loop_free(loop);
        ASSERT_INT(atomic_load(&ran), 1000);
}

static int threads_missing;

/* The linker puts this in the workers' way. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *data) {
        if (threads_missing > 0 && threads_missing-- > 0)
                return EAGAIN;
        return __real_pthread_create(thread, attributes, main, data);
}

/* As where a limit of processes was lifted, and nothing else is posted. */
TEST(workers_that_could_not_be_started_are_tried_again) {
        Loop *loop;
        Workers *workers;
        Error err = { 0 };

        atomic_store(&ran, 0);
        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(workers_new(loop, &workers, &err), &err);
        threads_missing = 2; /* the first time, and the second one */
        workers_post(workers, count_up, NULL);
        for (int i = 0; i < 10 && threads_missing > 0; i++)
                ASSERT_OK(loop_step(loop, 5000, &err), &err);
        for (int i = 0; i < 10 && atomic_load(&ran) == 0; i++)
                ASSERT_OK(loop_step(loop, 1000, &err), &err);
        ASSERT_INT(atomic_load(&ran), 1);
        workers_stop(workers);
        workers_free(workers);
        loop_free(loop);
}

TEST(workers_without_a_thread_finish_what_is_queued) {
        Loop *loop;
        Workers *workers;
        Error err = { 0 };

        atomic_store(&ran, 0);
        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(workers_new(loop, &workers, &err), &err);
        threads_missing = 1;
        workers_post(workers, count_up, NULL);
        ASSERT_INT(atomic_load(&ran), 0);
        workers_stop(workers);
        ASSERT_INT(atomic_load(&ran), 1);
        workers_free(workers);
        loop_free(loop);
}

TEST_MAIN()
