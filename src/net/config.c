/* config.c: the documents that the caller stores, and a Network made of one: options checked, pools
 * filled. Touches nothing in the kernel. */
#include <errno.h>

#include "base/id.h"
#include "net/state.h"

/* ---- tables ---- */

static const JsonField pool_fields[] = {
        JSON_FIELD(NetPool, "Subnet", JSON_STRING, subnet, 0),
        JSON_FIELD(NetPool, "IPRange", JSON_STRING, range, JSON_OMIT_EMPTY),
        JSON_FIELD(NetPool, "Gateway", JSON_STRING, gateway, JSON_OMIT_EMPTY),
        JSON_FIELD(NetPool, "AuxiliaryAddresses", JSON_PAIRS, auxiliary, JSON_OMIT_EMPTY),
};
const JsonTable net_pool_table = JSON_TABLE(NetPool, "NetPool", pool_fields);

static const JsonField config_fields[] = {
        JSON_FIELD(NetworkConfig, "Id", JSON_STRING, id, 0),
        JSON_FIELD(NetworkConfig, "Name", JSON_STRING, name, 0),
        JSON_FIELD(NetworkConfig, "Driver", JSON_STRING, driver, 0),
        JSON_NESTED(NetworkConfig, "Pools", JSON_ARRAY, pools, 0, &net_pool_table),
        JSON_FIELD(NetworkConfig, "Options", JSON_PAIRS, options, 0),
        JSON_FIELD(NetworkConfig, "NoIPv4", JSON_BOOL, no_ipv4, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkConfig, "IPv6", JSON_BOOL, ipv6, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkConfig, "Internal", JSON_BOOL, internal, 0),
        JSON_FIELD(NetworkConfig, "Resolver", JSON_BOOL, resolver, 0),
        JSON_FIELD(NetworkConfig, "Bridge", JSON_STRING, bridge, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkConfig, "Adopted", JSON_BOOL, adopted, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkConfig, "Parent", JSON_STRING, parent, JSON_OMIT_EMPTY),
};
const JsonTable net_config_table = JSON_TABLE(NetworkConfig, "NetworkConfig", config_fields);

static const JsonField port_fields[] = {
        JSON_FIELD(NetPort, "HostIP", JSON_STRING, host_ip, JSON_OMIT_EMPTY),
        JSON_FIELD(NetPort, "HostPort", JSON_INT, host_port, 0),
        JSON_FIELD(NetPort, "HostPortEnd", JSON_INT, host_port_end, JSON_OMIT_EMPTY),
        JSON_FIELD(NetPort, "ContainerPort", JSON_INT, container_port, 0),
        JSON_FIELD(NetPort, "Protocol", JSON_STRING, protocol, 0),
        JSON_FIELD(NetPort, "Open", JSON_BOOL, open, JSON_OMIT_EMPTY),
};
const JsonTable net_port_table = JSON_TABLE(NetPort, "NetPort", port_fields);

static const JsonField endpoint_fields[] = {
        JSON_FIELD(Endpoint, "NetworkId", JSON_STRING, network_id, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "ContainerId", JSON_STRING, container_id, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Hostname", JSON_STRING, hostname, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "ContainerName", JSON_STRING, container_name, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Aliases", JSON_STRINGS, aliases, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "WantedAddress", JSON_STRING, wanted_address, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "WantedAddress6", JSON_STRING, wanted_address6, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "WantedMac", JSON_STRING, wanted_mac, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "LinkLocal", JSON_STRINGS, link_local, JSON_OMIT_EMPTY),
        JSON_NESTED(Endpoint, "Ports", JSON_ARRAY, ports, JSON_OMIT_EMPTY, &net_port_table),
        JSON_FIELD(Endpoint, "DefaultGateway", JSON_BOOL, default_gateway, 0),
        JSON_FIELD(Endpoint, "DefaultGateway6", JSON_BOOL, default_gateway6, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Links", JSON_PAIRS, links, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Options", JSON_PAIRS, options, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Address", JSON_STRING, address, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Gateway", JSON_STRING, gateway, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Address6", JSON_STRING, address6, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Gateway6", JSON_STRING, gateway6, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "Mac", JSON_STRING, mac, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "HostLink", JSON_STRING, host_link, JSON_OMIT_EMPTY),
        JSON_FIELD(Endpoint, "InnerLink", JSON_STRING, inner_link, JSON_OMIT_EMPTY),
};
const JsonTable net_endpoint_table = JSON_TABLE(Endpoint, "Endpoint", endpoint_fields);

/* ---- a network's pools ---- */

