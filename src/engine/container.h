/* container.h: a container as the engine holds it; inside engine only. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "engine/engine.h"
#include "monitor/client.h"
#include "net/net.h"

typedef enum ContainerStatus {
        CONTAINER_CREATED,
        CONTAINER_RUNNING,
        CONTAINER_PAUSED,
        CONTAINER_RESTARTING,
        CONTAINER_REMOVING,
        CONTAINER_EXITED,
        CONTAINER_DEAD,
} ContainerStatus;
const char *container_status_name(ContainerStatus status); /* "created", "running" … */

/* The part of the record that changes as it runs; a JSON column of the database. */
typedef struct ContainerState {
        int64_t status; /* ContainerStatus */
        int64_t pid, exit_code;
        bool oom_killed;
        char *error;
        int64_t started_at, finished_at; /* ns since 1970, 0: never */
        int64_t restart_count;
        bool checkpointing;   /* a dump with which it ends was begun */
        char *dump_images;    /* into this directory: absolute, or below those of the containers;
                                 NULL: an older daemon began it, and did not say */
        bool stopped_by_user; /* unless-stopped and always do not start it again until the next
                                 daemon / ever */
        int64_t generation;   /* counts starts */
        bool start_begun;     /* a start whose end is not recorded yet was begun */
        int64_t unhealthy_at; /* clock_boot: since when this run is being ended because it is
                                 unhealthy (unhealthy.c); 0: it is not */
        bool remove_volumes;  /* while it is REMOVING: its anonymous volumes go too */
        char **removed_links; /* aliases */
        char *cgroup;         /* since it was last started: "/brig/<id>"; of a scope of systemd's
                                 what is below it */
        bool paused_for_commit;
        char **volumes_begun; /* anonymous ones that a change of its mounts may have made */
} ContainerState;
extern const JsonTable container_state_table;

/* A container on a network: what was asked, and the endpoint while it runs. */
typedef struct ContainerEndpoint {
        char *network_name, *network_id;
        EndpointSettings settings; /* as asked */
        Endpoint endpoint;         /* as joined; address NULL while it does not run */
        char *endpoint_id;
        bool joined;
        bool ipv6_optional; /* an IPv6 address is passed over where the network has no IPv6 */
        bool insists;       /* not stored: see Endpoint */
} ContainerEndpoint;
extern const JsonTable container_endpoint_table;

/* A mount point as inspect shows it and as the OCI document gets it. */
typedef struct MountPoint {
        char *subpath; /* of a volume or an image, below its root; NULL: all of it */
        char *type, *name, *source, *destination, *driver, *mode,
                *propagation;     /* bind, volume, tmpfs, image, container; a name is a volume's */
        char *idmap;              /* "idmap…" of idmap-spec.h; NULL: owners are as they are */
        char *image, *image_name; /* of an image: its id, and what it was asked for by */
        char *donor;              /* of a container's root: its id */
        char **layers;            /* of an image: overlay lower directories below the data root */
        bool rw;
        bool ro_below;     /* not rw, and what is mounted below it neither */
        bool no_copy;      /* volume: not filled from the image */
        bool is_own;       /* a build step's: the engine's files, not the user's */
        bool created_here; /* anonymous volume: removed with the container under -v or --rm */
        char **options;    /* further mount options: "nosuid", "size=…" */
} MountPoint;
extern const JsonTable mount_point_table;

/* Labels that are replaced as a whole; immutable, freed with the last reference. */
typedef struct LabelSet {
        atomic_int references;
        Pairs pairs;
} LabelSet;

/* The same of what update changes: limits and restart policy. */
typedef struct LimitSet {
        atomic_int references;
        HostLimits limits;
} LimitSet;

/* The same of published ports. */
typedef struct PublishSet {
        atomic_int references;
        JsonArray bindings; /* of PortBindings */
} PublishSet;

/* The same of mounts: resolved, and as HostConfig has them. */
typedef struct MountSet {
        atomic_int references;
        JsonArray points; /* of MountPoint */
        char **binds;
        JsonArray specs; /* of MountSpec */
        Pairs tmpfs;
} MountSet;

typedef struct Container {
        Engine *engine;
        atomic_int references;

        /* Never changes. */
        char id[ID_LENGTH + 1];
        int64_t created;
        char *image_id; /* "sha256:…" */
        /* As asked, with the image's defaults merged; networks and mounts as asked. Its labels are
         * for labels.c alone, its limits and restart policy for limits.c, its port bindings for
         * publish.c, its mounts for mounts.c and mounts-change.c: see container_labels,
         * container_host, container_bindings. */
        ContainerCreate spec;
        char **lowers; /* overlay lower directories below the data root */
        char *path;    /* what runs: Path and Args of inspect */
        char **args;
        JsonArray mounts; /* of MountPoint, resolved at create; see container_mounts */
        char *platform;

        /* Guarded by lock; long operations (start, stop, rm) hold it. */
        pthread_mutex_t lock;
        char *name; /* without the slash; changed with the registry's lock held too */
        ContainerState state;
        LabelSet *labels;      /* NULL: the spec's */
        LimitSet *limits;      /* NULL: the spec's */
        PublishSet *published; /* NULL: the spec's port bindings */
        MountSet *mounted;     /* NULL: those above, and the spec's */
        JsonArray endpoints;   /* of ContainerEndpoint */
        Monitor *monitor;      /* NULL while it does not run */
        int pidfd;             /* init's, -1; changed with state_lock held too */
        int netns_fd;          /* of a running container with a namespace of its own, -1 */
        JsonArray pending; /* of PendingAttach: clients that attached before the start (attach.c) */
        Map execs;         /* id → Exec (exec.c); guarded by state_lock */
        LoopSource *restart_timer; /* the loop thread's alone */
        int restart_delay_ms;      /* of the next restart by policy */
        int64_t begun;             /* clock_boot: this run; 0: before this daemon */
        unsigned restarts;         /* that wait for its end: --rm does not remove it now */
        bool name_unsaved;         /* the record may have another */

        /* Guarded by state_lock (short): for waits and for readers that must not wait for `lock`.
         */
        pthread_mutex_t state_lock;
        _Atomic(struct ContainerSnapshot *) snapshot; /* what list and inspect read: snapshot.h */
        struct EngineWait *waits;
        struct EngineCopy *copies; /* those that hold its layer (copy.c) */
        struct Health *health;     /* NULL: it was never started, or has no check */
        bool dumping;              /* criu looks at it, with `lock` held */
        unsigned killers;          /* who wait for `lock` to kill it */

        /* Held while a dump that goes on is ended by its container's being killed: checkpoint.c. */
        pthread_mutex_t kill_lock;

        /* stats.c: taken last of all but state_lock, held while its cgroup is read. */
        pthread_mutex_t stats_lock;
        struct StatsSample *stats; /* the newest; NULL while nobody looks */
        unsigned stats_watchers;

        struct Prober *prober; /* the loop thread's alone; NULL: it is not checked now */
} Container;
