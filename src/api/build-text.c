/* build-text.c: the text of programs as JSON; see build.h. RFC 3629, RFC 8259. */
#include "api/build.h"
#include "base/utf8.h"

bool text_is_utf8(const char *text, size_t length) {
        uint32_t value = 0;

        for (size_t i = 0, n; i < length; i += n) {
                n = utf8_decode(text + i, length - i, &value);
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
        uint32_t value = 0;

        buf_add_char(json, '"');
        for (size_t i = 0, n; i < length; i += n) {
                for (n = 0; i + n < length && is_plain(text[i + n]);)
                        n++;
                if (n > 0) {
                        buf_add(json, text + i, n);
                        continue;
                }
                n = utf8_decode(text + i, length - i, &value);
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
