/* zones.h: a thread that tells firewalld, where it runs, that the networks' bridges are in the zone
 * "brig". It looks for the message bus again when that is not there. Thread-safe; no lock is needed
 * or taken by it. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

typedef struct Zones Zones;

/* Of the network namespace of the caller. */
int zones_new(Zones **ret, Error *err);
/* Tells what is left to tell, for a second at the most. */
Zones *zones_free(Zones *zones);

/* These return at once; what firewalld refuses is logged. A bridge that was added is told again
 * whenever firewalld begins anew. */
void zones_add(Zones *zones, const char *bridge);
void zones_remove(Zones *zones, const char *bridge);
