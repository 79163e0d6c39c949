/* checkpoint.c: dumps a container by criu, which runs as a child of its own and is told over its
 * socket what to save; the container goes on as before if that fails. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/program.h"
#include "format/protobuf.h"
#include "os/pidfd.h"
#include "runtime/criu.h"

#define DUMP_LOG "dump.log"
#define CRIU_FD 3
#define CRIU_CONFIG_ANNOTATION "org.criu.config"
#define RUNC_CONFIG "/etc/criu/runc.conf"
#define LOG_LEVEL 4 /* all: what it says is what a failure can be understood by */
#define CGROUP_ROOT "/sys/fs/cgroup"
/* A criu that was told to end, or whose answer has come, ends at once. */
#define END_TIMEOUT (30 * NSEC_PER_SEC)
#define KILL_TIMEOUT (2 * NSEC_PER_SEC)

int checkpoint_work_fd(const CheckpointOptions *options) {
        return options->work_fd >= 0 ? options->work_fd : options->images_fd;
}

static const OciNamespace *find_namespace(const OciConfig *config, const char *type) {
        const OciNamespace *list = config->linux_ ? config->linux_->namespaces.items : NULL;

        for (size_t i = 0; list && i < config->linux_->namespaces.count; i++)
                if (str_equal(list[i].type, type))
                        return &list[i];
        return NULL;
}

int checkpoint_check(const OciConfig *config, Error *err) {
        static const char *const shared[] = { "ipc", "uts", "cgroup", "time", "mount" };
        const OciNamespace *pids = find_namespace(config, "pid");

        if (!pids || !str_empty(pids->path))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a container without a pid namespace of its own has no "
                                  "checkpoints: the numbers of its processes may be others' when "
                                  "it is restored");
        if (find_namespace(config, "user"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a container with a user namespace has no checkpoints: run it "
                                  "without");
        for (size_t i = 0; i < ELEMENTS(shared); i++) {
                const OciNamespace *ns = find_namespace(config, shared[i]);

                if (ns && !str_empty(ns->path))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "a container that shares another's %s namespace has no "
                                          "checkpoints: run it with one of its own",
                                          shared[i]);
        }
        return 0;
}

/* runc's file and annotation, by which an administrator gives criu what no command passes on. A
 * file that is not there is none. */
static void add_config_file(Buf *opts, const OciConfig *config) {
        const char *path = pairs_get(&config->annotations, CRIU_CONFIG_ANNOTATION) ?: RUNC_CONFIG;

        if (*path)
                protobuf_add_text(opts, CRIU_CONFIG_FILE, path);
}

void checkpoint_add_common(Buf *opts, const OciConfig *config, const CheckpointOptions *options,
                           const char *log) {
        add_config_file(opts, config);
        protobuf_add_number(opts, CRIU_IMAGES_FD, (uint64_t)options->images_fd);
        protobuf_add_number(opts, CRIU_WORK_FD, (uint64_t)checkpoint_work_fd(options));
        protobuf_add_number(opts, CRIU_LOG_LEVEL, LOG_LEVEL);
        protobuf_add_text(opts, CRIU_LOG_FILE, log);
        protobuf_add_number(opts, CRIU_NOTIFY, true);
        /* The groups and their limits are the document's: they are made as at a start. */
        protobuf_add_number(opts, CRIU_CGROUP_MODE, CRIU_CGROUP_IGNORE);
        protobuf_add_number(opts, CRIU_NETWORK_LOCK, CRIU_LOCK_NFTABLES);
        protobuf_add_number(opts, CRIU_TCP_ESTABLISHED, options->tcp_established);
        protobuf_add_number(opts, CRIU_EXT_UNIX_SK, options->ext_unix_sk);
        protobuf_add_number(opts, CRIU_SHELL_JOB, options->shell_job);
        protobuf_add_number(opts, CRIU_FILE_LOCKS, options->file_locks);
        protobuf_add_number(opts, CRIU_AUTO_DEDUP, options->auto_dedup);
        protobuf_add_number(opts, CRIU_ORPHAN_TERMINAL, true);
        protobuf_add_number(opts, CRIU_EXT_SHARING, true);
        protobuf_add_number(opts, CRIU_EXT_MASTERS, true);
}

