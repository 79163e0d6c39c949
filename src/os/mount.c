/* mount.c: fsopen, fsmount, open_tree, move_mount and mount_setattr with the kernel's own words in
 * errors, and overlays from open directories. Its users decide what is mounted where. */
#include "os/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

/* The first line that the file system left in its context's log ("e overlay: …"), or "". */
static void log_of(int fs_fd, char *text, size_t size) {
        ssize_t n = read(fs_fd, text, size - 1);

        if (n < 0)
                n = 0;
        text[n] = '\0';
        while (n > 0 && text[n - 1] == '\n')
                text[--n] = '\0';
}

static int fs_error(int fs_fd, int number, const char *type, const char *what, Error *err) {
        char log[256];

        log_of(fs_fd, log, sizeof(log));
        if (log[0] && log[1] == ' ')
                return error_set(err, number, "mount %s: %s (%s)", type, what, log + 2);
        return error_set(err, number, "mount %s: %s", type, what);
}

static int fs_option(int fs_fd, const char *type, const char *option, Error *err) {
        const char *equals = strchr(option, '=');
        _cleanup_free_ char *key = NULL;
        int r;

        if (!equals) {
                r = fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0);
        } else {
                key = str_copy_n(option, (size_t)(equals - option));
                r = fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0);
        }
        return r < 0 ? fs_error(fs_fd, errno, type, option, err) : 0;
}

/* Creates the superblock and its detached mount. */
static int fs_mount(int fs_fd, const char *type, uint64_t attributes, int *ret_fd, Error *err) {
        int fd;

        if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return fs_error(fs_fd, errno, type, "create", err);
        fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned)attributes);
        if (fd < 0)
                return fs_error(fs_fd, errno, type, "fsmount", err);
        *ret_fd = fd;
        return 0;
}

int mount_new(const char *type, const char *source, char *const *options, uint64_t attributes,
              int *ret_fd, Error *err) {
        _cleanup_close_ int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
        int r;

        if (fs_fd < 0)
                return error_set(err, errno, "mount %s: fsopen", type);
        if (source && *source && fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0)
                return fs_error(fs_fd, errno, type, source, err);
        for (char *const *option = options; option && *option; option++) {
                r = fs_option(fs_fd, type, *option, err);
                if (r < 0)
                        return r;
        }
        return fs_mount(fs_fd, type, attributes, ret_fd, err);
}

int mount_clone(int fd, bool recursive, int *ret_fd, Error *err) {
        int copy = open_tree(fd, "",
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                                     (recursive ? AT_RECURSIVE : 0));

        if (copy < 0)
                return error_set(err, errno, "copy a mount (open_tree)");
        *ret_fd = copy;
        return 0;
}

int mount_clone_path(const char *path, int *ret_fd, Error *err) {
        int copy = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (copy < 0)
                return error_set(err, errno, "copy the mount at '%s' (open_tree)", path);
        *ret_fd = copy;
        return 0;
}

int mount_attach_at(int mount_fd, int dir_fd, const char *name, Error *err) {
        if (move_mount(mount_fd, "", dir_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return error_set(err, errno, "put a mount on '%s' (move_mount)", name);
        return 0;
}

int mount_attach(int mount_fd, int target_fd, Error *err) {
        if (move_mount(mount_fd, "", target_fd, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return error_set(err, errno, "put a mount in its place (move_mount)");
        return 0;
}

static int set_attributes(int fd, bool recursive, struct mount_attr *attr, Error *err) {
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attr,
                          sizeof(*attr)) < 0)
                return error_set(err, errno, "mount_setattr");
        return 0;
}

int mount_change(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation,
                 Error *err) {
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

        /* The access-time settings are one field of three bits: whoever sets one clears it first.
         */
        if (set & MOUNT_ATTR__ATIME)
                attr.attr_clr |= MOUNT_ATTR__ATIME;
        return set_attributes(fd, recursive, &attr, err);
}

int mount_map_ids(int fd, bool recursive, int userns_fd, Error *err) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };
        int r = set_attributes(fd, recursive, &attr, NULL);

        if (r == -EINVAL)
                return error_kind(
                        err, ERROR_UNSUPPORTED,
                        "this kernel cannot map the owners of files on this file system "
                        "(id-mapped mounts: Linux 5.12, tmpfs 6.3, not overlayfs or nfs)");
        return r < 0 ? error_set(err, -r, "map the owners of a mount (mount_setattr)") : 0;
}

/* ---- overlay ---- */

/* One directory by descriptor (Linux 6.13), else by the descriptor's name in procfs. */
static int overlay_directory(int fs_fd, const char *key, int dir_fd) {
        char path[32];

        if (fsconfig(fs_fd, FSCONFIG_SET_FD, key, NULL, dir_fd) == 0)
                return 0;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
        return fsconfig(fs_fd, FSCONFIG_SET_STRING, key, path, 0) < 0 ? -errno : 0;
}

/* Before Linux 6.5 an overlay's options are text, read only at mounting: every key is accepted.
 * Asked of a context of its own, which the question spoils. */
