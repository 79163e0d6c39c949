/* reaper.h: a thread for work that no caller should wait for: deleting links, which takes the
 * kernel a grace period, and forgetting UDP connections. Thread-safe. */
#pragma once

#include "base/error.h"
#include "net/firewall.h"

typedef struct Reaper Reaper;

/* The thread works in the network namespace of the caller. */
int reaper_new(Reaper **ret, Error *err);
Reaper *reaper_free(Reaper *reaper); /* waits until all is done */

/* owner: for reaper_wait, a container's id. */
void reaper_delete_link(Reaper *reaper, const char *link, const char *owner);
/* Forgets the connections that the kernel tracks to this UDP port: those made before the port was
 * published would pass it by, those made before it was taken back would outlive it. */
void reaper_forget(Reaper *reaper, const FirewallPort *port);
/* Forgets all connections of this address, which is nobody's now: one that its next holder did not
 * make is none that a policy let pass. */
void reaper_forget_address(Reaper *reaper, IpAddress address);
/* Waits until no link of owner waits for its deletion: its name in the container is free then. NULL
 * waits for everything. */
void reaper_wait(Reaper *reaper, const char *owner);
