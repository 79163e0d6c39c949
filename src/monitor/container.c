/* container.c: the container of this monitor: made, let go or given up, and its end recorded.
 * process.c collects its processes; the runtime library does the work with the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "monitor/memory.h"
#include "monitor/supervisor.h"
#include "os/cgroup.h"
#include "os/layer-lock.h"
#include "os/mount.h"
#include "os/userns.h"

/* How long members of the cgroup may take to die. */
#define KILL_MAX (10 * NSEC_PER_SEC)
/* A rest is worth its page faults after this time without work. */
#define REST_AFTER (250 * NSEC_PER_MSEC)
/* How long the last writers' output is waited for, once they are dead. */
#define DRAIN_MS 1000
/* The exit record until it is written, and more than the record of a container that ran takes. */
#define RECORD_FILE MONITOR_EXIT_FILE ".new"
#define RECORD_ROOM 4096

/* The descriptors of "start", by their place; -1: not there. */
typedef struct StartFds {
        int data_root, state, run, config, netns, pidns, ipcns, userns, seccomp, images;
} StartFds;

static int take_fds(const MonitorStart *start, int *fds, size_t count, StartFds *ret, Error *err) {
        size_t next = 4;

        if (count != next + start->has_netns + start->has_pidns + start->has_ipcns +
                             start->has_userns + start->has_seccomp + start->has_images)
                return error_kind(err, ERROR_INVALID, "start came with %zu descriptors", count);
        *ret = (StartFds){ fds[0], fds[1], fds[2], fds[3], -1, -1, -1, -1, -1, -1 };
        if (start->has_netns)
                ret->netns = fds[next++];
        if (start->has_pidns)
                ret->pidns = fds[next++];
        if (start->has_ipcns)
                ret->ipcns = fds[next++];
        if (start->has_userns)
                ret->userns = fds[next++];
        if (start->has_seccomp)
                ret->seccomp = fds[next++];
        if (start->has_images)
                ret->images = fds[next];
        return 0;
}

static void fds_free(int **fds) {
        for (size_t i = 0; *fds && (*fds)[i] >= 0; i++)
                (void)close((*fds)[i]);
        free(*fds);
}

static int mount_layers(void *data, int data_root_fd, int *ret_fd, Error *err) {
        const MonitorStart *start = data;
        size_t count = strv_length(start->lowers);
        _cleanup_(fds_free) int *lowers = NULL; /* ends at -1 */
        _cleanup_close_ int upper = -1;
        _cleanup_close_ int work = -1;
        int r;

        lowers = NEW_ARRAY(int, count + 1);
        lowers[0] = -1;
        for (size_t i = 0; i < count; i++) {
                lowers[i + 1] = -1;
                r = dir_open_at(data_root_fd, start->lowers[i], 0, &lowers[i], err);
                if (r < 0)
                        return r;
        }
        if (start->upper) {
                r = dir_open_at(data_root_fd, start->upper, 0, &upper, err);
                if (r == 0)
                        r = dir_open_at(data_root_fd, start->work ?: "", 0, &work, err);
                if (r < 0)
                        return r;
        }
        return overlay_mount(lowers, count, upper, work,
                             start->volatile_root ? OVERLAY_VOLATILE : 0, ret_fd, err);
}

/* The root as a detached mount; -1 where the document's own root is to be used. In a user namespace
 * its layers are seen through that, the container's own too: on the disk owners are as in an image,
 * whoever runs with them. */
static int mount_root(const StartFds *fds, const MonitorStart *start, int *ret_fd, Error *err) {
        int r;

        if (strv_length(start->lowers) == 0)
                return 0;
        if (fds->userns < 0)
                return mount_layers((void *)start, fds->data_root, ret_fd, err);
        r = userns_with_view(fds->data_root, fds->userns, mount_layers, (void *)start, ret_fd, err);
        return r < 0 ? error_prefix(err, "map the owners of the container's files") : 0;
}

