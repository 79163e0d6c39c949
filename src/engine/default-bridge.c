/* default-bridge.c: what the daemon's options (--bip and its kin) say of the network "bridge", as a
 * configuration for net, and whether a recorded network is that. Text only: predefined.c makes it.
 */
#include <errno.h>

#include "base/ip.h"
#include "engine/networks.h"

#define DEFAULT_BRIDGE "brig0"
#define DEFAULT_MTU "1500"
#define BRIDGE_NAME "com.docker.network.bridge.name"

const char *default_bridge_link(const EngineOptions *options) {
        return options->bridge.link ?: DEFAULT_BRIDGE;
}

static void put_settings(const EngineOptions *options, Pairs *settings) {
        const BridgeOptions *bridge = &options->bridge;
        const char *const all[][2] = {
                { "com.docker.network.bridge.default_bridge", "true" },
                { "com.docker.network.bridge.enable_icc", bridge->no_icc ? "false" : "true" },
                { "com.docker.network.bridge.enable_ip_masquerade",
                  bridge->no_masquerade ? "false" : "true" },
                { "com.docker.network.bridge.host_binding_ipv4", bridge->host_ip ?: "0.0.0.0" },
                { "com.docker.network.driver.mtu", bridge->mtu ?: DEFAULT_MTU },
                { BRIDGE_NAME, default_bridge_link(options) },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++)
                pairs_put(settings, all[i][0], all[i][1]);
}

/* "172.20.0.1/16": the pool is its network, the gateway the address itself. */
static int read_bip(const char *bip, NetPool *pool, Subnet *ret, Error *err) {
        const char *slash = strchr(bip, '/');
        char text[IP_TEXT_MAX];
        int r = cidr_parse(bip, ret);

        if ((r < 0 && r != -ERANGE) || ret->address.family != AF_INET || ret->prefix > 30)
                return error_kind(
                        err, ERROR_INVALID,
                        "bip '%s': give an IPv4 address and a prefix length, like 172.20.0.1/16",
                        bip);
        subnet_format(*ret, text);
        pool->subnet = str_copy(text);
        pool->gateway = str_copy_n(bip, (size_t)(slash - bip));
        return 0;
}

/* Host bits are passed over, as in Docker. */
static int read_cidr(const char *option, const char *text, int family, Subnet *ret, Error *err) {
        int r = cidr_parse(text, ret);

        if ((r < 0 && r != -ERANGE) || ret->address.family != family)
                return error_kind(err, ERROR_INVALID, "%s '%s': give an IPv%d subnet, like %s",
                                  option, text, family == AF_INET ? 4 : 6,
                                  family == AF_INET ? "172.20.1.0/24" : "fd00:1::/64");
        return 0;
}

/* What containers have as their default gateway in place of the bridge. */
static int add_gateway(const char *option, const char *text, int family, NetPool *pool,
                       Error *err) {
        IpAddress address;

        if (ip_parse(text, &address) < 0 || address.family != family)
                return error_kind(err, ERROR_INVALID, "%s '%s' is no IPv%d address", option, text,
                                  family == AF_INET ? 4 : 6);
        pairs_put(&pool->auxiliary, family == AF_INET ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6",
                  text);
        return 0;
}

/* Without bip the subnet is that of a link that is there already, or else the range. */
static int add_ipv4(const BridgeOptions *bridge, NetworkConfig *config, Error *err) {
        Subnet subnet = { 0 }, range;
        char text[IP_TEXT_MAX];
        NetPool *pool;
        int r = 0;

        if (!bridge->bip && !bridge->fixed_cidr && !bridge->gateway)
                return 0;
        pool = json_append(&config->pools, &net_pool_table);
        if (bridge->bip)
                r = read_bip(bridge->bip, pool, &subnet, err);
        if (r == 0 && bridge->fixed_cidr)
                r = read_cidr("fixed-cidr", bridge->fixed_cidr, AF_INET, &range, err);
        if (r < 0)
                return r;
        if (bridge->fixed_cidr) {
                if (bridge->bip && !subnet_has(subnet, range.address))
                        return error_kind(err, ERROR_INVALID,
                                          "fixed-cidr '%s' is no part of the subnet of bip '%s'",
                                          bridge->fixed_cidr, bridge->bip);
                subnet_format(range, text);
                pool->range = str_copy(text);
        }
        return bridge->gateway ? add_gateway("default-gateway", bridge->gateway, AF_INET, pool, err)
                               : 0;
}

