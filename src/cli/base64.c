/* base64.c: see base64.h. */
#include "cli/base64.h"

#include <errno.h>

#define COMMON_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char usual_digits[] = COMMON_DIGITS "+/", url_digits[] = COMMON_DIGITS "-_";

static char *encode(const void *data, size_t length, const char *digits) {
        const unsigned char *bytes = data;
        Buf out = {};

        for (size_t i = 0; i < length; i += 3) {
                unsigned bits = 0;
                size_t have = MIN(length - i, (size_t)3);

                for (size_t j = 0; j < 3; j++)
                        bits = bits << 8 | (j < have ? bytes[i + j] : 0);
                for (size_t j = 0; j < 4; j++)
                        buf_add_char(&out, j <= have ? digits[bits >> (18 - 6 * j) & 63] : '=');
        }
        return buf_take(&out);
}

char *base64_text(const void *data, size_t length) {
        return encode(data, length, usual_digits);
}

char *base64_url_text(const void *data, size_t length) {
        return encode(data, length, url_digits);
}

static int digit_value(char digit) {
        const char *found = digit == '+'   ? url_digits + 62
                            : digit == '/' ? url_digits + 63
                                           : strchr(url_digits, digit);

        return digit && found ? (int)(found - url_digits) : -1;
}

int base64_read(const char *text, Buf *ret) {
        unsigned bits = 0, have = 0;

        for (; *text && *text != '='; text++) {
                int value = digit_value(*text);

                if (value < 0)
                        return -EINVAL;
                bits = bits << 6 | (unsigned)value;
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        buf_add_char(ret, (char)(bits >> have & 255));
                }
        }
        return 0;
}
