/* template-functions.c: the functions of Go's text/template and those that Docker adds; see
 * template-private.h. */
#include <ctype.h>
#include <errno.h>

#include "cli/template-private.h"

#define PAD_MAX 10000

static Value text_value(char *text) {
        Value value = { .object = json_object_new_string(text) };

        free(text);
        return value;
}

static Value truth(bool value) {
        return (Value){ .object = json_object_new_boolean(value) };
}

/* The text of an argument that must be one. */
static int want_text(Value value, const char **ret, Error *err) {
        if (!json_object_is_type(value.object, json_type_string))
                return error_kind(err, ERROR_INVALID,
                                  "wrong type for value; expected string; got %s",
                                  value_type(value));
        *ret = json_object_get_string(value.object);
        return 0;
}

static int want_whole(Value value, int64_t *ret, Error *err) {
        if (!json_object_is_type(value.object, json_type_int))
                return error_kind(err, ERROR_INVALID, "wrong type for value; expected int; got %s",
                                  value_type(value));
        *ret = json_object_get_int64(value.object);
        return 0;
}

/* ---- Go's ---- */

static int call_and_or(const Value *arguments, size_t count, Value *ret, Error *err) {
        /* The run evaluates and and or itself, as not all arguments are evaluated. */
        return error_kind(err, ERROR_INTERNAL, "not a function");
}

static int call_not(const Value *arguments, size_t count, Value *ret, Error *err) {
        *ret = truth(!value_true(arguments[0]));
        return 0;
}

static int call_len(const Value *arguments, size_t count, Value *ret, Error *err) {
        json_object *object = arguments[0].object;
        int64_t length = 0;

        if (!object)
                return error_kind(err, ERROR_INVALID, "len of nil pointer");
        if (json_object_is_type(object, json_type_string))
                length = json_object_get_string_len(object);
        else if (json_object_is_type(object, json_type_array))
                length = (int64_t)json_object_array_length(object);
        else if (json_object_is_type(object, json_type_object))
                length = json_object_object_length(object);
        else
                return error_kind(err, ERROR_INVALID, "len of type %s", value_type(arguments[0]));
        ret->object = json_object_new_int64(length);
        return 0;
}

/* A name that a map lacks gives the zero value of what it maps to: "" where all are texts. */
static json_object *zero_of(json_object *object) {
        json_object_object_foreach(object, name, element) {
                (void)name;
                if (!json_object_is_type(element, json_type_string))
                        return NULL;
        }
        return json_object_new_string("");
}

static int index_array(json_object *array, Value at, json_object **ret, Error *err) {
        int64_t i;

        if (!json_object_is_type(at.object, json_type_int))
                return error_kind(err, ERROR_INVALID, "cannot index slice/array with type %s",
                                  value_type(at));
        i = json_object_get_int64(at.object);
        if (i < 0 || (uint64_t)i >= json_object_array_length(array))
                return error_kind(err, ERROR_INVALID, "index out of range: %lld", (long long)i);
        *ret = json_object_get(json_object_array_get_idx(array, (size_t)i));
        return 0;
}

static int index_text(json_object *text, Value at, json_object **ret, Error *err) {
        int64_t i;

        if (!json_object_is_type(at.object, json_type_int))
                return error_kind(err, ERROR_INVALID, "cannot index slice/array with type %s",
                                  value_type(at));
        i = json_object_get_int64(at.object);
        if (i < 0 || i >= json_object_get_string_len(text))
                return error_kind(err, ERROR_INVALID, "index out of range: %lld", (long long)i);
        *ret = json_object_new_int64((unsigned char)json_object_get_string(text)[i]);
        return 0;
}

static int index_object(json_object *object, Value at, json_object **ret, Error *err) {
        json_object *found = NULL;
        const char *name;

        if (!json_object_is_type(at.object, json_type_string))
                return error_kind(err, ERROR_INVALID, "value has type %s; should be string",
                                  value_type(at));
        name = json_object_get_string(at.object);
        *ret = json_object_object_get_ex(object, name, &found) ? json_object_get(found)
                                                               : zero_of(object);
        return 0;
}

