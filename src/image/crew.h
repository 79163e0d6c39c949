/* crew.h: several threads, each with a session of its own, go through the layers of an image. Knows
 * not what is done to a layer. */
#pragma once

#include "image/assembly.h"
#include "image/session.h"

/* Layers at a time, as the options say (may be NULL). */
size_t crew_pulls(const RegistryOptions *options);
size_t crew_pushes(const RegistryOptions *options);

typedef struct Crew {
        Assembly *assembly; /* its progress is stopped when one fails */
        const SessionOptions *options;
        size_t count, most; /* of layers, and of those at a time */
        int (*work)(void *data, Session *session, size_t position, Error *err);
        void *data;
} Crew;

/* Calls work for each layer, up to `most` at a time, the first of them in this thread with
 * `first`, which has had an answer. The first error is the whole's. */
int crew_run(const Crew *crew, Session *first, Error *err);
