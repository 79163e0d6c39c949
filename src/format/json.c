/* json.c: walks the tables over json-c, to read, to free and to copy. Its getters coerce, so types
 * are checked here first. Writing is json-write.c's. */
#include "format/json.h"

#include <errno.h>
#include <json-c/json_tokener.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define DEPTH_MAX 64

/* ---- reading ---- */

static int wrong(Error *err, const char *name, const char *wanted) {
        return error_kind(err, ERROR_INVALID, "%s: must be %s", name, wanted);
}

static int read_int(const char *name, json_object *value, int64_t *ret, Error *err) {
        if (!json_object_is_type(value, json_type_int))
                return wrong(err, name, "a whole number");
        if (json_object_get_uint64(value) > INT64_MAX && json_object_get_int64(value) == INT64_MAX)
                return wrong(err, name, "below 2^63");
        *ret = json_object_get_int64(value);
        return 0;
}

static int read_uint(const char *name, json_object *value, uint64_t *ret, Error *err) {
        if (!json_object_is_type(value, json_type_int))
                return wrong(err, name, "a whole number");
        if (json_object_get_int64(value) < 0)
                return wrong(err, name, "zero or more");
        *ret = json_object_get_uint64(value);
        return 0;
}

static int read_bool(const char *name, json_object *value, bool *ret, Error *err) {
        if (!json_object_is_type(value, json_type_boolean))
                return wrong(err, name, "true or false");
        *ret = json_object_get_boolean(value);
        return 0;
}

static int read_double(const char *name, json_object *value, double *ret, Error *err) {
        if (!json_object_is_type(value, json_type_int) &&
            !json_object_is_type(value, json_type_double))
                return wrong(err, name, "a number");
        *ret = json_object_get_double(value);
        return 0;
}

/* A C string can't hold a NUL: a document that has one in a string is refused, not cut. */
static int check_string(const char *name, json_object *value, const char **ret, Error *err) {
        const char *text = json_object_get_string(value);

        if (!json_object_is_type(value, json_type_string))
                return wrong(err, name, "a string");
        if (strlen(text) != (size_t)json_object_get_string_len(value))
                return wrong(err, name, "a string without NUL characters");
        *ret = text;
        return 0;
}

static int read_string(const char *name, json_object *value, char **ret, Error *err) {
        const char *text = NULL;
        int r = check_string(name, value, &text, err);

        if (r == 0)
                str_replace(ret, text);
        return r;
}

static int read_time(const char *name, json_object *value, int64_t *ret, Error *err) {
        const char *text;
        int r = check_string(name, value, &text, err);

        if (r < 0)
                return r;
        if (!*text)
                *ret = 0;
        else if (clock_parse(text, ret) < 0)
                return wrong(err, name, "a time such as 2026-01-31T12:00:00Z");
        return 0;
}

static int read_strings(const char *name, json_object *value, bool or_one, char ***ret,
                        Error *err) {
        const char *text = NULL;
        int r;

        *ret = strv_free(*ret);
        if (or_one && json_object_is_type(value, json_type_string)) {
                r = check_string(name, value, &text, err);
                if (r == 0)
                        strv_add(ret, text);
                return r;
        }
        if (!json_object_is_type(value, json_type_array))
                return wrong(err, name,
                             or_one ? "a string or an array of strings" : "an array of strings");
        if (json_object_array_length(value) > 0)
                *ret = strv_new(json_object_array_length(value));
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                r = check_string(name, json_object_array_get_idx(value, i), &text, err);
                if (r < 0)
                        return r;
                (*ret)[i] = str_copy(text);
        }
        return 0;
}

static int read_ints(const char *name, json_object *value, JsonArray *ret, Error *err) {
        if (!json_object_is_type(value, json_type_array))
                return wrong(err, name, "an array of whole numbers");
        free(ret->items);
        *ret = (JsonArray){ .items = NEW_ARRAY(int64_t, json_object_array_length(value)) };
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                int r = read_int(name, json_object_array_get_idx(value, i),
                                 (int64_t *)ret->items + i, err);

                if (r < 0)
                        return r;
                ret->count++;
        }
        return 0;
}

static int read_set(const char *name, json_object *value, char ***ret, Error *err) {
        size_t count = 0;

        if (!json_object_is_type(value, json_type_object))
                return wrong(err, name, "an object");
        *ret = strv_free(*ret);
        if (json_object_object_length(value) > 0)
                *ret = strv_new((size_t)json_object_object_length(value));
        json_object_object_foreach(value, key, item) {
                (void)item;
                (*ret)[count++] = str_copy(key);
        }
        return 0;
}

static int read_pairs(const char *name, json_object *value, Pairs *ret, Error *err) {
        /* An object's own keys differ. */
        void (*put)(Pairs *, const char *, const char *) =
                ret->count == 0 ? pairs_append : pairs_put;

        if (!json_object_is_type(value, json_type_object))
                return wrong(err, name, "an object of strings");
        json_object_object_foreach(value, key, item) {
                const char *text = "";
                int r = item ? check_string(name, item, &text, err) : 0;

                if (r < 0)
                        return r;
                put(ret, key, text);
        }
        return 0;
}

