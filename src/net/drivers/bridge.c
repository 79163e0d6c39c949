/* bridge.c: a network is a Linux bridge, an endpoint a veth pair with one end in it. Addresses come
 * from net.c, what may pass from firewall.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>

#include "base/bug.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/drivers/inner.h"
#include "net/netns.h"
#include "net/options.h"
#include "net/state.h"
#include "os/rtnetlink.h"

#define BRIDGE_OPTION "com.docker.network.bridge."
#define DRIVER_OPTION "com.docker.network.driver."
#define CONTAINER_OPTION "com.docker.network.container_"

/* ---- options ---- */

static int on_icc(Network *network, const char *name, const char *value, Error *err) {
        return option_bool(name, BUG("neighbours") ? "true" : value, &network->icc, err);
}

static int on_masquerade(Network *network, const char *name, const char *value, Error *err) {
        return option_bool(name, value, &network->masquerade, err);
}

static int on_mtu(Network *network, const char *name, const char *value, Error *err) {
        return option_mtu(name, value, &network->mtu, err);
}

static int on_host_binding(Network *network, const char *name, const char *value, Error *err) {
        IpAddress address;

        if (str_empty(value))
                return 0;
        if (ip_parse(value, &address) < 0 || address.family != AF_INET)
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse %s value: %s (invalid IPv4 "
                                  "address)",
                                  name, value);
        network->default_host_ip = value;
        return 0;
}

static int on_bridge_name(Network *network, const char *name, const char *value, Error *err) {
        if (str_empty(value))
                return 0;
        str_replace(&network->config.bridge, value);
        return option_link_name(name, value, IFNAMSIZ - 1, err);
}

static int on_inner_prefix(Network *network, const char *name, const char *value, Error *err) {
        network->inner_prefix = value;
        return option_link_name(name, value, IFNAMSIZ - 5, err); /* room for a number */
}

static int on_inhibit(Network *network, const char *name, const char *value, Error *err) {
        return option_bool(name, value, &network->inhibit_ipv4, err);
}

/* The option's name ends with its family. */
static size_t family_of(const char *name) {
        return str_ends(name, "6") ? NET_IPV6 : NET_IPV4;
}

static int on_mode(Network *network, const char *name, const char *value, Error *err) {
        static const char *const modes[] = { [GATEWAY_NAT] = "nat",
                                             [GATEWAY_ROUTED] = "routed",
                                             [GATEWAY_NAT_UNPROTECTED] = "nat-unprotected",
                                             [GATEWAY_ISOLATED] = "isolated" };

        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                if (!str_equal(value, modes[i]))
                        continue;
                if (i == GATEWAY_ISOLATED && !network->config.internal)
                        return error_kind(
                                err, ERROR_INVALID,
                                "gateway mode 'isolated' can only be used for an internal "
                                "network: create it with --internal");
                network->modes[family_of(name)] = (GatewayMode)i;
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "failed to parse %s value: %s (must be nat, nat-unprotected, routed or "
                          "isolated)",
                          name, value);
}

static int on_source(Network *network, const char *name, const char *value, Error *err) {
        const size_t family = family_of(name);
        IpAddress address;

        if (str_empty(value))
                return 0;
        if (ip_parse(value, &address) < 0 || address.family != net_families[family])
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse %s value: %s (invalid IPv%d address)", name,
                                  value, family == NET_IPV4 ? 4 : 6);
        network->sources[family] = address;
        return 0;
}

/* "eth1:eth2" */
static int on_trusted(Network *network, const char *name, const char *value, Error *err) {
        if (str_empty(value))
                return 0;
        strv_free(network->trusted);
        network->trusted = str_split(value, ':');
        for (char **link = network->trusted; *link; link++) {
                int r = option_link_name(name, *link, IFNAMSIZ - 1, err);

                if (r < 0)
                        return r;
                for (char **other = network->trusted; other < link; other++)
                        if (str_equal(*link, *other))
                                return error_kind(err, ERROR_INVALID,
                                                  "invalid %s '%s': it names %s twice", name, value,
                                                  *link);
        }
        return 0;
}

static int accept_bool(Network *network, const char *name, const char *value, Error *err) {
        bool on;

        (void)network;
        return option_bool(name, value, &on, err);
}

