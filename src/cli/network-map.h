/* network-map.h: networks, the containers on them, their addresses and published ports as one
 * picture's model, and the forms in which `brig network map` draws it. */
#pragma once

#include <json.h>

#include "base/str.h"

typedef struct MapContainer {
        char *id, *name, *image;
        char **ports;             /* "0.0.0.0:8080 → 80/tcp" */
        char **ingress, **egress; /* the network policies that select it; NULL: it is open */
} MapContainer;

/* Who may still reach whom, where a policy selects one of them. */
typedef struct MapArrow {
        size_t from, to; /* containers */
        char *ports;     /* "all", "tcp/80,443 udp/53" */
} MapArrow;

/* A container's place on a network; addresses are "" where there is none. */
typedef struct MapPlace {
        size_t container; /* its index */
        char *ipv4, *ipv6;
} MapPlace;

typedef struct MapNetwork {
        char *id, *name, *driver;
        char *link;     /* the bridge, or the parent of macvlan and ipvlan; "" for none */
        char **subnets; /* "172.28.0.0/16 via 172.28.0.1" */
        bool internal;
        MapPlace *places;
        size_t place_count;
} MapNetwork;

typedef struct NetworkMap {
        MapNetwork *networks; /* by name */
        size_t network_count;
        MapContainer *containers; /* by name */
        size_t container_count;
        MapArrow *arrows;
        size_t arrow_count;
} NetworkMap;

/* networks, containers: what GET /networks and GET /containers/json answer. Anything that is
 * missing there is missing on the map. joined_only: without the containers that are on none of
 * them. */
void network_map_read(json_object *networks, json_object *containers, bool joined_only,
                      NetworkMap *ret);
/* table: what GET /brig/policies/test answers. After network_map_read. */
void network_map_read_policies(json_object *table, NetworkMap *map);
/* The ports of one pair of that table: "all", "tcp/80,443-450 udp/53", "-" for none, "apart" where
 * they share no network. The caller's. */
char *policy_ports_text(json_object *pair);
void network_map_done(NetworkMap *map);

void network_map_text(const NetworkMap *map, Buf *out);
/* SVG 1.1; a page of HTML that holds it and needs nothing else. */
void network_map_svg(const NetworkMap *map, Buf *out);
void network_map_html(const NetworkMap *map, Buf *out);
void network_map_json(const NetworkMap *map, Buf *out);
