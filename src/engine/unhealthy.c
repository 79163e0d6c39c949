/* unhealthy.c: containers that are started anew once they are unhealthy, for those whose label says
 * so. The wish is in the record before the signal, and what follows from the end is restart.c's: so
 * a daemon that is killed in between loses nothing. Each further check that fails looks again
 * whether the time to stop is over: no timer is needed, and none is lost. */
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/container-health.h"
#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"

#define LABEL "brig.restart-unhealthy"

typedef struct Job {
        Container *container; /* a reference */
        int64_t generation;
        bool healthy;
} Job;

static bool says_yes(const char *value) {
        return str_equal(value, "true") || str_equal(value, "1");
}

static bool is_overdue(const Container *container) {
        const int64_t timeout = container_stop_timeout(container);
        const int64_t waited = clock_boot() - container->state.unhealthy_at;

        /* Less than nothing: of a daemon that noted the time of day. */
        return timeout >= 0 && (waited < 0 || waited >= timeout * NSEC_PER_SEC);
}

/* lock held. */
static int note(Container *container, int64_t when, Error *err) {
        container->state.unhealthy_at = when;
        return container_save(container, false, err);
}

/* lock held. */
static int look(Container *container, bool healthy, Error *err) {
        const bool begun = container->state.unhealthy_at > 0;
        int r;

        if (healthy)
                return 0; /* a stop that has begun cannot be taken back */
        if (!says_yes(pairs_get(container_labels(container), LABEL)))
                return 0;
        if (begun)
                return is_overdue(container) ? container_kill_locked(container, SIGKILL, err) : 0;
        log_info("container %s is unhealthy and is started anew", container->id);
        r = note(container, clock_boot(), err);
        if (r == 0)
                r = container_kill_locked(container, container_stop_signal(container), err);
        if (r < 0) /* the next check that fails begins anew */
                container->state.unhealthy_at = 0;
        return r;
}

static void on_worker(void *data) {
        Job *job = data;
        Container *container = job->container;
        Error error = { 0 };

        container_lock(container);
        if (container->state.status == CONTAINER_RUNNING &&
            container->state.generation == job->generation &&
            !atomic_load(&container->engine->stopping) && look(container, job->healthy, &error) < 0)
                log_error("start unhealthy container %s anew: %s", container->id, error.message);
        container_unlock(container);
        container_unref(container);
        free(job);
}

void unhealthy_notice(Container *container, int64_t generation, bool healthy) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        Job *job;

        /* Without the lock, for most have no such label. */
        if (!says_yes(pairs_get(snapshot_labels(container, snapshot), LABEL)))
                return;
        job = NEW(Job);
        *job = (Job){ container_ref(container), generation, healthy };
        workers_post(container->engine->workers, on_worker, job);
}
