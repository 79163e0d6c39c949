/* copy-root.c: a container's root with all that is mounted in it, for copies. Of one that runs
 * these are its own mounts; of one that doesn't, detached mounts of its layers, volumes and bound
 * files, which the confined program puts together (image/confine-root.c): none of them is ever in
 * this daemon's mount namespace, so that a daemon that is killed leaves none. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/copy.h"
#include "engine/engine-private.h"
#include "engine/idmap-spec.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/outside.h"
#include "engine/state.h"
#include "os/layer-lock.h"
#include "os/mount.h"

/* The engine's own mounts, of which nothing is copied, as with Docker. */
static const char *const own_mounts[] = { "/proc", "/sys", "/dev" };
static const char *const generated[] = { "resolv.conf", "hostname", "hosts" };

void container_root_done(ContainerRoot *root) {
        close_fd(&root->fd);
        for (size_t i = 0; i < root->count; i++) {
                close_fd(&root->mounts[i].fd);
                free(root->mounts[i].destination);
        }
        free(root->mounts);
        strv_free(root->hidden);
        *root = (ContainerRoot){ .fd = -1 };
}

static bool is_mounted(const Container *container, const char *destination) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (str_equal(points[i].destination, destination))
                        return true;
        return false;
}

/* ---- one that runs ---- */

int container_root_live(Container *container, ContainerRoot *ret, Error *err) {
        _cleanup_close_ int userns_fd = -1;
        int fd, r = userns_of_running(container, &userns_fd, err);

        if (r < 0)
                return r;
        fd = fcntl(container->pidfd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_set(err, errno, "container %s", container->id);
        *ret = (ContainerRoot){ .fd = fd };
        for (size_t i = 0; i < ELEMENTS(own_mounts); i++)
                if (!is_mounted(container, own_mounts[i]))
                        strv_add(&ret->hidden, own_mounts[i]);
        ret->root = (CopyRoot){
                .live = true, .remapped = userns_fd >= 0, .fd = fd, .hidden = ret->hidden
        };
        return 0;
}

/* ---- one that does not ---- */

/* fd is the source where it is open already, or -1. */
static int add_mount(ContainerRoot *root, int fd, const char *source, const char *destination,
                     const char *idmap, bool recursive, unsigned read_only, Error *err) {
        _cleanup_close_ int opened = -1, copy = -1;
        int r = fd < 0 ? outside_exists(source, false, err) : 0;

        if (r < 0)
                return r;
        opened = fd < 0 ? open(source, O_PATH | O_CLOEXEC) : -1;
        if (fd < 0 && opened < 0)
                return error_set(err, errno, "open mount source '%s'", source);
        r = mount_clone(fd < 0 ? opened : fd, recursive, &copy, err);
        if (r == 0)
                r = mount_change(copy, true, 0, 0, MS_PRIVATE, err);
        if (r == 0 && idmap)
                r = idmap_apply(idmap, copy, err);
        if (r == 0 && read_only > 0)
                r = mount_change(copy, read_only > 1, MOUNT_ATTR_RDONLY, 0, 0, err);
        if (r < 0)
                return error_prefix(err, "mount source '%s'", source);
        GROW(root->mounts, root->count);
        root->mounts[root->count++] = (CopyMount){ TAKE_FD(copy), str_copy(destination) };
        return 0;
}

/* What is in memory only is gone with the last run. fds: of mounts_open. */
static int add_points(const Container *container, const int *fds, ContainerRoot *root, Error *err) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < mounts->count; i++)
                if (!str_equal(points[i].type, "tmpfs"))
                        r = add_mount(root, fds[i], points[i].source, points[i].destination,
                                      points[i].idmap, !strv_has(points[i].options, "bind"),
                                      points[i].rw         ? 0
                                      : points[i].ro_below ? 2
                                                           : 1,
                                      err);
        return r;
}

