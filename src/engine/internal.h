/* internal.h: what the files of the engine share: the engine itself, the registry of containers,
 * and the calls between them. Outside engine/ nobody includes it. The order of locks is in
 * docs/engine.md; where a function wants a lock held, its comment says so. */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "engine/container.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/snapshot.h"
#include "engine/worker.h"
#include "runtime/runtime.h"

/* image-registry.c: engine_image_push_platform in a form; push->options is set. */
int engine_image_push_as(Engine *engine, const char *name, const ImagePush *push, Error *err);

typedef struct Events Events;                 /* events.c: the ring and its readers */
typedef struct Volumes Volumes;               /* volumes.c: the index of volumes */
typedef struct Execs Execs;                   /* exec-index.c: exec id → container */
typedef struct Probers Probers;               /* prober.c: when which container is checked */
typedef struct Removals Removals;             /* remove.c: what is still to be torn down */
typedef struct Builder Builder;               /* build-private.h */
typedef struct Networks Networks;             /* networks.c */
typedef struct Settings Settings;             /* settings.c */
typedef struct Policies Policies;             /* policies.c */
typedef struct SeccompCache SeccompCache;     /* seccomp-cache.c */
typedef struct ImageCollector ImageCollector; /* image-collect.c */

#define CGROUP_PARENT "/brig"
#define IMAGE_DIRECTORY "image/" /* the image store's root below the data root */

struct Engine {
        /* Never change after engine_new. */
        EngineOptions options; /* strings are the engine's own copies */
        Loop *loop;
        int data_root_fd, exec_root_fd;
        int containers_fd; /* <data_root>/containers */
        int run_fd;        /* <exec_root>/containers */
        Db *db;
        ImageStore *images;
        Net *net;
        Workers *workers;
        Events *events;
        Volumes *volumes;
        Execs *execs;
        Probers *probers;
        Networks *networks;
        Policies *policies;
        Builder *builder;
        SeccompCache *seccomp;
        Removals *removals;
        ImageCollector *collector;
        ClockMark started;
        _Atomic(Settings *) settings; /* settings.c */
        bool apparmor;                /* apparmor.c: the default profile is to be had */
        atomic_bool linked;           /* some container has links */
        atomic_bool stopping; /* engine_free has begun: no restart policy is followed any more */

        /* room.c: the reserve, and how many are removing something just now. */
        pthread_mutex_t room_lock;
        unsigned removing;

        /* Every container's object that there is, also of those that are being made or removed, and
         * of a build's steps: what is on disk and in the kernel of one is somebody's. */
        pthread_mutex_t alive_lock; /* short; below all others */
        Map alive;                  /* id → Container *, borrowed: not to be looked into */

        /* The registry: short-held, never while anything blocks. */
        pthread_mutex_t registry_lock;
        Map by_id;   /* id → Container *, one reference each */
        Map by_name; /* name without slash → Container *, or NAME_RESERVED while one is being made
                      */
};

/* ---- checkpoint.c ---- */
/* lock held: no dump with which the container ends goes on any more. ended: it did end, and stays
 * down as one that the user stopped. */
void container_end_checkpointing(Container *container, bool ended);
/* container_lock for who will kill it. One that is being dumped, for which a dump may hold the lock
 * for a quarter of an hour, is killed at once: true; the dump then fails soon. */
bool container_lock_to_kill(Container *container);
/* At the daemon's start: what dumps have left that no daemon came to finish. A dump that still runs
 * cannot succeed: who would let it end the container is gone. */
void checkpoints_sweep(const Container *container);
/* The same, of one that runs: whether the dump that an earlier daemon let end it does so. Waits
 * for it, up to 12 s while somebody traces the container's first process, else up to 2 s, and not
 * beyond until (clock_monotonic); at once false where none was begun. */
bool checkpoint_await_end(const Container *container, int64_t until);
/* The directory of a checkpoint's images, the caller's. */
int checkpoint_open(const Container *container, const CheckpointPlace *place, int *ret_fd,
                    Error *err);

/* ---- registry.c ---- */
/* ref: full id, name (with or without a slash before it) or unambiguous id prefix, in this order,
 * as Docker resolves. A new reference in *ret. not_found "No such container: x"; invalid "multiple
 * IDs found with provided prefix: x". */
int container_lookup(Engine *engine, const char *ref, Container **ret, Error *err);
/* Whether there is an object of that id, in the registry or not: see Engine.alive. */
bool container_is_alive(Engine *engine, const char *id);
Container *container_ref(Container *container);
Container *container_unref(Container *container); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(Container *, container_unref)
#define _cleanup_container_ _cleanup_(container_unrefp)
/* A reference to every container, newest first; free with containers_free. */
void containers_all(Engine *engine, Container ***ret, size_t *ret_count);
void containers_free(Container **containers, size_t count);
/* A container object that is in no registry yet; one reference. */
Container *container_new(Engine *engine, const char id[ID_LENGTH + 1]);
/* Takes `name` for `id` until registry_add or registry_release. conflict in Docker's words. */
int registry_reserve_name(Engine *engine, const char *name, const char *id, Error *err);
void registry_release_name(Engine *engine, const char *name);
void registry_add(Engine *engine, Container *container); /* with container->name, reserved before */
void registry_drop(Engine *engine, Container *container);
/* lock held; the name is reserved for it, and the old one until it is released. */
void registry_set_name(Container *container, const char *name);

