/* deflate.c: see deflate.h. One vtable a format. */
#include "format/deflate.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define BLOCK_SIZE ((size_t)1 << 20)

typedef struct Work Work;

typedef struct DeflateKind {
        Compression to;
        int (*begin)(Work *work, Error *err);
        /* The whole block; last: nothing follows it. */
        int (*block)(Work *work, size_t length, bool last, Error *err);
        void (*end)(Work *work);
} DeflateKind;

struct Work {
        const Deflate *deflate;
        const DeflateKind *kind;
        struct isal_zstream stream;
        struct isal_gzip_header header;
        unsigned char level[ISAL_DEF_LVL3_DEFAULT];
        ZSTD_CCtx *zstd;
        unsigned char input[BLOCK_SIZE], output[BLOCK_SIZE];
};

static int put(Work *work, const void *bytes, size_t length, Error *err) {
        return length > 0 ? work->deflate->packed(work->deflate->data, bytes, length, err) : 0;
}

/* ---- none ---- */

static int plain_block(Work *work, size_t length, bool last, Error *err) {
        (void)last;
        return put(work, work->input, length, err);
}

/* ---- gzip ---- */

/* ISA-L's levels by gzip's: its best, which is fast still, is the default. */
static uint32_t gzip_level(int level) {
        static const uint32_t levels[] = { 0, 1, 2, 2, 2, 2, 3, 3, 3, 3 };

        return level >= 0 && (size_t)level < ELEMENTS(levels) ? levels[level] : 3;
}

static int gzip_begin(Work *work, Error *err) {
        struct isal_zstream *stream = &work->stream;

        (void)err;
        isal_deflate_init(stream);
        isal_gzip_header_init(&work->header);
        work->header.os = 255; /* unknown */
        stream->level = gzip_level(work->deflate->level);
        stream->level_buf = work->level;
        stream->level_buf_size = sizeof(work->level);
        stream->gzip_flag = IGZIP_GZIP_NO_HDR;
        stream->next_out = work->output;
        stream->avail_out = BLOCK_SIZE;
        (void)isal_write_gzip_header(stream, &work->header); /* there is room */
        stream->gzip_flag = IGZIP_GZIP_NO_HDR;
        return 0;
}

static int gzip_write(Work *work, Error *err) {
        struct isal_zstream *stream = &work->stream;
        int r = put(work, work->output, BLOCK_SIZE - stream->avail_out, err);

        stream->next_out = work->output;
        stream->avail_out = BLOCK_SIZE;
        return r;
}

/* At the end, until the trailer is out. */
static int gzip_block(Work *work, size_t length, bool last, Error *err) {
        struct isal_zstream *stream = &work->stream;

        stream->next_in = work->input;
        stream->avail_in = (uint32_t)length;
        stream->end_of_stream = last;
        do {
                int r = isal_deflate(stream);

                if (r != COMP_OK)
                        return error_kind(err, ERROR_INTERNAL, "compress: ISA-L's error %d", r);
                r = gzip_write(work, err);
                if (r < 0)
                        return r;
        } while (stream->avail_in > 0 ||
                 (stream->end_of_stream && stream->internal_state.state != ZSTATE_END));
        return 0;
}

/* ---- zstd ---- */

static int zstd_begin(Work *work, Error *err) {
        int level = work->deflate->level > 0 ? work->deflate->level : ZSTD_CLEVEL_DEFAULT;

        work->zstd = ZSTD_createCCtx();
        if (!work->zstd)
                abort(); /* out of memory, as base/alloc.h has it */
        if (ZSTD_isError(ZSTD_CCtx_setParameter(work->zstd, ZSTD_c_compressionLevel, level)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(work->zstd, ZSTD_c_checksumFlag, 1)))
                return error_set(err, EINVAL, "set up zstd");
        return 0;
}

static int zstd_block(Work *work, size_t length, bool last, Error *err) {
        ZSTD_inBuffer in = { work->input, length, 0 };
        size_t left;

        do {
                ZSTD_outBuffer out = { work->output, BLOCK_SIZE, 0 };
                int r;

                left = ZSTD_compressStream2(work->zstd, &out, &in,
                                            last ? ZSTD_e_end : ZSTD_e_continue);
                if (ZSTD_isError(left))
                        return error_kind(err, ERROR_INTERNAL, "compress: zstd: %s",
                                          ZSTD_getErrorName(left));
                r = put(work, work->output, out.pos, err);
                if (r < 0)
                        return r;
        } while (in.pos < in.size || (last && left > 0));
        return 0;
}

static void zstd_end(Work *work) {
        (void)ZSTD_freeCCtx(work->zstd);
}

/* ---- the stream ---- */

static const DeflateKind kinds[] = {
        { COMPRESSION_NONE, NULL, plain_block, NULL },
        { COMPRESSION_GZIP, gzip_begin, gzip_block, NULL },
        { COMPRESSION_ZSTD, zstd_begin, zstd_block, zstd_end },
};

static void work_donep(Work **work) {
        if (*work && (*work)->kind && (*work)->kind->end)
                (*work)->kind->end(*work);
        free(*work);
}

/* A whole block, less only at the end: what comes out depends on where blocks begin. */
static ssize_t read_block(Inflater *inflater, unsigned char *block, Error *err) {
        size_t length = 0;

        while (length < BLOCK_SIZE) {
                ssize_t n = inflater_read(inflater, block + length, BLOCK_SIZE - length, err);

                if (n < 0)
                        return n;
                if (n == 0)
                        break;
                length += (size_t)n;
        }
        return (ssize_t)length;
}

int deflate_stream(int fd, const Deflate *deflate, Error *err) {
        _cleanup_(work_donep) Work *work = NEW(Work);
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        bool last = false;
        int r = inflater_new(fd, &inflater, err);

        work->deflate = deflate;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].to == deflate->to)
                        work->kind = &kinds[i];
        if (r == 0 && !work->kind)
                return error_kind(err, ERROR_INTERNAL, "compress: no such format is written");
        if (r == 0 && work->kind->begin)
                r = work->kind->begin(work, err);
        while (r == 0 && !last) {
                ssize_t n = read_block(inflater, work->input, err);

                if (n < 0)
                        return (int)n;
                last = (size_t)n < BLOCK_SIZE;
                if (deflate->plain && n > 0)
                        r = deflate->plain(deflate->data, work->input, (size_t)n, err);
                if (r == 0)
                        r = work->kind->block(work, (size_t)n, last, err);
        }
        return r;
}
