/* pack.c: see pack.h. Walks the directories by descriptor: what is packed may be a container's, and
 * nothing of it is resolved as a path. Entries are pack-entry.c's, the stream pack-stream.c's. */
#include "image/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/map.h"
#include "image/layer-form.h"
#include "image/pack-entry.h"

#define XATTR_NAMES_MAX 65536
#define XATTR_VALUE_MAX 65536
#define MARK_MODE 0600

/* A directory that is being packed. They are kept in a list, not on the stack: a container may nest
 * them as deep as a path is long. */
typedef struct Level {
        int fd;
        char **names; /* sorted */
        size_t next;
        size_t path_length; /* of what comes before its names */
} Level;

typedef struct Packer {
        PackStream *stream;
        const PackOptions *options;
        Buf path;        /* of what is being packed */
        Map links;       /* "device:inode" of a file with several names → its first name */
        dev_t device;    /* the file system that is not left */
        int64_t files;   /* bytes of regular files */
        char *attribute; /* room for a value */
        Level *levels;
        size_t depth; /* levels in use */
} Packer;

static void leave_level(Packer *packer) {
        Level *level = &packer->levels[--packer->depth];

        close_fd(&level->fd);
        level->names = strv_free(level->names);
}

static void packer_done(Packer *packer) {
        while (packer->depth > 0)
                leave_level(packer);
        free(packer->levels);
        (void)pack_stream_free(packer->stream);
        buf_done(&packer->path);
        map_done(&packer->links, free);
        free(packer->attribute);
}

static int check_cancelled(const Packer *packer, Error *err) {
        const PackOptions *options = packer->options;

        if (!options->cancelled || !options->cancelled(options->data))
                return 0;
        return error_set(err, ECANCELED, "pack '%s'", packer->path.data);
}

static PackEntry entry_of(const Packer *packer, const struct stat *st, char type) {
        int64_t time = st->st_mtim.tv_sec, latest = packer->options->epoch;

        return (PackEntry){
                .name = packer->path.data,
                .type = type,
                .mode = st->st_mode & 07777,
                .uid = st->st_uid,
                .gid = st->st_gid,
                .mtime = latest >= 0 ? MIN(time, latest) : time,
        };
}

/* ---- extended attributes ---- */

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names that count, sorted. */
static int list_xattrs(const Packer *packer, int fd, char ***ret, Error *err) {
        _cleanup_free_ char *names = NULL;
        ssize_t length = flistxattr(fd, NULL, 0);

        if (length == 0 || (length < 0 && errno == ENOTSUP))
                return 0;
        names = alloc_zero(1, XATTR_NAMES_MAX);
        if (length > 0)
                length = flistxattr(fd, names, XATTR_NAMES_MAX);
        if (length < 0)
                return error_set(err, errno, "list the attributes of '%s'", packer->path.data);
        for (const char *name = names; name < names + length; name += strlen(name) + 1) {
                if (packer->options->overlay && (str_equal(name, "trusted.overlay.redirect") ||
                                                 str_equal(name, "trusted.overlay.metacopy")))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "'%s' has the attribute %s: its content is in another "
                                          "layer; mount overlayfs with redirect_dir=off and "
                                          "metacopy=off",
                                          packer->path.data, name);
                if (layer_xattr_allowed(name))
                        strv_add(ret, name);
        }
        if (*ret)
                qsort(*ret, strv_length(*ret), sizeof(char *), compare_names);
        return 0;
}

static int read_xattrs(Packer *packer, int fd, Buf *records, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = list_xattrs(packer, fd, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                ssize_t length;

                if (!packer->attribute)
                        packer->attribute = alloc_zero(1, XATTR_VALUE_MAX);
                length = fgetxattr(fd, names[i], packer->attribute, XATTR_VALUE_MAX);
                if (length < 0 && errno == ENODATA) /* it went meanwhile */
                        continue;
                if (length < 0)
                        return error_set(err, errno, "read attribute '%s' of '%s'", names[i],
                                         packer->path.data);
                r = pack_xattr(records, names[i], packer->attribute, (size_t)length, err);
        }
        return r < 0 ? error_prefix(err, "pack '%s'", packer->path.data) : 0;
}

/* ---- one kind of entry each; 1: packed, 0: it has gone meanwhile ---- */

static int pack_mark(const Packer *packer, const char *name, Error *err) {
        const PackEntry entry = { .name = name, .type = '0', .mode = MARK_MODE };

        return pack_entry(packer->stream, &entry, err);
}

