/* runtime.h: makes and runs containers from OCI documents. Knows no images, no networks, no daemon.
 * It links neither libseccomp nor OpenSSL: the caller compiles the seccomp program
 * (runtime/seccomp.h does, for callers that may link it). */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "spec/oci.h"

/* A compiled seccomp program: struct sock_filter instructions as in seccomp(2). length 0: none. */
typedef struct SeccompProgram {
        void *filter;
        size_t length;  /* bytes */
        unsigned flags; /* SECCOMP_FILTER_FLAG_* */
        char *listener_path,
                *listener_metadata; /* of the agent that answers for calls; NULL: none */
} SeccompProgram;

/* What an init or exec process gets besides its document. Descriptors are the caller's, duplicated
 * into the child. */
typedef struct ProcessIo {
        int stdin_fd, stdout_fd, stderr_fd; /* without a terminal; -1: /dev/null */
        int console_socket; /* with one: receives the master (SCM_RIGHTS); -1: ret_console instead
                             */
        int *ret_console;  /* gets the master side, close-on-exec, the caller's; may be NULL without
                              a terminal */
        const char *state; /* exec's, with a listener: the container's state, as JSON */
        char *const *subgroups; /* exec's: "[controller,…:]path" below the container's cgroup, as
                                   runc's --cgroup; NULL: the container's own */
        int listen_fds; /* descriptors 3 … 3+n-1 are passed on (--preserve-fds, LISTEN_FDS) */
} ProcessIo;

/* A created container as its creator knows it. */
typedef struct RuntimeContainer {
        pid_t pid;
        int pidfd;
        char *cgroup; /* path below every hierarchy's mount point, as made */
        /* The cgroup may have members that are not the container's, which its end spares: set where
         * it has a pid namespace of its own, which takes all that is the container's with it. */
        bool spares_others;
        const char *bundle; /* its path, for poststop hooks; borrowed, may be NULL */
} RuntimeContainer;
void runtime_container_done(RuntimeContainer *container);

/* Of a checkpoint's directory: what lacks it is none that is whole. */
#define RUNTIME_CHECKPOINT_FILE "brig-checkpoint.json"

/* How a container is dumped into images, or made from them, by criu (docs/runtime.md
 * "Checkpoints"). */
typedef struct CheckpointOptions {
        const char *criu;   /* the program, a path or a name in PATH; NULL: "criu" */
        int images_fd;      /* a directory */
        int work_fd;        /* of criu's log; -1: images_fd */
        const char *parent; /* dump: an earlier dump's images, below images_fd; NULL: none */
        bool pre_dump;      /* memory alone; the container runs on */
        bool leave_running, link_remap, tcp_skip_in_flight; /* dump */
        bool tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup;
        const char *lsm_profile; /* restore: TYPE:NAME in place of the dumped one; NULL */
        int stage_fd; /* restore: an empty directory of the host's, over which mounts are put in a
                         mount namespace of criu's */
} CheckpointOptions;

typedef struct RuntimeOptions {
        const char *id;
        int bundle_fd; /* root.path and relative sources are below it */
        int root_fd; /* -1: open config.root.path; else an open (detached or mounted) root directory
                      */
        int netns_fd; /* -1: as the document says; else joined for "network" */
        const SeccompProgram *seccomp;
        const char *cgroup_parent; /* used where linux.cgroupsPath is absent */
        bool systemd_cgroup;       /* systemd makes a scope, see RuntimeScope */
        bool no_pivot;
        bool may_share_cgroup; /* a cgroup with members is taken all the same, and warned of */
        bool keep_keyring;     /* do not give it a session keyring of its own */
        bool program_first; /* a program that is not there is container_create's error, as runc has
                               it, not container_release's */
        bool make_room;     /* the caller leaves its processor to init while both work */
        int gate_fd; /* init waits here for container_release before it runs the user's process: one
                        end of a socketpair (SOCK_SEQPACKET; close it after container_create, or
                        release never sees the other side close), or a listening SOCK_SEQPACKET
                        socket, to which the releaser connects */
        /* Called while init sets itself up, if not NULL: time in which the creator can write down
         * what it has. An error undoes all. */
        int (*while_setting_up)(void *data, const RuntimeContainer *container, Error *err);
        void *data;
        /* Told of what is not wrong enough to be refused, if not NULL. */
        void (*warn)(void *data, const char *message);
} RuntimeOptions;

/* First thing in a program that calls container_create or container_exec: executes the program
 * again from a detached read-only mount, unless it was started from a read-only one (then it
 * returns 0 at once). Descriptors that are not close-on-exec stay open. */
int runtime_protect_program(char **argv, Error *err);

