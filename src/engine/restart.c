/* restart.c: restart policies: whether a container that ended is started again, and when. */
#include "base/clock.h"
#include "base/log.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/lifecycle.h"
#include "engine/links.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"

#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 60000

bool restart_wanted(const Container *container) {
        const HostConfig host = container_host(container);
        const RestartPolicy *policy = &host.restart_policy;
        const ContainerState *state = &container->state;

        if (atomic_load(&container->engine->stopping) || state->stopped_by_user)
                return false;
        if (state->unhealthy_at > 0)
                return true;
        if (str_equal(policy->name, "always") || str_equal(policy->name, "unless-stopped"))
                return true;
        return str_equal(policy->name, "on-failure") && state->exit_code != 0 &&
               (policy->maximum_retry_count == 0 ||
                state->restart_count < policy->maximum_retry_count);
}

/* On a worker. A start that fails leaves the container with its error; it is tried no more, as
 * Docker has it. */
static void restart_run(void *data) {
        Container *container = data;
        Error error = { 0 };

        container_lock(container);
        if (container->state.status == CONTAINER_RESTARTING &&
            !atomic_load(&container->engine->stopping) && links_must_wait(container)) {
                restart_schedule(container);
        } else if (container->state.status == CONTAINER_RESTARTING &&
                   !atomic_load(&container->engine->stopping)) {
                container->state.restart_count++;
                if (container_start_locked(container, &error) < 0)
                        log_error("restart container %s: %s", container->id, error.message);
        }
        container_unlock(container);
        container_unref(container);
}

void restart_now(Container *container) {
        workers_post(container->engine->workers, restart_run, container_ref(container));
}

static void on_timer(void *data) {
        Container *container = data;

        container->restart_timer = NULL;
        workers_post(container->engine->workers, restart_run, container);
}

typedef struct TimerJob {
        Container *container;
        int64_t when;
} TimerJob;

/* On the loop's thread. */
static void timer_add(void *data) {
        TimerJob *job = data;
        Container *container = job->container;

        if (container->restart_timer || atomic_load(&container->engine->stopping))
                container_unref(container);
        else
                container->restart_timer =
                        loop_add_timer(container->engine->loop, job->when, on_timer, container);
        free(job);
}

void restart_schedule(Container *container) {
        TimerJob *job = NEW(TimerJob);
        int delay = container->restart_delay_ms;

        delay = delay ? MIN(delay * 2, DELAY_MAX_MS) : DELAY_FIRST_MS;
        container->restart_delay_ms = delay;
        job->container = container_ref(container);
        job->when = clock_monotonic() + delay * NSEC_PER_MSEC;
        loop_post(container->engine->loop, timer_add, job);
}

/* On the loop's thread, which has made the timer by then if one was asked for. */
static void timer_drop(void *data) {
        Container *container = data;

        if (container->restart_timer) {
                container->restart_timer = loop_remove(container->restart_timer);
                container_unref(container);
        }
        container_unref(container);
}

void restart_forget(Container *container) {
        container->restart_delay_ms = 0;
        loop_post(container->engine->loop, timer_drop, container_ref(container));
}

int restart_cancel(Container *container, Error *err) {
        container->state.status = CONTAINER_EXITED;
        container->state.stopped_by_user = true;
        restart_forget(container);
        int r = container_save(container, container_is_kept(container), err);
        container_publish(container);
        waits_fire(container, WAIT_EVENT_EXIT);
        return r;
}

void restart_timers_drop(Engine *engine) {
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++) {
                Container *container = containers->items[i];
                if (!container->restart_timer)
                        continue;
                container->restart_timer = loop_remove(container->restart_timer);
                container_unref(container);
        }
}
