/* engine-private.h: the engine itself, as its own files see it, its settings, and its start.
 * Inside engine only. The order of locks is in docs/engine.md; where a function of these headers
 * wants a lock held, its comment says so. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/map.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/worker.h"
#include "net/net.h"
#include "os/child-reaper.h"

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
#define ENGINE_ID_SIZE 37        /* a UUID and its NUL */
#define IMAGE_DIRECTORY "image/" /* the image store's root below the data root */

struct Engine {
        /* Never change after engine_new. */
        EngineOptions options;   /* strings are the engine's own copies */
        char id[ENGINE_ID_SIZE]; /* identity.c */
        Loop *loop;
        int data_root_fd, exec_root_fd;
        int containers_fd; /* <data_root>/containers */
        int run_fd;        /* <exec_root>/containers */
        Db *db;
        ImageStore *images;
        Net *net;
        Workers *workers;
        ChildReaper *reaper; /* of children that were killed and did not end */
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
        Map by_id;               /* id → Container *, one reference each */
        struct Roster *roster;   /* containers_all, made when it is asked for; NULL: not since the
                                    last change */
        uint64_t roster_changes; /* containers made and removed */
        Map by_name; /* name without slash → Container *, or NAME_RESERVED while one is being made
                      */
};

/* ---- settings.c ---- */
void settings_start(Engine *engine); /* with those of the options */
void settings_end(Engine *engine);
/* How registries are reached, as engine_settings says now; borrowed until the engine is freed. */
const RegistryOptions *engine_registry(const Engine *engine);
/* When images go that nothing uses, likewise. */
const ImageGcBounds *engine_image_gc(const Engine *engine);

/* identity.c: sets the engine's ID: that of its earlier runs, or a new one. */
void engine_identify(Engine *engine);

/* reconcile.c */
int engine_reconcile(Engine *engine, Error *err);
#define RECORD_NAME "engine.db" /* below the data root */
/* engine.c: the record is its copy, so what it does not know may be somebody's. */
bool engine_record_was_restored(const Engine *engine);
