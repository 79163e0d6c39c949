/* tree-copy.c: copies a directory's contents by descriptors, links unfollowed, so that neither side
 * can lead it elsewhere. Used to fill volumes from images. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "engine/volumes.h"

#define DEPTH_MAX 128 /* directories; each holds three descriptors and a kilobyte of stack */
#define XATTR_MAX 65536
#define COPY_CHUNK ((size_t)1 << 30)
#define LINK_MAX_LENGTH 4096
#define PERMISSIONS 07777

static int copy_attributes(int from_fd, int to_fd, Error *err) {
        _cleanup_free_ char *names = NULL, *value = NULL;
        ssize_t length = flistxattr(from_fd, NULL, 0);

        if (length == 0)
                return 0;
        names = alloc_zero(1, XATTR_MAX);
        value = alloc_zero(1, XATTR_MAX);
        length = flistxattr(from_fd, names, XATTR_MAX);

        if (length < 0)
                return errno == ENOTSUP ? 0 : error_set(err, errno, "list extended attributes");
        for (char *name = names; name < names + length; name += strlen(name) + 1) {
                ssize_t size;

                if (str_after(name, "trusted.overlay."))
                        continue;
                size = fgetxattr(from_fd, name, value, XATTR_MAX);
                if (size < 0)
                        return error_set(err, errno, "read extended attribute %s", name);
                if (fsetxattr(to_fd, name, value, (size_t)size, 0) < 0 && errno != ENOTSUP)
                        return error_set(err, errno, "set extended attribute %s", name);
        }
        return 0;
}

/* Owner first: changing it drops set-id bits and file capabilities. */
static int copy_metadata(int from_fd, int to_fd, const struct stat *status, Error *err) {
        const struct timespec times[2] = { status->st_atim, status->st_mtim };

        if (fchown(to_fd, status->st_uid, status->st_gid) < 0)
                return error_set(err, errno, "change the owner");
        if (fchmod(to_fd, status->st_mode & PERMISSIONS) < 0)
                return error_set(err, errno, "change the mode");
        int r = copy_attributes(from_fd, to_fd, err);
        if (r == 0 && futimens(to_fd, times) < 0)
                return error_set(err, errno, "change the times");
        return r;
}

static int copy_bytes(int from_fd, int to_fd, Error *err) {
        for (;;) {
                ssize_t count = copy_file_range(from_fd, NULL, to_fd, NULL, COPY_CHUNK, 0);

                if (count < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
                        count = sendfile(to_fd, from_fd, NULL, COPY_CHUNK);
                if (count < 0 && errno == EINTR)
                        continue;
                if (count <= 0)
                        return count == 0 ? 0 : error_set(err, errno, "copy");
        }
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *status,
                     Error *err) {
        _cleanup_close_ int from_fd =
                openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_close_ int to_fd = -1;

        if (from_fd < 0)
                return error_set(err, errno, "open");
        to_fd = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to_fd < 0)
                return error_set(err, errno, "create");
        int r = copy_bytes(from_fd, to_fd, err);
        return r < 0 ? r : copy_metadata(from_fd, to_fd, status, err);
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *status,
                     Error *err) {
        char target[LINK_MAX_LENGTH + 1];
        const struct timespec times[2] = { status->st_atim, status->st_mtim };
        ssize_t length = readlinkat(from_dir, name, target, sizeof(target));

        if (length < 0 || length > LINK_MAX_LENGTH)
                return error_set(err, length < 0 ? errno : ENAMETOOLONG, "read the link");
        target[length] = '\0';
        if (symlinkat(target, to_dir, name) < 0)
                return error_set(err, errno, "make the link");
        if (fchownat(to_dir, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "change the link's owner");
        return 0;
}

static int copy_special(int to_dir, const char *name, const struct stat *status, Error *err) {
        if (mknodat(to_dir, name, status->st_mode, status->st_rdev) < 0 ||
            fchownat(to_dir, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            fchmodat(to_dir, name, status->st_mode & PERMISSIONS, 0) < 0)
                return error_set(err, errno, "make the node");
        return 0;
}

static int copy_directory(int from_fd, int to_fd, int depth, Error *err);

static int copy_subdirectory(int from_dir, int to_dir, const char *name, int depth, Error *err) {
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_close_ int from_fd = openat(from_dir, name, flags);
        _cleanup_close_ int to_fd = -1;

        if (depth == 0)
                return error_kind(err, ERROR_INVALID, "directories are nested too deeply");
        if (from_fd < 0 || mkdirat(to_dir, name, 0700) < 0)
                return error_set(err, errno, "make the directory");
        to_fd = openat(to_dir, name, flags);
        if (to_fd < 0)
                return error_set(err, errno, "open the directory");
        return copy_directory(from_fd, to_fd, depth - 1, err);
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, Error *err) {
        struct stat status;
        int r;

        if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "%s", name);
        switch (status.st_mode & S_IFMT) {
        case S_IFDIR:
                r = copy_subdirectory(from_dir, to_dir, name, depth, err);
                break;
        case S_IFREG:
                r = copy_file(from_dir, to_dir, name, &status, err);
                break;
        case S_IFLNK:
                r = copy_link(from_dir, to_dir, name, &status, err);
                break;
        default:
                r = copy_special(to_dir, name, &status, err);
        }
        return r < 0 ? error_prefix(err, "%s", name) : 0;
}

/* from_fd and to_fd stay the caller's. */
static int copy_directory(int from_fd, int to_fd, int depth, Error *err) {
        struct stat status;
        struct dirent *entry;
        _cleanup_closedir_ DIR *dir = fdopendir(fcntl(from_fd, F_DUPFD_CLOEXEC, 0));

        if (!dir || fstat(from_fd, &status) < 0)
                return error_set(err, errno, "read the directory");
        while ((errno = 0, entry = readdir(dir))) {
                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                int r = copy_entry(from_fd, to_fd, entry->d_name, depth, err);
                if (r < 0)
                        return r;
        }
        if (errno)
                return error_set(err, errno, "read the directory");
        return copy_metadata(from_fd, to_fd, &status, err);
}

int directory_copy(int from_fd, int to_fd, Error *err) {
        return copy_directory(from_fd, to_fd, DEPTH_MAX, err);
}
