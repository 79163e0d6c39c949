/* conntrack.h: makes the kernel forget connections that it tracks. */
#pragma once

#include "base/error.h"
#include "net/firewall.h"

/* Deletes the entries of the calling thread's namespace whose first packet went to that host
 * address (0: any), port and protocol. */
int conntrack_forget(const FirewallPort *port, Error *err);