/* What is wrong is told from the inside out: "names: is missing", then "[3].names: …", then
 * "syscalls[3].names: …"; so a path is made for a document that is wrong only. */
static int wrong_within(Error *err, const char *path) {
        char rest[sizeof(err->message)];

        if (!err)
                return -EINVAL;
        memcpy(rest, err->message, sizeof(rest));
        return error_kind(err, ERROR_INVALID, "%s%.900s", path, rest);
}

static int wrong_element(Error *err, const char *name, size_t index) {
        _cleanup_free_ char *path = str_format("%s[%zu]", name, index);

        return wrong_within(err, path);
}

static int wrong_member(Error *err, const char *name) {
        _cleanup_free_ char *path = str_format("%s.", name);

        return wrong_within(err, path);
}

static int read_nested(const char *name, const JsonTable *table, json_object *value, void *ret,
                       Error *err) {
        int r;

        if (!json_object_is_type(value, json_type_object))
                return wrong(err, name, "an object");
        r = json_read(table, value, ret, err);
        return r < 0 ? wrong_member(err, name) : r;
}

void *json_append(JsonArray *array, const JsonTable *table) {
        char *item;

        if ((array->count & (array->count - 1)) == 0)
                array->items = alloc_resize(array->items, array->count ? array->count * 2 : 1,
                                            table->size);
        item = (char *)array->items + array->count++ * table->size;
        memset(item, 0, table->size);
        return item;
}

static int read_array(const char *name, const JsonTable *table, json_object *value, JsonArray *ret,
                      Error *err) {
        if (!json_object_is_type(value, json_type_array))
                return wrong(err, name, "an array");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                json_object *item = json_object_array_get_idx(value, i);
                int r = read_nested("", table, item, json_append(ret, table), err);

                if (r < 0)
                        return wrong_element(err, name, i);
        }
        return 0;
}

