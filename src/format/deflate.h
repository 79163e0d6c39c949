/* deflate.h: writes a stream, compressed or not, in another compression: gzip (ISA-L), zstd, or
 * none. The same bytes give the same stream, with gzip on one kind of processor and with one
 * version of ISA-L: no time, no name, input in blocks of one size, one thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/compress.h"

#define DEFLATE_LEVEL_DEFAULT (-1)

typedef struct Deflate {
        Compression to; /* COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD */
        /* gzip: 0 to 9, of which ISA-L has four kinds; zstd: 1 to 22, 0 counts as its default. */
        int level;
        /* Each gets what was read, inflated, and what came out; negative ends the work. plain may
         * be NULL. */
        int (*plain)(void *data, const void *bytes, size_t length, Error *err);
        int (*packed)(void *data, const void *bytes, size_t length, Error *err);
        void *data;
} Deflate;

/* All of fd, from where it is to its end. */
int deflate_stream(int fd, const Deflate *deflate, Error *err);
