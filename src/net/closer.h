/* closer.h: closes descriptors on a thread of its own, for those whose close may wait. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

typedef struct Closer Closer;

int closer_new(Closer **ret, Error *err);
/* Returns once all are closed. */
Closer *closer_free(Closer *closer);
DEFINE_CLEANUP(Closer *, closer_free)
/* Takes fd over; closed in the order in which they come. From any thread. */
void closer_take(Closer *closer, int fd);
