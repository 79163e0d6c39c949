/* copy.h: what copy.c and copy-root.c share, and what the life of a container has to do with them.
 * Inside engine only. */
#pragma once

#include "engine/container.h"
#include "image/copy.h"

/* ---- copy-root.c: the root of a container as a copy sees it ---- */
typedef struct ContainerRoot {
        CopyRoot root;
        int fd; /* the root's own */
        CopyMount *mounts;
        size_t count;
        char **hidden;
        bool incomplete; /* read-only, and some mount has no place in it */
} ContainerRoot;
void container_root_done(ContainerRoot *root);
/* lock held, running. */
int container_root_live(Container *container, ContainerRoot *ret, Error *err);
/* lock held, not running. writable: its own layer can be written to, and nobody else may mount it
 * so meanwhile. */
int container_root_build(Container *container, bool writable, ContainerRoot *ret, Error *err);

/* ---- copy.c ---- */
/* lock held: what is copied from and to it ends, its hold on the container's layer with it. Before
 * a start, which mounts the layer, and a removal. Bounded. */
int container_copies_end(Container *container, const char *why, Error *err);
