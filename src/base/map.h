/* map.h: string keys. Map is a hash table of pointers; Pairs is a short ordered list of string
 * pairs (labels, options). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

/* ---- Map: unordered, O(1). Zero-initialised is empty. Values are the caller's. ---- */
typedef struct MapSlot {
        char *key; /* NULL: never used; MAP_GONE: dropped */
        void *value;
} MapSlot;

typedef struct Map {
        MapSlot *slots;
        size_t capacity, used, count;
} Map;

void map_done(Map *map, void (*free_value)(void *)); /* free_value may be NULL */
void *map_get(const Map *map, const char *key);      /* NULL if absent */
void *map_put(Map *map, const char *key,
              void *value); /* copies the key; returns the value that it replaced, or NULL */
void *map_drop(Map *map, const char *key); /* returns the value, or NULL */

/* Walks in no particular order; *cursor starts at 0. False at the end. The map must not change
 * meanwhile. */
bool map_next(const Map *map, size_t *cursor, const char **key, void **value);

#define MAP_EACH(map, key, value)                                                                  \
        for (size_t cursor_ = 0; map_next((map), &cursor_, &(key), (void **)&(value));)

/* ---- Pairs: keeps the order of insertion. Zero-initialised is empty. ---- */
typedef struct Pair {
        char *key, *value;
} Pair;

typedef struct Pairs {
        Pair *items;
        size_t count;
} Pairs;

void pairs_done(Pairs *pairs);
const char *pairs_get(const Pairs *pairs, const char *key); /* borrowed, or NULL */
void pairs_put(Pairs *pairs, const char *key,
               const char *value); /* replaces or appends; copies both */
/* As pairs_put for a key that is known not to be there: looks for none. */
void pairs_append(Pairs *pairs, const char *key, const char *value);
bool pairs_drop(Pairs *pairs, const char *key);
bool pairs_equal(const Pairs *a, const Pairs *b); /* in whatever order */
void pairs_copy(Pairs *to, const Pairs *from);    /* puts every pair of from into to */
