/* exit.c: what follows from a container's end: its record, its place on networks, those who wait
 * for it, and whether it is removed or started again. Runs on workers. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/cgroup.h"
#include "engine/container-health.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/lifecycle.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"
#include "os/cgroup.h"
#include "runtime/runtime.h"

#define KILL_TIMEOUT (10 * NSEC_PER_SEC)

static void event_die(Container *container) {
        Pairs attributes = { 0 };
        char number[24];

        (void)snprintf(number, sizeof(number), "%lld", (long long)container->state.exit_code);
        if (container->state.oom_killed)
                container_event(container, "oom", NULL);
        pairs_put(&attributes, "exitCode", number);
        container_event(container, "die", &attributes);
        pairs_done(&attributes);
}

/* A database that cannot be written (a full disk) must not keep a container from ending: the exit
 * file has it all, and the next start reads it. */
static void exit_save(Container *container) {
        Error error = { 0 };

        int r = failpoint("exit.record", &error);
        if (r == 0)
                r = container_save(container, false, &error);
        if (r < 0)
                log_error("record the end of container %s: %s", container->id, error.message);
}

static void exit_fail(const char *point) {
        Error error = { 0 };

        if (failpoint(point, &error) < 0)
                log_error("%s: %s", point, error.message);
}

static void exit_record(Container *container, const ExitRecord *record) {
        ContainerState *state = &container->state;

        state->pid = 0;
        state->exit_code = record->exit_code;
        state->oom_killed = record->oom_killed;
        state->finished_at = record->exited_at ? record->exited_at : clock_now();
        state->status = CONTAINER_EXITED;
        state->start_begun = false;
        /* Docker starts the back-off afresh for one that has run for ten seconds. */
        if (clock_boot() - container->begun >= 10 * NSEC_PER_SEC)
                container->restart_delay_ms = 0;
}

void exit_begin(Container *container) {
        CONTAINER_LOCKED(container);
        struct pollfd process = { .fd = container->pidfd, .events = POLLIN };

        /* This may come late, and find a later run. */
        if (!container_is_running(container) || poll(&process, 1, 0) != 1)
                return;
        exit_fail("exit.ending");
        endpoints_leave(container);
}

void exit_handle_locked(Container *container, const ExitRecord *record) {
        if (!container_is_running(container))
                return;
        exit_fail("exit.begin");
        exec_container_ended(container);
        endpoints_leave(container);
        exit_fail("exit.network");
        prober_end(container);
        container_drop_monitor(container, true);
        container_set_pidfd(container, -1);
        close_fd(&container->netns_fd);
        exit_record(container, record);
        bool again = restart_wanted(container);
        if (again)
                container->state.status = CONTAINER_RESTARTING;
        bool remove = !again && container->spec.host.auto_remove && container->restarts == 0;
        event_die(container);
        mounts_event(container, false);
        mounts_end(container);
        if (!remove) {
                exit_save(container);
                container_publish(container);
                waits_fire(container, WAIT_EVENT_EXIT);
                if (again)
                        restart_schedule(container);
                return;
        }
        Error error = { 0 };
        exit_fail("exit.remove");
        if (container_remove_locked(container, true, &error) < 0) {
                log_error("remove container %s after its end: %s", container->id, error.message);
                container_publish(container);
                waits_fire(container, WAIT_EVENT_EXIT);
                waits_fire_kept(container, error.message);
        }
}

void exit_handle(Container *container, const ExitRecord *record) {
        CONTAINER_LOCKED(container);
        exit_handle_locked(container, record);
}

void container_kill_orphan(Container *container) {
        _cleanup_free_ char *cgroup = container_cgroup(container);
        struct pollfd pidfd = { .fd = container->pidfd, .events = POLLIN };
        Error error = { 0 };

        if (container->pidfd >= 0)
                (void)container_signal(container, SIGKILL, NULL);
        if (cgroup_kill(cgroup, KILL_TIMEOUT, &error) < 0 || cgroup_remove(cgroup, &error) < 0)
                log_error("end what is left of container %s: %s", container->id, error.message);
        runtime_scope_release(cgroup);
        if (container->pidfd >= 0 && poll(&pidfd, 1, (int)(KILL_TIMEOUT / NSEC_PER_MSEC)) == 0)
                log_error("container %s does not end: its first process is stuck in the kernel",
                          container->id);
}

int exit_record_of(Container *container, ExitRecord *ret, Error *err) {
        _cleanup_close_ int state_fd = -1;

        int r = dir_open_at(container->engine->containers_fd, container->id, 0, &state_fd, err);
        if (r < 0)
                return r;
        return exit_record_read(state_fd, ret, err);
}

int exit_record_forget(const Container *container, Error *err) {
        _cleanup_free_ char *path = str_format("%s/" MONITOR_EXIT_FILE, container->id);

        if (unlinkat(container->engine->containers_fd, path, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove the exit record of container %s",
                                 container->id);
        return 0;
}

void exit_handle_lost(Container *container) {
        ExitRecord record = { 0 };

        CONTAINER_LOCKED(container);
        if (!container_is_running(container))
                return;
        /* Even one that wrote the record may have been killed before it removed the group. */
        container_kill_orphan(container);
        if (exit_record_of(container, &record, NULL) < 0) {
                log_warn("the monitor of container %s was killed: the container was ended",
                         container->id);
                record.exit_code = 128 + SIGKILL;
                record.exited_at = clock_now();
                str_replace(&container->state.error, "the container's monitor was killed");
        }
        exit_handle_locked(container, &record);
        json_done(&exit_record_table, &record);
}
