/* firewall.c: keeps the table "brig" of ruleset.c in the kernel and its sets filled. Who is in the
 * sets is net.c's to say. */
#include "net/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <poll.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/clock.h"
#include "net/netns.h"
#include "net/ruleset-policy.h"
#include "net/ruleset.h"

#define PREDECESSOR_PATIENCE (3 * NSEC_PER_SEC)

struct Firewall {
        Nft *nft;
        int watch_fd;
        bool applied;
        bool closed[RULESET_CLOSED_COUNT]; /* of each of ruleset_closed */
        bool table_queued;                 /* the transaction that waits holds the whole table */
        bool enforces;   /* there are policies: what is there for them alone is wanted */
        bool has_bridge; /* the bridge family's table is there */
};

/* An earlier daemon's. A kernel without tables for bridges has none. */
static bool has_bridge_table(Firewall *firewall) {
        bool has = false;

        nft_use_family(firewall->nft, NFPROTO_BRIDGE);
        (void)nft_has_chain(firewall->nft, BRIDGE_CHAIN, &has, NULL);
        nft_use_family(firewall->nft, NFPROTO_INET);
        return has;
}

bool firewall_is_anothers(Firewall *firewall) {
        return !firewall->applied && nft_is_anothers(firewall->nft);
}

int firewall_wait(Firewall *firewall, Error *err) {
        const int64_t end = clock_monotonic() + PREDECESSOR_PATIENCE;

        while (firewall_is_anothers(firewall)) {
                if (clock_monotonic() >= end)
                        return error_kind(err, ERROR_CONFLICT,
                                          "the firewall's table 'inet " RULESET_TABLE
                                          "' belongs to a program that runs: there is another "
                                          "brigd in this network namespace, and only one can have "
                                          "networks of driver bridge");
                (void)poll(NULL, 0, 5);
        }
        return 0;
}

int firewall_open(Firewall **ret, Error *err) {
        Firewall *firewall = NEW(Firewall);
        int r;

        firewall->watch_fd = -1;
        r = nft_open(NFPROTO_INET, RULESET_TABLE, &firewall->nft, err);
        if (r == 0) {
                firewall_keep(firewall, NFT_KEEP_OWNED); /* whose trial is not to be noticed */
                r = nft_watch_open(firewall->nft, &firewall->watch_fd, err);
        }
        for (size_t i = 0; r == 0 && i < RULESET_CLOSED_COUNT; i++)
                r = nft_has_chain(firewall->nft, ruleset_closed[i].chain.name, &firewall->closed[i],
                                  err);
        if (r < 0) {
                firewall_close(firewall);
                return r;
        }
        firewall->has_bridge = has_bridge_table(firewall);
        *ret = firewall;
        return 0;
}

void firewall_keep(Firewall *firewall, NftKeeping at_most) {
        (void)nft_keep(firewall->nft, at_most);
}

Firewall *firewall_close(Firewall *firewall) {
        if (!firewall)
                return NULL;
        nft_close(firewall->nft);
        close_fd(&firewall->watch_fd);
        free(firewall);
        return NULL;
}

/* ---- elements ---- */

static void put_link(Firewall *firewall, const char *set, const char *link, bool add) {
        NftElement element = { .set = set };

        nft_value_link(&element.key, link);
        nft_put_element(firewall->nft, &element, add);
}

static void put_same(Firewall *firewall, const char *link, bool add) {
        NftElement element = { .set = "same" };

        nft_value_link(&element.key, link);
        nft_value_link(&element.key, link);
        nft_put_element(firewall->nft, &element, add);
}

static const char *by_family(IpAddress address, const char *ipv4, const char *ipv6) {
        return address.family == AF_INET ? ipv4 : ipv6;
}

/* What comes through this link, from or to a subnet. */
static void put_link_subnet(Firewall *firewall, const char *set, const char *bridge, Subnet subnet,
                            bool add) {
        NftElement element = { .set = set };
        const IpAddress last = { subnet_last(subnet), subnet.address.family };

        nft_value_link(&element.key, bridge);
        nft_value_ip(&element.key, subnet.address);
        nft_value_link(&element.end, bridge);
        nft_value_ip(&element.end, last);
        nft_put_element(firewall->nft, &element, add);
}

/* An interval is two elements: its first address, and the first one behind it. mapped: what a map
 * has for it, or NULL. */
