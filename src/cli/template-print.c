/* template-print.c: values as Go's fmt package and encoding/json print them; see
 * template-private.h. https://pkg.go.dev/fmt */
#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "cli/template-private.h"

#define WIDTH_MAX 10000

bool value_true(Value value) {
        switch (json_object_get_type(value.object)) {
        case json_type_boolean:
                return json_object_get_boolean(value.object);
        case json_type_int:
                return json_object_get_int64(value.object) != 0;
        case json_type_double:
                return json_object_get_double(value.object) != 0;
        case json_type_string:
                return json_object_get_string_len(value.object) > 0;
        case json_type_array:
                return json_object_array_length(value.object) > 0;
        case json_type_object:
                return json_object_object_length(value.object) > 0;
        case json_type_null:
                break;
        }
        return false;
}

const char *value_type(Value value) {
        switch (json_object_get_type(value.object)) {
        case json_type_boolean:
                return "bool";
        case json_type_int:
                return "int";
        case json_type_double:
                return "float64";
        case json_type_string:
                return "string";
        case json_type_array:
                return "[]interface {}";
        case json_type_object:
                return "map[string]interface {}";
        case json_type_null:
                break;
        }
        return "<nil>";
}

/* The shortest digits that read back as the same number; without an exponent below 1e21. */
static void add_double(Buf *out, double value) {
        char text[400];
        int digits = 1;

        do
                (void)snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        while (strtod(text, NULL) != value && ++digits <= 17);
        if (value != 0 && (fabs(value) >= 1e21 || fabs(value) < 1e-4)) {
                buf_add_str(out, text);
                return;
        }
        {
                const char *e = strchr(text, 'e');
                int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;

                buf_format(out, "%.*f", MAX(digits - 1 - exponent, 0), value);
        }
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_map(Buf *out, json_object *object) {
        size_t count = (size_t)json_object_object_length(object), i = 0;
        _cleanup_free_ const char **names = NEW_ARRAY(const char *, count + 1);

        json_object_object_foreach(object, name, element) {
                (void)element;
                names[i++] = name;
        }
        qsort(names, count, sizeof(*names), compare_names);
        buf_add_str(out, "map[");
        for (i = 0; i < count; i++) {
                buf_format(out, "%s%s:", i ? " " : "", names[i]);
                value_print(out, (Value){ .object = json_object_object_get(object, names[i]),
                                          .pointer = true });
        }
        buf_add_char(out, ']');
}

static void add_list(Buf *out, json_object *array) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                if (i > 0)
                        buf_add_char(out, ' ');
                value_print(out, (Value){ .object = json_object_array_get_idx(array, i),
                                          .pointer = true });
        }
        buf_add_char(out, ']');
}

void value_print(Buf *out, Value value) {
        switch (json_object_get_type(value.object)) {
        case json_type_null:
                buf_add_str(out, value.pointer ? "<nil>" : "<no value>");
                break;
        case json_type_double:
                add_double(out, json_object_get_double(value.object));
                break;
        case json_type_array:
                add_list(out, value.object);
                break;
        case json_type_object:
                add_map(out, value.object);
                break;
        case json_type_string:
                buf_add(out, json_object_get_string(value.object),
                        (size_t)json_object_get_string_len(value.object));
                break;
        case json_type_boolean:
        case json_type_int:
                buf_add_str(out, json_object_get_string(value.object));
                break;
        }
}

/* ---- encoding/json ---- */

static void add_json_string(Buf *out, const char *text, bool html) {
        buf_add_char(out, '"');
        for (; *text; text++) {
                unsigned char byte = (unsigned char)*text;
                const char *escape = byte == '"'    ? "\\\""
                                     : byte == '\\' ? "\\\\"
                                     : byte == '\n' ? "\\n"
                                     : byte == '\r' ? "\\r"
                                     : byte == '\t' ? "\\t"
                                     : byte == '\b' ? "\\b"
                                     : byte == '\f' ? "\\f"
                                                    : NULL;

                if (escape)
                        buf_add_str(out, escape);
                else if (byte < 0x20 || (html && strchr("<>&", byte)))
                        buf_format(out, "\\u%04x", byte);
                else
                        buf_add_char(out, *text);
        }
        buf_add_char(out, '"');
}

