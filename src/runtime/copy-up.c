/* copy-up.c: what a directory of the container's root holds, copied onto the tmpfs that is going to
 * hide it (mount option tmpcopyup: runtime-spec 1.2, config.md "Linux mount options"). The root is
 * the image's: each name is opened in the directory above it, and no link is followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/private.h"

enum { DEEPEST = 256 };

/* A place of the two trees: the directories, and a name in both. */
typedef struct Place {
        int from_fd, to_fd;
        const char *name;
        const struct stat *status;
} Place;

static int copy_directory(int from_fd, int to_fd, int depth, Error *err);

/* Owner, mode and times; a link has no mode of its own. */
static int copy_attributes(const Place *place, Error *err) {
        const struct stat *status = place->status;
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

static int copy_file(const Place *place, Error *err) {
        _cleanup_close_ int in = openat(place->from_fd, place->name,
                                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_close_ int out = in < 0 ? -1
                                         : openat(place->to_fd, place->name,
                                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ssize_t n;

        if (out < 0)
                return error_set(err, errno, "copy '%s'", place->name);
        do
                n = sendfile(out, in, NULL, 1 << 20);
        while (n > 0 || (n < 0 && errno == EINTR));
        return n < 0 ? error_set(err, errno, "copy '%s'", place->name) : 0;
}

static int copy_link(const Place *place, Error *err) {
        char target[4096];
        ssize_t n = readlinkat(place->from_fd, place->name, target, sizeof(target) - 1);

        if (n < 0)
                return error_set(err, errno, "read the link '%s'", place->name);
        target[n] = '\0';
        return symlinkat(target, place->to_fd, place->name) < 0
                       ? error_set(err, errno, "copy the link '%s'", place->name)
                       : 0;
}

static int copy_below(const Place *place, int depth, Error *err) {
        _cleanup_close_ int from_fd = openat(place->from_fd, place->name,
                                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int to_fd = -1;

        if (from_fd < 0)
                return error_set(err, errno, "copy '%s'", place->name);
        if (mkdirat(place->to_fd, place->name, 0700) < 0)
                return error_set(err, errno, "make '%s'", place->name);
        to_fd = openat(place->to_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to_fd < 0)
                return error_set(err, errno, "open '%s'", place->name);
        return copy_directory(from_fd, to_fd, depth + 1, err);
}

/* A directory's times are given after all that changes them. */
static int copy_entry(const Place *place, int depth, Error *err) {
        mode_t type = place->status->st_mode & S_IFMT;
        int r;

        switch (type) {
        case S_IFDIR:
                r = copy_below(place, depth, err);
                break;
        case S_IFREG:
                r = copy_file(place, err);
                break;
        case S_IFLNK:
                r = copy_link(place, err);
                break;
        case S_IFSOCK:
                return 0; /* nobody listens to a copy */
        default:
                r = mknodat(place->to_fd, place->name, type | 0600, place->status->st_rdev) < 0
                            ? error_set(err, errno, "copy '%s'", place->name)
                            : 0;
        }
        return r < 0 ? r : copy_attributes(place, err);
}

static int copy_directory(int from_fd, int to_fd, int depth, Error *err) {
        _cleanup_close_ int fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *directory = NULL;
        struct dirent *entry;

        if (depth > DEEPEST)
                return error_set(err, ELOOP, "more than %d directories in each other", DEEPEST);
        directory = fd < 0 ? NULL : fdopendir(fd);
        if (!directory)
                return error_set(err, errno, "read a directory");
        fd = -1; /* the stream's */
        while ((errno = 0, entry = readdir(directory))) {
                struct stat status;
                const Place place = { from_fd, to_fd, entry->d_name, &status };
                int r;

                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                if (fstatat(from_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                        return error_set(err, errno, "look at '%s'", entry->d_name);
                r = copy_entry(&place, depth, err);
                if (r < 0)
                        return r;
        }
        return errno ? error_set(err, errno, "read a directory") : 0;
}

int mount_copy_up(int directory_fd, int mount_fd, Error *err) {
        _cleanup_close_ int from_fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int to_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        int r = from_fd < 0 || to_fd < 0 ? error_set(err, errno, "open it")
                                         : copy_directory(from_fd, to_fd, 0, err);

        return r < 0 ? error_prefix(err, "copy what the tmpfs hides") : 0;
}
