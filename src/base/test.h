/* test.h: unit tests in TAP. A test file has TEST(name) { … } blocks and ends with TEST_MAIN(). A
 * failed ASSERT returns from the test's function, so cleanup attributes run. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"

typedef struct Test {
        const char *name;
        void (*run)(void);
        struct Test *next;
} Test;

static Test *tests_first, **tests_end = &tests_first;
static int test_failed UNUSED;

#define TEST(name)                                                                                 \
        static void test_##name(void);                                                             \
        static Test entry_##name = { #name, test_##name, NULL };                                   \
        __attribute__((constructor)) static void add_##name(void) {                                \
                *tests_end = &entry_##name;                                                        \
                tests_end = &entry_##name.next;                                                    \
        }                                                                                          \
        static void test_##name(void)

#define ASSERT(condition)                                                                          \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
                        test_failed = 1;                                                           \
                        return;                                                                    \
                }                                                                                  \
        } while (0)

#define ASSERT_INT(actual, expected)                                                               \
        do {                                                                                       \
                long long actual_ = (long long)(actual), expected_ = (long long)(expected);        \
                if (actual_ != expected_) {                                                        \
                        printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual,     \
                               actual_, expected_);                                                \
                        test_failed = 1;                                                           \
                        return;                                                                    \
                }                                                                                  \
        } while (0)

#define ASSERT_STR(actual, expected)                                                               \
        do {                                                                                       \
                const char *actual_ = (actual), *expected_ = (expected);                           \
                if (!str_equal(actual_, expected_)) {                                              \
                        printf("# %s:%d: %s is '%s', not '%s'\n", __FILE__, __LINE__, #actual,     \
                               actual_ ? actual_ : "(null)", expected_ ? expected_ : "(null)");    \
                        test_failed = 1;                                                           \
                        return;                                                                    \
                }                                                                                  \
        } while (0)

/* r is the int that a function with an Error returned. */
#define ASSERT_OK(r, err)                                                                          \
        do {                                                                                       \
                int r_ = (r);                                                                      \
                if (r_ < 0) {                                                                      \
                        printf("# %s:%d: %d: %s\n", __FILE__, __LINE__, r_, (err)->message);       \
                        test_failed = 1;                                                           \
                        return;                                                                    \
                }                                                                                  \
        } while (0)

#define TEST_MAIN()                                                                                \
        int main(void) {                                                                           \
                int number = 0, bad = 0;                                                           \
                for (Test *test = tests_first; test; test = test->next) {                          \
                        test_failed = 0;                                                           \
                        test->run();                                                               \
                        printf("%s %d - %s\n", test_failed ? "not ok" : "ok", ++number,            \
                               test->name);                                                        \
                        (void)fflush(stdout);                                                      \
                        bad |= test_failed;                                                        \
                }                                                                                  \
                printf("1..%d\n", number);                                                         \
                return bad;                                                                        \
        }
