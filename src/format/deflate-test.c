/* deflate-test.c: what deflate.c writes, compress.c reads; the same input gives the same stream. */
#include "format/deflate.h"

#include <sys/mman.h>

#include "base/fd.h"
#include "base/test.h"
#include "format/compress.h"

static int memory_fd(const void *data, size_t length) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        if (fd < 0 || fd_write_full(fd, data, length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return fd;
}

static int add(void *data, const void *bytes, size_t length, Error *err) {
        (void)err;
        buf_add(data, bytes, length);
        return 0;
}

static int refuse(void *data, const void *bytes, size_t length, Error *err) {
        (void)data;
        (void)bytes;
        (void)length;
        return error_kind(err, ERROR_UNAVAILABLE, "no room");
}

/* Text that compresses, with some noise. */
static Buf sample(size_t length) {
        Buf text = {};
        unsigned state = 1;

        while (text.length < length) {
                state = state * 1103515245 + 12345;
                buf_format(&text, "line %u of a layer\n", state >> 20);
        }
        text.length = length;
        return text;
}

static bool inflates_to(const Buf *packed, const Buf *plain) {
        _cleanup_close_ int fd = memory_fd(packed->data, packed->length);
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        _cleanup_buf_ Buf out = {};
        char piece[65536];
        ssize_t n;

        if (inflater_new(fd, &inflater, NULL) < 0)
                return false;
        while ((n = inflater_read(inflater, piece, sizeof(piece), NULL)) > 0)
                buf_add(&out, piece, (size_t)n);
        return n == 0 && inflater_compression(inflater) == COMPRESSION_GZIP &&
               out.length == plain->length &&
               (out.length == 0 || memcmp(out.data, plain->data, out.length) == 0);
}

TEST(what_is_packed_is_the_same_again_unpacked) {
        static const size_t lengths[] = { 0, 1, 1000, 1 << 20, (1 << 20) + 1, (3 << 20) - 5 };

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_buf_ Buf plain = sample(lengths[i]), packed = {}, again = {};
                _cleanup_close_ int fd = memory_fd(plain.data ? plain.data : "", plain.length);
                Deflate deflate = { .packed = add, .data = &packed };
                Error err = {};

                ASSERT_OK(deflate_gzip(fd, &deflate, &err), &err);
                ASSERT(inflates_to(&packed, &plain));
                ASSERT(plain.length < 1000 || packed.length < plain.length);
                ASSERT_INT(lseek(fd, 0, SEEK_SET), 0);
                deflate.data = &again;
                ASSERT_OK(deflate_gzip(fd, &deflate, &err), &err);
                ASSERT_INT(again.length, packed.length);
                ASSERT(memcmp(again.data, packed.data, packed.length) == 0);
        }
}

TEST(an_output_that_fails_ends_it) {
        _cleanup_buf_ Buf plain = sample(5000);
        _cleanup_close_ int fd = memory_fd(plain.data, plain.length);
        const Deflate deflate = { .packed = refuse };
        Error err = {};

        ASSERT(deflate_gzip(fd, &deflate, &err) < 0);
        ASSERT_STR(err.message, "no room");
}

TEST_MAIN()
