/* deflate.h: writes a stream as gzip (ISA-L). The same bytes give the same stream, on one kind of
 * processor and with one version of ISA-L: no time, no name, input in blocks of one size. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct Deflate {
        /* Each gets what was read, and what came out; negative ends the work. plain may be NULL. */
        int (*plain)(void *data, const void *bytes, size_t length, Error *err);
        int (*packed)(void *data, const void *bytes, size_t length, Error *err);
        void *data;
} Deflate;

/* All of fd, from where it is to its end. */
int deflate_gzip(int fd, const Deflate *deflate, Error *err);
