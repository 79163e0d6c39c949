/* json.h: JSON documents to and from C structs, through tables. Checks every type and range; knows
 * no document of its own. */
#pragma once

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <stdint.h>

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

/* What a field is in JSON, and the C type of the member that holds it. null and absent are alike.
 */
typedef enum JsonType {
        JSON_STRING,     /* char * (NULL if absent) */
        JSON_BOOL,       /* bool */
        JSON_INT,        /* int64_t */
        JSON_UINT,       /* uint64_t */
        JSON_DOUBLE,     /* double */
        JSON_MAYBE_BOOL, /* bool *, NULL if absent */
        JSON_MAYBE_INT,  /* int64_t *, NULL if absent */
        JSON_MAYBE_UINT, /* uint64_t *, NULL if absent */
        JSON_TIME,       /* int64_t, RFC 3339 in JSON; 0 is Go's zero time */
        JSON_STRINGS,    /* char **: array of strings */
        JSON_INTS,       /* JsonArray of int64_t: array of whole numbers */
        JSON_WORDS,  /* char **: array of strings, or one string that stands for an array of one */
        JSON_SET,    /* char **: object whose keys matter and whose values are {}; written sorted */
        JSON_PAIRS,  /* Pairs: object of strings; written sorted */
        JSON_INLINE, /* struct, of .table */
        JSON_OBJECT, /* struct *, of .table, NULL if absent */
        JSON_ARRAY,  /* JsonArray of structs of .table */
        JSON_MAP,    /* JsonArray of structs of .table whose first member is a char * that holds the
                        key */
        JSON_RAW,    /* json_object *, a reference of its own */
} JsonType;

typedef struct JsonArray {
        void *items;
        size_t count;
} JsonArray;

#define JSON_REQUIRED (1u << 0)   /* absence is an error */
#define JSON_OMIT_EMPTY (1u << 1) /* not written when zero, NULL or empty (Go's omitempty) */
#define JSON_NULL_EMPTY                                                                            \
        (1u << 2) /* written as null when empty (Go's nil slices, maps and pointers) */
#define JSON_PRESENT                                                                               \
        (1u << 3) /* MAYBE types and OBJECT are left out if NULL anyway; strings: left out if      \
                     NULL, kept if "" */

typedef struct JsonTable JsonTable;

typedef struct JsonField {
        const char *name;
        JsonType type;
        size_t offset;
        unsigned flags;
        const JsonTable *table;
} JsonField;

struct JsonTable {
        const char *name; /* for errors */
        size_t size;      /* of the struct */
        const JsonField *fields;
        size_t count;
};

/* Rows of a table: JSON_FIELD(Mount, "destination", JSON_STRING, destination, JSON_REQUIRED). */
#define JSON_FIELD(type_, name_, json_type_, member_, flags_)                                      \
        { name_, json_type_, offsetof(type_, member_), flags_, NULL }
#define JSON_NESTED(type_, name_, json_type_, member_, flags_, table_)                             \
        { name_, json_type_, offsetof(type_, member_), flags_, table_ }
#define JSON_TABLE(type_, name_, fields_)                                                          \
        { name_, sizeof(type_), fields_, ELEMENTS(fields_) }

/* Reads object into *ret, which must be zeroed (fields absent keep what they hold). Names are
 * matched as Go does: exactly, else regardless of case. Unknown names are ignored. On error *ret
 * holds what was read; json_done it. Errors are of the kind invalid and name the path:
 * "HostConfig.Memory: must be a whole number". */
int json_read(const JsonTable *table, json_object *object, void *ret, Error *err);

/* The same from text: one document, nothing after it, at most 64 levels deep. */
int json_parse(const JsonTable *table, const char *text, size_t length, void *ret, Error *err);

/* Any document as a json-c object, the caller's reference. Same limits. */
int json_parse_any(const char *text, size_t length, json_object **ret, Error *err);

/* A new object, the caller's reference; never NULL. */
json_object *json_write(const JsonTable *table, const void *thing);
/* The same as compact text, the caller's. Slashes are not escaped. */
char *json_text(const JsonTable *table, const void *thing);
void json_add_text(Buf *buf, const JsonTable *table, const void *thing);

/* An object of strings, its keys in the order of their bytes, as Go writes a map. */
json_object *json_write_pairs(const Pairs *pairs);

/* Frees what the struct's members hold and zeroes them, not the struct. */
void json_done(const JsonTable *table, void *thing);
/* json_done and free; NULL is fine. */
void json_free(const JsonTable *table, void *thing);
/* Deep copy; *to must be zeroed. */
void json_copy(const JsonTable *table, const void *from, void *to);
/* Appends a zeroed element to an array of structs of table and returns it; valid until the next
 * append. */
void *json_append(JsonArray *array, const JsonTable *table);

/* A C string as a quoted JSON string, '<', '>' and '&' as they are. */
void json_add_quoted(Buf *buf, const char *text);

/* Borrowed member of a json-c object, or NULL. */
json_object *json_member(json_object *object, const char *name);
const char *json_member_string(json_object *object,
                               const char *name); /* borrowed; NULL unless a string */

static inline void json_putp(json_object **object) {
        if (*object)
                (void)json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_putp)
