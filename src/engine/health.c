/* health.c: see health.h. What counts is what dockerd 28 does. */
#include "engine/health.h"

#include "base/clock.h"

#define INTERVAL_DEFAULT (30 * NSEC_PER_SEC)
#define TIMEOUT_DEFAULT (30 * NSEC_PER_SEC)
#define START_INTERVAL_DEFAULT (5 * NSEC_PER_SEC)
#define RETRIES_DEFAULT 3
#define DURATION_MIN NSEC_PER_MSEC
#define DURATION_MAX (INT64_MAX / 4) /* some 73 years: added to any time it is one still */

static const JsonField result_fields[] = {
        JSON_FIELD(HealthResult, "Start", JSON_TIME, start, 0),
        JSON_FIELD(HealthResult, "End", JSON_TIME, end, 0),
        JSON_FIELD(HealthResult, "ExitCode", JSON_INT, exit_code, 0),
        JSON_FIELD(HealthResult, "Output", JSON_STRING, output, 0),
};
static const JsonTable result_table = JSON_TABLE(HealthResult, "HealthcheckResult", result_fields);

static const JsonField health_fields[] = {
        JSON_FIELD(Health, "Status", JSON_STRING, status, 0),
        JSON_FIELD(Health, "FailingStreak", JSON_INT, failing_streak, 0),
        JSON_NESTED(Health, "Log", JSON_ARRAY, log, 0, &result_table),
};
const JsonTable health_table = JSON_TABLE(Health, "Health", health_fields);

/* ---- configuration ---- */

bool health_is_checked(const HealthConfig *config) {
        if (!config || strv_length(config->test) < 2)
                return false;
        return str_equal(config->test[0], "CMD") || str_equal(config->test[0], "CMD-SHELL");
}

/* An image may hold any number; one that is below what a request may have would check without end.
 */
static int64_t duration_or(int64_t value, int64_t otherwise) {
        return value <= 0 ? otherwise : MIN(MAX(value, DURATION_MIN), DURATION_MAX);
}

void health_policy(const HealthConfig *config, HealthPolicy *ret) {
        *ret = (HealthPolicy){
                .interval = duration_or(config->interval, INTERVAL_DEFAULT),
                .timeout = duration_or(config->timeout, TIMEOUT_DEFAULT),
                .start_period = MAX(config->start_period, 0),
                .start_interval = duration_or(config->start_interval, START_INTERVAL_DEFAULT),
                .retries = config->retries > 0 ? config->retries : RETRIES_DEFAULT,
        };
}

char **health_command(const HealthConfig *config, char *const *shell) {
        char **words = NULL;

        if (str_equal(config->test[0], "CMD-SHELL")) {
                words = strv_copy(shell);
                if (!words) {
                        strv_add(&words, "/bin/sh");
                        strv_add(&words, "-c");
                }
        }
        for (char *const *word = config->test + 1; *word; word++)
                strv_add(&words, *word);
        return words;
}

int health_config_check(const HealthConfig *config, Error *err) {
        if (!config)
                return 0;
        const struct {
                int64_t value;
                const char *name;
        } durations[] = { { config->interval, "Interval" },
                          { config->timeout, "Timeout" },
                          { config->start_period, "StartPeriod" },
                          { config->start_interval, "StartInterval" } };

        for (size_t i = 0; i < ELEMENTS(durations); i++)
                if (durations[i].value != 0 && durations[i].value < DURATION_MIN)
                        return error_kind(err, ERROR_INVALID,
                                          "%s in Healthcheck cannot be less than 1ms",
                                          durations[i].name);
        if (config->retries < 0)
                return error_kind(err, ERROR_INVALID, "Retries in Healthcheck cannot be negative");
        return 0;
}

static void inherit_number(int64_t *value, int64_t from) {
        if (*value == 0)
                *value = from;
}

void health_config_inherit(HealthConfig **config, const HealthConfig *from) {
        HealthConfig *to = *config;

        if (!from)
                return;
        if (!to)
                to = *config = NEW(HealthConfig);
        if (strv_length(to->test) == 0) {
                strv_free(to->test);
                to->test = strv_copy(from->test);
        }
        inherit_number(&to->interval, from->interval);
        inherit_number(&to->timeout, from->timeout);
        inherit_number(&to->start_period, from->start_period);
        inherit_number(&to->start_interval, from->start_interval);
        inherit_number(&to->retries, from->retries);
}

/* ---- health ---- */

void health_begin(Health *health, int64_t generation) {
        str_replace(&health->status, HEALTH_STARTING);
        health->failing_streak = 0;
        health->generation = generation;
}

static void log_add(Health *health, HealthResult *result) {
        HealthResult *items = health->log.items;

        if (health->log.count >= HEALTH_LOG_MAX) {
                json_done(&result_table, &items[0]);
                memmove(items, items + 1, --health->log.count * sizeof(*items));
        }
        *(HealthResult *)json_append(&health->log, &result_table) = *result;
        result->output = NULL;
}

static const char *judge_failure(Health *health, const HealthPolicy *policy, int64_t age) {
        /* Until it was healthy once, it may take its time to start. */
        if (str_equal(health->status, HEALTH_STARTING) && age < policy->start_period)
                return health->status;
        health->failing_streak++;
        return health->failing_streak >= policy->retries ? HEALTH_UNHEALTHY : health->status;
}

bool health_judge(Health *health, const HealthPolicy *policy, HealthResult *result, int64_t age) {
        bool healthy = result->exit_code == 0;
        const char *status;

        log_add(health, result);
        if (healthy)
                health->failing_streak = 0;
        status = healthy ? HEALTH_HEALTHY : judge_failure(health, policy, age);
        if (str_equal(health->status, status))
                return false;
        str_replace(&health->status, status);
        return true;
}

int64_t health_wait(const char *status, const HealthPolicy *policy, int64_t age) {
        return age < policy->start_period && str_equal(status, HEALTH_STARTING)
                       ? policy->start_interval
                       : policy->interval;
}

char *health_timeout_text(const HealthPolicy *policy, const char *output) {
        _cleanup_free_ char *timeout = duration_text(policy->timeout);

        return str_format("Health check exceeded timeout (%s)%s%s", timeout,
                          str_empty(output) ? "" : ": ", output ?: "");
}