static const struct {
        const char *name;
        int (*take)(Network *network, const char *name, const char *value, Error *err);
} options[] = {
        { BRIDGE_OPTION "name", on_bridge_name },
        { BRIDGE_OPTION "default_bridge", accept_bool },
        { BRIDGE_OPTION "enable_icc", on_icc },
        { BRIDGE_OPTION "enable_ip_masquerade", on_masquerade },
        { BRIDGE_OPTION "host_binding_ipv4", on_host_binding },
        { BRIDGE_OPTION "inhibit_ipv4", on_inhibit },
        { BRIDGE_OPTION "gateway_mode_ipv4", on_mode },
        { BRIDGE_OPTION "gateway_mode_ipv6", on_mode },
        { BRIDGE_OPTION "trusted_host_interfaces", on_trusted },
        { DRIVER_OPTION "mtu", on_mtu },
        { CONTAINER_OPTION "iface_prefix", on_inner_prefix },
        { "com.docker.network.host_ipv4", on_source },
        { "com.docker.network.host_ipv6", on_source },
        { "com.docker.network.enable_ipv6", accept_bool }, /* the engine made it --ipv6 */
};

/* Docker's bridge driver ignores options that it does not know. */
static int take_option(Network *network, const Pair *option, Error *err) {
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (str_equal(option->key, options[i].name))
                        return options[i].take(network, option->key, option->value, err);
        return 0;
}

static int bridge_configure(Network *network, Error *err) {
        NetworkConfig *config = &network->config;

        network->icc = network->masquerade = true;
        network->default_host_ip = "0.0.0.0";
        network->inner_prefix = "eth";
        for (size_t i = 0; i < config->options.count; i++) {
                int r = take_option(network, &config->options.items[i], err);

                if (r < 0)
                        return r;
        }
        if (str_empty(config->bridge)) {
                free(config->bridge);
                config->bridge = str_format("br-%.12s", config->id);
        }
        return 0;
}

/* ---- the bridge ---- */

typedef struct BridgeSearch {
        const char *name;
        unsigned index; /* 0: there is no such link */
        bool is_bridge, is_ours;
        Subnet addresses[NET_FAMILIES]; /* the first one of each family, host bits and all */
} BridgeSearch;

static void match_bridge(void *data, const RtnlLink *link) {
        BridgeSearch *search = data;

        if (!str_equal(link->name, search->name))
                return;
        search->index = link->index;
        search->is_bridge = str_equal(link->kind, "bridge");
        search->is_ours = str_equal(link->alias, LINK_ALIAS);
}

static void match_address(void *data, const RtnlAddress *address) {
        BridgeSearch *search = data;

        Subnet *first = &search->addresses[net_family_index(address->address.family)];

        if (address->link == search->index && !first->address.family &&
            !(address->address.family == AF_INET6 && ip_is_link_local(address->address)))
                *first = (Subnet){ address->address, address->prefix };
}

static int find_bridge(Rtnl *rtnl, BridgeSearch *search, Error *err) {
        int r;

        if (rtnl_index(rtnl, search->name) < 0)
                return 0;
        r = rtnl_each_link(rtnl, match_bridge, search, err);
        if (r < 0 || !search->index)
                return r;
        if (!search->is_bridge)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "link '%s' exists and is not a bridge: choose another name with "
                                  "--opt " BRIDGE_OPTION "name=…",
                                  search->name);
        return rtnl_each_address(rtnl, match_address, search, err);
}

/* A bridge that is there already keeps its address, which says what subnet the network has, unless
 * that was said otherwise. */
static void take_over_address(NetworkConfig *config, Subnet subnet) {
        NetPool *pools = config->pools.items, *pool = NULL;
        char text[IP_TEXT_MAX];

        for (size_t i = 0; i < config->pools.count; i++)
                if (pool_family(&pools[i]) == subnet.address.family)
                        pool = &pools[i];
        if (pool && !str_empty(pool->subnet))
                return;
        if (!pool)
                pool = json_append(&config->pools, &net_pool_table);
        ip_format(subnet.address, text);
        str_replace(&pool->gateway, text);
        subnet.address.number &= ~subnet_host_mask(subnet);
        subnet_format(subnet, text);
        str_replace(&pool->subnet, text);
}

