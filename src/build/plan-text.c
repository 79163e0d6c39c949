/* plan-text.c: lists and durations as Go's fmt prints them: the history's text holds them. */
#include <inttypes.h>

#include "base/clock.h"
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

/* value / unit with its fraction, without zeros at the end: "1.5". */
static void add_fraction(Buf *out, int64_t value, int64_t unit) {
        int64_t rest = value % unit;

        buf_format(out, "%" PRId64, value / unit);
        if (rest)
                buf_add_char(out, '.');
        for (; rest; rest = rest * 10 % unit)
                buf_add_char(out, (char)('0' + rest * 10 / unit));
}

char *go_duration(int64_t duration) {
        static const struct {
                int64_t unit;
                const char *name;
        } small[] = { { NSEC_PER_MSEC, "ms" }, { 1000, "\xc2\xb5s" }, { 1, "ns" } };
        int64_t minutes = duration / (60 * NSEC_PER_SEC);
        _cleanup_buf_ Buf out = {};

        for (size_t i = 0; duration && duration < NSEC_PER_SEC && i < ELEMENTS(small); i++)
                if (duration >= small[i].unit) {
                        add_fraction(&out, duration, small[i].unit);
                        buf_add_str(&out, small[i].name);
                        return buf_take(&out);
                }
        if (minutes >= 60)
                buf_format(&out, "%" PRId64 "h", minutes / 60);
        if (minutes)
                buf_format(&out, "%" PRId64 "m", minutes % 60);
        add_fraction(&out, duration % (60 * NSEC_PER_SEC), NSEC_PER_SEC);
        buf_add_char(&out, 's');
        return buf_take(&out);
}