static void put_interval(Firewall *firewall, const char *set, Subnet subnet,
                         const IpAddress *mapped, bool add) {
        NftElement first = { .set = set }, behind = { .set = set, .interval_end = true };
        const int family = subnet.address.family;
        const IpNumber next = subnet_last(subnet) + 1;

        nft_value_ip(&first.key, subnet.address);
        if (mapped && add)
                nft_value_ip(&first.data, *mapped);
        nft_put_element(firewall->nft, &first, add);
        if (next == 0 || (family == AF_INET && next > UINT32_MAX))
                return; /* open to the end of all addresses */
        nft_value_ip(&behind.key, (IpAddress){ next, family });
        nft_put_element(firewall->nft, &behind, add);
}

/* Who may speak to a subnet from outside, and how. */
static void put_ways_in(Firewall *firewall, const FirewallNetwork *network, Subnet subnet,
                        GatewayMode mode, bool add) {
        const IpAddress address = subnet.address;

        /* Under its own addresses a network is answered directly: those answers are told from
         * questions by chain forward, where connections are known. */
        if (network->internal || (network->masquerade && mode == GATEWAY_NAT))
                put_interval(firewall, by_family(address, "guard4", "guard6"), subnet, NULL, add);
        if (network->internal)
                return;
        if (mode == GATEWAY_ROUTED)
                put_interval(firewall, by_family(address, "routed4", "routed6"), subnet, NULL, add);
        if (mode == GATEWAY_NAT_UNPROTECTED)
                put_interval(firewall, by_family(address, "unprotected4", "unprotected6"), subnet,
                             NULL, add);
        for (char *const *link = network->trusted; link && *link; link++)
                put_link_subnet(firewall, by_family(address, "trusted4", "trusted6"), *link, subnet,
                                add);
}

static void put_way_out(Firewall *firewall, const FirewallNetwork *network, Subnet subnet,
                        GatewayMode mode, const IpAddress *source, bool add) {
        if (!network->masquerade || network->internal || mode == GATEWAY_ROUTED)
                return;
        if (source->family)
                put_interval(firewall, by_family(subnet.address, "snat4", "snat6"), subnet, source,
                             add);
        else
                put_interval(firewall, by_family(subnet.address, "masq4", "masq6"), subnet, NULL,
                             add);
}

void firewall_put_network(Firewall *firewall, const FirewallNetwork *network, bool add) {
        put_link(firewall, "bridges", network->bridge, add);
        put_same(firewall, network->bridge, add);
        if (network->internal)
                put_link(firewall, "internal", network->bridge, add);
        if (!network->icc && !BUG("neighbours"))
                put_link(firewall, "icc_off", network->bridge, add);
        for (size_t i = 0; i < network->subnet_count; i++) {
                const Subnet subnet = network->subnets[i];
                const size_t family = subnet.address.family == AF_INET ? 0 : 1;

                put_link_subnet(firewall, by_family(subnet.address, "home4", "home6"),
                                network->bridge, subnet, add);
                put_ways_in(firewall, network, subnet,
                            BUG("neighbours") ? GATEWAY_NAT_UNPROTECTED : network->modes[family],
                            add);
                put_way_out(firewall, network, subnet, network->modes[family],
                            &network->sources[family], add);
        }
}

void firewall_put_link_local(Firewall *firewall, const char *bridge, bool add) {
        put_link_subnet(firewall, "home4", bridge, (Subnet){ { 0xa9fe0000, AF_INET }, 16 }, add);
}

void firewall_put_known(Firewall *firewall, const char *bridge, IpAddress address, bool add) {
        NftElement element = { .set = by_family(address, "known4", "known6") };

        nft_value_link(&element.key, bridge);
        nft_value_ip(&element.key, address);
        nft_put_element(firewall->nft, &element, add);
}

static void put_open(Firewall *firewall, const FirewallPort *port, bool add) {
        NftElement element = { .set = by_family(port->address, "open4", "open6") };

        nft_value_ip(&element.key, port->address);
        nft_value_protocol(&element.key, port->protocol);
        nft_value_port(&element.key, port->port);
        nft_put_element(firewall->nft, &element, add);
}

void firewall_put_port(Firewall *firewall, const FirewallPort *port, bool add) {
        const bool any = ip_is_any(port->host_address);
        NftElement element = { .set = any ? by_family(port->host_address, "pub4_any", "pub6_any")
                                          : by_family(port->host_address, "pub4_ip", "pub6_ip") };

        if (port->open) {
                put_open(firewall, port, add);
                return;
        }
        if (!any)
                nft_value_ip(&element.key, port->host_address);
        nft_value_protocol(&element.key, port->protocol);
        nft_value_port(&element.key, port->host_port);
        /* The kernel finds what to delete by its key alone. */
        if (add) {
                nft_value_ip(&element.data, port->address);
                nft_value_port(&element.data, port->port);
        }
        nft_put_element(firewall->nft, &element, add);
}

