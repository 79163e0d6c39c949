/* root-mount.h: the root of a container as a mount of another. Inside engine only. */
#pragma once

#include "engine/container.h"

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