/* A volume with options is mounted for as long as it takes to clone it. */
static int add_prepared(Container *container, ContainerRoot *root, Error *err) {
        int *fds = NULL;
        int r = mounts_prepare(container, err);

        if (r == 0)
                r = mounts_open(container, false, &fds, err);
        if (r == 0)
                r = add_points(container, fds, root, err);
        mounts_close(container, fds);
        mounts_end(container);
        return r;
}

/* Those of its last run, if it had one. */
static int add_generated(const Container *container, ContainerRoot *root, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(generated); i++) {
                _cleanup_free_ char *destination = str_format("/etc/%s", generated[i]);
                _cleanup_free_ char *below = str_format("%s/%s", container->id, generated[i]);
                _cleanup_free_ char *source =
                        str_format("%s/containers/%s", container->engine->options.data_root, below);
                struct stat st;

                if (!is_mounted(container, destination) &&
                    fstatat(container->engine->containers_fd, below, &st, 0) == 0)
                        r = add_mount(root, -1, source, destination, NULL, false,
                                      container->spec.host.readonly_rootfs, err);
        }
        return r;
}

static size_t depth(const char *path) {
        size_t count = 0;

        for (; *path; path++)
                count += *path == '/' && path[1] && path[1] != '/';
        return count;
}

/* Parents before what is mounted in them. */
static int compare_depth(const void *a, const void *b) {
        size_t one = depth(((const CopyMount *)a)->destination),
               other = depth(((const CopyMount *)b)->destination);

        return one < other ? -1 : one > other;
}

/* Whether a mount's place is there: in the deepest of those before it that it lies in, or else in
 * the root. */
static bool has_place(const ContainerRoot *root, size_t index) {
        const char *rest = root->mounts[index].destination;
        _cleanup_close_ int fd = -1;
        int in = root->fd;

        for (size_t i = index; i-- > 0 && in == root->fd;) {
                const char *below =
                        str_after(root->mounts[index].destination, root->mounts[i].destination);

                if (below && *below == '/') {
                        rest = below;
                        in = root->mounts[i].fd;
                }
        }
        fd = open_in_root(in, rest, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        return fd >= 0;
}

static bool has_places(const ContainerRoot *root) {
        for (size_t i = 0; i < root->count; i++)
                if (!has_place(root, i))
                        return false;
        return true;
}

static int mount_writable(const Container *container, int *ret, Error *err) {
        _cleanup_close_ int upper = -1, work = -1;
        _cleanup_free_ char *path = str_format("%s/work", container->id);
        int r = container_open_upper(container, &upper, err);

        if (r == 0)
                r = dir_open_at(container->engine->containers_fd, path, 0, &work, err);
        if (r == 0)
                r = layer_lock(upper, -1, LAYER_LOCK_MAX_MS, err);
        return r < 0 ? r
                     : rootfs_mount_layers(container->engine, container->lowers, upper, work,
                                           container->spec.host.auto_remove ? OVERLAY_VOLATILE : 0,
                                           ret, err);
}

int container_root_build(Container *container, bool writable, ContainerRoot *ret, Error *err) {
        _cleanup_(container_root_done) ContainerRoot root = { .fd = -1 };
        int r = writable ? mount_writable(container, &root.fd, err)
                         : rootfs_open(container, &root.fd, err);

        if (r == 0)
                r = add_prepared(container, &root, err);
        if (r == 0)
                r = add_generated(container, &root, err);
        if (r < 0)
                return r;
        if (root.count > 0)
                qsort(root.mounts, root.count, sizeof(*root.mounts), compare_depth);
        root.root = (CopyRoot){ .fd = root.fd,
                                .mounts = root.mounts,
                                .mount_count = root.count,
                                .read_only = writable && container->spec.host.readonly_rootfs };
        root.incomplete = !writable && !has_places(&root);
        *ret = root;
        root = (ContainerRoot){ .fd = -1 };
        return 0;
}
