/* engine.h: containers, networks, volumes, images and events of one daemon. Knows no HTTP. Every
 * call may block and may be made from any thread but the loop's; answers that are documents are
 * Docker's JSON, appended to a Buf. A `ref` is an id, an unambiguous id prefix or a name. cancel_fd
 * (-1: none): the call ends early when that socket's peer is gone. */
#pragma once

#include "base/loop.h"
#include "image/copy.h"
#include "image/image.h"
#include "os/userns.h"
#include "spec/check.h"
#include "spec/container.h"
#include "spec/settings.h"

typedef struct Engine Engine;

/* What a call answers besides 0: nothing had to be done (Docker's 304). */
#define ENGINE_UNCHANGED 1

/* The default bridge, as dockerd's options of the same names say; NULL: as it usually is. */
typedef struct BridgeOptions {
        const char *link; /* bridge: NULL: "brig0"; "none": no default bridge */
        const char *bip;  /* its address, "172.20.0.1/16"; NULL: from the pools */
        const char *fixed_cidr, *fixed_cidr6; /* of this part of it containers get addresses */
        const char *gateway, *gateway6;       /* the containers'; NULL: the bridge */
        const char *host_ip; /* ip: where ports that name no address are published */
        const char *mtu;     /* "1400" */
        bool ipv6, no_icc, no_masquerade;
} BridgeOptions;

typedef struct EngineOptions {
        const char *data_root, *exec_root; /* /var/lib/brig, /run/brig */
        const char *monitor_program, *logger_program, *image_program, *init_program;
        BridgeOptions bridge;
        JsonArray pools; /* of AddressPoolSpec: where other networks' subnets come from, too */
        const char *cgroup_parent; /* of containers that name none; NULL: "/brig", of scopes
                                      "system.slice" */
        bool systemd_cgroup;       /* systemd makes a scope for each container */
        char **dns; /* servers for containers where the host's are loopback; NULL: the host's */
        char **registry_hosts_dirs; /* as RegistryOptions.host_directories */
        DaemonSettings settings;    /* those that engine_reload changes */
        ContainerDefaults defaults;
        IdMap remap; /* userns-remap: of containers that do not say --userns host; borrowed until
                        the engine is freed; no ranges: nobody is remapped */
        bool no_forwarding;             /* the host is made no router */
        LogConfig log;                  /* default log driver and options */
        const int64_t *build_cache_max; /* bytes that the build cache may take, 0: any; NULL: a
                                           tenth of the disk. Read while the engine is opened */
        bool build_insecure;        /* steps may have every privilege where the client says so */
        bool build_no_host_network; /* steps may not be in the host's network, whoever says so */
} EngineOptions;

/* Opens the state, finds running containers and their monitors again, reconciles the record with
 * the kernel, and starts what restart policies ask for. */
int engine_new(Loop *loop, const EngineOptions *options, Engine **ret, Error *err);
/* Other settings from now on, which are copied; and the event "reload". What is under way goes on
 * with those that it began with. From the loop's thread. */
void engine_reload(Engine *engine, const DaemonSettings *settings);
/* Those that count now; borrowed until the engine is freed. Any thread. */
const DaemonSettings *engine_settings(const Engine *engine);
/* It is about to be freed: calls that wait for removals from disk alone answer now. */
void engine_hurry(Engine *engine);
/* Containers go on. */
Engine *engine_free(Engine *engine);
/* While no engine has the data root: damaged databases give way to their copies (sql/copy.h). Adds
 * the paths of those to *ret. */
int engine_restore(const char *data_root, char ***ret, Error *err);

/* ---- containers: engine/create.c, lifecycle.c ---- */
int engine_container_create(Engine *engine, const char *name, const char *platform,
                            const ContainerCreate *create, char **ret_id, char ***warnings,
                            Error *err);
/* A checkpoint of a container. */
typedef struct CheckpointPlace {
        const char *name;
        const char *directory; /* that holds it, absolute; NULL, "": the container's own */
} CheckpointPlace;
/* checkpoint: it goes on from there; NULL: its program is run. */
int engine_container_start(Engine *engine, const char *ref, const CheckpointPlace *checkpoint,
                           Error *err);
