/* json-write.c: what the tables make of a thing: json-c's objects, and texts. See json.h. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "format/json.h"

static json_object *write_strings(char *const *list) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; list && list[i]; i++)
                (void)json_object_array_add(array, json_object_new_string(list[i]));
        return array;
}

static json_object *write_ints(const JsonArray *array) {
        json_object *result = json_object_new_array();

        for (size_t i = 0; i < array->count; i++)
                (void)json_object_array_add(
                        result, json_object_new_int64(((const int64_t *)array->items)[i]));
        return result;
}

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Go writes its maps so, and so do those who compare with what it wrote. */
static json_object *write_set(char *const *list) {
        size_t count = strv_length(list);
        _cleanup_free_ const char **sorted = NEW_ARRAY(const char *, count + 1);
        json_object *object = json_object_new_object();

        for (size_t i = 0; i < count; i++)
                sorted[i] = list[i];
        qsort(sorted, count, sizeof(char *), by_text);
        for (size_t i = 0; i < count; i++)
                (void)json_object_object_add(object, sorted[i], json_object_new_object());
        return object;
}

static int by_key(const void *a, const void *b) {
        return strcmp(((const Pair *)a)->key, ((const Pair *)b)->key);
}

json_object *json_write_pairs(const Pairs *pairs) {
        _cleanup_free_ Pair *sorted = NEW_ARRAY(Pair, pairs->count + 1);
        json_object *object = json_object_new_object();

        for (size_t i = 0; i < pairs->count; i++)
                sorted[i] = pairs->items[i]; /* borrowed */
        qsort(sorted, pairs->count, sizeof(Pair), by_key);
        for (size_t i = 0; i < pairs->count; i++)
                (void)json_object_object_add(object, sorted[i].key,
                                             json_object_new_string(sorted[i].value ?: ""));
        return object;
}

static json_object *write_array(const JsonTable *table, const JsonArray *array, bool keyed) {
        json_object *result = keyed ? json_object_new_object() : json_object_new_array();

        for (size_t i = 0; i < array->count; i++) {
                const char *item = (const char *)array->items + i * table->size;

                if (keyed)
                        (void)json_object_object_add(result, *(char *const *)item,
                                                     json_write(table, item));
                else
                        (void)json_object_array_add(result, json_write(table, item));
        }
        return result;
}

/* A reference would be counted by several threads, without atomics. */
static json_object *write_raw(json_object *raw) {
        json_object *copy = NULL;

        if (json_object_deep_copy(raw, &copy, NULL) < 0)
                abort(); /* out of memory */
        return copy;
}

static json_object *write_time(int64_t when) {
        char text[CLOCK_TEXT_MAX];

        return json_object_new_string(clock_format(when, text));
}

/* True for what Go calls empty. */
static bool is_empty(const JsonField *field, const void *member) {
        switch (field->type) {
        case JSON_STRING:
                return field->flags & JSON_PRESENT ? !*(char *const *)member
                                                   : str_empty(*(char *const *)member);
        case JSON_BOOL:
                return !*(const bool *)member;
        case JSON_INT:
        case JSON_UINT:
        case JSON_TIME:
                return *(const uint64_t *)member == 0;
        case JSON_DOUBLE:
                return fpclassify(*(const double *)member) == FP_ZERO;
        case JSON_STRINGS:
        case JSON_WORDS:
        case JSON_SET:
                return strv_length(*(char **const *)member) == 0;
        case JSON_PAIRS:
                return ((const Pairs *)member)->count == 0;
        case JSON_INTS:
        case JSON_ARRAY:
        case JSON_MAP:
                return ((const JsonArray *)member)->count == 0;
        case JSON_MAYBE_BOOL:
        case JSON_MAYBE_INT:
        case JSON_MAYBE_UINT:
        case JSON_OBJECT:
        case JSON_RAW:
                return !*(void *const *)member;
        case JSON_INLINE:
                return false;
        }
        return false;
}

static json_object *write_field(const JsonField *field, const void *member) {
        switch (field->type) {
        case JSON_STRING:
                return json_object_new_string(*(char *const *)member ?: "");
        case JSON_BOOL:
                return json_object_new_boolean(*(const bool *)member);
        case JSON_INT:
                return json_object_new_int64(*(const int64_t *)member);
        case JSON_UINT:
                return json_object_new_uint64(*(const uint64_t *)member);
        case JSON_DOUBLE:
                return json_object_new_double(*(const double *)member);
        case JSON_MAYBE_BOOL:
                return json_object_new_boolean(**(bool *const *)member);
        case JSON_MAYBE_INT:
                return json_object_new_int64(**(int64_t *const *)member);
        case JSON_MAYBE_UINT:
                return json_object_new_uint64(**(uint64_t *const *)member);
        case JSON_TIME:
                return write_time(*(const int64_t *)member);
        case JSON_STRINGS:
        case JSON_WORDS:
                return write_strings(*(char **const *)member);
        case JSON_INTS:
                return write_ints(member);
        case JSON_SET:
                return write_set(*(char **const *)member);
        case JSON_PAIRS:
                return json_write_pairs(member);
        case JSON_INLINE:
                return json_write(field->table, member);
        case JSON_OBJECT:
                return json_write(field->table, *(void *const *)member);
        case JSON_ARRAY:
        case JSON_MAP:
                return write_array(field->table, member, field->type == JSON_MAP);
        case JSON_RAW:
                return write_raw(*(json_object *const *)member);
        }
        return NULL;
}

static bool is_pointer(JsonType type) {
        return type == JSON_MAYBE_BOOL || type == JSON_MAYBE_INT || type == JSON_MAYBE_UINT ||
               type == JSON_OBJECT || type == JSON_RAW;
}

json_object *json_write(const JsonTable *table, const void *thing) {
        json_object *object = json_object_new_object();

        for (size_t i = 0; i < table->count; i++) {
                const JsonField *field = &table->fields[i];
                const void *member = (const char *)thing + field->offset;
                bool empty = is_empty(field, member);

                if (empty && (field->flags & JSON_NULL_EMPTY))
                        (void)json_object_object_add(object, field->name, NULL);
                else if (!empty || (!(field->flags & (JSON_OMIT_EMPTY | JSON_PRESENT)) &&
                                    !is_pointer(field->type)))
                        (void)json_object_object_add(object, field->name,
                                                     write_field(field, member));
        }
        return object;
}

void json_add_text(Buf *buf, const JsonTable *table, const void *thing) {
        _cleanup_json_ json_object *object = json_write(table, thing);

        buf_add_str(buf, json_object_to_json_string_ext(
                                 object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *json_text(const JsonTable *table, const void *thing) {
        Buf buf = {};

        json_add_text(&buf, table, thing);
        return buf_take(&buf);
}

/* How far it is what it stands for: to the first byte that is to be escaped, or the end. */
static size_t plain_length(const char *text) {
        size_t length = 0;

        while ((unsigned char)text[length] >= 0x20 && text[length] != '"' && text[length] != '\\')
                length++;
        return length;
}

void json_add_quoted(Buf *buf, const char *text) {
        buf_add_char(buf, '"');
        while (*text) {
                size_t plain = plain_length(text);

                buf_add(buf, text, plain);
                text += plain;
                if (!*text)
                        break;
                unsigned char c = (unsigned char)*text++;

                if (c == '"' || c == '\\')
                        buf_format(buf, "\\%c", c);
                else if (c == '\n')
                        buf_add_str(buf, "\\n");
                else
                        buf_format(buf, "\\u%04x", c);
        }
        buf_add_char(buf, '"');
}
