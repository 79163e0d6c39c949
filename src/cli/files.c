/* files.c: see files.h. */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"

bool output_file_is_new(const char *path) {
        struct stat st;

        return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

int output_file_open(const char *path) {
        struct stat st;
        bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);

        return open(path, O_WRONLY | O_CLOEXEC | (link ? O_CREAT | O_TRUNC : 0), 0666);
}

int output_file_write(const char *path, const void *data, size_t length, mode_t mode, Error *err) {
        _cleanup_close_ int fd = -1;
        int r;

        if (output_file_is_new(path))
                return file_replace_at(AT_FDCWD, path, data, length, mode, false, err);
        fd = output_file_open(path);
        r = fd < 0 ? -errno : fd_write_full(fd, data, length);
        return r < 0 ? error_set(err, r, "write '%s'", path) : 0;
}
