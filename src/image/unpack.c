/* unpack.c: see unpack.h. Whiteouts are turned into overlayfs's (layer-form.h). Stream and digests
 * are tarstream.c's. */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/bug.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/layer-form.h"

#define NAME_LENGTH_MAX 255
#define XATTR_LENGTH_MAX 65536
#define PROGRESS_EVERY (1 << 20)

/* Far above any image in use, far below what would harm the host before its own limits do. */
const UnpackLimits unpack_limits = { .entries = 4000000,
                                     .bytes = 256LL << 30,
                                     .stream = 288LL << 30 };

typedef struct DirectoryTime {
        char *path;
        struct timespec time;
} DirectoryTime;

typedef struct Unpacker {
        int root_fd;
        int parent_fd; /* of parent_path, kept because neighbours follow each other; -1: none */
        char *parent_path;
        DirectoryTime *times; /* set at the end: filling a directory changes its time */
        size_t time_count;
        int64_t entries, bytes;
        const UnpackLimits *limits;
        const UnpackTree *tree; /* NULL: a layer */
        UnpackProgressFn progress;
        void *data;
} Unpacker;

/* An entry's place: name below parent_fd; "." for the root itself. */
typedef struct Place {
        const char *path, *name;
        int parent_fd;
} Place;

static void unpacker_done(Unpacker *unpacker) {
        for (size_t i = 0; i < unpacker->time_count; i++)
                free(unpacker->times[i].path);
        free(unpacker->times);
        free(unpacker->parent_path);
        close_fd(&unpacker->parent_fd);
}

static int hostile(Error *err, const char *path, const char *why) {
        return error_kind(err, ERROR_INVALID, "refused archive entry '%.200s': %s", path, why);
}

/* Its number tells a limit from damage. */
static int too_large(Error *err, const char *path, int64_t bytes) {
        (void)error_kind(err, ERROR_INVALID,
                         "refused archive entry '%.200s': the archive holds more than the %lld "
                         "bytes that it may",
                         path, (long long)bytes);
        if (err)
                err->number = EFBIG;
        return -EFBIG;
}

/* ---- names ---- */

/* Symbolic links count as inside the root, so that an absolute one stays there and works; in a
 * container's root as inside that, which is all that this process has. */
