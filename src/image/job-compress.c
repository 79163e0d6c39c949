/* job-compress.c: the job that writes a layer in another compression, and sums the plain stream and
 * what comes out. See job.h. */
#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/deflate.h"
#include "format/digest.h"
#include "image/confine.h"
#include "image/job.h"
#include "image/message.h"

#define REPORT_EVERY (100 * NSEC_PER_MSEC)

typedef struct Packing {
        Digester plain, packed;
        int64_t read, written, reported_at;
} Packing;

static int on_plain(void *data, const void *bytes, size_t length, Error *err) {
        Packing *packing = data;
        ImageMessage message = { .kind = (char *)"progress" };
        int64_t now = clock_monotonic();

        digester_add(&packing->plain, bytes, length);
        packing->read += (int64_t)length;
        if (now - packing->reported_at < REPORT_EVERY)
                return 0;
        packing->reported_at = now;
        message.current = packing->read;
        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0) == -EPIPE
                       ? error_set(err, EPIPE, "brigd has gone")
                       : 0;
}

static int on_packed(void *data, const void *bytes, size_t length, Error *err) {
        Packing *packing = data;
        int r = fd_write_full(IMAGE_FD_TARGET, bytes, length);

        if (r < 0)
                return error_set(err, -r, "store the compressed layer");
        digester_add(&packing->packed, bytes, length);
        packing->written += (int64_t)length;
        return 0;
}

static int read_request(Deflate *deflate, Error *err) {
        static const struct {
                const char *suffix;
                Compression to;
        } formats[] = { { "+gzip", COMPRESSION_GZIP },
                        { "+zstd", COMPRESSION_ZSTD },
                        { ".tar", COMPRESSION_NONE } };
        _cleanup_(image_message_done) ImageMessage request = {};
        int r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);

        if (r <= 0)
                return r < 0 ? r : error_set(err, EPIPE, "brigd has gone");
        if (request.detect)
                deflate->level = (int)request.number;
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                if (str_ends(request.media_type ?: "", formats[i].suffix)) {
                        deflate->to = formats[i].to;
                        return 0;
                }
        return error_kind(err, ERROR_INTERNAL, "compress: '%s' is no layer's form",
                          request.media_type ?: "");
}

int job_compress(Error *err) {
        char plain[DIGEST_TEXT_MAX], packed[DIGEST_TEXT_MAX];
        Packing packing = {};
        Deflate deflate = { .level = DEFLATE_LEVEL_DEFAULT,
                            .plain = on_plain,
                            .packed = on_packed,
                            .data = &packing };
        ImageMessage done = { .kind = (char *)"done", .digest = packed, .source = plain };
        int r = confine_to_network(err);

        digester_init(&packing.plain);
        digester_init(&packing.packed);
        if (r == 0)
                r = read_request(&deflate, err);
        if (r == 0)
                r = deflate_stream(IMAGE_FD_INPUT, &deflate, err);
        if (r < 0)
                return r;
        digester_end(&packing.plain, plain);
        digester_end(&packing.packed, packed);
        done.size = packing.written;
        r = image_message_send(IMAGE_FD_SOCKET, &done, NULL, 0);
        return r < 0 ? error_set(err, -r, "report the compressed layer") : 0;
}
