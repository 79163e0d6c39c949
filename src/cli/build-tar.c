/* build-tar.c: a directory as a tar archive, for daemons that cannot be given the directory itself.
 * Names too long for ustar stand in pax headers. pax(1), "pax Interchange Format". */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "build/ignore.h"
#include "cli/build-options.h"

#define BLOCK 512
#define COPY_SIZE 65536

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

typedef struct Header {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
        char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155],
                pad[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "a tar header is one block");

typedef struct TarWriter {
        const BuildTar *tar;
        const IgnorePatterns *ignored;
        Error *err;
} TarWriter;

/* Whoever reads may have stopped for ever: so no write that could not be ended. */
static int put(TarWriter *writer, const void *data, size_t length) {
        const BuildTar *tar = writer->tar;

        for (const char *rest = data; length > 0;) {
                struct pollfd fds[] = { { tar->stop_fd, POLLIN, 0 }, { tar->fd, POLLOUT, 0 } };
                ssize_t n;

                if (poll(fds, ELEMENTS(fds), -1) < 0 && errno != EINTR)
                        return error_set(writer->err, errno, "send the context");
                if (fds[0].revents)
                        return error_set(writer->err, ECANCELED, "send the context");
                n = write(tar->fd, rest, length);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return error_set(writer->err, errno, "send the context");
                rest += MAX(n, (ssize_t)0);
                length -= (size_t)MAX(n, (ssize_t)0);
        }
        return 0;
}

