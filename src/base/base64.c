/* base64.c: see base64.h. */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char digits[] = COMMON "+/", url_digits[] = COMMON "-_";

static char *encode(const void *data, size_t length, const char *alphabet) {
        const unsigned char *bytes = data;
        char *text = alloc_zero((length + 2) / 3 * 4 + 1, 1), *end = text;

        for (size_t i = 0; i < length; i += 3) {
                size_t left = length - i;
                uint32_t group = (uint32_t)bytes[i] << 16;

                group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
                group |= left > 2 ? bytes[i + 2] : 0;
                *end++ = alphabet[group >> 18];
                *end++ = alphabet[group >> 12 & 63];
                *end++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
                *end++ = left > 2 ? alphabet[group & 63] : '=';
        }
        *end = '\0';
        return text;
}

char *base64_encode(const void *data, size_t length) {
        return encode(data, length, digits);
}

char *base64_url_encode(const void *data, size_t length) {
        return encode(data, length, url_digits);
}

int base64_decode(const char *text, char **ret, size_t *ret_length, Error *err) {
        size_t length = strlen(text), used = 0;
        _cleanup_free_ char *data = alloc_zero(length / 4 * 3 + 1, 1);
        size_t pads = length == 0 ? 0 : length - (size_t)(strchrnul(text, '=') - text);

        if (length % 4 != 0 || pads > 2 || (pads == 2 && text[length - 1] != '='))
                return error_kind(err, ERROR_INVALID, "not base64: wrong length or padding");
        for (size_t i = 0; i < length; i += 4) {
                uint32_t group = 0;

                for (size_t j = 0; j < 4; j++) {
                        const char *digit = strchr(digits, text[i + j]);

                        if (!digit && text[i + j] != '=')
                                return error_kind(err, ERROR_INVALID, "not base64: character %zu",
                                                  i + j);
                        group = group << 6 | (uint32_t)(digit ? digit - digits : 0);
                }
                for (size_t j = 0; j < 3; j++)
                        data[used++] = (char)(group >> (16 - 8 * j));
        }
        *ret = TAKE_PTR(data);
        *ret_length = used - pads;
        return 0;
}

/* c is no NUL. */
static int value_in_any(char c) {
        const char *digit = strchr(digits, c) ?: strchr(url_digits, c);

        if (!digit)
                return -1;
        return (int)(digit - (c == '-' || c == '_' ? url_digits : digits));
}

int base64_decode_any(const char *text, Buf *ret) {
        size_t length = strlen(text);
        uint32_t bits = 0;
        int held = 0;

        while (length > 0 && text[length - 1] == '=')
                length--;
        if (length % 4 == 1)
                return -EINVAL;
        for (size_t i = 0; i < length; i++) {
                int value = value_in_any(text[i]);

                if (value < 0)
                        return -EINVAL;
                bits = (bits << 6 | (uint32_t)value) & 0xfff;
                held += 6;
                if (held >= 8) {
                        held -= 8;
                        buf_add_char(ret, (char)(bits >> held & 0xff));
                }
        }
        return 0;
}
