/* exec.c: another process in a container that runs: joins init's namespaces, root and cgroup, then
 * does what init did last. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "os/pidfd.h"
#include "os/procfs.h"
#include "runtime/private.h"

typedef struct Exec {
        const OciProcess *process;
        const ProcessIo *io;
        const char *cgroup;
        pid_t init_pid;
        ProcessPlan plan;
        Namespaces ns;
        int root_fd, proc_fd, sync_fd;
        int cgroup_fds[CGROUP_HIERARCHIES_MAX];
        size_t cgroup_fd_count;
} Exec;

static void exec_done(Exec *exec) {
        namespaces_done(&exec->ns);
        close_fd(&exec->root_fd);
        close_fd(&exec->proc_fd);
        close_fd(&exec->sync_fd);
        while (exec->cgroup_fd_count > 0)
                close_fd(&exec->cgroup_fds[--exec->cgroup_fd_count]);
}

static int plan_cgroups(Exec *exec, Error *err) {
        char *const *texts = exec->io->subgroups;
        int r = 0;

        if (!texts)
                return cgroup_join_fds(exec->cgroup, exec->cgroup_fds, &exec->cgroup_fd_count, err);
        for (char *const *text = texts; r == 0 && *text; text++)
                r = cgroup_check_subgroup(*text, err);
        return r < 0 ? r
                     : cgroup_join_subgroups(exec->cgroup, texts, exec->cgroup_fds,
                                             &exec->cgroup_fd_count, err);
}

/* Where only the unified hierarchy counts, the group that was asked for, as the kernel clones into
 * it. In a hybrid, whose processes version 1 limits, the container's own. */
static char *unified_group(const Exec *exec) {
        CgroupMode mode;

        if (!exec->io->subgroups || cgroup_mode(&mode, NULL) < 0 || mode != CGROUP_V2)
                return str_copy(exec->cgroup);
        return cgroup_subgroup(exec->cgroup, exec->io->subgroups[0]);
}

static int prepare(Exec *exec, Error *err) {
        _cleanup_close_ int pidfd = -1;
        char path[32];
        int r = procfs_open(&exec->proc_fd, err);

        if (r == 0)
                r = pidfd_of(exec->init_pid, &pidfd, err);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof(path), "%d/root", (int)exec->init_pid);
        exec->root_fd = openat(exec->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (exec->root_fd < 0)
                return error_set(err, errno, "open the root of process %d", (int)exec->init_pid);
        r = namespaces_of_process(exec->init_pid, pidfd, &exec->ns, err);
        if (r == 0 && exec->cgroup)
                r = plan_cgroups(exec, err);
        return r;
}

/* ---- the child ---- */

static int enter(Exec *exec, Error *err) {
        for (size_t i = 0; i < exec->cgroup_fd_count; i++)
                if (write(exec->cgroup_fds[i], "0", 1) < 0)
                        return error_set(err, errno, "join the container's cgroup");
        if (namespaces_join(&exec->ns, err) < 0)
                return -EPERM;
        /* A container made without pivot_root has a root that is not its mount namespace's. */
        if (fchdir(exec->root_fd) < 0)
                return error_set(err, errno, "enter the container's root");
        if (chroot(".") < 0 || chdir("/") < 0) /* path: the directory entered above */
                return error_set(err, errno, "change to the container's root");
        return 0;
}

static int set_streams(Exec *exec, Error *err) {
        _cleanup_close_ int master = -1, slave = -1;
        int r = 0;

        if (exec->process->terminal) {
                r = console_open(exec->root_fd, exec->process, &master, &slave, err);
                if (r == 0)
                        r = console_deliver(exec->io, exec->sync_fd, master, err);
        }
        return r < 0 ? r : process_set_stdio(exec->io, exec->root_fd, slave, exec->process, err);
}

/* The program's name is resolved while this is still the runtime's process: a link of the image to
 * /proc/self/fd/N would lead through any directory of the host that is open here, to a program of
 * the host's (CVE-2024-21626). The last thing to be kept is the parent's ear. */
static int close_all_but_sync(const Exec *exec, Error *err) {
        unsigned first = (unsigned)(3 + exec->io->listen_fds), sync = (unsigned)exec->sync_fd;

        if (BUG("working-directory"))
                return 0;
        if ((sync > first && close_range(first, sync - 1, 0) < 0) ||
            close_range(MAX(sync + 1, first), ~0u, 0) < 0)
                return error_set(err, errno, "close the runtime's descriptors");
        return 0;
}

static void run(Exec *exec) __attribute__((noreturn));
static void run(Exec *exec) {
        const OciCpuAffinity *affinity = exec->process->exec_cpu_affinity;
        Error err = {};
        int r;

        process_reset_signals();
        (void)setsid();
        r = sync_expect(exec->sync_fd, SYNC_GO, NULL, "the runtime", &err);
        if (r == 0 && affinity)
                r = schedule_on(affinity->initial, &err);
        if (r == 0)
                r = enter(exec, &err);
        if (r == 0 && affinity)
                r = schedule_on(affinity->final, &err);
        if (r == 0)
                r = set_streams(exec, &err);
        if (r == 0)
                r = process_set_profile(exec->proc_fd, &exec->plan, &err);
        if (r == 0)
                r = close_all_but_sync(exec, &err);
        if (r == 0)
                r = process_restrict(&exec->plan, &err);
        if (r == 0 && sync_send(exec->sync_fd, SYNC_READY, -1) == 0)
                (void)process_exec(&exec->plan, &err);
        (void)sync_send_error(exec->sync_fd, &err);
        _exit(1);
}

