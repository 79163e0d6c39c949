/* firewall.h: one nftables table whose rules never change, and the elements of its sets. Knows
 * subnets, bridges and published ports, not containers. Not thread-safe: net's lock guards it. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"
#include "net/policy-elements.h"

typedef struct Firewall Firewall;

int firewall_open(Firewall **ret, Error *err);
Firewall *firewall_close(Firewall *firewall); /* leaves the table */
/* Tables are kept from others as well as the kernel can; for tests: no better than at_most, as an
 * older kernel would. Before there is a table. */
void firewall_keep(Firewall *firewall, NftKeeping at_most);
/* Whether another program that runs keeps the table. Nothing may be queued. */
bool firewall_is_anothers(Firewall *firewall);
/* Waits until none does: a daemon before this one that was killed has its socket until the last of
 * its threads is out of the kernel. After some seconds: conflict. */
int firewall_wait(Firewall *firewall, Error *err);

/* How a network's containers are reached from outside, in one family. */
typedef enum GatewayMode {
        GATEWAY_NAT,             /* through published ports of the host */
        GATEWAY_ROUTED,          /* at their own addresses, on their published ports */
        GATEWAY_NAT_UNPROTECTED, /* as nat, and at their own addresses on every port */
        GATEWAY_ISOLATED,        /* not even by the host */
} GatewayMode;
#define FIREWALL_FAMILIES 2 /* IPv4 first */

/* What the rules need to know of one bridge. */
typedef struct FirewallNetwork {
        const char *bridge;
        const Subnet *subnets;
        size_t subnet_count;
        bool internal, icc, masquerade;
        GatewayMode modes[FIREWALL_FAMILIES];
        IpAddress sources[FIREWALL_FAMILIES]; /* under which its packets leave; of no family: the
                                                 address of the link that they leave through */
        char *const *trusted; /* links whose packets reach its containers directly */
} FirewallNetwork;

typedef struct FirewallPort {
        IpAddress host_address, address; /* of one family; host_address 0: every address of it */
        uint16_t host_port, port;
        uint8_t protocol; /* IPPROTO_* */
        bool open; /* at the container's own address: host_address and host_port say nothing */
} FirewallPort;

/* Queues elements: firewall_commit applies all that is queued, or nothing. */
void firewall_put_network(Firewall *firewall, const FirewallNetwork *network, bool add);
/* That link-local addresses (169.254.0.0/16) are the bridge's containers', too. */
void firewall_put_link_local(Firewall *firewall, const char *bridge, bool add);
void firewall_put_port(Firewall *firewall, const FirewallPort *port, bool add);
/* An address of one of the bridge's subnets, on a network that is not internal, so that packets
 * from it pass at the first question. Security asks nothing of it: it is a shorter way to what
 * firewall_put_network has said. */
void firewall_put_known(Firewall *firewall, const char *bridge, IpAddress address, bool add);
/* Elements of ruleset-policy.h's sets. */
void firewall_put_policy(Firewall *firewall, const PolicyElements *elements, bool add);
int firewall_commit(Firewall *firewall, Error *err);
void firewall_cancel(Firewall *firewall);

/* Queues the whole table anew, empty of elements; the one before goes in the same transaction. */
void firewall_put_table(Firewall *firewall);
/* Whether the tables shall enforce policies on bridges, too. Takes effect with the next table. */
void firewall_enforce(Firewall *firewall, bool on);
bool firewall_enforces(const Firewall *firewall);
bool firewall_applied(const Firewall *firewall); /* the table was committed by this daemon */
int firewall_remove_table(Firewall *firewall, Error *err);

/* From now on packets of this family (AF_INET, AF_INET6) between links that are none of ours are
 * not forwarded: for a host that forwarded none before this daemon switched forwarding on. Takes
 * effect with the next table. */
void firewall_close_host(Firewall *firewall, int family);
bool firewall_host_is_closed(const Firewall *firewall, int family);

/* A descriptor that becomes readable when somebody changes a table; firewall_was_changed reads it
 * and tells whether it was ours, by another's hand. */
int firewall_watch_fd(const Firewall *firewall);
bool firewall_was_changed(Firewall *firewall);
