/* bridge.c: a network is a Linux bridge, an endpoint a veth pair with one end in it. Addresses come
 * from net.c, what may pass from firewall.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>

#include "base/fd.h"
#include "base/log.h"
#include "net/netns.h"
#include "net/state.h"
#include "os/rtnetlink.h"

#define BRIDGE_OPTION "com.docker.network.bridge."
#define DRIVER_OPTION "com.docker.network.driver."
#define CONTAINER_OPTION "com.docker.network.container_"

/* ---- options ---- */

static int take_bool(const char *name, const char *value, bool *ret, Error *err) {
        static const char *const words[][6] = { { "0", "f", "F", "false", "FALSE", "False" },
                                                { "1", "t", "T", "true", "TRUE", "True" } };

        for (size_t word = 0; word < 12; word++) {
                if (!str_equal(value, words[word / 6][word % 6]))
                        continue;
                *ret = word >= 6;
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "failed to parse %s value: %s (must be true or false)", name, value);
}

static int on_icc(Network *network, const char *name, const char *value, Error *err) {
        return take_bool(name, value, &network->icc, err);
}

static int on_masquerade(Network *network, const char *name, const char *value, Error *err) {
        return take_bool(name, value, &network->masquerade, err);
}

static int on_mtu(Network *network, const char *name, const char *value, Error *err) {
        int mtu;

        if (str_to_int_in(value, 0, 65535, &mtu) < 0 || (mtu > 0 && mtu < 68))
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse %s value: %s (must be 0, or "
                                  "from 68 to 65535)",
                                  name, value);
        network->mtu = (unsigned)mtu;
        return 0;
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

static int check_link_name(const char *name, const char *value, size_t longest, Error *err) {
        bool good = *value && strlen(value) <= longest && !str_equal(value, ".") &&
                    !str_equal(value, "..");

        for (const char *c = value; *c; c++)
                good &= *c > ' ' && *c < 127 && *c != '/' && *c != ':' && *c != '%';
        if (good)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid %s '%s': a link's name has 1 to %zu visible characters, none of "
                          "them '/', ':' or '%%'",
                          name, value, longest);
}

static int on_bridge_name(Network *network, const char *name, const char *value, Error *err) {
        if (str_empty(value))
                return 0;
        str_replace(&network->config.bridge, value);
        return check_link_name(name, value, IFNAMSIZ - 1, err);
}

static int on_inner_prefix(Network *network, const char *name, const char *value, Error *err) {
        network->inner_prefix = value;
        return check_link_name(name, value, IFNAMSIZ - 5, err); /* room for a number */
}

/* Options of which only the value that changes nothing is done. */
static int refuse_true(Network *network, const char *name, const char *value, Error *err) {
        bool on = false;
        int r = take_bool(name, value, &on, err);

        (void)network;
        return r < 0 || !on ? r
                            : error_kind(err, ERROR_UNSUPPORTED,
                                         "option %s=%s is not supported yet", name, value);
}

static int refuse_mode(Network *network, const char *name, const char *value, Error *err) {
        (void)network;
        if (str_equal(value, "nat"))
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED, "option %s=%s is not supported yet: use nat",
                          name, value);
}

static int refuse(Network *network, const char *name, const char *value, Error *err) {
        (void)network;
        return error_kind(err, ERROR_UNSUPPORTED, "option %s=%s is not supported yet", name, value);
}

