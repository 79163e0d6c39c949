/* image-mount.h: images as mounts of a container, and the places where what is mounted for it alone
 * is found. Inside engine only. */
#pragma once

#include "engine/snapshot.h"

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

/* Whether the container has a mount of that image, as of the snapshot. */
bool image_mount_is_used(const Container *container, const ContainerSnapshot *snapshot,
                         const char *image_id);