/* what: by what name the user knows the address. */
static int claim(AddressPool *pool, const char *what, const char *name, const char *text,
                 Error *err) {
        char subnet[IP_TEXT_MAX];
        IpAddress address;

        subnet_format(pool_subnet(pool), subnet);
        if (ip_parse(text, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid %s %s: invalid address", what, name);
        switch (pool_claim(pool, address)) {
        case 0:
                return 0;
        case -ERANGE:
                return error_kind(err, ERROR_INVALID,
                                  "invalid %s %s: parent subnet %s doesn't contain this address",
                                  what, name, subnet);
        default:
                return error_kind(err, ERROR_FORBIDDEN, "Address already in use: %s %s", what,
                                  text);
        }
}

static int parse_range(const char *text, Subnet subnet, Subnet *ret, Error *err) {
        char parent[IP_TEXT_MAX], right[IP_TEXT_MAX];
        const int family = subnet.address.family;
        int r = cidr_parse(text, ret);

        if (r == -EINVAL)
                return error_kind(err, ERROR_INVALID,
                                  "invalid ip-range %s: invalid CIDR block notation", text);
        if (ret->address.family != family)
                return error_kind(err, ERROR_INVALID,
                                  "invalid ip-range %s: parent subnet is an IPv%d block", text,
                                  family == AF_INET ? 4 : 6);
        subnet_format(*ret, right);
        subnet_format(subnet, parent);
        if (r < 0)
                return error_kind(err, ERROR_INVALID, "invalid ip-range %s: it should be %s", text,
                                  right);
        if (subnets_overlap(subnet, *ret) && ret->prefix < subnet.prefix)
                return error_kind(
                        err, ERROR_INVALID,
                        "invalid ip-range %s: CIDR block is bigger than its parent subnet %s", text,
                        parent);
        if (!subnet_has(subnet, ret->address))
                return error_kind(err, ERROR_INVALID,
                                  "invalid ip-range %s: parent subnet %s doesn't contain ip-range",
                                  text, parent);
        return 0;
}

/* By these names Docker knows the default gateway that a bridge's containers get in place of the
 * bridge. Among the addresses of the other family they mean nothing, as in Docker. */
static void note_exit(Network *network, const Pair *auxiliary) {
        static const char *const names[NET_FAMILIES] = { "DefaultGatewayIPv4",
                                                         "DefaultGatewayIPv6" };

        for (size_t i = 0; network->driver->routed && i < NET_FAMILIES; i++) {
                IpAddress address;

                if (str_equal(auxiliary->key, names[i]) &&
                    ip_parse(auxiliary->value, &address) == 0 && address.family == net_families[i])
                        network->exits[i] = address;
        }
}

/* The gateway is the first address of the pool unless the record names one. Auxiliary addresses are
 * claimed before, as the gateway may not be one of them. */
static int open_pool(Network *network, size_t number, NetPool *config, Error *err) {
        AddressPool *pool;
        Subnet subnet, range;
        char text[IP_TEXT_MAX];
        int r = subnet_parse(config->subnet, &subnet, err);

        if (r == 0 && !str_empty(config->range))
                r = parse_range(config->range, subnet, &range, err);
        if (r < 0)
                return r;
        pool = network->pools[number] = pool_new(subnet, str_empty(config->range) ? NULL : &range);
        network->pool_count++;
        for (size_t i = 0; i < config->auxiliary.count; i++) {
                r = claim(pool, "auxiliary address", config->auxiliary.items[i].key,
                          config->auxiliary.items[i].value, err);
                if (r < 0)
                        return r;
                note_exit(network, &config->auxiliary.items[i]);
        }
        if (str_empty(config->gateway)) {
                if (pool_take(pool, 0, &network->gateways[number]) < 0)
                        return error_kind(err, ERROR_INVALID,
                                          "invalid subnet %s: it has no address for a gateway",
                                          config->subnet);
                ip_format(network->gateways[number], text);
                str_replace(&config->gateway, text);
                return 0;
        }
        r = claim(pool, "gateway", config->gateway, config->gateway, err);
        return r < 0 ? r : ip_parse(config->gateway, &network->gateways[number]);
}

static int open_pools(Network *network, Error *err) {
        NetPool *pools = network->config.pools.items;
        size_t count = network->config.pools.count;

        network->pools = NEW_ARRAY(AddressPool *, count);
        network->gateways = NEW_ARRAY(IpAddress, count);
        for (size_t i = 0; i < count; i++) {
                int r = open_pool(network, i, &pools[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- Network ---- */

static const NetDriver *const drivers[] = { &bridge_driver, &host_driver, &ipvlan_driver,
                                            &macvlan_driver, &null_driver };

int network_driver(const char *name, const NetDriver **ret, Error *err) {
        for (size_t i = 0; i < ELEMENTS(drivers); i++) {
                if (!str_equal(drivers[i]->name, name))
                        continue;
                *ret = drivers[i];
                return 0;
        }
        return error_kind(err, ERROR_NOT_FOUND,
                          "plugin \"%s\" not found: brig has the network drivers bridge, host, "
                          "ipvlan, macvlan and null",
                          name ?: "");
}

int network_new(const NetworkConfig *config, Network **ret, Error *err) {
        _cleanup_(network_freep) Network *network = NEW(Network);
        int r;

        json_copy(&net_config_table, config, &network->config);
        r = network_driver(config->driver, &network->driver, err);
        if (r == 0 && network->driver->configure)
                r = network->driver->configure(network, err);
        if (r == 0 && network->driver->addresses)
                r = open_pools(network, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(network);
        return 0;
}

bool network_has_family(const Network *network, int family) {
        for (size_t i = 0; i < network->pool_count; i++)
                if (pool_subnet(network->pools[i]).address.family == family)
                        return true;
        return false;
}

bool network_has_endpoints(const NetworkConfig *config) {
        const NetDriver *driver;

        return network_driver(config->driver, &driver, NULL) == 0 && driver->addresses;
}

bool network_leads_out(const NetworkConfig *config, int family) {
        return network_has_endpoints(config) && !config->internal &&
               (family == AF_INET ? !config->no_ipv4 : config->ipv6);
}

static void free_member(void *member) {
        member_free(member);
}

Network *network_free(Network *network) {
        if (!network)
                return NULL;
        map_done(&network->members, free_member);
        for (size_t i = 0; i < network->pool_count; i++)
                pool_free(network->pools[i]);
        free(network->pools);
        free(network->gateways);
        strv_free(network->trusted);
        json_done(&net_config_table, &network->config);
        free(network);
        return NULL;
}
