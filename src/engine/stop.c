/* stop.c: ending, pausing and restarting containers at a user's wish. What an end leads to is
 * exit.c's. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/cgroup.h"
#include "engine/checkpoint.h"
#include "engine/container-health.h"
#include "engine/container-limits.h"
#include "engine/events.h"
#include "engine/lifecycle.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"
#include "os/cgroup.h"

#define FREEZE_TIMEOUT (10 * NSEC_PER_SEC)
#define KILL_TIMEOUT (10 * NSEC_PER_SEC)

/* How a container is stopped. */
typedef struct Stop {
        int signal;
        int64_t timeout; /* ns, then SIGKILL; -1: as long as it takes */
        int cancel_fd;   /* the client's; -1: none */
        bool restarts;   /* counted in the container's restarts */
} Stop;

/* A frozen process gets its signal when it is thawed. */
static int thaw_for_signal(Container *container, Error *err) {
        _cleanup_free_ char *cgroup = container_cgroup(container);

        if (container->state.status != CONTAINER_PAUSED)
                return 0;
        int r = cgroup_freeze(cgroup, false, FREEZE_TIMEOUT, err);
        if (r < 0)
                return r;
        container->state.status = CONTAINER_RUNNING;
        container->state.paused_for_commit = false;
        r = container_save(container, false, err);
        container_publish(container);
        prober_pause(container, false);
        return r;
}

/* for_commit: a daemon that finds it so lets it go on, as nobody asked for the pause: the intent is
 * recorded first. */
static int container_pause(Container *container, bool paused, bool for_commit, Error *err) {
        _cleanup_free_ char *cgroup = container_cgroup(container);
        int r = 0;

        container->state.paused_for_commit = for_commit;
        if (for_commit)
                r = container_save(container, false, err);
        if (r == 0)
                r = failpoint("pause.freeze", err);
        if (r == 0)
                r = cgroup_freeze(cgroup, paused, FREEZE_TIMEOUT, err);
        if (r == 0)
                r = failpoint("pause.record", err);
        if (r < 0)
                return error_prefix(err, "Cannot %s container %s", paused ? "pause" : "unpause",
                                    container->id);
        container->state.status = paused ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        r = container_save(container, false, err);
        container_publish(container);
        prober_pause(container, paused);
        container_event(container, paused ? "pause" : "unpause", NULL);
        return r;
}

int container_stop_signal(const Container *container) {
        int number;

        if (str_empty(container->spec.config.stop_signal) ||
            signal_parse(container->spec.config.stop_signal, &number, NULL) < 0)
                return SIGTERM;
        return number;
}

int64_t container_stop_timeout(const Container *container) {
        const int64_t *seconds = container->spec.config.stop_timeout;

        return seconds ? MIN(*seconds, INT32_MAX) : 10;
}

/* Whether the next boot would start it if this were not noted; others' stops need no sync. */
static bool comes_back(const Container *container) {
        const HostConfig host = container_host(container);
        const char *policy = host.restart_policy.name;

        return !str_empty(policy) && !str_equal(policy, "no");
}

/* lock held. final: it is to stay down, whatever its restart policy says. */
static int container_kill(Container *container, int signal, bool final, Error *err) {
        bool was_paused = container->state.status == CONTAINER_PAUSED;
        char number[16];
        Pairs attributes = { 0 };

        int r = container_require_running(container, err);
        if (r < 0)
                return r;
        if (final) {
                container->state.stopped_by_user = true;
                r = container_save(container, comes_back(container), err);
                if (r < 0)
                        return r;
        }
        r = failpoint("stop.signal", err);
        if (r == 0)
                r = container_signal(container, signal, err);
        if (r == 0 && final)
                r = thaw_for_signal(container, err);
        if (r < 0)
                return r;
        (void)snprintf(number, sizeof(number), "%d", signal);
        pairs_put(&attributes, "signal", number);
        container_event(container, "kill", &attributes);
        pairs_done(&attributes);
        /* As Docker has it: what SIGKILL thaws is never seen to go on. */
        if (was_paused && final && signal != SIGKILL)
                container_event(container, "unpause", NULL);
        return 0;
}

int container_kill_locked(Container *container, int signal, Error *err) {
        return container_kill(container, signal, false, err);
}

/* Init is gone with its process namespace; where that is the host's or another container's, the
 * cgroup tells. */
