/* health-test.c: what results make of a container's health, and when the next check is due, by a
 * clock that stands still. */
#include "engine/health.h"

#include "base/clock.h"
#include "base/test.h"
#include "engine/stop.h"

#define SECOND NSEC_PER_SEC

static void done(Health *health) {
        json_done(&health_table, health);
}
#define _health_ _cleanup_(done)

static bool judge(Health *health, const HealthPolicy *policy, int64_t exit_code, int64_t age) {
        HealthResult result = { .exit_code = exit_code, .start = age, .end = age };

        result.output = str_format("%lld", (long long)exit_code);
        bool changed = health_judge(health, policy, &result, age);
        return changed && !result.output;
}

TEST(defaults) {
        HealthConfig config = { 0 };
        HealthPolicy policy;

        health_policy(&config, &policy);
        ASSERT_INT(policy.interval, 30 * SECOND);
        ASSERT_INT(policy.timeout, 30 * SECOND);
        ASSERT_INT(policy.start_period, 0);
        ASSERT_INT(policy.start_interval, 5 * SECOND);
        ASSERT_INT(policy.retries, 3);
}

/* Who is unhealthy is killed when its time to stop is over, in ns: unhealthy.c. */
TEST(no_time_to_stop_is_too_long_to_count) {
        static const struct {
                int64_t asked, wanted;
        } cases[] = { { -1, -1 }, { 0, 0 }, { 60, 60 }, { INT64_MAX, INT32_MAX } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t seconds = cases[i].asked;
                const Container container = { .spec.config.stop_timeout = &seconds };

                ASSERT_INT(container_stop_timeout(&container), cases[i].wanted);
        }
}

/* An image is not checked as a request is. */
TEST(what_an_image_must_not_do) {
        HealthConfig config = {
                .interval = 1, .timeout = -5, .start_period = -1, .start_interval = 7, .retries = -1
        };
        HealthPolicy policy;

        health_policy(&config, &policy);
        ASSERT_INT(policy.interval, NSEC_PER_MSEC);
        ASSERT_INT(policy.timeout, 30 * SECOND);
        ASSERT_INT(policy.start_period, 0);
        ASSERT_INT(policy.start_interval, NSEC_PER_MSEC);
        ASSERT_INT(policy.retries, 3);
}

/* An image may say anything. A time that goes over the end of the clock would be due at once, and
 * again, and again. */
TEST(durations_have_an_end) {
        const HealthConfig config = { .interval = INT64_MAX,
                                      .timeout = INT64_MAX,
                                      .start_interval = INT64_MAX,
                                      .start_period = INT64_MAX };
        HealthPolicy policy;

        health_policy(&config, &policy);
        ASSERT(policy.interval > 0 && policy.interval <= INT64_MAX - clock_monotonic());
        ASSERT(policy.timeout > 0 && policy.timeout <= INT64_MAX - clock_monotonic());
        ASSERT(policy.start_interval > 0 && policy.start_interval <= INT64_MAX - clock_monotonic());
        ASSERT(health_wait(HEALTH_STARTING, &policy, 0) <= INT64_MAX - clock_monotonic());
}

TEST(results) {
        /* What a check gave, how old the container was when it began, and what comes of it. */
        static const struct {
                int64_t exit_code, age;
                bool changed;
                const char *status;
                int64_t streak;
        } steps[] = {
                { 1, 2 * SECOND, false, HEALTH_STARTING, 0 }, /* in the start period */
                { -1, 9 * SECOND, false, HEALTH_STARTING, 0 },
                { 1, 10 * SECOND, false, HEALTH_STARTING, 1 }, /* it is over */
                { 0, 15 * SECOND, true, HEALTH_HEALTHY, 0 },
                { 0, 20 * SECOND, false, HEALTH_HEALTHY, 0 },
                { 2, 25 * SECOND, false, HEALTH_HEALTHY, 1 },
                { 0, 30 * SECOND, false, HEALTH_HEALTHY, 0 },
                { 137, 35 * SECOND, false, HEALTH_HEALTHY, 1 },
                { -1, 40 * SECOND, true, HEALTH_UNHEALTHY, 2 },
                { 1, 45 * SECOND, false, HEALTH_UNHEALTHY, 3 },
                { 0, 50 * SECOND, true, HEALTH_HEALTHY, 0 },
        };
        const HealthPolicy policy = { .start_period = 10 * SECOND, .retries = 2 };
        _health_ Health health = { 0 };

        health_begin(&health, 1);
        ASSERT_STR(health.status, HEALTH_STARTING);
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                bool changed = judge(&health, &policy, steps[i].exit_code, steps[i].age);

                ASSERT_INT(changed, steps[i].changed);
                ASSERT_STR(health.status, steps[i].status);
                ASSERT_INT(health.failing_streak, steps[i].streak);
        }
}

