/* start.c: starts a container: addresses and ports, a network namespace, its document, its monitor,
 * its links, and at last its program. The monitor mounts while the links are made. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/program.h"
#include "engine/attach.h"
#include "engine/cgroup.h"
#include "engine/checkpoint.h"
#include "engine/container-health.h"
#include "engine/copy.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/image-mount.h"
#include "engine/lifecycle.h"
#include "engine/links.h"
#include "engine/logconfig.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/network-mode.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/seccomp-cache.h"
#include "engine/state.h"
#include "engine/steps.h"
#include "engine/stop.h"
#include "net/netns.h"
#include "runtime/seccomp.h"

#define EXIT_NOT_FOUND 127
#define EXIT_NOT_PERMITTED 126
#define EXIT_START_FAILED 128
/* criu reads all of a container's memory. */
#define RESTORE_TIMEOUT (600 * NSEC_PER_SEC)

typedef struct StartJob {
        Container *container;
        Engine *engine;
        Container *owner; /* whose network namespace it joins: a reference, or NULL */
        OciConfig config;
        SeccompProgram seccomp;
        char **runtime; /* another one's program and arguments; NULL: brig's own */
        int state_fd, run_fd, netns_fd, pidns_fd, userns_fd;
        int images_fd; /* of the checkpoint that it goes on from; -1; the caller's */
        IpcJoin ipc;
        int *source_fds;         /* of mounts_open */
        MonitorProcess *process; /* until it has its container */
        bool own_netns;
        bool owes_netns;  /* the monitor waits for it */
        bool told_mounts; /* of its volumes, to those who watch events */
        enum {
                MONITOR_BUSY,
                MONITOR_WAITS,
                MONITOR_OVER
        } monitor; /* it makes the container, it waits to be told, it has ended */
        pid_t pid;
        int pidfd;
} StartJob;

/* What was mounted in the run directory for the monitor. */
static void drop_places(StartJob *job) {
        mounts_close(job->container, TAKE_PTR(job->source_fds));
        if (job->ipc.shm)
                mount_place_clear(job->container, MOUNT_PLACE_SHM);
        free(TAKE_PTR(job->ipc.shm));
}

static void start_job_done(StartJob *job) {
        json_done(&oci_config_table, &job->config);
        seccomp_program_done(&job->seccomp);
        strv_free(job->runtime);
        close_fd(&job->state_fd);
        close_fd(&job->run_fd);
        close_fd(&job->netns_fd);
        close_fd(&job->pidns_fd);
        close_fd(&job->ipc.ns_fd);
        close_fd(&job->userns_fd);
        close_fd(&job->pidfd);
        monitor_process_free(job->process);
        drop_places(job);
        container_unref(job->owner);
}

/* ---- errors ---- */

/* Docker's clients tell 126 and 127 by these words. */
static bool is_program_missing(const Error *err) {
        return strstr(err->message, "executable file not found") ||
               strcasestr(err->message, "not found in $PATH") ||
               strcasestr(err->message, "no such file or directory") ||
               strstr(err->message, ": not a directory: Are you trying to mount");
}

static bool is_program_refused(const Error *err) {
        return strcasestr(err->message, "permission denied") ||
               strstr(err->message, "is a directory");
}

/* What runc and its shim would have said around the runtime's words. */
static int wrap_runtime_error(const char *inner, Error *err) {
        ErrorKind kind = err->kind;
        int number = err->number;

        /* No runtime had to do with it. */
        if (str_after(err->message, "failed to initialize logging driver")) {
                err->kind = ERROR_INTERNAL;
                return error_number_of(err->kind);
        }

        if (is_program_missing(err) || is_program_refused(err))
                kind = ERROR_INVALID;
        else if (kind != ERROR_INVALID && kind != ERROR_UNSUPPORTED)
                kind = ERROR_INTERNAL;
        error_prefix(err,
                     "failed to create shim task: OCI runtime create failed: runc create failed: "
                     "unable to start "
                     "container process%s",
                     inner);
        size_t length = strlen(err->message);
        (void)snprintf(err->message + length, sizeof(err->message) - length, ": unknown");
        err->kind = kind;
        err->number = number;
        return error_number_of(kind);
}