void firewall_put_policy(Firewall *firewall, const PolicyElements *elements, bool add) {
        for (size_t i = 0; i < elements->count; i++) {
                NftElement element = elements->items[i].element;

                /* The kernel finds what to delete by its key alone. */
                if (!add)
                        element.data = (NftValue){ 0 };
                nft_use_family(firewall->nft,
                               elements->items[i].bridge ? NFPROTO_BRIDGE : NFPROTO_INET);
                nft_put_element(firewall->nft, &element, add);
        }
        nft_use_family(firewall->nft, NFPROTO_INET);
}

/* ---- transactions ---- */

int firewall_commit(Firewall *firewall, Error *err) {
        int r = nft_commit(firewall->nft, err);

        if (r == 0 && firewall->table_queued) {
                firewall->applied = true;
                firewall->has_bridge = firewall->enforces;
        }
        firewall->table_queued = false;
        return r;
}

void firewall_cancel(Firewall *firewall) {
        nft_cancel(firewall->nft);
        firewall->table_queued = false;
}

static void put_part(Nft *nft, const RulesetPart *part) {
        for (size_t i = 0; i < part->set_count; i++)
                nft_put_set(nft, &part->sets[i]);
        for (size_t i = 0; i < part->chain_count; i++)
                nft_put_chain(nft, &part->chains[i]);
        for (size_t i = 0; i < part->rule_count; i++)
                if (!BUG("address-claims") || !str_equal(part->rules[i].chain, "arp"))
                        nft_put_rule(nft, &part->rules[i]);
}

static void put_bridge_table(Firewall *firewall) {
        Nft *nft = firewall->nft;

        if (!firewall->enforces && !firewall->has_bridge)
                return;
        nft_use_family(nft, NFPROTO_BRIDGE);
        nft_put_table(nft);
        nft_put_delete_table(nft);
        if (firewall->enforces) {
                nft_put_kept_table(nft);
                put_part(nft, &ruleset_bridge);
        }
        nft_use_family(nft, NFPROTO_INET);
}

void firewall_put_table(Firewall *firewall) {
        Nft *nft = firewall->nft;

        firewall_cancel(firewall);
        firewall->table_queued = true;
        /* Deleting what is not there fails, so it is made first. */
        nft_put_table(nft);
        nft_put_delete_table(nft);
        nft_put_kept_table(nft);
        for (size_t i = 0; i < ruleset_set_count; i++)
                nft_put_set(nft, &ruleset_sets[i]);
        put_part(nft, &ruleset_policy);
        for (size_t i = 0; i < ruleset_chain_count; i++)
                nft_put_chain(nft, &ruleset_chains[i]);
        if (sysctl_read(BRIDGE_NETFILTER6) == '1')
                nft_put_rule(nft, &ruleset_no_loopback6);
        for (size_t i = 0; i < ruleset_rule_count; i++)
                nft_put_rule(nft, &ruleset_rules[i]);
        for (size_t i = 0; i < RULESET_CLOSED_COUNT; i++) {
                if (!firewall->closed[i])
                        continue;
                nft_put_chain(nft, &ruleset_closed[i].chain);
                for (size_t n = 0; n < ruleset_closed[i].count; n++)
                        nft_put_rule(nft, &ruleset_closed[i].rules[n]);
        }
        if (firewall->enforces)
                put_part(nft, &ruleset_input);
        put_bridge_table(firewall);
}

void firewall_enforce(Firewall *firewall, bool on) {
        firewall->enforces = on;
}

bool firewall_enforces(const Firewall *firewall) {
        return firewall->enforces;
}

bool firewall_applied(const Firewall *firewall) {
        return firewall->applied;
}

int firewall_remove_table(Firewall *firewall, Error *err) {
        firewall_cancel(firewall);
        nft_put_table(firewall->nft);
        nft_put_delete_table(firewall->nft);
        firewall->applied = firewall->enforces = false;
        put_bridge_table(firewall);
        firewall->has_bridge = false;
        memset(firewall->closed, 0, sizeof(firewall->closed));
        return nft_commit(firewall->nft, err);
}

static size_t closed_index(int family) {
        return family == ruleset_closed[0].family ? 0 : 1;
}

void firewall_close_host(Firewall *firewall, int family) {
        firewall->closed[closed_index(family)] = true;
}

bool firewall_host_is_closed(const Firewall *firewall, int family) {
        return firewall->closed[closed_index(family)];
}

int firewall_watch_fd(const Firewall *firewall) {
        return firewall->watch_fd;
}

bool firewall_was_changed(Firewall *firewall) {
        return nft_watch_read(firewall->watch_fd, firewall->nft);
}
