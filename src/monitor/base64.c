/* base64.c: see base64.h. */
#include "monitor/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t length) {
        const unsigned char *bytes = data;
        char *text = alloc_zero((length + 2) / 3 * 4 + 1, 1), *end = text;

        for (size_t i = 0; i < length; i += 3) {
                size_t left = length - i;
                uint32_t group = (uint32_t)bytes[i] << 16;

                group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
                group |= left > 2 ? bytes[i + 2] : 0;
                *end++ = digits[group >> 18];
                *end++ = digits[group >> 12 & 63];
                *end++ = left > 1 ? digits[group >> 6 & 63] : '=';
                *end++ = left > 2 ? digits[group & 63] : '=';
        }
        *end = '\0';
        return text;
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