/* ---- steps ---- */

/* Before all else: it is there when there is something to tell it. */
static int start_begin(void *data, Error *err) {
        StartJob *job = data;

        (void)err; /* told by start_spawn */
        job->process = container_begin_monitor(job->container);
        return 0;
}

static int start_reserve(void *data, Error *err) {
        StartJob *job = data;

        int r = container_network_owner(job->container, &job->owner, err);
        if (r == 0)
                r = links_check(job->container, err);
        return r < 0 ? r : endpoints_reserve(job->container, err);
}

static void start_reserve_undo(void *data) {
        StartJob *job = data;

        endpoints_leave(job->container);
}

/* A daemon that is killed from here on finds in the record what addresses and ports a container has
 * that runs already. */
static int start_intent(void *data, Error *err) {
        StartJob *job = data;

        int r = container_plan_cgroup(job->container, err);
        if (r < 0)
                return r;
        r = exit_record_forget(job->container, err);
        if (r < 0)
                return r;
        job->container->state.generation++;
        job->container->state.start_begun = true;
        job->container->begun = clock_boot();
        job->container->state.started_at = clock_now();
        return container_save(job->container, false, err);
}

/* The layer is about to be mounted for the container alone. */
static int start_copies(void *data, Error *err) {
        StartJob *job = data;

        return container_copies_end(job->container, "was started", err);
}

static int start_directories(void *data, Error *err) {
        StartJob *job = data;
        Engine *engine = job->engine;
        const char *id = job->container->id;

        int r = dir_open_at(engine->containers_fd, id, 0, &job->state_fd, err);
        if (r < 0)
                return error_prefix(err, "open the directory of container %s", id);
        r = dir_open_at(engine->run_fd, id, 0700, &job->run_fd, err);
        if (r < 0)
                return r;
        r = mounts_check_idmaps(job->container, container_mounts(job->container), err);
        if (r == 0)
                r = mounts_prepare(job->container, err);
        if (r == 0)
                r = mounts_open(job->container, container_is_remapped(job->container),
                                &job->source_fds, err);
        return r < 0 ? r : netfiles_write(job->container, err);
}

/* Its own network namespace would belong to another user namespace than the one that it shares, and
 * no sysfs could be mounted. */
static int check_user_namespaces(const StartJob *job, Error *err) {
        bool shares = job->pidns_fd >= 0 || job->ipc.ns_fd >= 0;

        if (!shares || !job->own_netns || !container_is_remapped(job->container))
                return 0;
        return error_kind(err, ERROR_CONFLICT,
                          "container %s shares the user namespace of another one by --pid or --ipc "
                          "container:…: give it that one's network, too (--network container:…), "
                          "or run both with --userns host",
                          job->container->name);
}

static int start_namespace(void *data, Error *err) {
        StartJob *job = data;

        int r;

        if (job->owner) {
                r = container_namespace_open(job->owner, "network", "net", &job->netns_fd, err);
                if (r == 0)
                        r = userns_share(job->container, NULL, job->owner, &job->userns_fd, err);
        } else if (str_equal(container_network_mode(job->container), "host")) {
                r = 0;
        } else {
                job->own_netns = true;
                job->owes_netns = !container_is_remapped(job->container);
                r = job->owes_netns
                            ? 0
                            : userns_make(job->container, &job->userns_fd, &job->netns_fd, err);
        }
        if (r == 0)
                r = pid_mode_open(job->container, job->owner, &job->pidns_fd, &job->userns_fd, err);
        if (r == 0)
                r = ipc_mode_open(job->container, job->owner, &job->ipc, &job->userns_fd, err);
        return r < 0 ? r : check_user_namespaces(job, err);
}

/* The program of another runtime and its arguments, which is the container's; NULL in *ret: brig's
 * own. The caller's. */
