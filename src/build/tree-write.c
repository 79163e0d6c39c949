/* tree-write.c: bytes and attributes of a copy, and a file that is written from memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/fd.h"
#include "build/tree-target.h"

#define RANGE_SIZE ((size_t)16 << 20)  /* between two looks at whether the build was cancelled */
#define BUFFER_SIZE ((size_t)64 << 10) /* malloc keeps it; more would be mapped for each file */

struct timespec clamped(struct timespec time, int64_t epoch) {
        const struct timespec latest = { .tv_sec = epoch };

        return epoch >= 0 && time.tv_sec >= epoch ? latest : time;
}

/* ---- attributes ---- */

/* Owner first: changing it clears set-id bits and capabilities. */
int metadata_set(int fd, const Metadata *metadata, const Attributes *attributes, Error *err) {
        int r;

        if (fchown(fd, metadata->uid, metadata->gid) < 0 || fchmod(fd, metadata->mode) < 0)
                return error_set(err, errno, "set owner and mode");
        r = attributes_write(fd, NULL, attributes, err);
        if (r == 0 && futimens(fd, metadata->times) < 0)
                r = error_set(err, errno, "set the times");
        return r;
}

int metadata_set_at(int dir_fd, const char *name, bool link, const Metadata *metadata,
                    const Attributes *attributes, Error *err) {
        int r;

        if (fchownat(dir_fd, name, metadata->uid, metadata->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "set the owner");
        if (!link && fchmodat(dir_fd, name, metadata->mode, 0) < 0)
                return error_set(err, errno, "set the mode");
        r = attributes_write(dir_fd, name, attributes, err);
        if (r == 0 && utimensat(dir_fd, name, metadata->times, AT_SYMLINK_NOFOLLOW) < 0)
                r = error_set(err, errno, "set the times");
        return r;
}

/* ---- bytes ---- */

static int copy_by_reading(int from_fd, int to_fd, uint64_t left, const TreeJob *job, Error *err) {
        _cleanup_free_ char *buffer = alloc_resize(NULL, 1, BUFFER_SIZE);

        for (;;) {
                ssize_t length = read(from_fd, buffer, MIN((uint64_t)BUFFER_SIZE, left));
                int r;

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return error_set(err, errno, "read");
                if (length == 0)
                        return 0;
                left -= (uint64_t)length;
                r = fd_write_full(to_fd, buffer, (size_t)length);
                if (r < 0)
                        return error_set(err, r, "write");
                r = tree_check_cancelled(job, err);
                if (r < 0)
                        return r;
        }
}

static bool unsupported(int number) {
        return number == EXDEV || number == EINVAL || number == EOPNOTSUPP || number == ENOSYS ||
               number == EPERM || number == EIO;
}

int copy_bytes(int from_fd, int to_fd, uint64_t left, bool *no_clone, const TreeJob *job,
               Error *err) {
        if (!*no_clone && ioctl(to_fd, FICLONE, from_fd) == 0)
                return 0;
        *no_clone = true;
        for (;;) {
                ssize_t count = copy_file_range(from_fd, NULL, to_fd, NULL,
                                                MIN((uint64_t)RANGE_SIZE, left), 0);
                int r;

                if (count < 0 && errno == EINTR)
                        continue;
                if (count < 0 && unsupported(errno))
                        return copy_by_reading(from_fd, to_fd, left, job, err);
                if (count < 0)
                        return error_set(err, errno, "copy");
                if (count == 0)
                        return 0;
                left -= (uint64_t)count;
                r = (size_t)count == RANGE_SIZE ? tree_check_cancelled(job, err) : 0;
                if (r < 0)
                        return r;
        }
}

/* ---- a file from memory ---- */

static int name_is_one(const char *name, Error *err) {
        if (*name && !strchr(name, '/') && !str_equal(name, ".") && !str_equal(name, ".."))
                return 0;
        return error_kind(err, ERROR_INVALID, "'%s' is no name for a file", name);
}

static int put_metadata(const CopyOptions *options, unsigned mode, Metadata *ret, Error *err) {
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        now = clamped(now, options->epoch);
        *ret = (Metadata){
                .mode = mode & PERMISSION_BITS,
                .uid = options->uid < 0 ? 0 : (uid_t)options->uid,
                .gid = options->gid < 0 ? 0 : (gid_t)options->gid,
                .times = { now, now },
        };
        return options->chmod ? mode_apply(options->chmod, ret->mode, false, &ret->mode, err) : 0;
}

static int write_target(const Target *target, const void *data, size_t length,
                        const Metadata *metadata, Error *err) {
        _cleanup_free_ char *path = tree_path(target->dir, target->name);
        _cleanup_close_ int fd = -1;
        int r = clear_target(target->dir_fd, target->name, path, err);

        if (r < 0)
                return r;
        fd = openat(target->dir_fd, target->name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set(err, errno, "create '/%s'", path);
        r = fd_write_full(fd, data, length);
        if (r < 0)
                return error_set(err, r, "write '/%s'", path);
        r = metadata_set(fd, metadata, &(Attributes){}, err);
        return r < 0 ? error_prefix(err, "'/%s'", path) : 0;
}

int tree_put_file(int dest_fd, const char *name, const void *data, size_t length, unsigned mode,
                  const CopyOptions *options, Error *err) {
        _cleanup_(target_done) Target target = { .root_fd = dest_fd, .dir_fd = -1 };
        _cleanup_(made_directories_done) MadeDirectories made = {};
        Metadata metadata;
        int r = name_is_one(name, err);

        if (r == 0)
                r = put_metadata(options, mode, &metadata, err);
        if (r == 0)
                r = target_file(&target, options, name, &made, err);
        if (r == 0)
                r = write_target(&target, data, length, &metadata, err);
        return r < 0 ? r : made_directories_finish(&made, dest_fd, options->epoch, err);
}
