/* root-mount.c: mounts of type container, brig's own: another container's root, as it sees it, with
 * all that is mounted there, at a place in this one. They are copied from its mount namespace,
 * while it runs, and are where image-mount.c has its own while this one starts. mounts.c calls
 * this. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "engine/ocispec.h"
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

typedef struct Copy {
        int mntns_fd;
        const char *path;
        bool recursive;
        int fd, r;
        Error error;
} Copy;

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
        return mount_clone(root_fd, copy->recursive, &copy->fd, err);
}

static void *copy_thread(void *data) {
        Copy *copy = data;

        copy->r = copy_there(copy, &copy->error);
        return NULL;
}

int root_mount_copy(Container *donor, const char *path, bool recursive, int *ret_fd, Error *err) {
        Copy copy = { .mntns_fd = -1, .path = path, .recursive = recursive, .fd = -1 };
        pthread_t thread;
        int r = container_namespace_open(donor, "mount", "mnt", &copy.mntns_fd, err);

        if (r < 0)
                return r;
        r = pthread_create(&thread, NULL, copy_thread, &copy);
        if (r == 0)
                (void)pthread_join(thread, NULL);
        close_fd(&copy.mntns_fd);
        if (r != 0)
                return error_set(err, r, "start a thread");
        if (copy.r < 0) {
                if (err)
                        *err = copy.error;
                return copy.r;
        }
        r = mount_change(copy.fd, recursive, 0, 0, MS_PRIVATE, err);
        if (r < 0)
                close_fd(&copy.fd);
        else
                *ret_fd = copy.fd;
        return r;
}

int root_mount_open(const Container *container, size_t index, int *ret_fd, Error *err) {
        const MountPoint *point = (const MountPoint *)container_mounts(container)->items + index;
        _cleanup_container_ Container *donor = NULL;
        _cleanup_close_ int mount_fd = -1;
        int r = container_lookup(container->engine, point->donor, &donor, err);

        if (r == 0)
                r = root_mount_copy(donor, "/", true, &mount_fd, err);
        if (r == 0)
                r = mount_place_take(container, index, mount_fd, err);
        if (r < 0)
                return error_prefix(err, "mount the root of container %s at %s", point->donor,
                                    point->destination);
        *ret_fd = TAKE_FD(mount_fd);
        return 0;
}