void container_lock(Container *container);
void container_unlock(Container *container);
static inline void container_unlockp(Container **container) {
        if (*container)
                container_unlock(*container);
}
/* Scoped: CONTAINER_LOCKED(c) holds c->lock to the end of the block. */
#define CONTAINER_LOCKED(container)                                                                \
        _cleanup_(container_unlockp) UNUSED Container *locked_ = (container);                      \
        container_lock(locked_)

/* ---- settings.c ---- */
void settings_start(Engine *engine); /* with those of the options */
void settings_end(Engine *engine);
/* How registries are reached, as engine_settings says now; borrowed until the engine is freed. */
const RegistryOptions *engine_registry(const Engine *engine);
/* When images go that nothing uses, likewise. */
const ImageGcBounds *engine_image_gc(const Engine *engine);

/* ---- image-collect.c ---- */
void image_collector_start(Engine *engine); /* once the containers are known */
/* Something has changed that may let an image go, or make it. Any thread; never blocks; may be
 * called with any lock held. */
void image_collect_soon(Engine *engine);
/* Why an image is to go that was last used `unused` ns ago, where all of them take `size` bytes;
 * the caller's. NULL: it stays. */
char *image_collect_reason(const ImageGcBounds *bounds, int64_t unused, int64_t size);
ImageCollector *image_collector_free(ImageCollector *collector); /* after workers_free */

/* ---- snapshot.c: see snapshot.h ---- */

/* ---- state.c: the record ---- */
/* lock held. Writes name, state and endpoints to the database, one transaction. The caller
 * publishes. */
int container_save(Container *container, bool durable, Error *err);
/* The whole record, at create; synced unless the container is an --rm one. */
int container_save_new(Container *container, Error *err);
/* lock held: the record says that it is going, and its name is free. */
int container_save_removing(Container *container, Error *err);
/* Whether what is written of it is synced: what --rm made needs no more than a killed daemon
 * leaves, as it does not outlive a power cut anyway. */
bool container_is_kept(const Container *container);
/* A row of the record as an object that is in no registry yet. */
int container_load(Engine *engine, const DbRecord *record, Container **ret, Error *err);
bool container_is_running(const Container *container); /* running or paused; lock held */
/* What the monitor shall do with the container's output; container_log_options_done frees it. */
int container_log_options(const Container *container, MonitorLog *ret, Error *err);
void container_log_options_done(MonitorLog *log);
/* The file that can be read, "<id>-json.log" or "local.log", below the container's directory; the
 * caller's. */
char *container_log_path(const Container *container);
/* Its form: "json-file" or "local"; NULL where nothing is kept for reading. */
const char *container_log_form(const Container *container);
/* The option "tag" expanded; `without` is the template where it is not given. The caller's. */
int container_log_tag(const Container *container, const char *without, char **ret, Error *err);
/* The log driver that it uses: its own, or the daemon's default. */
const char *container_log_driver(const Container *container);
/* lock held. conflict "Container <id> is not running", and for a paused one where allow_paused is
 * false "Container <id> is paused, unpause the container before exec" is the caller's. */
int container_require_running(const Container *container, Error *err);

/* ---- changes.c ---- */
/* conflict "You cannot <doing> container <id> which is being removed". */
int container_check_exists(const Container *container, const char *doing, Error *err);
/* The container's own layer, in overlayfs's form. */
int container_open_upper(const Container *container, int *ret_fd, Error *err);

/* ---- names.c ---- */
char *name_random(int attempt); /* adjective_name; attempt counts from 0; later ones get digits; the
                                   caller's */

/* ---- seccomp-cache.c ---- */
/* The compiled program of the container's profile: *ret is NULL where it runs unconfined; else
 * valid until engine_free. `privileged`: as a privileged exec. */
int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    const SeccompProgram **ret, Error *err);

/* ---- build.c ---- */
int builder_new(Engine *engine, Builder **ret, Error *err); /* after the images are open */
void builder_hurry(Builder *builder); /* no prune waits for the disk any more */
Builder *builder_free(Builder *builder);

/* ---- networks.c ---- */
/* A network as it is stored; immutable once it is in the index. */
typedef struct NetworkObject {
        atomic_int references;
        NetworkConfig config;
        int64_t created;
        char *scope; /* local */
        bool attachable, ingress, config_only, predefined;
        /* The default bridge, made with other options than before: not all who were on that are on
         * this yet. Changed at the daemon's start alone. */
        bool remade;
        bool shares_name; /* not stored: it may be made where others have its name */
        char *ipam_driver;
        bool has_ipam_options;
        Pairs ipam_options, labels;
        char *config_from; /* the configuration network that it was made from, by name */
        /* Guarded by the index's lock. */
        int active; /* endpoints that are reserved or joined */
        bool removing;
} NetworkObject;
extern const JsonTable network_table;
int networks_new(Engine *engine, Networks **ret, Error *err); /* reads the record */
Networks *networks_free(Networks *networks);
/* ref: name, id or unambiguous prefix. A new reference. not_found "network x not found". */
int network_lookup(Engine *engine, const char *ref, NetworkObject **ret, Error *err);
/* The same for an endpoint: the network stays until network_release. */
int network_acquire(Engine *engine, const char *ref, NetworkObject **ret, Error *err);
void network_release(Engine *engine, const char *id);
NetworkObject *network_ref(NetworkObject *network);
NetworkObject *network_unref(NetworkObject *network);
DEFINE_CLEANUP(NetworkObject *, network_unref)
#define _cleanup_network_ _cleanup_(network_unrefp)
/* References to all, oldest first. */
void networks_all(Engine *engine, NetworkObject ***ret, size_t *ret_count);
void networks_all_free(NetworkObject **networks, size_t count);
NetworkObject *network_object_new(void);
/* Makes and records it, and gives its id, if that is asked for. network: config filled but for id
 * (if it is to have a new one), pools' blanks and bridge. Consumes it. */
