/* deflate.c: see deflate.h. */
#include "format/deflate.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fd.h"

#define BLOCK_SIZE ((size_t)1 << 20)
#define LEVEL 3 /* ISA-L's best, which is fast still */

typedef struct Work {
        struct isal_zstream stream;
        struct isal_gzip_header header;
        unsigned char level[ISAL_DEF_LVL3_DEFAULT];
        unsigned char input[BLOCK_SIZE], output[BLOCK_SIZE];
} Work;

static int write_out(Work *work, const Deflate *deflate, Error *err) {
        struct isal_zstream *stream = &work->stream;
        size_t length = BLOCK_SIZE - stream->avail_out;
        int r = length > 0 ? deflate->packed(deflate->data, work->output, length, err) : 0;

        stream->next_out = work->output;
        stream->avail_out = BLOCK_SIZE;
        return r;
}

/* What of the block is not compressed yet; at the end, until the trailer is out. */
static int compress_block(Work *work, const Deflate *deflate, Error *err) {
        struct isal_zstream *stream = &work->stream;

        do {
                int r = isal_deflate(stream);

                if (r != COMP_OK)
                        return error_kind(err, ERROR_INTERNAL, "compress: ISA-L's error %d", r);
                r = write_out(work, deflate, err);
                if (r < 0)
                        return r;
        } while (stream->avail_in > 0 ||
                 (stream->end_of_stream && stream->internal_state.state != ZSTATE_END));
        return 0;
}

static void begin(Work *work) {
        struct isal_zstream *stream = &work->stream;

        isal_deflate_init(stream);
        isal_gzip_header_init(&work->header);
        work->header.os = 255; /* unknown */
        stream->level = LEVEL;
        stream->level_buf = work->level;
        stream->level_buf_size = sizeof(work->level);
        stream->gzip_flag = IGZIP_GZIP_NO_HDR;
        stream->next_out = work->output;
        stream->avail_out = BLOCK_SIZE;
        (void)isal_write_gzip_header(stream, &work->header); /* there is room */
        stream->gzip_flag = IGZIP_GZIP_NO_HDR;
}

int deflate_gzip(int fd, const Deflate *deflate, Error *err) {
        _cleanup_free_ Work *work = NEW(Work);
        int r = 0;

        begin(work);
        while (r == 0 && !work->stream.end_of_stream) {
                ssize_t n = fd_read_full(fd, work->input, BLOCK_SIZE);

                if (n < 0)
                        return error_set(err, (int)-n, "read what is to be compressed");
                if (deflate->plain && n > 0)
                        r = deflate->plain(deflate->data, work->input, (size_t)n, err);
                work->stream.next_in = work->input;
                work->stream.avail_in = (uint32_t)n;
                work->stream.end_of_stream = (size_t)n < BLOCK_SIZE;
                if (r == 0)
                        r = compress_block(work, deflate, err);
        }
        return r;
}