/* Clones init into its cgroup and namespaces, and sets everything up to where only the user's
 * program is missing: then returns. Init blocks until container_release. Hooks prestart,
 * createRuntime, createContainer have run. On error nothing is left (no process, cgroup, mount).
 * The calling process must be single-threaded; it becomes the parent of init. */
int container_create(const OciConfig *config, const RuntimeOptions *options, const ProcessIo *io,
                     RuntimeContainer *ret, Error *err);

/* Lets init run startContainer hooks and exec. gate_fd: the other end of options.gate_fd (a
 * socketpair: init answers over it when exec fails and the kernel closes it when exec succeeds).
 * Errors: not_found "exec: \"x\": executable file not found in $PATH" (Docker: 127), forbidden "…
 * permission denied" (126), worded as runc words them, since Docker's clients match on that. */
int container_release(int gate_fd, Error *err);
/* The two halves of it, for a caller that need not know that all is set up before the program runs:
 * the word may be given while init sets itself up, which then does not wait for it. */
int container_let_go(int gate_fd, Error *err);
int container_expect_exec(int gate_fd, Error *err);

/* Dumps the container, which criu holds still meanwhile, at most for a quarter of an hour. Unless
 * it is to be left running, or for a pre-dump, all its processes have been killed at the end. 0:
 * the images and RUNTIME_CHECKPOINT_FILE are on the disk, also where criu's own end went wrong once
 * the container had ended. On error it runs on as before (its first process, at least: criu may
 * have failed while it killed), or it ended by itself, and RUNTIME_CHECKPOINT_FILE is not there. */
int container_checkpoint(const OciConfig *config, const RuntimeContainer *container,
                         const CheckpointOptions *options, Error *err);

/* A container that is being made from images. */
typedef struct RuntimeRestore RuntimeRestore;
/* Makes a container from images in place of container_create: its namespaces and its first process
 * are there and wait; options->gate_fd is not used. *ret_restore is the caller's, to be finished
 * with runtime_restore_finish. A terminal comes then. On error nothing is left. */
int container_restore(const OciConfig *config, const RuntimeOptions *options,
                      const CheckpointOptions *checkpoint, const ProcessIo *io,
                      RuntimeContainer *ret, RuntimeRestore **ret_restore, Error *err);
/* Restores the rest and lets the processes go on; what was given to container_restore must still be
 * there. Frees restore. On error the container's processes have ended, and its end is
 * container_destroy's. */
int runtime_restore_finish(RuntimeRestore *restore, Error *err);
/* In place of it: the processes are ended. NULL is fine. */
RuntimeRestore *runtime_restore_free(RuntimeRestore *restore);

/* Runs a process in the namespaces, root and cgroup of the container whose init is pidfd/init_pid.
 * Returns once it has been exec'd, or why not. The caller is its parent. */
int container_exec(const OciProcess *process, pid_t init_pid, const char *cgroup,
                   const SeccompProgram *seccomp, const ProcessIo *io, bool privileged_cgroup_join,
                   pid_t *ret_pid, int *ret_pidfd, Error *err);

/* Kills what is left in the container's cgroup and removes the cgroup. Idempotent. Runs poststop
 * hooks of config if not NULL. */
int container_destroy(const OciConfig *config, const RuntimeContainer *container, const char *id,
                      Error *err);

/* The limits of a group that is there or was just made: those that are given, in an order in which
 * the kernel takes them; on error some of them are in force. */
int resources_apply(const char *cgroup, const OciResources *resources, Error *err);
/* The same without the devices' rules, which stay as they are. */
int resources_update(const char *cgroup, const OciResources *resources, Error *err);

/* Checks a document as far as it can be without making anything; the error names the field. */
int runtime_validate(const OciConfig *config, Error *err);
int runtime_validate_process(const OciProcess *process, Error *err);
/* The container's path below every hierarchy: linux.cgroupsPath, else parent/id; the caller's. */
char *runtime_cgroup_path(const OciConfig *config, const char *id, const char *parent);
/* Where systemd manages control groups: linux.cgroupsPath "SLICE:PREFIX:NAME" is the scope
 * PREFIX-NAME.scope of that slice ("": system.slice; without a prefix NAME.scope), and no path is
 * brig-<id>.scope of system.slice. */
typedef struct RuntimeScope {
        char *slice, *name;
        char *path;   /* the scope's group: systemd's */
        char *cgroup; /* the container's, delegated: "<path>/container" */
} RuntimeScope;
int runtime_scope_parse(const char *cgroups_path, const char *id, RuntimeScope *ret, Error *err);
void runtime_scope_done(RuntimeScope *scope);
/* After the container's group was removed: what systemd leaves of its scope's, which it removes
 * itself. Nothing where the group was in none. */
void runtime_scope_release(const char *cgroup);
/* The document that `spec` prints: runc's default. The caller frees it with
 * json_done(&oci_config_table). */
void runtime_default_config(OciConfig *ret, bool rootless);
