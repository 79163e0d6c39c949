/* context-archive.c: see context-archive.h. Of tar it reads what POSIX pax(1) calls ustar, of zip
 * what PKWARE's APPNOTE.TXT has without encryption and zip64: stored or deflated. */
#include "cli/context-archive.h"

#include <errno.h>

#include "base/str.h"
#include "format/inflate.h"

#define BLOCK ((size_t)512)
#define FILES_MAX 64
#define META "meta.json"

typedef struct Reading {
        ContextFileFn file;
        void *data;
        unsigned files;
        bool meta;
} Reading;

static int damaged(const char *what, Error *err) {
        return error_kind(err, ERROR_INVALID, "the archive of a context is damaged: %s", what);
}

/* ---- names ---- */

static bool plain(const char *name, size_t length) {
        return length > 0 && length <= 255 && name[0] != '.' && !memchr(name, '/', length);
}

/* Docker's words. */
static int check_path(const char *path, Error *err) {
        const char *names = str_after(path, "tls/"), *slash;

        if (str_equal(path, META))
                return 0;
        if (!names)
                return error_kind(err, ERROR_INVALID, "%s: unexpected context file", path);
        slash = strchr(names, '/');
        if (!slash)
                return error_kind(err, ERROR_INVALID, "%s: archive format is invalid", path);
        if (!plain(names, (size_t)(slash - names)) || !plain(slash + 1, strlen(slash + 1)))
                return error_kind(err, ERROR_INVALID, "%s: unexpected path format", path);
        return 0;
}

static int take_file(Reading *reading, const char *path, const void *bytes, size_t length,
                     Error *err) {
        int r = check_path(path, err);

        if (r < 0)
                return r;
        if (++reading->files > FILES_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "the archive of a context has more than %d files", FILES_MAX);
        if (str_equal(path, META) && reading->meta)
                return damaged("it has two " META, err);
        reading->meta |= str_equal(path, META);
        return reading->file(reading->data, path, bytes, length, err);
}

/* ---- tar ---- */

/* Octal digits between blanks or NULs; false where there is anything else. */
static bool octal(const unsigned char *field, size_t width, size_t *ret) {
        size_t at = 0, value = 0;

        while (at < width && field[at] == ' ')
                at++;
        for (; at < width && field[at] >= '0' && field[at] <= '7'; at++)
                value = value << 3 | (size_t)(field[at] - '0');
        for (; at < width; at++)
                if (field[at] != ' ' && field[at] != '\0')
                        return false;
        *ret = value;
        return true;
}

static bool header_valid(const unsigned char *header) {
        size_t told, sum = 8 * ' ';

        for (size_t i = 0; i < BLOCK; i++)
                if (i < 148 || i >= 156)
                        sum += header[i];
        return octal(header + 148, 8, &told) && told == sum;
}

static char *tar_path(const unsigned char *header) {
        const char *name = (const char *)header, *prefix = (const char *)header + 345;
        _cleanup_free_ char *last = str_copy_n(name, strnlen(name, 100));

        if (memcmp(header + 257, "ustar", 6) != 0 || *prefix == '\0')
                return TAKE_PTR(last);
        return str_format("%.*s/%s", (int)strnlen(prefix, 155), prefix, last);
}

/* Records of pax that would change the next file's name or size; others (times) are nothing to us.
 */
static bool pax_matters(const char *text, size_t length) {
        static const char *const keys[] = { " path=", " size=", " linkpath=", " GNU.sparse" };

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (memmem(text, length, keys[i], strlen(keys[i])))
                        return true;
        return false;
}

static int take_entry(Reading *reading, const unsigned char *header, const char *content,
                      size_t size, Error *err) {
        _cleanup_free_ char *path = NULL;
        char type = (char)header[156];

        if (type == 'L' || type == 'K' || (type == 'x' && pax_matters(content, size)))
                return damaged("a name or a size is told apart from its file: make it with "
                               "'context export'",
                               err);
        if (type != '0' && type != '\0')
                return 0; /* no file */
        path = tar_path(header);
        return take_file(reading, path, content, size, err);
}

static bool is_zero(const char *block) {
        for (size_t i = 0; i < BLOCK; i++)
                if (block[i])
                        return false;
        return true;
}

static int read_tar(Reading *reading, const char *bytes, size_t length, Error *err) {
        size_t at = 0;

        while (length - at >= BLOCK && !is_zero(bytes + at)) {
                const unsigned char *header = (const unsigned char *)bytes + at;
                size_t size, padded;
                int r;

                if (!header_valid(header) || !octal(header + 124, 12, &size))
                        return error_kind(err, ERROR_INVALID,
                                          "this is no archive of a context, neither tar nor zip: "
                                          "make one with 'context export'");
                at += BLOCK;
                if (size > length - at)
                        return damaged("a file is cut off", err);
                r = take_entry(reading, header, bytes + at, size, err);
                if (r < 0)
                        return r;
                padded = (size + BLOCK - 1) / BLOCK * BLOCK;
                at += MIN(padded, length - at);
        }
        return 0;
}

/* ---- zip ---- */

