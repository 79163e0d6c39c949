/* build-run.h: what a RUN step's container gets beside its root: its layers as paths, and its
 * mounts. Inside engine only. */
#pragma once

#include "engine/build-private.h"

/* The mounts of one step, attached below <exec root>/build/<id>: a source must have a path. */
typedef struct RunMounts {
        Build *build;
        char *name; /* of the directory */
        int dir_fd;
        CacheMount **caches;
        size_t cache_count;
        int *copies; /* of contexts: directories of the engine's own */
        size_t copy_count;
} RunMounts;

/* The step's lower directories, topmost first, with the init layer above those of its base image,
 * so that no step's layer has what every container gets. `moving` is held for reading. */
int run_lowers(Build *build, const SolveJob *job, char ***ret, Error *err);
/* Fills in container's mounts, its environment's secrets, and on top of container->lowers a layer
 * with the mount points that the root lacks. On error nothing is left. */
int run_mounts_make(RunMounts *mounts, Build *build, const SolveJob *job, Container *container,
                    Error *err);
void run_mounts_drop(RunMounts *mounts);
