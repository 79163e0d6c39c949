/* confine-git.c: see confine.h. Programs of the host are started in here, so that what they may see
 * is chosen, and of the system calls only those are taken that no file transfer needs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "image/confine.h"
#include "image/git.h"
#include "os/mount.h"

#define MEMORY_MAX (4ull << 30)
#define FILE_SIZE_MAX (64ull << 30)
#define FILES_MAX 4096

/* What of the host is seen, to read: programs, libraries, names, certificates. No keys, no homes.
 */
static const char *const seen[] = {
        "usr",
        "bin",
        "sbin",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "etc/ld.so.cache",
        "etc/hosts",
        "etc/host.conf",
        "etc/resolv.conf",
        "etc/nsswitch.conf",
        "etc/gai.conf",
        "etc/services",
        "etc/localtime",
        "etc/ssl/certs",
        "etc/ssl/openssl.cnf",
        "etc/pki/tls/certs",
        "etc/pki/ca-trust/extracted",
        "etc/ssh/ssh_known_hosts",
};

/* ---- the root ---- */

static int make_target(int root_fd, const char *name, bool directory, Error *err) {
        const char *slash = strrchr(name + 1, '/');
        _cleanup_free_ char *parent =
                slash ? str_copy_n(name + 1, (size_t)(slash - name - 1)) : NULL;
        int r = parent ? dir_make_at(root_fd, parent, 0755, err) : 0;

        if (r < 0)
                return r;
        r = directory ? mkdirat(root_fd, name + 1, 0755)
                      : mknodat(root_fd, name + 1, S_IFREG | 0600, 0);
        return r < 0 && errno != EEXIST ? error_set(err, errno, "make '%s'", name) : 0;
}

