/* confine.c: see confine.h. */
#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/bug.h"
#include "base/cleanup.h"
#include "base/sanitizer.h"

#define MEMORY_MAX (2ull << 30)
#define FILE_SIZE_MAX (300ull << 30)
#define FILES_MAX 64

/* Writing any owner, mode, device and capability, and, the last, trusted.overlay.* attributes. */
static const cap_value_t layer_capabilities[] = {
        CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SYS_ADMIN,
};

int confine_limits(const ConfineLimit *limits, size_t count, Error *err) {
        for (size_t i = 0; i < count; i++) {
                struct rlimit limit = {};

                if (SANITIZED && limits[i].resource == RLIMIT_AS)
                        continue;
                if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "read a resource limit");
                limit.rlim_max = MIN(limit.rlim_max, limits[i].value);
                limit.rlim_cur = limit.rlim_max;
                if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "set a resource limit");
        }
        return 0;
}

static int set_limits(rlim_t files, Error *err) {
        const ConfineLimit limits[] = {
                { RLIMIT_AS, MEMORY_MAX },
                { RLIMIT_FSIZE, FILE_SIZE_MAX },
                { RLIMIT_NOFILE, files },
                { RLIMIT_CORE, 0 },
        };

        return confine_limits(limits, ELEMENTS(limits), err);
}

static void cap_freep(cap_t *capabilities) {
        if (*capabilities)
                (void)cap_free(*capabilities);
}

/* Those that no program may have that is started later. EPERM: there are none to drop. */
static int drop_bounds(Error *err) {
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
                if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
                        return error_set(err, errno, "drop capability %d", capability);
        return 0;
}

/* Drops all but those of this program; no_new_privs. */
static int keep_capabilities(const cap_value_t *kept, size_t count, Error *err) {
        _cleanup_(cap_freep) cap_t capabilities = cap_init();
        int r = drop_bounds(err);

        if (r < 0)
                return r;
        if (!capabilities)
                return error_set(err, errno, "drop capabilities");
        if (count > 0 &&
            (cap_set_flag(capabilities, CAP_PERMITTED, (int)count, kept, CAP_SET) < 0 ||
             cap_set_flag(capabilities, CAP_EFFECTIVE, (int)count, kept, CAP_SET) < 0))
                return error_set(err, errno, "choose capabilities");
        if (cap_set_proc(capabilities) < 0)
                return error_set(err, errno, "drop capabilities");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(err, errno, "set no_new_privs");
        return 0;
}

int confine_to_user(uid_t user, Error *err) {
        int r = drop_bounds(err);

        if (r < 0)
                return r;
        /* By plain calls of the kernel: there is one thread. */
        if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, user, user, user) < 0 ||
            syscall(SYS_setresuid, user, user, user) < 0)
                return error_set(err, errno, "become user %u", user);
        return keep_capabilities(NULL, 0, err);
}

/* pivot_root(2) with "." twice: the old root lies below the new one, and is let go. */
static int enter_directory(int directory_fd, Error *err) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
                                                     MOUNT_ATTR_NOEXEC,
                                         .propagation = MS_PRIVATE };
        _cleanup_close_ int tree = -1;

        /* A mount of the old namespace can't be cloned from the new one. */
        tree = (int)syscall(SYS_open_tree, directory_fd, "",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0)
                return error_set(err, errno, "clone the directory's mount");
        /* A layer may hold devices, and nothing here may open one: the host's disks are an mknod(2)
         * away from whoever takes this program over. The clone of a mount that is shared, as all
         * are where systemd runs, is so too, and neither would be the root of a namespace. */
        if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) <
            0)
                return error_set(err, errno, "make the directory's mount one without devices");
        if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                return error_set(err, errno, "make namespaces");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_set(err, errno, "make mounts private");
        if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return error_set(err, errno, "mount the directory");
        if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
            umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return error_set(err, errno, "make the directory the root");
        return dup3(tree, directory_fd, O_CLOEXEC) < 0
                       ? error_set(err, errno, "enter the directory")
                       : 0;
}

/* ---- system calls ---- */

