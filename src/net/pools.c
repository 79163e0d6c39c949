/* pools.c: which subnets a new network gets: what the user asked for, or one of Docker's defaults
 * that collides with nothing the host can reach. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "format/resolvconf.h"
#include "net/state.h"
#include "os/rtnetlink.h"

typedef struct SubnetList {
        Subnet *items;
        size_t count;
} SubnetList;

static void add_subnet(SubnetList *list, Subnet subnet) {
        GROW(list->items, list->count);
        list->items[list->count++] = subnet;
}

static void add_route(void *data, const RtnlRoute *route) {
        /* The default route overlaps everything and means nothing. */
        if (route->destination.prefix > 0)
                add_subnet(data, route->destination);
}

/* The host's nameservers must stay reachable, though only the default route leads to them. */
static void add_nameservers(SubnetList *list) {
        _cleanup_(resolv_done) ResolvConf conf = { 0 };
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (file_read_at(AT_FDCWD, "/etc/resolv.conf", 1 << 20, &text, &length, NULL) < 0)
                return; /* no such file: no nameserver to keep clear of */
        resolv_parse(text, &conf);
        for (char **server = conf.servers; server && *server; server++) {
                IpAddress address;

                if (ip_parse(*server, &address) == 0)
                        add_subnet(list, (Subnet){ address, ip_width(address.family) });
        }
}

static void add_networks(SubnetList *list, const Net *net) {
        const char *id;
        Network *network;

        MAP_EACH(&net->networks, id, network)
                for (size_t i = 0; i < network->pool_count; i++)
                        add_subnet(list, pool_subnet(network->pools[i]));
}

static int choose(const Net *net, const SubnetList *taken, int family, NetPool *pool, Error *err) {
        SubnetList all = { 0 };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        char text[IP_TEXT_MAX];
        Subnet subnet = { 0 };
        int r;

        for (size_t i = 0; i < taken->count; i++)
                add_subnet(&all, taken->items[i]);
        add_nameservers(&all);
        r = rtnl_open(&rtnl, err);
        if (r == 0)
                r = rtnl_each_route(rtnl, add_route, &all, err);
        if (r == 0)
                r = subnet_choose(family, net->sources, net->source_count, all.items, all.count,
                                  &subnet, err);
        free(all.items);
        if (r < 0)
                return r;
        subnet_format(subnet, text);
        str_replace(&pool->subnet, text);
        return 0;
}

/* The default bridge alone has a range (fixed-cidr) that may be all there is of its subnet. */
static int range_without_subnet(const NetworkConfig *config, NetPool *pool, Error *err) {
        if (!str_equal(pairs_get(&config->options, "com.docker.network.bridge.default_bridge"),
                       "true"))
                return error_kind(err, ERROR_INVALID,
                                  "invalid ip-range %s: it is a part of a subnet, and none is "
                                  "given: say which",
                                  pool->range);
        str_replace(&pool->subnet, pool->range);
        return 0;
}

static int fill_one(const Net *net, SubnetList *taken, const NetworkConfig *config, NetPool *pool,
                    Error *err) {
        Subnet subnet = { 0 };
        int r = 0;

        if (str_empty(pool->subnet) && !str_empty(pool->range))
                r = range_without_subnet(config, pool, err);
        else if (str_empty(pool->subnet))
                r = choose(net, taken, pool_family(pool), pool, err);
        if (r == 0)
                r = subnet_parse(pool->subnet, &subnet, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < taken->count; i++)
                if (subnets_overlap(subnet, taken->items[i]))
                        return error_kind(err, ERROR_FORBIDDEN,
                                          "Pool overlaps with other one on this address space");
        add_subnet(taken, subnet);
        return 0;
}

int pool_family(const NetPool *pool) {
        const char *text = !str_empty(pool->subnet) ? pool->subnet : pool->gateway ?: pool->range;

        if (!text && pool->auxiliary.count > 0)
                text = pool->auxiliary.items[0].value;
        return text && strchr(text, ':') ? AF_INET6 : AF_INET;
}

/* Docker's way: a subnet of a family that the network does not have is nothing to it. */
static void drop_family(NetworkConfig *config, int family) {
        NetPool *pools = config->pools.items;
        size_t kept = 0;

        for (size_t i = 0; i < config->pools.count; i++) {
                if (pool_family(&pools[i]) == family)
                        json_done(&net_pool_table, &pools[i]);
                else
                        pools[kept++] = pools[i];
        }
        config->pools.count = kept;
}

static bool has_pool(const NetworkConfig *config, int family) {
        const NetPool *pools = config->pools.items;

        for (size_t i = 0; i < config->pools.count; i++)
                if (pool_family(&pools[i]) == family)
                        return true;
        return false;
}

/* One pool of each family that the network has, at least. */
static int add_pools(const Net *net, const SubnetList *taken, NetworkConfig *config, Error *err) {
        const bool wanted[NET_FAMILIES] = { !config->no_ipv4, config->ipv6 };

        for (size_t i = 0; i < NET_FAMILIES; i++) {
                int r;

                if (!wanted[i])
                        drop_family(config, net_families[i]);
                if (!wanted[i] || has_pool(config, net_families[i]))
                        continue;
                r = choose(net, taken, net_families[i],
                           json_append(&config->pools, &net_pool_table), err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- sources ---- */

static int read_source(const NetPoolSource *from, SubnetSource *ret, Error *err) {
        int r = cidr_parse(from->base, &ret->base); /* host bits are passed over, as in Docker */

        if (r < 0 && r != -ERANGE)
                return error_kind(err, ERROR_INVALID,
                                  "invalid default address pool: base '%s' is no CIDR like "
                                  "10.10.0.0/16",
                                  from->base);
        if (from->size < ret->base.prefix || from->size > ip_width(ret->base.address.family))
                return error_kind(err, ERROR_INVALID,
                                  "invalid default address pool: subnets of size %lld out of %s: "
                                  "give a size from %u to %u",
                                  (long long)from->size, from->base, ret->base.prefix,
                                  ip_width(ret->base.address.family));
        ret->prefix = (unsigned)from->size;
        return 0;
}

int net_set_pools(Net *net, const NetPoolSource *sources, size_t count, Error *err) {
        SubnetSource *read = NEW_ARRAY(SubnetSource, count);

        for (size_t i = 0; i < count; i++) {
                int r = read_source(&sources[i], &read[i], err);

                if (r < 0) {
                        free(read);
                        return r;
                }
        }
        net_lock(net);
        free(net->sources);
        net->sources = read;
        net->source_count = count;
        net_unlock(net);
        return 0;
}

/* ---- filling in ---- */

int pools_fill(const Net *net, NetworkConfig *config, Error *err) {
        SubnetList taken = { 0 };
        int r;

        if (config->no_ipv4 && !config->ipv6)
                return error_kind(err, ERROR_INVALID, "IPv4 or IPv6 must be enabled");
        add_networks(&taken, net);
        r = add_pools(net, &taken, config, err);
        for (size_t i = 0; r == 0 && i < config->pools.count; i++)
                r = fill_one(net, &taken, config, (NetPool *)config->pools.items + i, err);
        free(taken.items);
        return r;
}