/* Attaches a copy of what fd has open at name, "/etc/hosts", of the new root. */
static int attach(int fd, int root_fd, const char *name, uint64_t attributes, Error *err) {
        _cleanup_close_ int copy = -1, target = -1;
        struct stat st;
        int r = mount_clone(fd, true, &copy, err);

        if (r == 0)
                r = mount_change(copy, true, attributes, 0, MS_PRIVATE, err);
        if (r == 0 && fstat(fd, &st) < 0)
                r = error_set(err, errno, "look at '%s'", name);
        if (r == 0)
                r = make_target(root_fd, name, S_ISDIR(st.st_mode), err);
        if (r < 0)
                return r;
        target = openat(root_fd, name + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return target < 0 ? error_set(err, errno, "open '%s'", name)
                          : mount_attach(copy, target, err);
}

/* "/lib" is "usr/lib" on most hosts; a link in /etc is followed, as it may lead to /run. */
static int show(int root_fd, const char *name, Error *err) {
        _cleanup_free_ char *path = str_format("/%s", name);
        _cleanup_close_ int fd = -1;
        char link[PATH_MAX];
        ssize_t length = strchr(name, '/') ? -1 : readlink(path, link, sizeof(link) - 1);

        if (length > 0) {
                link[length] = '\0';
                return symlinkat(link, root_fd, name) < 0
                               ? error_set(err, errno, "make the link '%s'", path)
                               : 0;
        }
        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : error_set(err, errno, "open '%s'", path);
        return attach(fd, root_fd, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                      err);
}

static int show_device(int root_fd, const char *path, Error *err) {
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

        return fd < 0 ? error_set(err, errno, "open %s", path)
                      : attach(fd, root_fd, path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
}

/* A copy that belongs to the old namespace is attached in the new one. */
static int place(int copy, bool directory, int root_fd, const char *name, Error *err) {
        _cleanup_close_ int target = -1;
        int r = make_target(root_fd, name, directory, err);

        if (r < 0)
                return r;
        target = openat(root_fd, name + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return target < 0 ? error_set(err, errno, "open '%s'", name)
                          : mount_attach(copy, target, err);
}

/* ssh asks for the name of its own user; the host's users are nobody's business. */
static int make_users(int root_fd, Error *err) {
        _cleanup_free_ char *users = str_format("root:x:0:0::/:/bin/false\n"
                                                "git:x:%d:%d::" GIT_TEMPORARY ":/bin/false\n",
                                                GIT_USER, GIT_USER);
        _cleanup_free_ char *groups = str_format("root:x:0:\ngit:x:%d:\n", GIT_USER);
        int r = dir_make_at(root_fd, "etc", 0755, err);

        if (r == 0)
                r = file_replace_at(root_fd, "etc/passwd", users, strlen(users), 0644, false, err);
        return r < 0 ? r
                     : file_replace_at(root_fd, "etc/group", groups, strlen(groups), 0644, false,
                                       err);
}

static int fill_root(int root_fd, int work, int agent, Error *err) {
        static const char *const devices[] = { "/dev/null", "/dev/urandom" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(devices); i++)
                r = show_device(root_fd, devices[i], err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(seen); i++)
                r = show(root_fd, seen[i], err);
        if (r == 0 && work >= 0)
                r = place(work, true, root_fd, GIT_WORK, err);
        if (r == 0 && agent >= 0)
                r = place(agent, false, root_fd, GIT_AGENT, err);
        if (r == 0)
                r = make_users(root_fd, err);
        if (r == 0)
                r = dir_make_at(root_fd, &(GIT_TEMPORARY)[1], 0700, err);
        if (r == 0 &&
            fchownat(root_fd, &(GIT_TEMPORARY)[1], GIT_USER, GIT_USER, AT_SYMLINK_NOFOLLOW) < 0)
                r = error_set(err, errno, "give " GIT_TEMPORARY " to git");
        return r;
}

/* pivot_root(2) with "." twice: the old root lies below the new one, and is let go. */
static int enter(int root_fd, Error *err) {
        if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
            umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return error_set(err, errno, "make the new root the root");
        return 0;
}

static int make_root(int directory_fd, int agent_fd, Error *err) {
        static char *const options[] = { (char *)"mode=0755", (char *)"size=16m", NULL };
        const uint64_t harmless = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
        _cleanup_close_ int work = -1, agent = -1, root = -1, top = -1;
        int r = 0;

        /* A mount of the old namespace can't be cloned from the new one. */
        if (directory_fd >= 0)
                r = mount_clone(directory_fd, false, &work, err);
        if (r == 0 && work >= 0)
                r = mount_change(work, false, harmless, 0, 0, err);
        if (r == 0 && agent_fd >= 0)
                r = mount_clone(agent_fd, false, &agent, err);
        if (r < 0)
                return r;
        if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                return error_set(err, errno, "make namespaces");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_set(err, errno, "make mounts private");
        r = mount_new("tmpfs", "tmpfs", options, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, &root, err);
        if (r < 0)
                return r;
        top = open("/", O_PATH | O_CLOEXEC);
        if (top < 0)
                return error_set(err, errno, "open the root");
        r = mount_attach(root, top, err);
        if (r == 0)
                r = fill_root(root, work, agent, err);
        return r < 0 ? r : enter(root, err);
}

/* ---- limits and system calls ---- */

static int set_limits(Error *err) {
        static const ConfineLimit limits[] = {
                { RLIMIT_AS, MEMORY_MAX },
                { RLIMIT_FSIZE, FILE_SIZE_MAX },
                { RLIMIT_NOFILE, FILES_MAX },
                { RLIMIT_CORE, 0 },
        };

        return confine_limits(limits, ELEMENTS(limits), err);
}

/* What git, ssh and their libraries never need. */
static const int denied_calls[] = {
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(open_tree),
        SCMP_SYS(move_mount),
        SCMP_SYS(fsopen),
        SCMP_SYS(fsconfig),
        SCMP_SYS(fsmount),
        SCMP_SYS(fspick),
        SCMP_SYS(mount_setattr),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(pidfd_getfd),
        SCMP_SYS(kcmp),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(io_uring_enter),
        SCMP_SYS(io_uring_register),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(name_to_handle_at),
        SCMP_SYS(mknod),
        SCMP_SYS(mknodat),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(acct),
        SCMP_SYS(quotactl),
        SCMP_SYS(syslog),
        SCMP_SYS(sethostname),
        SCMP_SYS(setdomainname),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(clock_adjtime),
        SCMP_SYS(adjtimex),
        SCMP_SYS(personality),
        SCMP_SYS(vhangup),
};

static void filter_freep(scmp_filter_ctx *filter) {
        seccomp_release(*filter);
}

/* Only the Internet's sockets, and those that the C library asks for the machine's addresses; with
 * an agent those of Unix. The kernel takes the lower half of the argument: what is above the
 * families that are looked at one by one is refused whole. */
static int deny_sockets(scmp_filter_ctx filter, bool agent) {
        const uint32_t refuse = SCMP_ACT_ERRNO(EAFNOSUPPORT);
        int r = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_GT, AF_NETLINK));

        for (scmp_datum_t family = 0; r == 0 && family < AF_NETLINK; family++)
                if (family != AF_INET && family != AF_INET6 && !(agent && family == AF_UNIX))
                        r = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1,
                                             SCMP_A0(SCMP_CMP_EQ, family));
        return r;
}

static int deny_calls(bool agent, Error *err) {
        static const scmp_datum_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                                               CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                               CLONE_NEWCGROUP;
        _cleanup_(filter_freep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r = 0;

        if (!filter)
                return error_kind(err, ERROR_INTERNAL, "make a system call filter");
        for (size_t i = 0; r == 0 && i < ELEMENTS(denied_calls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied_calls[i], 0);
        /* No new namespace; clone3's flags can't be seen, so that glibc is told to use clone. */
        for (scmp_datum_t flag = 1; r == 0 && flag <= namespaces; flag <<= 1)
                if (flag & namespaces)
                        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                             SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        if (r == 0)
                r = deny_sockets(filter, agent);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? error_set(err, -r, "load the system call filter") : 0;
}

int confine_for_git(int directory_fd, int agent_fd, Error *err) {
        int r = make_root(directory_fd, agent_fd, err);

        if (r == 0)
                r = set_limits(err);
        if (r == 0)
                r = confine_to_user(GIT_USER, err);
        if (r == 0)
                r = confine_scope(err);
        if (r == 0)
                r = deny_calls(agent_fd >= 0, err);
        return r < 0 ? error_prefix(err, "confine git") : 0;
}