static bool overlay_options_are_text(void) {
        _cleanup_close_ int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);

        return fs_fd >= 0 && fsconfig(fs_fd, FSCONFIG_SET_STRING, "no-such-option", "1", 0) == 0;
}

/* The first layer, or -EINVAL from a kernel that takes none alone. */
static int overlay_first_lower(int fs_fd, int dir_fd) {
        if (fsconfig(fs_fd, FSCONFIG_SET_FD, "lowerdir+", NULL, dir_fd) == 0)
                return 0;
        return overlay_options_are_text() ? -EINVAL : overlay_directory(fs_fd, "lowerdir+", dir_fd);
}

/* Before Linux 6.7: one "lowerdir" of at most 255 bytes, so names are relative to /proc/self/fd;
 * the caller is there. */
static int overlay_lowers_as_one(int fs_fd, const int *lower_fds, size_t n, Error *err) {
        _cleanup_buf_ Buf names = {};

        for (size_t i = 0; i < n; i++)
                buf_format(&names, "%s%d", i ? ":" : "", lower_fds[i]);
        if (names.length > 255)
                return error_kind(
                        err, ERROR_UNSUPPORTED,
                        "mount overlay: this kernel's limit is about 80 layers, the image has %zu; "
                        "Linux 6.8 has no such limit",
                        n);
        if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir", names.data, 0) < 0)
                return fs_error(fs_fd, errno, "overlay", "lowerdir", err);
        return 0;
}

static int overlay_lowers(int fs_fd, const int *lower_fds, size_t n, bool *ret_relative,
                          Error *err) {
        int r = overlay_first_lower(fs_fd, lower_fds[0]);

        *ret_relative = r == -EINVAL;
        if (r == -EINVAL)
                return overlay_lowers_as_one(fs_fd, lower_fds, n, err);
        for (size_t i = 1; r == 0 && i < n; i++)
                r = overlay_directory(fs_fd, "lowerdir+", lower_fds[i]);
        return r < 0 ? fs_error(fs_fd, -r, "overlay", "lowerdir+", err) : 0;
}

/* fs_mount with /proc/self/fd as the working directory, then the old one again. Threads share one
 * until CLONE_FS is unshared: from then on this thread has its own. */
static int overlay_create_relative(int fs_fd, int *ret_fd, Error *err) {
        _cleanup_close_ int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (here < 0 || unshare(CLONE_FS) < 0 || chdir("/proc/self/fd") < 0)
                return error_set(err, errno, "mount overlay: enter /proc/self/fd");
        r = fs_mount(fs_fd, "overlay", 0, ret_fd, err);
        if (fchdir(here) < 0 && r == 0) {
                close_fd(ret_fd);
                return error_set(err, errno, "mount overlay: return to the working directory");
        }
        return r;
}

/* The kernel's mark of an earlier volatile mount: work/incompat/volatile in the work directory. */
static int overlay_make_volatile(int fs_fd, int work_fd, Error *err) {
        int r = dir_remove_at(work_fd, "work", err);

        if (r < 0)
                return error_prefix(err, "mount overlay");
        return fs_option(fs_fd, "overlay", "volatile", err);
}

static int overlay_upper(int fs_fd, int upper_fd, int work_fd, unsigned flags, Error *err) {
        int r = overlay_directory(fs_fd, "upperdir", upper_fd);

        if (r == 0)
                r = overlay_directory(fs_fd, "workdir", work_fd);
        if (r < 0)
                return fs_error(fs_fd, -r, "overlay", "upperdir, workdir", err);
        r = fs_option(fs_fd, "overlay", "index=off", err);
        return r == 0 && flags & OVERLAY_VOLATILE ? overlay_make_volatile(fs_fd, work_fd, err) : r;
}

int overlay_mount(const int *lower_fds, size_t n, int upper_fd, int work_fd, unsigned flags,
                  int *ret_fd, Error *err) {
        _cleanup_close_ int fs_fd = -1, copy = -1;
        bool relative;
        int r;

        if (n == 0)
                return error_kind(err, ERROR_INVALID, "mount overlay: no layer given");
        if (n == 1 && upper_fd < 0) {
                r = mount_clone(lower_fds[0], false, &copy, err);
                if (r == 0)
                        r = mount_change(copy, false, MOUNT_ATTR_RDONLY, 0, 0, err);
                if (r == 0)
                        *ret_fd = TAKE_FD(copy);
                return r;
        }
        fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
        if (fs_fd < 0)
                return error_set(err, errno, "mount overlay: fsopen");
        r = overlay_lowers(fs_fd, lower_fds, n, &relative, err);
        if (r == 0 && upper_fd >= 0)
                r = overlay_upper(fs_fd, upper_fd, work_fd, flags, err);
        if (r < 0)
                return r;
        return relative ? overlay_create_relative(fs_fd, ret_fd, err)
                        : fs_mount(fs_fd, "overlay", 0, ret_fd, err);
}
