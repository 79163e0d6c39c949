/* cache-size.c: what a tree of files takes. It is a container's work: deeper than there are
 * descriptors, and others may change it meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "build/cache-private.h"

/* A directory on the way down: who it is, and which of its directories are still to be read. */
typedef struct Level {
        dev_t device;
        ino_t inode;
        char **pending;
        size_t count;
} Level;

typedef struct Walk {
        int fd; /* the directory of the last level */
        Level *levels;
        size_t depth;
        Map seen; /* inodes with several names */
        int64_t size;
} Walk;

static void walk_done(Walk *walk) {
        for (size_t i = 0; i < walk->depth; i++)
                (void)strv_free(walk->levels[i].pending);
        free(walk->levels);
        map_done(&walk->seen, NULL);
        close_fd(&walk->fd);
}

static void count_file(Walk *walk, const struct stat *st) {
        if (st->st_nlink > 1) {
                char key[64];

                (void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
                               (unsigned long long)st->st_ino);
                if (map_get(&walk->seen, key))
                        return;
                (void)map_put(&walk->seen, key, walk);
        }
        walk->size += st->st_size;
}

static int read_level(Walk *walk, Level *level) {
        int fd = openat(walk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        struct stat st;

        if (!dir || fstat(walk->fd, &st) < 0)
                return -errno;
        level->device = st.st_dev;
        level->inode = st.st_ino;
        while ((entry = readdir(dir))) {
                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                if (fstatat(walk->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue; /* gone meanwhile */
                if (S_ISREG(st.st_mode))
                        count_file(walk, &st);
                else if (S_ISDIR(st.st_mode) && st.st_dev == level->device)
                        strv_take_at(&level->pending, level->count++, str_copy(entry->d_name));
        }
        return 0;
}

/* Reads the directory fd, which becomes the last level. */
static int walk_down(Walk *walk, int fd) {
        close_fd(&walk->fd);
        walk->fd = fd;
        GROW(walk->levels, walk->depth);
        walk->levels[walk->depth] = (Level){};
        return read_level(walk, &walk->levels[walk->depth++]);
}

/* Back to the parent; -ESTALE where the directory was moved away from it. */
static int walk_up(Walk *walk) {
        struct stat st;
        Level *parent;
        int fd;

        (void)strv_free(walk->levels[--walk->depth].pending);
        if (walk->depth == 0)
                return 0;
        parent = &walk->levels[walk->depth - 1];
        fd = openat(walk->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        close_fd(&walk->fd);
        walk->fd = fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return st.st_dev == parent->device && st.st_ino == parent->inode ? 0 : -ESTALE;
}

static int walk_step(Walk *walk) {
        Level *level = &walk->levels[walk->depth - 1];
        int fd;

        if (level->count == 0)
                return walk_up(walk);
        _cleanup_free_ char *name = level->pending[--level->count];

        level->pending[level->count] = NULL;
        fd = openat(walk->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) /* gone meanwhile, or another kind of file */
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
        return walk_down(walk, fd);
}

int cache_tree_size(int dir_fd, const char *path, int64_t *ret, Error *err) {
        _cleanup_(walk_done) Walk walk = { .fd = -1 };
        int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : walk_down(&walk, fd);

        while (r == 0 && walk.depth > 0)
                r = walk_step(&walk);
        /* Moved about under our feet: what was seen until then is the best there is. */
        if (r < 0 && r != -ESTALE)
                return error_set(err, r, "count the bytes of '%s'", path);
        *ret = walk.size;
        return 0;
}
