/* zones.h: tells firewalld, where it runs, that the networks' bridges are in the zone "brig". The
 * lock in Net is held by who calls. */
#pragma once

#include "base/cleanup.h"
#include "base/loop.h"
#include "net/net.h"
#include "os/dbus.h"

typedef struct Zones {
        DBus *bus; /* NULL: there is none */
        /* The loop's thread's alone, as are the connection's begin and end. */
        LoopSource *source, *retry;
        unsigned retries;
        bool broken; /* the loop's thread ends it */
} Zones;

/* On the loop's thread. A message bus that is not there is looked for again for five minutes. */
void zones_open(Net *net);
void zones_close(Net *net);

/* These return when firewalld has done it, or does not run, or did not answer in time; what it
 * refuses is logged. */
void zones_add(Net *net, const char *bridge);
void zones_add_all(Net *net); /* of every network */
void zones_remove(Net *net, const char *bridge);
