/* names.h: who has which name on which network, as a container may ask. Knows no DNS. Not
 * thread-safe: the resolver's lock guards it. */
#pragma once

#include "base/ip.h"
#include "net/net.h"

typedef struct Names Names;

Names *names_new(void);
Names *names_free(Names *names);

#define NAMES_ADDRESSES 2 /* of an endpoint: one a family; of no family: none */

/* Adds an endpoint's names, or replaces them. */
void names_put(Names *names, const NetworkConfig *network, const Endpoint *endpoint,
               const IpAddress addresses[NAMES_ADDRESSES]);
void names_drop(Names *names, const char *network_id, const char *container_id);

/* The addresses of `name` (lower case), of both families, as container_id may know them: its
 * networks in the order of their names; on each, aliases before names; then, for "a.b", a on
 * network b. The caller frees *ret_addresses. Returns how many. */
size_t names_find(const Names *names, const char *container_id, const char *name,
                  IpAddress **ret_addresses);
/* "<name>.<network>" of an address on one of container_id's networks, the caller's, or NULL. */
char *names_find_reverse(const Names *names, const char *container_id, IpAddress address);
/* Whether container_id is on a network that leads out. */
bool names_leads_out(const Names *names, const char *container_id);
