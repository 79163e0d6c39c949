/* dockerfile-json.c: the exec form. What is no JSON array is no error but a shell command, so this
 * decides exactly as RFC 8259 does; other elements than strings are read only to be told apart. */
#include "build/dockerfile-private.h"

#define DEPTH_LIMIT 1000

typedef struct Json {
        const char *at;
        unsigned depth;
} Json;

static void skip_space(Json *json) {
        json->at += strspn(json->at, " \t\r\n");
}

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found = c ? strchr(digits, c) : NULL;
        return found ? (int)((found - digits) % 16) : -1;
}

/* The four digits of \uXXXX at text, or -1. */
static long code_unit(const char *text) {
        long unit = 0;
        for (int i = 0; i < 4; i++) {
                int digit = hex_digit(text[i]);
                if (digit < 0)
                        return -1;
                unit = unit * 16 + digit;
        }
        return unit;
}

/* U+0000 is JSON_NUL: dockerfile-check.c refuses it, where it can say why. */
static void add_utf8(Buf *out, unsigned long code) {
        if (!code) {
                buf_add_str(out, JSON_NUL);
                return;
        }
        if (code < 0x80) {
                buf_add_char(out, (char)code);
                return;
        }
        int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
        buf_add_char(out, (char)(lead[more] | code >> (6 * more)));
        while (more--)
                buf_add_char(out, (char)(0x80 | (code >> (6 * more) & 0x3f)));
}

/* \uXXXX, and the pair of it; half a pair is U+FFFD. */
static bool read_unicode(Json *json, Buf *out) {
        long unit = code_unit(json->at);
        if (unit < 0)
                return false;
        json->at += 4;
        unsigned long code = (unsigned long)unit;
        if (unit >= 0xd800 && unit < 0xe000) {
                long low = json->at[0] == '\\' && json->at[1] == 'u' ? code_unit(json->at + 2) : -1;
                code = 0xfffd;
                if (unit < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
                        code = 0x10000 + (((unsigned long)unit - 0xd800) << 10) +
                               ((unsigned long)low - 0xdc00);
                        json->at += 6;
                }
        }
        add_utf8(out, code);
        return true;
}

static bool read_escape(Json *json, Buf *out) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        char c = *json->at;
        if (!c)
                return false;
        json->at++;
        if (c == 'u')
                return read_unicode(json, out);
        const char *found = strchr(from, c);
        if (found)
                buf_add_char(out, to[found - from]);
        return found != NULL;
}

static bool read_string(Json *json, Buf *out) {
        for (json->at++; *json->at != '"';) {
                if ((unsigned char)*json->at < 0x20)
                        return false;
                if (*json->at != '\\')
                        buf_add_char(out, *json->at++);
                else if (json->at++, !read_escape(json, out))
                        return false;
        }
        json->at++;
        return true;
}

static bool read_digits(Json *json) {
        size_t length = strspn(json->at, "0123456789");
        json->at += length;
        return length > 0;
}

static bool read_number(Json *json) {
        json->at += *json->at == '-';
        if (*json->at == '0')
                json->at++;
        else if (!read_digits(json))
                return false;
        if (*json->at == '.' && (json->at++, !read_digits(json)))
                return false;
        if (*json->at != 'e' && *json->at != 'E')
                return true;
        json->at++;
        json->at += *json->at == '+' || *json->at == '-';
        return read_digits(json);
}

static bool read_value(Json *json);

/* The rest of an array or object from behind its bracket on. */
static bool read_container(Json *json, char close) {
        skip_space(json);
        if (*json->at == close)
                return json->at++, true;
        for (;;) {
                if (close == '}') {
                        _cleanup_buf_ Buf name = {};
                        skip_space(json);
                        if (*json->at != '"' || !read_string(json, &name))
                                return false;
                        skip_space(json);
                        if (*json->at++ != ':')
                                return json->at--, false;
                }
                if (!read_value(json))
                        return false;
                if (*json->at == close)
                        return json->at++, true;
                if (*json->at != ',')
                        return false;
                json->at++;
        }
}

/* Any value, with the white space around it. */
static bool read_value(Json *json) {
        static const char *const words[] = { "true", "false", "null" };
        bool good = false;
        skip_space(json);
        if (*json->at == '"') {
                _cleanup_buf_ Buf ignored = {};
                good = read_string(json, &ignored);
        } else if (*json->at == '[' || *json->at == '{') {
                if (++json->depth > DEPTH_LIMIT)
                        return false;
                good = read_container(json, *json->at++ == '[' ? ']' : '}');
                json->depth--;
        } else if (*json->at == '-' || (*json->at >= '0' && *json->at <= '9')) {
                good = read_number(json);
        } else {
                for (size_t i = 0; i < ELEMENTS(words) && !good; i++) {
                        const char *after = str_after(json->at, words[i]);
                        good = after != NULL;
                        json->at = after ? after : json->at;
                }
        }
        skip_space(json);
        return good;
}

JsonStrings json_strings(const char *text, char ***ret, size_t *ret_count) {
        Json whole = { .at = text };
        skip_space(&whole);
        if (*whole.at != '[' || !read_value(&whole) || *whole.at)
                return JSON_NOT_ARRAY;
        _cleanup_strv_ char **list = strv_new(0);
        size_t count = 0;
        Json json = { .at = text };
        skip_space(&json);
        for (json.at++;; json.at++) {
                skip_space(&json);
                if (*json.at == ']' && !count)
                        break;
                if (*json.at != '"')
                        return JSON_NOT_STRINGS;
                _cleanup_buf_ Buf string = {};
                (void)read_string(&json, &string);
                strv_take_at(&list, count++, buf_take(&string));
                skip_space(&json);
                if (*json.at == ']')
                        break;
        }
        *ret = TAKE_PTR(list);
        *ret_count = count;
        return JSON_STRINGS;
}
