/* utf8.c: see utf8.h. */
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

size_t utf8_decode(const char *text, size_t length, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = length > 0 ? (unsigned char)text[0] : 0xff;
        size_t count = first < 0x80             ? 1
                       : (first & 0xe0) == 0xc0 ? 2
                       : (first & 0xf0) == 0xe0 ? 3
                       : (first & 0xf8) == 0xf0 ? 4
                                                : 0;
        uint32_t value = count <= 1 ? first : first & (0x7fU >> count);

        if (count == 0 || count > length)
                return 0;
        for (size_t i = 1; i < count; i++) {
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 0;
                value = value << 6 | ((unsigned char)text[i] & 0x3f);
        }
        if (value < least[count] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
                return 0;
        *ret = value;
        return count;
}

void buf_add_utf8(Buf *buf, uint32_t code) {
        unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        static const unsigned char marks[] = { 0, 0xc0, 0xe0, 0xf0 };

        buf_add_char(buf, (char)(marks[more] | code >> 6 * more));
        while (more-- > 0)
                buf_add_char(buf, (char)(0x80 | (code >> 6 * more & 63)));
}

char *utf8_clean(const char *text, size_t length) {
        Buf out = {};
        uint32_t value = 0;

        while (length > 0) {
                size_t count = utf8_decode(text, length, &value);

                if (count > 0 && value != 0)
                        buf_add(&out, text, count);
                else
                        buf_add_str(&out, REPLACEMENT);
                count = count > 0 ? count : 1;
                text += count;
                length -= count;
        }
        return buf_take(&out);
}
