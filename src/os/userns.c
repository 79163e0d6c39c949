/* userns.c: a user namespace is made with a process that does nothing but wait until its maps are
 * written and its namespaces are open. */
#include "os/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/mount.h"
#include "os/pidfd.h"
#include "os/procfs.h"

/* The kernel's limit on the lines of a map (user_namespaces(7)). */
#define RANGES_MAX 340

/* ---- namespaces ---- */

/* The child of a process that may have threads: nothing but system calls, past the C library. Both
 * ends of the pipe are here; the parent's is closed, so that its end is seen. */
static void wait_for_parent(int read_fd, int write_fd) __attribute__((noreturn));
static void wait_for_parent(int read_fd, int write_fd) {
        char byte;

        (void)syscall(SYS_close, write_fd);
        while (syscall(SYS_read, read_fd, &byte, 1) < 0 && errno == EINTR)
                ;
        for (;;)
                (void)syscall(SYS_exit_group, 0);
}

static int start_waiter(uint64_t flags, int *ret_write, int *ret_pidfd, pid_t *ret_pid,
                        Error *err) {
        _cleanup_close_ int read_end = -1, write_end = -1;
        int pidfd = -1, pair[2];
        struct clone_args args = { .flags = flags | CLONE_PIDFD,
                                   .pidfd = (uint64_t)(uintptr_t)&pidfd,
                                   .exit_signal = SIGCHLD };
        long pid;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe");
        read_end = pair[0];
        write_end = pair[1];
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return error_set(err, errno,
                                 "make a user namespace (is user.max_user_namespaces 0?)");
        if (pid == 0)
                wait_for_parent(read_end, write_end);
        *ret_write = TAKE_FD(write_end);
        *ret_pidfd = pidfd;
        *ret_pid = (pid_t)pid;
        return 0;
}

static int write_map(int proc_fd, pid_t pid, const char *file, const IdRange *ranges, size_t count,
                     Error *err) {
        _cleanup_free_ char *path = str_format("%d/%s", (int)pid, file);
        _cleanup_buf_ Buf text = {};

        if (count == 0 || count > RANGES_MAX)
                return error_kind(err, ERROR_INVALID, "%s: %zu ranges; the kernel takes 1 to %d",
                                  file, count, RANGES_MAX);
        for (size_t i = 0; i < count; i++) {
                /* The kernel would take a longer number for its lower 32 bits. */
                if (ranges[i].inside < 0 || ranges[i].outside < 0 || ranges[i].count < 1 ||
                    ranges[i].count > UINT32_MAX ||
                    ranges[i].inside > UINT32_MAX - ranges[i].count ||
                    ranges[i].outside > UINT32_MAX - ranges[i].count)
                        return error_kind(err, ERROR_INVALID, "%s: ids have 32 bits", file);
                buf_format(&text, "%lld %lld %lld\n", (long long)ranges[i].inside,
                           (long long)ranges[i].outside, (long long)ranges[i].count);
        }
        return procfs_write(proc_fd, path, text.data, err);
}

static int open_of(int proc_fd, pid_t pid, const char *name, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%d/ns/%s", (int)pid, name);
        int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open a new %s namespace", name);
        *ret_fd = fd;
        return 0;
}

static int fill(const IdMap *map, pid_t pid, int *ret_fd, int *ret_netns_fd, Error *err) {
        _cleanup_close_ int proc_fd = -1, fd = -1, netns_fd = -1;
        int r = procfs_open(&proc_fd, err);

        if (r == 0)
                r = write_map(proc_fd, pid, "uid_map", map->uids, map->uid_count, err);
        if (r == 0)
                r = write_map(proc_fd, pid, "gid_map", map->gids, map->gid_count, err);
        if (r == 0)
                r = open_of(proc_fd, pid, "user", &fd, err);
        if (r == 0 && ret_netns_fd)
                r = open_of(proc_fd, pid, "net", &netns_fd, err);
        if (r < 0)
                return error_prefix(err, "user namespace");
        *ret_fd = TAKE_FD(fd);
        if (ret_netns_fd)
                *ret_netns_fd = TAKE_FD(netns_fd);
        return 0;
}

