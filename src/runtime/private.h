/* private.h: what the runtime's files share. A container's creator fills in a Setup before it
 * clones; init, its child, has a copy of it and does the rest: create.c is the parent's side,
 * init.c the child's. */
#pragma once

#include <sched.h>

#include "base/cleanup.h"
#include "os/cgroup.h"
#include "runtime/runtime.h"

/* ---- namespace.c: which are joined, which are made ---- */
typedef enum NamespaceKind {
        NAMESPACE_USER, /* the order in which they are joined */
        NAMESPACE_IPC,
        NAMESPACE_UTS,
        NAMESPACE_NETWORK,
        NAMESPACE_CGROUP,
        NAMESPACE_TIME,
        NAMESPACE_PID,
        NAMESPACE_MOUNT,
        NAMESPACE_COUNT,
} NamespaceKind;

typedef struct NamespaceType {
        const char *name; /* in the document */
        const char *file; /* below /proc/<pid>/ns */
        uint64_t flag;    /* CLONE_NEW… */
} NamespaceType;
extern const NamespaceType namespace_types[NAMESPACE_COUNT];

typedef struct Namespaces {
        uint64_t create;           /* CLONE_NEW… flags */
        int join[NAMESPACE_COUNT]; /* descriptors, -1: not joined */
} Namespaces;
void namespaces_init(Namespaces *ns);
void namespaces_done(Namespaces *ns);
int namespaces_plan(const OciLinux *linux_, int netns_fd, Namespaces *ret, Error *err);
int namespaces_of_process(pid_t pid, int pidfd, Namespaces *ret,
                          Error *err); /* those that differ from the caller's */
/* In the child: joins all but those that the parent joined for it. */
int namespaces_join(const Namespaces *ns, Error *err);
/* fork with new namespaces and into a cgroup; 0 in the child. The pid and time namespaces of ns are
 * joined around the call. */
int namespaces_clone(Namespaces *ns, int cgroup_fd, int *ret_pidfd, pid_t *ret_pid, Error *err);

/* ---- mount-options.c ---- */
typedef struct MountOptions {
        uint64_t set, clear; /* MOUNT_ATTR_* */
        uint64_t recursive_set, recursive_clear;
        uint64_t propagation; /* MS_PRIVATE … or 0 */
        bool propagation_recursive, bind, recursive, copy_up;
        bool map_ids, map_recursive; /* owners are shifted: idmap, ridmap */
        char **data;                 /* the file system's own */
} MountOptions;
int mount_options_parse(const OciMount *mount, MountOptions *ret, Error *err);
void mount_options_done(MountOptions *options);
/* "rslave" and the like to MS_* and whether recursive; false: no such word. */
bool propagation_parse(const char *word, uint64_t *ret, bool *ret_recursive);

/* The words that are understood, for `features`; the caller's. */
char **mount_option_list(void);

/* ---- setup ---- */
/* What process.c needs to know. */
typedef struct ProcessPlan {
        const OciProcess *process;
        const SeccompProgram *seccomp;
        const OciPersonality *personality; /* NULL: the caller's */
        const char *keyring; /* the session keyring's name, "": one without a name, NULL: the
                                caller's */
        const char *profile; /* AppArmor's, NULL: none is set */
        int listen_fds;
        int sync_fd; /* the parent, for the filter's listener */
        bool filter_loaded;
        char **env;    /* with HOME */
        char *program; /* resolved */
} ProcessPlan;

typedef struct Setup {
        const OciConfig *config;
        const RuntimeOptions *options;
        const ProcessIo *io;
        ProcessPlan *plan;
        const char *cgroup, *bundle; /* bundle: for hooks */
        const RuntimeScope *scope;   /* that cgroup lies in; NULL: systemd has nothing to do with
                                        it */
        Namespaces ns;
        int root_fd;     /* a detached mount */
        int proc_fd;     /* the host's procfs, checked */
        int *source_fds; /* a detached copy for each mount that is a bind, else -1 */
        int own_map_fd;  /* a user namespace with the container's maps, for binds without maps of
                            their own; -1: not needed yet */
        MountOptions *mount_options;
        bool *in_cgroups;  /* init's: whether it has joined, see cgroups_join */
        int sync_fd;       /* this side's end */
        bool user_mapped;  /* a new user namespace: its maps are to be written */
        bool bind_devices; /* in a user namespace, new or joined, devices cannot be made */
} Setup;