/* What reading a stream, a second thread, and writing a layer take; measured with strace(1). */
static const int layer_calls[] = {
        SCMP_SYS(read),
        SCMP_SYS(readv),
        SCMP_SYS(pread64),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(pwrite64),
        SCMP_SYS(lseek),
        SCMP_SYS(close),
        SCMP_SYS(dup),
        SCMP_SYS(fcntl),
        SCMP_SYS(poll),
        SCMP_SYS(sendmsg),
        SCMP_SYS(recvmsg),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(statx),
        SCMP_SYS(fstatfs),
        SCMP_SYS(openat),
        SCMP_SYS(openat2),
        SCMP_SYS(getdents64),
        SCMP_SYS(mkdirat),
        SCMP_SYS(renameat), /* dir_remove_at, of what lies deep */
        SCMP_SYS(mknodat),
        SCMP_SYS(symlinkat),
        SCMP_SYS(linkat),
        SCMP_SYS(unlinkat),
        SCMP_SYS(fchmod),
        SCMP_SYS(fchown),
        SCMP_SYS(fchownat),
        SCMP_SYS(utimensat),
        SCMP_SYS(fsetxattr),
        SCMP_SYS(fgetxattr), /* from here to readlinkat: packing what a container has */
        SCMP_SYS(flistxattr),
        SCMP_SYS(readlinkat),
        SCMP_SYS(ftruncate),
        SCMP_SYS(umask),
        SCMP_SYS(mmap),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(mprotect),
        SCMP_SYS(madvise),
        SCMP_SYS(brk),
        SCMP_SYS(futex),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(rseq),
        SCMP_SYS(set_tid_address),
        SCMP_SYS(sched_yield),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(getpid),
        SCMP_SYS(gettid),
        SCMP_SYS(tgkill),
        SCMP_SYS(getrandom),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(nanosleep),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(sysinfo),
        SCMP_SYS(getuid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(restart_syscall),
};

static void filter_freep(scmp_filter_ctx *filter) {
        seccomp_release(*filter);
}

static int allow_layer_calls(Error *err) {
        _cleanup_(filter_freep) scmp_filter_ctx filter = NULL;
        int r = 0;

        if (SANITIZED)
                return 0;
        filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        if (!filter)
                return error_kind(err, ERROR_INTERNAL, "make a system call filter");
        for (size_t i = 0; r == 0 && i < ELEMENTS(layer_calls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, layer_calls[i], 0);
        /* Threads only; clone3's flags can't be seen, so that glibc is told to use clone. */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? error_set(err, -r, "load the system call filter") : 0;
}

/* Landlock's rules as kernels from 6.12 on have them; an older one takes those whose unknown part
 * is zero. landlock(7) */
typedef struct LandlockRules {
        uint64_t files, network, scopes;
} LandlockRules;
#define SCOPES_VERSION 6
#define SCOPE_ABSTRACT_SOCKETS ((uint64_t)1 << 0)
#define SCOPE_SIGNALS ((uint64_t)1 << 1)

/* The kernel's version of Landlock; 0: it has none. */
static int landlock_version(void) {
        int version =
                (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return MAX(version, 0);
}

/* No file is used in these ways (LANDLOCK_ACCESS_FS_…), but through descriptors that are open; and
 * where the kernel can, no abstract socket of a process outside is reached, nor a process
 * signalled. A kernel without Landlock has the dropped capabilities only. */
static int restrict_self(uint64_t files, Error *err) {
        int version = landlock_version();
        const LandlockRules rules = { .files = files,
                                      .scopes = version >= SCOPES_VERSION
                                                        ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS
                                                        : 0 };
        _cleanup_close_ int fd = -1;

        if (version == 0 || (!rules.files && !rules.scopes))
                return 0;
        fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
        if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return error_set(err, errno, "apply Landlock");
        return 0;
}

int confine_scope(Error *err) {
        return restrict_self(0, err);
}

static int make_read_only(Error *err) {
        return restrict_self(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                     LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
                             err);
}

int confine_to_directory(int directory_fd, Error *err) {
        int r = BUG("unpack-links") ? 0 : enter_directory(directory_fd, err);

        if (r == 0)
                r = set_limits(FILES_MAX, err);
        if (r == 0)
                r = keep_capabilities(layer_capabilities, ELEMENTS(layer_capabilities), err);
        if (r == 0)
                r = allow_layer_calls(err);
        return r < 0 ? error_prefix(err, "confine brig-image") : 0;
}

int confine_to_files(rlim_t files, Error *err) {
        int r = set_limits(files, err);

        if (r == 0)
                r = keep_capabilities(layer_capabilities, ELEMENTS(layer_capabilities) - 1, err);
        return r < 0 ? r : allow_layer_calls(err);
}

int confine_calls(Error *err) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(err, errno, "set no_new_privs");
        return allow_layer_calls(err);
}

int confine_to_network(Error *err) {
        int r = set_limits(FILES_MAX, err);

        if (r == 0)
                r = keep_capabilities(NULL, 0, err);
        if (r == 0)
                r = make_read_only(err);
        return r < 0 ? error_prefix(err, "confine brig-image") : 0;
}
