/* test-tree.h: real directories for the tests of tree.h. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "build/tree.h"

typedef struct Place {
        char *path;
        int fd;
} Place;

/* pattern: of mkdtemp. */
static inline Place place_at(const char *pattern) {
        Place place = { .path = str_copy(pattern), .fd = -1 };

        if (!mkdtemp(place.path))
                abort();
        place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)fchmod(place.fd, 0755);
        return place;
}

static inline Place place_new(void) {
        return place_at("/tmp/brig-tree-test-XXXXXX");
}

/* On another file system, so that contents are neither cloned nor copied at once. */
static inline Place place_elsewhere(void) {
        return place_at("/dev/shm/brig-tree-test-XXXXXX");
}

static inline void place_done(Place *place) {
        close_fd(&place->fd);
        (void)dir_remove_at(AT_FDCWD, place->path, NULL);
        free(place->path);
}
#define _cleanup_place_ _cleanup_(place_done)

static inline void put_parents(int fd, const char *path) {
        const char *slash = strrchr(path, '/');
        char *parent = str_copy_n(path, slash ? (size_t)(slash - path) : 0);

        if (*parent && dir_make_at(fd, parent, 0755, NULL) < 0)
                abort();
        free(parent);
}

static inline void put(int fd, const char *path, const char *text) {
        put_parents(fd, path);
        if (file_replace_at(fd, path, text, strlen(text), 0644, false, NULL) < 0)
                abort();
}

static inline void put_link(int fd, const char *path, const char *target) {
        put_parents(fd, path);
        if (symlinkat(target, fd, path) < 0)
                abort();
}

static inline void put_directory(int fd, const char *path) {
        if (dir_make_at(fd, path, 0755, NULL) < 0)
                abort();
}

/* What is in the file, links unfollowed at its name; "(none)", "(link)", "(directory)" … The
 * caller's. */
static inline char *get(int fd, const char *path) {
        struct stat status;
        char *text = NULL;

        if (fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return str_copy(errno == ENOTDIR ? "(no directory)" : "(none)");
        if (S_ISLNK(status.st_mode))
                return str_copy("(link)");
        if (S_ISDIR(status.st_mode))
                return str_copy("(directory)");
        return file_read_at(fd, path, 1 << 20, &text, NULL, NULL) < 0 ? str_copy("(error)") : text;
}

#define ASSERT_FILE(fd, path, text)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *got_ = get(fd, path);                                         \
                ASSERT_STR(got_, text);                                                            \
        } while (0)

static inline unsigned mode_of(int fd, const char *path) {
        struct stat status;

        return fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : status.st_mode & 07777;
}