TEST(success_ends_the_start_period) {
        const HealthPolicy policy = { .start_period = 100 * SECOND, .retries = 1 };
        _health_ Health health = { 0 };

        health_begin(&health, 1);
        ASSERT(judge(&health, &policy, 0, SECOND));
        ASSERT(judge(&health, &policy, 1, 2 * SECOND));
        ASSERT_STR(health.status, HEALTH_UNHEALTHY);
}

TEST(five_results_are_kept) {
        const HealthPolicy policy = { .retries = 3 };
        _health_ Health health = { 0 };
        const HealthResult *log;

        health_begin(&health, 1);
        for (int64_t i = 0; i < 8; i++)
                (void)judge(&health, &policy, i, i);
        log = health.log.items;
        ASSERT_INT(health.log.count, 5);
        ASSERT_INT(log[0].exit_code, 3);
        ASSERT_STR(log[0].output, "3");
        ASSERT_INT(log[4].exit_code, 7);
        ASSERT_INT(health.failing_streak, 7);
        /* A restart begins afresh, and the log goes on. */
        health_begin(&health, 2);
        ASSERT_STR(health.status, HEALTH_STARTING);
        ASSERT_INT(health.failing_streak, 0);
        ASSERT_INT(health.generation, 2);
        ASSERT_INT(health.log.count, 5);
}

TEST(when_the_next_is_due) {
        const HealthPolicy policy = { .interval = 30 * SECOND,
                                      .start_interval = 2 * SECOND,
                                      .start_period = 10 * SECOND };

        ASSERT_INT(health_wait(HEALTH_STARTING, &policy, 0), 2 * SECOND);
        ASSERT_INT(health_wait(HEALTH_STARTING, &policy, 10 * SECOND - 1), 2 * SECOND);
        ASSERT_INT(health_wait(HEALTH_STARTING, &policy, 10 * SECOND), 30 * SECOND);
        ASSERT_INT(health_wait(HEALTH_HEALTHY, &policy, SECOND), 30 * SECOND);
        ASSERT_INT(health_wait(HEALTH_UNHEALTHY, &policy, SECOND), 30 * SECOND);
}

TEST(the_document) {
        _health_ Health health = { 0 };
        const HealthPolicy policy = { .retries = 3 };
        HealthResult result = { .start = 1700000000 * SECOND,
                                .end = 1700000000 * SECOND + 5,
                                .exit_code = -1,
                                .output = str_copy("no \"way\"") };

        health_begin(&health, 1);
        _cleanup_free_ char *empty = json_text(&health_table, &health);
        ASSERT_STR(empty, "{\"Status\":\"starting\",\"FailingStreak\":0,\"Log\":[]}");
        (void)health_judge(&health, &policy, &result, 0);
        _cleanup_free_ char *one = json_text(&health_table, &health);
        ASSERT_STR(one, "{\"Status\":\"starting\",\"FailingStreak\":1,\"Log\":[{\"Start\":"
                        "\"2023-11-14T22:13:20Z\",\"End\":\"2023-11-14T22:13:20.000000005Z\","
                        "\"ExitCode\":-1,\"Output\":\"no \\\"way\\\"\"}]}");
}

