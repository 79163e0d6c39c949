/* endpoints.h: a container's places on networks, which of them carries its default routes, and its
 * files that tell of them. Inside engine only. */
#pragma once

#include "engine/container.h"

/* endpoints.c: lock held. */
/* At create: what networks the request asks for. */
int endpoints_plan(Container *container, Error *err);
int endpoints_reserve(Container *container, Error *err);
int endpoints_join(Container *container, int netns_fd, Error *err);
void endpoints_leave(Container *container); /* idempotent */
int endpoints_rename(Container *container, Error *err);
/* lock held: whether one of its networks answers names at 127.0.0.11. */
bool container_on_resolver(const Container *container);
/* lock held: serves names to it at 127.0.0.11. */
int container_resolver_attach(Container *container, int netns_fd, Error *err);
/* One of them, for connect and disconnect. */
int endpoint_plan_one(Container *container, const char *network, const EndpointSettings *settings,
                      ContainerEndpoint **ret, Error *err);
/* Its id as an alias, in users' networks: when it joins or is connected, not when it is created,
 * by which compose tells an endpoint that it has yet to give addresses. */
void endpoint_add_short_id(const Container *container, ContainerEndpoint *endpoint);
int endpoint_reserve_one(Container *container, ContainerEndpoint *endpoint, Error *err);
int endpoint_join_one(Container *container, ContainerEndpoint *endpoint, int netns_fd, Error *err);
void endpoint_leave_one(Container *container, ContainerEndpoint *endpoint);
/* "connect" or "disconnect" of a container to a network, for those who watch events. */
void endpoint_event(const Container *container, const ContainerEndpoint *place, const char *action);
/* Writes the ports that the endpoint is to publish, which follow from the default routes that it
 * carries, and frees those before. */
int endpoint_fill_ports(const Container *container, Endpoint *endpoint, Error *err);
void endpoint_clear_ports(Endpoint *endpoint);

/* gateway.c: lock held. The endpoint whose network is to carry the default route and the ports of
 * that family: of those that lead out the one with the greatest priority, then one of both
 * families, then by name. NULL: none leads out. */
const ContainerEndpoint *gateway_elect(const Container *container, int family);
/* lock held, running: every endpoint gives up what another is to carry, so that one that is about
 * to join can have it. */
int gateway_yield(Container *container, Error *err);

/* ---- connect.c ---- */
/* lock held, running: joins the network of that id, where it has a place on it: one that the kernel
 * does not have any more (anew), or that an earlier daemon could not join. What came of it is
 * recorded. */
int container_reconnect(Container *container, const char *network_id, bool anew, Error *err);
/* lock held, running: routes and ports go where they belong now. */
int gateway_update(Container *container, Error *err);
void container_endpoint_drop(Container *container, size_t index);
/* Upstream servers for the container's resolver, and whether they were given by --dns; NULL for the
 * host's. The caller's list. */
char **netfiles_upstream(Container *container, bool *ret_given);

/* ---- netfiles.c: writes hosts, hostname, resolv.conf into <data_root>/containers/<id>/ ---- */
int netfiles_write(Container *container,
                   Error *err); /* at start, lock held, endpoints joined or reserved */
int netfiles_update_hosts(Container *container, Error *err); /* after connect and disconnect */