static int find_runtime(const Container *container, bool restores, char ***ret, Error *err) {
        const char *name = container->spec.host.runtime;
        const RuntimeSpec *runtime;
        _cleanup_free_ char *path = NULL;
        char **words = NULL;

        if (str_empty(name) || runtime_is_own(name))
                return 0;
        if (restores)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a container with another runtime ('%s') than brig's own is not "
                                  "restored",
                                  name);
        runtime = settings_runtime(engine_settings(container->engine), name);
        if (!runtime)
                return error_kind(err, ERROR_INVALID, "unknown or invalid runtime name: %s", name);
        if (container->engine->options.systemd_cgroup)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "runtime '%s' with exec-opts native.cgroupdriver=systemd is not "
                                  "supported: use runc, or native.cgroupdriver=cgroupfs",
                                  name);
        path = program_find(runtime->path);
        if (!path)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the runtime '%s' of container %s is not at '%s'", name,
                                  container->id, runtime->path);
        strv_add(&words, path);
        for (char **argument = runtime->arguments; argument && *argument; argument++)
                strv_add(&words, *argument);
        *ret = words;
        return 0;
}

/* Another runtime compiles the profile itself. */
static int put_seccomp(StartJob *job, Error *err) {
        _cleanup_free_ char *key = NULL;
        int r = seccomp_profile_key(job->container, false, &key, err);

        if (r < 0 || !key)
                return r;
        return seccomp_profile_build(job->container, false, &job->config.linux_->seccomp, err);
}

static int start_document(void *data, Error *err) {
        StartJob *job = data;
        _cleanup_free_ char *cgroup = container_cgroups_path(job->container);
        const OcispecContext context = {
                .cgroup = cgroup,
                .netfiles_id = job->owner ? job->owner->id : job->container->id,
                .own_netns = job->own_netns,
                .joined_netns = job->owner != NULL,
                .shm = job->ipc.shm,
                .source_fds = job->source_fds,
        };

        int r = userns_check(job->engine, &job->container->spec.host, err);
        if (r == 0)
                r = ocispec_build(job->container, &context, &job->config, err);
        if (r == 0)
                r = find_runtime(job->container, job->images_fd >= 0, &job->runtime, err);
        if (r < 0)
                return r;
        return job->runtime
                       ? put_seccomp(job, err)
                       : seccomp_program(job->engine, job->container, false, &job->seccomp, err);
}

static int start_error(const StartJob *job, const char *inner, Error *err) {
        return job->images_fd >= 0
                       ? error_prefix(err, "Cannot restore container %s", job->container->name)
                       : wrap_runtime_error(inner, err);
}

static int start_spawn(void *data, Error *err) {
        StartJob *job = data;
        Container *container = job->container;
        _cleanup_free_ char *upper = str_format("containers/%s/upper", container->id);
        _cleanup_free_ char *work = str_format("containers/%s/work", container->id);
        _cleanup_free_ char *cgroup = container_cgroup(container);
        MonitorStart start = {
                .id = container->id,
                .lowers = container->lowers,
                .upper = upper,
                .work = work,
                .volatile_root = container->spec.host.auto_remove,
                .open_stdin = container->spec.config.open_stdin,
                .stdin_once = container->spec.config.stdin_once,
                .cgroup = cgroup,
                .systemd_cgroup = job->engine->options.systemd_cgroup,
                .runtime = job->runtime,
        };
        const MonitorSpawn spawn = {
                .start = &start,
                .config = &job->config,
                .data_root_fd = job->engine->data_root_fd,
                .state_fd = job->state_fd,
                .run_fd = job->run_fd,
                .netns_fd = job->netns_fd,
                .netns_later = job->owes_netns,
                .pidns_fd = job->pidns_fd,
                .ipcns_fd = job->ipc.ns_fd,
                .userns_fd = job->userns_fd,
                .seccomp = job->seccomp.length ? &job->seccomp : NULL,
                .images_fd = job->images_fd,
        };

        int r = container_log_options(container, &start.log, err);
        if (r < 0)
                return r;
        r = monitor_spawn(job->process, &spawn, monitor_notice, container, &container->monitor,
                          err);
        container_log_options_done(&start.log);
        if (r < 0)
                return r;
        container_ref(container); /* the notices' */
        if (job->images_fd >= 0)
                monitor_answer_within(container->monitor, RESTORE_TIMEOUT);
        return 0;
}