enum {
        END_SIZE = 22, /* APPNOTE.TXT, 4.3.16 */
        END_COUNT = 10,
        END_OFFSET = 16,
        ENTRY_SIZE = 46, /* 4.3.12 */
        ENTRY_FLAGS = 8,
        ENTRY_METHOD = 10,
        ENTRY_CRC = 16,
        ENTRY_PACKED = 20,
        ENTRY_PLAIN = 24,
        ENTRY_NAME = 28,
        ENTRY_EXTRA = 30,
        ENTRY_COMMENT = 32,
        ENTRY_OFFSET = 42,
        LOCAL_SIZE = 30, /* 4.3.7 */
        LOCAL_NAME = 26,
        LOCAL_EXTRA = 28,
        ENCRYPTED = 1,
        STORED = 0,
        DEFLATED = 8,
};

static unsigned get16(const char *at) {
        const unsigned char *bytes = (const unsigned char *)at;

        return bytes[0] | (unsigned)bytes[1] << 8;
}

static uint32_t get32(const char *at) {
        return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* Where the central directory begins, and how many entries it has. */
static bool zip_find(const char *bytes, size_t length, size_t *ret, unsigned *ret_count) {
        size_t least = length > UINT16_MAX + END_SIZE ? length - UINT16_MAX - END_SIZE : 0;

        for (size_t at = length; at-- > least;)
                if (length - at >= END_SIZE && memcmp(bytes + at, "PK\5\6", 4) == 0) {
                        *ret = get32(bytes + at + END_OFFSET);
                        *ret_count = get16(bytes + at + END_COUNT);
                        return *ret <= at;
                }
        return false;
}

/* The file's bytes as they lie there. */
static bool zip_content(const char *bytes, size_t length, const char *entry, const char **ret,
                        size_t *ret_length) {
        size_t at = get32(entry + ENTRY_OFFSET), size = get32(entry + ENTRY_PACKED);

        if (length < LOCAL_SIZE || at > length - LOCAL_SIZE || memcmp(bytes + at, "PK\3\4", 4) != 0)
                return false;
        at += LOCAL_SIZE + get16(bytes + at + LOCAL_NAME) + get16(bytes + at + LOCAL_EXTRA);
        if (at > length || size > length - at)
                return false;
        *ret = bytes + at;
        *ret_length = size;
        return true;
}

static int take_zipped(Reading *reading, const char *bytes, size_t length, const char *entry,
                       const char *path, Error *err) {
        unsigned method = get16(entry + ENTRY_METHOD);
        _cleanup_buf_ Buf inflated = { 0 };
        const char *content;
        size_t size;

        if (get16(entry + ENTRY_FLAGS) & ENCRYPTED)
                return damaged("its files are encrypted, which is not read", err);
        if (!zip_content(bytes, length, entry, &content, &size))
                return damaged("a file is not where it should be", err);
        if (method == DEFLATED) {
                if (inflate_bytes(content, size, CONTEXT_ARCHIVE_MAX, &inflated) < 0)
                        return damaged("a file cannot be inflated, or not to 10 MiB", err);
                content = inflated.data ?: "";
                size = inflated.length;
        } else if (method != STORED) {
                return damaged("a file is compressed by another method than deflate", err);
        }
        if (size != get32(entry + ENTRY_PLAIN) ||
            crc32_of(content, size) != get32(entry + ENTRY_CRC))
                return damaged("a file's sum is wrong", err);
        return take_file(reading, path, content, size, err);
}

static int read_zip(Reading *reading, const char *bytes, size_t length, Error *err) {
        size_t at;
        unsigned count;

        if (!zip_find(bytes, length, &at, &count))
                return damaged("the zip has no directory", err);
        for (unsigned i = 0; i < count; i++) {
                _cleanup_free_ char *path = NULL;
                const char *entry = bytes + at;
                size_t name;
                int r = 0;

                if (length - at < ENTRY_SIZE || memcmp(entry, "PK\1\2", 4) != 0)
                        return damaged("the zip's directory is cut off", err);
                name = get16(entry + ENTRY_NAME);
                if (name > length - at - ENTRY_SIZE)
                        return damaged("the zip's directory is cut off", err);
                path = str_copy_n(entry + ENTRY_SIZE, name);
                if (!str_ends(path, "/"))
                        r = take_zipped(reading, bytes, length, entry, path, err);
                if (r < 0)
                        return r;
                at += ENTRY_SIZE + name;
                at += MIN(get16(entry + ENTRY_EXTRA) + get16(entry + ENTRY_COMMENT), length - at);
        }
        return 0;
}

int context_archive_read(const void *bytes, size_t length, ContextFileFn file, void *data,
                         Error *err) {
        Reading reading = { .file = file, .data = data };
        int r = length >= 4 && memcmp(bytes, "PK\3\4", 4) == 0
                        ? read_zip(&reading, bytes, length, err)
                        : read_tar(&reading, bytes, length, err);

        if (r == 0 && !reading.meta)
                return error_kind(err, ERROR_INVALID, "invalid context: no metadata found");
        return r;
}
