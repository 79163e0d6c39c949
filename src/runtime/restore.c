/* restore.c: makes a container from criu's images. This side makes what the document describes (the
 * group, the network namespace, the root, the binds); criu, a child in a mount namespace of its own
 * where those are put, makes the processes, of which the first is a child of this one. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/program.h"
#include "format/protobuf.h"
#include "os/mount.h"
#include "os/pidfd.h"
#include "runtime/checkpoint.h"
#include "runtime/criu.h"
#include "runtime/init.h"
#include "runtime/scope.h"

#define RESTORE_LOG "restore.log"
#define CGROUP_ROOT "/sys/fs/cgroup"
#define STAGE_ROOT "root"
#define BELOW_NAME "below-%zu" /* the checkpoint's mount of that number */
#define END_TIMEOUT (30 * NSEC_PER_SEC)
/* criu's descriptors. */
enum { CRIU_SOCKET = 3, CRIU_NETNS = 4, CRIU_STREAMS = 5, CRIU_FDS = 8 };

struct RuntimeRestore {
        const OciConfig *config;
        CheckpointOptions options;
        ProcessIo io;
        char *cgroup;
        int fd, criu_pidfd, init_pidfd;
};

/* A restore before its processes are there. */
typedef struct Restoring {
        Setup setup;
        const CheckpointOptions *options;
        Checkpoint checkpoint;
        char *stage; /* the path of options->stage_fd */
        char *program;
        int criu_fd, their_criu_fd; /* the socket's ends */
        int sync_fd, their_sync_fd;
        pid_t pid;
        int pidfd;
        bool grouped; /* the group is this restore's, whole or not */
} Restoring;

/* ---- criu's side of the fork ---- */

/* A mount namespace in which nothing that is put over the stage is seen by others. */
static int enter_own_mounts(Error *err) {
        _cleanup_close_ int host_root = -1;

        if (unshare(CLONE_NEWNS) < 0)
                return error_set(err, errno, "make a mount namespace for criu");
        host_root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (host_root < 0)
                return error_set(err, errno, "open /");
        return mount_change(host_root, true, 0, 0, MS_SLAVE, err);
}

/* Places of mounts that the root lacks, as a start makes them. What lies in another mount is in the
 * images, or is the host's. */
static int make_place(const Restoring *restoring, int root_fd, size_t index, Error *err) {
        const OciConfig *config = restoring->setup.config;
        const OciMount *mounts = config->mounts.items;
        _cleanup_close_ int fd = -1;
        struct stat status;
        bool directory = true;

        for (size_t i = 0; i < config->mounts.count; i++) {
                const char *rest = str_after(mounts[index].destination, mounts[i].destination);

                if (i != index && rest && *rest == '/')
                        return 0;
        }
        if (restoring->setup.source_fds[index] >= 0) {
                if (fstat(restoring->setup.source_fds[index], &status) < 0)
                        return error_set(err, errno, "mount '%s'", mounts[index].destination);
                directory = S_ISDIR(status.st_mode);
        }
        return root_make(root_fd, mounts[index].destination, directory, &fd, err);
}