static int read_map(const char *name, const JsonTable *table, json_object *value, JsonArray *ret,
                    Error *err) {
        if (!json_object_is_type(value, json_type_object))
                return wrong(err, name, "an object");
        json_object_object_foreach(value, key, item) {
                _cleanup_free_ char *path = str_format("%s.%s", name, key);
                void *element = json_append(ret, table);
                int r;

                *(char **)element = str_copy(key);
                if (!item)
                        continue;
                r = read_nested(path, table, item, element, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

#define READ_MAYBE(type, reader)                                                                   \
        ({                                                                                         \
                type **slot_ = member;                                                             \
                if (!*slot_)                                                                       \
                        *slot_ = NEW(type);                                                        \
                reader(field->name, value, *slot_, err);                                           \
        })

static int read_object(const JsonField *field, json_object *value, void **slot, Error *err) {
        if (!*slot)
                *slot = alloc_zero(1, field->table->size);
        return read_nested(field->name, field->table, value, *slot, err);
}

static int read_field(const JsonField *field, json_object *value, void *member, Error *err) {
        switch (field->type) {
        case JSON_STRING:
                return read_string(field->name, value, member, err);
        case JSON_BOOL:
                return read_bool(field->name, value, member, err);
        case JSON_INT:
                return read_int(field->name, value, member, err);
        case JSON_UINT:
                return read_uint(field->name, value, member, err);
        case JSON_DOUBLE:
                return read_double(field->name, value, member, err);
        case JSON_MAYBE_BOOL:
                return READ_MAYBE(bool, read_bool);
        case JSON_MAYBE_INT:
                return READ_MAYBE(int64_t, read_int);
        case JSON_MAYBE_UINT:
                return READ_MAYBE(uint64_t, read_uint);
        case JSON_TIME:
                return read_time(field->name, value, member, err);
        case JSON_STRINGS:
        case JSON_WORDS:
                return read_strings(field->name, value, field->type == JSON_WORDS, member, err);
        case JSON_INTS:
                return read_ints(field->name, value, member, err);
        case JSON_SET:
                return read_set(field->name, value, member, err);
        case JSON_PAIRS:
                return read_pairs(field->name, value, member, err);
        case JSON_INLINE:
                return read_nested(field->name, field->table, value, member, err);
        case JSON_OBJECT:
                return read_object(field, value, member, err);
        case JSON_ARRAY:
                return read_array(field->name, field->table, value, member, err);
        case JSON_MAP:
                return read_map(field->name, field->table, value, member, err);
        case JSON_RAW:
                json_putp((json_object **)member);
                *(json_object **)member = json_object_get(value);
                return 0;
        }
        return wrong(err, field->name, "of a known type");
}

static json_object *find_member(json_object *object, const char *name) {
        json_object *value = json_member(object, name);

        if (value)
                return value;
        json_object_object_foreach(object, key, item) {
                if (item && strcasecmp(key, name) == 0)
                        return item;
        }
        return NULL;
}

int json_read(const JsonTable *table, json_object *object, void *ret, Error *err) {
        if (!json_object_is_type(object, json_type_object))
                return wrong(err, table->name, "an object");
        for (size_t i = 0; i < table->count; i++) {
                const JsonField *field = &table->fields[i];
                json_object *value = find_member(object, field->name);
                int r;

                if (!value && (field->flags & JSON_REQUIRED))
                        return error_kind(err, ERROR_INVALID, "%s: is missing", field->name);
                if (!value)
                        continue;
                r = read_field(field, value, (char *)ret + field->offset, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void tokener_freep(json_tokener **tokener) {
        if (*tokener)
                json_tokener_free(*tokener);
}

int json_parse_any(const char *text, size_t length, json_object **ret, Error *err) {
        _cleanup_(tokener_freep) json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
        _cleanup_json_ json_object *object = NULL;
        enum json_tokener_error problem;
        size_t end;

        if (!tokener)
                abort();
        if (length > INT32_MAX - 1)
                return error_kind(err, ERROR_INVALID, "JSON document of %zu bytes is too large",
                                  length);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        object = json_tokener_parse_ex(tokener, text, (int)length);
        end = json_tokener_get_parse_end(tokener);
        problem = json_tokener_get_error(tokener);
        if (problem == json_tokener_continue) { /* a number or null ends where the text ends only */
                object = json_tokener_parse_ex(tokener, "", 1);
                end = length;
        }
        problem = json_tokener_get_error(tokener);
        if (problem != json_tokener_success)
                return error_kind(err, ERROR_INVALID, "invalid JSON at byte %zu: %s", end,
                                  json_tokener_error_desc(problem));
        for (; end < length; end++)
                if (!strchr(" \t\r\n", text[end]) || !text[end])
                        return error_kind(err, ERROR_INVALID,
                                          "invalid JSON at byte %zu: text after the document", end);
        *ret = TAKE_PTR(object);
        return 0;
}

int json_parse(const JsonTable *table, const char *text, size_t length, void *ret, Error *err) {
        _cleanup_json_ json_object *object = NULL;
        int r = json_parse_any(text, length, &object, err);

        return r < 0 ? r : json_read(table, object, ret, err);
}

/* ---- freeing, copying, and the rest ---- */

static void done_array(const JsonTable *table, JsonArray *array, bool keyed) {
        for (size_t i = 0; i < array->count; i++) {
                char *item = (char *)array->items + i * table->size;

                if (keyed)
                        free(*(char **)item);
                json_done(table, item);
        }
        free(array->items);
}

static void done_field(const JsonField *field, void *member) {
        switch (field->type) {
        case JSON_STRING:
        case JSON_MAYBE_BOOL:
        case JSON_MAYBE_INT:
        case JSON_MAYBE_UINT:
                free(*(void **)member);
                *(void **)member = NULL;
                return;
        case JSON_STRINGS:
        case JSON_WORDS:
        case JSON_SET:
                *(char ***)member = strv_free(*(char ***)member);
                return;
        case JSON_PAIRS:
                pairs_done(member);
                return;
        case JSON_INTS:
                free(((JsonArray *)member)->items);
                *(JsonArray *)member = (JsonArray){};
                return;
        case JSON_INLINE:
                json_done(field->table, member);
                return;
        case JSON_OBJECT:
                json_free(field->table, *(void **)member);
                *(void **)member = NULL;
                return;
        case JSON_ARRAY:
        case JSON_MAP:
                done_array(field->table, member, field->type == JSON_MAP);
                *(JsonArray *)member = (JsonArray){};
                return;
        case JSON_RAW:
                json_putp(member);
                *(json_object **)member = NULL;
                return;
        case JSON_BOOL:
        case JSON_INT:
        case JSON_UINT:
        case JSON_DOUBLE:
        case JSON_TIME:
                return;
        }
}

void json_done(const JsonTable *table, void *thing) {
        for (size_t i = 0; i < table->count; i++)
                done_field(&table->fields[i], (char *)thing + table->fields[i].offset);
}

void json_free(const JsonTable *table, void *thing) {
        if (!thing)
                return;
        json_done(table, thing);
        free(thing);
}

void json_copy(const JsonTable *table, const void *from, void *to) {
        _cleanup_json_ json_object *object = json_write(table, from);

        if (json_read(table, object, to, NULL) < 0)
                abort(); /* what the table wrote, the table reads */
}

json_object *json_member(json_object *object, const char *name) {
        json_object *value = NULL;

        if (json_object_is_type(object, json_type_object))
                (void)json_object_object_get_ex(object, name, &value);
        return value;
}

const char *json_member_string(json_object *object, const char *name) {
        json_object *value = json_member(object, name);

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}