static int add_ipv6(const BridgeOptions *bridge, NetworkConfig *config, Error *err) {
        char text[IP_TEXT_MAX];
        Subnet subnet;
        NetPool *pool;

        config->ipv6 = bridge->ipv6;
        if (!bridge->fixed_cidr6 && !bridge->gateway6)
                return 0;
        if (!bridge->ipv6)
                return error_kind(err, ERROR_INVALID,
                                  "fixed-cidr-v6 and default-gateway-v6 are for a bridge with "
                                  "IPv6: say ipv6, too");
        pool = json_append(&config->pools, &net_pool_table);
        if (bridge->fixed_cidr6) {
                int r = read_cidr("fixed-cidr-v6", bridge->fixed_cidr6, AF_INET6, &subnet, err);

                if (r < 0)
                        return r;
                subnet_format(subnet, text);
                pool->subnet = str_copy(text);
        }
        return bridge->gateway6
                       ? add_gateway("default-gateway-v6", bridge->gateway6, AF_INET6, pool, err)
                       : 0;
}

/* ---- comparing ---- */

static bool is_ipv6(const NetPool *pool) {
        const char *text = pool->subnet;

        if (str_empty(text) && pool->auxiliary.count > 0)
                text = pool->auxiliary.items[0].value;
        return (text ?: pool->range) && strchr(text ?: pool->range, ':');
}

static NetPool *find_pool(const JsonArray *pools, bool ipv6) {
        NetPool *items = pools->items;

        for (size_t i = 0; i < pools->count; i++)
                if (is_ipv6(&items[i]) == ipv6)
                        return &items[i];
        return NULL;
}

/* What is not wanted in particular may be whatever was chosen before. */
static bool pool_is_as_wanted(const NetPool *has, const JsonArray *all_wanted) {
        const NetPool none = { 0 }, *wanted = find_pool(all_wanted, is_ipv6(has)) ?: &none;

        return (str_empty(wanted->subnet) || str_equal(wanted->subnet, has->subnet)) &&
               (str_empty(wanted->gateway) || str_equal(wanted->gateway, has->gateway)) &&
               str_equal(wanted->range ?: "", has->range ?: "") &&
               pairs_equal(&wanted->auxiliary, &has->auxiliary);
}

bool default_bridge_is(const NetworkConfig *wanted, const NetworkConfig *has) {
        const NetPool *pools = has->pools.items;

        if (!pairs_equal(&wanted->options, &has->options) || wanted->ipv6 != has->ipv6)
                return false;
        for (size_t i = 0; i < has->pools.count; i++)
                if (!pool_is_as_wanted(&pools[i], &wanted->pools))
                        return false;
        return true;
}

static bool has_range(const NetPool *pool, const NetPool *wanted) {
        Subnet subnet, range;

        return str_empty(wanted->range) ||
               (cidr_parse(pool->subnet, &subnet) == 0 && cidr_parse(wanted->range, &range) == 0 &&
                subnet_has(subnet, range.address));
}

/* Takes the subnets of the one before where the options leave them open. */
static void keep_subnets(NetworkConfig *config, const NetworkConfig *old) {
        const NetPool *pools = old->pools.items;

        if (!str_equal(pairs_get(&config->options, BRIDGE_NAME), old->bridge))
                return;
        for (size_t i = 0; i < old->pools.count; i++) {
                NetPool *pool = find_pool(&config->pools, is_ipv6(&pools[i]));

                if (pool && (!str_empty(pool->subnet) || !has_range(&pools[i], pool)))
                        continue;
                if (!pool)
                        pool = json_append(&config->pools, &net_pool_table);
                pool->subnet = str_copy(pools[i].subnet);
                pool->gateway = str_copy(pools[i].gateway);
        }
}

int default_bridge_config(const EngineOptions *options, const NetworkConfig *old,
                          NetworkConfig *ret, Error *err) {
        NetworkConfig config = { .name = str_copy("bridge"), .driver = str_copy("bridge") };

        put_settings(options, &config.options);
        int r = add_ipv4(&options->bridge, &config, err);
        if (r == 0)
                r = add_ipv6(&options->bridge, &config, err);
        if (r < 0) {
                json_done(&net_config_table, &config);
                return r;
        }
        if (old)
                keep_subnets(&config, old);
        *ret = config;
        return 0;
}