/* ---- what is to be dumped ---- */

static void add_external(Buf *opts, const Checkpoint *checkpoint) {
        const CheckpointMount *mounts = checkpoint->mounts.items;

        for (size_t i = 0; i < checkpoint->mounts.count; i++) {
                _cleanup_free_ char *text =
                        str_format("mnt[%s]:%s", mounts[i].path, mounts[i].cookie);

                protobuf_add_text(opts, CRIU_EXTERNAL, text);
        }
        for (char **name = checkpoint->descriptors; name && *name; name++)
                if (str_after(*name, "file["))
                        protobuf_add_text(opts, CRIU_EXTERNAL, *name);
        if (checkpoint->netns) {
                _cleanup_free_ char *text = str_format("%s:" CHECKPOINT_NETNS, checkpoint->netns);

                protobuf_add_text(opts, CRIU_EXTERNAL, text);
        }
}

/* The directory by which the group is frozen; NULL: there is none, and criu stops each process. */
static char *freezer_path(const char *cgroup) {
        CgroupMode mode;

        if (!cgroup || cgroup_mode(&mode, NULL) < 0 || !cgroup_has(cgroup, "freezer"))
                return NULL;
        return str_format("%s%s%s", CGROUP_ROOT, mode == CGROUP_V2 ? "" : "/freezer", cgroup);
}

static void add_dump(Buf *opts, const OciConfig *config, const RuntimeContainer *container,
                     const CheckpointOptions *options) {
        _cleanup_free_ char *freezer = freezer_path(container->cgroup);

        checkpoint_add_common(opts, config, options, DUMP_LOG);
        protobuf_add_number(opts, CRIU_PID, (uint64_t)container->pid);
        protobuf_add_number(opts, CRIU_LEAVE_RUNNING, options->leave_running);
        protobuf_add_number(opts, CRIU_LINK_REMAP, options->link_remap);
        protobuf_add_number(opts, CRIU_TCP_SKIP_IN_FLIGHT, options->tcp_skip_in_flight);
        protobuf_add_number(opts, CRIU_TRACK_MEMORY, options->pre_dump || options->parent);
        if (options->parent)
                protobuf_add_text(opts, CRIU_PARENT, options->parent);
        if (freezer)
                protobuf_add_text(opts, CRIU_FREEZE_CGROUP, freezer);
}

/* ---- the call ---- */

static int start_criu(const CheckpointOptions *options, int *ret_fd, int *ret_pidfd, Error *err) {
        char *argv[] = { (char *)"criu", (char *)"swrk", (char *)"3", NULL };
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int ours = -1, theirs = -1;
        Spawn spawn = { .argv = argv, .environment = environ, .fd_count = 1 };
        SpawnFd fd;
        int pair[2], r = criu_find(options->criu, &path, err);
        pid_t pid;

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        ours = pair[0];
        theirs = pair[1];
        fd = (SpawnFd){ theirs, CRIU_FD };
        spawn.program = path;
        spawn.fds = &fd;
        r = program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "start '%s'%s", path, program_hint(-r));
        r = criu_pidfd(pid, ret_pidfd, err);
        if (r == 0)
                *ret_fd = TAKE_FD(ours);
        return r;
}

typedef struct Dump {
        const CheckpointOptions *options;
        const Checkpoint *checkpoint;
        const RuntimeContainer *container;
        CriuRequest request;
        int fd;
        bool was_frozen; /* before: not by criu */
        bool written;    /* all of it is on the disk, and criu may kill */
        Error why;       /* of a notice that was answered with no; message "": none */
} Dump;

/* At post-dump the images are written and the processes still held: if brig's own description
 * cannot be written they go on, as after any other failure. What the processes' end is exchanged
 * for is on the disk before. */
static int on_notice(Dump *dump, const char *script) {
        int r;

        if (!str_equal(script, "post-dump") || dump->request != CRIU_DUMP)
                return 0;
        r = failpoint("checkpoint.dumped", &dump->why);
        /* criu goes by the number, which is another's once the container's init has ended. */
        if (r == 0 && pidfd_wait_end(dump->container->pidfd, 0) == 0)
                r = error_kind(&dump->why, ERROR_CONFLICT,
                               "process %d, the container's first, ended while it was dumped",
                               (int)dump->container->pid);
        if (r == 0 && syncfs(dump->options->images_fd) < 0)
                r = error_set(&dump->why, errno, "write the images to the disk");
        if (r == 0)
                r = checkpoint_write(dump->options->images_fd, dump->checkpoint, &dump->why);
        dump->written = r == 0;
        return r;
}

