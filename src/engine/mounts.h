/* mounts.h: the mounts of a container, from its creation to its end; and what mounts.c, which
 * resolves them at its creation, shares with mounts-change.c, which changes them later. Inside
 * engine only. */
#pragma once

#include "engine/container.h"

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

/* ---- mounts.c ---- */
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
