/* size.c: see size.h. */
#include "base/size.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/str.h"

#define BLOCK 512
#define DEPTH_MAX 128 /* directories */

/* Bytes below fd, which is closed. What a container has nested deeper is not counted: its depth
 * must not become ours. */
static int64_t tree_size(int fd, int depth) {
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        struct dirent *entry;
        int64_t size = 0;

        while (dir && (entry = readdir(dir))) {
                struct stat status;

                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..") ||
                    fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))
                        size += MIN(status.st_size, (off_t)status.st_blocks * BLOCK + BLOCK);
                if (!S_ISDIR(status.st_mode) || depth == 0)
                        continue;
                int child_fd = openat(dirfd(dir), entry->d_name,
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child_fd >= 0)
                        size += tree_size(child_fd, depth - 1);
        }
        if (!dir)
                close_fd(&fd);
        return size;
}

int64_t directory_size(int fd) {
        return tree_size(fd, DEPTH_MAX);
}