static int pack_whiteout(const Packer *packer, const char *name, Error *err) {
        size_t parent = packer->path.length - strlen(name);
        _cleanup_free_ char *mark =
                str_format("%.*s" WHITEOUT "%s", (int)parent, packer->path.data, name);

        return pack_mark(packer, mark, err);
}

static int copy_data(Packer *packer, int fd, int64_t size, Error *err) {
        for (int64_t left = size; left > 0;) {
                size_t length;
                ssize_t n;
                void *room;
                int r = pack_stream_room(packer->stream, &room, &length, err);

                if (r == 0)
                        r = check_cancelled(packer, err);
                if (r < 0)
                        return r;
                n = read(fd, room, (size_t)MIN((int64_t)length, left));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(err, errno, "read '%s'", packer->path.data);
                if (n == 0)
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "'%s' became shorter while it was read: stop what writes "
                                          "to it, or try again",
                                          packer->path.data);
                pack_stream_advance(packer->stream, (size_t)n);
                left -= n;
        }
        return pack_padding(packer->stream, size, err);
}

static int replaced(const Packer *packer, Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE, "'%s' was replaced while it was read: try again",
                          packer->path.data);
}

/* What has the name now is opened without waiting: be it a FIFO, it is refused. */
static int open_by_name(const Packer *packer, int parent_fd, const char *name, int *ret_fd,
                        struct stat *ret_status, Error *err) {
        _cleanup_close_ int fd =
                openat(parent_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd >= 0 && fstat(fd, ret_status) < 0)
                return error_set(err, errno, "open '%s'", packer->path.data);
        if (fd >= 0 && S_ISREG(ret_status->st_mode)) {
                *ret_fd = TAKE_FD(fd);
                return 1;
        }
        if (fd < 0 && errno != ELOOP && errno != ENXIO)
                return error_set(err, errno, "open '%s'", packer->path.data);
        return replaced(packer, err);
}

/* A container that runs may put a device in the file's place, and opening one may do things: what
 * it is comes first. 1: open, 0: it has gone. */
static int open_file(const Packer *packer, int parent_fd, const char *name, int *ret_fd,
                     struct stat *ret_status, Error *err) {
        _cleanup_close_ int found = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char link[32];

        if (found < 0 && errno == ENOENT)
                return 0;
        if (found < 0 || fstat(found, ret_status) < 0)
                return error_set(err, errno, "open '%s'", packer->path.data);
        if (!S_ISREG(ret_status->st_mode))
                return replaced(packer, err);
        if (packer->options->no_devices)
                return open_by_name(packer, parent_fd, name, ret_fd, ret_status, err);
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
        *ret_fd = open(link, O_RDONLY | O_CLOEXEC);
        return *ret_fd < 0 ? error_set(err, errno, "open '%s'", packer->path.data) : 1;
}

static int pack_file(Packer *packer, int parent_fd, const char *name, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf xattrs = {};
        PackEntry entry;
        struct stat st;
        int r = open_file(packer, parent_fd, name, &fd, &st, err);

        if (r <= 0)
                return r;
        r = read_xattrs(packer, fd, &xattrs, err);
        if (r < 0)
                return r;
        entry = entry_of(packer, &st, '0');
        entry.size = st.st_size;
        entry.xattrs = &xattrs;
        packer->files += st.st_size;
        r = pack_entry(packer->stream, &entry, err);
        if (r == 0)
                r = copy_data(packer, fd, st.st_size, err);
        return r < 0 ? r : 1;
}

static int pack_symlink(const Packer *packer, int parent_fd, const char *name,
                        const struct stat *st, Error *err) {
        char target[PATH_MAX + 1];
        ssize_t length = readlinkat(parent_fd, name, target, sizeof(target) - 1);
        PackEntry entry = entry_of(packer, st, '2');
        int r;

        if (length < 0)
                return errno == ENOENT ? 0
                                       : error_set(err, errno, "read link '%s'", packer->path.data);
        target[length] = '\0';
        entry.link = target;
        r = pack_entry(packer->stream, &entry, err);
        return r < 0 ? r : 1;
}

static int pack_node(const Packer *packer, const struct stat *st, Error *err) {
        PackEntry entry = entry_of(packer, st,
                                   S_ISCHR(st->st_mode)   ? '3'
                                   : S_ISBLK(st->st_mode) ? '4'
                                                          : '6');
        int r;

        if (!S_ISFIFO(st->st_mode)) {
                entry.major = major(st->st_rdev);
                entry.minor = minor(st->st_rdev);
        }
        r = pack_entry(packer->stream, &entry, err);
        return r < 0 ? r : 1;
}