int network_make(Engine *engine, NetworkObject *network, char **ret_id, Error *err);
/* replaces: the record has a network of that id. */
int network_save(Engine *engine, const NetworkObject *network, bool replaces, Error *err);
/* The default bridge of an earlier daemon that was started with other options: it is in the record
 * and not in the index. Borrowed; NULL: none. */
const NetworkObject *networks_old_bridge(const Engine *engine);
/* predefined.c */
/* After net_reconcile: makes the predefined networks that the record lacks, or has otherwise. */
int networks_start(Engine *engine, Error *err);
/* The id of the default bridge, and whether those who are on it must be connected anew: the record
 * has it as another than the daemon's options say, or an earlier daemon did not come to the end of
 * that. NULL: there is none yet. Borrowed, until the engine serves. */
const char *networks_bridge(Engine *engine, bool *ret_remade);
/* Before net_reconcile: whether the default bridge that networks_start is to make can be. */
int networks_check(Engine *engine, Error *err);
/* After networks_start: those who were on the default bridge have been connected to it anew. */
int networks_settled(Engine *engine, Error *err);
/* network-templates.c: a request that names what does not go with a configuration network. */
int network_template_check(const NetworkCreate *create, Error *err);
/* Makes network, as yet unmade, one that only holds a configuration: it has no driver. */
int network_template_store(NetworkObject *network, Error *err);
/* Copies the configuration of from, and notes where it is from. not_found if from is none. */
int network_template_apply(const NetworkObject *from, NetworkObject *to, Error *err);
/* HostConfig.NetworkMode: "bridge", "host", "none", "container:<id>", or a network's name
 * ("default" and "" become "bridge"). */
const char *container_network_mode(const Container *container);
/* default-bridge.c: "bridge" as the options want it, but for its id. invalid names the option.
 * Where the options leave them open, the subnets are those of old (may be NULL), the one before. */
int default_bridge_config(const EngineOptions *options, const NetworkConfig *old,
                          NetworkConfig *ret, Error *err);
/* Whether a recorded network is as wanted; where nothing in particular is, it is. */
bool default_bridge_is(const NetworkConfig *wanted, const NetworkConfig *has);
const char *default_bridge_link(const EngineOptions *options);
/* Whether mode names a network that a user made. */
bool network_mode_is_user(const char *mode);
/* network-mode.c: at create, what cannot go together, in Docker's words. */
int network_mode_check(const ContainerCreate *create, Error *err);
/* The container whose network namespace this one joins (container:x), a new reference; NULL in *ret
 * if it has its own. */
int container_network_owner(Container *container, Container **ret, Error *err);

/* ---- labels.c ---- */
LabelSet *label_set_ref(LabelSet *set);   /* NULL is fine, here and below */
LabelSet *label_set_unref(LabelSet *set); /* returns NULL */
/* lock or the only reference held; borrowed. */
const Pairs *container_labels(const Container *container);
/* As of the snapshot, which holds them; NULL: those of its creation. */
const Pairs *snapshot_labels(const Container *container, const ContainerSnapshot *snapshot);
/* What the update makes of the labels; NULL: nothing changes. */
LabelSet *labels_change(const Container *container, const ContainerUpdate *update);
/* A member of the column that changes, there once they were changed. */
void container_labels_write(const Container *container, json_object *state);
int container_labels_read(Container *container, json_object *state, Error *err);

/* ---- limits.c ---- */
LimitSet *limit_set_ref(LimitSet *set);   /* NULL is fine, here and below */
LimitSet *limit_set_unref(LimitSet *set); /* returns NULL */
/* lock or the only reference held. HostConfig as it is now; borrowed, nobody frees it. */
HostConfig container_host(const Container *container);
/* As of the snapshot, which holds it. */
HostConfig snapshot_host(const Container *container, const ContainerSnapshot *snapshot);
void container_limits_write(const Container *container, json_object *state);
int container_limits_read(Container *container, json_object *state, Error *err);
/* lock held. The limits with those that are given changed; invalid and conflict in Docker's words
 * and order. */
int container_limits_change(const Container *container, const HostLimits *given, LimitSet **ret,
                            Error *err);
/* lock held, it runs: its limits in force in its group, all of them or as it was before. */
int container_limits_apply(const Container *container, Error *err);

/* ---- publish.c, publish-change.c ---- */
PublishSet *publish_set_ref(PublishSet *set);   /* NULL is fine, here and below */
PublishSet *publish_set_unref(PublishSet *set); /* returns NULL */
/* lock or the only reference held: HostConfig.PortBindings as it is now; borrowed. */
const JsonArray *container_bindings(const Container *container);
void container_publish_write(const Container *container, json_object *state);
int container_publish_read(Container *container, json_object *state, Error *err);
/* lock held. What the update makes of the bindings; NULL in *ret: nothing changes. invalid: what is
 * to go is not there, or cannot be published. */