static int stage_root(const Restoring *restoring, int stage_fd, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r = 0;

        if (mkdirat(stage_fd, STAGE_ROOT, 0755) < 0)
                return error_set(err, errno, "make the place of the root");
        r = mount_attach_at(restoring->setup.root_fd, stage_fd, STAGE_ROOT, err);
        if (r < 0)
                return r;
        root_fd = openat(stage_fd, STAGE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return error_set(err, errno, "open the root");
        for (size_t i = 0; r == 0 && i < restoring->setup.config->mounts.count; i++)
                r = make_place(restoring, root_fd, i, err);
        return r;
}

static size_t find_mount(const OciConfig *config, const char *destination) {
        const OciMount *mounts = config->mounts.items;
        size_t i = config->mounts.count;

        while (i > 0 && !str_equal(mounts[i - 1].destination, destination))
                i--;
        return i; /* one more than its place; 0: there is none */
}

/* A detached mount under that name, which it makes. */
static int stage_tree(int stage_fd, int tree_fd, const char *name, Error *err) {
        struct stat status;
        bool made;

        if (fstat(tree_fd, &status) < 0)
                return error_set(err, errno, "mount '%s' of the stage", name);
        made = S_ISDIR(status.st_mode) ? mkdirat(stage_fd, name, 0700) == 0
                                       : mknodat(stage_fd, name, S_IFREG | 0600, 0) == 0;
        if (!made)
                return error_set(err, errno, "make the place of mount '%s' of the stage", name);
        return mount_attach_at(tree_fd, stage_fd, name, err);
}

/* Each bind's copy under its own number. */
static int stage_binds(const Restoring *restoring, int stage_fd, Error *err) {
        const Setup *setup = &restoring->setup;
        int r = 0;

        for (size_t i = 0; r == 0 && i < setup->config->mounts.count; i++) {
                char name[24];

                (void)snprintf(name, sizeof(name), "%zu", i);
                if (setup->source_fds[i] >= 0)
                        r = stage_tree(stage_fd, setup->source_fds[i], name, err);
        }
        return r;
}

/* What is mounted below a bind, under a name of its own, as criu opens what it is given by paths:
 * those below a bind are of files that containers can change, and a link there would be followed in
 * the host's root. The bind is on the stage: a detached mount cannot be copied before Linux 6.15.
 */
static int stage_below(const Restoring *restoring, int stage_fd, Error *err) {
        const CheckpointMount *mounts = restoring->checkpoint.mounts.items;
        const Setup *setup = &restoring->setup;
        int r = 0;

        for (size_t i = 0; r == 0 && i < restoring->checkpoint.mounts.count; i++) {
                _cleanup_close_ int fd = -1, tree_fd = -1;
                char name[32];

                if (!mounts[i].destination || str_empty(mounts[i].below))
                        continue;
                (void)snprintf(name, sizeof(name), BELOW_NAME, i);
                /* add_mount has found that there is such a bind. */
                r = root_open_beneath(
                        setup->source_fds[find_mount(setup->config, mounts[i].destination) - 1],
                        mounts[i].below + strspn(mounts[i].below, "/"), &fd, err);
                if (r == 0)
                        r = mount_clone(fd, false, &tree_fd, err);
                if (r == 0)
                        r = stage_tree(stage_fd, tree_fd, name, err);
                if (r < 0)
                        (void)error_prefix(err, "the mount at '%s'", mounts[i].path);
        }
        return r;
}

static int stage_mounts(const Restoring *restoring, Error *err) {
        char mode[] = "mode=700", *options[] = { mode, NULL };
        _cleanup_close_ int place_fd = -1, stage_fd = -1;
        int r = mount_new("tmpfs", "tmpfs", options, 0, &stage_fd, err);

        place_fd = openat(AT_FDCWD, restoring->stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r == 0 && place_fd < 0)
                r = error_set(err, errno, "open '%s'", restoring->stage);
        if (r == 0)
                r = mount_attach(stage_fd, place_fd, err);
        if (r == 0)
                r = stage_root(restoring, stage_fd, err);
        if (r == 0)
                r = stage_binds(restoring, stage_fd, err);
        return r == 0 ? stage_below(restoring, stage_fd, err) : r;
}

static int loopback_up(Error *err) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return error_set(err, errno, "set the loopback interface up");
        return 0;
}

/* The container's network namespace, made here where the document has none to be joined; -1: the
 * host's. criu itself stays where it is. */
static int open_netns(const Setup *setup, int *ret_fd, Error *err) {
        _cleanup_close_ int own_fd = -1, new_fd = -1;
        int r;

        if (!(setup->ns.create & CLONE_NEWNET)) {
                if (setup->ns.join[NAMESPACE_NETWORK] < 0)
                        return 0;
                *ret_fd = fcntl(setup->ns.join[NAMESPACE_NETWORK], F_DUPFD_CLOEXEC, 3);
                return *ret_fd < 0 ? error_set(err, errno, "network namespace") : 0;
        }
        own_fd = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (own_fd < 0 || unshare(CLONE_NEWNET) < 0)
                return error_set(err, errno, "make the network namespace");
        r = loopback_up(err);
        new_fd = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (new_fd < 0 || setns(own_fd, CLONE_NEWNET) < 0)
                return error_set(err, errno, "leave the network namespace");
        if (r == 0)
                *ret_fd = TAKE_FD(new_fd);
        return r;
}

