/* copy-up.c: what a directory of the container's root holds, copied onto the tmpfs that is going to
 * hide it (mount option tmpcopyup: runtime-spec 1.2, config.md "Linux mount options"). The root is
 * the image's, or a volume's that other containers write to meanwhile: each name is looked up once,
 * in the directory above it, no link is followed, and all the rest is done with what was found. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/procfs.h"
#include "runtime/private.h"

enum { DEEPEST = 256 };

/* One name: what it was as it was found (open with O_PATH), and the directory that its copy goes
 * to, which nobody else sees yet. */
typedef struct Place {
        int fd, to_fd;
        const char *name;
        struct stat status;
} Place;

/* procfs: the descriptor of the host's, by which what O_PATH found is opened. */
static int copy_directory(int procfs, int *from_fd, int to_fd, int depth, Error *err);

/* Owner, mode and times; a link has no mode of its own. */
static int copy_attributes(const Place *place, Error *err) {
        const struct stat *status = &place->status;
        const struct timespec times[] = { status->st_atim, status->st_mtim };

        if (fchownat(place->to_fd, place->name, status->st_uid, status->st_gid,
                     AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "give '%s' its owner", place->name);
        if (!S_ISLNK(status->st_mode) &&
            fchmodat(place->to_fd, place->name, status->st_mode & 07777, 0) < 0)
                return error_set(err, errno, "give '%s' its mode", place->name);
        if (utimensat(place->to_fd, place->name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "give '%s' its times", place->name);
        return 0;
}

static int copy_file(int procfs, const Place *place, Error *err) {
        _cleanup_close_ int in = -1, out = -1;
        ssize_t n;
        int r = procfs_reopen(procfs, place->fd, O_RDONLY, &in, err);

        if (r < 0)
                return error_prefix(err, "copy '%s'", place->name);
        out = openat(place->to_fd, place->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return error_set(err, errno, "copy '%s'", place->name);
        do
                n = sendfile(out, in, NULL, 1 << 20);
        while (n > 0 || (n < 0 && errno == EINTR));
        return n < 0 ? error_set(err, errno, "copy '%s'", place->name) : 0;
}

static int copy_link(const Place *place, Error *err) {
        char target[4096];
        ssize_t n = readlinkat(place->fd, "", target, sizeof(target) - 1);

        if (n < 0)
                return error_set(err, errno, "read the link '%s'", place->name);
        target[n] = '\0';
        return symlinkat(target, place->to_fd, place->name) < 0
                       ? error_set(err, errno, "copy the link '%s'", place->name)
                       : 0;
}

static int copy_below(int procfs, const Place *place, int depth, Error *err) {
        _cleanup_close_ int from_fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int to_fd = -1;

        if (from_fd < 0)
                return error_set(err, errno, "copy '%s'", place->name);
        if (mkdirat(place->to_fd, place->name, 0700) < 0)
                return error_set(err, errno, "make '%s'", place->name);
        to_fd = openat(place->to_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to_fd < 0)
                return error_set(err, errno, "open '%s'", place->name);
        return copy_directory(procfs, &from_fd, to_fd, depth + 1, err);
}

/* A pipe or a device. */
static int copy_node(const Place *place, Error *err) {
        mode_t type = place->status.st_mode & S_IFMT;

        if (mknodat(place->to_fd, place->name, type | 0600, place->status.st_rdev) == 0)
                return 0;
        return errno == EPERM && type != S_IFIFO
                       ? error_kind(err, ERROR_FORBIDDEN,
                                    "copy '%s': it is a device, and a user namespace may make "
                                    "none: mount the tmpfs without tmpcopyup, or take the device "
                                    "out of the directory",
                                    place->name)
                       : error_set(err, errno, "copy '%s'", place->name);
}

/* A directory's times are given after all that changes them. */
static int copy_found(int procfs, const Place *place, int depth, Error *err) {
        int r;

        switch (place->status.st_mode & S_IFMT) {
        case S_IFDIR:
                r = copy_below(procfs, place, depth, err);
                break;
        case S_IFREG:
                r = copy_file(procfs, place, err);
                break;
        case S_IFLNK:
                r = copy_link(place, err);
                break;
        case S_IFSOCK:
                return 0; /* nobody listens to a copy */
        default:
                r = copy_node(place, err);
        }
        return r < 0 ? r : copy_attributes(place, err);
}

static int copy_entry(int procfs, int from_fd, int to_fd, const char *name, int depth, Error *err) {
        _cleanup_close_ int fd = openat(from_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        Place place = { .fd = fd, .to_fd = to_fd, .name = name };

        if (fd < 0 && errno == ENOENT)
                return 0; /* it went meanwhile */
        if (fd < 0 || fstat(fd, &place.status) < 0)
                return error_set(err, errno, "look at '%s'", name);
        return copy_found(procfs, &place, depth, err);
}

/* Takes *from_fd, as each level holds descriptors while it is read. */
static int copy_directory(int procfs, int *from_fd, int to_fd, int depth, Error *err) {
        _cleanup_closedir_ DIR *directory = NULL;
        struct dirent *entry;

        if (depth > DEEPEST)
                return error_set(err, ELOOP, "more than %d directories in each other", DEEPEST);
        directory = fdopendir(*from_fd);
        if (!directory)
                return error_set(err, errno, "read a directory");
        TAKE_FD(*from_fd); /* the stream's */
        while ((errno = 0, entry = readdir(directory))) {
                int r;

                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                r = copy_entry(procfs, dirfd(directory), to_fd, entry->d_name, depth, err);
                if (r < 0)
                        return r;
        }
        return errno ? error_set(err, errno, "read a directory") : 0;
}

int mount_copy_up(const Setup *setup, int directory_fd, int mount_fd, Error *err) {
        _cleanup_close_ int from_fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int to_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        int r = from_fd < 0 || to_fd < 0 ? error_set(err, errno, "open it")
                                         : copy_directory(setup->proc_fd, &from_fd, to_fd, 0, err);

        return r < 0 ? error_prefix(err, "copy what the tmpfs hides") : 0;
}
