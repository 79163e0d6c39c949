/* remove.c: dir_remove_at, of fd.h. The tree may be a container's work: nested deeper than
 * descriptors or a stack last, and with mounts in it that are not to be emptied. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "base/fd.h"

/* Directories that are open at a time. What lies deeper is moved up into the top and removed from
 * there. */
#define DEPTH_MAX 32

typedef struct Removal {
        int top_fd;
        unsigned moved;           /* how many were moved up; their names are numbered */
        bool (*stop)(void *data); /* or NULL */
        void *data;
} Removal;

static int remove_entry(Removal *removal, int dir_fd, const char *name, unsigned depth);

static int remove_children(Removal *removal, int fd, unsigned depth) {
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        int result = 0;

        if (!dir) {
                int r = -errno;

                (void)close(fd);
                return r;
        }
        for (;;) {
                struct dirent *entry;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return errno ? -errno : result;
                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                r = remove_entry(removal, dirfd(dir), entry->d_name, depth);
                if (r < 0)
                        result = r;
                if (r == -ECANCELED)
                        return r;
        }
}

static int move_up(Removal *removal, int dir_fd, const char *name) {
        for (;;) {
                char place[32];

                (void)snprintf(place, sizeof(place), ".removed-%u", removal->moved++);
                if (renameat(dir_fd, name, removal->top_fd, place) == 0 || errno == ENOENT)
                        return 0;
                if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) /* a taken name */
                        return -errno;
        }
}

/* A device number would not tell a bind mount of the same file system. */
static int open_child(int dir_fd, const char *name) {
        struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
        int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

static int remove_entry(Removal *removal, int dir_fd, const char *name, unsigned depth) {
        int fd, r;

        if (removal->stop && removal->stop(removal->data))
                return -ECANCELED;
        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (depth == DEPTH_MAX)
                return move_up(removal, dir_fd, name);
        fd = open_child(dir_fd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd == -ENOTDIR ? -EPERM : fd; /* EPERM of a file's own */
        r = remove_children(removal, fd, depth + 1);
        if (r == -ECANCELED)
                return r;
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        return r < 0 ? r : -errno;
}

/* As often as something was moved up; each time it then lies less deep. */
static int empty_top(Removal *removal) {
        unsigned before;
        int r;

        do {
                int fd = open_child(removal->top_fd, ".");

                before = removal->moved;
                r = fd < 0 ? fd : remove_children(removal, fd, 0);
        } while (r != -ECANCELED && removal->moved > before);
        return r;
}

static int remove_tree(int dir_fd, const char *path, Removal *removal) {
        _cleanup_close_ int fd = -1;
        int r;

        if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : errno == ENOTDIR ? -EPERM : -errno;
        removal->top_fd = fd;
        r = empty_top(removal);
        if (r == -ECANCELED)
                return r;
        if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        return r < 0 ? r : -errno;
}

int dir_remove_until(int dir_fd, const char *path, bool (*stop)(void *data), void *data,
                     Error *err) {
        Removal removal = { .top_fd = -1, .stop = stop, .data = data };
        int r = remove_tree(dir_fd, path, &removal);

        return r < 0 ? error_set(err, r, "remove '%s'", path) : 0;
}

int dir_remove_at(int dir_fd, const char *path, Error *err) {
        return dir_remove_until(dir_fd, path, NULL, NULL, err);
}
