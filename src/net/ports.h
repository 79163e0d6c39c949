/* ports.h: the grammar of -p, and host ports held by bound sockets. Knows nothing of firewalls: a
 * held port only keeps every other program from binding it. */
#pragma once

#include "net/net.h"

/* "tcp" → IPPROTO_TCP; 0 for a protocol that cannot be published. */
uint8_t port_protocol(const char *name);

/* The host ports that this daemon holds. Not thread-safe: net's lock guards it. */
typedef struct PortTable PortTable;

PortTable *ports_new(void);
PortTable *ports_free(PortTable *table);

/* Binds ports[0] (unavailable where the daemon's descriptors would run out; host_port 0: one of the
 * kernel's local range; host_port_end: the first free one of the range) and writes what was taken
 * into it. count 2: ports[1] is its twin of another host address, and gets the same number. Each
 * names its host address. ret_fds[i] is the socket, -1 for a protocol that the kernel has no
 * sockets for. */
int ports_hold(PortTable *table, NetPort *ports, size_t count, int *ret_fds, Error *err);
/* Notes a certain port as taken though it could not be bound: another program has it, while an
 * endpoint of ours goes on being published there. */
void ports_note(PortTable *table, const NetPort *port);
/* Whether an endpoint of ours has a certain port, held or noted. */
bool ports_have(const PortTable *table, const NetPort *port);
/* Forgets a held or noted port and closes its socket. */
void ports_release(PortTable *table, const NetPort *port, int fd);
