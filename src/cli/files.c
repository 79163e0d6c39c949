/* files.c: see files.h. */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"

int output_file_write(const char *path, const void *data, size_t length, mode_t mode, Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
                return file_replace_at(AT_FDCWD, path, data, length, mode, false, err);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        r = fd < 0 ? -errno : fd_write_full(fd, data, length);
        return r < 0 ? error_set(err, r, "write '%s'", path) : 0;
}
