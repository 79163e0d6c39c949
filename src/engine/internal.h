/* internal.h: what the files of the engine share: the engine itself, the registry of containers,
 * and the calls between them. Outside engine/ nobody includes it. The order of locks is in
 * docs/engine.md; where a function wants a lock held, its comment says so. */
#pragma once

#include <pthread.h>

#include "engine/container.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "engine/worker.h"
#include "runtime/runtime.h"

typedef struct Events Events;             /* events.c: the ring and its readers */
typedef struct Volumes Volumes;           /* volumes.c: the index of volumes */
typedef struct Execs Execs;               /* exec.c: exec id → container */
typedef struct Networks Networks;         /* networks.c */
typedef struct SeccompCache SeccompCache; /* seccomp-cache.c */

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
        Networks *networks;
        SeccompCache *seccomp;
        int64_t started_at;
        atomic_bool stopping; /* engine_free has begun: no restart policy is followed any more */

        /* The registry: short-held, never while anything blocks. */
        pthread_mutex_t registry_lock;
        Map by_id;   /* id → Container *, one reference each */
        Map by_name; /* name without slash → Container *, or NAME_RESERVED while one is being made
                      */
};

/* ---- registry.c ---- */
/* ref: full id, name (with or without a slash before it) or unambiguous id prefix, in this order,
 * as Docker resolves. A new reference in *ret. not_found "No such container: x"; invalid "multiple
 * IDs found with provided prefix: x". */
int container_lookup(Engine *engine, const char *ref, Container **ret, Error *err);
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
int registry_rename(Engine *engine, Container *container, const char *name, Error *err);

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

/* ---- snapshot.c: see snapshot.h ---- */

/* ---- state.c: the record ---- */
/* lock held. Writes name, state and endpoints to the database, one transaction. The caller
 * publishes. */
int container_save(Container *container, bool durable, Error *err);
/* The whole record, at create; synced unless the container is an --rm one. */
int container_save_new(Container *container, Error *err);
/* A row of the record as an object that is in no registry yet. */
int container_load(Engine *engine, const DbRecord *record, Container **ret, Error *err);
bool container_is_running(const Container *container); /* running or paused; lock held */
/* lock held. conflict "Container <id> is not running", and for a paused one where allow_paused is
 * false "Container <id> is paused, unpause the container before exec" is the caller's. */
int container_require_running(const Container *container, Error *err);

/* ---- names.c ---- */
char *name_random(int attempt); /* adjective_name; attempt counts from 0; later ones get digits; the
                                   caller's */

/* ---- seccomp-cache.c ---- */
/* The compiled program of the container's profile: *ret is NULL where it runs unconfined; else
 * valid until engine_free. `privileged`: as a privileged exec. */
int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    const SeccompProgram **ret, Error *err);

/* ---- networks.c ---- */
/* A network as it is stored; immutable once published. */
typedef struct Network {
        atomic_int references;
        NetworkConfig config;
        int64_t created;
        char *scope; /* local */
        bool enable_ipv6, attachable, ingress, config_only, predefined;
        char *ipam_driver;
        Pairs ipam_options, labels;
} Network;
extern const JsonTable network_table;
int networks_new(
        Engine *engine, Networks **ret,
        Error *err); /* reads the record; makes the predefined ones later: networks_start */
Networks *networks_free(Networks *networks);
/* ref: name, id or unambiguous prefix. A new reference. not_found "network x not found". */
int network_lookup(Engine *engine, const char *ref, Network **ret, Error *err);
Network *network_unref(Network *network);
DEFINE_CLEANUP(Network *, network_unref)
/* HostConfig.NetworkMode as one of: "bridge", "host", "none", "container:<id>", or a network's name
 * ("default" and "" become "bridge"). */
const char *container_network_mode(const Container *container);
/* The container whose network namespace this one joins (container:x), a new reference, or NULL. */
int container_network_owner(Container *container, Container **ret, Error *err);
/* *ret_fd: the network namespace of a running container, the caller's; conflict where it does not
 * run. */