/* Moves them to the numbers that criu is told; what is in the way is ours or not needed. */
static int arrange_fds(const Restoring *restoring, int netns_fd, Error *err) {
        const ProcessIo *io = restoring->setup.io;
        /* Its own streams are the container's only where those are a terminal of the caller's:
         * libnftables, for one, writes to them. */
        const bool shell = restoring->options->shell_job;
        const int wanted[CRIU_FDS] = { shell ? io->stdin_fd : -1,
                                       shell ? io->stdout_fd : -1,
                                       shell ? io->stderr_fd : -1,
                                       restoring->their_criu_fd,
                                       netns_fd,
                                       io->stdin_fd,
                                       io->stdout_fd,
                                       io->stderr_fd };
        int high[CRIU_FDS], null_fd = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

        for (int i = 0; i < CRIU_FDS; i++) {
                high[i] = fcntl(wanted[i] >= 0 ? wanted[i] : null_fd, F_DUPFD_CLOEXEC, CRIU_FDS);
                if (high[i] < 0)
                        return error_set(err, errno, "pass descriptors to criu");
        }
        for (int i = 0; i < CRIU_FDS; i++)
                if (dup2(high[i], i) < 0)
                        return error_set(err, errno, "pass descriptors to criu");
        return 0;
}

/* What the first process has of its maker and criu's images have not: its place among groups, its
 * keys. */
