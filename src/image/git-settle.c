/* git-settle.c: see git-job.h: the same commit gives the same files, owners and times included. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/git-job.h"

#define DEPTH_MAX 512 /* descriptors are bounded */

static int settle(int dir_fd, const char *name, const struct timespec times[2], Error *err) {
        if (fchownat(dir_fd, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "set the owner of '%s'", name);
        return utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0
                       ? error_set(err, errno, "set the time of '%s'", name)
                       : 0;
}

static int walk(int dir_fd, const struct timespec times[2], unsigned depth, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        int r = 0;

        if (depth > DEPTH_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "the repository has directories that are more than %d deep",
                                  DEPTH_MAX);
        if (fd < 0 || !(dir = fdopendir(fd)))
                return error_set(err, errno, "read a directory of the repository");
        TAKE_FD(fd);
        while (r == 0 && (errno = 0, entry = readdir(dir))) {
                _cleanup_close_ int below = -1;

                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                below = openat(dir_fd, entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (below >= 0)
                        r = walk(below, times, depth + 1, err);
                else if (errno == ENOTDIR || errno == ELOOP)
                        r = settle(dir_fd, entry->d_name, times, err);
                else
                        r = error_set(err, errno, "open '%s'", entry->d_name);
        }
        if (r == 0 && errno != 0)
                return error_set(err, errno, "read a directory of the repository");
        return r < 0 ? r : settle(dir_fd, ".", times, err);
}

int git_settle(int dir_fd, int64_t time, Error *err) {
        const struct timespec times[2] = { { .tv_sec = time }, { .tv_sec = time } };

        return walk(dir_fd, times, 0, err);
}
