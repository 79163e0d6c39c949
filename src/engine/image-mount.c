/* image-mount.c: mounts of type image: an image's files, read-only, at a place in a container. The
 * layers are held for the container as those of its own image are. While it starts (or is copied
 * from) they are mounted in its run directory, as a monitor, and a runtime that is not brig's, can
 * clone only what is attached; its own copy of the mount outlives that. mounts.c calls this. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/image-mount.h"
#include "engine/mounts-change.h"
#include "engine/ocispec.h"
#include "os/mount.h"

static void image_drop(Image *image) {
        image_done(image);
}

/* Of the kind "not found" a client would go and pull the container's own image. */
static int not_here(int r, Error *err) {
        if (!err || err->kind != ERROR_NOT_FOUND)
                return r;
        err->kind = ERROR_INVALID;
        return error_number_of(ERROR_INVALID);
}

int image_mount_hold(Container *container, const MountPoint *point, Error *err) {
        int r = image_hold(container->engine->images, point->image, container->id, err);

        return r < 0 ? not_here(r, err) : 0;
}

int image_mount_find(Container *container, MountPoint *point, Error *err) {
        ImageStore *images = container->engine->images;
        _cleanup_(image_drop) Image image = { 0 };
        _cleanup_strv_ char **lowers = NULL;
        int r = image_find(images, point->image_name, &image, err);

        if (r < 0)
                return not_here(r, err);
        point->image = str_copy(image.id);
        r = image_mount_hold(container, point, err);
        if (r == 0)
                r = image_layers(images, &image, &lowers, err);
        if (r < 0)
                return r;
        if (!lowers)
                return error_kind(err, ERROR_INVALID,
                                  "image '%s' has no layers, so nothing to mount: use one that has",
                                  point->image_name);
        for (char **lower = lowers; *lower; lower++)
                strv_format(&point->layers, IMAGE_DIRECTORY "%s", *lower);
        point->source = str_format("%s/%s", container->engine->options.data_root, point->layers[0]);
        return 0;
}

void image_mounts_hold_again(Container *container) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                Error error = { 0 };

                if (points[i].image && image_mount_hold(container, &points[i], &error) < 0 &&
                    error.kind != ERROR_INVALID)
                        log_error("hold the image that container %s mounts: %s", container->id,
                                  error.message);
        }
}

bool image_mount_is_used(const Container *container, const ContainerSnapshot *snapshot,
                         const char *image_id) {
        const JsonArray *mounts = snapshot_mounts(container, snapshot);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (points[i].image && str_equal(points[i].image, image_id))
                        return true;
        return false;
}

/* ---- while it is mounted ---- */

static int place_open(const Container *container, const char *name, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%s/%s", container->id, name);

        return dir_open_at(container->engine->run_fd, path, 0700, ret_fd, err);
}

char *mount_place_of(size_t index) {
        return str_format("image-%zu", index);
}

int mount_place_take(const Container *container, const char *name, int mount_fd, Error *err) {
        _cleanup_close_ int place_fd = -1, anchor_fd = -1;

        mount_place_clear(container, name);
        int r = place_open(container, name, &place_fd, err);
        if (r == 0)
                r = mount_clone(place_fd, false, &anchor_fd, err);
        if (r == 0)
                r = mount_attach(anchor_fd, place_fd, err);
        /* Of what is attached to a shared mount, as the host's /run is, all of its peers would get
         * copies, some of which nobody takes off: so it is attached to a private one. */
        if (r == 0)
                r = mount_change(anchor_fd, false, 0, 0, MS_PRIVATE, err);
        return r < 0 ? r : mount_attach(mount_fd, anchor_fd, err);
}

static int open_subpath(int root_fd, const MountPoint *point, int *ret_fd, Error *err) {
        /* Links of the image are followed within it, absolute ones too. */
        int fd = open_in_root(root_fd, point->subpath ?: ".", O_PATH,
                              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        int number = errno;

        if (fd < 0)
                return error_kind(err, ERROR_INVALID, "cannot access subpath '%s' of image %s: %s",
                                  point->subpath ?: ".", point->image_name, strerror(number));
        *ret_fd = fd;
        return 0;
}

/* An overlay takes a mapping only while it is made. */
static int mount_layers(const Container *container, const MountPoint *point, bool remapped,
                        int *ret_fd, Error *err) {
        return remapped ? userns_mount_layers(container->engine, point->layers, NULL, NULL, 0,
                                              ret_fd, err)
                        : rootfs_mount_layers(container->engine, point->layers, -1, -1, 0, ret_fd,
                                              err);
}

int image_mount_open(const Container *container, size_t index, bool remapped, int *ret_fd,
                     Error *err) {
        const MountPoint *point = (const MountPoint *)container_mounts(container)->items + index;
        _cleanup_free_ char *place = mount_place_of(index);
        _cleanup_close_ int mount_fd = -1;
        int r = mount_layers(container, point, remapped, &mount_fd, err);

        if (r == 0)
                r = mount_place_take(container, place, mount_fd, err);
        /* Attached, the descriptor is that of its root. */
        if (r == 0)
                r = open_subpath(mount_fd, point, ret_fd, err);
        return r < 0 ? error_prefix(err, "mount image %s at %s", point->image_name,
                                    point->destination)
                     : 0;
}

void mount_place_clear(const Container *container, const char *name) {
        _cleanup_free_ char *below = str_format("%s/%s", container->id, name);
        _cleanup_free_ char *path =
                str_format("/proc/self/fd/%d/%s", container->engine->run_fd, below);

        while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
                ;
        if (errno != EINVAL && errno != ENOENT)
                log_error("unmount %s of the run directory: %s", below, strerror(errno));
        (void)unlinkat(container->engine->run_fd, below, AT_REMOVEDIR);
}

void mount_places_clear(const Container *container) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                _cleanup_free_ char *place = mount_place_of(i);

                if (points[i].image || points[i].donor)
                        mount_place_clear(container, place);
        }
        if (str_after(container->spec.host.ipc_mode ?: "", "container:"))
                mount_place_clear(container, MOUNT_PLACE_SHM);
}
