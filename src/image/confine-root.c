/* confine-root.c: a private view of a container's root as the only one that this process has; see
 * confine.h. A container that runs is looked at through a copy of its mounts: what it renames,
 * links or mounts from then on leads nowhere but into itself (CVE-2018-15664), and nothing that it
 * has is ever executed or loaded (CVE-2019-14271). One that does not run is put together here. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/bug.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/confine.h"
#include "os/mount.h"

#define RESOLVE_ATTEMPTS 64

static bool leads_outside(void) {
        return BUG("copy-links") || BUG("copy-race");
}

/* As if the root were a directory that links may lead out of: at once, or after a look at where the
 * path leads. */
static int open_outside(int root_fd, const char *path, struct open_how how, bool look) {
        _cleanup_close_ int inside =
                look ? (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how)) : -1;

        if (look && inside < 0)
                return -errno;
        if (look) /* so long that few rounds are enough */
                (void)poll(NULL, 0, 20);
        path += strspn(path, "/");
        how.resolve = 0;
        int fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
        return fd < 0 ? -errno : fd;
}

int root_open(int root_fd, const char *path, uint64_t flags) {
        struct open_how how = {
                .flags = flags | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        int fd = -1;

        if (leads_outside())
                return open_outside(root_fd, path, how, !BUG("copy-links"));

        /* EAGAIN: something was renamed meanwhile. Whoever renames without end is not waited for.
         */
        for (int attempt = 0; attempt < RESOLVE_ATTEMPTS; attempt++) {
                fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
                if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
                        break;
        }
        return fd < 0 ? -errno : fd;
}

/* ---- the places of mounts ---- */

/* One name of the way; what others made meanwhile is fine. */
static int make_directory(int root_fd, const char *parent, const char *name) {
        _cleanup_close_ int fd = root_open(root_fd, parent, O_PATH | O_DIRECTORY);

        if (fd < 0)
                return fd;
        return mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_file(int root_fd, const char *parent, const char *name) {
        _cleanup_close_ int fd = root_open(root_fd, parent, O_PATH | O_DIRECTORY);
        _cleanup_close_ UNUSED int file = -1;

        if (fd < 0)
                return fd;
        file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        return file < 0 && errno != EEXIST ? -errno : 0;
}

/* mkdir -p of all but the last name, which is a directory or an empty file. */
static int make_place(int root_fd, const char *path, bool directory) {
        for (const char *name = path + strspn(path, "/"); *name;) {
                const char *end = strchrnul(name, '/'), *next = end + strspn(end, "/");
                _cleanup_free_ char *parent = str_copy_n(path, (size_t)(name - path));
                _cleanup_free_ char *word = str_copy_n(name, (size_t)(end - name));
                int r = *next || directory ? make_directory(root_fd, parent, word)
                                           : make_file(root_fd, parent, word);

                if (r < 0)
                        return r;
                name = next;
        }
        return 0;
}

static int put_mount(int root_fd, const ConfineMount *mount, Error *err) {
        _cleanup_close_ int target = root_open(root_fd, mount->destination, O_PATH);
        struct stat st;
        int r;

        if (fstat(mount->fd, &st) < 0)
                return error_set(err, errno, "look at what is mounted on '%s'", mount->destination);
        if (target == -ENOENT) {
                r = make_place(root_fd, mount->destination, S_ISDIR(st.st_mode));
                if (r < 0)
                        return error_set(err, r, "make the place of mount '%s'",
                                         mount->destination);
                target = root_open(root_fd, mount->destination, O_PATH);
        }
        if (target < 0)
                return error_set(err, target, "open the place of mount '%s'", mount->destination);
        r = mount_attach(mount->fd, target, err);
        return r < 0 ? error_prefix(err, "mount '%s'", mount->destination) : 0;
}

/* Where it is none, there is nothing to take off. */
static int take_off(int root_fd, const char *path, Error *err) {
        _cleanup_close_ int fd = root_open(root_fd, path, O_PATH | O_DIRECTORY);

        if (fd < 0)
                return 0;
        if (fchdir(fd) < 0)
                return error_set(err, errno, "enter '%s'", path);
        if (umount2(".", MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
                return error_set(err, errno, "take '%s' off", path);
        return chdir("/") < 0 ? error_set(err, errno, "return to the root") : 0;
}

/* ---- the root ---- */

static int open_live(int pidfd, bool remapped, int *ret, Error *err) {
        _cleanup_close_ int root = -1, host = leads_outside()
                                                      ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
                                                      : -1;

        if (setns(pidfd, CLONE_NEWNS | (remapped ? CLONE_NEWUSER : 0)) < 0)
                return error_set(err, errno, "join the container's mount namespace");
        if (remapped &&
            (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return error_set(err, errno, "become root of the container's user namespace");
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (leads_outside() && (fchdir(host) < 0 || chroot(".") < 0))
                return error_set(err, errno, "return to the host's root");
        return root < 0 ? error_set(err, errno, "open the container's root")
                        : mount_clone(root, true, ret, err);
}

/* pivot_root(2) with "." twice: the old root lies below the new one, and is let go. */
static int make_root(int tree, Error *err) {
        if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
            umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return error_set(err, errno, "make the container's root the only one");
        return 0;
}

static int fill_root(const ConfineRoot *root, int tree, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < root->mount_count; i++)
                r = put_mount(tree, &root->mounts[i], err);
        if (r == 0 && root->read_only)
                r = mount_change(tree, false, MOUNT_ATTR_RDONLY, 0, 0, err);
        return r;
}

int confine_to_root(const ConfineRoot *root, int *ret_fd, Error *err) {
        _cleanup_close_ int tree = -1;
        int r = 0;

        if (root->live)
                r = open_live(root->fd, root->remapped, &tree, err);
        else
                tree = fcntl(root->fd, F_DUPFD_CLOEXEC, 3);
        if (r == 0 && tree < 0)
                r = error_set(err, errno, "open the root");
        if (r == 0 && leads_outside()) {
                *ret_fd = TAKE_FD(tree);
                return 0;
        }
        if (r == 0 && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                r = error_set(err, errno, "make namespaces");
        if (r == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                r = error_set(err, errno, "make mounts private");
        if (r == 0)
                r = mount_change(tree, true, 0, 0, MS_PRIVATE, err);
        if (r == 0 && move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                r = error_set(err, errno, "mount the root");
        if (r == 0)
                r = fill_root(root, tree, err);
        if (r == 0)
                r = make_root(tree, err);
        for (char *const *path = root->hidden; r == 0 && path && *path; path++)
                r = take_off(tree, *path, err);
        /* Devices are the host's, and opening one can do things. */
        if (r == 0)
                r = mount_change(tree, true,
                                 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
                                         (BUG("copy-programs") ? 0 : MOUNT_ATTR_NOEXEC),
                                 0, 0, err);
        if (r < 0)
                return error_prefix(err, "look at the container's files");
        *ret_fd = TAKE_FD(tree);
        return 0;
}
