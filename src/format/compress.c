/* compress.c: see compress.h. One vtable a format; gzip may have several members and zstd several
 * frames, one after the other, as layers made in parallel have them. */
#include "format/compress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/fd.h"

#define INPUT_SIZE (1 << 18)
#define MAGIC_LENGTH 6
/* zstd's window, in powers of two: more memory than this is refused (128 MiB, the tools' default).
 */
#define ZSTD_WINDOW_MAX 27

typedef struct InflateKind {
        Compression compression;
        int (*begin)(Inflater *inflater, Error *err);
        ssize_t (*read)(Inflater *inflater, void *data, size_t length, Error *err);
        void (*end)(Inflater *inflater);
} InflateKind;

struct Inflater {
        const InflateKind *kind;
        int fd;
        bool input_ended, in_member;
        size_t position, length; /* what of input is left */
        int64_t consumed;        /* bytes read from fd */
        struct inflate_state *gzip;
        ZSTD_DStream *zstd;
        struct archive *archive;
        unsigned char input[INPUT_SIZE];
};

static int damaged(Error *err, const char *format, const char *why) {
        (void)error_kind(err, ERROR_INVALID, "damaged %s stream: %s", format, why);
        return -EBADMSG;
}

/* Makes sure that input has a byte unless it ended. */
static int refill(Inflater *inflater, Error *err) {
        ssize_t n;

        if (inflater->position < inflater->length || inflater->input_ended)
                return 0;
        do
                n = read(inflater->fd, inflater->input, INPUT_SIZE);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set(err, errno, "read the stream");
        inflater->position = 0;
        inflater->length = (size_t)n;
        inflater->consumed += n;
        inflater->input_ended = n == 0;
        return 0;
}

static bool at_end(const Inflater *inflater) {
        return inflater->input_ended && inflater->position == inflater->length;
}

/* ---- plain ---- */

static ssize_t plain_read(Inflater *inflater, void *data, size_t length, Error *err) {
        size_t n;
        int r = refill(inflater, err);

        if (r < 0)
                return r;
        n = MIN(length, inflater->length - inflater->position);
        memcpy(data, inflater->input + inflater->position, n);
        inflater->position += n;
        return (ssize_t)n;
}

/* ---- gzip ---- */

static int gzip_begin(Inflater *inflater, Error *err) {
        (void)err;
        inflater->gzip = NEW(struct inflate_state);
        return 0;
}

/* After a member: true at the next one; zeros, which tapes pad with, are skipped. */
static int gzip_next_member(Inflater *inflater, bool *ret, Error *err) {
        for (;;) {
                int r = refill(inflater, err);

                if (r < 0)
                        return r;
                *ret = !at_end(inflater);
                if (!*ret || inflater->input[inflater->position] != 0)
                        break;
                inflater->position++;
        }
        if (*ret) {
                isal_inflate_init(inflater->gzip);
                inflater->gzip->crc_flag = ISAL_GZIP;
                inflater->in_member = true;
        }
        return 0;
}

static int gzip_step(Inflater *inflater, Error *err) {
        struct inflate_state *gzip = inflater->gzip;
        int r;

        gzip->next_in = inflater->input + inflater->position;
        gzip->avail_in = (uint32_t)(inflater->length - inflater->position);
        r = isal_inflate(gzip);
        inflater->position = inflater->length - gzip->avail_in;
        if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
                return damaged(err, "gzip",
                               r == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "invalid data");
        if (gzip->block_state == ISAL_BLOCK_FINISH)
                inflater->in_member = false;
        return 0;
}

static ssize_t gzip_read(Inflater *inflater, void *data, size_t length, Error *err) {
        struct inflate_state *gzip = inflater->gzip;
        bool more = true;

        for (;;) {
                int r = inflater->in_member ? refill(inflater, err)
                                            : gzip_next_member(inflater, &more, err);

                if (r < 0)
                        return r;
                if (!more)
                        return 0;
                gzip->next_out = data;
                gzip->avail_out = (uint32_t)MIN(length, (size_t)1 << 30);
                r = gzip_step(inflater, err);
                if (r < 0)
                        return r;
                if (gzip->next_out != data)
                        return gzip->next_out - (unsigned char *)data;
                if (inflater->in_member && at_end(inflater))
                        return damaged(err, "gzip", "it ends early");
        }
}

static void gzip_end(Inflater *inflater) {
        free(inflater->gzip);
}

/* ---- zstd ---- */

static int zstd_begin(Inflater *inflater, Error *err) {
        inflater->zstd = ZSTD_createDStream();
        if (!inflater->zstd)
                abort();
        if (ZSTD_isError(
                    ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_MAX)))
                return error_set(err, EINVAL, "set up zstd");
        return 0;
}