static int kill_all(Container *container, Error *err) {
        _cleanup_free_ char *cgroup = container_cgroup(container);
        int r = container_kill(container, SIGKILL, true, err);

        if (r == 0 && !str_empty(container->spec.host.pid_mode))
                r = cgroup_kill(cgroup, KILL_TIMEOUT, err);
        return r;
}

/* lock held. */
static int signal_and_watch_locked(Container *container, int signal, EngineWait **ret_wait,
                                   Error *err) {
        if (container->state.status == CONTAINER_RESTARTING)
                return restart_cancel(container, err);
        if (!container_is_running(container))
                return ENGINE_UNCHANGED;
        EngineWait *wait = wait_register(container, WAIT_NEXT_EXIT);
        int r = signal == SIGKILL ? kill_all(container, err)
                                  : container_kill(container, signal, true, err);
        if (r < 0) {
                wait_free(wait);
                return r;
        }
        *ret_wait = wait;
        return 0;
}

/* *ret_wait: NULL where it does not run. hurry: SIGKILL it is, or comes next. */
static int signal_and_watch(Container *container, int signal, bool hurry, EngineWait **ret_wait,
                            Error *err) {
        bool killed = false;

        if (hurry)
                killed = container_lock_to_kill(container);
        else
                container_lock(container);
        int r = signal_and_watch_locked(container, signal, ret_wait, err);
        container_unlock(container);
        return r == ENGINE_UNCHANGED && killed ? 0 : r;
}

/* Whether another restart goes on, which starts the container when it has ended: this one is none
 * any more. */
static bool leave_restart(Container *container) {
        CONTAINER_LOCKED(container);
        bool others = container->restarts > 1;

        container->restarts -= others;
        return others;
}

/* With its client goes a wait without bound, but for the only restart: who else would start the
 * container? What has a bound ends with SIGKILL, for which nobody need wait. */
static int await_end(Container *container, EngineWait *wait, const Stop *stop) {
        int r = wait_poll(wait, stop->timeout, stop->timeout < 0 ? stop->cancel_fd : -1);

        return r == -ECANCELED && stop->restarts && !leave_restart(container)
                       ? wait_poll(wait, -1, -1)
                       : r;
}

/* Signals, waits, kills: until the container has ended. No lock held. ENGINE_UNCHANGED where it did
 * not run; -ECANCELED where the client left, and a restart has been taken back. */
static int container_stop(Container *container, const Stop *stop, Error *err) {
        _cleanup_(wait_freep) EngineWait *wait = NULL, *last = NULL;

        int r = signal_and_watch(container, stop->signal,
                                 stop->signal == SIGKILL || stop->timeout == 0, &wait, err);
        if (r != 0 || !wait)
                return r;
        r = await_end(container, wait, stop);
        if (r == -ETIMEDOUT) {
                r = signal_and_watch(container, SIGKILL, true, &last, err);
                if (r < 0)
                        return r;
                r = wait_poll(wait, KILL_TIMEOUT, -1);
        }
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_INTERNAL,
                                  "container %s did not end within %lld s of SIGKILL: its "
                                  "processes are stuck in the "
                                  "kernel",
                                  container->id, (long long)(KILL_TIMEOUT / NSEC_PER_SEC));
        if (r < 0)
                return error_set(err, -r, "wait for container %s", container->id);
        return 0;
}

static const Stop killing = { .signal = SIGKILL, .timeout = KILL_TIMEOUT, .cancel_fd = -1 };

int container_end(Container *container, Error *err) {
        int r = container_stop(container, &killing, err);
        return r < 0 ? error_prefix(err, "Could not kill running container %s, cannot remove",
                                    container->id)
                     : 0;
}

/* ---- the engine's calls ---- */

/* What a stop is to do: as asked, else as the container has it. The reference is the caller's, on
 * error too. */
static int stop_arguments(Engine *engine, const char *ref, const char *signal,
                          const int64_t *timeout_s, Container **ret, Stop *stop, Error *err) {
        int r = container_lookup(engine, ref, ret, err);

        if (r < 0)
                return r;
        const Container *container = *ret;
        int64_t seconds = timeout_s ? *timeout_s : container_stop_timeout(container);
        stop->timeout = seconds < 0 ? -1 : MIN(seconds, INT32_MAX) * NSEC_PER_SEC;
        if (!str_empty(signal))
                return signal_parse(signal, &stop->signal, err);
        stop->signal = container_stop_signal(container);
        return 0;
}