/* Unmounting a layer that stays writes out the whole file system that it lies on (overlayfs.rst,
 * "Volatile mount"), which would be in the way of the container's end: the kernel would do it as
 * the last of its processes ends. So the monitor keeps the mount, which has no place in any
 * namespace by then, until all have heard of the end. The lock is for its next run, which waits for
 * this one's before it touches anything that both have. */
static int hold_layer(Supervisor *supervisor, const MonitorStart *start, Error *err) {
        int r;

        if (!start->upper || start->volatile_root || supervisor->runtime != &own_runtime)
                return 0;
        r = dir_open_at(supervisor->data_root_fd, start->upper, 0, &supervisor->upper_fd, err);
        if (r == 0)
                r = layer_lock(supervisor->upper_fd, MONITOR_FD, LAYER_LOCK_MAX_MS, err);
        /* Nobody is there to read a record, and what it would replace may be another run's. */
        if (r == -ECANCELED)
                supervisor->ended = true;
        return r;
}

void supervisor_drop_root(Supervisor *supervisor) {
        close_fd(&supervisor->root_fd);
        close_fd(&supervisor->upper_fd);
}

static int read_config(int fd, OciConfig **ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        OciConfig *config;
        size_t length;
        int r = memfd_read(fd, MONITOR_MESSAGE_MAX, &text, &length, err);

        if (r < 0)
                return error_prefix(err, "OCI document");
        config = NEW(OciConfig);
        r = json_parse(&oci_config_table, text, length, config, err);
        if (r == 0 && !config->process)
                r = error_kind(err, ERROR_INVALID, "the OCI document has no process");
        if (r < 0) {
                json_free(&oci_config_table, config);
                return r;
        }
        *ret = config;
        return 0;
}

/* The document's own words cannot name it: a path has a process's number in it, which may be
 * another's by now. */
static int join_namespace(OciConfig *config, const char *type, int fd, Error *err) {
        OciNamespace *namespaces = config->linux_ ? config->linux_->namespaces.items : NULL;

        for (size_t i = 0; namespaces && i < config->linux_->namespaces.count; i++) {
                if (!str_equal(namespaces[i].type, type))
                        continue;
                free(namespaces[i].path);
                namespaces[i].path = str_format("/proc/self/fd/%d", fd);
                return 0;
        }
        return error_kind(err, ERROR_INVALID, "a namespace '%s' came with a document that has none",
                          type);
}

static bool has_own_pids(const OciConfig *config) {
        const OciNamespace *namespaces = config->linux_ ? config->linux_->namespaces.items : NULL;

        for (size_t i = 0; namespaces && i < config->linux_->namespaces.count; i++)
                if (str_equal(namespaces[i].type, "pid") && !namespaces[i].path)
                        return true;
        return false;
}

/* ---- the library ---- */

static int own_create(Supervisor *supervisor, const RuntimeOptions *options, const ProcessIo *io,
                      RuntimeContainer *ret, Error *err) {
        const CheckpointOptions checkpoint = { .images_fd = supervisor->images_fd,
                                               .work_fd = -1,
                                               .tcp_established = true,
                                               .file_locks = true,
                                               .stage_fd = supervisor->run_fd };

        if (supervisor->images_fd >= 0)
                return container_restore(supervisor->config, options, &checkpoint, io, ret,
                                         &supervisor->restore, err);
        return container_create(supervisor->config, options, io, ret, err);
}

static int own_release(Supervisor *supervisor, Error *err) {
        if (supervisor->restore)
                return runtime_restore_finish(TAKE_PTR(supervisor->restore), err);
        return container_release(supervisor->gate_fd, err);
}

static int own_exec(Supervisor *supervisor, const OciProcess *process,
                    const SeccompProgram *seccomp, const ProcessIo *io, pid_t *ret_pid,
                    int *ret_pidfd, Error *err) {
        return container_exec(process, supervisor->container.pid, supervisor->container.cgroup,
                              seccomp, io, true, ret_pid, ret_pidfd, err);
}

static int own_destroy(Supervisor *supervisor, Error *err) {
        supervisor->restore = runtime_restore_free(supervisor->restore);
        return container_destroy(supervisor->config, &supervisor->container, supervisor->id, err);
}

const RuntimeKind own_runtime = { own_create, own_release, own_exec, own_destroy };

