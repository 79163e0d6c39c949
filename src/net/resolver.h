/* resolver.h: DNS at 127.0.0.11 in containers: answers for the names of a container's networks,
 * forwards the rest. One thread serves all containers. Thread-safe. */
#pragma once

#include "net/names.h"

typedef struct Resolver Resolver;

/* Upstream servers are asked from the network namespace of the caller. */
int resolver_new(Resolver **ret, Error *err);
Resolver *resolver_free(Resolver *resolver);

/* Adds an endpoint's names, or replaces them. A network that has no resolver is noted all the same:
 * it is a way out for its containers' questions. */
void resolver_add(Resolver *resolver, const NetworkConfig *network, const Endpoint *endpoint,
                  const IpAddress addresses[NAMES_ADDRESSES]);
void resolver_drop(Resolver *resolver, const char *network_id, const char *container_id);

/* resolver_attach and resolver_detach of net.h. */
int resolver_open(Resolver *resolver, const char *container_id, int netns_fd, char *const *upstream,
                  bool from_container, Error *err);
void resolver_close(Resolver *resolver, const char *container_id);