static int pack_leaf(Packer *packer, int parent_fd, const char *name, const struct stat *st,
                     Error *err) {
        if (S_ISREG(st->st_mode))
                return pack_file(packer, parent_fd, name, err);
        if (S_ISLNK(st->st_mode))
                return pack_symlink(packer, parent_fd, name, st, err);
        return pack_node(packer, st, err);
}

/* A file of several names: the first has the content, the others are links to it. */
static int pack_linked(Packer *packer, int parent_fd, const char *name, const struct stat *st,
                       Error *err) {
        PackEntry entry = entry_of(packer, st, '1');
        char key[48];
        int r;

        (void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
                       (unsigned long long)st->st_ino);
        entry.link = map_get(&packer->links, key);
        if (entry.link)
                return pack_entry(packer->stream, &entry, err);
        r = pack_leaf(packer, parent_fd, name, st, err);
        if (r > 0)
                (void)map_put(&packer->links, key, str_copy(packer->path.data));
        return MIN(r, 0);
}

/* ---- directories ---- */

static int read_names(const Packer *packer, int fd, char ***ret, Error *err) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        size_t count = 0;
        struct dirent *entry;

        if (!dir)
                return error_set(err, errno, "read directory '%s'", packer->path.data);
        for (errno = 0; (entry = readdir(dir)); errno = 0)
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        strv_take_at(ret, count++, str_copy(entry->d_name));
        if (errno != 0)
                return error_set(err, errno, "read directory '%s'", packer->path.data);
        if (*ret)
                qsort(*ret, count, sizeof(char *), compare_names);
        return 0;
}

static int pack_opaque(const Packer *packer, int fd, Error *err) {
        _cleanup_free_ char *mark = str_format("%s" OPAQUE_MARK, packer->path.data);
        char value = '\0';

        if (!packer->options->overlay || fgetxattr(fd, OPAQUE_XATTR, &value, 1) != 1 ||
            value != 'y')
                return 0;
        return pack_mark(packer, mark, err);
}

/* packer->path ends with '/', or is empty for the root. fd is taken. */
static int enter_level(Packer *packer, int fd, Error *err) {
        Level *level;
        int r;

        GROW(packer->levels, packer->depth);
        level = &packer->levels[packer->depth++];
        *level = (Level){ .fd = fd, .path_length = packer->path.length };
        r = pack_opaque(packer, fd, err);
        return r < 0 ? r : read_names(packer, fd, &level->names, err);
}

static int pack_subdirectory(Packer *packer, int parent_fd, const char *name, Error *err) {
        _cleanup_close_ int fd =
                openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_buf_ Buf xattrs = {};
        PackEntry entry;
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(err, errno, "open directory '%s'", packer->path.data);
        r = read_xattrs(packer, fd, &xattrs, err);
        if (r < 0)
                return r;
        buf_add_char(&packer->path, '/');
        entry = entry_of(packer, &st, '5');
        entry.xattrs = &xattrs;
        r = pack_entry(packer->stream, &entry, err);
        if (r < 0 || (st.st_dev != packer->device && !packer->options->mounts))
                return r;
        return enter_level(packer, TAKE_FD(fd), err);
}

static int check_name(const Packer *packer, const char *name, Error *err) {
        if (packer->path.length > LAYER_PATH_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "'%.200s…' can't be packed: its path is longer than 4,095 bytes",
                                  packer->path.data);
        if (packer->options->overlay && str_after(name, WHITEOUT))
                return error_kind(err, ERROR_INVALID,
                                  "'%s' can't be part of a layer, where a name that begins with "
                                  "'" WHITEOUT "' marks a deleted file: rename or remove it",
                                  packer->path.data);
        return check_cancelled(packer, err);
}

/* packer->path is the entry's already. */
static int pack_name(Packer *packer, int parent_fd, const char *name, Error *err) {
        struct stat st;
        int r = check_name(packer, name, err);

        if (r < 0)
                return r;
        if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0
                                       : error_set(err, errno, "look at '%s'", packer->path.data);
        if (S_ISDIR(st.st_mode))
                return pack_subdirectory(packer, parent_fd, name, err);
        if (S_ISSOCK(st.st_mode))
                return 0;
        /* overlayfs gives one whiteout many names. */
        if (packer->options->overlay && is_whiteout(&st))
                return pack_whiteout(packer, name, err);
        r = st.st_nlink > 1 ? pack_linked(packer, parent_fd, name, &st, err)
                            : pack_leaf(packer, parent_fd, name, &st, err);
        return MIN(r, 0);
}