static void start_spawn_undo(void *data) {
        StartJob *job = data;

        /* One that cannot be told has no answer: it reads the end of the socket below. */
        bool told = !job->owes_netns || monitor_give_netns(job->container->monitor, -1, NULL) == 0;
        if (told && job->monitor == MONITOR_BUSY &&
            monitor_created(job->container->monitor, &job->pid, &job->pidfd, NULL) == 0)
                job->monitor = MONITOR_WAITS;
        if (job->monitor == MONITOR_WAITS)
                monitor_cancel(job->container->monitor);
        container_drop_monitor(job->container, false);
        /* A monitor that was killed could not take its container with it. */
        container_kill_orphan(job->container);
}

/* The kernel takes as long for it as the monitor for the root: both go on at once. */
static int start_netns(void *data, Error *err) {
        StartJob *job = data;

        if (!job->owes_netns)
                return 0;
        int r = netns_new(&job->netns_fd, err);
        if (r == 0)
                r = monitor_give_netns(job->container->monitor, job->netns_fd, err);
        if (r == 0)
                job->owes_netns = false;
        return r;
}

static int start_network(void *data, Error *err) {
        StartJob *job = data;

        int r = endpoints_join(job->container, job->own_netns ? job->netns_fd : -1, err);
        if (r < 0)
                return r;
        mounts_event(job->container, true);
        job->told_mounts = true;
        return 0;
}

static int start_created(void *data, Error *err) {
        StartJob *job = data;

        int r = monitor_created(job->container->monitor, &job->pid, &job->pidfd, err);
        job->monitor = r < 0 ? MONITOR_OVER : MONITOR_WAITS;
        return r < 0 ? start_error(job, ": error during container init", err) : 0;
}

static int start_attach(void *data, Error *err) {
        StartJob *job = data;

        return attach_start_pending(job->container, err);
}

static int start_go(void *data, Error *err) {
        StartJob *job = data;

        int r = monitor_go(job->container->monitor, err);
        if (r == 0 && job->images_fd >= 0)
                monitor_answer_within(job->container->monitor, MONITOR_ANSWER_MAX);
        if (r == 0)
                return 0;
        job->monitor = MONITOR_OVER;
        return start_error(job, "", err);
}

static const JobStep start_steps[] = {
        { "start.begin", start_begin, NULL },
        { "start.reserve", start_reserve, start_reserve_undo },
        { "start.intent", start_intent, NULL },
        { "start.copies", start_copies, NULL },
        { "start.directories", start_directories, NULL },
        { "start.namespace", start_namespace, NULL },
        { "start.document", start_document, NULL },
        { "start.spawn", start_spawn, start_spawn_undo },
        { "start.netns", start_netns, NULL },
        { "start.network", start_network, NULL },
        { "start.created", start_created, NULL },
        { "start.attach", start_attach, NULL },
        { "start.go", start_go, NULL },
};

/* ---- outcome ---- */

static int start_failed(StartJob *job, int r, Error *err) {
        Container *container = job->container;
        ContainerState *state = &container->state;
        Error error = { 0 }, kept = { 0 };

        if (job->told_mounts)
                mounts_event(container, false);
        mounts_end(container);
        drop_places(job); /* a removal, on a worker, may come next */
        state->exit_code = job->images_fd >= 0       ? EXIT_START_FAILED
                           : is_program_missing(err) ? EXIT_NOT_FOUND
                           : is_program_refused(err) ? EXIT_NOT_PERMITTED
                                                     : EXIT_START_FAILED;
        str_replace(&state->error, err->message);
        state->started_at = state->finished_at ? state->started_at : 0;
        state->start_begun = false;
        if (state->status == CONTAINER_RESTARTING)
                state->status = CONTAINER_EXITED;
        attach_drop_pending(container);
        if (container->spec.host.auto_remove && container->restarts == 0) {
                if (container_remove_locked(container, true, &kept) == 0)
                        return r;
                log_error("remove container %s: %s", container->id, kept.message);
        }
        if (container_save(container, false, &error) < 0)
                log_error("record why container %s did not start: %s", container->id,
                          error.message);
        container_publish(container);
        waits_fire(container, WAIT_EVENT_EXIT);
        if (kept.message[0])
                waits_fire_kept(container, kept.message);
        return r;
}

