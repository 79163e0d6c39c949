/* tar.c: see tar.h. The header is that of POSIX pax(1), "ustar Interchange Format". */
#include "format/tar.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

typedef struct Block {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
        char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155],
                pad[12];
} Block;
_Static_assert(sizeof(Block) == TAR_BLOCK, "a tar header is one block");

/* Octal digits and a NUL; a number too large for them as GNU tar has it. */
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

void tar_header(const TarHeader *header, unsigned char bytes[TAR_BLOCK]) {
        Block block = { .type = header->type, .magic = "ustar", .version = { '0', '0' } };
        unsigned sum = 0;

        memcpy(block.name, header->name, strnlen(header->name, sizeof(block.name)));
        if (header->link)
                memcpy(block.link, header->link, strnlen(header->link, sizeof(block.link)));
        put_number(block.mode, sizeof(block.mode), header->mode);
        put_number(block.uid, sizeof(block.uid), header->uid);
        put_number(block.gid, sizeof(block.gid), header->gid);
        put_number(block.size, sizeof(block.size), header->size);
        put_number(block.mtime, sizeof(block.mtime), header->mtime);
        put_number(block.major, sizeof(block.major), header->major);
        put_number(block.minor, sizeof(block.minor), header->minor);
        memset(block.checksum, ' ', sizeof(block.checksum));
        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += ((const unsigned char *)&block)[i];
        put_number(block.checksum, 7, sum);
        memcpy(bytes, &block, sizeof(block));
}

static int put_header(int fd, const char *name, char type, unsigned mode, uint64_t size,
                      int64_t mtime_s, Error *err) {
        const TarHeader header = {
                .name = name,
                .type = type,
                .mode = mode,
                .size = size,
                .mtime = mtime_s < 0 ? 0 : (uint64_t)mtime_s,
        };
        unsigned char block[TAR_BLOCK];
        int r;

        if (strlen(name) > sizeof(((Block *)NULL)->name))
                return error_set(err, ENAMETOOLONG, "write tar entry '%s'", name);
        tar_header(&header, block);
        r = fd_write_full(fd, block, sizeof(block));
        return r < 0 ? error_set(err, -r, "write tar entry '%s'", name) : 0;
}

static int put_padding(int fd, uint64_t size, Error *err) {
        static const char zeros[TAR_BLOCK];
        int r = fd_write_full(fd, zeros, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);

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
        static const char zeros[2 * TAR_BLOCK];
        int r = fd_write_full(fd, zeros, sizeof(zeros));

        return r < 0 ? error_set(err, -r, "write the end of the tar archive") : 0;
}
