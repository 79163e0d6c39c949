/* crew.h: several threads, each with a session of its own, go through the layers of an image. Knows
 * not what is done to a layer. */
#pragma once

#include "image/assembly.h"
#include "image/session.h"

#define CREW_MAX 3

typedef struct Crew {
        Assembly *assembly; /* its progress is stopped when one fails */
        const SessionOptions *options;
        size_t count; /* of layers */
        int (*work)(void *data, Session *session, size_t position, Error *err);
        void *data;
} Crew;

/* Calls work for each layer, up to CREW_MAX at a time, the first of them in this thread with
 * `first`, which has had an answer. The first error is the whole's. */
int crew_run(const Crew *crew, Session *first, Error *err);
