/* state.h: what net's own files share: the networks that this daemon knows and who is on them. The
 * lock in Net guards all of it, but for what says otherwise. */
#pragma once

#include <pthread.h>

#include "net/firewall.h"
#include "net/ipam.h"
#include "net/net.h"
#include "net/policing.h"
#include "net/ports.h"
#include "net/reaper.h"
#include "net/resolver.h"
#include "net/zones.h"

/* Arrays of one thing a family have IPv4 first. */
enum { NET_IPV4, NET_IPV6, NET_FAMILIES };
extern const int net_families[NET_FAMILIES]; /* AF_INET, AF_INET6 */
static inline size_t net_family_index(int family) {
        return family == AF_INET ? NET_IPV4 : NET_IPV6;
}

/* An address that an endpoint has; of no family: none. */
typedef struct Place {
        IpAddress address;
        size_t pool; /* whose it is */
} Place;

/* One endpoint, from endpoint_reserve to endpoint_leave. */
struct Member {
        Network *network;
        Endpoint endpoint; /* a copy of the caller's */
        Place places[NET_FAMILIES];
        int *held; /* a socket for each of endpoint.ports, or -1 */
        size_t held_count;
        bool joined;
        int netns_fd;    /* -1, unless the driver's links are in the container's namespace alone */
        char *namespace; /* this and labels: what policies select by */
        Pairs labels;
        bool enforced; /* policies are enforced for it: it is in the firewall's sets */
};

/* How links of a kind of network are made. Each may be NULL: nothing to do. join and leave run
 * without the lock. */
typedef struct NetDriver {
        const char *name;
        bool addresses; /* its endpoints have addresses */
        /* Their packets pass through this host: it forwards, its firewall knows them, and their
         * ports can be published. */
        bool routed;
        bool late; /* what it needs of the host may come later than the daemon; join looks again */
        /* Fills in what follows from the host: a link that is there already, its address. */
        int (*prepare)(NetworkConfig *config, Error *err);
        /* Checks config's options and takes them over into network. */
        int (*configure)(Network *network, Error *err);
        /* Makes the network's link, or completes the one that is there. */
        int (*create)(const Net *net, Network *network, Error *err);
        int (*remove)(const Net *net, Network *network, Error *err);
        int (*join)(Net *net, Member *member, int netns_fd, Error *err);
        /* Makes the default routes that the endpoint carries lead through it. */
        int (*route)(const Member *member, int netns_fd, Error *err);
        void (*leave)(Net *net, Member *member);
        /* Finds the endpoint's link again after a restart and puts it back where it belongs. False
         * if it is gone: join again. */
        bool (*rejoin)(Member *member, int netns_fd);
} NetDriver;

extern const NetDriver bridge_driver, host_driver, ipvlan_driver, macvlan_driver, null_driver;

struct Network {
        NetworkConfig config; /* a copy of the caller's */
        const NetDriver *driver;
        AddressPool **pools;           /* one for each of config.pools */
        IpAddress *gateways;           /* of each pool: the bridge's own address */
        IpAddress exits[NET_FAMILIES]; /* where default routes lead in the gateways' place; of no
                                          family: they do not */
        size_t pool_count;
        Map members; /* container id → Member */

        /* Taken from config.options. */
        bool icc, masquerade, inhibit_ipv4; /* the last: the bridge has no IPv4 address */
        GatewayMode modes[NET_FAMILIES];
        IpAddress sources[NET_FAMILIES]; /* host_ipv4, host_ipv6; of no family: not given */
        char **trusted;                  /* links: trusted_host_interfaces */
        bool filtered; /* br_netfilter shows the bridge's inner traffic to the firewall */
        unsigned mtu;  /* 0: the kernel's */
        const char *default_host_ip, *inner_prefix; /* default_host_ip: IPv4's */
        /* macvlan's and ipvlan's */
        const struct LanKind *lan;
        uint32_t lan_mode;
        uint16_t lan_flags;
        bool device_route; /* the default route needs no gateway */
        bool parents_mac;  /* endpoints have their parent's hardware address */
};

