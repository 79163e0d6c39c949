/* mount.h: the kernel's mount calls that work on descriptors, Linux 5.12 and later. Knows no OCI
 * document and no path that a container could change: mounts are made detached and then put on an
 * open directory or file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A new, detached file system instance: fsopen, one fsconfig for each option ("key" or "key=value",
 * a NULL-terminated list or NULL), fsmount with MOUNT_ATTR_* flags. source may be NULL. *ret_fd is
 * close-on-exec and the caller's; closing it without mount_attach undoes the mount. */
int mount_new(const char *type, const char *source, char *const *options, uint64_t attributes,
              int *ret_fd, Error *err);

/* A detached copy of the mount at fd (open_tree with OPEN_TREE_CLONE), with what is mounted below
 * it if recursive. */
int mount_clone(int fd, bool recursive, int *ret_fd, Error *err);
/* The same of one mount at a path of the host's, of which nobody but root is the owner. */
int mount_clone_path(const char *path, int *ret_fd, Error *err);

/* Puts a detached (or moves an attached) mount onto the directory or file that target_fd has open.
 */
int mount_attach(int mount_fd, int target_fd, Error *err);
/* Puts it on a name in a directory that only the caller changes; follows no link there. */
int mount_attach_at(int mount_fd, int dir_fd, const char *name, Error *err);

/* mount_setattr(2): MOUNT_ATTR_* to set and to clear, and MS_PRIVATE, MS_SLAVE, MS_SHARED,
 * MS_UNBINDABLE or 0. Recursive: all mounts below, too, or none. */
int mount_change(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation,
                 Error *err);

/* The same with MOUNT_ATTR_IDMAP: ids on the mount are shifted as the user namespace maps them,
 * once a mount. unsupported: the file system cannot. */
int mount_map_ids(int fd, bool recursive, int userns_fd, Error *err);

/* A detached overlay of directories, topmost first, with upper_fd and work_fd on top (-1 both:
 * read-only; one lower alone is then a read-only copy of its mount). From Linux 6.8 any number of
 * layers; before, about 80, as an option may have 255 bytes.
 *
 * OVERLAY_VOLATILE: nothing in upper need survive a power cut, so unmounting does not write out the
 * whole file system that upper lies on (overlayfs.rst, "Volatile mount"). The kernel mounts such
 * directories only once; this takes its mark away, as nothing that a killed program wrote is
 * lost.
 *
 * "index=off", as dockerd has it: else an upper_fd that another mount has, which may just be going
 * away, is refused (overlayfs.rst, "Sharing and copying layers"); see os/layer-lock.h. */
enum { OVERLAY_VOLATILE = 1 };
int overlay_mount(const int *lower_fds, size_t n, int upper_fd, int work_fd, unsigned flags,
                  int *ret_fd, Error *err);