/* ---- making it ---- */

static int make_container(Supervisor *supervisor, Process *init, const RuntimeOptions *model,
                          Error *err) {
        const OciConfig *config = supervisor->config;
        StreamsWants wants = { .terminal = config->process->terminal,
                               .stdin_ = supervisor->open_stdin,
                               .stdout_ = true,
                               .stderr_ = true,
                               .owner = supervisor->root_uid,
                               .group = supervisor->root_gid };
        RuntimeOptions options = *model;
        _cleanup_close_ int inner = -1;
        StreamsChild child;
        ProcessIo io;
        int gate[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate) < 0)
                return error_set(err, errno, "make a socket pair");
        supervisor->gate_fd = gate[0];
        inner = gate[1];
        options.gate_fd = inner;
        r = streams_open(&init->streams, wants, &io, &child, err);
        if (r < 0)
                return r;
        r = supervisor->runtime->create(supervisor, &options, &io, &supervisor->container, err);
        streams_child_done(&child);
        return r;
}

static int64_t outside_of_root(const JsonArray *mappings) {
        const OciIdMapping *list = mappings->items;

        for (size_t i = 0; i < mappings->count; i++)
                if (list[i].container_id == 0)
                        return list[i].host_id;
        return 0;
}

static void note_root(Supervisor *supervisor) {
        const OciLinux *linux_ = supervisor->config->linux_;

        if (!linux_)
                return;
        supervisor->root_uid = (uid_t)outside_of_root(&linux_->uid_mappings);
        supervisor->root_gid = (gid_t)outside_of_root(&linux_->gid_mappings);
}

/* Waits for it: the daemon makes it while this process mounts. *ret_fd is the caller's. */
static int await_netns(int *ret_fd, Error *err) {
        MonitorRequest request = {};
        int fds[MESSAGE_FDS_MAX], r;
        size_t count = 0;

        do
                r = message_receive(MONITOR_FD, &monitor_request_table, &request, fds, &count, err);
        while (r == -EINTR);
        if (r == 0)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the daemon ended before there was a network namespace");
        if (r < 0)
                return r;
        if (!str_equal(request.kind, "network"))
                r = error_kind(err, ERROR_INVALID, "'%s' came in place of the network namespace",
                               request.kind);
        else if (count != 1)
                r = error_kind(err, ERROR_UNAVAILABLE, "the daemon gave no network namespace");
        else
                *ret_fd = TAKE_FD(fds[0]);
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        json_done(&monitor_request_table, &request);
        return r < 0 ? r : 0;
}

/* Without them the container would be made from its beginning. */
static int keep_images(Supervisor *supervisor, int fd, Error *err) {
        supervisor->images_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return supervisor->images_fd < 0
                       ? error_set(err, errno, "duplicate the descriptor of the checkpoint")
                       : 0;
}

static int create(Supervisor *supervisor, const MonitorStart *start, const StartFds *fds,
                  Error *err) {
        _cleanup_close_ int root_fd = -1, later_fd = -1;
        _cleanup_(seccomp_done) SeccompProgram seccomp = {};
        Process *init;
        int r = read_config(fds->config, &supervisor->config, err);

        supervisor->foreign_pidns_fd = fds->pidns;
        supervisor->foreign_ipcns_fd = fds->ipcns;
        if (r == 0 && fds->images >= 0)
                r = keep_images(supervisor, fds->images, err);
        if (r == 0 && fds->pidns >= 0)
                r = join_namespace(supervisor->config, "pid", fds->pidns, err);
        if (r == 0 && fds->ipcns >= 0)
                r = join_namespace(supervisor->config, "ipc", fds->ipcns, err);
        if (r == 0 && fds->userns >= 0) {
                r = join_namespace(supervisor->config, "user", fds->userns, err);
                note_root(supervisor);
        }
        if (r == 0)
                r = mount_root(fds, start, &root_fd, err);
        if (r == 0 && fds->seccomp >= 0)
                r = seccomp_read(fds->seccomp, start->seccomp_flags, &seccomp, err);
        if (r == 0 && start->netns_later)
                r = await_netns(&later_fd, err);
        if (r < 0)
                return r;
        supervisor->own_pids = has_own_pids(supervisor->config);
        supervisor->init = init = process_new(supervisor, NULL);
        init->streams.stdin_once = supervisor->stdin_once;
        init->streams.log = &supervisor->log;
        r = make_container(
                supervisor, init,
                &(RuntimeOptions){ .id = supervisor->id,
                                   .bundle_fd = supervisor->state_fd,
                                   .root_fd = root_fd,
                                   .netns_fd = start->netns_later ? later_fd : fds->netns,
                                   .seccomp = fds->seccomp >= 0 ? &seccomp : NULL,
                                   .cgroup_parent = "/brig",
                                   .systemd_cgroup = start->systemd_cgroup },
                err);
        if (r < 0)
                return r;
        supervisor->has_container = true;
        if (supervisor->upper_fd >= 0)
                supervisor->root_fd = TAKE_FD(root_fd);
        init->pid = supervisor->container.pid;
        init->pidfd = fcntl(supervisor->container.pidfd, F_DUPFD_CLOEXEC, 0);
        return init->pidfd < 0 ? error_set(err, errno, "duplicate a pidfd") : 0;
}

