/* pack-stream.h: the bytes that a packer makes, on their way out: summed by the thread that makes
 * them and written by a second one, or, where nothing is written, summed by the second. Knows no
 * tar. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "format/digest.h"

typedef struct PackStream PackStream;

/* fd stays the caller's; -1: the bytes are summed and dropped. */
PackStream *pack_stream_new(int fd);
PackStream *pack_stream_free(PackStream *stream);
DEFINE_CLEANUP(PackStream *, pack_stream_free)

/* Where the next bytes may be put: at least one, at most *ret_length of them; pack_stream_advance
 * says how many there are. */
int pack_stream_room(PackStream *stream, void **ret, size_t *ret_length, Error *err);
void pack_stream_advance(PackStream *stream, size_t length);
int pack_stream_add(PackStream *stream, const void *data, size_t length, Error *err);
int pack_stream_add_zeros(PackStream *stream, int64_t length, Error *err);
/* Until all is written. */
int pack_stream_end(PackStream *stream, char digest[DIGEST_TEXT_MAX], int64_t *ret_size,
                    Error *err);