int publish_change(const Container *container, const ContainerUpdate *update, PublishSet **ret,
                   Error *err);
/* lock held, container_bindings are the new ones: its endpoints publish them, where it runs; those
 * that were and are to be go on untouched. *ret_before: for publish_restore, which frees it. On
 * failure all is as before, and the error names who has the port. */
typedef struct PublishBefore {
        JsonArray *ports; /* of each endpoint */
        size_t count;
} PublishBefore;
int publish_apply(Container *container, const JsonArray *old, PublishBefore *ret_before,
                  Error *err);
void publish_restore(Container *container, PublishBefore *before);
void publish_before_done(PublishBefore *before);
/* What publish-change.c asks of publish.c: a port as net takes it, appended; which ports are an
 * endpoint's; the words of a binding checked. */
int container_port_parse(const char *text, int *ret_port, char **ret_protocol, Error *err);
int container_port_add(JsonArray *ports, const char *spec, const PortBinding *binding, Error *err);
bool container_port_is_for(const Container *container, const Endpoint *endpoint,
                           const PortBinding *binding);
typedef struct Wanted {
        const char *spec;           /* "80/tcp" */
        const PortBinding *binding; /* NULL: of publish-all */
        bool matched;               /* by one of another list */
} Wanted;
typedef struct WantedList {
        Wanted *items; /* one port each that is to be published */
        size_t count;
} WantedList;
/* Borrows from the container and the bindings; the items are the caller's to free. */
WantedList wanted_of(const Container *container, const JsonArray *bindings);
/* port-holder.c: who has the host's port: "container web", "process 812 (nginx)"; NULL: nobody is
 * found. The caller's. but: the container that asks. */
char *port_holder(const Container *but, const NetPort *port);

/* ---- mounts-change.c ---- */
MountSet *mount_set_ref(MountSet *set);   /* NULL is fine, here and below */
MountSet *mount_set_unref(MountSet *set); /* returns NULL */
/* lock or the only reference held: its mount points as they are now; borrowed. */
const JsonArray *container_mounts(const Container *container);
/* As of the snapshot, which holds them; NULL: those of its creation. */
const JsonArray *snapshot_mounts(const Container *container, const ContainerSnapshot *snapshot);
/* host has these from now on, borrowed: it is a copy that nobody frees. */
void host_lend_mounts(HostConfig *host, const MountSet *set);
void container_mounts_write(const Container *container, json_object *state);
int container_mounts_read(Container *container, json_object *state, Error *err);
typedef struct MountsChange {
        MountSet *set; /* the new ones; once exchanged, the old ones, NULL: those of its creation */
        char **made;   /* volumes */
} MountsChange;
/* lock held, here and below: whether what the update asks of its mounts can be. conflict: it runs;
 * invalid: what is to go is not there. */
int mounts_change_check(const Container *container, const ContainerUpdate *update, Error *err);
/* Makes the volumes that are missing and takes what the new mounts use into use. Anonymous volumes
 * stand in the state until it is next saved with volumes_begun empty. On error nothing is left. */
int mounts_change_begin(Container *container, const ContainerUpdate *update, MountsChange *ret,
                        Error *err);
/* The container has its old set, here, and the new one, there: what the other uses is used no more.
 * Volumes that were taken out of use stay, as those of a removed container do. */
void mounts_change_undo(Container *container, MountsChange *change);
void mounts_change_settle(Container *container, const MountsChange *change);
void mounts_change_done(MountsChange *change);
/* At daemon start, all uses counted: takes back what a killed daemon made for a change. A record
 * that was restored may lack its end: then the volumes stay, as those that nobody uses do. */
void mounts_change_forget(Container *container);

/* ---- policies.c ---- */
int policies_new(Engine *engine, Policies **ret, Error *err); /* reads the record */
/* Before the networks are reconciled: what was in force is in force again. */
int policies_start(Engine *engine, Error *err);
Policies *policies_done(Policies *policies);
/* In which namespace policies see a container of these labels: its compose project, else
 * "default". */
const char *labels_namespace(const Pairs *labels);
/* lock held. Lends what policies look at to an endpoint of the container, until they change. */
void endpoint_lend_labels(const Container *container, Endpoint *endpoint);

/* ---- links.c: --link on the default bridge ---- */
/* "name" or "name:alias" → links: alias → name. invalid "bad format for links: …". */
int link_parse(const char *text, Pairs *links, Error *err);
/* At create: HostConfig.Links become the ids of containers that there are; none where the container
 * is on a network of a user's, whose resolver has them. */
int links_resolve(Container *container, Error *err);
/* At start: conflict "Cannot link to a non running container: …". */
int links_check(const Container *container, Error *err);
/* Whether a linked container is about to be started by its restart policy. */
bool links_must_wait(const Container *container);
void links_hosts(const Container *container, Buf *buf); /* lines of the hosts file */
char **links_environment(const Container *container);   /* the caller's; NULL: none */
/* HostConfig.Links as inspect shows it, the caller's; NULL: none. */
json_object *links_document(const Container *container);
/* lock held, it has started: those that are linked to it learn its address, later. */
void links_tell(Container *container);

