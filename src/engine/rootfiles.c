/* rootfiles.c: reads files of a container's root that is not mounted here. The layers are looked
 * through from the top by descriptor; where a link makes that more than a look-up, the kernel's
 * overlay answers. Nothing of a container's is ever resolved as a path of the host. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/bug.h"
#include "base/fd.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "engine/volumes.h"
#include "os/mount.h"

#define RESOLVE_ATTEMPTS 16

/* EAGAIN: something was renamed meanwhile. */
int open_in_root(int root_fd, const char *path, uint64_t flags, uint64_t resolve) {
        struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
        int fd = -1;

        for (int attempt = 0; attempt < RESOLVE_ATTEMPTS; attempt++) {
                fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
                if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
                        return fd;
        }
        return fd;
}

/* The layers, the container's own on top; the caller's list of paths below the data root. */
static char **layer_paths(const Container *container) {
        char **paths = NULL;

        strv_format(&paths, "containers/%s/upper", container->id);
        for (char **lower = container->lowers; lower && *lower; lower++)
                strv_add(&paths, *lower);
        return paths;
}

typedef enum Found { FOUND_NOT_HERE, FOUND_NOWHERE, FOUND_FILE, FOUND_LINK } Found;

static bool is_whiteout(const struct stat *status) {
        return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd) {
        char value[2];

        return fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) >= 1 &&
               value[0] == 'y';
}

/* Looks for directory/name in one layer. *ret_fd is set for FOUND_FILE. */
static Found find_in_layer(int layer_fd, const char *directory, const char *name, int *ret_fd) {
        struct stat status;

        if (fstatat(layer_fd, directory, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return FOUND_NOT_HERE;
        if (is_whiteout(&status))
                return FOUND_NOWHERE;
        if (!S_ISDIR(status.st_mode))
                return S_ISLNK(status.st_mode) ? FOUND_LINK : FOUND_NOWHERE;
        _cleanup_close_ int dir_fd =
                openat(layer_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir_fd < 0)
                return FOUND_LINK; /* it changed under us: let the kernel say */
        if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return is_opaque(dir_fd) ? FOUND_NOWHERE : FOUND_NOT_HERE;
        if (is_whiteout(&status) || (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)))
                return FOUND_NOWHERE;
        if (S_ISLNK(status.st_mode))
                return FOUND_LINK;
        *ret_fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return *ret_fd < 0 ? FOUND_LINK : FOUND_FILE;
}

static int open_layer(const Engine *engine, const char *path, int *ret_fd, Error *err) {
        int fd = open_in_root(engine->data_root_fd, path, O_PATH | O_DIRECTORY,
                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

        if (fd < 0)
                return error_set(err, errno, "open layer '%s'", path);
        *ret_fd = fd;
        return 0;
}

static void fds_done(int *fds, size_t count) {
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        free(fds);
}

int rootfs_mount_layers(const Engine *engine, char *const *paths, int upper_fd, int work_fd,
                        unsigned flags, int *ret_fd, Error *err) {
        size_t count = strv_length(paths), opened = 0;
        int *fds = NEW_ARRAY(int, count);
        int r = 0;

        for (; r == 0 && opened < count; opened++) {
                fds[opened] = -1;
                r = open_layer(engine, paths[opened], &fds[opened], err);
        }
        if (r == 0)
                r = overlay_mount(fds, count, upper_fd, work_fd, flags, ret_fd, err);
        fds_done(fds, opened);
        return r;
}

int rootfs_open_image(const Container *container, int *ret_fd, Error *err) {
        return rootfs_mount_layers(container->engine, container->lowers, -1, -1, 0, ret_fd, err);
}

int rootfs_open(const Container *container, int *ret_fd, Error *err) {
        _cleanup_strv_ char **paths = layer_paths(container);

        return rootfs_mount_layers(container->engine, paths, -1, -1, 0, ret_fd, err);
}

static int open_by_overlay(const Container *container, char *const *paths, const char *path,
                           int *ret_fd, Error *err) {
        _cleanup_close_ int root_fd = -1;

        int r = rootfs_mount_layers(container->engine, paths, -1, -1, 0, &root_fd, err);
        if (r < 0)
                return r;
        *ret_fd = open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                               BUG("passwd-links") ? 0 : RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (*ret_fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
                return error_set(err, errno, "open /%s of the container", path);
        return 0;
}

static int check_regular(int *fd, const char *path, Error *err) {
        struct stat status;

        if (*fd < 0)
                return 0;
        if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode))
                return 0;
        close_fd(fd);
        return error_kind(err, ERROR_INVALID, "/%s of the container is not a regular file", path);
}

int rootfs_open_file(const Container *container, const char *path, int *ret_fd, Error *err) {
        _cleanup_strv_ char **paths = layer_paths(container);
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory =
                slash ? str_copy_n(path, (size_t)(slash - path)) : str_copy(".");
        int r = 0;

        *ret_fd = -1;
        for (char **layer = paths; *layer; layer++) {
                _cleanup_close_ int layer_fd = -1;

                r = open_layer(container->engine, *layer, &layer_fd, err);
                if (r < 0)
                        return r;
                switch (find_in_layer(layer_fd, directory, slash ? slash + 1 : path, ret_fd)) {
                case FOUND_NOT_HERE:
                        continue;
                case FOUND_NOWHERE:
                        return 0;
                case FOUND_LINK:
                        r = open_by_overlay(container, paths, path, ret_fd, err);
                        return r < 0 ? r : check_regular(ret_fd, path, err);
                case FOUND_FILE:
                        return check_regular(ret_fd, path, err);
                }
        }
        return 0;
}