static int open_below(const Unpacker *unpacker, const char *path, uint64_t flags) {
        const UnpackTree *tree = unpacker->tree;
        struct open_how how = {
                .flags = flags | O_CLOEXEC,
                .resolve = RESOLVE_NO_MAGICLINKS | (tree && tree->inside ? 0 : RESOLVE_IN_ROOT) |
                           (tree && tree->into ? 0 : RESOLVE_NO_XDEV),
        };
        long fd;

        if (BUG("unpack-links"))
                how.resolve = 0;

        do
                fd = syscall(SYS_openat2, unpacker->root_fd, *path ? path : ".", &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd < 0 ? -errno : (int)fd;
}

/* Into *ret the name without "/", "./" and doubled slashes: "" for the root. */
static int clean_name(const char *raw, char **ret, Error *err) {
        _cleanup_buf_ Buf clean = {};

        for (const char *c = raw; *c;) {
                size_t length = strcspn(c, "/");

                if (length == 2 && c[0] == '.' && c[1] == '.' && !BUG("unpack-dots"))
                        return hostile(err, raw, "'..' in its name");
                if (length > NAME_LENGTH_MAX)
                        return hostile(err, raw, "a name is longer than 255 bytes");
                if (length > 0 && !(length == 1 && *c == '.')) {
                        if (clean.length > 0)
                                buf_add_char(&clean, '/');
                        buf_add(&clean, c, length);
                }
                c += length;
                c += strspn(c, "/");
        }
        if (clean.length > LAYER_PATH_MAX)
                return hostile(err, raw, "its path is longer than 4,095 bytes");
        *ret = buf_take(&clean);
        return 0;
}

/* The name that an entry gets in place of its own; *path is clean. */
static void rename_entry(const Unpacker *unpacker, char **path) {
        const UnpackTree *tree = unpacker->tree;
        bool whole = tree && tree->from && (!*tree->from || str_equal(tree->from, "."));
        const char *rest = !tree || !tree->from ? NULL
                           : whole              ? *path
                                                : str_after(*path, tree->from);
        char *name;

        if (!rest || (!whole && *rest && *rest != '/'))
                return;
        name = str_format("%s%s%s", tree->to, whole && *rest ? "/" : "", rest);
        free(*path);
        *path = name;
}

static void forget_parent(Unpacker *unpacker) {
        close_fd(&unpacker->parent_fd);
        free(unpacker->parent_path);
        unpacker->parent_path = NULL;
}

static int make_directory(Unpacker *unpacker, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *above = str_copy_n(path, slash ? (size_t)(slash - path) : 0);
        _cleanup_close_ int fd = open_below(unpacker, above, O_PATH | O_DIRECTORY);

        if (fd < 0)
                return fd;
        return mkdirat(fd, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* mkdir -p, as archives may leave out parents; each step is resolved anew inside the root. */
static int make_parents(Unpacker *unpacker, const char *path) {
        for (const char *end = path; *end;) {
                _cleanup_free_ char *prefix = NULL;
                int r;

                end = strchrnul(*end == '/' ? end + 1 : end, '/');
                prefix = str_copy_n(path, (size_t)(end - path));
                r = make_directory(unpacker, prefix);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_parent(Unpacker *unpacker, const char *path, size_t length, Error *err) {
        _cleanup_free_ char *parent = str_copy_n(path, length);
        int fd;

        if (unpacker->parent_fd >= 0 && str_equal(unpacker->parent_path, parent))
                return 0;
        forget_parent(unpacker);
        fd = open_below(unpacker, parent, O_RDONLY | O_DIRECTORY);
        if (fd == -ENOENT && make_parents(unpacker, parent) == 0)
                fd = open_below(unpacker, parent, O_RDONLY | O_DIRECTORY);
        if (fd == -ENOTDIR || fd == -ELOOP || fd == -ENOENT)
                return hostile(err, path, "its parent is not a directory");
        if (fd < 0)
                return error_set(err, -fd, "open the parent of '%s'", path);
        unpacker->parent_fd = fd;
        unpacker->parent_path = TAKE_PTR(parent);
        return 0;
}

static int find_place(Unpacker *unpacker, const char *path, Place *ret, Error *err) {
        const char *slash = strrchr(path, '/');
        int r = open_parent(unpacker, path, slash ? (size_t)(slash - path) : 0, err);

        if (r < 0)
                return r;
        *ret = (Place){
                .path = path,
                .name = !*path  ? "."
                        : slash ? slash + 1
                                : path,
                .parent_fd = unpacker->parent_fd,
        };
        return 0;
}

/* Makes room for an entry, whatever has its name so far. */
static int clear_place(Unpacker *unpacker, const Place *place, Error *err) {
        struct stat st;

        if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        /* It may lie on the way to the kept parent, as a symbolic link does: the next entry looks
         * again. */
        free(unpacker->parent_path);
        unpacker->parent_path = NULL;
        return dir_remove_at(place->parent_fd, place->name, err);
}

/* ---- attributes ---- */

/* A file system without them can still hold the image, as elsewhere; and who may not set them can
 * still have the file. */
static bool may_lack_xattrs(const Unpacker *unpacker, int number) {
        return number == ENOTSUP || (number == EPERM && unpacker->tree && unpacker->tree->own);
}

/* Files and directories only: links and devices bear none that an image may set. */
static int set_xattrs(const Unpacker *unpacker, int fd, const char *path,
                      struct archive_entry *entry, Error *err) {
        const char *name;
        const void *value;
        size_t size;

        (void)archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
                if (!name || !layer_xattr_allowed(name))
                        continue;
                if (strlen(name) > NAME_LENGTH_MAX || size > XATTR_LENGTH_MAX)
                        return hostile(err, path, "an extended attribute is too large");
                if (fsetxattr(fd, name, value, size, 0) < 0 && !may_lack_xattrs(unpacker, errno))
                        return error_set(err, errno, "set attribute '%s' of '%s'", name, path);
        }
        return 0;
}

static struct timespec time_of(struct archive_entry *entry) {
        long nanoseconds = archive_entry_mtime_nsec(entry);

        if (!archive_entry_mtime_is_set(entry))
                return (struct timespec){};
        if (nanoseconds < 0 || nanoseconds > 999999999)
                nanoseconds = 0;
        return (struct timespec){ .tv_sec = archive_entry_mtime(entry), .tv_nsec = nanoseconds };
}

static int owner_of(const Unpacker *unpacker, struct archive_entry *entry, const char *path,
                    uid_t *uid, gid_t *gid, Error *err) {
        la_int64_t user = archive_entry_uid(entry), group = archive_entry_gid(entry);
        const UnpackTree *tree = unpacker->tree;

        if (tree && tree->own) { /* chown(2)'s "as it is" */
                *uid = (uid_t)-1;
                *gid = (gid_t)-1;
                return 0;
        }
        user = tree && tree->uid ? *tree->uid : user;
        group = tree && tree->gid ? *tree->gid : group;
        /* The largest number means "no change" to chown(2). */
        if (user < 0 || user >= UINT32_MAX || group < 0 || group >= UINT32_MAX)
                return hostile(err, path, "its owner is no 32-bit number");
        *uid = (uid_t)user;
        *gid = (gid_t)group;
        return 0;
}

/* Owner first: changing it clears set-id bits and capabilities. */
static int set_attributes(const Unpacker *unpacker, int fd, const char *path,
                          struct archive_entry *entry, bool with_time, Error *err) {
        const struct timespec times[2] = { time_of(entry), time_of(entry) };
        uid_t uid = 0;
        gid_t gid = 0;
        int r = owner_of(unpacker, entry, path, &uid, &gid, err);

        if (r < 0)
                return r;
        if (fchown(fd, uid, gid) < 0 || fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
                return error_set(err, errno, "set owner and mode of '%s'", path);
        r = set_xattrs(unpacker, fd, path, entry, err);
        if (r < 0)
                return r;
        if (with_time && futimens(fd, times) < 0)
                return error_set(err, errno, "set the time of '%s'", path);
        return 0;
}

/* The same for links and devices, which are not opened. Mode comes with their making. */
static int set_attributes_at(const Unpacker *unpacker, const Place *place,
                             struct archive_entry *entry, Error *err) {
        const struct timespec times[2] = { time_of(entry), time_of(entry) };
        uid_t uid = 0;
        gid_t gid = 0;
        int r = owner_of(unpacker, entry, place->path, &uid, &gid, err);

        if (r < 0)
                return r;
        if (fchownat(place->parent_fd, place->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            utimensat(place->parent_fd, place->name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "set owner and time of '%s'", place->path);
        return 0;
}

/* ---- one kind of entry each ---- */

static int set_opaque(int fd, const char *path, Error *err) {
        if (fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) < 0)
                return error_set(err, errno, "mark directory '%s' opaque", path);
        return 0;
}

static int put_directory(Unpacker *unpacker, Place *place, struct archive_entry *entry,
                         Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        bool there = fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0,
             opaque = false;
        int r = 0;

        if (there && !S_ISDIR(st.st_mode)) {
                opaque = is_whiteout(&st); /* what lies below stays hidden */
                r = clear_place(unpacker, place, err);
                there = false;
        }
        if (r < 0)
                return r;
        if (!there && mkdirat(place->parent_fd, place->name, 0700) < 0)
                return error_set(err, errno, "make directory '%s'", place->path);
        fd = openat(place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open directory '%s'", place->path);
        r = set_attributes(unpacker, fd, place->path, entry, false, err);
        if (r == 0 && opaque)
                r = set_opaque(fd, place->path, err);
        if (r < 0)
                return r;
        GROW(unpacker->times, unpacker->time_count);
        unpacker->times[unpacker->time_count++] =
                (DirectoryTime){ str_copy(place->path), time_of(entry) };
        return 0;
}

static int write_data(Unpacker *unpacker, TarStream *stream, int fd, const Place *place,
                      int64_t size, Error *err) {
        const void *data;
        size_t length;
        int64_t offset, end = 0;
        int r;

        if ((size < 0 || size > unpacker->limits->bytes - unpacker->bytes) && !BUG("unpack-sizes"))
                return too_large(err, place->path, unpacker->limits->bytes);
        unpacker->bytes += size;
        while ((r = tar_stream_data(stream, &data, &length, &offset, err)) > 0) {
                if (offset < end || offset > size || (int64_t)length > size - offset)
                        return hostile(err, place->path, "its data does not fit its size");
                while (length > 0) {
                        ssize_t n = pwrite(fd, data, length, offset);

                        if (n < 0 && errno == EINTR)
                                continue;
                        if (n < 0)
                                return error_set(err, errno, "write '%s'", place->path);
                        data = (const char *)data + n;
                        length -= (size_t)n;
                        offset += n;
                }
                end = offset;
        }
        if (r == 0 && end < size &&
            ftruncate(fd, size) < 0) /* a hole at the end of a sparse file */
                return error_set(err, errno, "set the size of '%s'", place->path);
        return r;
}

static int put_file(Unpacker *unpacker, TarStream *stream, Place *place,
                    struct archive_entry *entry, Error *err) {
        const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_close_ int fd = openat(place->parent_fd, place->name, flags, 0600);
        int r = 0;

        if (fd < 0 && errno == EEXIST) {
                r = clear_place(unpacker, place, err);
                if (r < 0)
                        return r;
                fd = openat(place->parent_fd, place->name, flags, 0600);
        }
        if (fd < 0)
                return error_set(err, errno, "create '%s'", place->path);
        r = write_data(unpacker, stream, fd, place, archive_entry_size(entry), err);
        return r < 0 ? r : set_attributes(unpacker, fd, place->path, entry, true, err);
}

static int put_symlink(Unpacker *unpacker, Place *place, struct archive_entry *entry, Error *err) {
        const char *target = archive_entry_symlink(entry);
        int r = clear_place(unpacker, place, err);

        if (r < 0)
                return r;
        if (!target || !*target)
                return hostile(err, place->path, "a symbolic link to nothing");
        if (symlinkat(target, place->parent_fd, place->name) < 0)
                return error_set(err, errno, "make symbolic link '%s'", place->path);
        return set_attributes_at(unpacker, place, entry, err);
}

static int put_node(Unpacker *unpacker, Place *place, struct archive_entry *entry, Error *err) {
        mode_t type = archive_entry_filetype(entry);
        dev_t device = type == S_IFIFO ? 0
                                       : makedev((unsigned)archive_entry_rdevmajor(entry),
                                                 (unsigned)archive_entry_rdevminor(entry));
        int r;

        if (type == S_IFCHR && device == 0)
                return hostile(err, place->path,
                               "device 0:0 is overlayfs's own mark of a deleted file");
        if (type != S_IFIFO && unpacker->tree && !unpacker->tree->devices)
                return hostile(err, place->path, "a device, which this archive may not have");
        r = clear_place(unpacker, place, err);
        if (r < 0)
                return r;
        if (mknodat(place->parent_fd, place->name, type | (archive_entry_perm(entry) & 07777),
                    device) < 0)
                return error_set(err, errno, "make special file '%s'", place->path);
        return set_attributes_at(unpacker, place, entry, err);
}

/* The target's parents are resolved inside the root and its last component is not followed, so the
 * link is to something that this layer brought. */
static int put_hardlink(Unpacker *unpacker, Place *place, const char *raw_target, Error *err) {
        _cleanup_free_ char *target = NULL, *parent = NULL;
        _cleanup_close_ int fd = -1;
        const char *slash;
        int r = clean_name(raw_target, &target, err);

        if (r < 0)
                return r;
        rename_entry(unpacker, &target);
        if (str_equal(target, place->path))
                return hostile(err, place->path, "a hard link to itself");
        slash = strrchr(target, '/');
        parent = str_copy_n(target, slash ? (size_t)(slash - target) : 0);
        fd = open_below(unpacker, parent, O_PATH | O_DIRECTORY);
        if (fd < 0)
                return hostile(err, place->path,
                               "a hard link to a file that this archive doesn't have");
        r = clear_place(unpacker, place, err);
        if (r < 0)
                return r;
        if (linkat(fd, slash ? slash + 1 : target, place->parent_fd, place->name, 0) == 0)
                return 0;
        if (errno == ENOENT || errno == EPERM)
                return hostile(err, place->path,
                               "a hard link to a file that this archive doesn't have");
        return error_set(err, errno, "make hard link '%s'", place->path);
}

static int put_whiteout(Place *place, Error *err) {
        const char *hidden = place->name + strlen(WHITEOUT);
        struct stat st;

        if (str_equal(place->name, OPAQUE_MARK))
                return set_opaque(place->parent_fd, place->path, err);
        if (!*hidden || str_equal(hidden, ".") || str_equal(hidden, ".."))
                return hostile(err, place->path, "a deletion mark without a name");
        if (fstatat(place->parent_fd, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                _cleanup_close_ int fd = -1;

                /* The same layer brings the name anew: only what lies below is deleted. */
                if (!S_ISDIR(st.st_mode))
                        return 0;
                fd = openat(place->parent_fd, hidden,
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                return fd < 0 ? error_set(err, errno, "open directory '%s'", hidden)
                              : set_opaque(fd, hidden, err);
        }
        if (mknodat(place->parent_fd, hidden, S_IFCHR, 0) < 0)
                return error_set(err, errno, "mark '%s' deleted", hidden);
        return 0;
}

/* ---- all of them ---- */

static int check_type(const Unpacker *unpacker, const Place *place, bool directory, Error *err) {
        const char *shown = unpacker->tree->shown ?: ".";
        const char *slash = str_ends(shown, "/") ? "" : "/";
        struct stat st;

        if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            S_ISDIR(st.st_mode) == directory)
                return 0;
        return error_kind(err, ERROR_INVALID, "cannot overwrite %s \"%s%s%s\" with %s \"%s\"",
                          directory ? "non-directory" : "directory", shown, slash, place->path,
                          directory ? "directory" : "non-directory", shown);
}

static int put_entry(Unpacker *unpacker, TarStream *stream, Place *place,
                     struct archive_entry *entry, Error *err) {
        mode_t type = archive_entry_filetype(entry);
        const char *target = archive_entry_hardlink(entry);

        if (!*place->path && unpacker->tree && (target || type != S_IFDIR || unpacker->tree->into))
                return 0; /* the directory is there already, and stays, as with docker's ADD */
        if (!*place->path && (target || type != S_IFDIR))
                return hostile(err, "/", "the root must be a directory");
        if (unpacker->tree && unpacker->tree->keep_types) {
                int r = check_type(unpacker, place, !target && type == S_IFDIR, err);

                if (r < 0)
                        return r;
        }
        if (target)
                return put_hardlink(unpacker, place, target, err);
        switch (type) {
        case S_IFDIR:
                return put_directory(unpacker, place, entry, err);
        case S_IFREG:
                return put_file(unpacker, stream, place, entry, err);
        case S_IFLNK:
                return put_symlink(unpacker, place, entry, err);
        case S_IFCHR:
        case S_IFBLK:
        case S_IFIFO:
                return put_node(unpacker, place, entry, err);
        default:
                return hostile(err, place->path, "its type is none that an archive may have here");
        }
}

static bool has_whiteout_parent(const char *path) {
        return str_after(path, WHITEOUT)
                       ? strchr(path, '/') != NULL
                       : (path = strstr(path, "/" WHITEOUT)) && strchr(path + 1, '/');
}

static int apply(Unpacker *unpacker, TarStream *stream, struct archive_entry *entry, Error *err) {
        const char *raw = archive_entry_pathname(entry);
        _cleanup_free_ char *path = NULL;
        Place place;
        int r;

        if (!raw)
                return hostile(err, "(unreadable)", "its name can't be read");
        if (++unpacker->entries > unpacker->limits->entries)
                return hostile(err, raw, "the archive has more entries than a layer may have");
        r = clean_name(raw, &path, err);
        if (r < 0)
                return r;
        rename_entry(unpacker, &path);
        if (!unpacker->tree && str_after(path, AUFS_METADATA) && !str_equal(path, OPAQUE_MARK))
                return 0; /* aufs's own, of no meaning in a layer */
        if (!unpacker->tree && has_whiteout_parent(path))
                return hostile(err, path, "its parent is a deletion mark");
        r = find_place(unpacker, path, &place, err);
        if (r < 0)
                return r;
        return !unpacker->tree && str_after(place.name, WHITEOUT) && !BUG("unpack-whiteouts")
                       ? put_whiteout(&place, err)
                       : put_entry(unpacker, stream, &place, entry, err);
}

static int set_directory_times(Unpacker *unpacker, Error *err) {
        for (size_t i = unpacker->time_count; i-- > 0;) {
                const DirectoryTime *directory = &unpacker->times[i];
                const struct timespec times[2] = { directory->time, directory->time };
                _cleanup_close_ int fd =
                        open_below(unpacker, directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

                if (fd < 0) /* a later entry replaced it */
                        continue;
                if (futimens(fd, times) < 0)
                        return error_set(err, errno, "set the time of '%s'", directory->path);
        }
        return 0;
}

/* From that entry on. r: what reading it answered. */
static int apply_all(Unpacker *unpacker, TarStream *stream, struct archive_entry *entry, int r,
                     Error *err) {
        mode_t mask = umask(0);
        int64_t reported = 0;

        for (; r > 0; r = tar_stream_next(stream, &entry, err)) {
                int64_t consumed = tar_stream_consumed(stream);

                r = apply(unpacker, stream, entry, err);
                if (r < 0)
                        break;
                if (unpacker->progress && consumed - reported >= PROGRESS_EVERY) {
                        unpacker->progress(unpacker->data, consumed);
                        reported = consumed;
                }
        }
        (void)umask(mask);
        return r < 0 ? r : set_directory_times(unpacker, err);
}

int unpack_layer(TarStream *stream, int target_fd, const UnpackLimits *limits,
                 UnpackProgressFn progress, void *data, int64_t *ret_size, Error *err) {
        _cleanup_(unpacker_done) Unpacker unpacker = {
                .root_fd = target_fd,
                .parent_fd = -1,
                .limits = limits,
                .progress = progress,
                .data = data,
        };
        struct archive_entry *entry = NULL;
        int r = tar_stream_next(stream, &entry, err);

        r = apply_all(&unpacker, stream, entry, r, err);
        if (r == 0)
                *ret_size = unpacker.bytes;
        return r;
}

int unpack_tree(TarStream *stream, int target_fd, const UnpackLimits *limits,
                const UnpackTree *options, UnpackProgressFn progress, void *data, Error *err) {
        _cleanup_(unpacker_done) Unpacker unpacker = {
                .root_fd = target_fd,
                .parent_fd = -1,
                .limits = limits,
                .tree = options,
                .progress = progress,
                .data = data,
        };
        struct archive_entry *entry = NULL;
        Error why = {};
        int r = tar_stream_next(stream, &entry, &why);

        /* Where nothing can be read, there is no archive; an empty one is none, either. */
        if (options->detect && (r == 0 || (r < 0 && why.kind == ERROR_INVALID)))
                return 0;
        if (r < 0) {
                if (err)
                        *err = why;
                return r;
        }
        if (options->probe)
                return r;
        r = apply_all(&unpacker, stream, entry, r, err);
        if (r == 0 && options->ret_bytes)
                *options->ret_bytes = unpacker.bytes;
        return r < 0 ? r : 1;
}
