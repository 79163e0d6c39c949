/* userns.h: user namespaces by descriptor, and trees of files that are seen through one. Knows no
 * container and no names of users. user_namespaces(7), mount_setattr(2) "ID-mapped mounts". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* One line of uid_map or gid_map. */
typedef struct IdRange {
        int64_t inside, outside, count;
} IdRange;

typedef struct IdMap {
        const IdRange *uids, *gids; /* borrowed */
        size_t uid_count, gid_count;
} IdMap;

/* A new user namespace, a child of the caller's; ret_netns_fd, if not NULL, gets a network
 * namespace that belongs to it. Both close-on-exec and the caller's: nothing but them keeps the
 * namespaces. May be called from any thread: the process that they are made by does nothing but
 * wait, and is gone when this returns. */
int userns_new(const IdMap *map, int *ret_fd, int *ret_netns_fd, Error *err);

/* A detached copy of the mount that dir_fd lies in, from that directory on, whose owners are
 * shifted as the namespace maps them: 0 on the disk is the namespace's root. Errors as
 * mount_map_ids. */
int userns_view(int dir_fd, int userns_fd, int *ret_fd, Error *err);

/* Runs work in a child with a mount namespace of its own, in which the view of dir_fd lies on "/",
 * since before Linux 6.15 overlayfs takes no layer from a detached mount. view_fd: that view's
 * directory. It has the ids of the view's root and all privileges, as only mapped ids can make
 * files there; dir_fd must be root's. The descriptor that work gives comes back. The calling
 * process must be single-threaded. */
typedef int (*UsernsWork)(void *data, int view_fd, int *ret_fd, Error *err);
int userns_with_view(int dir_fd, int userns_fd, UsernsWork work, void *data, int *ret_fd,
                     Error *err);
/* The first half of that for the calling thread, which is to end soon: from now on it has a mount
 * namespace of its own, and those ids. */
int userns_enter_view(int view_fd, Error *err);
