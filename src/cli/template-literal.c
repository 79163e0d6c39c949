/* template-literal.c: strings, characters and numbers as Go writes them; see template-parser.h. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "base/utf8.h"
#include "cli/template-parser.h"

int parser_fail(Parser *p, const char *format, ...) {
        char words[512];
        unsigned line = 1;
        va_list arguments;

        for (size_t i = 0; i < p->at && i < p->length; i++)
                line += p->text[i] == '\n';
        va_start(arguments, format);
        (void)vsnprintf(words, sizeof(words), format, arguments);
        va_end(arguments);
        return error_kind(p->err, ERROR_INVALID, "template: :%u: %s", line, words);
}

/* Reads `digits` digits of that base, or fails. */
static int parse_code(Parser *p, size_t digits, unsigned base, unsigned *ret) {
        unsigned value = 0;

        for (; digits > 0; digits--, p->at++) {
                int low = tolower((unsigned char)parser_peek(p));
                unsigned digit = isdigit(low)    ? (unsigned)(low - '0')
                                 : isxdigit(low) ? (unsigned)(low - 'a' + 10)
                                                 : 99;

                if (digit >= base)
                        return parser_fail(p, "invalid syntax");
                value = value * base + digit;
        }
        *ret = value;
        return 0;
}

/* After the backslash; Go's escapes. */
static int parse_escape(Parser *p, Buf *out) {
        static const char letters[] = "abfnrtv\\'\"", codes[] = "\a\b\f\n\r\t\v\\'\"";
        char letter = parser_peek(p);
        const char *found = letter ? strchr(letters, letter) : NULL;
        unsigned code = 0;
        int r;

        if (found) {
                buf_add_char(out, codes[found - letters]);
                p->at++;
                return 0;
        }
        if (letter >= '0' && letter <= '7') {
                r = parse_code(p, 3, 8, &code);
        } else if (letter == 'x' || letter == 'u' || letter == 'U') {
                p->at++;
                r = parse_code(p, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, 16, &code);
        } else {
                return parser_fail(p, "invalid syntax");
        }
        if (r < 0)
                return r;
        /* A NUL byte would end a C string early: Docker's documents have none. */
        if (code == 0 || code > 0x10FFFF)
                return parser_fail(p, "invalid syntax");
        if (letter == 'u' || letter == 'U')
                buf_add_utf8(out, code);
        else
                buf_add_char(out, (char)code);
        return 0;
}

int literal_string(Parser *p, json_object **ret) {
        _cleanup_buf_ Buf out = {};

        for (p->at++; parser_peek(p) != '"';) {
                if (!parser_peek(p) || parser_peek(p) == '\n')
                        return parser_fail(p, "unterminated quoted string");
                if (parser_peek(p) == '\\') {
                        int r;

                        p->at++;
                        if (!parser_peek(p))
                                return parser_fail(p, "unterminated quoted string");
                        r = parse_escape(p, &out);
                        if (r < 0)
                                return r;
                } else {
                        buf_add_char(&out, parser_peek(p));
                        p->at++;
                }
        }
        p->at++;
        *ret = json_object_new_string(out.length ? out.data : "");
        return 0;
}

int literal_raw_string(Parser *p, json_object **ret) {
        const char *start = p->text + p->at + 1, *end = strchr(start, '`');

        if (!end)
                return parser_fail(p, "unterminated raw quoted string");
        *ret = json_object_new_string_len(start, (int)(end - start));
        p->at = (size_t)(end + 1 - p->text);
        return 0;
}

/* 'a': the number of its code point. */
int literal_character(Parser *p, json_object **ret) {
        _cleanup_buf_ Buf out = {};
        const unsigned char *bytes;
        unsigned rune;
        size_t more;

        p->at++;
        if (parser_peek(p) == '\\') {
                int r;

                p->at++;
                r = parse_escape(p, &out);
                if (r < 0)
                        return r;
        } else {
                while (parser_peek(p) && parser_peek(p) != '\'' && parser_peek(p) != '\n' &&
                       out.length < 4) {
                        buf_add_char(&out, parser_peek(p));
                        p->at++;
                }
        }
        if (parser_peek(p) != '\'' || out.length == 0)
                return parser_fail(p, "unterminated character constant");
        p->at++;
        bytes = (const unsigned char *)out.data;
        more = bytes[0] >= 0xF0 ? 3 : bytes[0] >= 0xE0 ? 2 : bytes[0] >= 0xC0 ? 1 : 0;
        if (more + 1 != out.length)
                return parser_fail(p, "malformed character constant: '%s'", out.data);
        rune = more == 0 ? bytes[0] : bytes[0] & (0x3Fu >> more);
        for (size_t i = 1; i <= more; i++)
                rune = rune << 6 | (bytes[i] & 63);
        *ret = json_object_new_int64(rune);
        return 0;
}

int literal_number(Parser *p, json_object **ret) {
        size_t length = parser_peek(p) == '+' || parser_peek(p) == '-' ? 1 : 0;
        _cleanup_free_ char *word = NULL;
        char *end;
        long long whole;
        double value;

        while (isalnum((unsigned char)p->text[p->at + length]) || p->text[p->at + length] == '.' ||
               p->text[p->at + length] == '_' ||
               (strchr("+-", p->text[p->at + length]) && p->text[p->at + length] && length > 1 &&
                tolower((unsigned char)p->text[p->at + length - 1]) == 'e'))
                length++;
        word = str_copy_n(p->text + p->at, length);
        p->at += length;
        errno = 0;
        whole = strtoll(word, &end, 0);
        if (!*end && errno == 0) {
                *ret = json_object_new_int64(whole);
                return 0;
        }
        errno = 0;
        value = strtod(word, &end);
        if (*end || end == word || errno != 0 || !isfinite(value))
                return parser_fail(p, "bad number syntax: \"%s\"", word);
        *ret = json_object_new_double(value);
        return 0;
}