static void add_json_object(Buf *out, json_object *value, bool html) {
        bool first = true;

        buf_add_char(out, '{');
        json_object_object_foreach(value, name, element) {
                if (!first)
                        buf_add_char(out, ',');
                first = false;
                add_json_string(out, name, html);
                buf_add_char(out, ':');
                json_add_go(out, element, html);
        }
        buf_add_char(out, '}');
}

void json_add_go(Buf *out, json_object *value, bool html) {
        switch (json_object_get_type(value)) {
        case json_type_string:
                add_json_string(out, json_object_get_string(value), html);
                break;
        case json_type_object:
                add_json_object(out, value, html);
                break;
        case json_type_array:
                buf_add_char(out, '[');
                for (size_t i = 0; i < json_object_array_length(value); i++) {
                        if (i > 0)
                                buf_add_char(out, ',');
                        json_add_go(out, json_object_array_get_idx(value, i), html);
                }
                buf_add_char(out, ']');
                break;
        case json_type_double:
                add_double(out, json_object_get_double(value));
                break;
        case json_type_null:
                buf_add_str(out, "null");
                break;
        case json_type_boolean:
        case json_type_int:
                buf_add_str(out, json_object_get_string(value));
                break;
        }
}

/* ---- fmt.Sprintf ---- */

typedef struct Verb {
        bool minus, plus, zero, sharp, space;
        int width, precision; /* -1: none */
        char letter;
} Verb;

static int parse_count(const char **format) {
        int value = 0;

        for (; isdigit((unsigned char)**format); (*format)++)
                value = MIN(value * 10 + (**format - '0'), WIDTH_MAX);
        return value;
}

/* What stands after the percent sign; false if the format ends. */
static bool parse_verb(const char **format, Verb *verb) {
        *verb = (Verb){ .width = -1, .precision = -1 };
        for (;; (*format)++) {
                if (**format == '-')
                        verb->minus = true;
                else if (**format == '+')
                        verb->plus = true;
                else if (**format == '0')
                        verb->zero = true;
                else if (**format == '#')
                        verb->sharp = true;
                else if (**format == ' ')
                        verb->space = true;
                else
                        break;
        }
        if (isdigit((unsigned char)**format))
                verb->width = parse_count(format);
        if (**format == '.') {
                (*format)++;
                verb->precision = parse_count(format);
        }
        verb->letter = **format;
        if (!verb->letter)
                return false;
        (*format)++;
        return true;
}

static size_t characters(const char *text) {
        size_t count = 0;

        for (; *text; text++)
                count += ((unsigned char)*text & 0xC0) != 0x80;
        return count;
}

static void add_padded(Buf *out, const Verb *verb, const char *text, bool number) {
        size_t length = characters(text);
        size_t fill =
                verb->width > 0 && (size_t)verb->width > length ? (size_t)verb->width - length : 0;
        bool zero = verb->zero && !verb->minus && number;

        if (zero && (*text == '-' || *text == '+'))
                buf_add_char(out, *text++);
        for (size_t i = 0; !verb->minus && i < fill; i++)
                buf_add_char(out, zero ? '0' : ' ');
        buf_add_str(out, text);
        for (size_t i = 0; verb->minus && i < fill; i++)
                buf_add_char(out, ' ');
}

/* %!d(string=x) */
static void add_bad(Buf *out, const Verb *verb, Value value) {
        buf_format(out, "%%!%c(", verb->letter);
        if (value.object)
                buf_format(out, "%s=", value_type(value));
        value_print(out, (Value){ value.object, true });
        buf_add_char(out, ')');
}

static char *whole_text(const Verb *verb, int64_t value) {
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        const char *sign = value < 0 ? "-" : verb->plus ? "+" : verb->space ? " " : "";
        Buf bits = {};

        switch (verb->letter) {
        case 'x':
                return str_format("%s%s%lx", sign, verb->sharp ? "0x" : "", size);
        case 'X':
                return str_format("%s%s%lX", sign, verb->sharp ? "0X" : "", size);
        case 'o':
                return str_format("%s%s%lo", sign, verb->sharp ? "0" : "", size);
        case 'b':
                buf_add_str(&bits, sign);
                for (int i = size ? 63 - __builtin_clzll(size) : 0; i >= 0; i--)
                        buf_add_char(&bits, size >> i & 1 ? '1' : '0');
                return buf_take(&bits);
        case 'c':
                return str_format("%c", value > 0 && value < 128 ? (char)value : '?');
        case 'U':
                return str_format("U+%04lX", size);
        default:
                return str_format("%s%lu", sign, size);
        }
}

