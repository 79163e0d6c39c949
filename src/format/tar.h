/* tar.h: writes POSIX ustar archives of regular files and directories, the form of `save`. Reading,
 * which meets hostile input, is libarchive's, in the confined program (image/unpack.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TAR_BLOCK 512

/* What a header says. Names and links are at most 100 bytes, cut where they are longer. */
typedef struct TarHeader {
        const char *name, *link; /* link may be NULL */
        char type;               /* pax(1)'s: '0' file, '1' hard link, '2' symbolic link … */
        unsigned mode, major, minor;
        uint64_t uid, gid, size, mtime;
} TarHeader;

/* Formats one header. A number that has no room in octal digits is written as GNU tar does: a set
 * top bit, then big-endian binary. */
void tar_header(const TarHeader *header, unsigned char block[TAR_BLOCK]);

/* Every entry belongs to 0:0 and has the time mtime_s (seconds since 1970), so that archives of the
 * same images are equal. Names are at most 100 bytes. Errors are those of write(2). */
int tar_put_directory(int fd, const char *name, int64_t mtime_s, Error *err);
int tar_put_bytes(int fd, const char *name, const void *data, size_t length, int64_t mtime_s,
                  Error *err);
/* Copies exactly `size` bytes of from_fd, from its start. */
int tar_put_file(int fd, const char *name, int from_fd, int64_t size, int64_t mtime_s, Error *err);
/* The two blocks of zeros at the end. */
int tar_end(int fd, Error *err);