static int bridge_prepare(NetworkConfig *config, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        const char *name = pairs_get(&config->options, BRIDGE_OPTION "name");
        BridgeSearch search = { .name = name };
        int r;

        config->adopted = false;
        if (str_empty(name))
                return 0;
        r = rtnl_open(&rtnl, err);
        if (r == 0)
                r = find_bridge(rtnl, &search, err);
        if (r < 0 || !search.index || search.is_ours)
                return r;
        config->adopted = true;
        for (size_t i = 0; i < NET_FAMILIES; i++)
                if (search.addresses[i].address.family)
                        take_over_address(config, search.addresses[i]);
        return 0;
}

/* Whether the host itself has the gateway's address of that family. */
static bool host_is_on(const Network *network, int family) {
        return network->modes[net_family_index(family)] != GATEWAY_ISOLATED &&
               !(family == AF_INET && network->inhibit_ipv4);
}

static int set_bridge_sysctls(const Network *network, Error *err) {
        static const struct {
                const char *family, *key, *value;
                bool only_icc_off;
        } sysctls[] = {
                { "ipv4", "route_localnet", "1", false }, /* ports published on 127.0.0.1 */
                { "ipv4", "send_redirects", "0", false }, /* hairpins are meant */
                { "ipv4", "proxy_arp_pvlan", "1", true }, /* brings neighbours' packets to us */
                { "ipv6", "accept_ra", "0", false },
                /* A link-local address is needed to ask for neighbours' at all, at once. */
                { "ipv6", "accept_dad", "0", false },
        };
        const bool ipv6 = network_has_family(network, AF_INET6) && host_is_on(network, AF_INET6);

        for (size_t i = 0; i < ELEMENTS(sysctls); i++) {
                int r;

                if (sysctls[i].only_icc_off && network->icc)
                        continue;
                r = sysctl_write_link(sysctls[i].family, network->config.bridge, sysctls[i].key,
                                      sysctls[i].value, err);
                if (r < 0)
                        return r;
        }
        return sysctl_write_link("ipv6", network->config.bridge, "disable_ipv6", ipv6 ? "0" : "1",
                                 err);
}

/* Where br_netfilter is on, published ports are translated while a packet is still on the bridge:
 * it does not come up to be routed, so a port must let its own packets return (hairpin) and may not
 * be isolated from its neighbours; the firewall sees what they say to each other instead. */
static bool is_filtered(void) {
        return sysctl_read(BRIDGE_NETFILTER) == '1' || sysctl_read(BRIDGE_NETFILTER6) == '1';
}

static int bring_bridge_up(Rtnl *rtnl, Network *network, Error *err) {
        int index = rtnl_index(rtnl, network->config.bridge), r;

        if (index < 0)
                return error_set(err, -index, "bridge '%s'", network->config.bridge);
        r = set_bridge_sysctls(network, err);
        if (r < 0)
                return r;
        network->filtered = is_filtered();
        if (!network->icc)
                rtnl_put_bridge_filtered(rtnl, (unsigned)index, network->filtered);
        for (size_t i = 0; i < network->pool_count; i++) {
                if (!host_is_on(network, network->gateways[i].family))
                        continue;
                r = rtnl_make_room(rtnl, err);
                if (r < 0)
                        return r;
                rtnl_put_address(rtnl, (unsigned)index, network->gateways[i],
                                 pool_subnet(network->pools[i]).prefix);
        }
        rtnl_put_up(rtnl, (unsigned)index);
        /* Answers of ports that are published on ::1. */
        if (network_has_family(network, AF_INET6) && host_is_on(network, AF_INET6))
                rtnl_put_local_route(rtnl, (unsigned)index, (IpAddress){ 1, AF_INET6 });
        return rtnl_commit(rtnl, err);
}

