/* build-run.h: what a RUN step's container gets beside its root: its layers as paths, and its
 * mounts. Inside engine only. */
#pragma once

#include "engine/agent-relay.h"
#include "engine/build-private.h"
#include "engine/container.h"

/* A directory of a cache mount's id; one a step, however many mounts have the id. */
typedef struct StepCache {
        CacheMount *mount;
        const char *id; /* the step's */
        int dir_fd;
        bool is_new;
} StepCache;

/* The mounts of one step, attached below <exec root>/build/<id>: a source must have a path. */
typedef struct RunMounts {
        Build *build;
        char *name; /* of the directory */
        int dir_fd;
        StepCache *caches;
        size_t cache_count;
        int *copies; /* of contexts: directories of the engine's own */
        size_t copy_count;
        AgentRelay **relays; /* of ssh mounts */
        size_t relay_count;
} RunMounts;

/* The step's lower directories, topmost first, with the init layer above those of its base image,
 * so that no step's layer has what every container gets. `moving` is held for reading. */
int run_lowers(Build *build, const SolveJob *job, char ***ret, Error *err);
/* Fills in container's mounts and its environment's secrets. On error nothing is left. */
int run_mounts_make(RunMounts *mounts, Build *build, const SolveJob *job, Container *container,
                    Error *err);
/* Puts on top of container->lowers a layer with the mount points that the root lacks. `moving` is
 * held for reading. */
int run_mounts_stubs(const RunMounts *mounts, Container *container, Error *err);
void run_mounts_drop(RunMounts *mounts);
