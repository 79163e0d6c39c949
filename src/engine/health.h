/* health.h: a container's health as its checks tell it: what a result makes of it, and when the
 * next check is due. A pure function of results and times; prober.c has the clock, probe.c runs
 * them. */
#pragma once

#include "spec/image.h"

#define HEALTH_STARTING "starting"
#define HEALTH_HEALTHY "healthy"
#define HEALTH_UNHEALTHY "unhealthy"
#define HEALTH_NONE "none" /* of a container without checks; in filters only */

#define HEALTH_LOG_MAX 5       /* results kept, the newest */
#define HEALTH_OUTPUT_MAX 4096 /* bytes of a check's output */

typedef struct HealthResult {
        int64_t start, end; /* ns since 1970 */
        int64_t exit_code;  /* 0: healthy; -1: it could not be run, or not be ended in time */
        char *output;       /* UTF-8 */
} HealthResult;

/* State.Health of inspect, and what the record keeps. */
typedef struct Health {
        char *status;
        int64_t failing_streak;
        JsonArray log;      /* of HealthResult, oldest first */
        int64_t generation; /* of the run that the status is about; not in the document */
} Health;
extern const JsonTable health_table;

/* A health check's configuration with Docker's defaults; times in ns, never below 1 ms. */
typedef struct HealthPolicy {
        int64_t interval, timeout, start_period, start_interval, retries;
} HealthPolicy;

/* Whether there is a check to run: CMD or CMD-SHELL and a command. */
bool health_is_checked(const HealthConfig *config);
void health_policy(const HealthConfig *config, HealthPolicy *ret);
/* The check's words; shell: the container's SHELL, or NULL. The caller's list. */
char **health_command(const HealthConfig *config, char *const *shell);
/* invalid, in Docker's words; NULL is fine. */
int health_config_check(const HealthConfig *config, Error *err);
/* What *config leaves out (0, no command) is `from`'s, which may be NULL. */
void health_config_inherit(HealthConfig **config, const HealthConfig *from);

/* The container was started: starting, what was logged of earlier runs stays. */
void health_begin(Health *health, int64_t generation);
/* Takes the result's output. age: ns from the container's start to the check's. True: the status is
 * another now. */
bool health_judge(Health *health, const HealthPolicy *policy, HealthResult *result, int64_t age);
/* ns from now, when the container is `age` old, to the next check. */
int64_t health_wait(const char *status, const HealthPolicy *policy, int64_t age);
/* The output of a check that took too long; the caller's. */
char *health_timeout_text(const HealthPolicy *policy, const char *output);
