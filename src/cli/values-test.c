/* values-test.c: sizes, columns, tables. */
#include "base/test.h"
#include "cli/list.h"
#include "cli/terminal.h"
#include "cli/times.h"
#include "cli/values.h"

static int64_t size_of(const char *text) {
        int64_t size;

        return str_to_size(text, &size) < 0 ? -1 : size;
}

TEST(sizes_in) {
        ASSERT_INT(size_of("32"), 32);
        ASSERT_INT(size_of("32b"), 32);
        ASSERT_INT(size_of("32B"), 32);
        ASSERT_INT(size_of("32k"), 32 << 10);
        ASSERT_INT(size_of("32KB"), 32 << 10);
        ASSERT_INT(size_of("32 KiB"), 32 << 10);
        ASSERT_INT(size_of("1.5g"), 1536ll << 20);
        ASSERT_INT(size_of("6t"), 6ll << 40);
        ASSERT_INT(size_of("8e"), -1);
        ASSERT_INT(size_of(""), -1);
        ASSERT_INT(size_of("-5"), -1);
        ASSERT_INT(size_of("5x"), -1);
        ASSERT_INT(size_of("5kx"), -1);
        ASSERT_INT(size_of("1..2"), -1);
}

TEST(sizes_out) {
        char text[SIZE_TEXT_MAX];

        ASSERT_STR(size_human(0, 3, text), "0B");
        ASSERT_STR(size_human(999, 3, text), "999B");
        ASSERT_STR(size_human(1982000, 3, text), "1.98MB");
        ASSERT_STR(size_human(1982000, 4, text), "1.982MB");
        ASSERT_STR(size_human(123456789, 3, text), "123MB");
        ASSERT_STR(size_binary(25276502016.0, text), "23.54GiB");
}

TEST(cutting_text) {
        _cleanup_free_ char *same = text_ellipsis("short", 5), *cut = text_ellipsis("longer", 5);
        _cleanup_free_ char *wide = text_ellipsis("äöüäöü", 4);

        ASSERT_STR(same, "short");
        ASSERT_STR(cut, "long…");
        ASSERT_STR(wide, "äöü…");
        ASSERT_INT(text_width("äöü…"), 4);
}

/* What table_print writes; the caller's. */
static char *table_of(const char *text, size_t least) {
        char *data = NULL;
        size_t length;
        FILE *out = open_memstream(&data, &length);

        table_print(text, least, 3, out);
        (void)fclose(out);
        return data;
}

TEST(tables) {
        _cleanup_free_ char *narrow = table_of("A\tB\nlonger than ten\tx\n", 10);
        _cleanup_free_ char *least = table_of("A\tB\nab\tx\n", 10);
        _cleanup_free_ char *ragged = table_of("a\tb\tc\nplain\naaaa\tb\n", 1);
        _cleanup_free_ char *none = table_of("", 10);

        ASSERT_STR(narrow, "A                 B\nlonger than ten   x\n");
        ASSERT_STR(least, "A         B\nab        x\n");
        ASSERT_STR(ragged, "a   b   c\nplain\naaaa   b\n");
        ASSERT_STR(none, "");
}

TEST(detach_keys) {
        DetachKeys keys;
        _cleanup_buf_ Buf out = {};
        Error err = {};

        ASSERT_OK(detach_keys_parse(NULL, &keys, &err), &err);
        ASSERT(!detach_keys_filter(&keys, "ab\x10", 3, &out));
        ASSERT_STR(out.data, "ab");
        ASSERT(!detach_keys_filter(&keys, "c\x10\x10", 3, &out));
        ASSERT_STR(out.data, "ab\x10"
                             "c\x10");
        ASSERT(detach_keys_filter(&keys, "\x11", 1, &out));
        ASSERT_OK(detach_keys_parse("ctrl-a,b,ctrl-@", &keys, &err), &err);
        ASSERT_INT(keys.count, 3);
        ASSERT_INT(keys.keys[0], 1);
        ASSERT_INT(keys.keys[2], 0);
        ASSERT(detach_keys_parse("foo", &keys, &err) < 0);
        ASSERT(detach_keys_parse("ctrl-", &keys, &err) < 0);
        ASSERT(detach_keys_parse("a,,b", &keys, &err) < 0);
}

TEST(time_stamps) {
        _cleanup_free_ char *whole = NULL, *zoned = NULL, *ago = NULL, *none = NULL;

        ASSERT_INT(time_stamp("1136073600.000000001", &whole), 0);
        ASSERT_STR(whole, "1136073600.000000001");
        ASSERT_INT(time_stamp("2006-01-02T15:04:05.5Z", &zoned), 0);
        ASSERT_STR(zoned, "1136214245.500000000");
        ASSERT_INT(time_stamp("10m", &ago), 0);
        ASSERT(time_stamp("yesterday", &none) < 0);
}

TEST_MAIN()