TEST(output_of_a_timeout) {
        const HealthPolicy policy = { .timeout = 1500 * NSEC_PER_MSEC };
        _cleanup_free_ char *silent = health_timeout_text(&policy, "");
        _cleanup_free_ char *said = health_timeout_text(&policy, "almost");

        ASSERT_STR(silent, "Health check exceeded timeout (1.5s)");
        ASSERT_STR(said, "Health check exceeded timeout (1.5s): almost");
}

/* ---- configuration ---- */

/* "CMD|a|b" as a list. */
static HealthConfig config_of(const char *words) {
        return (HealthConfig){ .test = words ? str_split(words, '|') : NULL };
}

static void config_done(HealthConfig *config) {
        json_done(&health_config_table, config);
}
#define _config_ _cleanup_(config_done)

TEST(commands) {
        static const struct {
                const char *test, *shell, *command; /* command NULL: there is no check */
        } cases[] = {
                { NULL, NULL, NULL },
                { "NONE", NULL, NULL },
                { "CMD", NULL, NULL },
                { "TCP|80", NULL, NULL },
                { "CMD|a|b c", NULL, "a|b c" },
                { "CMD-SHELL|a && b", NULL, "/bin/sh|-c|a && b" },
                { "CMD-SHELL|a", "/bin/bash|-ec", "/bin/bash|-ec|a" },
                { "CMD|a", "/bin/bash|-ec", "a" },
        };

        ASSERT(!health_is_checked(NULL));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _config_ HealthConfig config = config_of(cases[i].test);
                _cleanup_strv_ char **shell =
                        cases[i].shell ? str_split(cases[i].shell, '|') : NULL;

                ASSERT_INT(health_is_checked(&config), cases[i].command != NULL);
                if (!cases[i].command)
                        continue;
                _cleanup_strv_ char **words = health_command(&config, shell);
                _cleanup_free_ char *text = strv_join(words, "|");
                ASSERT_STR(text, cases[i].command);
        }
}

TEST(requests_are_checked) {
        static const struct {
                HealthConfig config;
                const char *words;
        } cases[] = {
                { { .interval = NSEC_PER_MSEC, .retries = 0 }, NULL },
                { { .interval = 1 }, "Interval in Healthcheck cannot be less than 1ms" },
                { { .timeout = -1 }, "Timeout in Healthcheck cannot be less than 1ms" },
                { { .start_period = 999999 },
                  "StartPeriod in Healthcheck cannot be less than 1ms" },
                { { .start_interval = 1 }, "StartInterval in Healthcheck cannot be less than 1ms" },
                { { .retries = -1 }, "Retries in Healthcheck cannot be negative" },
        };
        Error err = { 0 };

        ASSERT_INT(health_config_check(NULL, &err), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int r = health_config_check(&cases[i].config, &err);

                ASSERT_INT(r < 0, cases[i].words != NULL);
                if (r < 0) {
                        ASSERT_INT(err.kind, ERROR_INVALID);
                        ASSERT_STR(err.message, cases[i].words);
                }
        }
}

TEST(what_a_container_leaves_out_is_its_image_s) {
        _config_ HealthConfig image = config_of("CMD|check");
        HealthConfig *config = NULL;

        image.interval = 5 * SECOND;
        image.retries = 7;
        health_config_inherit(&config, NULL);
        ASSERT(!config);
        health_config_inherit(&config, &image);
        ASSERT(config && strv_length(config->test) == 2);
        ASSERT_INT(config->interval, 5 * SECOND);
        json_done(&health_config_table, config);
        config->timeout = SECOND;
        config->interval = 2 * SECOND;
        strv_add(&config->test, "NONE");
        health_config_inherit(&config, &image);
        ASSERT_STR(config->test[0], "NONE");
        ASSERT_INT(config->interval, 2 * SECOND);
        ASSERT_INT(config->timeout, SECOND);
        ASSERT_INT(config->retries, 7);
        json_free(&health_config_table, config);
}

TEST_MAIN()
