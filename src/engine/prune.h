/* prune.h: what the prunes share: their filters and their answers. Inside engine only. */
#pragma once

#include "base/clock.h"
#include "engine/engine.h"

/* A client is told by then, ns; on a busy disk the removal takes longer, and goes on. */
#define PRUNE_PATIENCE (10 * NSEC_PER_SEC)

typedef struct PruneFilter {
        const Filters *filters;
        int64_t until; /* ns since 1970: what is younger stays; 0: no such filter */
        int64_t used;  /* the same of what was used since */
} PruneFilter;
/* accepted: the filters that there are beside label and label!, NULL-terminated. */
int prune_filter_read(const Filters *filters, const char *const *accepted, PruneFilter *ret,
                      Error *err);
/* created: ns since 1970. */
bool prune_filter_passes(const PruneFilter *filter, int64_t created, const Pairs *labels);

typedef struct PruneAnswer {
        const char *kind;     /* of its event: "container", … */
        const char *member;   /* "ContainersDeleted" */
        json_object *deleted; /* an array, NULL while it is empty */
        int64_t bytes, count;
} PruneAnswer;
/* One more; takes item. */
void prune_answer_add(PruneAnswer *answer, json_object *item, int64_t bytes);
/* Emits the event, writes the document and frees what the answer holds. */
void prune_answer_end(Engine *engine, PruneAnswer *answer, Buf *json);
/* images.c: what is being removed, and its answer. */
typedef struct ImagePrune {
        Engine *engine;
        PruneAnswer answer;
        const Image *images; /* as they were at the start: layers' sizes are looked up here */
        size_t count;
} ImagePrune;
/* Removes an image with its names unless something uses it, or has used it since it was read.
 * Whether anything went. */
bool image_prune_unused(ImagePrune *prune, const Image *image);

/* What could not be removed: silent where it is in use or gone, else logged. */
void prune_failed(const PruneAnswer *answer, const char *name, const Error *error);
