/* mounts.h: what mounts.c, which resolves mounts at a container's creation, and mounts-change.c,
 * which changes them later, share. Inside engine only. */
#pragma once

#include "engine/internal.h"

typedef struct MountJob {
        Container *container;
        JsonArray *points; /* of MountPoint: where they go */
        char **made;       /* names of volumes that this made */
        /* Names for anonymous volumes, the next one first, that the record has already; NULL: they
         * are chosen, and noted in the container's directory. */
        char **names;
} MountJob;

/* Parses it, takes its volume or image into use for the container, and appends it to the job's
 * points. taken: destinations, to which this one is added; invalid where it is among them. */
int mount_resolve(MountJob *job, const MountSpec *spec, char ***taken, Error *err);
MountPoint *mount_find(const JsonArray *points, const char *destination);
bool mounts_have_volume(const JsonArray *mounts, const char *name);
/* below: what holds where spec (may be NULL) says nothing. */
void mount_set_read_only_below(MountPoint *point, const MountSpec *spec, bool below);
/* Ids on a mount are the host's, which mean something else in a user namespace: invalid where the
 * container's next start is in one, or is not, and they were given for the other. */
int mounts_check_idmaps(const Container *container, const JsonArray *mounts, Error *err);
