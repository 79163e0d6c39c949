/* stats.h: what the API tells of a container's use, as the figures that people read. Knows no
 * daemon. */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct StatsFigures {
        double cpu;            /* percent of one processor */
        double memory, limit;  /* bytes; without what the kernel takes back at once */
        double memory_percent; /* of the limit */
        double received, sent; /* bytes, over all networks */
        double read, written;  /* bytes, over all block devices */
        int64_t pids;
        int64_t total, system; /* the counters that the next document is compared with */
        bool has_before;       /* cpu is about a time: there were counters to compare with */
} StatsFigures;

/* Takes a document in. figures holds those of the document before it, or is zeroed; where the
 * document has what came before it itself, that is what counts. */
void stats_figures(json_object *document, StatsFigures *figures);