static int call_index(const Value *arguments, size_t count, Value *ret, Error *err) {
        json_object *at = json_object_get(arguments[0].object);

        for (size_t i = 1; i < count; i++) {
                json_object *next = NULL;
                int r;

                if (!at)
                        return error_kind(err, ERROR_INVALID, "index of untyped nil");
                if (json_object_is_type(at, json_type_array))
                        r = index_array(at, arguments[i], &next, err);
                else if (json_object_is_type(at, json_type_object))
                        r = index_object(at, arguments[i], &next, err);
                else if (json_object_is_type(at, json_type_string))
                        r = index_text(at, arguments[i], &next, err);
                else
                        r = error_kind(err, ERROR_INVALID, "can't index item of type %s",
                                       value_type((Value){ .object = at }));
                (void)json_object_put(at);
                if (r < 0)
                        return r;
                at = next;
        }
        ret->object = at;
        return 0;
}

static int slice_range(const Value *arguments, size_t count, size_t length, size_t *from,
                       size_t *to, Error *err) {
        int64_t bounds[2] = { 0, (int64_t)length };

        for (size_t i = 1; i < count && i < 3; i++) {
                int r = want_whole(arguments[i], &bounds[i - 1], err);

                if (r < 0)
                        return r;
                if (bounds[i - 1] < 0 || bounds[i - 1] > (int64_t)length)
                        return error_kind(err, ERROR_INVALID, "index out of range: %lld",
                                          (long long)bounds[i - 1]);
        }
        if (bounds[0] > bounds[1])
                return error_kind(err, ERROR_INVALID, "invalid slice index: %lld > %lld",
                                  (long long)bounds[0], (long long)bounds[1]);
        *from = (size_t)bounds[0];
        *to = (size_t)bounds[1];
        return 0;
}

static int call_slice(const Value *arguments, size_t count, Value *ret, Error *err) {
        json_object *object = arguments[0].object;
        size_t from, to;
        int r;

        if (json_object_is_type(object, json_type_string)) {
                r = slice_range(arguments, count, (size_t)json_object_get_string_len(object), &from,
                                &to, err);
                if (r == 0)
                        ret->object = json_object_new_string_len(
                                json_object_get_string(object) + from, (int)(to - from));
                return r;
        }
        if (!json_object_is_type(object, json_type_array))
                return error_kind(err, ERROR_INVALID, "can't slice item of type %s",
                                  value_type(arguments[0]));
        r = slice_range(arguments, count, json_object_array_length(object), &from, &to, err);
        if (r < 0)
                return r;
        ret->object = json_object_new_array();
        for (; from < to; from++)
                (void)json_object_array_add(
                        ret->object, json_object_get(json_object_array_get_idx(object, from)));
        return 0;
}

/* fmt.Sprint: a space between two operands neither of which is a text. */
static char *print_all(const Value *arguments, size_t count, bool line) {
        Buf out = {};

        for (size_t i = 0; i < count; i++) {
                bool texts =
                        i > 0 && (json_object_is_type(arguments[i].object, json_type_string) ||
                                  json_object_is_type(arguments[i - 1].object, json_type_string));

                if (i > 0 && (line || !texts))
                        buf_add_char(&out, ' ');
                value_print(&out, (Value){ arguments[i].object, true });
        }
        if (line)
                buf_add_char(&out, '\n');
        return buf_take(&out);
}

static int call_print(const Value *arguments, size_t count, Value *ret, Error *err) {
        *ret = text_value(print_all(arguments, count, false));
        return 0;
}

static int call_println(const Value *arguments, size_t count, Value *ret, Error *err) {
        *ret = text_value(print_all(arguments, count, true));
        return 0;
}

static int call_printf(const Value *arguments, size_t count, Value *ret, Error *err) {
        const char *format = "";
        Buf out = {};
        int r = want_text(arguments[0], &format, err);

        if (r < 0)
                return r;
        value_printf(&out, format, arguments + 1, count - 1);
        *ret = text_value(buf_take(&out));
        return 0;
}

static char *escape_all(const Value *arguments, size_t count, const char *characters,
                        const char *const *escapes) {
        _cleanup_free_ char *text = print_all(arguments, count, false);
        Buf out = {};

        for (const char *next = text; *next; next++) {
                const char *found = strchr(characters, *next);

                if (found)
                        buf_add_str(&out, escapes[found - characters]);
                else
                        buf_add_char(&out, *next);
        }
        return buf_take(&out);
}

static int call_html(const Value *arguments, size_t count, Value *ret, Error *err) {
        static const char *const escapes[] = { "&lt;", "&gt;", "&amp;", "&#34;", "&#39;" };

        *ret = text_value(escape_all(arguments, count, "<>&\"'", escapes));
        return 0;
}

static int call_js(const Value *arguments, size_t count, Value *ret, Error *err) {
        static const char *const escapes[] = { "\\u003C", "\\u003E", "\\u0026", "\\\"",
                                               "\\'",     "\\\\",    "\\u003D", "\\u000A" };

        *ret = text_value(escape_all(arguments, count, "<>&\"'\\=\n", escapes));
        return 0;
}

