/* status.c: a container's state in words for people. */
#include "base/clock.h"
#include "engine/documents.h"
#include "engine/health.h"

const char *status_name(const ContainerState *state) {
        return container_status_name((ContainerStatus)state->status);
}

static char *running_text(const char *health, const char *since) {
        if (str_equal(health, HEALTH_NONE))
                return str_format("Up %s", since);
        return str_format("Up %s (%s%s)", since,
                          str_equal(health, HEALTH_STARTING) ? "health: " : "", health);
}

char *status_text(const ContainerState *state, const char *health, int64_t now) {
        char since[DURATION_TEXT_MAX];

        switch ((ContainerStatus)state->status) {
        case CONTAINER_RUNNING:
                return running_text(health, duration_human(now - state->started_at, since));
        case CONTAINER_PAUSED:
                return str_format("Up %s (Paused)", duration_human(now - state->started_at, since));
        case CONTAINER_RESTARTING:
                return str_format("Restarting (%lld) %s ago", (long long)state->exit_code,
                                  duration_human(now - state->finished_at, since));
        case CONTAINER_REMOVING:
                return str_copy("Removal In Progress");
        case CONTAINER_DEAD:
                return str_copy("Dead");
        case CONTAINER_CREATED:
                return str_copy("Created");
        case CONTAINER_EXITED:
                break;
        }
        if (state->finished_at == 0)
                return str_copy("");
        return str_format("Exited (%lld) %s ago", (long long)state->exit_code,
                          duration_human(now - state->finished_at, since));
}
