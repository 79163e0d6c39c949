/* namespace.c: the eight kinds of namespaces: what a document joins and makes, and the clone that
 * makes them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "base/program.h"
#include "os/pidfd.h"
#include "runtime/private.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const NamespaceType namespace_types[NAMESPACE_COUNT] = {
        [NAMESPACE_USER] = { "user", "user", CLONE_NEWUSER },
        [NAMESPACE_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
        [NAMESPACE_UTS] = { "uts", "uts", CLONE_NEWUTS },
        [NAMESPACE_NETWORK] = { "network", "net", CLONE_NEWNET },
        [NAMESPACE_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
        [NAMESPACE_TIME] = { "time", "time", CLONE_NEWTIME },
        [NAMESPACE_PID] = { "pid", "pid", CLONE_NEWPID },
        [NAMESPACE_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
};

void namespaces_init(Namespaces *ns) {
        ns->create = 0;
        for (size_t i = 0; i < NAMESPACE_COUNT; i++)
                ns->join[i] = -1;
}

void namespaces_done(Namespaces *ns) {
        for (size_t i = 0; i < NAMESPACE_COUNT; i++)
                close_fd(&ns->join[i]);
}

static int kind_of(const char *name) {
        for (int i = 0; i < NAMESPACE_COUNT; i++)
                if (str_equal(namespace_types[i].name, name))
                        return i;
        return -1;
}

/* A namespace by path: an administrator's file, opened and checked to be a namespace of that kind.
 */
