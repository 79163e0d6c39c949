/* cli.h: what the commands of brig-runtime share: the table of commands, options, the state
 * directory. Only this program's files include it. */
#pragma once

#include "base/cleanup.h"
#include "runtime/runtime.h"

#define SPEC_VERSION "1.3.0"

/* ---- options ---- */
typedef enum OptionType { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_NUMBER } OptionType;

typedef struct CommandOption {
        const char *name;
        char letter; /* 0: none */
        OptionType type;
        size_t offset; /* of a bool, const char *, char ** or int64_t in Options */
        const char *help;
} CommandOption;

/* update's, as they were written; NULL: not given. */
typedef struct UpdateLimits {
        const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period,
                *cpu_rt_runtime, *cpu_idle, *cpus, *mems, *kernel_memory, *kernel_memory_tcp,
                *memory, *memory_reservation, *memory_swap, *pids, *l3_cache, *memory_bandwidth;
} UpdateLimits;

/* All commands' options: each command's table says which it takes. */
typedef struct Options {
        /* before the command */
        const char *root, *log, *log_format, *rootless_word, *criu;
        bool debug, systemd_cgroup, version, help;
        /* create, run, exec */
        const char *bundle, *console_socket, *pid_file;
        bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
        int64_t preserve_fds;
        const char *process, *cwd, *user, *apparmor, *process_label;
        char **cgroups;
        bool ignore_paused;
        char **env, **additional_gids, **caps;
        bool tty, no_new_privs;
        /* the others */
        bool all, force, quiet, rootless;
        const char *format;
        const char *resources; /* update */
        UpdateLimits limits;
        char **words; /* those among the options; the strings are argv's */
        bool stats;   /* events */
        /* checkpoint, restore */
        const char *image_path, *work_path, *parent_path, *cgroups_mode, *page_server, *lsm_profile,
                *lsm_mount_context;
        char **empty_namespaces;
        bool leave_running, pre_dump, link_remap, tcp_skip_in_flight, tcp_established, ext_unix_sk,
                shell_job, file_locks, auto_dedup, lazy_pages;
        const char *status_fd;
        const char *interval;
} Options;
void options_done(Options *options);

/* Reads options up to the first word that is none; *ret_rest is its place. */
int options_parse(const CommandOption *table, char **words, Options *options, char ***ret_rest,
                  Error *err);
void options_print(const CommandOption *table);

typedef struct Command {
        const char *name, *arguments, *help;
        int minimum, maximum; /* of words after the options; maximum -1: any number */
        const CommandOption *options;
        /* Returns an exit code, or a negative errno with err. */
        int (*run)(const Options *options, char **words, Error *err);
} Command;

extern const Command command_create, command_run, command_start, command_state, command_kill,
        command_delete, command_exec, command_list, command_spec, command_ps, command_pause,
        command_resume, command_features, command_update, command_events, command_checkpoint,
        command_restore;

/* What the options say of images; checkpoint_options_done ends them.
 * make: the directory of images is made where it is missing. */
int checkpoint_options(const Options *options, bool make, CheckpointOptions *ret, Error *err);
void checkpoint_options_done(CheckpointOptions *options);

/* ---- a container's record ---- */
#define STATE_FILE "state.json"
#define CONFIG_FILE "config.json"
#define START_SOCKET "start.sock"

typedef struct Record {
        char *version, *id;
        int64_t pid;
        uint64_t start_time; /* of the process, see process_start_time */
        char *bundle, *rootfs, *cgroup, *owner;
        int64_t created; /* ns since 1970 */
        Pairs annotations;
} Record;
extern const JsonTable record_table;
void record_done(Record *record);

typedef enum ContainerStatus {
        STATUS_CREATED,
        STATUS_RUNNING,
        STATUS_PAUSED,
        STATUS_STOPPED
} ContainerStatus;
extern const char *const status_names[];

int id_check(const char *id, Error *err);
int root_directory(const Options *options, bool make, int *ret_fd, Error *err);
/* Makes the container's directory; conflict if there is one. */
int record_directory_make(const Options *options, const char *id, int *ret_root_fd, int *ret_fd,
                          Error *err);
int record_directory_open(const Options *options, const char *id, int *ret_fd, Error *err);
int record_write(int dir_fd, const Record *record, Error *err);
int record_read(int dir_fd, Record *ret, Error *err);
/* The record of an id, its directory, and how the container fares; *ret_pidfd is -1 where it has
 * stopped. */
int record_load(const Options *options, const char *id, Record *ret, int *ret_dir_fd,
                int *ret_pidfd, ContainerStatus *ret_status, Error *err);
/* Ends what runs of the container and takes away all of it; a running one only if forced. */
int record_delete(const Options *options, int dir_fd, int pidfd, Record *record,
                  ContainerStatus status, bool force, Error *err);
/* Whether the container's end takes with it whatever was in it: it has a pid namespace of its own.
 */
bool config_has_own_pids(const OciConfig *config);
int config_read(int dir_fd, const char *path, OciConfig *ret, char **ret_text, Error *err);
/* Of linux.seccomp, by the cache below --root; see seccomp.h. linux must be there. */
int config_compile_seccomp(const Options *options, const OciConfig *config, SeccompProgram *ret,
                           Error *err);

/* ---- the rest ---- */
int check_format(const char *format, Error *err); /* table or json */
/* A line at a level ("debug", "warning", "error") in the log, or on standard error where there is
 * none; debug only with --debug. */
void log_line(const Options *options, const char *level, const char *message);
int write_pid_file(const char *path, pid_t pid, Error *err);
int connect_console(const char *path, int *ret_fd, Error *err);
int check_preserved(const Options *options, int *ret_count, Error *err);
/* Waits for a child in the foreground: passes signals on, and with a terminal (master not -1) what
 * is typed and shown. The exit code. */
int foreground_wait(int pidfd, int master_fd, Error *err);
int foreground_prepare(void); /* before the child is made: blocks the signals that are passed on */