static ssize_t zstd_read(Inflater *inflater, void *data, size_t length, Error *err) {
        for (;;) {
                ZSTD_outBuffer out = { .dst = data, .size = length };
                ZSTD_inBuffer in;
                size_t result;
                int r = refill(inflater, err);

                if (r < 0)
                        return r;
                if (at_end(inflater) && !inflater->in_member)
                        return 0;
                in = (ZSTD_inBuffer){ inflater->input, inflater->length, inflater->position };
                result = ZSTD_decompressStream(inflater->zstd, &out, &in);
                if (ZSTD_isError(result))
                        return damaged(err, "zstd", ZSTD_getErrorName(result));
                inflater->position = in.pos;
                inflater->in_member = result != 0;
                if (out.pos > 0)
                        return (ssize_t)out.pos;
                if (inflater->in_member && at_end(inflater))
                        return damaged(err, "zstd", "it ends early");
        }
}

static void zstd_end(Inflater *inflater) {
        (void)ZSTD_freeDStream(inflater->zstd);
}

/* ---- xz and bzip2 ---- */

static la_ssize_t archive_input(struct archive *archive, void *data, const void **ret) {
        Inflater *inflater = data;
        Error err = {};
        size_t n;

        if (refill(inflater, &err) < 0) {
                archive_set_error(archive, err.number, "%s", err.message);
                return -1;
        }
        *ret = inflater->input + inflater->position;
        n = inflater->length - inflater->position;
        inflater->position = inflater->length;
        return (la_ssize_t)n;
}

static int packed_begin(Inflater *inflater, Error *err) {
        struct archive_entry *entry;

        inflater->archive = archive_read_new();
        if (!inflater->archive)
                abort();
        if (archive_read_support_filter_xz(inflater->archive) != ARCHIVE_OK ||
            archive_read_support_filter_bzip2(inflater->archive) != ARCHIVE_OK ||
            archive_read_support_format_raw(inflater->archive) != ARCHIVE_OK ||
            archive_read_open(inflater->archive, inflater, NULL, archive_input, NULL) !=
                    ARCHIVE_OK ||
            archive_read_next_header(inflater->archive, &entry) != ARCHIVE_OK)
                return damaged(err, "compressed", archive_error_string(inflater->archive));
        return 0;
}

static ssize_t packed_read(Inflater *inflater, void *data, size_t length, Error *err) {
        la_ssize_t n = archive_read_data(inflater->archive, data, length);

        return n < 0 ? damaged(err, "compressed", archive_error_string(inflater->archive)) : n;
}

static void packed_end(Inflater *inflater) {
        (void)archive_read_free(inflater->archive);
}

/* ---- which ---- */

static const InflateKind kinds[] = {
        { COMPRESSION_NONE, NULL, plain_read, NULL },
        { COMPRESSION_GZIP, gzip_begin, gzip_read, gzip_end },
        { COMPRESSION_ZSTD, zstd_begin, zstd_read, zstd_end },
        { COMPRESSION_XZ, packed_begin, packed_read, packed_end },
        { COMPRESSION_BZIP2, packed_begin, packed_read, packed_end },
};

Compression compression_detect(const void *data, size_t length) {
        static const struct {
                Compression compression;
                size_t length;
                unsigned char magic[MAGIC_LENGTH];
        } magics[] = {
                { COMPRESSION_GZIP, 3, { 0x1f, 0x8b, 0x08 } },
                { COMPRESSION_ZSTD, 4, { 0x28, 0xb5, 0x2f, 0xfd } },
                { COMPRESSION_XZ, 6, { 0xfd, '7', 'z', 'X', 'Z', 0x00 } },
                { COMPRESSION_BZIP2, 3, { 'B', 'Z', 'h' } },
        };

        for (size_t i = 0; i < ELEMENTS(magics); i++)
                if (length >= magics[i].length &&
                    memcmp(data, magics[i].magic, magics[i].length) == 0)
                        return magics[i].compression;
        return COMPRESSION_NONE;
}

int inflater_new(int fd, Inflater **ret, Error *err) {
        _cleanup_(inflater_freep) Inflater *inflater = NEW(Inflater);
        ssize_t n = fd_read_full(fd, inflater->input, MAGIC_LENGTH);
        Compression compression;
        int r;

        if (n < 0)
                return error_set(err, (int)-n, "read the stream");
        inflater->fd = fd;
        inflater->length = (size_t)n;
        inflater->consumed = n;
        compression = compression_detect(inflater->input, inflater->length);
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].compression == compression)
                        inflater->kind = &kinds[i];
        r = inflater->kind->begin ? inflater->kind->begin(inflater, err) : 0;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(inflater);
        return 0;
}

Inflater *inflater_free(Inflater *inflater) {
        if (inflater && inflater->kind && inflater->kind->end)
                inflater->kind->end(inflater);
        free(inflater);
        return NULL;
}

ssize_t inflater_read(Inflater *inflater, void *data, size_t length, Error *err) {
        return inflater->kind->read(inflater, data, length, err);
}

int64_t inflater_consumed(const Inflater *inflater) {
        return inflater->consumed - (int64_t)(inflater->length - inflater->position);
}

Compression inflater_compression(const Inflater *inflater) {
        return inflater->kind->compression;
}