static int accept_bool(Network *network, const char *name, const char *value, Error *err) {
        bool on;

        (void)network;
        return take_bool(name, value, &on, err);
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
        { BRIDGE_OPTION "inhibit_ipv4", refuse_true },
        { BRIDGE_OPTION "gateway_mode_ipv4", refuse_mode },
        { BRIDGE_OPTION "gateway_mode_ipv6", refuse_mode },
        { BRIDGE_OPTION "trusted_host_interfaces", refuse },
        { DRIVER_OPTION "mtu", on_mtu },
        { CONTAINER_OPTION "iface_prefix", on_inner_prefix },
        { "com.docker.network.host_ipv4", refuse },
        { "com.docker.network.host_ipv6", refuse },
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

static bool is_link_local(IpAddress address) { /* fe80::/10 */
        return address.family == AF_INET6 && address.number >> 118 == 0x3fa;
}

static void match_address(void *data, const RtnlAddress *address) {
        BridgeSearch *search = data;

        Subnet *first = &search->addresses[net_family_index(address->address.family)];

        if (address->link == search->index && !first->address.family &&
            !is_link_local(address->address))
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

/* A bridge that is there already keeps its address, which says what subnet the network has. */
static void take_over_address(NetworkConfig *config, Subnet subnet) {
        NetPool *pool = json_append(&config->pools, &net_pool_table);
        char text[IP_TEXT_MAX];

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
        if (config->pools.count > 0)
                return 0;
        for (size_t i = 0; i < NET_FAMILIES; i++)
                if (search.addresses[i].address.family)
                        take_over_address(config, search.addresses[i]);
        return 0;
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
        const bool ipv6 = network_has_family(network, AF_INET6);

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
        if (network->filtered && !network->icc)
                rtnl_put_bridge_filtered(rtnl, (unsigned)index);
        for (size_t i = 0; i < network->pool_count; i++)
                rtnl_put_address(rtnl, (unsigned)index, network->gateways[i],
                                 pool_subnet(network->pools[i]).prefix);
        rtnl_put_up(rtnl, (unsigned)index);
        /* Answers of ports that are published on ::1. */
        if (network_has_family(network, AF_INET6))
                rtnl_put_local_route(rtnl, (unsigned)index, (IpAddress){ 1, AF_INET6 });
        return rtnl_commit(rtnl, err);
}

static int bridge_create(Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        const char *name = network->config.bridge;
        BridgeSearch search = { .name = name };
        bool made = false;
        int r = rtnl_open(&rtnl, err);

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

static int bridge_remove(Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r;

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
        Endpoint *endpoint;
        Rtnl *host, *inner;
        char host_link[IFNAMSIZ], inner_link[IFNAMSIZ];
        unsigned bridge;
        int netns_fd;
} Join;

/* The outer name is the caller's choice. An inner one that the endpoint has already stays: it lost
 * its links, and comes back. */
static int choose_names(Join *join, Error *err) {
        (void)snprintf(join->host_link, sizeof(join->host_link), "%s", join->endpoint->host_link);
        if (!str_empty(join->endpoint->inner_link)) {
                (void)snprintf(join->inner_link, sizeof(join->inner_link), "%s",
                               join->endpoint->inner_link);
                return 0;
        }
        for (int number = 0; number < 1000; number++) {
                (void)snprintf(join->inner_link, sizeof(join->inner_link), "%.11s%d",
                               join->network->inner_prefix, number);
                if (rtnl_index(join->inner, join->inner_link) == -ENODEV)
                        return 0;
                /* It may be the link of a network that the container left just now. */
                reaper_wait(join->net->reaper, join->endpoint->container_id);
                if (rtnl_index(join->inner, join->inner_link) == -ENODEV)
                        return 0;
        }
        return error_kind(err, ERROR_CONFLICT,
                          "all link names from %s0 to %s999 are taken in the "
                          "container",
                          join->network->inner_prefix, join->network->inner_prefix);
}

static int make_pair(Join *join, Error *err) {
        _cleanup_free_ char *alias = str_format(LINK_ALIAS " %.12s", join->endpoint->container_id);
        RtnlVeth veth = { .name = join->host_link,
                          .alias = alias,
                          .master = join->bridge,
                          .mtu = join->network->mtu,
                          .peer = join->inner_link,
                          .peer_netns_fd = join->netns_fd };
        unsigned b[MAC_LENGTH];
        int r;

        if (sscanf(join->endpoint->mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3],
                   &b[4], &b[5]) != MAC_LENGTH)
                return error_kind(err, ERROR_INVALID, "%s is not a valid mac address",
                                  join->endpoint->mac);
        for (size_t i = 0; i < MAC_LENGTH; i++)
                veth.peer_mac[i] = (uint8_t)b[i];
        rtnl_put_veth(join->host, &veth);
        r = rtnl_commit(join->host, err);
        if (r < 0 && r != -EEXIST) { /* the pair may be there, and only lack its alias */
                rtnl_put_delete(join->host, join->host_link);
                (void)rtnl_commit(join->host, NULL); /* r tells what went wrong first */
        }
        return r;
}

static void put_port_mode(Rtnl *rtnl, const Network *network, int index) {
        if (network->filtered)
                rtnl_put_port_hairpin(rtnl, (unsigned)index);
        else if (!network->icc)
                rtnl_put_port_isolated(rtnl, (unsigned)index);
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

/* arp_notify and ndisc_notify make the kernel announce the addresses itself once the link is up. */
static int set_inner_sysctls(const char *link, bool ipv6, Error *err) {
        const struct {
                const char *family, *key, *value;
        } sysctls[] = { { "ipv4", "arp_notify", "1" },
                        { "ipv6", "accept_ra", "0" },
                        { "ipv6", "accept_dad", "0" },
                        { "ipv6", "ndisc_notify", "1" },
                        { "ipv6", "disable_ipv6", ipv6 ? "0" : "1" } };

        for (size_t i = 0; i < ELEMENTS(sysctls); i++) {
                int r = sysctl_write_link(sysctls[i].family, link, sysctls[i].key, sysctls[i].value,
                                          err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* "172.28.0.2/16": not the subnet, but the address in it. */
static int read_address(const char *text, Subnet *ret, Error *err) {
        const char *slash = strchr(text, '/');
        _cleanup_free_ char *address = str_copy_n(text, slash ? (size_t)(slash - text) : 0);
        int prefix;

        if (ip_parse(address, &ret->address) < 0 ||
            str_to_int_in(slash + 1, 1, (int)ip_width(ret->address.family), &prefix) < 0)
                return error_kind(err, ERROR_INVALID, "invalid address %s", text);
        ret->prefix = (unsigned)prefix;
        return 0;
}

/* Queues the default routes that the endpoint's gateways are. */
static int put_routes(Rtnl *rtnl, const Endpoint *endpoint, unsigned index, Error *err) {
        const char *const gateways[] = { endpoint->gateway, endpoint->gateway6 };

        for (size_t i = 0; i < ELEMENTS(gateways); i++) {
                IpAddress gateway;

                if (str_empty(gateways[i]))
                        continue;
                if (ip_parse(gateways[i], &gateway) < 0)
                        return error_kind(err, ERROR_INVALID, "invalid gateway '%s'", gateways[i]);
                rtnl_put_default_route(rtnl, index, gateway);
        }
        return 0;
}

static int configure_inner(Join *join, Error *err) {
        const char *const addresses[] = { join->endpoint->address, join->endpoint->address6 };
        int r, index = rtnl_index(join->inner, join->inner_link);

        if (index < 0)
                return error_set(err, -index, "link '%s'", join->inner_link);
        r = set_inner_sysctls(join->inner_link, !str_empty(join->endpoint->address6), err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(addresses); i++) {
                Subnet subnet;

                if (str_empty(addresses[i]))
                        continue;
                r = read_address(addresses[i], &subnet, err);
                if (r == 0)
                        rtnl_put_address(join->inner, (unsigned)index, subnet.address,
                                         subnet.prefix);
        }
        if (r < 0)
                return r;
        rtnl_put_up(join->inner, (unsigned)index);
        if (join->endpoint->default_gateway && !join->network->config.internal)
                r = put_routes(join->inner, join->endpoint, (unsigned)index, err);
        return r < 0 ? r : rtnl_commit(join->inner, err);
}

/* In the container's namespace. */
static int join_inside(Join *join, Error *err) {
        int r = rtnl_open(&join->inner, err);

        if (r == 0)
                r = choose_names(join, err);
        if (r == 0)
                r = make_pair(join, err);
        if (r < 0)
                return r;
        r = set_port_mode(join, err);
        if (r == 0)
                r = configure_inner(join, err);
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
        /* IPv6 answers for its addresses only once it knows of the carrier. */
        index = rtnl_index(join->inner, join->inner_link);
        if (!str_empty(join->endpoint->address6) && index >= 0)
                (void)rtnl_settle(join->inner, (unsigned)index, CARRIER_PATIENCE);
}

static int bridge_join(Net *net, const Network *network, Endpoint *endpoint, int netns_fd,
                       Error *err) {
        Join join = { .net = net, .network = network, .endpoint = endpoint, .netns_fd = netns_fd };
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
        str_replace(&endpoint->inner_link, join.inner_link);
        return 0;
}

static int bridge_route(const Network *network, const Endpoint *endpoint, int netns_fd,
                        Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int index, home = -1, r;

        if (network->config.internal)
                return 0;
        r = netns_enter(netns_fd, &home, err);
        if (r == 0)
                r = rtnl_open(&rtnl, err);
        netns_return(&home);
        if (r < 0)
                return r;
        index = rtnl_index(rtnl, endpoint->inner_link);
        if (index < 0)
                return error_set(err, -index, "link '%s'", endpoint->inner_link);
        r = put_routes(rtnl, endpoint, (unsigned)index, err);
        return r < 0 ? r : rtnl_commit(rtnl, err);
}

/* Takes the port off the bridge's traffic at once; the link itself goes later. */
static void bridge_leave(Net *net, const Endpoint *endpoint) {
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

/* The link outlived the bridge, if somebody deleted that: it is put back into it. */
static bool bridge_rejoin(const Network *network, const Endpoint *endpoint) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int bridge, link;

        if (str_empty(endpoint->host_link) || rtnl_open(&rtnl, NULL) < 0)
                return false;
        bridge = rtnl_index(rtnl, network->config.bridge);
        link = rtnl_index(rtnl, endpoint->host_link);
        if (bridge < 0 || link < 0)
                return false;
        rtnl_put_master(rtnl, (unsigned)link, (unsigned)bridge);
        put_port_mode(rtnl, network, link);
        return rtnl_commit(rtnl, NULL) == 0;
}

const NetDriver bridge_driver = {
        .name = "bridge",
        .addresses = true,
        .enforces = true,
        .prepare = bridge_prepare,
        .rejoin = bridge_rejoin,
        .configure = bridge_configure,
        .create = bridge_create,
        .remove = bridge_remove,
        .join = bridge_join,
        .route = bridge_route,
        .leave = bridge_leave,
};