/* ---- the parent ---- */

/* The group into which the kernel clones: the container's, or where it has been divided (a systemd
 * or an engine inside) and so takes no members, init's own, which lies below it. */
static int open_group(const Exec *exec, bool divided, int *ret_fd, Error *err) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        char name[32];
        const char *line;
        int r;

        if (!divided) {
                path = unified_group(exec);
                r = cgroup_clone_fd(path, ret_fd, err);
                return r < 0 && exec->io->subgroups
                               ? error_kind(err, ERROR_NOT_FOUND,
                                            "adding pid to cgroups: open %s/cgroup.procs: no such "
                                            "file or directory",
                                            path)
                               : r;
        }
        (void)snprintf(name, sizeof(name), "%d/cgroup", (int)exec->init_pid);
        r = procfs_read(exec->proc_fd, name, &text, err);
        if (r < 0)
                return r;
        line = strstr(text, "0::/");
        if (!line)
                return error_kind(err, ERROR_INTERNAL, "process %d has no cgroup",
                                  (int)exec->init_pid);
        path = str_copy_n(line + 3, strcspn(line + 3, "\n"));
        return cgroup_clone_fd(path, ret_fd, err);
}

static int clone_into(Exec *exec, bool may_divide, int *ret_pidfd, pid_t *ret_pid, Error *err) {
        _cleanup_close_ int group_fd = -1;
        int r = exec->cgroup ? open_group(exec, false, &group_fd, err) : 0;

        if (r == 0)
                r = namespaces_clone(&exec->ns, group_fd, ret_pidfd, ret_pid, err);
        if (r == -EBUSY && exec->io->subgroups)
                return error_kind(err, ERROR_CONFLICT,
                                  "adding pid to cgroups: %s/cgroup.procs: device or resource busy",
                                  exec->io->subgroups[0]);
        if (r != -EBUSY || !may_divide || !exec->cgroup)
                return r;
        close_fd(&group_fd);
        r = open_group(exec, true, &group_fd, err);
        return r < 0 ? r : namespaces_clone(&exec->ns, group_fd, ret_pidfd, ret_pid, err);
}

static int serve(const Exec *exec, SyncKind kind, int passed, Error *err) {
        if (kind == SYNC_CONSOLE)
                return console_take(exec->io, passed, err);
        return error_kind(err, ERROR_INTERNAL, "the exec process said %d", (int)kind);
}

static int accompany(const Exec *exec, int pidfd, pid_t pid, int sync_fd, Error *err) {
        int r = oom_score_write(exec->proc_fd, pid, exec->process, err);

        if (r == 0 && (r = sync_send(sync_fd, SYNC_GO, -1)) < 0)
                r = error_set(err, -r, "the exec process has gone");
        while (r == 0) {
                SyncKind kind = SYNC_READY;
                int passed = -1, number = -1;

                r = sync_receive_listener(sync_fd, &kind, &passed, &number, "the exec process",
                                          err);
                if (r == 0 && kind == SYNC_READY)
                        return sync_expect_exec(sync_fd, "the exec process", err);
                if (r == 0 && kind == SYNC_LISTENER)
                        r = listener_deliver(exec->plan.seccomp, pidfd, pid, number,
                                             exec->io->state ?: "{}", NULL, sync_fd, err);
                else if (r == 0)
                        r = serve(exec, kind, passed, err);
        }
        return r;
}

static int spawn(Exec *exec, bool may_divide, int *ret_pidfd, pid_t *ret_pid, Error *err) {
        _cleanup_close_ int mine = -1;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        mine = pair[0];
        exec->sync_fd = exec->plan.sync_fd = pair[1];
        r = clone_into(exec, may_divide, ret_pidfd, ret_pid, err);
        if (r < 0)
                return r;
        if (*ret_pid == 0) {
                close_fd(&mine);
                run(exec);
        }
        close_fd(&exec->sync_fd);
        r = accompany(exec, *ret_pidfd, *ret_pid, mine, err);
        if (r < 0) {
                (void)pidfd_signal(*ret_pidfd, SIGKILL, NULL); /* it may have ended already */
                (void)pidfd_wait(*ret_pidfd, NULL, NULL);
                close_fd(ret_pidfd);
        }
        return r;
}

int container_exec(const OciProcess *process, pid_t init_pid, const char *cgroup,
                   const SeccompProgram *seccomp, const ProcessIo *io, bool privileged_cgroup_join,
                   pid_t *ret_pid, int *ret_pidfd, Error *err) {
        Exec exec = { .process = process,
                      .io = io,
                      .cgroup = cgroup,
                      .init_pid = init_pid,
                      .plan = { .process = process,
                                .seccomp = seccomp,
                                .listen_fds = io->listen_fds,
                                .keyring = "" },
                      .root_fd = -1,
                      .proc_fd = -1,
                      .sync_fd = -1 };
        int pidfd = -1, r = runtime_validate_process(process, err);
        pid_t pid = -1;

        namespaces_init(&exec.ns);
        if (r == 0)
                r = prepare(&exec, err);
        exec.plan.profile = process_profile(process);
        if (r == 0)
                r = spawn(&exec, privileged_cgroup_join, &pidfd, &pid, err);
        exec_done(&exec);
        if (r < 0)
                return r;
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
}