static int put_padding(TarWriter *writer, uint64_t size) {
        static const char zeros[BLOCK];

        return put(writer, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

/* Octal digits; a number too large for them in GNU's binary form. */
static void set_number(char *field, size_t width, uint64_t value) {
        bool binary = value >> (3 * (width - 1)) != 0;

        for (size_t i = binary ? width : width - 1; i-- > 0; value >>= binary ? 8 : 3)
                field[i] = (char)(binary ? value & 255 : '0' + (value & 7));
        if (binary)
                field[0] = (char)0x80;
}

static void set_text(char *field, size_t width, const char *text) {
        memcpy(field, text, strnlen(text, width)); /* a full field has no NUL */
}

static int put_header(TarWriter *writer, const char *name, const char *link, char type,
                      const struct stat *st, uint64_t size) {
        Header header = { .type = type, .magic = "ustar", .version = { '0', '0' } };
        unsigned sum = 0;

        set_text(header.name, sizeof(header.name), name);
        set_text(header.link, sizeof(header.link), link);
        set_number(header.mode, sizeof(header.mode), st->st_mode & 07777);
        set_number(header.uid, sizeof(header.uid), 0);
        set_number(header.gid, sizeof(header.gid), 0);
        set_number(header.size, sizeof(header.size), size);
        set_number(header.mtime, sizeof(header.mtime),
                   st->st_mtim.tv_sec < 0 ? 0 : (uint64_t)st->st_mtim.tv_sec);
        set_number(header.major, sizeof(header.major), major(st->st_rdev));
        set_number(header.minor, sizeof(header.minor), minor(st->st_rdev));
        memset(header.checksum, ' ', sizeof(header.checksum));
        for (size_t i = 0; i < BLOCK; i++)
                sum += ((const unsigned char *)&header)[i];
        set_number(header.checksum, 7, sum);
        return put(writer, &header, sizeof(header));
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(Buf *records, const char *key, const void *value, size_t size) {
        size_t rest = strlen(key) + size + 3, length = rest + 1;

        for (size_t limit = 10; length >= limit; limit *= 10)
                length = rest + (size_t)snprintf(NULL, 0, "%zu", length);
        buf_format(records, "%zu %s=", length, key);
        buf_add(records, value, size);
        buf_add_char(records, '\n');
}

/* Those that are part of an image, as libarchive and star write them. */
static int add_attributes(const TarWriter *writer, const char *name, int fd, Buf *records) {
        ssize_t length = flistxattr(fd, NULL, 0), size;
        _cleanup_free_ char *names = length > 0 ? NEW_ARRAY(char, XATTR_LIST_MAX + 1) : NULL;
        _cleanup_free_ char *value = length > 0 ? NEW_ARRAY(char, XATTR_SIZE_MAX) : NULL;

        if (length > 0)
                length = flistxattr(fd, names, XATTR_LIST_MAX);
        if (length < 0)
                return errno == ENOTSUP
                               ? 0
                               : error_set(writer->err, errno, "read the attributes of '%s'", name);
        for (const char *key = names; length > 0 && key < names + length; key += strlen(key) + 1) {
                _cleanup_free_ char *record = str_format("SCHILY.xattr.%s", key);

                if ((!str_after(key, "user.") || str_after(key, "user.overlay.")) &&
                    !str_equal(key, "security.capability"))
                        continue;
                size = fgetxattr(fd, key, value, XATTR_SIZE_MAX);
                if (size < 0)
                        return error_set(writer->err, errno, "read attribute '%s' of '%s'", key,
                                         name);
                add_record(records, record, value, (size_t)size);
        }
        return 0;
}

/* What has no room in a header. fd: of what has attributes; -1: it has none. */
static int put_extended(TarWriter *writer, const char *name, const char *link, int fd) {
        const struct stat st = { .st_mode = 0644 };
        _cleanup_buf_ Buf records = {};
        int r = 0;

        if (strlen(name) > sizeof(((Header *)NULL)->name))
                add_record(&records, "path", name, strlen(name));
        if (strlen(link) > sizeof(((Header *)NULL)->link))
                add_record(&records, "linkpath", link, strlen(link));
        if (fd >= 0 && writer->tar->attributes)
                r = add_attributes(writer, name, fd, &records);
        if (r < 0 || records.length == 0)
                return r;
        r = put_header(writer, "././@PaxHeader", "", 'x', &st, records.length);
        if (r == 0)
                r = put(writer, records.data, records.length);
        return r < 0 ? r : put_padding(writer, records.length);
}

/* The size was told: a file that shrank is an error, what it grew by stays out. */
static int put_content(TarWriter *writer, const char *name, int fd, uint64_t size) {
        _cleanup_free_ char *data = NEW_ARRAY(char, COPY_SIZE);

        for (uint64_t left = size; left > 0;) {
                ssize_t got = read(fd, data, (size_t)MIN(left, (uint64_t)COPY_SIZE));
                int r;

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_set(writer->err, errno, "read '%s'", name);
                if (got == 0)
                        return error_kind(writer->err, ERROR_CONFLICT,
                                          "'%s' became shorter while it was sent", name);
                r = put(writer, data, (size_t)got);
                if (r < 0)
                        return r;
                left -= (uint64_t)got;
        }
        return put_padding(writer, size);
}

static int put_file(TarWriter *writer, int dir_fd, const char *base, const char *name) {
        _cleanup_close_ int fd =
                openat(dir_fd, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(writer->err, errno, "open '%s' in the context", name);
        r = put_extended(writer, name, "", fd);
        if (r == 0)
                r = put_header(writer, name, "", '0', &st, (uint64_t)st.st_size);
        return r < 0 ? r : put_content(writer, name, fd, (uint64_t)st.st_size);
}

static int put_link(TarWriter *writer, int dir_fd, const char *base, const char *name,
                    const struct stat *st) {
        char target[4096];
        ssize_t length = readlinkat(dir_fd, base, target, sizeof(target) - 1);
        int r;

        if (length < 0)
                return error_set(writer->err, errno, "read the link '%s' in the context", name);
        target[length] = '\0';
        r = put_extended(writer, name, target, -1);
        return r < 0 ? r : put_header(writer, name, target, '2', st, 0);
}

static int put_special(TarWriter *writer, const char *name, char type, int fd,
                       const struct stat *st) {
        int r = put_extended(writer, name, "", fd);

        return r < 0 ? r : put_header(writer, name, "", type, st, 0);
}

static int put_directory(TarWriter *writer, int parent_fd, const char *base, const char *name,
                         const struct stat *st, bool listed);

static int put_entry(TarWriter *writer, int dir_fd, const char *base, const char *name) {
        bool descend = true, ignored = ignore_matches(writer->ignored, name, &descend);
        struct stat st;

        if (pairs_get(writer->tar->extra, name) || strv_has(writer->tar->left_out, name))
                return 0;
        if (fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(writer->err, errno, "stat '%s' in the context", name);
        if (S_ISDIR(st.st_mode))
                return ignored && !descend
                               ? 0
                               : put_directory(writer, dir_fd, base, name, &st, !ignored);
        if (ignored)
                return 0;
        if (S_ISSOCK(st.st_mode)) { /* nothing that an archive can hold: an empty file, as a build
                                       makes of it */
                st.st_size = 0;
                return put_special(writer, name, '0', -1, &st);
        }
        if (S_ISREG(st.st_mode))
                return put_file(writer, dir_fd, base, name);
        if (S_ISLNK(st.st_mode))
                return put_link(writer, dir_fd, base, name, &st);
        return put_special(writer, name,
                           S_ISFIFO(st.st_mode)  ? '6'
                           : S_ISCHR(st.st_mode) ? '3'
                                                 : '4',
                           -1, &st);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int fd, const char *name, char ***ret, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_strv_ char **names = NULL;
        size_t count = 0;
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir) {
                int number = errno;

                close_fd(&copy);
                return error_set(err, number, "read directory '%s' in the context", name);
        }
        rewinddir(dir);
        for (struct dirent *entry; (errno = 0, entry = readdir(dir));)
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        strv_take_at(&names, count++, str_copy(entry->d_name));
        if (errno != 0)
                return error_set(err, errno, "read directory '%s' in the context", name);
        if (count > 0)
                qsort(names, count, sizeof(*names), compare_names);
        *ret = TAKE_PTR(names);
        return 0;
}

/* prefix: "" or "a/b/". */
static int put_children(TarWriter *writer, int fd, const char *prefix) {
        _cleanup_strv_ char **names = NULL;
        int r = read_names(fd, prefix, &names, writer->err);

        for (char **base = names; r == 0 && base && *base; base++) {
                _cleanup_free_ char *name = str_format("%s%s", prefix, *base);

                r = put_entry(writer, fd, *base, name);
        }
        return r;
}

static int put_directory(TarWriter *writer, int parent_fd, const char *base, const char *name,
                         const struct stat *st, bool listed) {
        _cleanup_free_ char *prefix = str_format("%s/", name);
        _cleanup_close_ int fd =
                openat(parent_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = 0;

        if (fd < 0)
                return error_set(writer->err, errno, "open '%s' in the context", name);
        if (listed)
                r = put_special(writer, prefix, '5', fd, st);
        return r < 0 ? r : put_children(writer, fd, prefix);
}

static int put_extra(TarWriter *writer) {
        const struct stat st = { .st_mode = 0644 };

        for (size_t i = 0; i < writer->tar->extra->count; i++) {
                const Pair *pair = &writer->tar->extra->items[i];
                size_t length = strlen(pair->value);
                int r = put_extended(writer, pair->key, "", -1);

                if (r == 0)
                        r = put_header(writer, pair->key, "", '0', &st, length);
                if (r == 0)
                        r = put(writer, pair->value, length);
                if (r == 0)
                        r = put_padding(writer, length);
                if (r < 0)
                        return r;
        }
        return 0;
}

int build_tar_write(const BuildTar *tar, Error *err) {
        static const char end[2 * BLOCK];
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        TarWriter writer = { .tar = tar, .err = err };
        int r = tar->ignore ? ignore_parse(tar->ignore, tar->ignore_length, &ignored, err) : 0;

        writer.ignored = ignored;
        if (r == 0)
                r = put_extra(&writer);
        if (r == 0 && tar->dir_fd >= 0)
                r = put_children(&writer, tar->dir_fd, "");
        return r < 0 ? r : put(&writer, end, sizeof(end));
}
