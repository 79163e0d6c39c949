/* download-name.c: see download-name.h. Reads what servers sent. */
#include "image/download-name.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

        return c >= '0' && c <= '9' ? c - '0' : at && (c | 0x20) >= 'a' ? (int)(at - digits) : -1;
}

/* NULL where a percent sign or a NUL is not as it must be. */
static char *percent_decode(const char *text, size_t length) {
        _cleanup_buf_ Buf out = {};

        for (size_t i = 0; i < length; i++) {
                char c = text[i];

                if (c == '%') {
                        int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
                        int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;

                        if (high < 0 || low < 0 || (high == 0 && low == 0))
                                return NULL;
                        c = (char)(high * 16 + low);
                        i += 2;
                }
                buf_add_char(&out, c);
        }
        return buf_take(&out);
}

/* The last component of a path, without slashes after it; NULL: there is none that may be used. */
static char *last_component(const char *path) {
        size_t end = strlen(path), start;
        char *name;

        while (end > 0 && path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && path[start - 1] != '/';)
                start--;
        name = str_copy_n(path + start, end - start);
        if (*name && !str_equal(name, ".") && !str_equal(name, ".."))
                return name;
        free(name);
        return NULL;
}

/* ---- Content-Disposition ---- */

static const char *skip_spaces(const char *text) {
        return text + strspn(text, " \t");
}

/* A token or a quoted string; *rest: what follows. */
static char *take_value(const char *text, const char **rest) {
        _cleanup_buf_ Buf out = {};
        size_t length;

        if (*text != '"') {
                length = strcspn(text, "; \t");
                *rest = text + length;
                return str_copy_n(text, length);
        }
        for (text++; *text && *text != '"'; text++) {
                if (*text == '\\' && text[1])
                        text++;
                buf_add_char(&out, *text);
        }
        *rest = *text ? text + 1 : text;
        return buf_take(&out);
}

/* RFC 8187: UTF-8'language'percent-encoded. NULL: another character set, or damaged. */
static char *decode_extended(const char *value) {
        const char *quote = strncasecmp(value, "utf-8'", 6) == 0 ? strchr(value + 6, '\'') : NULL;

        return quote ? percent_decode(quote + 1, strlen(quote + 1)) : NULL;
}

static char *disposition_name(const char *text) {
        _cleanup_free_ char *plain = NULL, *extended = NULL;
        const char *name;

        for (text = strchr(text, ';'); text; text = strchr(text, ';')) {
                _cleanup_free_ char *key = NULL, *value = NULL;
                size_t length;

                text = skip_spaces(text + 1);
                length = strcspn(text, "=; \t");
                key = str_copy_n(text, length);
                text = skip_spaces(text + length);
                if (*text != '=')
                        continue;
                value = take_value(skip_spaces(text + 1), &text);
                if (strcasecmp(key, "filename") == 0 && !plain)
                        plain = TAKE_PTR(value);
                else if (strcasecmp(key, "filename*") == 0 && !extended)
                        extended = decode_extended(value);
        }
        name = extended ? extended : plain;
        /* A name that ends with a slash is one of a directory. */
        return name && !str_ends(name, "/") ? last_component(name) : NULL;
}

/* ---- URL ---- */

static char *url_name(const char *url) {
        const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
        const char *end = url + strcspn(url, "?#");
        _cleanup_free_ char *decoded = NULL;

        if (!path || path >= end)
                return NULL;
        decoded = percent_decode(path, (size_t)(end - path));
        return decoded ? last_component(decoded) : NULL;
}

char *download_name(const char *url, const char *disposition) {
        char *name = disposition ? disposition_name(disposition) : NULL;

        if (!name)
                name = url_name(url);
        return name ? name : str_copy("");
}