struct Net {
        pthread_mutex_t lock;
        Loop *loop;
        Map networks; /* id → Network */
        PortTable *ports;
        Firewall *firewall;
        Reaper *reaper;
        Resolver *resolver;
        SubnetSource *sources; /* net_set_pools; none: the defaults */
        size_t source_count;
        bool leave_forwarding;         /* the host's is not ours to turn on */
        bool forwarding[NET_FAMILIES]; /* this host forwards: checked once */
        LoopSource *watch, *retry;
        int64_t burst_at; /* clock_monotonic: since when the table was applied again burst times */
        unsigned burst;
        Policing policing;
        int conntrack_fd; /* policing_sweep's, once there was one; -1: none */
        Zones *zones;
};

/* What links of ours are called by `ip link`, followed by a container's short id: how net_reconcile
 * knows them. */
#define LINK_ALIAS "brig"

Network *network_free(Network *network);
DEFINE_CLEANUP(Network *, network_free)
Member *member_free(Member *member);
int network_driver(const char *name, const NetDriver **ret, Error *err);
/* Makes a Network of config: driver, options, pools. Nothing in the kernel. */
int network_new(const NetworkConfig *config, Network **ret, Error *err);
/* Whether its endpoints have addresses of that family. */
bool network_has_family(const Network *network, int family);
/* Of a pool without a subnet, what else it says tells the family. */
int pool_family(const NetPool *pool);
/* Fills in the subnets that config leaves open, clear of every route and nameserver of the host,
 * and refuses those that overlap another network's. */
int pools_fill(const Net *net, NetworkConfig *config, Error *err);

/* Whether its bridge is in firewalld's zone "brig". An adopted one stays where the host's
 * administrator has put it. */
static inline bool network_is_zoned(const Network *network) {
        return network->driver->routed && !network->config.adopted;
}

static inline void net_lock(Net *net) {
        (void)pthread_mutex_lock(&net->lock);
}

static inline void net_unlock(Net *net) {
        (void)pthread_mutex_unlock(&net->lock);
}

/* Makes the network's link; takes `network` over on success. Its elements are the caller's to put.
 */
int net_add_network(Net *net, Network *network, Error *err);

/* The table anew, from all networks and members. */
int net_apply(Net *net, Error *err);
void net_put_network(Net *net, const Network *network, bool add);
/* Whether its packets pass through this host to others than its network. If not, it publishes
 * nothing either, and the firewall has no element of it but policies'. */
static inline bool member_speaks_out(const Member *member) {
        return member->network->driver->routed && !member->network->config.internal;
}
/* Its address and its ports. */
void net_put_member(Net *net, const Member *member, bool add);
/* Whether a container on the network, other than `but`, has an IPv4 link-local address: then such
 * are the bridge's own (firewall_put_link_local). */
bool net_has_link_local(const Network *network, const Member *but);

/* Makes the host forward packets of the network's families; one that forwarded none stays closed to
 * others' packets. */
int net_ensure_forwarding(Net *net, const Network *network, Error *err);
/* Turns off again what net_ensure_forwarding turned on. */
int net_stop_forwarding(Net *net, Error *err);

/* Takes addresses and ports for endpoint; what was taken is written into it. */
int member_new(Net *net, Network *network, const Endpoint *endpoint, Member **ret, Error *err);
/* Names its link, if it is to have one and has no name: before there is a link, so that rules for
 * it are in force first. */
void member_name_link(Member *member);
/* Takes what member->endpoint.ports asks for; on failure it has none. */
int member_take_ports(Net *net, Member *member, Error *err);
void member_release_ports(Net *net, Member *member);
/* Gives back what member_new took. */
void member_release(Net *net, Member *member);
FirewallPort net_firewall_port(const Member *member, const NetPort *port);
/* Applies what is queued; a table that is not there yet, or was damaged, is made anew. */
int net_apply_queued(Net *net, Error *err);
/* Lets the resolver know the member's names. */
void member_announce(Net *net, const Member *member);
