/* process.c: what turns a fresh process into the user's: limits, ids, capabilities, directory,
 * filter, program. init and exec alike; each is inside its namespaces already. capabilities(7),
 * credentials(7), seccomp(2). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "os/apparmor.h"
#include "os/procfs.h"
#include "runtime/home.h"
#include "runtime/private.h"

/* ---- names ---- */

static const char *const capability_names[] = {
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
};

static const struct {
        const char *name;
        int number;
} rlimit_names[] = {
        { "RLIMIT_AS", RLIMIT_AS },           { "RLIMIT_CORE", RLIMIT_CORE },
        { "RLIMIT_CPU", RLIMIT_CPU },         { "RLIMIT_DATA", RLIMIT_DATA },
        { "RLIMIT_FSIZE", RLIMIT_FSIZE },     { "RLIMIT_LOCKS", RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
        { "RLIMIT_NICE", RLIMIT_NICE },       { "RLIMIT_NOFILE", RLIMIT_NOFILE },
        { "RLIMIT_NPROC", RLIMIT_NPROC },     { "RLIMIT_RSS", RLIMIT_RSS },
        { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },   { "RLIMIT_RTTIME", RLIMIT_RTTIME },
        { "RLIMIT_STACK", RLIMIT_STACK },     { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
};

int capability_number(const char *name) {
        const char *rest = str_after(name, "CAP_");

        for (size_t i = 0; rest && i < ELEMENTS(capability_names); i++)
                if (str_equal(capability_names[i], rest))
                        return (int)i;
        return -1;
}

char **capability_list(void) {
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(capability_names); i++) {
                _cleanup_free_ char *name = str_format("CAP_%s", capability_names[i]);

                strv_add(&list, name);
        }
        return list;
}

int rlimit_number(const char *name) {
        for (size_t i = 0; i < ELEMENTS(rlimit_names); i++)
                if (str_equal(rlimit_names[i].name, name))
                        return rlimit_names[i].number;
        return -1;
}

/* ---- standard streams, signals ---- */

static int open_null(int root_fd, int *ret_fd, Error *err) {
        struct stat status;

        if (root_open(root_fd, "/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY, ret_fd, NULL) == 0) {
                if (fstat(*ret_fd, &status) == 0 && S_ISCHR(status.st_mode) &&
                    status.st_rdev == makedev(1, 3))
                        return 0;
                close_fd(ret_fd);
        }
        return error_kind(err, ERROR_INVALID,
                          "/dev/null in the container's root is missing or no null device");
}

static int set_one(int number, int fd, Error *err) {
        /* dup2 of a descriptor onto itself would leave it close-on-exec. */
        int r = fd == number ? fd_set_cloexec(fd, false) : dup2(fd, number) < 0 ? -errno : 0;

        return r < 0 ? error_set(err, -r, "standard stream %d", number) : 0;
}

/* A user other than root opens /dev/stdout again only if the pipe or terminal is its own. Not every
 * file can be given away. */
static void give_to_user(int fd, const OciUser *user) {
        struct stat status;

        if (fstat(fd, &status) < 0 || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)))
                return;
        if (status.st_uid != (uid_t)user->uid)
                (void)!fchown(fd, (uid_t)user->uid, (gid_t)-1);
}

int process_set_stdio(const ProcessIo *io, int root_fd, int slave_fd, const OciProcess *process,
                      Error *err) {
        const int given[3] = { io->stdin_fd, io->stdout_fd, io->stderr_fd };
        _cleanup_close_ int null_fd = -1;
        int r = 0, from[3];

        if (slave_fd < 0 && (given[0] < 0 || given[1] < 0 || given[2] < 0))
                r = open_null(root_fd, &null_fd, err);
        /* Copies above all three numbers first, since given may hold 0, 1 and 2 in any order. */
        for (int i = 0; i < 3; i++)
                from[i] = -1;
        for (int i = 0; r == 0 && i < 3; i++) {
                from[i] = fcntl(slave_fd >= 0   ? slave_fd
                                : given[i] >= 0 ? given[i]
                                                : null_fd,
                                F_DUPFD_CLOEXEC, 3 + io->listen_fds);
                if (from[i] < 0)
                        r = error_set(err, errno, "standard stream %d", i);
        }
        for (int i = 0; i < 3; i++) {
                if (r == 0)
                        r = set_one(i, from[i], err);
                if (r == 0)
                        give_to_user(i, &process->user);
                close_fd(&from[i]);
        }
        if (r == 0 && slave_fd >= 0 && !BUG("terminal") && ioctl(0, TIOCSCTTY, 0) < 0)
                return error_set(err, errno, "make the terminal the session's");
        return r;
}