/* Without a bound (timeout_s below 0, or the container's own that is) -ECANCELED once cancel_fd's
 * peer left: the container has its signal; the last of several restarts waits on, and starts it. */
int engine_container_stop(Engine *engine, const char *ref, const char *signal,
                          const int64_t *timeout_s, int cancel_fd, Error *err);
int engine_container_restart(Engine *engine, const char *ref, const char *signal,
                             const int64_t *timeout_s, int cancel_fd, Error *err);
int engine_container_kill(Engine *engine, const char *ref, const char *signal, Error *err);
int engine_container_remove(Engine *engine, const char *ref, bool force, bool volumes, Error *err);
int engine_container_pause(Engine *engine, const char *ref, Error *err);
int engine_container_unpause(Engine *engine, const char *ref, Error *err);
int engine_container_rename(Engine *engine, const char *ref, const char *name, Error *err);
/* Its labels: what policies see of it changes at once, in one step. */
int engine_container_update(Engine *engine, const char *ref, const ContainerUpdate *update,
                            Error *err);
int engine_container_resize(Engine *engine, const char *ref, int width, int height, Error *err);

typedef enum WaitCondition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED } WaitCondition;
/* Two steps, so that the caller can flush its header between them: begin registers the wait (an
 * exit after it is not missed). */
typedef struct EngineWait EngineWait;
int engine_wait_begin(Engine *engine, const char *ref, WaitCondition condition, EngineWait **ret,
                      Error *err);
/* Frees wait. *ret_error: the container's error text or NULL, the caller's. -ECANCELED if
 * cancel_fd's peer left. */
int engine_wait_end(EngineWait *wait, int cancel_fd, int64_t *ret_exit_code, char **ret_error,
                    Error *err);

/* ---- checkpoints: checkpoint.c ---- */
typedef struct CheckpointCreate {
        char *id;
        char *directory; /* as of CheckpointPlace */
        bool exit;       /* the container ends with it, and has ended when this returns */
} CheckpointCreate;
/* On error the container runs on and nothing is left; conflict where there is one of that name. */
int engine_checkpoint_create(Engine *engine, const char *ref, const CheckpointCreate *create,
                             Error *err);
/* [{"Name"}], by name. */
int engine_checkpoint_list(Engine *engine, const char *ref, const char *directory, Buf *json,
                           Error *err);
int engine_checkpoint_remove(Engine *engine, const char *ref, const CheckpointPlace *place,
                             Error *err);

/* ---- containers, read: inspect.c, list.c, logs.c, top.c ---- */
int engine_container_inspect(Engine *engine, const char *ref, bool size, Buf *json, Error *err);
typedef struct ListOptions {
        bool all, size;
        bool annotations; /* are shown: from version 1.46 of the API on */
        int64_t limit;    /* 0: none */
        const Filters *filters;
        /* Takes what a long list has so far, so that its reader need not wait for the end; negative
         * ends the list. NULL: json has all of it. */
        int (*take)(void *data, const Buf *json);
        void *data;
} ListOptions;
/* json is the whole, or the last part. invalid: a filter; what take returned. */
int engine_container_list(Engine *engine, const ListOptions *options, Buf *json, Error *err);
int engine_container_top(Engine *engine, const char *ref, const char *ps_args, Buf *json,
                         Error *err);

/* One document without its newline; negative ends the stream. */
typedef int (*StatsSink)(void *data, const char *json);
typedef struct StatsOptions {
        bool stream;   /* one a second until the container is removed */
        bool one_shot; /* of a single one: what it used a second before is not waited for */
} StatsOptions;
int engine_container_stats(Engine *engine, const char *ref, const StatsOptions *options,
                           StatsSink sink, void *data, int cancel_fd, Error *err);

/* stream 1 or 2; one call a log line. Negative ends the reading. */
typedef int (*LogSink)(void *data, int stream, const char *bytes, size_t length);
typedef struct LogOptions {
        bool follow, stdout_, stderr_, timestamps, details;
        int64_t since, until; /* ns since 1970; 0: none */
        int64_t tail;         /* lines; -1: all */
} LogOptions;
/* Checks the container and its log driver first (so that errors come before any output), and tells
 * whether it has a terminal. */
