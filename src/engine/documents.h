/* documents.h: parts of the documents that inspect and list both show. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/snapshot.h"

void json_put(json_object *object, const char *name, json_object *value);
void json_put_text(json_object *object, const char *name, const char *value); /* NULL: "" */
void json_put_int(json_object *object, const char *name, int64_t value);
void json_put_bool(json_object *object, const char *name, bool value);
void json_put_time(json_object *object, const char *name, int64_t when);
/* Appends it as compact text and drops the reference. */
void json_add_object(Buf *json, json_object *object);

/* The three members of an endpoint's IPv6 address; NULL: of none. */
void put_ipv6(json_object *object, const Endpoint *endpoint);
/* NetworkSettings.Networks: a container's places on networks. */
json_object *networks_document(const Container *container, const ContainerSnapshot *snapshot);
/* NetworkSettings.Ports as an array of PortBindings; port_bindings_done frees it. Empty where it
 * does not run. */
void ports_of(const Container *container, const ContainerSnapshot *snapshot, JsonArray *ret);
/* Mounts, without those of HostConfig.Tmpfs. */
json_object *mounts_document(const Container *container, const ContainerSnapshot *snapshot);
/* Splits "172.17.0.2/16"; address is the caller's. */
char *address_split(const char *text, int64_t *ret_prefix);

/* status.c: "Up 5 seconds (healthy)", "Exited (0) 3 minutes ago"; the caller's. health: one of
 * HEALTH_…. */
char *status_text(const ContainerState *state, const char *health, int64_t now);
/* The name of its state as list and inspect show it. */
const char *status_name(const ContainerState *state);
/* Bytes in the container's own layer. */
int64_t container_size_rw(const Container *container);

/* exec.c: the ids of the container's running execs, or NULL (null) where there are none. */
json_object *exec_ids(const Container *container);