/* ---- namespaces.c ---- */
/* A namespace ("pid", "net": its file in /proc) of a running container, the caller's descriptor;
 * conflict "cannot join <what> of a non running container: …" where it does not run. Takes no lock
 * but state_lock; what is opened is of its init, never of a process that got its number. */
int container_namespace_open(Container *container, const char *what, const char *file, int *ret_fd,
                             Error *err);
/* lock held. Takes init's pidfd, -1: it has ended. */
void container_set_pidfd(Container *container, int pidfd);
/* HostConfig.PidMode container:x: *ret_fd is that one's namespace, else it stays. owner: see
 * userns_share. */
int pid_mode_open(Container *container, const Container *owner, int *ret_fd, int *ret_userns_fd,
                  Error *err);

/* ---- ipc-mode.c ---- */
typedef struct IpcJoin {
        int ns_fd; /* -1: none; the caller's */
        char *shm; /* where the other's /dev/shm is until mount_places_clear; the caller's */
} IpcJoin;
/* HostConfig.IpcMode container:x, at start; else *ret stays. Conflict where x does not run,
 * internal where it does not share, in dockerd's words. owner: see userns_share. */
int ipc_mode_open(Container *container, const Container *owner, IpcJoin *ret, int *ret_userns_fd,
                  Error *err);

/* ---- netfiles.c: writes hosts, hostname, resolv.conf into <data_root>/containers/<id>/ ---- */
int netfiles_write(Container *container,
                   Error *err); /* at start, lock held, endpoints joined or reserved */
int netfiles_update_hosts(Container *container, Error *err); /* after connect and disconnect */

/* ---- container-health.c: State.Health; takes state_lock ---- */
/* lock held, before the run of this generation is published. Nothing where it has no check. */
void container_health_begin(Container *container);
/* The same for what runs already: what is recorded of this run stays. */
void container_health_adopt(Container *container);
/* Takes the output of a check in the run of this generation; age as in health_judge. Nothing, and
 * false, where that run is over or stands still. *ret_status: the status, which has changed where
 * *ret_changed says so. */
bool container_health_judge(Container *container, int64_t generation, HealthResult *result,
                            int64_t age, const char **ret_status, bool *ret_changed);
/* As of the snapshot: one of HEALTH_…; what does not run is unhealthy, as with Docker. */
const char *container_health_status(Container *container, const ContainerSnapshot *snapshot);
/* State.Health, the caller's; NULL: it has none. */
json_object *container_health_document(Container *container, const ContainerSnapshot *snapshot);
/* For the record; NULL: it has none. */
json_object *container_health_write(Container *container);
int container_health_read(Container *container, json_object *document, Error *err);

/* ---- ocispec.c, image-defaults.c (E2) ---- */
/* At create: merges image's run configuration into container->spec.config as Docker does, and sets
 * container->path and args. invalid "no command specified". */
int image_defaults_merge(Container *container, const Image *image, Error *err);
/* At create, before anything is made: checks what a document alone can show (memory below 6 MB,
 * unknown capability, security option, log driver, restart policy with --rm …) in Docker's words;
 * appends warnings. */
int container_spec_check(Engine *engine, ContainerCreate *create, char ***warnings, Error *err);

/* ---- userns.c ---- */
/* A network namespace for a start, and a user namespace that it belongs to where the container has
 * one (else *ret_userns_fd stays). */
int userns_make(const Container *container, int *ret_userns_fd, int *ret_netns_fd, Error *err);
/* Who shares a remapped container's network or processes shares its user namespace: as that owns
 * them. *ret_fd is replaced. owner: whose *ret_fd is already, NULL: nobody's; conflict where it is
 * another one. */
int userns_share(const Container *container, const Container *owner, Container *donor, int *ret_fd,
                 Error *err);
/* The user namespace of a container that runs; -1: this daemon's own. */
int userns_of_running(Container *container, int *ret_fd, Error *err);

typedef struct OcispecContext {
        const char *cgroup;      /* the document's cgroupsPath */
        const char *netfiles_id; /* the container whose hosts, hostname and resolv.conf are bound
                                    into this one */
        bool own_netns; /* a namespace is passed to the monitor by descriptor; else the host's (mode
                           host) */
        bool joined_netns;     /* mode container:x: passed by descriptor too */
        const char *shm;       /* another's /dev/shm, to be bound there; NULL: its own */
        const char *rootfs;    /* NULL: the monitor mounts the overlay */
        const int *source_fds; /* of mounts_open; NULL: none */
} OcispecContext;
/* At start, lock held. *ret must be zeroed; json_done(&oci_config_table) frees it. linux.seccomp
 * stays NULL: see seccomp_profile_*. */
int ocispec_build(Container *container, const OcispecContext *context, OciConfig *ret, Error *err);
/* The process document of an exec. */
int ocispec_exec_process(Container *container, const ExecConfig *exec, OciProcess *ret, Error *err);

/* ---- seccomp-default.c (E2) ---- */
/* *ret_key: a text that is equal for equal profiles ("default:<capabilities that matter>",
 * "file:<sha256 of it>"), the caller's, or NULL where the container runs unconfined. Cheap: called
 * at each start and exec. */
