/* compress.h: reads a stream whatever it is compressed with: gzip (ISA-L), zstd, xz and bzip2
 * (libarchive), or nothing, told by its first bytes. Knows no archives. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef enum Compression {
        COMPRESSION_NONE,
        COMPRESSION_GZIP,
        COMPRESSION_ZSTD,
        COMPRESSION_XZ,
        COMPRESSION_BZIP2,
} Compression;

/* By magic number; six bytes tell. */
Compression compression_detect(const void *data, size_t length);

typedef struct Inflater Inflater;

/* Reads from fd, which stays the caller's. Blocks until the first bytes are there. */
int inflater_new(int fd, Inflater **ret, Error *err);
Inflater *inflater_free(Inflater *inflater);
DEFINE_CLEANUP(Inflater *, inflater_free)

/* Fills data with up to length bytes of the plain stream, at least one unless it ended (0).
 * Negative errno: damaged (-EBADMSG, kind invalid) or the read failed. */
ssize_t inflater_read(Inflater *inflater, void *data, size_t length, Error *err);
/* Bytes of the compressed stream used so far. */
int64_t inflater_consumed(const Inflater *inflater);
Compression inflater_compression(const Inflater *inflater);
