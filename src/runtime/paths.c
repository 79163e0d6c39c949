/* paths.c: masked and read-only paths, and sysctls. init calls it inside its root, before it gives
 * up its privileges. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bug.h"
#include "os/mount.h"
#include "os/procfs.h"
#include "runtime/private.h"

static int open_root(int *ret_fd, Error *err) {
        *ret_fd = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return *ret_fd < 0 ? error_set(err, errno, "open the container's root") : 0;
}

/* The container's /dev/null may be anything: it is a mask only if it is the null device
 * (CVE-2025-31133). */
static int open_null(int root_fd, int *ret_fd, Error *err) {
        bool any = BUG("mask-race");
        struct stat status;
        int r = root_open(root_fd, "/dev/null", O_PATH | (any ? 0 : O_NOFOLLOW), ret_fd, err);

        if (r < 0 || any)
                return r;
        if (fstat(*ret_fd, &status) < 0 || !S_ISCHR(status.st_mode) ||
            status.st_rdev != makedev(1, 3)) {
                close_fd(ret_fd);
                return error_kind(err, ERROR_FORBIDDEN,
                                  "/dev/null in the container's root is not the null device");
        }
        return 0;
}

/* An empty read-only directory that all masks of directories share. */
static int mask_directory(int target_fd, int *empty_fd, Error *err) {
        char size[] = "size=0k", mode[] = "mode=755", *options[] = { size, mode, NULL };
        _cleanup_close_ int copy_fd = -1;
        int r;

        if (*empty_fd < 0) {
                r = mount_new("tmpfs", "tmpfs", options, MOUNT_ATTR_RDONLY, empty_fd, err);
                if (r == 0)
                        r = mount_attach(*empty_fd, target_fd, err);
                return r;
        }
        r = mount_clone(*empty_fd, false, &copy_fd, err);
        return r < 0 ? r : mount_attach(copy_fd, target_fd, err);
}

static int mask_file(int target_fd, int null_fd, Error *err) {
        _cleanup_close_ int copy_fd = -1;
        int r = mount_clone(null_fd, false, &copy_fd, err);

        return r < 0 ? r : mount_attach(copy_fd, target_fd, err);
}

int paths_mask(const Setup *setup, Error *err) {
        char **paths = setup->config->linux_ ? setup->config->linux_->masked_paths : NULL;
        _cleanup_close_ int root_fd = -1, null_fd = -1, empty_fd = -1;
        int r = paths && *paths ? open_root(&root_fd, err) : 0;

        for (char **path = paths; r == 0 && path && *path; path++) {
                _cleanup_close_ int target_fd = -1;
                struct stat status;

                if (root_open(root_fd, *path, O_PATH, &target_fd, NULL) < 0 ||
                    fstat(target_fd, &status) < 0)
                        continue; /* nothing to mask: not every kernel has every path */
                if (S_ISDIR(status.st_mode)) {
                        r = mask_directory(target_fd, &empty_fd, err);
                } else {
                        if (null_fd < 0)
                                r = open_null(root_fd, &null_fd, err);
                        if (r == 0)
                                r = mask_file(target_fd, null_fd, err);
                }
                if (r < 0)
                        return error_prefix(err, "mask path '%s'", *path);
        }
        return r;
}

int paths_make_readonly(const Setup *setup, Error *err) {
        char **paths = setup->config->linux_ ? setup->config->linux_->readonly_paths : NULL;
        _cleanup_close_ int root_fd = -1;
        int r = paths && *paths ? open_root(&root_fd, err) : 0;

        for (char **path = paths; r == 0 && path && *path; path++) {
                _cleanup_close_ int target_fd = -1, copy_fd = -1;

                if (root_open(root_fd, *path, O_PATH, &target_fd, NULL) < 0)
                        continue; /* as above */
                r = mount_clone(target_fd, true, &copy_fd, err);
                if (r == 0)
                        r = mount_change(copy_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
                if (r == 0)
                        r = mount_attach(copy_fd, target_fd, err);
                if (r < 0)
                        return error_prefix(err, "make path '%s' read-only", *path);
        }
        return r;
}

/* ---- sysctls ---- */

/* Names are written a.b.c or a/b/c; in the first form a '/' stands for a '.' in a name (eth0/1). */
static char *sysctl_path(const char *name) {
        char *path = str_format("sys/%s", name);
        bool slashes =
                strchr(name, '/') && (!strchr(name, '.') || strchr(name, '/') < strchr(name, '.'));

        for (char *at = path + 4; *at && !slashes; at++)
                *at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
        return path;
}

/* Below procfs, as sysctl_path has it. */
static NamespaceKind sysctl_namespace(const char *path) {
        if (str_after(path, "sys/net/"))
                return NAMESPACE_NETWORK;
        return str_equal(path, "sys/kernel/domainname") ? NAMESPACE_UTS : NAMESPACE_IPC;
}

int sysctls_check(const Setup *setup, Error *err) {
        const Pairs *sysctls = setup->config->linux_ ? &setup->config->linux_->sysctl : NULL;

        for (size_t i = 0; sysctls && i < sysctls->count; i++) {
                _cleanup_free_ char *path = sysctl_path(sysctls->items[i].key);
                NamespaceKind kind = sysctl_namespace(path);
                _cleanup_free_ char *own = str_format("self/ns/%s", namespace_types[kind].file);
                struct stat joined, ours;

                if (setup->ns.join[kind] < 0)
                        continue;
                if (fstat(setup->ns.join[kind], &joined) < 0 ||
                    fstatat(setup->proc_fd, own, &ours, 0) < 0)
                        return error_set(err, errno, "sysctl '%s'", sysctls->items[i].key);
                if (joined.st_ino == ours.st_ino && joined.st_dev == ours.st_dev)
                        return error_kind(err, ERROR_INVALID,
                                          "sysctl \"%s\" is not in a separate kernel namespace: "
                                          "the %s namespace is the host's",
                                          sysctls->items[i].key, namespace_types[kind].name);
        }
        return 0;
}

/* The container's own procfs, where it has one: in the host's, each look at a file of a network
 * namespace walks through those of all living ones. The same keys lie in both. -1: none. The
 * caller's. */
static int open_own_procfs(void) {
        int fd = -1;

        if (BUG("proc-writes"))
                return openat(AT_FDCWD, "/proc", O_PATH | O_CLOEXEC);
        (void)procfs_open(&fd, NULL);
        return fd;
}

int sysctls_write(const Setup *setup, Error *err) {
        const Pairs *sysctls = setup->config->linux_ ? &setup->config->linux_->sysctl : NULL;
        _cleanup_close_ int own_fd = sysctls && sysctls->count > 0 ? open_own_procfs() : -1;

        for (size_t i = 0; sysctls && i < sysctls->count; i++) {
                _cleanup_free_ char *path = sysctl_path(sysctls->items[i].key);
                const char *value = sysctls->items[i].value;

                /* One that is read-only, has no such files or something mounted on them. */
                if (own_fd >= 0 && procfs_write(own_fd, path, value, NULL) == 0)
                        continue;
                int r = procfs_write(setup->proc_fd, path, value, err);

                if (r < 0)
                        return error_prefix(err, "sysctl '%s'", sysctls->items[i].key);
        }
        return 0;
}