int container_netns_open(Container *container, int *ret_fd, Error *err);

/* ---- netfiles.c: writes hosts, hostname, resolv.conf into <data_root>/containers/<id>/ ---- */
int netfiles_write(Container *container,
                   Error *err); /* at start, lock held, endpoints joined or reserved */
int netfiles_update_hosts(Container *container, Error *err); /* after connect and disconnect */

/* ---- ocispec.c, image-defaults.c (E2) ---- */
/* At create: merges image's run configuration into container->spec.config as Docker does, and sets
 * container->path and args. invalid "no command specified". */
int image_defaults_merge(Container *container, const Image *image, Error *err);
/* At create, before anything is made: checks what a document alone can show (memory below 6 MB,
 * unknown capability, security option, log driver, restart policy with --rm …) in Docker's words;
 * appends warnings. */
int container_spec_check(Engine *engine, ContainerCreate *create, char ***warnings, Error *err);

typedef struct OcispecContext {
        const char *cgroup;      /* "/brig/<id>" or below --cgroup-parent */
        const char *netfiles_id; /* the container whose hosts, hostname and resolv.conf are bound
                                    into this one */
        bool own_netns; /* a namespace is passed to the monitor by descriptor; else the host's (mode
                           host) */
        bool joined_netns;  /* mode container:x: passed by descriptor too */
        const char *rootfs; /* NULL: the monitor mounts the overlay */
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
/* At create: fills container->mounts from Binds, Mounts, Tmpfs, VolumesFrom, the image's volumes;
 * makes the volumes that are missing and fills new ones from the image (container->lowers). On
 * error nothing is left. */
int mounts_resolve(Container *container, const Image *image, Error *err);
/* Takes mounts_resolve back, when a later step of create fails. */
void mounts_undo(Container *container);
/* At daemon start, for every container of the record: counts its volumes as used. */
void mounts_adopt(Container *container);
/* At start: bind sources exist or are made as Docker does. */
int mounts_prepare(Container *container, Error *err);
/* At rm: the container uses its volumes no more; anonymous ones go if remove_volumes. */
void mounts_release(Container *container, bool remove_volumes);

/* ---- attach.c (E2) ---- */
/* lock held; between monitor_created and monitor_go: hands the clients that attached before the
 * start to the monitor. */
int attach_start_pending(Container *container, Error *err);
/* Drops them: the start failed or the container is removed. lock held. */
void attach_drop_pending(Container *container);

/* ---- exec.c (E2) ---- */
int execs_new(Engine *engine, Execs **ret, Error *err);
Execs *execs_free(Execs *execs);
/* On the loop's thread: the monitor's notice "exec-exited". Must not block: guard execs by
 * state_lock. */
void exec_notice(Container *container, const MonitorReply *reply);
/* The container has ended: so have its execs. lock held. */
void exec_container_ended(Container *container);
/* The container is being removed: forget its execs. lock held. */
void exec_container_removed(Container *container);

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

/* ---- lifecycle, among themselves ---- */
/* start.c: lock held. */
int container_start_locked(Container *container, Error *err);
/* exit.c: the monitor's handler (loop thread). */
void exit_notice(void *data, const MonitorReply *reply);
/* exit.c: takes note of the end of a container, on a worker: record, network, waits, auto-remove,
 * restart policy. Takes the lock. */
void exit_handle(Container *container, const ExitRecord *record);
/* Waits until the container's generation `generation` has ended; 0, or -ETIMEDOUT (timeout in ns),
 * or -ECANCELED (cancel_fd). No lock held. */
int container_wait_ended(Container *container, int64_t generation, int64_t timeout, int cancel_fd);
/* remove.c: lock held, not running. Record first, kernel and files later on a worker. */
int container_remove_locked(Container *container, bool volumes, Error *err);
/* endpoints.c: lock held. */
int endpoints_reserve(Container *container, Error *err);
int endpoints_join(Container *container, Error *err);
void endpoints_leave(Container *container);
/* reconcile.c */
int engine_reconcile(Engine *engine, Error *err);
