/* tarstream.h: a tar archive from a stream, compressed or not, read by two threads: one inflates
 * and sums, the other parses. Part of brig-image; knows nothing of what the entries are for. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "format/compress.h"
#include "format/digest.h"

typedef struct TarStream TarStream;

/* fd stays the caller's. copy_fd ≥ 0 receives the plain stream. limit: bytes that the stream may
 * have when inflated, as a small file can hold terabytes of zeros; longer is an error, kind
 * invalid.
 */
int tar_stream_new(int fd, int copy_fd, int64_t limit, TarStream **ret, Error *err);
TarStream *tar_stream_free(TarStream *stream);
DEFINE_CLEANUP(TarStream *, tar_stream_free)

/* 1 and the next entry (libarchive's, valid until the next call), or 0 at the end of the archive.
 */
int tar_stream_next(TarStream *stream, struct archive_entry **ret, Error *err);
/* The next run of the entry's data: 1, or 0 at its end. */
int tar_stream_data(TarStream *stream, const void **ret, size_t *ret_length, int64_t *ret_offset,
                    Error *err);
/* Compressed bytes read so far. */
int64_t tar_stream_consumed(TarStream *stream);
Compression tar_stream_compression(const TarStream *stream);
/* Reads what follows the archive's end, padding that is 16 MiB at the most, and gives the digest of
 * the plain stream. */
int tar_stream_finish(TarStream *stream, char digest[DIGEST_TEXT_MAX], Error *err);
