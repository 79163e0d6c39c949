/* conntrack.h: makes the kernel forget connections that it tracks. */
#pragma once

#include "base/error.h"
#include "net/firewall.h"

/* A socket for conntrack_forget, of the calling thread's namespace. */
int conntrack_open(int *ret_fd, Error *err);
/* Deletes the entries whose first packet went to one of those host addresses (0: any), ports and
 * protocols. */
int conntrack_forget(int fd, const FirewallPort *ports, size_t count, Error *err);