void process_reset_signals(void) {
        struct sigaction standard = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int signal = 1; signal < NSIG; signal++)
                (void)sigaction(signal, &standard, NULL); /* fails for SIGKILL and SIGSTOP */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- limits ---- */

static int set_rlimits(const OciProcess *process, Error *err) {
        const OciRlimit *limits = process->rlimits.items;

        for (size_t i = 0; i < process->rlimits.count; i++) {
                struct rlimit limit = { .rlim_cur = limits[i].soft, .rlim_max = limits[i].hard };
                int number = rlimit_number(limits[i].type);

                if (prlimit(0, (__rlimit_resource_t)number, &limit, NULL) < 0)
                        return error_set(
                                err, errno,
                                "error setting rlimit type %d: setrlimit %s (soft %llu, hard %llu)",
                                number, limits[i].type, (unsigned long long)limits[i].soft,
                                (unsigned long long)limits[i].hard);
        }
        return 0;
}

/* A value that stands already is not written: that may need CAP_SYS_RESOURCE, as any lowering does.
 */
int oom_score_write(int proc_fd, pid_t pid, const OciProcess *process, Error *err) {
        _cleanup_free_ char *path = str_format("%d/oom_score_adj", (int)pid), *now = NULL,
                            *text = NULL;
        int r;

        if (!process->oom_score_adj)
                return 0;
        text = str_format("%lld", (long long)*process->oom_score_adj);
        r = procfs_read(proc_fd, path, &now, err);
        if (r < 0 || str_equal(str_trim(now), text))
                return r;
        return procfs_write(proc_fd, path, text, err);
}

/* ---- AppArmor ---- */

/* "unconfined" is one, too: who starts the container may be confined itself. */
const char *process_profile(const OciProcess *process) {
        return str_empty(process->apparmor_profile) || !apparmor_enabled()
                       ? NULL
                       : process->apparmor_profile;
}

int process_set_profile(int proc_fd, const ProcessPlan *plan, Error *err) {
        return plan->profile ? apparmor_on_exec(proc_fd, plan->profile, err) : 0;
}

/* ---- ids and capabilities ---- */

typedef struct CapabilitySets {
        uint64_t bounding, effective, inheritable, permitted, ambient;
} CapabilitySets;

/* Names were checked by runtime_validate. */
static uint64_t bits_of(char *const *names) {
        uint64_t bits = 0;

        for (; names && *names; names++) {
                int number = capability_number(*names);

                if (number >= 0)
                        bits |= UINT64_C(1) << number;
        }
        return bits;
}

static void sets_of(const OciCapabilities *capabilities, CapabilitySets *ret) {
        *ret = (CapabilitySets){ .bounding = bits_of(capabilities->bounding),
                                 .effective = bits_of(capabilities->effective),
                                 .inheritable = bits_of(capabilities->inheritable),
                                 .permitted = bits_of(capabilities->permitted),
                                 .ambient = bits_of(capabilities->ambient) };
}

/* Numbers past the kernel's last capability are EINVAL; dropping what has been dropped is no error.
 */
