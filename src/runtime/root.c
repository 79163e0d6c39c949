/* root.c: opens and makes what lies inside a container's root, by openat2 with RESOLVE_IN_ROOT:
 * however the root's links point, and however it is changed meanwhile, nothing outside is reached.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bug.h"
#include "runtime/private.h"

#define LINKS_MAX 40

static int open_in_root(int root_fd, const char *path, int flags) {
        struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        int fd;

        if (BUG("mount-links") || BUG("mount-race") ||
            BUG("build-cache-race")) { /* a link's target is the host's until the root is entered */
                how.resolve = 0;
                path += strspn(path, "/");
                path = *path ? path : ".";
        }
        /* EAGAIN: something on the way was renamed, so the kernel cannot say that the result is
         * inside. */
        do
                fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd < 0 ? -errno : fd;
}

int root_open(int root_fd, const char *path, int flags, int *ret_fd, Error *err) {
        int fd = open_in_root(root_fd, path, flags);

        if (fd < 0)
                return error_set(err, -fd, "open '%s' in the container's root", path);
        *ret_fd = fd;
        return 0;
}

int root_open_beneath(int dir_fd, const char *path, int *ret_fd, Error *err) {
        struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                           RESOLVE_NO_MAGICLINKS };
        int fd;

        do
                fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        if (fd < 0 && (errno == ELOOP || errno == EXDEV))
                return error_kind(err, ERROR_FORBIDDEN,
                                  "'%s': a link is on the way, or it leads out", path);
        if (fd < 0)
                return error_set(err, errno, "open '%s'", path);
        *ret_fd = fd;
        return 0;
}

/* path without slashes at its end. */
static char *trimmed(const char *path) {
        char *text = str_copy(path);
        size_t length = strlen(text);

        while (length > 1 && text[length - 1] == '/')
                text[--length] = '\0';
        return text;
}

/* Where a link at path points, as a path in the root. */
static char *link_target(int parent_fd, const char *parent, const char *name) {
        char target[4096];
        ssize_t n = readlinkat(parent_fd, name, target, sizeof(target) - 1);

        if (n <= 0)
                return NULL;
        target[n] = '\0';
        return target[0] == '/' ? str_copy(target) : str_format("%s/%s", parent, target);
}

static int make(int root_fd, const char *path, bool directory, int links);

/* Makes the last component of path in its parent; a link without a target there is followed and its
 * target made. */
static int make_last(int root_fd, const char *path, bool directory, int links) {
        _cleanup_free_ char *full = trimmed(path), *target = NULL;
        char *slash = strrchr(full, '/');
        const char *parent = slash == full || !slash ? "/" : full, *name = slash ? slash + 1 : full;
        _cleanup_close_ int parent_fd = -1, file_fd = -1;

        if (slash)
                *slash = '\0';
        if (str_equal(name, "..") || str_equal(name, ".") || str_empty(name))
                return -EINVAL;
        parent_fd = make(root_fd, parent, true, links);
        if (parent_fd < 0)
                return parent_fd;
        if (directory ? mkdirat(parent_fd, name, 0755) == 0
                      : (file_fd = openat(parent_fd, name,
                                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                          0644)) >= 0)
                return open_in_root(parent_fd, name, O_PATH | O_NOFOLLOW);
        if (errno != EEXIST)
                return -errno;
        target = link_target(parent_fd, parent, name);
        if (target && links >= LINKS_MAX)
                return -ELOOP;
        return target ? make(root_fd, target, directory, links + 1)
                      : open_in_root(parent_fd, name, O_PATH | O_NOFOLLOW);
}

static int make(int root_fd, const char *path, bool directory, int links) {
        int fd = open_in_root(root_fd, path, O_PATH);

        return fd == -ENOENT ? make_last(root_fd, path, directory, links) : fd;
}

int root_make(int root_fd, const char *path, bool directory, int *ret_fd, Error *err) {
        int fd = make(root_fd, path, directory, 0);

        if (fd < 0)
                return error_set(err, -fd, "make '%s' in the container's root", path);
        *ret_fd = fd;
        return 0;
}

int root_make_parent(int root_fd, const char *path, int *ret_fd, const char **ret_name,
                     Error *err) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent =
                slash && slash != path ? str_copy_n(path, (size_t)(slash - path)) : str_copy("/");
        const char *name = slash ? slash + 1 : path;

        if (str_empty(name) || str_equal(name, ".") || str_equal(name, ".."))
                return error_kind(err, ERROR_INVALID, "'%s': is not a path of a file", path);
        *ret_name = name;
        return root_make(root_fd, parent, true, ret_fd, err);
}
