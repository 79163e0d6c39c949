/* root-mount.c: mounts of type container, brig's own: another container's root, as it sees it, with
 * all that is mounted there, at a place in this one; and what --ipc container:… shares of it. They
 * are copied from its mount namespace, while it runs, and are where image-mount.c has its own while
 * this one starts. mounts.c calls this. */
#include <errno.h>
#include <fcntl.h>
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

typedef struct Copy {
        int mntns_fd;
        const char *path; /* in the donor, made by the engine: no link of its own leads to it */
        int fd, r;
        Error error;
} Copy;

/* Mounts can be copied in their own namespace alone, and a namespace is a thread's. */
static int copy_there(Copy *copy, Error *err) {
        _cleanup_close_ int root_fd = -1;

        if (unshare(CLONE_FS) < 0 || setns(copy->mntns_fd, CLONE_NEWNS) < 0)
                return error_set(err, errno, "enter the mount namespace");
        root_fd = open(copy->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (root_fd < 0)
                return error_set(err, errno, "open '%s'", copy->path);
        return mount_clone(root_fd, true, &copy->fd, err);
}

static void *copy_thread(void *data) {
        Copy *copy = data;

        copy->r = copy_there(copy, &copy->error);
        return NULL;
}

static int copy_mounts(Container *donor, const char *path, int *ret_fd, Error *err) {
        Copy copy = { .mntns_fd = -1, .path = path, .fd = -1 };
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
        /* What is mounted on one side later is not the other's. */
        r = mount_change(copy.fd, true, 0, 0, MS_PRIVATE, err);
        if (r < 0)
                close_fd(&copy.fd);
        else
                *ret_fd = copy.fd;
        return r;
}

int root_mount_open(const Container *container, size_t index, int *ret_fd, Error *err) {
        const MountPoint *point = (const MountPoint *)container->mounts.items + index;
        _cleanup_container_ Container *donor = NULL;
        _cleanup_close_ int mount_fd = -1;
        int r = container_lookup(container->engine, point->donor, &donor, err);

        if (r == 0)
                r = copy_mounts(donor, point->subpath ?: "/", &mount_fd, err);
        if (r == 0)
                r = mount_place_take(container, index, mount_fd, err);
        if (r < 0)
                return error_prefix(err, "mount the root of container %s at %s", point->donor,
                                    point->destination);
        *ret_fd = TAKE_FD(mount_fd);
        return 0;
}

/* ---- --ipc container:… ---- */

static bool shares_root(const Container *container, const Container *donor) {
        const MountPoint *points = container->mounts.items;

        for (size_t i = 0; i < container->mounts.count; i++)
                if (str_equal(points[i].donor, donor->id) && !points[i].subpath)
                        return true;
        return false;
}

static int ipc_donor_find(Container *container, Container **ret, Error *err) {
        const char *ref = str_after(container->spec.host.ipc_mode ?: "", "container:");
        _cleanup_container_ Container *donor = NULL;

        if (!ref)
                return 0;
        if (container_lookup(container->engine, ref, &donor, NULL) < 0)
                return error_kind(err, ERROR_INVALID, "No such container: %s", ref);
        if (donor == container)
                return error_kind(err, ERROR_INVALID, "cannot join own IPC namespace");
        /* Who has all of its files has what is in /dev/shm, too: brig debug. */
        if (!str_equal(donor->spec.host.ipc_mode, "shareable") && !shares_root(container, donor))
                return error_kind(err, ERROR_CONFLICT,
                                  "cannot join IPC of a container %s: non-shareable IPC (hint: use "
                                  "IpcMode:shareable for the donor container)",
                                  ref);
        *ret = container_ref(donor);
        return 0;
}

int ipc_mount_find(Container *container, MountPoint *ret, Error *err) {
        _cleanup_container_ Container *donor = NULL;
        int r = ipc_donor_find(container, &donor, err);

        if (r < 0 || !donor)
                return r;
        *ret = (MountPoint){ .type = str_copy("container"),
                             .donor = str_copy(donor->id),
                             .source = str_copy(donor->id),
                             .subpath = str_copy("/dev/shm"),
                             .destination = str_copy("/dev/shm"),
                             .mode = str_copy(""),
                             .rw = true };
        return 0;
}

int ipc_mode_open(Container *container, int *ret_fd, int *ret_userns_fd, Error *err) {
        _cleanup_container_ Container *donor = NULL;
        int r = ipc_donor_find(container, &donor, err);

        if (r < 0 || !donor)
                return r;
        r = container_namespace_open(donor, "IPC", "ipc", ret_fd, err);
        return r < 0 ? r : userns_share(container, donor, ret_userns_fd, err);
}