static int drop_bounding(uint64_t keep, Error *err) {
        for (int i = 0; i < 64; i++)
                if (!(keep & (UINT64_C(1) << i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
                        if (errno == EINVAL)
                                return 0;
                        return error_set(err, errno, "drop capability %d from the bounding set", i);
                }
        return 0;
}

/* What this process may not have (a host that lacks it itself) is left out, as runc leaves it out.
 */
static int set_capabilities(const CapabilitySets *sets, Error *err) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct now[2] = {}, data[2] = {};
        uint64_t have, ambient;

        if (syscall(SYS_capget, &header, now) < 0)
                return error_set(err, errno, "read capabilities");
        have = (uint64_t)now[1].permitted << 32 | now[0].permitted;
        for (int i = 0; i < 2; i++) {
                data[i].effective =
                        (uint32_t)((sets->effective & sets->permitted & have) >> (32 * i));
                data[i].permitted = (uint32_t)((sets->permitted & have) >> (32 * i));
                data[i].inheritable = (uint32_t)((sets->inheritable & have) >> (32 * i));
        }
        if (syscall(SYS_capset, &header, data) < 0)
                return error_set(err, errno, "set capabilities");
        /* The kernel raises only what is permitted and inheritable; runc's own document asks for
         * more, and is meant to run. */
        ambient = sets->ambient & sets->inheritable & sets->permitted & have;
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (int i = 0; i < 64; i++)
                if ((ambient & (UINT64_C(1) << i)) &&
                    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return error_set(err, errno, "raise ambient capability %s",
                                         i < (int)ELEMENTS(capability_names) ? capability_names[i]
                                                                             : "?");
        return 0;
}

static int set_groups(const OciUser *user, Error *err) {
        const int64_t *ids = user->additional_gids.items;
        size_t count = user->additional_gids.count;
        _cleanup_free_ gid_t *groups = NEW_ARRAY(gid_t, count + 1);

        for (size_t i = 0; i < count; i++)
                groups[i] = (gid_t)ids[i];
        /* A user namespace may forbid it; it then matters only if groups were asked for. */
        if (setgroups(count, groups) < 0 && (errno != EPERM || count > 0))
                return error_set(err, errno, "set the additional groups");
        return 0;
}

static int set_ids(const OciUser *user, Error *err) {
        int r = set_groups(user, err);

        if (r < 0)
                return r;
        if (setresgid((gid_t)user->gid, (gid_t)user->gid, (gid_t)user->gid) < 0)
                return error_set(err, errno, "set the group to %lld", (long long)user->gid);
        if (setresuid((uid_t)user->uid, (uid_t)user->uid, (uid_t)user->uid) < 0)
                return error_set(err, errno, "set the user to %lld", (long long)user->uid);
        return 0;
}

static int set_user(const OciProcess *process, Error *err) {
        CapabilitySets sets = {};
        int r = 0;

        if (process->capabilities) {
                sets_of(process->capabilities, &sets);
                r = drop_bounding(sets.bounding, err);
                if (r == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                        r = error_set(err, errno, "keep capabilities");
        }
        if (r == 0)
                r = set_ids(&process->user, err);
        if (r == 0 && process->capabilities)
                r = set_capabilities(&sets, err);
        if (r == 0)
                (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
        return r;
}

/* ---- directory ---- */

static int enter_directory(const char *cwd, Error *err) {
        char path[4096];
        int number = chdir(cwd) < 0 ? errno : 0;

        if (number)
                return error_kind(err,
                                  number == ENOENT   ? ERROR_NOT_FOUND
                                  : number == EACCES ? ERROR_FORBIDDEN
                                                     : ERROR_INVALID,
                                  "chdir to cwd (\"%s\") set in config.json failed: %s", cwd,
                                  number == ENOENT    ? "no such file or directory"
                                  : number == EACCES  ? "permission denied"
                                  : number == ENOTDIR ? "not a directory"
                                                      : strerrordesc_np(number));
        /* A directory outside the root, reached through a leaked descriptor, has no path here
         * (CVE-2024-21626). */
        if ((syscall(SYS_getcwd, path, sizeof(path)) <= 0 || path[0] != '/') &&
            !BUG("working-directory"))
                return error_kind(
                        err, ERROR_FORBIDDEN,
                        "current working directory is outside of container mount namespace root");
        return 0;
}

/* ---- filter ---- */

/* The number only: a call that passes the descriptor could wait for the very agent that is to get
 * it, so the parent takes it, and this side waits until it has. */
static int hand_over_listener(const ProcessPlan *plan, int listener_fd, Error *err) {
        int r = sync_write_listener(plan->sync_fd, listener_fd);

        r = r < 0 ? error_set(err, -r, "hand the seccomp listener over")
                  : sync_expect(plan->sync_fd, SYNC_GO, NULL, "the runtime", err);
        close_fd(&listener_fd);
        return r;
}

static int load_filter(ProcessPlan *plan, Error *err) {
        const SeccompProgram *seccomp = plan->seccomp;
        struct sock_fprog program;
        unsigned flags;
        long fd;

        if (!seccomp || seccomp->length == 0)
                return 0;
        if (seccomp->length / sizeof(struct sock_filter) > BPF_MAXINSNS)
                return error_set(err, E2BIG, "the seccomp filter");
        flags = seccomp->flags | (seccomp->listener_path ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
        program.len = (unsigned short)(seccomp->length / sizeof(struct sock_filter));
        program.filter = seccomp->filter;
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        if (fd < 0)
                return error_set(err, errno, "load the seccomp filter");
        plan->filter_loaded = true;
        return seccomp->listener_path ? hand_over_listener(plan, (int)fd, err) : 0;
}

/* A session keyring of its own, so that the host's keys are out of reach (keyctl(2)). */
void process_join_keyring(const char *name) {
        if (name)
                (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING,
                              *name ? name
                                    : NULL); /* kernels without keyrings have no keys to hide */
}

static void complete_environment(ProcessPlan *plan) {
        _cleanup_free_ char *home = NULL;

        plan->env = strv_copy(plan->process->env) ?: NEW(char *);
        if (!str_empty(env_get(plan->env, "HOME")))
                return;
        home = home_of((uid_t)plan->process->user.uid);
        env_put(&plan->env, "HOME", home);
}

int process_restrict(ProcessPlan *plan, Error *err) {
        const OciProcess *process = plan->process;
        bool denied, listens = plan->seccomp && plan->seccomp->listener_path;
        int r = set_rlimits(process, err);

        /* Here, as the filter may forbid it. */
        if (BUG("descriptors"))
                (void)fcntl(0, F_DUPFD, 3); /* as if something were open without O_CLOEXEC */
        else if (r == 0 &&
                 close_range((unsigned)(3 + plan->listen_fds), ~0u, CLOSE_RANGE_CLOEXEC) < 0)
                r = error_set(err, errno, "close_range");

        complete_environment(plan);

        if (r < 0)
                return r;
        r = schedule_process(process, err);
        if (r == 0 && plan->personality)
                r = personality_set(plan->personality, err);
        if (r < 0)
                return r;
        process_join_keyring(plan->keyring);
        (void)umask(process->user.umask ? (mode_t)*process->user.umask : 022);
        /* As root first, with all capabilities: a program may be put into a directory that it could
         * not enter itself. Where root may not (a network's file system), the user's own try
         * follows below. */
        r = enter_directory(process->cwd, err);
        denied = r == -EACCES;
        if (r < 0 && !denied)
                return r;
        /* Without no_new_privs a filter needs CAP_SYS_ADMIN, which is about to go. */
        if (!process->no_new_privileges) {
                r = load_filter(plan, err);
                if (r < 0)
                        return r;
        }
        r = set_user(process, err);
        if (r == 0 && denied)
                r = enter_directory(process->cwd, err);
        if (r == 0 && process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = error_set(err, errno, "set no_new_privs");
        /* Whoever takes the listener is there only as long as the parent is. */
        if (r == 0 && process->no_new_privileges && listens)
                r = load_filter(plan, err);
        return r;
}

/* ---- program ---- */

static bool is_program(const char *path) {
        struct stat status;

        return fstatat(AT_FDCWD, path, &status, 0) == 0 && S_ISREG(status.st_mode) &&
               faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static int not_runnable(const char *name, const char *path, int number, Error *err) {
        if (number == ENOENT || number == ENOTDIR)
                return error_kind(err, ERROR_NOT_FOUND, "exec: \"%s\": stat %s: %s", name, path,
                                  number == ENOENT ? "no such file or directory"
                                                   : "not a directory");
        if (number == EISDIR)
                return error_kind(err, ERROR_FORBIDDEN, "exec: \"%s\": is a directory", name);
        return error_kind(err, ERROR_FORBIDDEN, "exec: \"%s\": permission denied", name);
}

/* Go's exec.LookPath, whose words Docker's clients know. */
static int look_up(const char *name, char *const *env, char **ret, Error *err) {
        const char *list = env_get(env, "PATH");
        _cleanup_strv_ char **directories = NULL;
        struct stat status;

        if (strchr(name, '/')) {
                if (fstatat(AT_FDCWD, name, &status, 0) < 0)
                        return not_runnable(name, name, errno, err);
                if (S_ISDIR(status.st_mode))
                        return not_runnable(name, name, EISDIR, err);
                if (!is_program(name))
                        return not_runnable(name, name, EACCES, err);
                *ret = str_copy(name);
                return 0;
        }
        directories = str_split(list ?: "", ':');
        for (char **directory = directories; directory && *directory && !str_empty(name);
             directory++) {
                _cleanup_free_ char *path =
                        str_format("%s/%s", **directory ? *directory : ".", name);

                if (is_program(path)) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return error_kind(err, ERROR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH",
                          name);
}

static int exec_error(const char *path, int number, Error *err) {
        const char *words = number == ENOEXEC  ? "exec format error"
                            : number == ENOENT ? "no such file or directory"
                            : number == EACCES ? "permission denied"
                                               : strerrordesc_np(number);

        return error_kind(err, number == ENOENT ? ERROR_NOT_FOUND : ERROR_FORBIDDEN, "exec %s: %s",
                          path, words);
}

int process_load_filter(ProcessPlan *plan, Error *err) {
        return plan->filter_loaded ? 0 : load_filter(plan, err);
}

int process_find_program(ProcessPlan *plan, Error *err) {
        return look_up(plan->process->args[0], plan->env, &plan->program, err);
}

int process_exec(ProcessPlan *plan, Error *err) {
        char **args = plan->process->args;
        int r = plan->program ? 0 : process_find_program(plan, err);

        if (r < 0)
                return r;
        r = process_load_filter(plan, err);
        if (r < 0)
                return r;
        (void)execve(plan->program, args, plan->env);
        return exec_error(plan->program, errno, err);
}
