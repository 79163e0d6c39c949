/* inflate.h: small pieces of DEFLATE (RFC 1951) in memory, for programs that link no library for
 * it. Streams, and what must be fast, are compress.h's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Appends what the data, which end with the last block, stand for. -EBADMSG: damaged; -EFBIG: more
 * than limit bytes. */
int inflate_bytes(const void *data, size_t length, size_t limit, Buf *ret);

/* The CRC of gzip and zip (ISO 3309). */
uint32_t crc32_of(const void *data, size_t length);