int engine_container_logs_check(Engine *engine, const char *ref, bool *ret_tty, Error *err);
int engine_container_logs(Engine *engine, const char *ref, const LogOptions *options, LogSink sink,
                          void *data, int cancel_fd, Error *err);
/* Forgets what was written so far, whether it runs or not. */
int engine_container_logs_clear(Engine *engine, const char *ref, Error *err);

/* ---- what a container did to its root: changes.c, commit.c ---- */
/* [{"Path", "Kind"}], Kind 0 modified, 1 added, 2 deleted; null where nothing changed. */
int engine_container_changes(Engine *engine, const char *ref, Buf *json, Error *err);
/* Its root as a tar archive to fd. */
int engine_container_export(Engine *engine, const char *ref, int fd, Error *err);

/* ---- files of a container as archives: copy.c ---- */
/* Paths are resolved inside its root, running or not, with what is mounted there. not_found "Could
 * not find the file <path> in container <ref>". A start or a removal of the container ends a copy
 * of it: conflict. */
typedef struct EngineCopy EngineCopy;
/* What is at a path; copy_stat_done it. */
int engine_copy_stat(Engine *engine, const char *ref, const char *path, int cancel_fd,
                     CopyStat *ret, Error *err);
/* The same, and a tar archive of it, to be read from *ret_fd, the caller's, to its end. */
int engine_copy_out(Engine *engine, const char *ref, const char *path, int cancel_fd,
                    CopyStat *ret_stat, int *ret_fd, EngineCopy **ret, Error *err);
/* After that: whether the archive is whole. */
int engine_copy_out_end(EngineCopy *copy, Error *err);
EngineCopy *engine_copy_free(EngineCopy *copy); /* ends it, if it goes on */
DEFINE_CLEANUP(EngineCopy *, engine_copy_free)

typedef struct CopyInOptions {
        const char *path; /* a directory in the container */
        bool keep_types;  /* no directory takes the place of a file, nor a file that of one */
        bool as_user;     /* what comes is the container's user's, not whose the archive says */
} CopyInOptions;
/* Unpacks the tar archive, compressed or not, that input_fd yields. */
int engine_copy_in(Engine *engine, const char *ref, const CopyInOptions *options, int input_fd,
                   int cancel_fd, Error *err);

typedef struct CommitOptions {
        const char *container, *name; /* name: "repository[:tag]"; NULL: none */
        const char *comment, *author;
        char *const *changes; /* Dockerfile instructions */
        bool pause;           /* a running container stands still meanwhile */
} CommitOptions;
int engine_container_commit(Engine *engine, const CommitOptions *options, char **ret_id,
                            Error *err);

/* ---- whether all is as recorded: check.c ---- */
/* Looks for what disk, kernel and record do not agree about, and frees it where the sink says so;
 * contents: blobs are read, too. What jobs and containers have is left alone. Takes minutes; a
 * negative answer of the sink ends it. */
int engine_check(Engine *engine, const CheckSink *sink, bool contents, Error *err);

/* ---- attach and exec: attach.c, exec.c ---- */
typedef struct AttachOptions {
        bool logs, stream, stdin_, stdout_, stderr_;
        bool raw; /* the client asked for output without frames; a terminal's has none anyway */
        const char *detach_keys; /* NULL: the default */
        const void *early;       /* bytes that the client sent behind its request */
        size_t early_length;
        /* Called once before the client gets its first byte: sends what stands in front of the
         * stream. From then on the client may start the container and misses nothing. May be NULL.
         * engine_container_attach only. */
        int (*ready)(void *data, Error *err);
        void *ready_data;
} AttachOptions;
int engine_container_attach_check(Engine *engine, const char *ref, bool *ret_tty, Error *err);
/* Hands client_fd (still the caller's to close) to the container's monitor, or keeps it until the
 * start. Returns at once. */