int seccomp_profile_key(const Container *container, bool privileged, char **ret_key, Error *err);
/* The document itself; the caller frees it with json_free(&oci_seccomp_table). Called once a key.
 */
int seccomp_profile_build(const Container *container, bool privileged, OciSeccomp **ret,
                          Error *err);

/* ---- mounts.c, volumes.c (E2) ---- */
int volumes_new(Engine *engine, Volumes **ret, Error *err); /* reads the record */
Volumes *volumes_free(Volumes *volumes);
/* image-mount.c. At create: finds the image that the point names, holds it for the container, and
 * fills the point in. Not found is "invalid", as a client would take it for the container's own. */
int image_mount_find(Container *container, MountPoint *point, Error *err);
/* Of a point that is another container's: holds its image for this one too. */
int image_mount_hold(Container *container, const MountPoint *point, Error *err);
/* At daemon start: the same of all of the container's own, where they are still there. */
void image_mounts_hold_again(Container *container);
/* Mounts the image of mount point `index` where this daemon and its monitors see it, until
 * mount_places_clear; *ret_fd: the image's root or its sub-path, O_PATH, the caller's. invalid
 * where there is none. remapped: with its owners as they are in the daemon's user namespaces. */
int image_mount_open(const Container *container, size_t index, bool remapped, int *ret_fd,
                     Error *err);
/* Puts a detached mount at a place of that name in the container's run directory, where a monitor,
 * and a runtime that is not brig's, can clone it; and takes it off, again if need be. What was
 * cloned of it stays. */
int mount_place_take(const Container *container, const char *name, int mount_fd, Error *err);
void mount_place_clear(const Container *container, const char *name);
void mount_places_clear(const Container *container); /* lock held: all that it may have */
#define MOUNT_PLACE_SHM "shm"
char *mount_place_of(size_t index); /* of a mount point; the caller's */
/* root-mount.c. At create: finds the container that the point names as its source. */
int root_mount_find(Container *container, MountPoint *point, Error *err);
/* As image_mount_open, of that container's mounts; conflict where it does not run. */
int root_mount_open(const Container *container, size_t index, int *ret_fd, Error *err);
/* Whether it has the donor's root among its mounts: `brig debug`. */
bool root_mount_is_of(const Container *container, const Container *donor);
/* A detached copy of what a running container has at path, whose last component and those before
 * are no links; recursive: with all that is mounted below. What is mounted on one side later is not
 * the other's. *ret_fd: the caller's; conflict where it does not run. */
int root_mount_copy(Container *donor, const char *path, bool recursive, int *ret_fd, Error *err);
/* Whether the container has a mount of that image, as of the snapshot. */
bool image_mount_is_used(const Container *container, const ContainerSnapshot *snapshot,
                         const char *image_id);
/* At create: fills container->mounts from Binds, Mounts, Tmpfs, VolumesFrom, the image's volumes;
 * makes the volumes that are missing and fills new ones from the image (container->lowers). On
 * error nothing is left. */
int mounts_resolve(Container *container, const Image *image, Error *err);
/* Takes mounts_resolve back, when a later step of create fails. */
void mounts_undo(Container *container);
/* At daemon start: removes the anonymous volumes of a create that was cut short. */
void mounts_abandon(Engine *engine, const char *container_id);
/* At daemon start, for every container of the record: counts its volumes as used. */
void mounts_adopt(Container *container, bool runs);
/* It does not run any more: what is mounted for it alone goes. Again is fine. */
void mounts_end(const Container *container);
/* At start: bind sources exist or are made as Docker does. */
int mounts_prepare(Container *container, Error *err);
/* After that: what of its mount points must not be found by a path, as the volume's files lead
 * there: a descriptor for each, -1 for the others; mounts_close frees them. invalid where a subpath
 * is not there. They must be open until the container is made. remapped: see image_mount_open. */
int mounts_open(const Container *container, bool remapped, int **ret_fds, Error *err);
void mounts_close(const Container *container, int *fds);
/* "mount" or "unmount" of each of its volumes, for those who watch events. */
void mounts_event(const Container *container, bool mounted);
/* Before the container has these mounts no more: the images among them were used until now. */
void mounts_note_use(const Container *container, const JsonArray *mounts);
/* At rm: the container uses its volumes no more; anonymous ones go if remove_volumes, but for a
 * record that was restored, as one that it does not know may have them. */
void mounts_release(Container *container, bool remove_volumes);

/* ---- attach.c (E2) ---- */
/* lock held; between monitor_created and monitor_go: hands the clients that attached before the
 * start to the monitor. */
int attach_start_pending(Container *container, Error *err);
/* On the loop's thread: a client left a terminal by its keys; emits "detach" or "exec_detach". Must
 * not block. */
void attach_detached(Container *container, const MonitorReply *reply);
/* Drops them: the start failed or the container is removed. lock held. */
void attach_drop_pending(Container *container);

/* ---- exec-index.c, exec.c (E2) ---- */
int execs_new(Engine *engine, Execs **ret, Error *err);
Execs *execs_free(Execs *execs);
/* On the loop's thread: the monitor's notice "exec-exited". Must not block: guard execs by
 * state_lock. */
