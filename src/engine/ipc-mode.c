/* ipc-mode.c: --ipc container:x: the IPC namespace of another container and its /dev/shm. That
 * lies in the other's mount namespace alone, so that a copy of the mount is put into the run
 * directory, from where the one that starts takes its own; then it goes again. */
#include <sys/mount.h>

#include "base/fd.h"
#include "engine/engine-private.h"
#include "engine/image-mount.h"
#include "engine/mounts-change.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/root-mount.h"
#include "os/mount.h"

#define SHM "/dev/shm"

static bool has_own_shm(const Container *container, const ContainerSnapshot *snapshot) {
        const JsonArray *mounts = snapshot_mounts(container, snapshot);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (str_equal(points[i].destination, SHM) ||
                    str_equal(points[i].destination, "/dev"))
                        return true;
        return false;
}

static bool is_shareable(const Container *container, const ContainerSnapshot *snapshot) {
        const char *mode = container->spec.host.ipc_mode;

        return !str_equal(mode, "private") && !str_equal(mode, "none") &&
               !has_own_shm(container, snapshot);
}

/* ---- its /dev/shm ---- */

static int take_shm(Container *donor, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = root_mount_copy(donor, SHM, false, &fd, err);

        if (r == 0)
                r = mount_change(fd, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, err);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

static int place_shm(const Container *container, Container *donor, char **ret_path, Error *err) {
        _cleanup_close_ int shm_fd = -1;
        int r = take_shm(donor, &shm_fd, err);

        if (r == 0)
                r = mount_place_take(container, MOUNT_PLACE_SHM, shm_fd, err);
        if (r < 0)
                return r;
        *ret_path = str_format("%s/containers/%s/" MOUNT_PLACE_SHM,
                               container->engine->options.exec_root, container->id);
        return 0;
}

/* ---- the mode ---- */

static int check_donor(const Container *container, Container *donor, Error *err) {
        if (donor == container)
                return error_kind(err, ERROR_INVALID, "cannot join own IPC namespace");
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(donor);
        if (!snapshot || snapshot->state.pid <= 0)
                return error_kind(err, ERROR_CONFLICT, "container %s is not running", donor->id);
        if (snapshot->state.status == CONTAINER_RESTARTING)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is restarting, wait until the container is running",
                                  donor->id);
        /* Who has all of its files has what is in /dev/shm, too. */
        if (!is_shareable(donor, snapshot) && !root_mount_is_of(container, donor))
                return error_kind(err, ERROR_INTERNAL,
                                  "non-shareable IPC (hint: use IpcMode:shareable for the donor "
                                  "container)");
        return 0;
}

int ipc_mode_open(Container *container, const Container *owner, IpcJoin *ret, int *ret_userns_fd,
                  Error *err) {
        const char *ref = container->spec.host.ipc_mode
                                  ? str_after(container->spec.host.ipc_mode, "container:")
                                  : NULL;
        _cleanup_container_ Container *donor = NULL;
        int r;

        if (!ref)
                return 0;
        r = container_lookup(container->engine, ref, &donor, err);
        if (r == 0)
                r = check_donor(container, donor, err);
        if (r == 0)
                r = container_namespace_open(donor, "IPC", "ipc", &ret->ns_fd, err);
        if (r == 0)
                r = userns_share(container, owner, donor, ret_userns_fd, err);
        if (r == 0)
                r = place_shm(container, donor, &ret->shm, err);
        return r < 0 ? error_prefix(err, "can't join IPC of container %s", ref) : 0;
}
