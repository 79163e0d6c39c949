/* build-tar.c: a directory as a tar archive, for daemons that cannot be given the directory itself.
 * Names too long for ustar stand in pax headers. pax(1), "pax Interchange Format". */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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
        int fd;
        const IgnorePatterns *ignored;
        const Pairs *extra;
        Error *err;
} TarWriter;

static int put(TarWriter *writer, const void *data, size_t length) {
        int r = fd_write_full(writer->fd, data, length);

        return r < 0 ? error_set(writer->err, -r, "send the context") : 0;
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
static void add_record(Buf *records, const char *key, const char *value) {
        size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;

        for (size_t limit = 10; length >= limit; limit *= 10)
                length = rest + (size_t)snprintf(NULL, 0, "%zu", length);
        buf_format(records, "%zu %s=%s\n", length, key, value);
}

static int put_long_names(TarWriter *writer, const char *name, const char *link) {
        const struct stat st = { .st_mode = 0644 };
        _cleanup_buf_ Buf records = {};
        int r;

        if (strlen(name) > sizeof(((Header *)NULL)->name))
                add_record(&records, "path", name);
        if (strlen(link) > sizeof(((Header *)NULL)->link))
                add_record(&records, "linkpath", link);
        if (records.length == 0)
                return 0;
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
        r = put_long_names(writer, name, "");
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
        r = put_long_names(writer, name, target);
        return r < 0 ? r : put_header(writer, name, target, '2', st, 0);
}

static int put_special(TarWriter *writer, const char *name, char type, const struct stat *st) {
        int r = put_long_names(writer, name, "");

        return r < 0 ? r : put_header(writer, name, "", type, st, 0);
}

static int put_directory(TarWriter *writer, int parent_fd, const char *base, const char *name,
                         const struct stat *st, bool listed);

static int put_entry(TarWriter *writer, int dir_fd, const char *base, const char *name) {
        bool descend = true, ignored = ignore_matches(writer->ignored, name, &descend);
        struct stat st;

        if (pairs_get(writer->extra, name))
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
                return put_special(writer, name, '0', &st);
        }
        if (S_ISREG(st.st_mode))
                return put_file(writer, dir_fd, base, name);
        if (S_ISLNK(st.st_mode))
                return put_link(writer, dir_fd, base, name, &st);
        return put_special(writer, name,
                           S_ISFIFO(st.st_mode)  ? '6'
                           : S_ISCHR(st.st_mode) ? '3'
                                                 : '4',
                           &st);
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
                r = put_special(writer, prefix, '5', st);
        return r < 0 ? r : put_children(writer, fd, prefix);
}

static int put_extra(TarWriter *writer) {
        const struct stat st = { .st_mode = 0644 };

        for (size_t i = 0; i < writer->extra->count; i++) {
                const Pair *pair = &writer->extra->items[i];
                size_t length = strlen(pair->value);
                int r = put_long_names(writer, pair->key, "");

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

int build_tar_write(int fd, int dir_fd, const char *ignore, size_t ignore_length,
                    const Pairs *extra, Error *err) {
        static const char end[2 * BLOCK];
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        TarWriter writer = { fd, NULL, extra, err };
        int r = ignore ? ignore_parse(ignore, ignore_length, &ignored, err) : 0;

        writer.ignored = ignored;
        if (r == 0)
                r = put_extra(&writer);
        if (r == 0 && dir_fd >= 0)
                r = put_children(&writer, dir_fd, "");
        return r < 0 ? r : put(&writer, end, sizeof(end));
}