static int open_namespace(const OciNamespace *ns, NamespaceKind kind, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = openat(AT_FDCWD, ns->path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open the %s namespace '%s'", ns->type, ns->path);
        if ((uint64_t)ioctl(fd, NS_GET_NSTYPE) != namespace_types[kind].flag)
                return error_kind(err, ERROR_INVALID,
                                  "linux.namespaces: '%s' is not a %s namespace", ns->path,
                                  ns->type);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int namespaces_plan(const OciLinux *linux_, int netns_fd, Namespaces *ret, Error *err) {
        const OciNamespace *list = linux_ ? linux_->namespaces.items : NULL;
        int r;

        for (size_t i = 0; linux_ && i < linux_->namespaces.count; i++) {
                int kind = kind_of(list[i].type);

                if (kind < 0)
                        return error_kind(err, ERROR_INVALID, "linux.namespaces: no namespace '%s'",
                                          list[i].type);
                if (kind == NAMESPACE_NETWORK && netns_fd >= 0)
                        continue;
                if (str_empty(list[i].path)) {
                        ret->create |= namespace_types[kind].flag;
                        continue;
                }
                r = open_namespace(&list[i], (NamespaceKind)kind, &ret->join[kind], err);
                if (r < 0)
                        return r;
        }
        if (netns_fd >= 0) {
                ret->join[NAMESPACE_NETWORK] = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
                if (ret->join[NAMESPACE_NETWORK] < 0)
                        return error_set(err, errno, "network namespace");
        }
        return 0;
}

static bool same_file(int dir_fd, const char *a, const char *b) {
        struct stat one, two;

        return fstatat(dir_fd, a, &one, 0) == 0 && fstatat(dir_fd, b, &two, 0) == 0 &&
               one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

int namespaces_of_process(pid_t pid, int pidfd, Namespaces *ret, Error *err) {
        _cleanup_close_ int proc_fd = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < NAMESPACE_COUNT; i++) {
                char theirs[64], ours[64];

                (void)snprintf(theirs, sizeof(theirs), "%d/ns/%s", (int)pid,
                               namespace_types[i].file);
                (void)snprintf(ours, sizeof(ours), "self/ns/%s", namespace_types[i].file);
                if (same_file(proc_fd, theirs, ours))
                        continue;
                ret->join[i] = openat(proc_fd, theirs, O_RDONLY | O_CLOEXEC);
                if (ret->join[i] < 0 && errno != ENOENT)
                        return error_set(err, errno, "open the %s namespace of process %d",
                                         namespace_types[i].name, (int)pid);
        }
        /* If the process still lives, its number was its own while the files were opened. */
        return pidfd_signal(pidfd, 0, err);
}

static int join(const Namespaces *ns, NamespaceKind kind, Error *err) {
        if (ns->join[kind] < 0 || setns(ns->join[kind], (int)namespace_types[kind].flag) == 0)
                return 0;
        return error_set(err, errno, "join the %s namespace", namespace_types[kind].name);
}

/* A network namespace and the like may belong to the host's user namespace or to the joined one:
 * what cannot be joined before the user namespace is tried after it. */
int namespaces_join(const Namespaces *ns, Error *err) {
        bool joined[NAMESPACE_COUNT] = {};
        int r;

        if (ns->join[NAMESPACE_USER] >= 0) {
                for (int i = NAMESPACE_IPC; i < NAMESPACE_PID; i++)
                        joined[i] = join(ns, (NamespaceKind)i, NULL) == 0;
                r = join(ns, NAMESPACE_USER, err);
                if (r < 0)
                        return r;
                /* Ids of the namespace in place of the overflow ids. */
                if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                        return error_set(err, errno, "become root of the joined user namespace");
        }
        for (int i = NAMESPACE_IPC; i < NAMESPACE_COUNT; i++) {
                if (i == NAMESPACE_PID || joined[i])
                        continue;
                r = join(ns, (NamespaceKind)i, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int raw_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd) {
        struct clone_args args = { .flags = flags | CLONE_PIDFD,
                                   .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
                                   .exit_signal = SIGCHLD };

        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup_fd;
        }
        return (int)syscall(SYS_clone3, &args, sizeof(args));
}

static int clone_error(Error *err, int number) {
        return error_set(err, number, "clone%s", program_hint(number));
}

/* A pid namespace is entered by children only, so the parent joins it for the length of the clone.
 */
static int clone_into_pid_namespace(const Namespaces *ns, uint64_t flags, int cgroup_fd,
                                    int *ret_pidfd, Error *err) {
        _cleanup_close_ int own =
                openat(AT_FDCWD, "/proc/self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);
        int pid, number;

        if (own < 0)
                return error_set(err, errno, "open the pid namespace");
        if (join(ns, NAMESPACE_PID, err) < 0)
                return -EPERM;
        pid = raw_clone(flags, cgroup_fd, ret_pidfd);
        number = errno;
        if (pid == 0)
                return 0;
        if (setns(own, CLONE_NEWPID) < 0 && pid > 0) {
                (void)pidfd_signal(*ret_pidfd, SIGKILL, NULL);
                (void)pidfd_wait(*ret_pidfd, NULL, NULL);
                close_fd(ret_pidfd);
                return error_set(err, errno, "return to the pid namespace");
        }
        errno = number;
        return pid < 0 ? clone_error(err, number) : pid;
}

static int clone_undumpable(const Namespaces *ns, uint64_t flags, int cgroup_fd, int *ret_pidfd,
                            Error *err) {
        int dumpable = prctl(PR_GET_DUMPABLE), pid;

        /* From its first moment the child is no object for ptrace or /proc/<pid>/fd by processes
         * that are in the container already (CVE-2016-9962); exec makes it one again. */
        if (!BUG("runtime-program"))
                (void)prctl(PR_SET_DUMPABLE, 0);
        pid = ns->join[NAMESPACE_PID] >= 0
                      ? clone_into_pid_namespace(ns, flags, cgroup_fd, ret_pidfd, err)
                      : raw_clone(flags, cgroup_fd, ret_pidfd);
        if (pid < 0 && ns->join[NAMESPACE_PID] < 0)
                pid = clone_error(err, errno);
        if (pid != 0 && dumpable == 1)
                (void)prctl(PR_SET_DUMPABLE, 1);
        return pid;
}

/* ---- new namespaces that belong to a joined user namespace ---- */

/* The process in between: joins, then makes init, as a child of its own parent. Returns in init
 * only. */
static void run_between(Namespaces *ns, uint64_t flags, int socket_fd) {
        struct clone_args args = { .flags = flags | CLONE_PARENT | CLONE_PIDFD };
        int pidfd = -1, pid;
        Error err = {};

        args.pidfd = (uint64_t)(uintptr_t)&pidfd;
        if (namespaces_join(ns, &err) < 0) {
                (void)sync_send_error(socket_fd, &err);
                _exit(1);
        }
        pid = (int)syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0) {
                namespaces_done(ns); /* joined */
                return;
        }
        if (pid < 0) {
                (void)clone_error(&err, errno);
                (void)sync_send_error(socket_fd, &err);
        } else {
                (void)sync_send(socket_fd, SYNC_READY, pidfd);
        }
        _exit(0);
}

/* What the kernel says in fdinfo: the number in the pid namespace of this /proc. */
static int pid_of(int pidfd, pid_t *ret, Error *err) {
        _cleanup_free_ char *text = NULL, *number = NULL;
        char path[48];
        const char *line;
        int r, pid;

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        r = file_read_at(AT_FDCWD, path, 4096, &text, NULL, err);
        if (r < 0)
                return r;
        line = strstr(text, "Pid:\t");
        number = line ? str_copy_n(line + 5, strcspn(line + 5, "\n")) : NULL;
        if (!number || str_to_int_in(number, 1, INT32_MAX, &pid) < 0)
                return error_kind(err, ERROR_INTERNAL, "%s: names no process", path);
        *ret = pid;
        return 0;
}

static int clone_between(Namespaces *ns, uint64_t flags, int cgroup_fd, int *ret_pidfd,
                         pid_t *ret_pid, Error *err) {
        _cleanup_close_ int mine = -1, theirs = -1, between_fd = -1;
        int pair[2], r, pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        mine = pair[0];
        theirs = pair[1];
        pid = clone_undumpable(ns, 0, cgroup_fd, &between_fd, err);
        if (pid < 0)
                return pid;
        if (pid == 0) {
                close_fd(&mine);
                run_between(ns, flags, theirs);
                *ret_pid = 0;
                return 0;
        }
        close_fd(&theirs);
        r = sync_expect(mine, SYNC_READY, ret_pidfd, "the process that joins the namespaces", err);
        (void)pidfd_wait(between_fd, NULL, NULL);
        return r == 0 ? pid_of(*ret_pidfd, ret_pid, err) : r;
}

int namespaces_clone(Namespaces *ns, int cgroup_fd, int *ret_pidfd, pid_t *ret_pid, Error *err) {
        /* The cgroup namespace's root is the group that its maker is in: init makes it once it is
         * in its own. */
        uint64_t flags = ns->create & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWTIME);
        int pidfd = -1, pid;

        if (ns->join[NAMESPACE_USER] >= 0 && flags)
                return clone_between(ns, flags, cgroup_fd, ret_pidfd, ret_pid, err);
        pid = clone_undumpable(ns, flags, cgroup_fd, &pidfd, err);
        if (pid < 0)
                return pid;
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
}