int userns_new(const IdMap *map, int *ret_fd, int *ret_netns_fd, Error *err) {
        _cleanup_close_ int write_fd = -1, pidfd = -1;
        pid_t pid = -1;
        int r = start_waiter(CLONE_NEWUSER | (ret_netns_fd ? CLONE_NEWNET : 0), &write_fd, &pidfd,
                             &pid, err);

        if (r < 0)
                return r;
        r = fill(map, pid, ret_fd, ret_netns_fd, err);
        close_fd(&write_fd);
        (void)pidfd_signal(pidfd, SIGKILL, NULL); /* it may have ended already */
        (void)pidfd_wait(pidfd, NULL, NULL);
        return r;
}

/* ---- views ---- */

int userns_view(int dir_fd, int userns_fd, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = mount_clone(dir_fd, false, &fd, err);

        if (r == 0)
                r = mount_map_ids(fd, false, userns_fd, err);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

typedef struct Answer {
        int r;
        Error error;
} Answer;

/* A file system's own work (overlayfs's copies) is done with the credentials that it was mounted
 * with, and in the view only mapped ids can make files: its root's ids, with all privileges. */
static int take_ids(int view_fd, Error *err) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};
        struct stat status;

        if (fstat(view_fd, &status) < 0)
                return error_set(err, errno, "look at a view");
        (void)setfsgid(status.st_gid);
        (void)setfsuid(status.st_uid);
        if ((uid_t)setfsuid((uid_t)-1) != status.st_uid ||
            (gid_t)setfsgid((gid_t)-1) != status.st_gid)
                return error_set(err, EPERM, "take the ids %u:%u", status.st_uid, status.st_gid);
        /* Leaving 0 has cleared what the file system's calls need. */
        if (syscall(SYS_capget, &header, data) < 0)
                return error_set(err, errno, "read capabilities");
        data[0].effective = data[0].permitted;
        data[1].effective = data[1].permitted;
        if (syscall(SYS_capset, &header, data) < 0)
                return error_set(err, errno, "set capabilities");
        return 0;
}

int userns_enter_view(int view_fd, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r;

        if (unshare(CLONE_NEWNS | CLONE_FS) < 0)
                return error_set(err, errno, "make a mount namespace");
        root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return error_set(err, errno, "open /");
        r = mount_change(root_fd, true, 0, 0, MS_PRIVATE, err);
        if (r == 0)
                r = mount_attach(view_fd, root_fd, err);
        return r < 0 ? r : take_ids(view_fd, err);
}

static void work_inside(int view_fd, UsernsWork work, void *data, int socket_fd)
        __attribute__((noreturn));
static void work_inside(int view_fd, UsernsWork work, void *data, int socket_fd) {
        Answer answer = {};
        int fd = -1;

        answer.r = userns_enter_view(view_fd, &answer.error);
        if (answer.r == 0)
                answer.r = work(data, view_fd, &fd, &answer.error);
        (void)fd_send(socket_fd, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0);
        _exit(0);
}

static int hear(int socket_fd, int *ret_fd, Error *err) {
        Answer answer = {};
        size_t count = 0;
        int fd = -1;
        ssize_t n = fd_receive(socket_fd, &answer, sizeof(answer), &fd, 1, &count);

        if (n != sizeof(answer) || (answer.r == 0 && count != 1)) {
                close_fd(&fd);
                return error_kind(err, ERROR_INTERNAL,
                                  "the process that mounts ended without a word");
        }
        if (answer.r < 0) {
                if (err)
                        *err = answer.error;
                return answer.r;
        }
        *ret_fd = fd;
        return 0;
}

int userns_with_view(int dir_fd, int userns_fd, UsernsWork work, void *data, int *ret_fd,
                     Error *err) {
        _cleanup_close_ int view_fd = -1, mine = -1, theirs = -1;
        int pair[2], r = userns_view(dir_fd, userns_fd, &view_fd, err);
        pid_t pid;

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        mine = pair[0];
        theirs = pair[1];
        pid = fork();
        if (pid < 0)
                return error_set(err, errno, "fork");
        if (pid == 0) {
                close_fd(&mine);
                work_inside(view_fd, work, data, theirs);
        }
        close_fd(&theirs);
        r = hear(mine, ret_fd, err);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}