static int converse(Dump *dump, CriuAnswer *ret, Error *err) {
        const int64_t deadline = clock_monotonic() + CRIU_TIMEOUT;

        for (;;) {
                CriuAnswer answer = { .fd = -1 };
                int r = criu_receive(dump->fd, deadline, &answer, err);

                if (r < 0)
                        return r;
                if (!answer.success || answer.type != CRIU_NOTIFIED) {
                        *ret = answer;
                        return 0;
                }
                r = criu_answer_notice(dump->fd, on_notice(dump, answer.script) == 0, err);
                criu_answer_done(&answer);
                if (r < 0)
                        return r;
        }
}

/* Whether criu has killed it, whatever else went wrong. criu has ended; who was killed ends soon.
 */
static bool has_ended(const Dump *dump) {
        return dump->written && !dump->options->leave_running &&
               pidfd_wait_end(dump->container->pidfd, KILL_TIMEOUT) == 0;
}

static int end_criu(Dump *dump, int *pidfd, Error *err) {
        const char *cgroup = dump->container->cgroup;
        int status = 0, r;

        close_fd(&dump->fd); /* after a pre-dump it would wait for the dump */
        r = pidfd_wait_or_kill(pidfd, END_TIMEOUT, &status, err);
        /* The kernel lets go whom it traced, but not the group that it froze. */
        if (r < 0 && cgroup && !dump->was_frozen && cgroup_has(cgroup, "freezer"))
                (void)cgroup_freeze(cgroup, false, END_TIMEOUT, NULL);
        return r;
}

static int dump(Dump *dump, const Buf *opts, Error *err) {
        int work_fd = checkpoint_work_fd(dump->options), ended, r;
        _cleanup_(criu_answer_done) CriuAnswer answer = { .fd = -1 };
        _cleanup_close_ int pidfd = -1;

        r = criu_remove_log(work_fd, DUMP_LOG, err);
        if (r == 0)
                r = start_criu(dump->options, &dump->fd, &pidfd, err);
        if (r < 0)
                return r;
        r = criu_send(dump->fd, dump->request, opts, err);
        if (r == 0)
                r = converse(dump, &answer, err);
        if (dump->why.message[0]) {
                if (err)
                        *err = dump->why;
                r = error_number_of(dump->why.kind);
        } else if (r != -ETIMEDOUT && (r < 0 || !answer.success)) {
                r = criu_failure(r < 0 ? NULL : &answer, work_fd, DUMP_LOG, err);
        }
        ended = end_criu(dump, &pidfd, r < 0 ? NULL : err);
        if (r == 0)
                r = ended;
        return r < 0 && has_ended(dump) ? 0 : r;
}

int container_checkpoint(const OciConfig *config, const RuntimeContainer *container,
                         const CheckpointOptions *options, Error *err) {
        Checkpoint checkpoint = {};
        Dump call = { .options = options,
                      .checkpoint = &checkpoint,
                      .container = container,
                      .request = options->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP,
                      .fd = -1 };
        _cleanup_buf_ Buf opts = {};
        int r = checkpoint_check(config, err);

        if (r < 0)
                return r;
        /* What an earlier dump left here would make an unfinished one look whole. */
        if (unlinkat(options->images_fd, CHECKPOINT_FILE, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove an earlier " CHECKPOINT_FILE);
        r = checkpoint_describe(config, container->pid, &checkpoint, err);
        add_dump(&opts, config, container, options);
        if (r == 0 && !options->pre_dump)
                add_external(&opts, &checkpoint);
        if (r == 0 && container->cgroup && cgroup_has(container->cgroup, "freezer"))
                (void)cgroup_is_frozen(container->cgroup, &call.was_frozen, NULL);
        if (r == 0)
                r = dump(&call, &opts, err);
        if (r < 0)
                (void)unlinkat(options->images_fd, CHECKPOINT_FILE, 0);
        checkpoint_done(&checkpoint);
        return r;
}
