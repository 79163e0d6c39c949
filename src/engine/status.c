/* status.c: a container's state in words for people. */
#include "base/clock.h"
#include "engine/documents.h"

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
        char since_start[DURATION_TEXT_MAX], since_end[DURATION_TEXT_MAX];

        duration_human(now - state->started_at, since_start);
        duration_human(now - state->finished_at, since_end);
        switch ((ContainerStatus)state->status) {
        case CONTAINER_RUNNING:
                return running_text(health, since_start);
        case CONTAINER_PAUSED:
                return str_format("Up %s (Paused)", since_start);
        case CONTAINER_RESTARTING:
                return str_format("Restarting (%lld) %s ago", (long long)state->exit_code,
                                  since_end);
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
        return str_format("Exited (%lld) %s ago", (long long)state->exit_code, since_end);
}
