/* net.h: networks and endpoints of one host. An endpoint is a network namespace's descriptor and a
 * request; this knows no containers. It keeps no record of its own: the caller stores NetworkConfig
 * and Endpoint, and hands them back at start. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "format/json.h"

typedef struct Net Net;

/* One subnet of a network, of either family: addresses as text, "172.28.0.0/16", "172.28.0.1". */
typedef struct NetPool {
        char *subnet, *gateway, *range; /* range: --ip-range, or NULL */
        Pairs auxiliary;                /* name → address kept out of allocation */
} NetPool;

/* What a network is. Written by network_create (pools, bridge name), stored by the caller as JSON
 * (net_config_table). */
typedef struct NetworkConfig {
        char *id, *name, *driver; /* bridge, host, ipvlan, macvlan, null */
        JsonArray pools;          /* of NetPool */
        Pairs options;            /* Docker's: com.docker.network.bridge.name … */
        bool no_ipv4, ipv6;       /* which families its endpoints have addresses of */
        bool internal,
                resolver; /* resolver: names are served at 127.0.0.11 (user-defined networks) */
        char *bridge;     /* the link's name */
        bool adopted;     /* the link was there before and is never deleted */
        char *parent;     /* macvlan, ipvlan: the link that theirs are upon */
} NetworkConfig;

extern const JsonTable net_pool_table, net_config_table;

/* One published port, or a range of equal length on both sides. */
typedef struct NetPort {
        char *host_ip; /* NULL or "": every address of every family that the endpoint has */
        int64_t host_port, container_port; /* host_port 0: one of the ephemeral range */
        int64_t host_port_end; /* 0, or the end of a range from which one free port is taken */
        char *protocol;        /* tcp, udp, sctp */
        bool open; /* at the container's own address (gateway mode routed): no port of the host's */
        bool twin; /* not stored: it gets the host port of the one before, of the other family */
} NetPort;

/* What an endpoint asks for, and (address … links) what it got. Stored by the caller as JSON
 * (net_endpoint_table). */
typedef struct Endpoint {
        char *network_id, *container_id, *hostname, *container_name;
        char **aliases; /* names that this network's resolver answers with */
        char *wanted_address, *wanted_address6,
                *wanted_mac; /* --ip, --ip6, --mac-address, or NULL */
        char **link_local;   /* --link-local-ip: more addresses of the container's link */
        JsonArray ports;     /* of NetPort; after endpoint_join host_port is what was taken, host_ip
                                filled */
        /* This endpoint's network carries the default route of IPv4, of IPv6; ports are published
         * of these families, or of every one where it carries neither. */
        bool default_gateway, default_gateway6;
        Pairs links;   /* alias → name: how this container alone may call others on the network */
        Pairs options; /* Docker's: com.docker.network.endpoint.ifname, .sysctls */

        char *address, *gateway, *mac; /* address with its prefix length: "172.28.0.2/16" */
        char *address6, *gateway6;     /* NULL on a network without IPv6, as the two above on one
                                          without IPv4 */
        char *host_link, *inner_link;  /* "veth…" and "eth0" */

        /* Lent by the caller, neither stored nor copied with it: what policies select by. NULL:
         * the default namespace, no labels. */
        const char *namespace;
        const Pairs *labels;
        /* Not stored: certain ports that are no other endpoint's are published, though another
         * program has them or the host lacks the address, as those of net_reconcile are. */
        bool insists;
} Endpoint;

extern const JsonTable net_port_table, net_endpoint_table;

/* Owns the nftables table, the resolver's thread, address allocation. Links and rules go into the
 * network namespace of the calling process. loop is used to watch for foreign flushes of the table.
 * Thread-safe: one lock inside. */
int net_new(Loop *loop, Net **ret, Error *err);
Net *net_free(Net *net); /* leaves kernel state as it is, for the next daemon */
DEFINE_CLEANUP(Net *, net_free)

/* Where the subnets of networks that name none come from, in place of Docker's defaults: base,
 * "10.10.0.0/16" or "fd00:1::/48", cut into subnets of `size` bits of prefix. A family without an
 * element keeps its defaults. */
typedef struct NetPoolSource {
        const char *base;
        int64_t size;
} NetPoolSource;
int net_set_pools(Net *net, const NetPoolSource *sources, size_t count, Error *err);
/* Before the first network: whether the host forwards packets is left as it is. */
void net_leave_forwarding(Net *net);

/* At daemon start: takes what the record says, re-creates what the kernel lost (bridge, table,
 * elements, port reservations), removes what the kernel has (links named veth*brig alias, elements)
 * that the record does not. netns_fds[i] is the namespace of endpoints[i], -1 if the container is
 * gone (then the endpoint is left out). What can be restored is, whatever fails: failures are
 * logged, the first is returned. The caller attaches the resolver again itself (it knows the
 * upstream servers). */
int net_reconcile(Net *net, const NetworkConfig *networks, size_t network_count,
                  const Endpoint *endpoints, const int *netns_fds, size_t endpoint_count,
                  Error *err);

