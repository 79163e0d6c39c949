/* inflate-test.c: what zlib made, and what is damaged. */
#include "format/inflate.h"

#include <errno.h>

#include "base/test.h"

#define FIXED "\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\x01" /* "hello " four times */
#define FIXED_TEXT "hello hello hello hello"
/* "0,1,2,…,59," */
#define DYNAMIC                                                                                    \
        "\x0d\x8e\x47\x01\xc0\x30\x10\xc3\x08\xe9\x11\xdb\xe7\x0c\xfe\xc4\x5a\x00\x1a\x0b\x61\xc2" \
        "\x50\x36\x87\xcb\x43\x0b\x09\x19\x05\x0d\x2a\xda\xe8\xa0\x8b\x1e\x5e\xf8\x67\x8c\x83\x07" \
        "\x17\x6f\x7c\xf0\xc5\x8f\x2c\x22\xf2\x2b\x43\x86\x94\x6c\x72\xc8\x25\x8f\x59\x8c\x18\x33" \
        "\x7f\x71\x98\x32\x9b\x39\xcc\x65\x1e\x5d\x54\xd4\x34\xf4\x1f\x2a\xdd\xf4\xd0\x4b\x1f\x1f"
#define STORED                                                                                     \
        "\x01\x03\x00\xfc\xff"                                                                     \
        "abc"

static int inflate(const char *data, size_t length, size_t limit, Buf *ret) {
        buf_clear(ret);
        return inflate_bytes(data, length, limit, ret);
}

TEST(blocks) {
        _cleanup_buf_ Buf out = { 0 }, numbers = { 0 };

        ASSERT_INT(inflate(FIXED, sizeof(FIXED) - 1, 100, &out), 0);
        ASSERT_INT(out.length, strlen(FIXED_TEXT));
        ASSERT(memcmp(out.data, FIXED_TEXT, out.length) == 0);
        ASSERT_INT(inflate(STORED, sizeof(STORED) - 1, 3, &out), 0);
        ASSERT(out.length == 3 && memcmp(out.data, "abc", 3) == 0);
        for (int i = 0; i < 60; i++)
                buf_format(&numbers, "%d,", i);
        ASSERT_INT(inflate(DYNAMIC, sizeof(DYNAMIC) - 1, 1000, &out), 0);
        ASSERT_INT(out.length, numbers.length);
        ASSERT(memcmp(out.data, numbers.data, out.length) == 0);
}

TEST(no_more_than_was_allowed) {
        _cleanup_buf_ Buf out = { 0 };

        ASSERT_INT(inflate(FIXED, sizeof(FIXED) - 1, strlen(FIXED_TEXT) - 1, &out), -EFBIG);
        ASSERT_INT(inflate(DYNAMIC, sizeof(DYNAMIC) - 1, 10, &out), -EFBIG);
        ASSERT_INT(inflate(STORED, sizeof(STORED) - 1, 2, &out), -EFBIG);
}

TEST(cut_off_anywhere) {
        _cleanup_buf_ Buf out = { 0 };

        for (size_t length = 0; length < sizeof(DYNAMIC) - 1; length++)
                ASSERT_INT(inflate(DYNAMIC, length, 1000, &out), -EBADMSG);
        for (size_t length = 0; length < sizeof(FIXED) - 1; length++)
                ASSERT_INT(inflate(FIXED, length, 1000, &out), -EBADMSG);
}

TEST(damaged) {
        _cleanup_buf_ Buf out = { 0 };

        ASSERT_INT(inflate("\x07", 1, 10, &out), -EBADMSG); /* no kind of block */
        ASSERT_INT(inflate("\x01\x03\0\xfc\xfe"
                           "abc",
                           8, 10, &out),
                   -EBADMSG);                                   /* the inverse */
        ASSERT_INT(inflate("\x03\x02", 2, 10, &out), -EBADMSG); /* before the beginning */
}

TEST(crc) {
        ASSERT_INT(crc32_of("123456789", 9), 0xcbf43926);
        ASSERT_INT(crc32_of(FIXED_TEXT, strlen(FIXED_TEXT)), 2369606115);
}

TEST_MAIN()