static int call_urlquery(const Value *arguments, size_t count, Value *ret, Error *err) {
        _cleanup_free_ char *text = print_all(arguments, count, false);
        Buf out = {};

        for (const char *next = text; *next; next++) {
                if (isalnum((unsigned char)*next) || strchr("-_.~", *next))
                        buf_add_char(&out, *next);
                else if (*next == ' ')
                        buf_add_char(&out, '+');
                else
                        buf_format(&out, "%%%02X", (unsigned char)*next);
        }
        *ret = text_value(buf_take(&out));
        return 0;
}

/* ---- comparison ---- */

static bool is_number(Value value) {
        return json_object_is_type(value.object, json_type_int) ||
               json_object_is_type(value.object, json_type_double);
}

/* Orders two values of one basic kind; -EINVAL for others. */
static int compare(Value a, Value b, int *ret, Error *err) {
        json_type type = json_object_get_type(a.object);

        if (!a.object || !b.object) {
                *ret = a.object == b.object ? 0 : 1;
                return 0;
        }
        if (type != json_object_get_type(b.object))
                return error_kind(err, ERROR_INVALID, "incompatible types for comparison");
        if (is_number(a)) {
                double x = json_object_get_double(a.object), y = json_object_get_double(b.object);
                int64_t i = json_object_get_int64(a.object), j = json_object_get_int64(b.object);

                *ret = type == json_type_int ? (i > j) - (i < j) : (x > y) - (x < y);
        } else if (type == json_type_string) {
                *ret = strcmp(json_object_get_string(a.object), json_object_get_string(b.object));
        } else if (type == json_type_boolean) {
                *ret = json_object_get_boolean(a.object) - json_object_get_boolean(b.object);
        } else {
                return error_kind(err, ERROR_INVALID, "non-comparable type %s: %s",
                                  json_object_to_json_string(a.object), value_type(a));
        }
        return 0;
}

static int call_eq(const Value *arguments, size_t count, Value *ret, Error *err) {
        bool equal = false;

        for (size_t i = 1; i < count && !equal; i++) {
                int order = 1, r = compare(arguments[0], arguments[i], &order, err);

                if (r < 0)
                        return r;
                equal = order == 0;
        }
        *ret = truth(equal);
        return 0;
}

static int ordered(const Value *arguments, int *order, Error *err) {
        if (!arguments[0].object || !arguments[1].object ||
            json_object_is_type(arguments[0].object, json_type_boolean))
                return error_kind(err, ERROR_INVALID, "invalid type for comparison");
        return compare(arguments[0], arguments[1], order, err);
}

static int call_ne(const Value *arguments, size_t count, Value *ret, Error *err) {
        int order = 0, r = compare(arguments[0], arguments[1], &order, err);

        if (r == 0)
                *ret = truth(order != 0);
        return r;
}

static int call_lt(const Value *arguments, size_t count, Value *ret, Error *err) {
        int order = 0, r = ordered(arguments, &order, err);

        if (r == 0)
                *ret = truth(order < 0);
        return r;
}

static int call_le(const Value *arguments, size_t count, Value *ret, Error *err) {
        int order = 0, r = ordered(arguments, &order, err);

        if (r == 0)
                *ret = truth(order <= 0);
        return r;
}

static int call_gt(const Value *arguments, size_t count, Value *ret, Error *err) {
        int order = 0, r = ordered(arguments, &order, err);

        if (r == 0)
                *ret = truth(order > 0);
        return r;
}

static int call_ge(const Value *arguments, size_t count, Value *ret, Error *err) {
        int order = 0, r = ordered(arguments, &order, err);

        if (r == 0)
                *ret = truth(order >= 0);
        return r;
}

/* ---- Docker's ---- */

static int call_json(const Value *arguments, size_t count, Value *ret, Error *err) {
        Buf out = {};

        json_add_go(&out, arguments[0].nil ? NULL : arguments[0].object, false);
        *ret = text_value(buf_take(&out));
        return 0;
}

static int call_split(const Value *arguments, size_t count, Value *ret, Error *err) {
        const char *text = "", *separator = "";
        int r = want_text(arguments[0], &text, err);

        if (r == 0)
                r = want_text(arguments[1], &separator, err);
        if (r < 0)
                return r;
        ret->object = json_object_new_array();
        while (*separator) {
                const char *found = strstr(text, separator);

                if (!found)
                        break;
                (void)json_object_array_add(ret->object,
                                            json_object_new_string_len(text, (int)(found - text)));
                text = found + strlen(separator);
        }
        (void)json_object_array_add(ret->object, json_object_new_string(text));
        return 0;
}

