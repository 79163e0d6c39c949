/* map.c: open addressing with linear probing, FNV-1a; dropped slots are reused when the table
 * grows. */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

static char gone_mark;
#define MAP_GONE (&gone_mark)

static size_t hash(const char *key) {
        uint64_t value = 14695981039346656037u;

        for (; *key; key++)
                value = (value ^ (unsigned char)*key) * 1099511628211u;
        return (size_t)value;
}

/* The slot that holds key, or the first free one of its run; the table must not be full. */
static MapSlot *find(const Map *map, const char *key) {
        size_t at = hash(key) & (map->capacity - 1);

        for (;; at = (at + 1) & (map->capacity - 1)) {
                MapSlot *slot = &map->slots[at];

                if (!slot->key || (slot->key != MAP_GONE && strcmp(slot->key, key) == 0))
                        return slot;
        }
}

static void grow(Map *map) {
        Map larger = { .capacity = 16 };

        while (larger.capacity < map->count * 4)
                larger.capacity *= 2;
        larger.slots = NEW_ARRAY(MapSlot, larger.capacity);
        for (size_t i = 0; i < map->capacity; i++) {
                MapSlot *slot = &map->slots[i];

                if (slot->key && slot->key != MAP_GONE)
                        *find(&larger, slot->key) = *slot;
        }
        larger.used = larger.count = map->count;
        free(map->slots);
        *map = larger;
}

void map_done(Map *map, void (*free_value)(void *)) {
        for (size_t i = 0; i < map->capacity; i++) {
                MapSlot *slot = &map->slots[i];

                if (!slot->key || slot->key == MAP_GONE)
                        continue;
                free(slot->key);
                if (free_value)
                        free_value(slot->value);
        }
        free(map->slots);
        *map = (Map){};
}

void *map_get(const Map *map, const char *key) {
        return map->capacity > 0 ? find(map, key)->value : NULL;
}

void *map_put(Map *map, const char *key, void *value) {
        MapSlot *slot;
        void *old;

        if (map->used * 2 >= map->capacity)
                grow(map);
        slot = find(map, key);
        old = slot->value;
        if (!slot->key) {
                slot->key = str_copy(key);
                map->used++;
                map->count++;
        }
        slot->value = value;
        return old;
}

void *map_drop(Map *map, const char *key) {
        MapSlot *slot = map->capacity > 0 ? find(map, key) : NULL;
        void *old;

        if (!slot || !slot->key)
                return NULL;
        old = slot->value;
        free(slot->key);
        *slot = (MapSlot){ .key = MAP_GONE };
        map->count--;
        return old;
}

bool map_next(const Map *map, size_t *cursor, const char **key, void **value) {
        while (*cursor < map->capacity) {
                MapSlot *slot = &map->slots[(*cursor)++];

                if (!slot->key || slot->key == MAP_GONE)
                        continue;
                *key = slot->key;
                *value = slot->value;
                return true;
        }
        return false;
}

void pairs_done(Pairs *pairs) {
        for (size_t i = 0; i < pairs->count; i++) {
                free(pairs->items[i].key);
                free(pairs->items[i].value);
        }
        free(pairs->items);
        *pairs = (Pairs){};
}

static Pair *pairs_find(const Pairs *pairs, const char *key) {
        for (size_t i = 0; i < pairs->count; i++)
                if (strcmp(pairs->items[i].key, key) == 0)
                        return &pairs->items[i];
        return NULL;
}

const char *pairs_get(const Pairs *pairs, const char *key) {
        Pair *pair = pairs_find(pairs, key);

        return pair ? pair->value : NULL;
}

void pairs_put(Pairs *pairs, const char *key, const char *value) {
        Pair *pair = pairs_find(pairs, key);

        if (pair)
                str_replace(&pair->value, value);
        else
                pairs_append(pairs, key, value);
}

void pairs_append(Pairs *pairs, const char *key, const char *value) {
        GROW(pairs->items, pairs->count);
        pairs->items[pairs->count++] = (Pair){ .key = str_copy(key), .value = str_copy(value) };
}

bool pairs_drop(Pairs *pairs, const char *key) {
        Pair *pair = pairs_find(pairs, key);
        size_t index;

        if (!pair)
                return false;
        index = (size_t)(pair - pairs->items);
        free(pair->key);
        free(pair->value);
        memmove(pair, pair + 1, (pairs->count - index - 1) * sizeof(*pair));
        pairs->count--;
        return true;
}

bool pairs_equal(const Pairs *a, const Pairs *b) {
        bool same = a->count == b->count;

        for (size_t i = 0; same && i < a->count; i++)
                same = str_equal(a->items[i].value, pairs_get(b, a->items[i].key));
        return same;
}

void pairs_copy(Pairs *to, const Pairs *from) {
        void (*put)(Pairs *, const char *, const char *) =
                to->count == 0 ? pairs_append : pairs_put;

        for (size_t i = 0; i < from->count; i++)
                put(to, from->items[i].key, from->items[i].value);
}
