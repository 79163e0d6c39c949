/* status-test.c: a container's state in words. */
#include "base/clock.h"
#include "base/test.h"
#include "engine/documents.h"
#include "engine/health.h"

#define NOW (1000000 * NSEC_PER_SEC)

TEST(words) {
        static const struct {
                ContainerState state;
                const char *words;
        } cases[] = {
                { { .status = CONTAINER_CREATED }, "Created" },
                { { .status = CONTAINER_RUNNING, .started_at = NOW - 5 * NSEC_PER_SEC },
                  "Up 5 seconds" },
                { { .status = CONTAINER_PAUSED, .started_at = NOW - 120 * NSEC_PER_SEC },
                  "Up 2 minutes (Paused)" },
                { { .status = CONTAINER_EXITED, .finished_at = NOW - 180 * NSEC_PER_SEC },
                  "Exited (0) 3 minutes ago" },
                { { .status = CONTAINER_EXITED,
                    .exit_code = 137,
                    .finished_at = NOW - 3600 * NSEC_PER_SEC },
                  "Exited (137) About an hour ago" },
                { { .status = CONTAINER_RESTARTING,
                    .exit_code = 1,
                    .finished_at = NOW - 2 * NSEC_PER_SEC },
                  "Restarting (1) 2 seconds ago" },
                { { .status = CONTAINER_DEAD }, "Dead" },
                { { .status = CONTAINER_REMOVING }, "Removal In Progress" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = status_text(&cases[i].state, HEALTH_NONE, NOW);
                ASSERT_STR(text, cases[i].words);
        }
}

TEST(health_of_what_runs) {
        static const struct {
                ContainerStatus status;
                const char *health, *words;
        } cases[] = {
                { CONTAINER_RUNNING, HEALTH_STARTING, "Up 5 seconds (health: starting)" },
                { CONTAINER_RUNNING, HEALTH_HEALTHY, "Up 5 seconds (healthy)" },
                { CONTAINER_RUNNING, HEALTH_UNHEALTHY, "Up 5 seconds (unhealthy)" },
                { CONTAINER_PAUSED, HEALTH_HEALTHY, "Up 5 seconds (Paused)" },
                { CONTAINER_EXITED, HEALTH_UNHEALTHY, "Exited (0) 3 seconds ago" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const ContainerState state = { .status = cases[i].status,
                                               .started_at = NOW - 5 * NSEC_PER_SEC,
                                               .finished_at = NOW - 3 * NSEC_PER_SEC };
                _cleanup_free_ char *text = status_text(&state, cases[i].health, NOW);

                ASSERT_STR(text, cases[i].words);
        }
}

TEST_MAIN()
