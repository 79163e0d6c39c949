/* cells-test.c: text of any kind, made fit for a terminal. */
#include "base/test.h"
#include "cli/cells.h"

static char *fit(const char *text, size_t width) {
        Buf out = {};

        cells_fit(&out, text, width);
        return buf_take(&out);
}

static char *shown(const char *text) {
        Buf out = {};

        cells_add(&out, text);
        return buf_take(&out);
}

#define ASSERT_TEXT(call, expected)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *made_ = (call);                                               \
                ASSERT_STR(made_, expected);                                                       \
        } while (0)

TEST(bytes_that_are_no_utf8) {
        ASSERT_TEXT(text_utf8("ä€𝄞"), "ä€𝄞");
        ASSERT_TEXT(text_utf8("a\xff"
                              "b"),
                    "a\xef\xbf\xbd"
                    "b");
        ASSERT_TEXT(text_utf8("\xc3"), "\xef\xbf\xbd");
        ASSERT_TEXT(text_utf8("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"); /* overlong */
        ASSERT_TEXT(text_utf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        ASSERT_TEXT(text_utf8("\xf5\x80\x80\x80"),
                    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(what_would_steer_a_terminal_is_visible) {
        ASSERT_TEXT(shown("\033[31mred\a\n"), "\\x1b[31mred\\x07\\x0a");
        ASSERT_TEXT(shown("\xc2\x9b"
                          "31m"),
                    "\\x9b31m");
        ASSERT_TEXT(shown("a\xe2\x80\xae"
                          "b"),
                    "a\\u202eb");
        ASSERT_TEXT(shown("\x7f\xff"), "\\x7f\xef\xbf\xbd");
        ASSERT_INT(cells_width("\033"), 4);
}

TEST(cut_and_filled_to_a_width) {
        ASSERT_TEXT(fit("abc", 5), "abc  ");
        ASSERT_TEXT(fit("abc", 3), "abc");
        ASSERT_TEXT(fit("abcd", 3), "ab…");
        ASSERT_TEXT(fit("abcd", 0), "");
        ASSERT_TEXT(fit("漢字", 4), "漢字");
        ASSERT_TEXT(fit("漢字", 3), "漢…");
        ASSERT_TEXT(fit("漢字x", 3), "漢…");
        ASSERT_TEXT(fit("e\xcc\x81", 2), "e\xcc\x81 ");
        ASSERT_TEXT(fit("\033\033", 5), "\\x1b…");
}

TEST(filled_from_the_front) {
        _cleanup_buf_ Buf out = {};

        cells_fit_right(&out, "12", 4);
        cells_fit_right(&out, "12345", 4);
        ASSERT_STR(out.data, "  12123…");
}

TEST_MAIN()