static char *double_text(const Verb *verb, double value) {
        Buf text = {};

        if (verb->letter == 'v' || (verb->letter == 'g' && verb->precision < 0)) {
                add_double(&text, value);
                return buf_take(&text);
        }
        if (verb->letter == 'e' || verb->letter == 'E')
                return str_format("%.*e", verb->precision < 0 ? 6 : verb->precision, value);
        if (verb->letter == 'g' || verb->letter == 'G')
                return str_format("%.*g", verb->precision, value);
        return str_format("%.*f", verb->precision < 0 ? 6 : verb->precision, value);
}

static char *string_text(const Verb *verb, const char *text) {
        _cleanup_free_ char *cut = NULL;
        const char *end = text;
        Buf out = {};

        if (verb->letter == 'x' || verb->letter == 'X') {
                for (; *text; text++)
                        buf_format(&out, verb->letter == 'x' ? "%02x" : "%02X",
                                   (unsigned char)*text);
                return buf_take(&out);
        }
        for (int left = verb->precision; left != 0 && *end; left--)
                for (end++; ((unsigned char)*end & 0xC0) == 0x80;)
                        end++;
        cut = str_copy_n(text, (size_t)(end - text));
        if (verb->letter == 'q')
                add_json_string(&out, cut, false);
        else
                buf_add_str(&out, cut);
        return buf_take(&out);
}

static char *any_text(const Verb *verb, Value value) {
        Buf out = {};

        if (verb->sharp && verb->letter == 'v')
                json_add_go(&out, value.object, false);
        else
                value_print(&out, (Value){ value.object, true });
        return buf_take(&out);
}

/* The verbs that Go gives each type; the text is the caller's, NULL: another verb. */
static char *formatted(const Verb *verb, Value value) {
        json_type type = json_object_get_type(value.object);

        if (verb->letter == 'T')
                return str_copy(value_type(value));
        if (verb->letter == 'v' && type != json_type_string && type != json_type_int &&
            type != json_type_double)
                return any_text(verb, value);
        if (type == json_type_int && strchr("vdxXobcU", verb->letter))
                return whole_text(verb, json_object_get_int64(value.object));
        if (type == json_type_double && strchr("veEfFgG", verb->letter))
                return double_text(verb, json_object_get_double(value.object));
        if (type == json_type_string && strchr("vsqxX", verb->letter))
                return string_text(verb, json_object_get_string(value.object));
        if (type == json_type_boolean && verb->letter == 't')
                return any_text(verb, value);
        if ((type == json_type_array || type == json_type_object) && strchr("sdq", verb->letter))
                return any_text(verb, value);
        return NULL;
}

static void add_verb(Buf *out, const Verb *verb, Value value) {
        json_type type = json_object_get_type(value.object);
        _cleanup_free_ char *text = formatted(verb, value);

        if (text)
                add_padded(out, verb, text, type == json_type_int || type == json_type_double);
        else
                add_bad(out, verb, value);
}

static void add_extra(Buf *out, const Value *arguments, size_t count) {
        buf_add_str(out, "%!(EXTRA ");
        for (size_t i = 0; i < count; i++) {
                buf_format(out, "%s%s=", i ? ", " : "", value_type(arguments[i]));
                value_print(out, (Value){ arguments[i].object, true });
        }
        buf_add_char(out, ')');
}

void value_printf(Buf *out, const char *format, const Value *arguments, size_t count) {
        size_t used = 0;

        while (*format) {
                Verb verb;

                if (*format != '%') {
                        buf_add_char(out, *format++);
                        continue;
                }
                format++;
                if (!parse_verb(&format, &verb)) {
                        buf_add_str(out, "%!(NOVERB)");
                        return;
                }
                if (verb.letter == '%')
                        buf_add_char(out, '%');
                else if (used >= count)
                        buf_format(out, "%%!%c(MISSING)", verb.letter);
                else
                        add_verb(out, &verb, arguments[used++]);
        }
        if (used < count)
                add_extra(out, arguments + used, count - used);
}