static void note_start(Supervisor *supervisor, const MonitorStart *start, const StartFds *fds) {
        supervisor->id = str_copy(start->id);
        supervisor->open_stdin = start->open_stdin;
        supervisor->stdin_once = start->stdin_once;
        supervisor->bound = start->bound;
        supervisor->runtime_words = strv_copy(start->runtime);
        supervisor->runtime = strv_length(start->runtime) > 0 ? &foreign_runtime : &own_runtime;
        supervisor->data_root_fd = fds->data_root;
        supervisor->state_fd = fds->state;
        supervisor->run_fd = fds->run;
}

/* Before anything else, so that no record of an earlier run is taken for this one's; and with its
 * room on the disk taken, as that may be full when the container ends. */
static int reserve_record(Supervisor *supervisor, Error *err) {
        char room[RECORD_ROOM];
        int r;

        if (unlinkat(supervisor->state_fd, MONITOR_EXIT_FILE, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove an earlier '%s'", MONITOR_EXIT_FILE);
        supervisor->record_fd = openat(supervisor->state_fd, RECORD_FILE,
                                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (supervisor->record_fd < 0)
                return error_set(err, errno, "create '%s'", RECORD_FILE);
        memset(room, ' ', sizeof(room));
        r = fd_write_full(supervisor->record_fd, room, sizeof(room));
        return r < 0 ? error_set(err, -r, "take the room of the exit record") : 0;
}

static void on_log_warning(void *data, const Error *err) {
        Supervisor *supervisor = data;

        connections_warn(supervisor, err);
}

/* The logger has taken what waited for it. */
static void on_log_ready(void *data) {
        Supervisor *supervisor = data;

        if (supervisor->init)
                streams_update(&supervisor->init->streams);
}

static int open_log(Supervisor *supervisor, const MonitorStart *start, Error *err) {
        supervisor->log_host = (LogHost){ .loop = supervisor->loop,
                                          .warn = on_log_warning,
                                          .ready = on_log_ready,
                                          .data = supervisor };
        return logfile_open(&supervisor->log, supervisor->state_fd, &start->log,
                            &supervisor->log_host, err);
}

int supervisor_start(Supervisor *supervisor, const MonitorStart *start, int *fds, size_t fd_count,
                     Error *err) {
        StartFds places = {};
        int r = take_fds(start, fds, fd_count, &places, err);

        if (r < 0)
                return r;
        note_start(supervisor, start, &places);
        r = hold_layer(supervisor, start, err);
        if (r == 0)
                r = reserve_record(supervisor, err);
        if (r == 0)
                r = failpoint("monitor.start", err);
        if (r == 0)
                r = connections_listen(supervisor, err);
        if (r == 0)
                r = open_log(supervisor, start, err);
        if (r == 0)
                r = create(supervisor, start, &places, err);
        if (r == 0)
                r = failpoint("monitor.created", err);
        for (size_t i = 3; i < fd_count; i++)
                close_fd(&fds[i]);
        close_fd(&supervisor->data_root_fd);
        if (r < 0)
                supervisor_give_up(supervisor, err);
        return r;
}

static void rest_later(Supervisor *supervisor);

static bool has_nothing_to_do(const Supervisor *supervisor) {
        /* While a process has ended and is not gone, timers run, which a rest does not see. */
        for (const Process *process = supervisor->execs; process; process = process->next)
                if (process->phase > PROCESS_RUNNING)
                        return false;
        return !supervisor->busy && !supervisor->listen_timer && !logfile_timed(&supervisor->log);
}

static void on_tick(void *data) {
        Supervisor *supervisor = data;

        if (supervisor->ended)
                return;
        if (has_nothing_to_do(supervisor))
                memory_rest(loop_fd(supervisor->loop));
        supervisor->busy = false;
        rest_later(supervisor);
}

/* A monitor that has done nothing for a while rests until there is something to do; so one that is
 * busy looks a few times a second, and an idle one does not wake up at all. */
static void rest_later(Supervisor *supervisor) {
        (void)loop_add_timer(supervisor->loop, clock_monotonic() + REST_AFTER, on_tick, supervisor);
}

/* ---- the end ---- */

/* Into the room that was taken for it. */
static int write_reserved(Supervisor *supervisor, const char *text, size_t length) {
        int r;

        if (supervisor->record_fd < 0 || lseek(supervisor->record_fd, 0, SEEK_SET) < 0)
                return -EBADF;
        r = fd_write_full(supervisor->record_fd, text, length);
        if (r == 0 && ftruncate(supervisor->record_fd, (off_t)length) < 0)
                r = -errno;
        if (r == 0 && renameat(supervisor->state_fd, RECORD_FILE, supervisor->state_fd,
                               MONITOR_EXIT_FILE) < 0)
                r = -errno;
        return r;
}

/* What many execs leave may be more than there is room for: then the end goes without them. */
static int write_without_execs(Supervisor *supervisor, const ExitRecord *record) {
        ExitRecord rest = *record;
        _cleanup_free_ char *text = NULL;
        Error err = {};

        rest.execs = (JsonArray){};
        text = json_text(&exit_record_table, &rest);
        if (write_reserved(supervisor, text, strlen(text)) < 0)
                return -ENOSPC;
        (void)error_kind(&err, ERROR_INTERNAL,
                         "the exit record of container %s had no room for its execs",
                         supervisor->id);
        connections_warn(supervisor, &err);
        return 0;
}

static int replace_record(Supervisor *supervisor, const ExitRecord *record, Error *err) {
        _cleanup_free_ char *text = json_text(&exit_record_table, record);
        size_t length = strlen(text);

        if (write_reserved(supervisor, text, length) == 0 ||
            (length > RECORD_ROOM && write_without_execs(supervisor, record) == 0))
                return 0;
        (void)unlinkat(supervisor->state_fd, RECORD_FILE, 0);
        return file_replace_at(supervisor->state_fd, MONITOR_EXIT_FILE, text, length, 0600, false,
                               err);
}

static void write_record(Supervisor *supervisor, const ExitRecord *record) {
        Error err = {};
        int r = failpoint("monitor.exit-before-record", &err);

        if (r == 0)
                r = replace_record(supervisor, record, &err);
        close_fd(&supervisor->record_fd);
        if (r == 0)
                r = failpoint("monitor.exit-after-record", &err);
        if (r < 0) {
                (void)error_prefix(&err, "exit of container %s was not recorded", supervisor->id);
                connections_warn(supervisor, &err);
        }
}

/* The cgroup goes before anybody is told, so that the container can be started again at once. */
static void destroy(Supervisor *supervisor) {
        Error err = {};

        close_fd(&supervisor->gate_fd);
        close_fd(&supervisor->images_fd);
        if (supervisor->has_container && supervisor->runtime->destroy(supervisor, &err) < 0)
                connections_warn(supervisor, &err);
        supervisor->has_container = false;
        supervisor->ended = true;
        connections_unlisten(supervisor);
}

static void fail(Supervisor *supervisor, int exit_code, const Error *why) {
        int64_t now = clock_now();
        ExitRecord record = { .exit_code = exit_code,
                              .exited_at = now,
                              .error = (char *)why->message,
                              .error_kind = why->kind };

        if (supervisor->ended)
                return;
        write_record(supervisor, &record);
        destroy(supervisor);
        processes_free(supervisor);
}

void supervisor_give_up(Supervisor *supervisor, const Error *why) {
        fail(supervisor, 128, why);
}

/* Whether the kernel has killed any of its processes for want of memory. */
static bool was_short_of_memory(const char *cgroup) {
        _cleanup_free_ char *text = NULL;
        const char *line;
        CgroupMode mode;

        if (cgroup_mode(&mode, NULL) < 0 ||
            cgroup_read(cgroup, "memory",
                        mode == CGROUP_V2 ? "memory.events" : "memory.oom_control", &text,
                        NULL) < 0)
                return false;
        line = strstr(text, "oom_kill ");
        return line && strtoull(line + strlen("oom_kill "), NULL, 10) > 0;
}

static void kill_rest(Supervisor *supervisor, bool *ret_oom_killed) {
        const char *cgroup = supervisor->container.cgroup;
        Error err = {};

        *ret_oom_killed = cgroup && was_short_of_memory(cgroup);
        if (cgroup && !supervisor->own_pids && cgroup_kill(cgroup, KILL_MAX, &err) < 0)
                connections_warn(supervisor, &err);
        processes_reap(supervisor); /* its execs */
}

void supervisor_finish(Supervisor *supervisor) {
        Process *init = supervisor->init;
        ExitRecord record = { .exit_code = init->exit_code,
                              .started_at = supervisor->started_at,
                              .exited_at = init->exited_at };
        bool oom_killed;

        kill_rest(supervisor, &oom_killed);
        record.oom_killed = oom_killed;
        streams_drain(&init->streams, DRAIN_MS);
        execs_list(supervisor, &record.execs);
        write_record(supervisor, &record);
        json_done(&exit_record_table, &record);
        if (supervisor->runtime == &own_runtime) /* another's processes may end with destroy */
                connections_ending(supervisor);
        destroy(supervisor);
        process_tell(init, oom_killed);
        processes_settle(supervisor);
}

/* ---- go ---- */

/* What the kernel's and dockerd's users know these failures by. */
static int exit_code_of(const Error *err) {
        return err->kind == ERROR_NOT_FOUND ? 127 : err->kind == ERROR_FORBIDDEN ? 126 : 128;
}

/* What only the start needed. */
static void forget_documents(Supervisor *supervisor) {
        const OciConfig *config = supervisor->config;

        if (!config->hooks || config->hooks->poststop.count == 0) {
                json_free(&oci_config_table, supervisor->config);
                supervisor->config = NULL;
        }
}

/* What is restored has its terminal with the rest of its files. */
static int let_go(Supervisor *supervisor, Error *err) {
        Streams *streams = &supervisor->init->streams;
        bool restored = supervisor->images_fd >= 0;
        int r = restored ? 0 : streams_prepare(streams, err);

        if (r == 0)
                r = supervisor->runtime->release(supervisor, err);
        return r == 0 && restored ? streams_prepare(streams, err) : r;
}

int supervisor_go(Supervisor *supervisor, Error *err) {
        Process *init = supervisor->init;
        int r;

        if (supervisor->started || supervisor->ended || !init)
                return error_kind(err, ERROR_CONFLICT, "container %s was let go already",
                                  supervisor->id);
        r = failpoint("monitor.go", err);
        if (r == 0)
                r = let_go(supervisor, err);
        if (r < 0) {
                fail(supervisor, exit_code_of(err), err);
                return r;
        }
        close_fd(&supervisor->gate_fd);
        close_fd(&supervisor->images_fd);
        supervisor->started = true;
        supervisor->started_at = clock_now();
        init->phase = PROCESS_RUNNING;
        streams_run(&init->streams);
        forget_documents(supervisor);
        rest_later(supervisor);
        return 0;
}