void exec_notice(Container *container, const MonitorReply *reply);
/* At daemon start, published: its monitor, or its exit record, knows these execs (MonitorExec). */
void execs_adopt(Container *container, const JsonArray *known);
/* The container has ended: so have its execs. lock held. */
void exec_container_ended(Container *container);
/* The container is being removed: forget its execs. lock held. */
void exec_container_removed(Container *container);
/* A health check is about to be started; its end comes by exec_notice. Must not block. */
void exec_probe_begin(Container *container, const char *id, const ExecConfig *config);
void exec_probe_started(Engine *engine, const char *id, int64_t pid);
void exec_probe_failed(Engine *engine, const char *id);

/* ---- prober.c: health checks ---- */
int probers_new(Engine *engine, Probers **ret, Error *err);
/* On the loop's thread, once no worker is left: no check is begun any more. */
void probers_stop(Engine *engine);
Probers *probers_free(Probers *probers); /* after what was posted has run */
/* lock held, published, its monitor is there: from now on it is checked, if it has a check. */
void prober_begin(Container *container);
/* The same for one that an earlier daemon started, and that may be paused. */
void prober_adopt(Container *container);
/* lock held: what is paused is not checked. */
void prober_pause(Container *container, bool paused);
/* lock held, before its monitor is dropped. */
void prober_end(Container *container);
/* On the loop's thread: what its monitor tells. */
void prober_notice(Container *container, const MonitorReply *reply);

/* ---- events.c (E2) ---- */
int events_new(Engine *engine, Events **ret, Error *err);
Events *events_free(Events *events); /* ends its readers */
/* type "container", "network", "volume", "image"; attributes may be NULL and are copied. Never
 * blocks: may be called with any lock held. */
void engine_event_emit(Engine *engine, const char *type, const char *action, const char *actor,
                       const Pairs *attributes);
/* The same with Docker's attributes of a container: image, name, its labels; `more` may be NULL.
 * lock or the only reference held. */
void container_event(Container *container, const char *action, const Pairs *more);

/* ---- cgroup.c ---- */
/* The group that counts, limits and freezes its processes, below every hierarchy's mount point; the
 * caller's. */
char *container_cgroup(const Container *container);
/* At start: that group as the daemon's settings have it now, into the state. Invalid: no slice. */
int container_plan_cgroup(Container *container, Error *err);
char *container_cgroups_path(const Container *container); /* the document's; the caller's */
/* Where systemd makes scopes, parent must be a slice; NULL and "" are the default one. */
int cgroup_check_parent(bool systemd, const char *parent, Error *err);
int cgroup_check_driver(const EngineOptions *options, Error *err); /* unavailable: no systemd */

/* ---- lifecycle, among themselves ---- */

/* start.c: lock held, not running. On failure the record says why and nothing runs. */
int container_start_locked(Container *container, Error *err);

/* monitors.c */
/* Where the directories of running containers are; the caller's. */
char *engine_run_directory(const Engine *engine);
/* See monitor_begin; the caller's. */
MonitorProcess *container_begin_monitor(const Container *container);
/* The monitor's handler, on the loop's thread; data: the container. */
void monitor_notice(void *data, const MonitorReply *reply);
/* lock held. Ends the connection and gives back the reference that its handler had. watched:
 * notices may be under way. */
void container_drop_monitor(Container *container, bool watched);

/* exit.c: what of a container's end does not wait until its monitor has removed its control groups:
 * it leaves its networks. Blocks; takes the lock. Nothing happens if its process runs, or has been
 * dealt with. */
void exit_begin(Container *container);
/* Takes note of the end of a container: record, network, waits, auto-remove, restart
 * policy. Blocks; takes the lock. Nothing happens if it is not running. */
void exit_handle(Container *container, const ExitRecord *record);
/* The same with the lock held. */
void exit_handle_locked(Container *container, const ExitRecord *record);
/* For a container whose monitor is gone: what the exit file says, or that it was killed. */
void exit_handle_lost(Container *container);
/* Without its monitor a container has no streams, no log and nobody to reap it: what is left of it
 * is ended and its control group removed, within bounds. Nothing left is fine. */
void container_kill_orphan(Container *container);
/* The exit file of the container's last run; not_found where that has not ended. Frees with
 * json_done. */
int exit_record_of(Container *container, ExitRecord *ret, Error *err);
/* Before a start is recorded: a file that is there is of the run that the record has, or of a later
 * one. No time says that, as the clock may have been set back. */
int exit_record_forget(const Container *container, Error *err);

/* restart.c: lock held, the container has just ended. Whether its policy wants it started again,
 * given its exit code. */
bool restart_wanted(const Container *container);
/* lock held, status RESTARTING: starts it after the back-off. */
void restart_schedule(Container *container);
/* lock held, status RESTARTING: it no longer waits for its next start; back-off begins afresh. */
void restart_forget(Container *container);
/* lock held, status RESTARTING: it is not started again. */
int restart_cancel(Container *container, Error *err);
/* status RESTARTING: starts the container on a worker. */
void restart_now(Container *container);
/* At the engine's end, on the loop's thread. */
void restart_timers_drop(Engine *engine);

/* wait.c */
/* lock held, so that no end is missed between a signal and the wait. */
EngineWait *wait_register(Container *container, WaitCondition condition);
/* timeout in ns, -1: none; cancel_fd as in engine.h. 0, -ETIMEDOUT or -ECANCELED. No lock held. */
int wait_poll(EngineWait *wait, int64_t timeout, int cancel_fd);
/* Readable once it is over, for a poll together with others; -1 where there was no descriptor left.
 */