/* ---- create.c: what restore.c does alike ---- */
void setup_init(Setup *setup);
void setup_done(Setup *setup);
int setup_prepare(Setup *setup, Error *err); /* namespaces, root, copies of binds */
/* Where the container's group will be; *ret_scope stays empty where that is in no scope. */
int setup_cgroup(const OciConfig *config, const RuntimeOptions *options, RuntimeScope *ret_scope,
                 char **ret, Error *err);
int setup_check_cgroup(const RuntimeOptions *options, const char *path, Error *err);
char *setup_bundle_path(int bundle_fd); /* the caller's */
/* prestart and createRuntime. */
int setup_run_hooks(const Setup *setup, pid_t pid, Error *err);
/* As far as the options allow: kills what is in the group, removes it. */
void setup_remove_cgroup(const Setup *setup);

/* ---- sync.c: parent and child talk ---- */
typedef enum SyncKind {
        SYNC_GO = 1,
        SYNC_CGROUPS,
        SYNC_HOOKS,
        SYNC_CONSOLE,
        SYNC_READY,
        SYNC_LISTENER,
        SYNC_ERROR
} SyncKind;
int sync_send(int fd, SyncKind kind, int passed_fd);
int sync_send_fds(int fd, SyncKind kind, const int *fds, size_t count);
int sync_receive_fds(int fd, SyncKind *ret, int *fds, size_t max, size_t *ret_count,
                     const char *who, Error *err);
int sync_send_error(int fd, const Error *error);
/* SYNC_LISTENER with the number that a descriptor has in the sender, by write(2) alone. */
int sync_write_listener(int fd, int listener_fd);
/* sync_receive that takes this kind, too: *ret_number is the descriptor's. */
int sync_receive_listener(int fd, SyncKind *ret, int *ret_fd, int *ret_number, const char *who,
                          Error *err);
/* Waits for one message of that kind; an error of the other side becomes the caller's. *ret_fd may
 * be NULL. */
int sync_expect(int fd, SyncKind kind, int *ret_fd, const char *who, Error *err);
/* After SYNC_READY or SYNC_GO: until the other side closes its end by exec, or says why not. */
int sync_expect_exec(int fd, const char *who, Error *err);
/* The next message, whichever. */
int sync_receive(int fd, SyncKind *ret, int *ret_fd, const char *who, Error *err);

/* ---- root.c: paths inside the container's root, never outside it ---- */
int root_open(int root_fd, const char *path, int flags, int *ret_fd, Error *err);
/* O_PATH of what is at path below dir_fd; forbidden where a link is on the way, or it leads out. */
int root_open_beneath(int dir_fd, const char *path, int *ret_fd, Error *err);
/* Opens (O_PATH) a directory or file, creating it and its parents where missing. */
int root_make(int root_fd, const char *path, bool directory, int *ret_fd, Error *err);
/* The parent directory of path, created where missing; *ret_name points into path. */
int root_make_parent(int root_fd, const char *path, int *ret_fd, const char **ret_name, Error *err);

/* ---- mounts.c, devices.c, paths.c, console.c: steps of init ---- */
int mounts_prepare(Setup *setup, Error *err); /* the parent: options, copies of the sources */
int mounts_enter_namespace(const Setup *setup, int host_root_fd, Error *err);
int mounts_make(const Setup *setup, int root_fd, Error *err);
int mount_cgroups(const Setup *setup, int root_fd, const OciMount *mount,
                  const MountOptions *options, Error *err);
/* Waits until the parent has made the container's groups, which it does while init mounts, and
 * joins them; once. */
int cgroups_join(const Setup *setup, Error *err);

/* ---- copy-up.c ---- */
/* Copies what the directory (O_PATH) holds onto a mount of which mount_fd is the root: files,
 * links, devices, with owners, modes and times, no further down than 256 directories.
 * forbidden: a device in a user namespace, which may make none. */