static int start_finish(StartJob *job, Error *err) {
        Container *container = job->container;
        ContainerState *state = &container->state;

        state->status = CONTAINER_RUNNING;
        state->pid = job->pid;
        state->exit_code = 0;
        state->oom_killed = false;
        free(TAKE_PTR(state->error));
        state->stopped_by_user = false;
        state->unhealthy_at = 0;
        container_set_pidfd(container, TAKE_FD(job->pidfd));
        if (job->own_netns)
                container->netns_fd = TAKE_FD(job->netns_fd);
        container_health_begin(container);
        container_publish(container);
        prober_begin(container);
        /* It runs, whatever the disk says: an error here is told, and the next daemon finds it by
         * its monitor. */
        int r = failpoint("start.record", err);
        if (r == 0)
                r = container_save(container, false, err);
        if (r < 0)
                log_error("record that container %s runs: %s", container->id, err->message);
        container_event(container, "start", NULL);
        links_tell(container);
        return 0;
}

static int start_from(Container *container, int images_fd, Error *err) {
        _cleanup_(start_job_done) StartJob job = {
                .container = container,
                .engine = container->engine,
                .state_fd = -1,
                .run_fd = -1,
                .netns_fd = -1,
                .pidns_fd = -1,
                .ipc.ns_fd = -1,
                .userns_fd = -1,
                .images_fd = images_fd,
                .pidfd = -1,
        };
        Error ours = { 0 };

        if (!err)
                err = &ours;
        int r = steps_run(start_steps, ELEMENTS(start_steps), &job, err);
        if (r < 0)
                return start_failed(&job, r, err);
        return start_finish(&job, err);
}

int container_start_locked(Container *container, Error *err) {
        return start_from(container, -1, err);
}

static int start_afresh(Container *container, const CheckpointPlace *checkpoint, int *holder_fd,
                        Error *err) {
        _cleanup_close_ int images_fd = -1;
        int r = checkpoint ? checkpoint_open(container, checkpoint, holder_fd, &images_fd, err) : 0;

        if (r < 0)
                return r;
        if (container->state.status == CONTAINER_RESTARTING)
                restart_forget(container);
        container->restart_delay_ms = 0;
        container->state.restart_count = 0;
        return start_from(container, images_fd, err);
}

/* lock held. 0: it can be started. */
static int check_startable(const Container *container, Error *err) {
        switch ((ContainerStatus)container->state.status) {
        case CONTAINER_PAUSED:
                return error_kind(err, ERROR_CONFLICT,
                                  "cannot start a paused container, try unpause instead");
        case CONTAINER_RUNNING:
                return ENGINE_UNCHANGED;
        case CONTAINER_REMOVING:
        case CONTAINER_DEAD:
                return error_kind(err, ERROR_CONFLICT,
                                  "container is marked for removal and cannot be started");
        default:
                return 0;
        }
}

/* Whoever else wants the container does not wait for the checkpoint's directory. */
static int open_holder(Container *container, const CheckpointPlace *checkpoint, int *ret_fd,
                       Error *err) {
        container_lock(container);
        int r = check_startable(container, err);
        container_unlock(container);
        return r == 0 ? checkpoint_open_holder(container, checkpoint, ret_fd, err) : r;
}

int engine_container_start(Engine *engine, const char *ref, const CheckpointPlace *checkpoint,
                           Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_close_ int holder_fd = -1;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0 && checkpoint)
                r = open_holder(container, checkpoint, &holder_fd, err);
        if (r != 0)
                return r;
        CONTAINER_LOCKED(container);
        r = check_startable(container, err);
        return r == 0 ? start_afresh(container, checkpoint, &holder_fd, err) : r;
}