/* ---- all of them ---- */

/* All that is below the levels there are. */
static int pack_levels(Packer *packer, Error *err) {
        int r = 0;

        while (r == 0 && packer->depth > 0) {
                Level *level = &packer->levels[packer->depth - 1];
                const char *name = level->names ? level->names[level->next] : NULL;

                if (!name) {
                        leave_level(packer);
                        continue;
                }
                level->next++;
                packer->path.length = level->path_length;
                buf_add_str(&packer->path, name);
                r = pack_name(packer, level->fd, name, err);
        }
        return r;
}

static int open_below(int dir_fd, const char *path) {
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
        };
        int fd;

        do
                fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd;
}

static int pack_base(Packer *packer, int dir_fd, Error *err) {
        const char *base = packer->options->base, *slash = strrchr(base, '/');
        _cleanup_free_ char *parent =
                slash ? str_copy_n(base, (size_t)(slash - base)) : str_copy(".");
        const char *name = slash ? slash + 1 : base;
        _cleanup_close_ int fd = open_below(dir_fd, parent);
        struct stat st;

        if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "open '%s'", base);
        buf_add_str(&packer->path, packer->options->name ?: base);
        return pack_name(packer, fd, name, err);
}

static int pack_root(Packer *packer, int dir_fd, Error *err) {
        int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);

        return fd < 0 ? error_set(err, errno, "open the directory that is packed")
                      : enter_level(packer, fd, err);
}

static int pack_all(Packer *packer, int dir_fd, Error *err) {
        struct stat st;
        int r;

        if (fstat(dir_fd, &st) < 0)
                return error_set(err, errno, "open the directory that is packed");
        packer->device = st.st_dev;
        r = str_empty(packer->options->base) ? pack_root(packer, dir_fd, err)
                                             : pack_base(packer, dir_fd, err);
        return r < 0 ? r : pack_levels(packer, err);
}

int pack_directory(int dir_fd, int out_fd, const PackOptions *options,
                   char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err) {
        _cleanup_(packer_done)
                Packer packer = { .stream = pack_stream_new(out_fd), .options = options };
        char digest[DIGEST_TEXT_MAX] = "";
        int64_t size = 0;
        int r;

        buf_add_str(&packer.path, "");
        r = pack_all(&packer, dir_fd, err);
        if (r == 0)
                r = pack_end(packer.stream, err);
        if (r == 0)
                r = pack_stream_end(packer.stream, digest, &size, err);
        if (r < 0)
                return r;
        if (ret_digest)
                memcpy(ret_digest, digest, DIGEST_TEXT_MAX);
        if (ret_size)
                *ret_size = size;
        if (options->files)
                *options->files = packer.files;
        return 0;
}

/* ---- several ---- */

static int pack_part(Packer *packer, const PackPart *part, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf xattrs = {};
        PackEntry entry;
        struct stat st;
        int r;

        map_done(&packer->links, free);
        packer->links = (Map){};
        buf_clear(&packer->path);
        buf_format(&packer->path, "%s/", part->name);
        if (fstat(part->dir_fd, &st) < 0)
                return error_set(err, errno, "open the directory that is packed");
        fd = openat(part->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* it may be O_PATH */
        if (fd < 0)
                return error_set(err, errno, "open the directory that is packed");
        r = read_xattrs(packer, fd, &xattrs, err);
        if (r < 0)
                return r;
        entry = entry_of(packer, &st, '5');
        entry.xattrs = &xattrs;
        r = pack_entry(packer->stream, &entry, err);
        return r < 0 ? r : pack_all(packer, part->dir_fd, err);
}

int pack_parts(const PackPart *parts, size_t count, int out_fd, const PackOptions *options,
               Error *err) {
        _cleanup_(packer_done)
                Packer packer = { .stream = pack_stream_new(out_fd), .options = options };
        char digest[DIGEST_TEXT_MAX];
        int64_t size;
        int r = 0;

        for (size_t i = 0; r == 0 && i < count; i++)
                r = pack_part(&packer, &parts[i], err);
        if (r == 0)
                r = pack_end(packer.stream, err);
        return r < 0 ? r : pack_stream_end(packer.stream, digest, &size, err);
}