int mount_copy_up(const Setup *setup, int directory_fd, int mount_fd, Error *err);
int devices_make(const Setup *setup, int root_fd, Error *err);
int root_enter(const Setup *setup, int root_fd, Error *err);
int root_finish(const Setup *setup, Error *err); /* propagation and read-only */
int paths_mask(const Setup *setup, Error *err);
int paths_make_readonly(const Setup *setup, Error *err);
/* The parent's: none may be of a joined namespace that is this process's own, the host's. */
int sysctls_check(const Setup *setup, Error *err);
int sysctls_write(const Setup *setup, Error *err);
int console_open(int root_fd, const OciProcess *process, int *ret_master, int *ret_slave,
                 Error *err);
int console_bind(int root_fd, int slave_fd, Error *err);

/* ---- process.c: what init and exec do alike ---- */
/* Puts the three standard streams in place; slave_fd, if not negative, is the terminal that is all
 * three. */
int process_set_stdio(const ProcessIo *io, int root_fd, int slave_fd, const OciProcess *process,
                      Error *err);
/* Limits, ids, capabilities, working directory, and the filter if it must be early. */
int process_restrict(ProcessPlan *plan, Error *err);
/* Loads the filter now, where it is still to be loaded: what runs before the program is to be under
 * it, too. */
int process_load_filter(ProcessPlan *plan, Error *err);
/* Looks its program up: not_found, forbidden, in Docker's words. */
int process_find_program(ProcessPlan *plan, Error *err);
int process_exec(ProcessPlan *plan, Error *err); /* returns on failure only; finds it if need be */
void process_reset_signals(void);
void process_join_keyring(const char *name); /* a new one: see ProcessPlan */
int capability_number(const char *name);     /* "CAP_CHOWN" → 0; negative: unknown */
int rlimit_number(const char *name);
char **capability_list(void); /* "CAP_CHOWN" …; the caller's */
/* The parent's, as /sys inside is the image's: ProcessPlan.profile. */
const char *process_profile(const OciProcess *process);
/* Before the descriptors are closed: the programs to come run under the plan's profile. */
int process_set_profile(int proc_fd, const ProcessPlan *plan, Error *err);
int oom_score_write(int proc_fd, pid_t pid, const OciProcess *process, Error *err);

/* The master to its taker: the console socket, else the parent. */
int console_deliver(const ProcessIo *io, int sync_fd, int master_fd, Error *err);
int console_take(const ProcessIo *io, int master_fd,
                 Error *err); /* the parent; master_fd is its to close or give */

/* ---- schedule.c ---- */
int schedule_validate(const OciProcess *process, Error *err);
int personality_validate(const OciPersonality *wanted, Error *err);
int schedule_process(const OciProcess *process,
                     Error *err);                    /* policy and priorities of the caller */
int schedule_on(const char *processors, Error *err); /* a list; NULL or "": as it is */
int personality_set(const OciPersonality *wanted, Error *err);

/* ---- listener.c ---- */
/* A connection to the agent at path, the caller's: an agent that accepts nobody, and later one that
 * reads nothing, is waited for at most ms: ETIMEDOUT. */
int listener_connect(const char *path, int ms, int *ret_fd, Error *err);
/* Takes descriptor `number` of the process and gives it to the agent that listens at the program's
 * path, with the process's state (runtime-spec config-linux.md "The container process state"), then
 * lets the process go on. state: the container's own, as JSON. */
int listener_deliver(const SeccompProgram *program, int pidfd, pid_t pid, int number,
                     const char *state, const char *version, int sync_fd, Error *err);

/* ---- hooks.c ---- */
typedef struct HookState {
        const char *id, *status, *bundle;
        pid_t pid;
        const Pairs *annotations;
        const char *version;
} HookState;
char *hook_state_text(const HookState *state); /* as JSON; the caller's */
/* environment: of hooks that give none. The caller's own is for those that run on the host's side
 * only: the programs of the others may be the image's. */
int hooks_run(const JsonArray *hooks, const char *kind, const HookState *state,
              char *const *environment, Error *err);
