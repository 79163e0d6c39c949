/* tar.c: see tar.h. The header is that of POSIX pax(1), "ustar Interchange Format". */
#include "format/tar.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define BLOCK 512

typedef struct Header {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
        char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155],
                pad[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "a tar header is one block");

/* Octal digits and a NUL; a number too large for them as GNU tar has it: a set top bit, then
 * big-endian binary. */
static void put_number(char *field, size_t width, uint64_t value) {
        if (value >> (3 * (width - 1)) == 0) {
                for (size_t i = width - 1; i-- > 0; value >>= 3)
                        field[i] = (char)('0' + (value & 7));
                return;
        }
        for (size_t i = width; i-- > 1; value >>= 8)
                field[i] = (char)(value & 0xff);
        field[0] = (char)0x80;
}

static int put_header(int fd, const char *name, char type, unsigned mode, uint64_t size,
                      int64_t mtime_s, Error *err) {
        Header header = { .type = type, .magic = "ustar", .version = { '0', '0' } };
        unsigned sum = 0;
        int r;

        if (strlen(name) > sizeof(header.name))
                return error_set(err, ENAMETOOLONG, "write tar entry '%s'", name);
        memcpy(header.name, name, strlen(name));
        put_number(header.mode, sizeof(header.mode), mode);
        put_number(header.uid, sizeof(header.uid), 0);
        put_number(header.gid, sizeof(header.gid), 0);
        put_number(header.size, sizeof(header.size), size);
        put_number(header.mtime, sizeof(header.mtime), mtime_s < 0 ? 0 : (uint64_t)mtime_s);
        put_number(header.major, sizeof(header.major), 0);
        put_number(header.minor, sizeof(header.minor), 0);
        memset(header.checksum, ' ', sizeof(header.checksum));
        for (size_t i = 0; i < BLOCK; i++)
                sum += ((const unsigned char *)&header)[i];
        put_number(header.checksum, 7, sum);
        r = fd_write_full(fd, &header, sizeof(header));
        return r < 0 ? error_set(err, -r, "write tar entry '%s'", name) : 0;
}

static int put_padding(int fd, uint64_t size, Error *err) {
        static const char zeros[BLOCK];
        int r = fd_write_full(fd, zeros, (BLOCK - size % BLOCK) % BLOCK);

        return r < 0 ? error_set(err, -r, "write tar padding") : 0;
}

int tar_put_directory(int fd, const char *name, int64_t mtime_s, Error *err) {
        return put_header(fd, name, '5', 0755, 0, mtime_s, err);
}

int tar_put_bytes(int fd, const char *name, const void *data, size_t length, int64_t mtime_s,
                  Error *err) {
        int r = put_header(fd, name, '0', 0644, length, mtime_s, err);

        if (r < 0)
                return r;
        r = fd_write_full(fd, data, length);
        return r < 0 ? error_set(err, -r, "write tar entry '%s'", name)
                     : put_padding(fd, length, err);
}

int tar_put_file(int fd, const char *name, int from_fd, int64_t size, int64_t mtime_s, Error *err) {
        enum { CHUNK = 1 << 18 };
        _cleanup_free_ char *chunk = alloc_zero(1, CHUNK);
        int r = put_header(fd, name, '0', 0644, (uint64_t)size, mtime_s, err);

        for (int64_t done = 0; r == 0 && done < size;) {
                ssize_t n = pread(from_fd, chunk, (size_t)MIN((int64_t)CHUNK, size - done), done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return error_set(err, n < 0 ? errno : EIO, "read for tar entry '%s'", name);
                r = fd_write_full(fd, chunk, (size_t)n);
                if (r < 0)
                        return error_set(err, -r, "write tar entry '%s'", name);
                done += n;
        }
        return r < 0 ? r : put_padding(fd, (uint64_t)size, err);
}

int tar_end(int fd, Error *err) {
        static const char zeros[2 * BLOCK];
        int r = fd_write_full(fd, zeros, sizeof(zeros));

        return r < 0 ? error_set(err, -r, "write the end of the tar archive") : 0;
}