static int become_parent(const Restoring *restoring, Error *err) {
        const Setup *setup = &restoring->setup;

        /* The parent has moved this process into the container's groups. */
        if (sync_expect(restoring->their_sync_fd, SYNC_GO, NULL, "the runtime", err) < 0)
                return -EIO;
        if ((setup->ns.create & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                return error_set(err, errno, "make the cgroup namespace");
        process_join_keyring(setup->plan->keyring);
        return 0;
}

static void run_criu(Restoring *restoring) {
        char *argv[] = { (char *)"criu", (char *)"swrk", (char *)"3", NULL };
        int netns_fd = -1, sync_fd, r;
        Error err = {};

        /* Else the parent's end would never be closed to this side. */
        close_fd(&restoring->sync_fd);
        close_fd(&restoring->criu_fd);
        process_reset_signals();
        r = become_parent(restoring, &err);
        if (r == 0)
                r = enter_own_mounts(&err);
        if (r == 0)
                r = stage_mounts(restoring, &err);
        if (r == 0)
                r = open_netns(&restoring->setup, &netns_fd, &err);
        sync_fd = fcntl(restoring->their_sync_fd, F_DUPFD_CLOEXEC, CRIU_FDS);
        if (r == 0)
                r = arrange_fds(restoring, netns_fd, &err);
        if (r == 0 && close_range(CRIU_FDS, ~0u, CLOSE_RANGE_CLOEXEC) == 0) {
                (void)execve(restoring->program, argv, environ);
                (void)error_set(&err, errno, "start '%s'", restoring->program);
        }
        (void)sync_send_error(sync_fd, &err);
        _exit(1);
}

/* ---- what criu is told ---- */

/* Both become parts of what criu splits and opens as paths. */
static bool is_fit(const CheckpointMount *mount) {
        const char *hierarchy = mount->hierarchy ?: "";

        return !mount->cookie[strspn(mount->cookie, "abcdefghijklmnopqrstuvwxyz0123456789-")] &&
               !strchr(hierarchy, '/') && !str_equal(hierarchy, ".") && !str_equal(hierarchy, "..");
}

static int add_mount(Buf *opts, const Restoring *restoring, size_t index, Error *err) {
        const Setup *setup = &restoring->setup;
        const CheckpointMount *mounts = restoring->checkpoint.mounts.items, *mount = &mounts[index];
        _cleanup_free_ char *text = NULL;
        size_t place;

        if (!is_fit(mount))
                return error_kind(err, ERROR_INVALID,
                                  CHECKPOINT_FILE ": mount '%s': cookie '%s' or hierarchy '%s' is "
                                                  "none that a checkpoint writes: make another",
                                  mount->path, mount->cookie, mount->hierarchy ?: "");
        if (!mount->destination) {
                text = str_format("mnt[%s]:%s/%s%s", mount->cookie, CGROUP_ROOT,
                                  mount->hierarchy ?: "", setup->cgroup);
                protobuf_add_text(opts, CRIU_EXTERNAL, text);
                return 0;
        }
        place = find_mount(setup->config, mount->destination);
        if (place == 0 || setup->source_fds[place - 1] < 0)
                return error_kind(
                        err, ERROR_CONFLICT,
                        "the checkpoint is of a container with a bind at '%s', which this "
                        "one has not",
                        mount->destination);
        text = str_empty(mount->below)
                       ? str_format("mnt[%s]:%s/%zu", mount->cookie, restoring->stage, place - 1)
                       : str_format("mnt[%s]:%s/" BELOW_NAME, mount->cookie, restoring->stage,
                                    index);
        protobuf_add_text(opts, CRIU_EXTERNAL, text);
        return 0;
}

static void add_inherited(Buf *opts, const char *key, int number) {
        _cleanup_buf_ Buf inherited = {};

        protobuf_add_text(&inherited, 1, key);
        protobuf_add_number(&inherited, 2, (uint64_t)number);
        protobuf_add_message(opts, CRIU_INHERIT, &inherited);
}

static int add_restore(Buf *opts, const Restoring *restoring, Error *err) {
        const Checkpoint *checkpoint = &restoring->checkpoint;
        _cleanup_free_ char *root = str_format("%s/" STAGE_ROOT, restoring->stage);
        int r = 0;

        checkpoint_add_common(opts, restoring->setup.config, restoring->options, RESTORE_LOG);
        protobuf_add_number(opts, CRIU_EVASIVE_DEVICES, true);
        protobuf_add_number(opts, CRIU_SIBLING, true);
        protobuf_add_text(opts, CRIU_ROOT, root);
        if (restoring->options->lsm_profile)
                protobuf_add_text(opts, CRIU_LSM_PROFILE, restoring->options->lsm_profile);
        for (size_t i = 0; r == 0 && i < checkpoint->mounts.count; i++)
                r = add_mount(opts, restoring, i, err);
        for (int i = 0; i < 3 && checkpoint->descriptors && checkpoint->descriptors[i]; i++)
                if (!str_empty(checkpoint->descriptors[i]))
                        add_inherited(opts, checkpoint->descriptors[i], CRIU_STREAMS + i);
        if (checkpoint->netns)
                add_inherited(opts, CHECKPOINT_NETNS, CRIU_NETNS);
        return r;
}

static int check_alike(const Restoring *restoring, Error *err) {
        const Checkpoint *checkpoint = &restoring->checkpoint;
        const Setup *setup = &restoring->setup;
        bool has_netns =
                (setup->ns.create & CLONE_NEWNET) || setup->ns.join[NAMESPACE_NETWORK] >= 0;

        if (checkpoint->terminal != setup->config->process->terminal)
                return error_kind(
                        err, ERROR_CONFLICT,
                        "the checkpoint is of a container with%s a terminal, and this one "
                        "is the other kind",
                        checkpoint->terminal ? "" : "out");
        if ((checkpoint->netns != NULL) != has_netns)
                return error_kind(err, ERROR_CONFLICT,
                                  "the checkpoint is of a container with%s a network namespace of "
                                  "its own, and this one is the other kind",
                                  checkpoint->netns ? "" : "out");
        return 0;
}

/* ---- this side ---- */

static int make_pairs(Restoring *restoring, Error *err) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        restoring->criu_fd = pair[0];
        restoring->their_criu_fd = pair[1];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        restoring->sync_fd = pair[0];
        restoring->their_sync_fd = pair[1];
        return 0;
}

static int fork_criu(Restoring *restoring, Error *err) {
        int r = make_pairs(restoring, err);

        if (r < 0)
                return r;
        restoring->pid = fork();
        if (restoring->pid < 0)
                return error_set(err, errno, "fork%s", program_hint(errno));
        if (restoring->pid == 0)
                run_criu(restoring);
        close_fd(&restoring->their_criu_fd);
        close_fd(&restoring->their_sync_fd);
        return criu_pidfd(restoring->pid, &restoring->pidfd, err);
}

/* The limits come when the processes are there: criu needs more than they do. */
static int enter_cgroup(Restoring *restoring, Error *err) {
        const Setup *setup = &restoring->setup;
        ScopeHolder holder = { .pidfd = -1 };
        int r;

        if (setup->scope) {
                r = scope_enter(setup->scope, setup->options->id, &holder, err);
                restoring->grouped = r == 0; /* else it may be another's */
                if (r == 0)
                        r = cgroup_create_below(setup->scope->path, setup->cgroup, err);
        } else {
                restoring->grouped = true;
                r = cgroup_create_unified(setup->cgroup, err);
                if (r == 0)
                        r = cgroup_create(setup->cgroup, err);
        }
        if (r == 0)
                r = cgroup_attach(setup->cgroup, restoring->pid, err);
        scope_holder_end(&holder);
        if (r < 0)
                return r;
        r = sync_send(restoring->sync_fd, SYNC_GO, -1);
        if (r < 0)
                return error_set(err, -r, "tell criu's process to go on");
        return sync_expect_exec(restoring->sync_fd, "criu's process", err);
}

/* Until criu stands at a notice that is not this side's to answer yes to at once: the namespaces
 * and the first process are there. */
static int await_namespaces(Restoring *restoring, pid_t *ret_pid, Error *err) {
        const int64_t deadline = clock_monotonic() + CRIU_TIMEOUT;

        for (;;) {
                CriuAnswer answer = { .fd = -1 };
                int r = criu_receive(restoring->criu_fd, deadline, &answer, err);
                bool here = r == 0 && answer.success &&
                            str_equal(answer.script, "setup-namespaces") && answer.pid > 0;

                if (r < 0 || !answer.success || answer.type != CRIU_NOTIFIED) {
                        if (r != -ETIMEDOUT)
                                r = criu_failure(r < 0 ? NULL : &answer,
                                                 checkpoint_work_fd(restoring->options),
                                                 RESTORE_LOG, err);
                        criu_answer_done(&answer);
                        return r;
                }
                *ret_pid = answer.pid;
                criu_answer_done(&answer);
                if (here)
                        return 0;
                r = criu_answer_notice(restoring->criu_fd, true, err);
                if (r < 0)
                        return r;
        }
}

static int restore(Restoring *restoring, RuntimeContainer *ret, Error *err) {
        const Setup *setup = &restoring->setup;
        _cleanup_buf_ Buf opts = {};
        int r = add_restore(&opts, restoring, err);

        if (r == 0)
                r = criu_remove_log(checkpoint_work_fd(restoring->options), RESTORE_LOG, err);
        if (r == 0)
                r = fork_criu(restoring, err);
        if (r == 0)
                r = enter_cgroup(restoring, err);
        if (r == 0)
                r = criu_send(restoring->criu_fd, CRIU_RESTORE, &opts, err);
        if (r == 0)
                r = await_namespaces(restoring, &ret->pid, err);
        if (r == 0)
                r = pidfd_of(ret->pid, &ret->pidfd, err);
        if (r == 0 && setup->options->while_setting_up)
                r = setup->options->while_setting_up(setup->options->data, ret, err);
        if (r == 0 && setup->config->hooks)
                r = setup_run_hooks(setup, ret->pid, err);
        return r == 0 ? failpoint("restore.ready", err) : r;
}

/* Reaped if it ends in time, which one that the kernel holds does not. */
static void reap(int pidfd, int64_t timeout) {
        if (pidfd_wait_end(pidfd, timeout) == 0)
                (void)pidfd_wait(pidfd, NULL, NULL);
}

static void end_children(int *criu_fd, int criu_pidfd, int init_pidfd) {
        close_fd(criu_fd); /* criu gives up */
        if (init_pidfd >= 0)
                (void)pidfd_signal(init_pidfd, SIGKILL, NULL);
        if (criu_pidfd < 0)
                return;
        if (pidfd_wait_end(criu_pidfd, END_TIMEOUT) < 0)
                (void)pidfd_signal(criu_pidfd, SIGKILL, NULL);
        reap(criu_pidfd, END_TIMEOUT);
}

static void restoring_done(Restoring *restoring) {
        setup_done(&restoring->setup);
        checkpoint_done(&restoring->checkpoint);
        close_fd(&restoring->criu_fd);
        close_fd(&restoring->their_criu_fd);
        close_fd(&restoring->sync_fd);
        close_fd(&restoring->their_sync_fd);
        close_fd(&restoring->pidfd);
        free(restoring->stage);
        free(restoring->program);
}

static int prepare(Restoring *restoring, Error *err) {
        Setup *setup = &restoring->setup;
        int r = checkpoint_check(setup->config, err);

        if (r == 0)
                r = criu_find(restoring->options->criu, &restoring->program, err);
        if (r == 0)
                r = checkpoint_read(restoring->options->images_fd, &restoring->checkpoint, err);
        if (r == 0)
                r = setup_prepare(setup, err);
        if (r == 0)
                r = check_alike(restoring, err);
        if (r == 0 && !setup->scope)
                r = setup_check_cgroup(setup->options, setup->cgroup, err);
        restoring->stage = setup_bundle_path(restoring->options->stage_fd);
        return r;
}

static int restore_new(Restoring *restoring, const RuntimeContainer *container,
                       RuntimeRestore **ret, Error *err) {
        const int init_pidfd = fcntl(container->pidfd, F_DUPFD_CLOEXEC, 3);
        RuntimeRestore *made;

        if (init_pidfd < 0)
                return error_set(err, errno, "copy the descriptor of the first process");
        made = NEW(RuntimeRestore);
        *made = (RuntimeRestore){ .config = restoring->setup.config,
                                  .options = *restoring->options,
                                  .io = *restoring->setup.io,
                                  .cgroup = str_copy(restoring->setup.cgroup),
                                  .fd = TAKE_FD(restoring->criu_fd),
                                  .criu_pidfd = TAKE_FD(restoring->pidfd),
                                  .init_pidfd = init_pidfd };
        *ret = made;
        return 0;
}

static int run(Restoring *restoring, RuntimeContainer *ret, RuntimeRestore **ret_restore,
               Error *err) {
        RuntimeContainer made = { .pidfd = -1 };
        int r = prepare(restoring, err);

        if (r < 0)
                return r;
        made.cgroup = str_copy(restoring->setup.cgroup);
        r = restore(restoring, &made, err);
        if (r == 0)
                r = restore_new(restoring, &made, ret_restore, err);
        if (r < 0) {
                close_fd(&restoring->sync_fd); /* a child that has not started criu gives up */
                end_children(&restoring->criu_fd, restoring->pidfd, made.pidfd);
                if (made.pidfd >= 0)
                        reap(made.pidfd, END_TIMEOUT);
                if (restoring->grouped)
                        setup_remove_cgroup(&restoring->setup);
                runtime_container_done(&made);
                return r;
        }
        *ret = made;
        return 0;
}

int container_restore(const OciConfig *config, const RuntimeOptions *options,
                      const CheckpointOptions *checkpoint, const ProcessIo *io,
                      RuntimeContainer *ret, RuntimeRestore **ret_restore, Error *err) {
        _cleanup_free_ char *cgroup = NULL, *bundle = NULL, *keyring = NULL;
        _cleanup_(runtime_scope_done) RuntimeScope scope = { 0 };
        Restoring restoring = { .options = checkpoint,
                                .criu_fd = -1,
                                .their_criu_fd = -1,
                                .sync_fd = -1,
                                .their_sync_fd = -1,
                                .pidfd = -1 };
        ProcessPlan plan = {};
        int r = runtime_validate(config, err);

        if (r == 0)
                r = setup_cgroup(config, options, &scope, &cgroup, err);
        if (r < 0)
                return r;
        setup_init(&restoring.setup);
        bundle = setup_bundle_path(options->bundle_fd);
        keyring = str_format("_ses.%s", options->id);
        plan.keyring = options->keep_keyring ? NULL : keyring;
        restoring.setup.config = config;
        restoring.setup.options = options;
        restoring.setup.io = io;
        restoring.setup.plan = &plan;
        restoring.setup.cgroup = cgroup;
        restoring.setup.scope = options->systemd_cgroup ? &scope : NULL;
        restoring.setup.bundle = bundle;
        r = run(&restoring, ret, ret_restore, err);
        restoring_done(&restoring);
        return r;
}

/* ---- the rest of it ---- */

static int take_terminal(RuntimeRestore *restore, CriuAnswer *answer, Error *err) {
        if (answer->fd < 0)
                return error_kind(err, ERROR_INTERNAL, "criu's terminal came without a descriptor");
        if (restore->io.console_socket >= 0)
                return console_deliver(&restore->io, -1, answer->fd, err);
        return console_take(&restore->io, TAKE_FD(answer->fd), err);
}

/* After that of the namespaces. */
static int on_notice(RuntimeRestore *restore, CriuAnswer *answer, Error *err) {
        const OciLinux *linux_ = restore->config->linux_;

        if (str_equal(answer->script, "orphan-pts-master"))
                return take_terminal(restore, answer, err);
        if (str_equal(answer->script, "post-restore") && linux_->resources)
                return resources_apply(restore->cgroup, linux_->resources, err);
        return 0;
}

static int converse(RuntimeRestore *restore, Error *err) {
        Error why = {};
        const int64_t deadline = clock_monotonic() + CRIU_TIMEOUT;
        int r = criu_answer_notice(restore->fd, true, err), said = 0;

        while (r == 0) {
                _cleanup_(criu_answer_done) CriuAnswer answer = { .fd = -1 };

                r = criu_receive(restore->fd, deadline, &answer, err);
                if (r == 0 && said == 0 && answer.success && answer.type == CRIU_RESTORE)
                        return 0;
                if (r == 0 && answer.success && answer.type == CRIU_NOTIFIED) {
                        if (said == 0)
                                said = on_notice(restore, &answer, &why);
                        r = criu_answer_notice(restore->fd, said == 0, err);
                        continue;
                }
                if (said < 0 && err)
                        *err = why; /* criu only says that this side said no */
                return said < 0          ? said
                       : r == -ETIMEDOUT ? r
                                         : criu_failure(r < 0 ? NULL : &answer,
                                                        checkpoint_work_fd(&restore->options),
                                                        RESTORE_LOG, err);
        }
        return r;
}

static void finish(RuntimeRestore *restore) {
        close_fd(&restore->criu_pidfd);
        close_fd(&restore->init_pidfd);
        free(restore->cgroup);
        free(restore);
}

int runtime_restore_finish(RuntimeRestore *restore, Error *err) {
        int status = 0, r = converse(restore, err);

        if (r < 0) {
                (void)runtime_restore_free(restore);
                return r;
        }
        close_fd(&restore->fd);
        r = pidfd_wait_or_kill(&restore->criu_pidfd, END_TIMEOUT, &status, err);
        finish(restore);
        return r;
}

RuntimeRestore *runtime_restore_free(RuntimeRestore *restore) {
        if (!restore)
                return NULL;
        end_children(&restore->fd, restore->criu_pidfd, restore->init_pidfd);
        finish(restore);
        return NULL;
}
