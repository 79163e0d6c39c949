/* toml.h: reads TOML 1.0 as far as configuration files of container engines go: tables, dotted and
 * quoted keys, strings of one line, whole numbers, truth values, arrays. What it does not know
 * (multi-line strings, floats, dates, inline tables, arrays of tables) it refuses by name and line.
 * Knows no file of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum TomlType { TOML_TABLE, TOML_ARRAY, TOML_STRING, TOML_INTEGER, TOML_BOOL } TomlType;

typedef struct TomlNode TomlNode;
struct TomlNode {
        TomlType type;
        unsigned line;    /* where it begins, from 1 */
        bool closed;      /* a table that has had its header: a second one is an error */
        char *key;        /* in a table */
        char *text;       /* STRING; may hold no NUL */
        int64_t number;   /* INTEGER */
        bool truth;       /* BOOL */
        TomlNode **items; /* TABLE, ARRAY: in the order of the file */
        size_t count;
};

/* The whole text, which is UTF-8, as a table. Errors are invalid and begin with "line N: ". */
int toml_parse(const char *text, size_t length, TomlNode **ret, Error *err);
TomlNode *toml_free(TomlNode *node); /* with all below it; NULL is fine */
static inline void toml_freep(TomlNode **node) {
        *node = toml_free(*node);
}
const TomlNode *toml_get(const TomlNode *table, const char *key); /* NULL: absent */
/* "a table", "an array", … */
const char *toml_type_text(TomlType type);