static int bridge_create(const Net *net, Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        const char *name = network->config.bridge;
        BridgeSearch search = { .name = name };
        bool made = false;
        int r = rtnl_open(&rtnl, err);

        (void)net;
        if (r == 0)
                r = find_bridge(rtnl, &search, err);
        if (r == 0 && !search.index) {
                rtnl_put_bridge(rtnl, name, LINK_ALIAS, network->mtu);
                r = rtnl_commit(rtnl, err);
                made = r == 0;
        }
        if (r == 0)
                r = bring_bridge_up(rtnl, network, err);
        if (r < 0 && made) {
                rtnl_put_delete(rtnl, name);
                (void)rtnl_commit(rtnl, NULL); /* r tells what went wrong first */
        }
        return r;
}

static int bridge_remove(const Net *net, Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r;

        (void)net;
        if (network->config.adopted)
                return 0;
        r = rtnl_open(&rtnl, err);
        if (r < 0)
                return r;
        rtnl_put_delete(rtnl, network->config.bridge);
        return rtnl_commit(rtnl, err);
}

/* ---- endpoints ---- */

/* One veth pair under way: this side's socket is of the host's namespace, the inner one of the
 * container's. */
typedef struct Join {
        Net *net;
        const Network *network;
        Member *member;
        Rtnl *host, *inner;
        const char *host_link; /* member_name_link chose it */
        char inner_link[IFNAMSIZ];
        unsigned bridge;
        int netns_fd;
} Join;

/* The shortest packets that IPv6 takes a link for (RFC 8200, section 5). */
#define IPV6_MTU_LEAST 1280

static int make_pair(Join *join, bool kernel_has_ipv6, Error *err) {
        const Endpoint *endpoint = &join->member->endpoint;
        _cleanup_free_ char *alias = str_format(LINK_ALIAS " %.12s", endpoint->container_id);
        RtnlVeth veth = { .name = join->host_link,
                          .alias = alias,
                          .master = join->bridge,
                          .mtu = join->network->mtu,
                          .no_local6 = kernel_has_ipv6 && (join->network->mtu == 0 ||
                                                           join->network->mtu >= IPV6_MTU_LEAST),
                          .peer = join->inner_link,
                          .peer_netns_fd = join->netns_fd };
        int r = inner_parse_mac(endpoint->mac, veth.peer_mac, err);

        if (r < 0)
                return r;
        rtnl_put_veth(join->host, &veth);
        r = rtnl_commit(join->host, err);
        if (r < 0 && r != -EEXIST) { /* the pair may be there, and only lack its alias */
                rtnl_put_delete(join->host, join->host_link);
                (void)rtnl_commit(join->host, NULL); /* r tells what went wrong first */
        }
        return r;
}

/* Both are said: a port may have been made when br_netfilter was off that is on now, or the other
 * way round. */
static void put_port_mode(Rtnl *rtnl, const Network *network, int index) {
        rtnl_put_port_hairpin(rtnl, (unsigned)index, network->filtered);
        rtnl_put_port_isolated(rtnl, (unsigned)index, !network->filtered && !network->icc);
}

static int set_port_mode(Join *join, Error *err) {
        int index;

        if (join->network->icc && !join->network->filtered)
                return 0;
        index = rtnl_index(join->host, join->host_link);
        if (index < 0)
                return error_set(err, -index, "link '%s'", join->host_link);
        put_port_mode(join->host, join->network, index);
        return rtnl_commit(join->host, err);
}

/* In the container's namespace. */
static int join_inside(Join *join, Error *err) {
        _cleanup_settings_ InnerSettings settings = { .conf_fd = -1, .default_fd = -1 };
        int r = rtnl_open(&join->inner, err);

        if (r == 0)
                r = inner_choose_name(join->net, join->member, join->inner, join->inner_link, err);
        if (r == 0)
                r = inner_settings_open(&settings, err);
        if (r == 0)
                r = inner_expect(&settings, &join->member->endpoint, err);
        if (r < 0)
                return r;
        r = make_pair(join, settings.conf_fd >= 0, err);
        if (r < 0) {
                (void)inner_expected(&settings, NULL); /* r tells what went wrong first */
                return r;
        }
        r = inner_expected(&settings, err);
        if (r == 0)
                r = set_port_mode(join, err);
        if (r == 0)
                r = inner_configure(join->member, join->inner, join->inner_link, &settings, err);
        if (r < 0) {
                rtnl_put_delete(join->host, join->host_link);
                (void)rtnl_commit(join->host, NULL); /* r tells what went wrong first */
        }
        return r;
}