/* Links of ours in this namespace that no network and no endpoint has, by name; the caller's. What
 * is being made or deleted is none. */
int net_strays(Net *net, char ***ret, Error *err);
int net_stray_remove(Net *net, const char *link, Error *err);

/* Removes everything that net ever made in this namespace: for a daemon that is told to clean up,
 * and for tests. */
int net_destroy_all(Net *net, Error *err);

/* Fills in config's missing pools, gateway and bridge name, checks options and overlap (invalid,
 * forbidden, conflict as Docker words them), and makes the bridge, its address and its elements. */
int network_create(Net *net, NetworkConfig *config, Error *err);
/* Whether network_create would take config beside `others`, before net_reconcile has any of them:
 * refuses as network_create does, and touches nothing. What the host itself may refuse is not
 * asked. */
int network_check(Net *net, const NetworkConfig *config, const NetworkConfig *others, size_t count,
                  Error *err);
int network_remove(Net *net, const NetworkConfig *config, Error *err);

/* Whether containers get links and addresses on it: host and null have neither. */
bool network_has_endpoints(const NetworkConfig *config);
/* Whether a default route of that family (AF_INET, AF_INET6) can lead through it. */
bool network_leads_out(const NetworkConfig *config, int family);

/* NetPorts, freed and copied. */
void net_ports_done(JsonArray *ports);
void net_ports_copy(const JsonArray *from, JsonArray *to); /* to: zeroed */

/* Reserves the address and binds the ports (the port's socket is held from here until
 * endpoint_leave). Fast, no links. */
int endpoint_reserve(Net *net, const NetworkConfig *config, Endpoint *endpoint, Error *err);
/* Makes the veth with its peer straight in netns_fd, address, routes, elements, resolver entry. The
 * caller reserved before. On failure nothing is left but the reservation. */
int endpoint_join(Net *net, const NetworkConfig *config, Endpoint *endpoint, int netns_fd,
                  Error *err);
/* Takes all of it back, reservation too; idempotent. The veth's deletion may complete after the
 * return. */
int endpoint_leave(Net *net, const NetworkConfig *config, Endpoint *endpoint, Error *err);
/* Makes a joined endpoint carry the default routes and the ports that `endpoint` names from now on,
 * and no others; as with endpoint_reserve, endpoint->ports has what was taken afterwards. If a port
 * cannot be had, it has none, and no route is changed. A route that it carried stays until another
 * endpoint of the container takes it over. */
int endpoint_update(Net *net, const NetworkConfig *config, Endpoint *endpoint, int netns_fd,
                    Error *err);
/* Makes a joined endpoint publish `ports` (of NetPort) and no others, routes aside. Those of them
 * that it publishes already, as endpoint->ports has them, go on untouched, their connections too;
 * what the others take is in endpoint->ports afterwards. On failure all is as before, but that a
 * port given up meanwhile may be another program's: then it is published all the same, as by
 * net_reconcile. */
int endpoint_publish(Net *net, const NetworkConfig *config, Endpoint *endpoint,
                     const JsonArray *ports, Error *err);
/* Changes the names under which an endpoint is known (rename). */
int endpoint_rename(Net *net, const Endpoint *endpoint, Error *err);

/* The network policies (policy.h) that are in force from the return on, for those who are on a
 * network and those who join later; before net_reconcile: from then on. Taken over on success; on
 * failure those before stay in force. What they forbid now is cut off. */
typedef struct Policy Policy;
int net_set_policies(Net *net, Policy *policies, size_t count, Error *err);

/* What the policies see of a container from the return on, on each of its networks; namespace and
 * labels are copied. In one transaction of the firewall, so at every moment it is what it was or
 * what it is to be; what is forbidden now is cut off. Nothing where it is on no network. On failure
 * (forbidden, unsupported: it cannot be protected as the policies then ask) all is as before. */
int net_relabel(Net *net, const char *container_id, const char *namespace, const Pairs *labels,
                Error *err);

/* A fresh network namespace with lo up, as a descriptor, made by the calling thread (which returns
 * to its own). */
int netns_new(int *ret_fd, Error *err);
/* lo of one that was made otherwise. */
int netns_bring_up(int netns_fd, Error *err);
/* Sets namespaced sysctls "net.…" inside netns_fd. */
int netns_sysctl(int netns_fd, const char *name, const char *value, Error *err);

/* Serves DNS at 127.0.0.11 in netns_fd for container_id, whose endpoints joined before or join
 * later; upstream: servers to forward to (IPv4 or IPv6 text), asked from the host's namespace
 * unless from_container; NULL: the host's own, as its /etc/resolv.conf has them at the time. */
int resolver_attach(Net *net, const char *container_id, int netns_fd, char *const *upstream,
                    bool from_container, Error *err);
void resolver_detach(Net *net, const char *container_id);

/* -p and its kin, Docker's grammar: [ip:][host[-host]:]container[-container][/proto]. Appends
 * NetPorts. */
int port_spec_parse(const char *spec, JsonArray *ports, Error *err);
