/* deflate-test.c: what deflate.c writes, compress.c reads; the same input gives the same stream. */
#include "format/deflate.h"

#include <sys/mman.h>

#include "base/fd.h"
#include "base/test.h"

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

/* Text that compresses, with some noise: the beginning of one text, whose lines are made once, as
 * they take longer than what is tested. */
static Buf sample(size_t length) {
        static Buf lines;
        static unsigned state = 1;
        Buf text = {};

        while (lines.length < length) {
                state = state * 1103515245 + 12345;
                buf_format(&lines, "line %u of a layer\n", state >> 20);
        }
        if (length > 0)
                buf_add(&text, lines.data, length);
        return text;
}

static bool inflates_to(const Buf *packed, const Buf *plain, Compression compression) {
        _cleanup_close_ int fd = memory_fd(packed->data, packed->length);
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        _cleanup_buf_ Buf out = {};
        char piece[65536];
        ssize_t n;

        if (inflater_new(fd, &inflater, NULL) < 0)
                return false;
        while ((n = inflater_read(inflater, piece, sizeof(piece), NULL)) > 0)
                buf_add(&out, piece, (size_t)n);
        return n == 0 && inflater_compression(inflater) == compression &&
               out.length == plain->length &&
               (out.length == 0 || memcmp(out.data, plain->data, out.length) == 0);
}

static void check_round_trip(size_t length, Compression to, int level) {
        _cleanup_buf_ Buf plain = sample(length), packed = {}, again = {};
        _cleanup_close_ int fd = memory_fd(plain.data ? plain.data : "", plain.length);
        Deflate deflate = { .to = to, .level = level, .packed = add, .data = &packed };
        Error err = {};

        ASSERT_OK(deflate_stream(fd, &deflate, &err), &err);
        ASSERT(inflates_to(&packed, &plain, to));
        ASSERT(to == COMPRESSION_NONE || plain.length < 1000 || packed.length < plain.length);
        ASSERT_INT(lseek(fd, 0, SEEK_SET), 0);
        deflate.data = &again;
        ASSERT_OK(deflate_stream(fd, &deflate, &err), &err);
        ASSERT_INT(again.length, packed.length);
        ASSERT(again.length == 0 || memcmp(again.data, packed.data, packed.length) == 0);
}

TEST(what_is_packed_is_the_same_again_unpacked) {
        static const size_t lengths[] = { 0, 1, 1000, 1 << 20, (1 << 20) + 1, (3 << 20) - 5 };

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                check_round_trip(lengths[i], COMPRESSION_NONE, DEFLATE_LEVEL_DEFAULT);
                check_round_trip(lengths[i], COMPRESSION_GZIP, DEFLATE_LEVEL_DEFAULT);
                check_round_trip(lengths[i], COMPRESSION_ZSTD, DEFLATE_LEVEL_DEFAULT);
        }
        for (int level = 0; level <= 9; level++)
                check_round_trip(300000, COMPRESSION_GZIP, level);
        for (int level = 0; level <= 19; level += 19)
                check_round_trip(300000, COMPRESSION_ZSTD, level);
}

static size_t packed_length(Compression to, int level) {
        _cleanup_buf_ Buf plain = sample(2000000), packed = {};
        _cleanup_close_ int fd = memory_fd(plain.data, plain.length);
        const Deflate deflate = { .to = to, .level = level, .packed = add, .data = &packed };

        return deflate_stream(fd, &deflate, NULL) < 0 ? 0 : packed.length;
}

TEST(a_higher_level_makes_less) {
        ASSERT(packed_length(COMPRESSION_GZIP, 9) < packed_length(COMPRESSION_GZIP, 1));
        ASSERT(packed_length(COMPRESSION_ZSTD, 19) < packed_length(COMPRESSION_ZSTD, 1));
        ASSERT_INT(packed_length(COMPRESSION_ZSTD, 0), packed_length(COMPRESSION_ZSTD, 3));
}

TEST(what_is_compressed_is_inflated_before) {
        static const Compression formats[] = { COMPRESSION_GZIP, COMPRESSION_ZSTD };

        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                _cleanup_buf_ Buf plain = sample(1500000), packed = {}, other = {};
                _cleanup_close_ int fd = memory_fd(plain.data, plain.length), second = -1;
                Deflate deflate = { .to = formats[i], .packed = add, .data = &packed };
                Error err = {};

                ASSERT_OK(deflate_stream(fd, &deflate, &err), &err);
                second = memory_fd(packed.data, packed.length);
                deflate = (Deflate){ .to = formats[1 - i], .packed = add, .data = &other };
                ASSERT_OK(deflate_stream(second, &deflate, &err), &err);
                ASSERT(inflates_to(&other, &plain, formats[1 - i]));
        }
}

TEST(an_output_that_fails_ends_it) {
        _cleanup_buf_ Buf plain = sample(5000);
        _cleanup_close_ int fd = memory_fd(plain.data, plain.length);
        Deflate deflate = { .packed = refuse };
        Error err = {};

        for (deflate.to = COMPRESSION_NONE; deflate.to <= COMPRESSION_ZSTD; deflate.to++) {
                ASSERT(deflate_stream(fd, &deflate, &err) < 0);
                ASSERT_STR(err.message, "no room");
                ASSERT_INT(lseek(fd, 0, SEEK_SET), 0);
        }
}

TEST_MAIN()