int engine_container_attach(Engine *engine, const char *ref, const AttachOptions *options,
                            int client_fd, Error *err);

/* Takes the link `alias` off a container. not_found. Its process keeps the variables that it has.
 */
int engine_link_remove(Engine *engine, const char *ref, const char *alias, Error *err);

int engine_exec_create(Engine *engine, const char *ref, const ExecConfig *config, char **ret_id,
                       Error *err);
int engine_exec_start_check(Engine *engine, const char *id, Error *err);
int engine_exec_start(Engine *engine, const char *id, const AttachOptions *options, int client_fd,
                      int width, int height, Error *err); /* client_fd -1: detached */
int engine_exec_inspect(Engine *engine, const char *id, Buf *json, Error *err);
/* [{"ID", "ContainerID", "ContainerName", "Command", "User", "Tty", "Privileged", "Running",
 * "ExitCode", "Pid", "Started"}], newest first, without health checks. ExitCode: null until it has
 * ended; Started: seconds since 1970, 0: it was not. container: NULL: of all; all: those that do
 * not run, too. */
int engine_exec_list(Engine *engine, const char *container, bool all, Buf *json, Error *err);
/* The signal (NULL or "": SIGKILL) to all of its process group. ref: an id or a prefix that no
 * other has. ENGINE_UNCHANGED: it has ended; conflict: it was never started. */
int engine_exec_kill(Engine *engine, const char *ref, const char *signal, Error *err);
int engine_exec_resize(Engine *engine, const char *id, int width, int height, Error *err);

/* ---- images: images.c ---- */
int engine_image_pull(Engine *engine, const char *name, const char *platform,
                      const RegistryAuth *auth, ImageProgressFn progress, void *data, Error *err);
/* Every tag of the repository. */
int engine_image_pull_tags(Engine *engine, const char *repository, const char *platform,
                           const RegistryAuth *auth, ImageProgressFn progress, void *data,
                           Error *err);
/* platform: "os/arch[/variant]", or NULL: all that there is; here and below. */
int engine_image_load(Engine *engine, int fd, const char *platform, ImageProgressFn progress,
                      void *data, char ***loaded, Error *err);
int engine_image_save(Engine *engine, char *const *refs, const char *platform, int fd, Error *err);
int engine_image_import(Engine *engine, int fd, const char *name, const char *message,
                        char *const *changes, char **ret_id, Error *err);
int engine_image_tag(Engine *engine, const char *source, const char *target, Error *err);
int engine_image_remove(Engine *engine, const char *ref, bool force, bool no_prune, Buf *json,
                        Error *err);
/* The same of those platforms' images of ref alone; nothing is removed unless all are there. */
int engine_image_remove_platforms(Engine *engine, const char *ref, char *const *platforms,
                                  bool force, Buf *json, Error *err);
typedef struct ImageListOptions {
        bool all;
        bool shared_size, containers; /* SharedSize and Containers are counted, else -1 */
        const Filters *filters;
} ImageListOptions;
int engine_image_list(Engine *engine, const ImageListOptions *options, Buf *json, Error *err);
/* platform: "os/arch[/variant]", or NULL for what the name stands for. */
int engine_image_inspect(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err);
int engine_image_history(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err);
/* One line of spec/explore.h without its newline; negative ends the walk. */
typedef int (*ExploreLineSink)(void *data, const char *json);
int engine_image_explore(Engine *engine, const char *ref, ExploreLineSink sink, void *data,
                         Error *err);

/* ---- registries: image-registry.c ---- */
/* name: as image_push has it; platform: as image_push_platform has it. */
int engine_image_push_platform(Engine *engine, const char *name, const char *platform,
                               const RegistryAuth *auth, ImageProgressFn progress, void *data,
                               Error *err);
/* address: "https://index.docker.io/v1/", "host:port"; NULL or "": Docker Hub. *ret_token: an
 * identity token or NULL, the caller's. */
int engine_auth(Engine *engine, const char *address, const RegistryAuth *auth, char **ret_token,
                Error *err);
int engine_distribution(Engine *engine, const char *name, const RegistryAuth *auth, Buf *json,
                        Error *err);
