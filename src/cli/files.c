/* files.c: see files.h. */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* named: what the user called it; path lies where it would be made. */
static int check_folder(const char *named, const char *path, Error *err) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder =
                slash ? str_format("%.*s/.", (int)(slash - path), path) : str_copy(".");

        return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0
                       ? error_set(err, errno, "write '%s': its directory", named)
                       : 0;
}

/* A link that leads nowhere: what it names is made. */
static int check_link(const char *path, Error *err) {
        const char *slash = strrchr(path, '/');
        char target[PATH_MAX];
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        _cleanup_free_ char *whole = NULL;

        if (length < 0)
                return error_set(err, errno, "write '%s'", path);
        target[length] = '\0';
        whole = *target == '/' || !slash ? str_copy(target)
                                         : str_format("%.*s/%s", (int)(slash - path), path, target);
        return check_folder(path, whole, err);
}

int output_file_check(const char *path, Error *err) {
        struct stat st;
        bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);

        if (stat(path, &st) < 0)
                return link && errno == ENOENT ? check_link(path, err)
                                               : check_folder(path, path, err);
        if (S_ISDIR(st.st_mode))
                return error_kind(err, ERROR_INVALID, "write '%s': it is a directory: name a file",
                                  path);
        if (!link && S_ISREG(st.st_mode)) /* another takes its place */
                return check_folder(path, path, err);
        return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0
                       ? error_set(err, errno, "write '%s'", path)
                       : 0;
}

int output_file_write(const char *path, const void *data, size_t length, mode_t mode, Error *err) {
        _cleanup_close_ int fd = -1;
        int r;

        if (output_file_is_new(path)) {
                r = file_replace_at(AT_FDCWD, path, data, length, mode, false, NULL);
        } else {
                fd = output_file_open(path);
                r = fd < 0 ? -errno : fd_write_full(fd, data, length);
        }
        return r < 0 ? error_set(err, r, "write '%s'", path) : 0;
}