static int call_join(const Value *arguments, size_t count, Value *ret, Error *err) {
        json_object *list = arguments[0].object;
        const char *separator = "";
        Buf out = {};
        int r = want_text(arguments[1], &separator, err);

        if (r < 0)
                return r;
        if (list && !json_object_is_type(list, json_type_array))
                return error_kind(err, ERROR_INVALID,
                                  "wrong type for value; expected []string; got %s",
                                  value_type(arguments[0]));
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                if (i > 0)
                        buf_add_str(&out, separator);
                value_print(&out, (Value){ json_object_array_get_idx(list, i), true });
        }
        *ret = text_value(buf_take(&out));
        return 0;
}

static int change_case(Value argument, int (*first)(int), int (*rest)(int), Value *ret,
                       Error *err) {
        _cleanup_free_ char *copy = NULL;
        const char *text = "";
        bool start = true;
        int r = want_text(argument, &text, err);

        if (r < 0)
                return r;
        copy = str_copy(text);
        for (char *next = copy; *next; next++) {
                int (*change)(int) = start ? first : rest;

                if (change && (unsigned char)*next < 0x80)
                        *next = (char)change((unsigned char)*next);
                start = first != rest && isspace((unsigned char)*next);
        }
        ret->object = json_object_new_string(copy);
        return 0;
}

static int call_upper(const Value *arguments, size_t count, Value *ret, Error *err) {
        return change_case(arguments[0], toupper, toupper, ret, err);
}

static int call_lower(const Value *arguments, size_t count, Value *ret, Error *err) {
        return change_case(arguments[0], tolower, tolower, ret, err);
}

static int call_title(const Value *arguments, size_t count, Value *ret, Error *err) {
        return change_case(arguments[0], toupper, NULL, ret, err);
}

/* pad TEXT BEFORE AFTER: that many spaces around it, none around "". */
static int call_pad(const Value *arguments, size_t count, Value *ret, Error *err) {
        const char *text = "";
        int64_t before = 0, after = 0;
        int r = want_text(arguments[0], &text, err);

        if (r == 0)
                r = want_whole(arguments[1], &before, err);
        if (r == 0)
                r = want_whole(arguments[2], &after, err);
        if (r < 0)
                return r;
        before = MAX(MIN(before, PAD_MAX), 0);
        after = MAX(MIN(after, PAD_MAX), 0);
        *ret = text_value(*text ? str_format("%*s%s%*s", (int)before, "", text, (int)after, "")
                                : str_copy(""));
        return 0;
}

static int call_truncate(const Value *arguments, size_t count, Value *ret, Error *err) {
        const char *text = "";
        int64_t length = 0;
        int r = want_text(arguments[0], &text, err);

        if (r == 0)
                r = want_whole(arguments[1], &length, err);
        if (r < 0)
                return r;
        length = MAX(MIN(length, (int64_t)strlen(text)), 0);
        ret->object = json_object_new_string_len(text, (int)length);
        return 0;
}

static const Function functions[] = {
        { "and", 1, -1, call_and_or },    { "or", 1, -1, call_and_or },
        { "not", 1, 1, call_not },        { "len", 1, 1, call_len },
        { "index", 1, -1, call_index },   { "slice", 1, 3, call_slice },
        { "print", 0, -1, call_print },   { "println", 0, -1, call_println },
        { "printf", 1, -1, call_printf }, { "html", 0, -1, call_html },
        { "js", 0, -1, call_js },         { "urlquery", 0, -1, call_urlquery },
        { "eq", 2, -1, call_eq },         { "ne", 2, 2, call_ne },
        { "lt", 2, 2, call_lt },          { "le", 2, 2, call_le },
        { "gt", 2, 2, call_gt },          { "ge", 2, 2, call_ge },
        { "json", 1, 1, call_json },      { "split", 2, 2, call_split },
        { "join", 2, 2, call_join },      { "upper", 1, 1, call_upper },
        { "lower", 1, 1, call_lower },    { "title", 1, 1, call_title },
        { "pad", 3, 3, call_pad },        { "truncate", 2, 2, call_truncate },
};

const Function *function_find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(functions); i++)
                if (strlen(functions[i].name) == length &&
                    strncmp(functions[i].name, name, length) == 0)
                        return &functions[i];
        return NULL;
}