/* limit 0: 25. */
/* As image_manifest_get and image_manifest_push have them; insecure: TLS need not be there. */
int engine_manifest_get(Engine *engine, const char *name, bool insecure, const RegistryAuth *auth,
                        Buf *json, Error *err);
int engine_manifest_push(Engine *engine, const char *name, bool insecure, const ManifestPush *push,
                         const RegistryAuth *auth, char ret_digest[], Error *err);
int engine_image_search(Engine *engine, const char *term, int limit, const Filters *filters,
                        const RegistryAuth *auth, Buf *json, Error *err);

/* ---- networks: networks.c ---- */
int engine_network_create(Engine *engine, const NetworkCreate *create, char **ret_id,
                          char **ret_warning, Error *err);
int engine_network_list(Engine *engine, const Filters *filters, Buf *json, Error *err);
int engine_network_inspect(Engine *engine, const char *ref, bool verbose, Buf *json, Error *err);
int engine_network_remove(Engine *engine, const char *ref, Error *err);
int engine_network_connect(Engine *engine, const char *ref, const char *container,
                           const EndpointSettings *settings, Error *err);
int engine_network_disconnect(Engine *engine, const char *ref, const char *container, bool force,
                              Error *err);

/* ---- network policies: policies.c, policy-ask.c ---- */
/* text: a YAML file (policy.h). All of it is applied, or nothing. json: what became of each:
 * Namespace, Name, Action (created, configured, unchanged). namespace: of those that name none. */
int engine_policy_apply(Engine *engine, const char *text, size_t length, const char *namespace,
                        Buf *json, Error *err);
/* namespace NULL: of all. The documents. */
int engine_policy_list(Engine *engine, const char *namespace, Buf *json, Error *err);
int engine_policy_inspect(Engine *engine, const char *namespace, const char *name, Buf *json,
                          Error *err);
int engine_policy_remove(Engine *engine, const char *namespace, const char *name, Error *err);
/* Who may reach whom of the containers that run. */
int engine_policy_table(Engine *engine, Buf *json, Error *err);
/* from, to: a container that runs, or an address; protocol: "tcp", "udp", "sctp". */
int engine_policy_test(Engine *engine, const char *from, const char *to, int port,
                       const char *protocol, Buf *json, Error *err);

/* ---- volumes: volumes.c ---- */
int engine_volume_create(Engine *engine, const VolumeCreate *create, Buf *json, Error *err);
int engine_volume_list(Engine *engine, const Filters *filters, Buf *json, Error *err);
int engine_volume_inspect(Engine *engine, const char *name, Buf *json, Error *err);
int engine_volume_remove(Engine *engine, const char *name, bool force, Error *err);

/* ---- the daemon: events.c, info.c ---- */
typedef int (*EventSink)(void *data, const char *json); /* one event, no newline */
/* since, until in ns (0: none). Without until it ends by cancel_fd only. */
int engine_events_check(const Filters *filters, Error *err);
int engine_events(Engine *engine, int64_t since, int64_t until, const Filters *filters,
                  EventSink sink, void *data, int cancel_fd, Error *err);
int engine_info(Engine *engine, Buf *json, Error *err);

/* ---- disk: prune.c, disk-usage.c ---- */
/* Remove what nothing uses and the filters let through, and answer as POST /…/prune does: the ids
 * or names that went (null: none), and SpaceReclaimed in bytes. What is taken into use meanwhile
 * stays. */
int engine_container_prune(Engine *engine, const Filters *filters, Buf *json, Error *err);
int engine_image_prune(Engine *engine, const Filters *filters, Buf *json, Error *err);
int engine_network_prune(Engine *engine, const Filters *filters, Buf *json, Error *err);
int engine_volume_prune(Engine *engine, const Filters *filters, Buf *json, Error *err);
/* GET /system/df: LayersSize, Images, Containers, Volumes, BuildCache. types: "container", "image",
 * "volume", "build-cache", those that are wanted; empty: all. */
int engine_disk_usage(Engine *engine, char *const *types, Buf *json, Error *err);
