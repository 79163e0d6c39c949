/* build-text.c: the text of programs as JSON; see build.h. RFC 3629, RFC 8259. */
#include "api/build.h"

/* Bytes of the valid sequence at the front of text, or 0. */
static size_t sequence_length(const unsigned char *text, size_t left) {
        static const struct {
                unsigned char low, high; /* of the first byte */
                unsigned char second_low, second_high;
                size_t length;
        } forms[] = {
                { 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
                { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
                { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
                { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
                { 0xf4, 0xf4, 0x80, 0x8f, 4 },
        };

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                if (text[0] < forms[i].low || text[0] > forms[i].high)
                        continue;
                if (forms[i].length > left)
                        return 0;
                if (forms[i].length > 1 &&
                    (text[1] < forms[i].second_low || text[1] > forms[i].second_high))
                        return 0;
                for (size_t j = 2; j < forms[i].length; j++)
                        if ((text[j] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

bool text_is_utf8(const char *text, size_t length) {
        for (size_t i = 0, n; i < length; i += n) {
                n = sequence_length((const unsigned char *)text + i, length - i);
                if (n == 0 || !text[i])
                        return false;
        }
        return true;
}

static bool is_plain(char c) {
        return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void add_escaped(Buf *json, char c) {
        if (c == '\n')
                buf_add_str(json, "\\n");
        else if (c == '"' || c == '\\')
                buf_format(json, "\\%c", c);
        else
                buf_format(json, "\\u%04x", (unsigned)(unsigned char)c);
}

void text_add_quoted(Buf *json, const char *text, size_t length) {
        buf_add_char(json, '"');
        for (size_t i = 0, n; i < length; i += n) {
                for (n = 0; i + n < length && is_plain(text[i + n]);)
                        n++;
                if (n > 0) {
                        buf_add(json, text + i, n);
                        continue;
                }
                n = sequence_length((const unsigned char *)text + i, length - i);
                if (n == 1)
                        add_escaped(json, text[i]);
                else if (n > 1)
                        buf_add(json, text + i, n);
                else
                        buf_add_str(json, "\\ufffd");
                n = n ?: 1;
        }
        buf_add_char(json, '"');
}