int engine_container_stop(Engine *engine, const char *ref, const char *signal,
                          const int64_t *timeout_s, int cancel_fd, Error *err) {
        _cleanup_container_ Container *container = NULL;
        Stop stop = { .cancel_fd = cancel_fd };

        int r = stop_arguments(engine, ref, signal, timeout_s, &container, &stop, err);
        if (r < 0)
                return r;
        r = container_stop(container, &stop, err);
        if (r != 0)
                return r < 0 ? error_prefix(err, "cannot stop container: %s", ref) : r;
        CONTAINER_LOCKED(container);
        container_event(container, "stop", NULL);
        return 0;
}

static int stop_to_restart(Container *container, const Stop *stop, Error *err) {
        container_lock(container);
        container->restarts++;
        container_unlock(container);
        int r = container_stop(container, stop, err);
        if (r == -ECANCELED) /* taken back */
                return r;
        container_lock(container);
        container->restarts--;
        container_unlock(container);
        return r;
}

int engine_container_restart(Engine *engine, const char *ref, const char *signal,
                             const int64_t *timeout_s, int cancel_fd, Error *err) {
        _cleanup_container_ Container *container = NULL;
        Stop stop = { .cancel_fd = cancel_fd, .restarts = true };

        int r = stop_arguments(engine, ref, signal, timeout_s, &container, &stop, err);
        if (r < 0)
                return r;
        r = stop_to_restart(container, &stop, err);
        if (r < 0)
                return error_prefix(err, "Cannot restart container %s", ref);
        CONTAINER_LOCKED(container);
        if (r == 0)
                container_event(container, "stop", NULL);
        /* Another client removed it while it was being stopped. */
        if (container->state.status == CONTAINER_REMOVING)
                return error_kind(err, ERROR_CONFLICT,
                                  "Cannot restart container %s: container is marked for removal "
                                  "and cannot be started",
                                  ref);
        if (!container_is_running(container)) {
                r = failpoint("restart.start", err);
                if (r == 0)
                        r = container_start_locked(container, err);
                if (r < 0)
                        return error_prefix(err, "Cannot restart container %s", ref);
        }
        container_event(container, "restart", NULL);
        return 0;
}

int engine_container_kill(Engine *engine, const char *ref, const char *signal, Error *err) {
        _cleanup_container_ Container *container = NULL;
        int number = SIGKILL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return error_prefix(err, "Cannot kill container: %s", ref);
        if (!str_empty(signal)) {
                r = signal_parse(signal, &number, err);
                if (r < 0)
                        return r;
        }
        if (number == SIGKILL) {
                r = container_stop(container, &killing, err);
                if (r == ENGINE_UNCHANGED)
                        r = error_kind(err, ERROR_CONFLICT, "Container %s is not running",
                                       container->id);
                return r < 0 ? error_prefix(err, "Cannot kill container: %s", ref) : 0;
        }
        CONTAINER_LOCKED(container);
        r = container_kill(container, number, number == container_stop_signal(container), err);
        return r < 0 ? error_prefix(err, "Cannot kill container: %s", ref) : 0;
}

int container_pause_for(Engine *engine, const char *ref, bool for_commit, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        if (container->state.status == CONTAINER_PAUSED)
                return error_kind(err, ERROR_CONFLICT, "Container %s is already paused",
                                  container->id);
        if (container->state.status == CONTAINER_RESTARTING)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is restarting, wait until the container is running",
                                  container->id);
        r = container_require_running(container, err);
        if (r == 0)
                r = container_pause(container, true, for_commit, err);
        /* Its control group is gone: it has ended, which nobody has recorded yet. */
        return r == -ENOENT ? error_kind(err, ERROR_CONFLICT, "Container %s is not running",
                                         container->id)
                            : r;
}

int engine_container_pause(Engine *engine, const char *ref, Error *err) {
        return container_pause_for(engine, ref, false, err);
}

int engine_container_unpause(Engine *engine, const char *ref, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        if (container->state.status != CONTAINER_PAUSED)
                return error_kind(err, ERROR_INTERNAL, "Container %s is not paused", container->id);
        return container_pause(container, false, false, err);
}

int container_unpause_for_commit(Engine *engine, const char *ref, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        /* Else a user has let it go on meanwhile, and may have paused it again. */
        return container->state.status == CONTAINER_PAUSED && container->state.paused_for_commit
                       ? container_pause(container, false, false, err)
                       : 0;
}

int engine_container_resize(Engine *engine, const char *ref, int width, int height, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = container_require_running(container, err);
        if (r < 0)
                return r;
        r = monitor_resize(container->monitor, NULL, width, height, err);
        if (r == 0)
                container_event(container, "resize", NULL);
        return r;
}