int wait_fd(const EngineWait *wait);
EngineWait *wait_free(EngineWait *wait);
DEFINE_CLEANUP(EngineWait *, wait_free)
typedef enum WaitEvent { WAIT_EVENT_EXIT, WAIT_EVENT_REMOVED } WaitEvent;
/* lock held, state set and published. */
void waits_fire(Container *container, WaitEvent event);
/* The same for those that wait for a removal which has failed: their answer says why. */
void waits_fire_kept(Container *container, const char *why);

/* signals.c */
int signal_parse(const char *text, int *ret,
                 Error *err); /* "TERM", "SIGTERM", "15"; invalid "Invalid signal: x" */
/* lock held, running: sends it to init. */
int container_signal(Container *container, int signal, Error *err);
/* As engine_container_pause(); for_commit: a daemon that is killed meanwhile leaves no pause. */
int container_pause_for(Engine *engine, const char *ref, bool for_commit, Error *err);
int container_unpause_for_commit(Engine *engine, const char *ref, Error *err);
/* Signals, waits, kills: until the container has ended. No lock held. ENGINE_UNCHANGED where it did
 * not run. */
int container_stop(Container *container, int signal, int64_t timeout, Error *err);
/* SIGKILL, and waits. No lock held. */
int container_end(Container *container, Error *err);

/* stop.c: lock held, it runs. What it is to be stopped with: the signal, and seconds, below 0: as
 * long as it takes. */
int container_stop_signal(const Container *container);
int64_t container_stop_timeout(const Container *container);
/* The signal and its event; the restart policy goes on. */
int container_kill_locked(Container *container, int signal, Error *err);

/* unhealthy.c: on the loop's thread. A check has found the run of this generation unhealthy, again
 * or for the first time, or healthy. Never blocks. */
void unhealthy_notice(Container *container, int64_t generation, bool healthy);

/* remove.c: lock held, not running. Returns once the record says that it is gone; kernel and files
 * follow on a worker. */
int container_remove_locked(Container *container, bool volumes, Error *err);
/* Queues what removal leaves to be done: for reconcile, too. Takes no reference of the caller's. */
void removal_finish_later(Container *container);
Removals *removals_new(void);
Removals *removals_free(Removals *removals); /* after workers_free */

/* endpoints.c: lock held. */
/* At create: what networks the request asks for. */
int endpoints_plan(Container *container, Error *err);
int endpoints_reserve(Container *container, Error *err);
int endpoints_join(Container *container, int netns_fd, Error *err);
void endpoints_leave(Container *container); /* idempotent */
int endpoints_rename(Container *container, Error *err);
/* lock held: whether one of its networks answers names at 127.0.0.11. */
bool container_on_resolver(const Container *container);
/* lock held: serves names to it at 127.0.0.11. */
int container_resolver_attach(Container *container, int netns_fd, Error *err);
/* One of them, for connect and disconnect. */
int endpoint_plan_one(Container *container, const char *network, const EndpointSettings *settings,
                      ContainerEndpoint **ret, Error *err);
/* Its id as an alias, in users' networks: when it joins or is connected, not when it is created,
 * by which compose tells an endpoint that it has yet to give addresses. */
void endpoint_add_short_id(const Container *container, ContainerEndpoint *endpoint);
int endpoint_reserve_one(Container *container, ContainerEndpoint *endpoint, Error *err);
int endpoint_join_one(Container *container, ContainerEndpoint *endpoint, int netns_fd, Error *err);
void endpoint_leave_one(Container *container, ContainerEndpoint *endpoint);
/* "connect" or "disconnect" of a container to a network, for those who watch events. */
void endpoint_event(const Container *container, const ContainerEndpoint *place, const char *action);
/* Writes the ports that the endpoint is to publish, which follow from the default routes that it
 * carries, and frees those before. */
int endpoint_fill_ports(const Container *container, Endpoint *endpoint, Error *err);
void endpoint_clear_ports(Endpoint *endpoint);
/* gateway.c: lock held. The endpoint whose network is to carry the default route and the ports of
 * that family: of those that lead out the one with the greatest priority, then one of both
 * families, then by name. NULL: none leads out. */
const ContainerEndpoint *gateway_elect(const Container *container, int family);
/* lock held, running: every endpoint gives up what another is to carry, so that one that is about
 * to join can have it. */
int gateway_yield(Container *container, Error *err);

/* ---- connect.c ---- */
/* lock held, running: joins the network of that id, where it has a place on it: one that the kernel
 * does not have any more (anew), or that an earlier daemon could not join. What came of it is
 * recorded. */
int container_reconnect(Container *container, const char *network_id, bool anew, Error *err);
/* lock held, running: routes and ports go where they belong now. */
int gateway_update(Container *container, Error *err);
void container_endpoint_drop(Container *container, size_t index);
/* Upstream servers for the container's resolver, and whether they were given by --dns; NULL for the
 * host's. The caller's list. */
char **netfiles_upstream(Container *container, bool *ret_given);

/* reconcile.c */
int engine_reconcile(Engine *engine, Error *err);
#define RECORD_NAME "engine.db" /* below the data root */
/* engine.c: the record is its copy, so what it does not know may be somebody's. */
bool engine_record_was_restored(const Engine *engine);
