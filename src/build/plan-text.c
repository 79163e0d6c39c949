/* plan-text.c: lists as Go's fmt prints them: the history's text holds them. */
#include "build/plan-private.h"

char *go_list(char *const *list) {
        _cleanup_free_ char *words = list ? strv_join(list, " ") : NULL;

        return str_format("[%s]", words ?: "");
}

/* The length of the UTF-8 sequence at text, 1 for ASCII; 0: it is none. */
static size_t utf8_length(const char *text) {
        unsigned char first = (unsigned char)*text;
        size_t length = first < 0x80    ? 1
                        : first < 0xc2  ? 0
                        : first < 0xe0  ? 2
                        : first < 0xf0  ? 3
                        : first <= 0xf4 ? 4
                                        : 0;

        for (size_t i = 1; i < length; i++)
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 0;
        return length;
}

static void add_quoted(Buf *out, const char *text) {
        static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";

        buf_add_char(out, '"');
        while (*text) {
                size_t length = utf8_length(text);
                const char *known = strchr(from, *text);

                if (known)
                        buf_format(out, "\\%c", to[known - from]);
                else if (!length || (unsigned char)*text < 0x20 || *text == 0x7f)
                        buf_format(out, "\\x%02x", (unsigned char)*text);
                else if (length == 2 && (unsigned char)text[0] == 0xc2 &&
                         (unsigned char)text[1] < 0xa0)
                        buf_format(out, "\\u%04x", (unsigned char)text[1]);
                else
                        buf_add(out, text, length);
                text += MAX(length, 1u);
        }
        buf_add_char(out, '"');
}

char *go_quoted_list(char *const *list) {
        _cleanup_buf_ Buf out = {};

        buf_add_char(&out, '[');
        for (size_t i = 0; list && list[i]; i++) {
                if (i)
                        buf_add_char(&out, ' ');
                add_quoted(&out, list[i]);
        }
        buf_add_char(&out, ']');
        return buf_take(&out);
}
