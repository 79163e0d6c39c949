/* root-mount.c: mounts of type container, brig's own: another container's root, as it sees it, with
 * all that is mounted there, at a place in this one. They are copied from its mount namespace,
 * while it runs, and are where image-mount.c has its own while this one starts. mounts.c calls
 * this. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/bounded.h"
#include "base/clock.h"
#include "base/fd.h"
#include "engine/image-mount.h"
#include "engine/mounts-change.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/root-mount.h"
#include "os/mount.h"

int root_mount_find(Container *container, MountPoint *point, Error *err) {
        _cleanup_container_ Container *donor = NULL;

        /* Not of the kind "not found": a client would take that for the image's. */
        if (container_lookup(container->engine, point->source, &donor, NULL) < 0)
                return error_kind(err, ERROR_INVALID, "No such container: %s", point->source);
        if (donor == container)
                return error_kind(err, ERROR_INVALID, "a container cannot mount its own root");
        point->donor = str_copy(donor->id);
        str_replace(&point->source, donor->id);
        return 0;
}

bool root_mount_is_of(const Container *container, const Container *donor) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (str_equal(points[i].donor, donor->id))
                        return true;
        return false;
}

/* ---- while it is mounted ---- */

/* A look-up in the donor's mounts may meet a file system of its own that does not answer. */
#define COPY_TIMEOUT (10 * NSEC_PER_SEC)

typedef struct Copy {
        int mntns_fd, fd; /* fd: what was copied */
        char *path;
        bool recursive;
        int r;
        Error error;
} Copy;

static void copy_free(void *data) {
        Copy *copy = data;

        close_fd(&copy->mntns_fd);
        close_fd(&copy->fd);
        free(copy->path);
        free(copy);
}

/* Mounts can be copied in their own namespace alone, and a namespace is a thread's. */
static int copy_there(Copy *copy, Error *err) {
        _cleanup_close_ int root_fd = -1;

        if (unshare(CLONE_FS) < 0 || setns(copy->mntns_fd, CLONE_NEWNS) < 0)
                return error_set(err, errno, "enter the mount namespace");
        /* The root is the container's, and what lies there its program's. */
        root_fd = open_in_root(AT_FDCWD, copy->path, O_PATH | O_DIRECTORY,
                               RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        if (root_fd < 0)
                return error_set(err, errno, "open '%s'", copy->path);
        int r = mount_clone(root_fd, copy->recursive, &copy->fd, err);
        return r < 0 ? r : mount_change(copy->fd, copy->recursive, 0, 0, MS_PRIVATE, err);
}

static void copy_run(void *data) {
        Copy *copy = data;

        copy->r = copy_there(copy, &copy->error);
}

int root_mount_copy(Container *donor, const char *path, bool recursive, int *ret_fd, Error *err) {
        Copy *copy = NEW(Copy);

        *copy = (Copy){ .mntns_fd = -1, .fd = -1, .path = str_copy(path), .recursive = recursive };
        int r = container_namespace_open(donor, "mount", "mnt", &copy->mntns_fd, err);
        if (r == 0) {
                r = bounded_run(copy_run, copy, copy_free, COPY_TIMEOUT);
                if (r == -ETIMEDOUT) /* copy is the call's from now on */
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "look up '%s' in container %s: no answer within 10 s: "
                                          "a file system that it has mounted there hangs",
                                          path, donor->name);
                if (r < 0)
                        (void)error_set(err, -r, "start a thread");
        }
        if (r == 0 && copy->r < 0) {
                r = copy->r;
                if (err)
                        *err = copy->error;
        }
        if (r == 0)
                *ret_fd = TAKE_FD(copy->fd);
        copy_free(copy);
        return r;
}

int root_mount_open(const Container *container, size_t index, int *ret_fd, Error *err) {
        const MountPoint *point = (const MountPoint *)container_mounts(container)->items + index;
        _cleanup_container_ Container *donor = NULL;
        _cleanup_free_ char *place = mount_place_of(index);
        _cleanup_close_ int mount_fd = -1;
        int r = container_lookup(container->engine, point->donor, &donor, err);

        if (r == 0)
                r = root_mount_copy(donor, "/", true, &mount_fd, err);
        if (r == 0)
                r = mount_place_take(container, place, mount_fd, err);
        if (r < 0)
                return error_prefix(err, "mount the root of container %s at %s", point->donor,
                                    point->destination);
        *ret_fd = TAKE_FD(mount_fd);
        return 0;
}