#define CARRIER_PATIENCE 500 /* milliseconds */

/* The first packet after the return must pass: a lost ARP request costs a second. The bridge itself
 * has its carrier from its first port. */
static void settle(const Join *join) {
        int index = rtnl_index(join->host, join->host_link);

        if (index < 0 || !rtnl_settle(join->host, (unsigned)index, CARRIER_PATIENCE))
                log_debug("network: link '%s' is slow to come up", join->host_link);
        (void)rtnl_settle(join->host, join->bridge, 0);
        if (str_empty(join->member->endpoint.address6))
                return;
        /* IPv6 answers for its addresses only once it knows of the carrier. */
        index = rtnl_index(join->inner, join->inner_link);
        if (index >= 0)
                (void)rtnl_settle(join->inner, (unsigned)index, CARRIER_PATIENCE);
}

static int bridge_join(Net *net, Member *member, int netns_fd, Error *err) {
        const Network *network = member->network;
        Join join = { .net = net,
                      .network = network,
                      .member = member,
                      .host_link = member->endpoint.host_link,
                      .netns_fd = netns_fd };
        int r, index, home = -1;

        r = rtnl_open(&join.host, err);
        if (r < 0)
                return r;
        index = rtnl_index(join.host, network->config.bridge);
        if (index < 0)
                r = error_set(err, -index, "bridge '%s'", network->config.bridge);
        join.bridge = (unsigned)index;
        if (r == 0)
                r = netns_enter(netns_fd, &home, err);
        if (r == 0)
                r = join_inside(&join, err);
        netns_return(&home);
        if (r == 0)
                settle(&join);
        rtnl_close(join.inner);
        rtnl_close(join.host);
        if (r < 0)
                return r;
        str_replace(&member->endpoint.inner_link, join.inner_link);
        return 0;
}

/* Takes the port off the bridge's traffic at once; the link itself goes later. */
static void bridge_leave(Net *net, Member *member) {
        const Endpoint *endpoint = &member->endpoint;
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Error err = { 0 };
        int index = 0, r = rtnl_open(&rtnl, &err);

        if (r == 0)
                index = rtnl_index(rtnl, endpoint->host_link);
        if (index > 0) {
                rtnl_put_port_state(rtnl, (unsigned)index, BR_STATE_DISABLED);
                r = rtnl_commit(rtnl, &err);
        }
        if (r < 0)
                log_debug("network: disable the port of '%s' before it goes: %s",
                          endpoint->host_link, err.message);
        reaper_delete_link(net->reaper, endpoint->host_link, endpoint->container_id);
}

/* A daemon that was killed while the endpoint left has disabled the port and no more. Without
 * carrier it is not to be had, and comes with it. */
static bool enable_port(Rtnl *rtnl, unsigned link) {
        int r;

        rtnl_put_port_state(rtnl, link, BR_STATE_FORWARDING);
        r = rtnl_commit(rtnl, NULL);
        return r == 0 || r == -ENETDOWN;
}

/* The link outlived the bridge, if somebody deleted that: it is put back into it. */
static bool bridge_rejoin(Member *member, int netns_fd) {
        const Network *network = member->network;
        const Endpoint *endpoint = &member->endpoint;
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int bridge, link;

        (void)netns_fd;
        if (str_empty(endpoint->host_link) || rtnl_open(&rtnl, NULL) < 0)
                return false;
        bridge = rtnl_index(rtnl, network->config.bridge);
        link = rtnl_index(rtnl, endpoint->host_link);
        if (bridge < 0 || link < 0)
                return false;
        rtnl_put_master(rtnl, (unsigned)link, (unsigned)bridge);
        put_port_mode(rtnl, network, link);
        return rtnl_commit(rtnl, NULL) == 0 && enable_port(rtnl, (unsigned)link);
}

const NetDriver bridge_driver = {
        .name = "bridge",
        .addresses = true,
        .routed = true,
        .prepare = bridge_prepare,
        .rejoin = bridge_rejoin,
        .configure = bridge_configure,
        .create = bridge_create,
        .remove = bridge_remove,
        .join = bridge_join,
        .route = inner_route,
        .leave = bridge_leave,
};
