/* network-test.c: what networks and endpoints are given, and what is refused, in a network
 * namespace of this process's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/test-limits.h"
#include "net/net-world.h"

static const NetPool *pool_of(const NetworkConfig *config) {
        return config->pools.items;
}

TEST(automatic_subnets) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig one = config_of(NULL, NULL, NULL),
                                       two = config_of(NULL, NULL, NULL),
                                       three = config_of("172.18.0.0/24", NULL, NULL);
        _cleanup_free_ char *name = str_format("br-%.12s", one.id);
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &one, &err), &err);
        ASSERT_STR(pool_of(&one)->subnet, "172.17.0.0/16");
        ASSERT_STR(pool_of(&one)->gateway, "172.17.0.1");
        ASSERT_STR(one.bridge, name);
        ASSERT(!one.adopted);
        ASSERT(rtnl_index(world.rtnl, name) > 0);
        ASSERT_OK(network_create(world.net, &two, &err), &err);
        ASSERT_STR(pool_of(&two)->subnet, "172.18.0.0/16");
        ASSERT(network_create(world.net, &three, &err) < 0);
        ASSERT_STR(err.message, "Pool overlaps with other one on this address space");
        ASSERT_INT(err.kind, ERROR_FORBIDDEN);
}

/* The host reaches 172.17.0.0/16 otherwise, so it is not given away. */
TEST(host_routes_are_kept_clear) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of(NULL, NULL, NULL);
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        rtnl_put_bridge(world.rtnl, "uplink0", NULL, 0);
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
        rtnl_put_address(world.rtnl, (unsigned)rtnl_index(world.rtnl, "uplink0"), ip("172.17.3.4"),
                         24);
        rtnl_put_up(world.rtnl, (unsigned)rtnl_index(world.rtnl, "uplink0"));
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_STR(pool_of(&config)->subnet, "172.18.0.0/16");
        rtnl_put_delete(world.rtnl, "uplink0");
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
}

TEST(adopted_bridge) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config =
                config_of(NULL, "com.docker.network.bridge.name", "theirs0");
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        rtnl_put_bridge(world.rtnl, "theirs0", NULL, 0);
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
        rtnl_put_address(world.rtnl, (unsigned)rtnl_index(world.rtnl, "theirs0"), ip("10.9.0.7"),
                         24);
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT(config.adopted);
        ASSERT_STR(pool_of(&config)->subnet, "10.9.0.0/24");
        ASSERT_STR(pool_of(&config)->gateway, "10.9.0.7");
        ASSERT_OK(network_remove(world.net, &config, &err), &err);
        ASSERT(rtnl_index(world.rtnl, "theirs0") > 0);
        rtnl_put_delete(world.rtnl, "theirs0");
        ASSERT_OK(rtnl_commit(world.rtnl, &err), &err);
}

#define BRIDGE "com.docker.network.bridge."
TEST(refused_networks) {
        static const struct {
                const char *subnet, *option, *value, *message;
                ErrorKind kind;
        } rows[] = {
                { "1.2.3.4/16", NULL, NULL, "invalid subnet 1.2.3.4/16: it should be 1.2.0.0/16",
                  ERROR_INVALID },
                { NULL, BRIDGE "enable_icc", "maybe",
                  "failed to parse " BRIDGE "enable_icc value: maybe (must be true or false)",
                  ERROR_INVALID },
                { NULL, BRIDGE "name", "longer-than-a-link",
                  "invalid " BRIDGE "name 'longer-than-a-link': a link's name has 1 to 15 visible "
                  "characters, none of them '/', ':' or '%'",
                  ERROR_INVALID },
                { NULL, BRIDGE "name", "lo",
                  "link 'lo' exists and is not a bridge: choose another name with --opt " BRIDGE
                  "name=…",
                  ERROR_FORBIDDEN },
                { NULL, BRIDGE "gateway_mode_ipv4", "x",
                  "failed to parse " BRIDGE "gateway_mode_ipv4 value: x (must be nat, "
                  "nat-unprotected, routed or isolated)",
                  ERROR_INVALID },
                { NULL, BRIDGE "gateway_mode_ipv6", "isolated",
                  "gateway mode 'isolated' can only be used for an internal network: create it "
                  "with --internal",
                  ERROR_INVALID },
                { NULL, "com.docker.network.host_ipv4", "fd00::1",
                  "failed to parse com.docker.network.host_ipv4 value: fd00::1 (invalid IPv4 "
                  "address)",
                  ERROR_INVALID },
                { NULL, BRIDGE "trusted_host_interfaces", "eth1:eth1",
                  "invalid " BRIDGE "trusted_host_interfaces 'eth1:eth1': it names eth1 twice",
                  ERROR_INVALID },
                { NULL, "com.docker.network.driver.mtu", "x",
                  "failed to parse com.docker.network.driver.mtu value: x (must be 0, or from 68 "
                  "to 65535)",
                  ERROR_INVALID },
        };
        _cleanup_world_ World world = { 0 };
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_config_ NetworkConfig config =
                        config_of(rows[i].subnet, rows[i].option, rows[i].value);

                ASSERT(network_create(world.net, &config, &err) < 0);
                ASSERT_STR(err.message, rows[i].message);
                ASSERT_INT(err.kind, rows[i].kind);
        }
}

TEST(pools_with_everything) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of(NULL);
        NetPool *pool = config.pools.items;
        Error err = { 0 };

        pool->range = str_copy("172.28.5.0/24");
        pool->gateway = str_copy("172.28.5.254");
        pairs_put(&pool->auxiliary, "router", "172.28.5.0");
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(endpoint_reserve(world.net, &config, &endpoint, &err), &err);
        ASSERT_STR(endpoint.address, "172.28.5.1/16");
        ASSERT_STR(endpoint.gateway, "172.28.5.254");
        ASSERT_STR(endpoint.mac, "02:42:ac:1c:05:01");
        ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
        ASSERT_OK(network_remove(world.net, &config, &err), &err);
}

TEST(wanted_addresses) {
        static const struct {
                const char *wanted, *message;
        } rows[] = {
                { "172.28.0.1", "Address already in use" },
                { "1.2.3.4", "Invalid address 1.2.3.4: It does not belong to any of this "
                             "network's subnets" },
                { "x", "invalid IPv4 address: x" },
        };
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_endpoint_ Endpoint endpoint = endpoint_of(NULL);

                endpoint.wanted_address = str_copy(rows[i].wanted);
                ASSERT(endpoint_reserve(world.net, &config, &endpoint, &err) < 0);
                ASSERT_STR(err.message, rows[i].message);
        }
}

static int bind_host_port(int port) {
        struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
                close_fd(&fd);
        return fd;
}

static int reserve(World *world, const NetworkConfig *config, Endpoint *endpoint, Error *err) {
        return endpoint_reserve(world->net, config, endpoint, err);
}

TEST(ports_are_held) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint web = endpoint_of("8080:80"), twin = endpoint_of("8080:80"),
                                    range = endpoint_of("8080-8082:80"), any = endpoint_of("80"),
                                    other = endpoint_of("127.0.0.1:8080:80"),
                                    foreign = endpoint_of("9090:80");
        _cleanup_close_ int fd = bind_host_port(9090);
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(reserve(&world, &config, &web, &err), &err);
        ASSERT_INT(bind_host_port(8080), -1);
        ASSERT(reserve(&world, &config, &twin, &err) < 0);
        ASSERT_STR(err.message, "Bind for 0.0.0.0:8080 failed: port is already allocated");
        ASSERT(reserve(&world, &config, &other, &err) < 0);
        ASSERT_STR(err.message, "Bind for 127.0.0.1:8080 failed: port is already allocated");
        ASSERT(reserve(&world, &config, &foreign, &err) < 0);
        ASSERT_STR(err.message,
                   "failed to bind host port for 0.0.0.0:9090/tcp: address already in use");
        ASSERT_OK(reserve(&world, &config, &range, &err), &err);
        ASSERT_INT(((NetPort *)range.ports.items)->host_port, 8081);
        ASSERT_OK(reserve(&world, &config, &any, &err), &err);
        ASSERT(((NetPort *)any.ports.items)->host_port > 1023);
        ASSERT_STR(((NetPort *)any.ports.items)->host_ip, "0.0.0.0");
        /* What was refused holds nothing. */
        ASSERT_STR(any.address, "172.28.0.4/16");
        ASSERT_OK(endpoint_leave(world.net, &config, &web, &err), &err);
        close_fd(&fd);
        fd = bind_host_port(8080);
        ASSERT(fd >= 0);
}

TEST(inside) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config =
                config_of("172.28.0.0/16", "com.docker.network.container_iface_prefix", "lan");
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of(NULL);
        _cleanup_(rtnl_closep) Rtnl *inner = NULL;
        _cleanup_close_ int netns = -1;
        Error err = { 0 };
        int home = -1;

        pairs_put(&config.options, "com.docker.network.driver.mtu", "1400");
        endpoint.wanted_mac = str_copy("02:00:00:AA:bb:cc");
        endpoint.default_gateway = true;
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(reserve(&world, &config, &endpoint, &err), &err);
        ASSERT_OK(endpoint_join(world.net, &config, &endpoint, netns, &err), &err);
        ASSERT_STR(endpoint.inner_link, "lan0");
        ASSERT_STR(endpoint.mac, "02:00:00:aa:bb:cc");
        ASSERT_OK(netns_enter(netns, &home, &err), &err);
        ASSERT_OK(rtnl_open(&inner, &err), &err);
        netns_return(&home);
        ASSERT(rtnl_index(inner, "lan0") > 0);
        ASSERT_OK(netns_sysctl(netns, "net.ipv4.conf.lan0.forwarding", "1", &err), &err);
        ASSERT(netns_sysctl(netns, "kernel.hostname", "x", &err) < 0);
        ASSERT(netns_sysctl(netns, "net/../kernel/hostname", "x", &err) < 0);
        ASSERT(netns_sysctl(netns, "net...kernel.hostname", "x", &err) < 0);
        ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
        reaper_wait(world.net->reaper, NULL);
        ASSERT(rtnl_index(inner, "lan0") < 0);
}

typedef struct Count {
        unsigned link;
        int found;
} Count;

static void count_address6(void *data, const RtnlAddress *address) {
        Count *count = data;

        count->found += address->link == count->link && address->address.family == AF_INET6;
}

/* How many IPv6 addresses the host's link has, or -1. */
static int addresses6(const char *link) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Count count = { 0 };

        if (rtnl_open(&rtnl, NULL) < 0 || rtnl_exists(rtnl, link, NULL) != 1 ||
            rtnl_exists(rtnl, "none0", NULL) != 0)
                return -1;
        count.link = (unsigned)rtnl_index(rtnl, link);
        return rtnl_each_address(rtnl, count_address6, &count, NULL) < 0 ? -1 : count.found;
}

/* What the namespace has for links to come stays as it is, and a link is as its endpoint needs it.
 */
TEST(ipv6_inside) {
        static const struct {
                bool ipv6;
                const char *preset;
        } cases[] = { { false, "0" }, { false, "1" }, { true, "0" }, { true, "1" } };
        _cleanup_world_ World world = { 0 };
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
                _cleanup_endpoint_ Endpoint endpoint = endpoint_of(NULL);
                _cleanup_close_ int netns = -1;
                int home = -1;
                char after, link, announces, announces6, advertised;

                config.ipv6 = cases[i].ipv6;
                ASSERT_OK(network_create(world.net, &config, &err), &err);
                ASSERT_OK(netns_new(&netns, &err), &err);
                ASSERT_OK(netns_sysctl(netns, "net.ipv6.conf.default.disable_ipv6", cases[i].preset,
                                       &err),
                          &err);
                ASSERT_OK(reserve(&world, &config, &endpoint, &err), &err);
                ASSERT_OK(endpoint_join(world.net, &config, &endpoint, netns, &err), &err);
                ASSERT_OK(netns_enter(netns, &home, &err), &err);
                after = sysctl_read("ipv6/conf/default/disable_ipv6");
                link = sysctl_read("ipv6/conf/eth0/disable_ipv6");
                announces = sysctl_read("ipv4/conf/eth0/arp_notify");
                announces6 = sysctl_read("ipv6/conf/eth0/ndisc_notify");
                advertised = sysctl_read("ipv6/conf/eth0/accept_ra");
                netns_return(&home);
                ASSERT_INT(after, *cases[i].preset);
                ASSERT_INT(link, cases[i].ipv6 ? '0' : '1');
                ASSERT_INT(announces, '1');
                ASSERT_INT(announces6, cases[i].ipv6 ? '1' : '0');
                ASSERT_INT(advertised, '0');
                ASSERT_INT(addresses6(endpoint.host_link), 0);
                ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
                ASSERT_OK(network_remove(world.net, &config, &err), &err);
        }
}

/* ---- many at once ---- */

#define WORKERS 8
#define ROUNDS 5

typedef struct Worker {
        World *world;
        const NetworkConfig *config;
        pthread_t thread;
        int result;
        Error err;
} Worker;

static int come_and_go(Worker *worker) {
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of("80");
        _cleanup_close_ int netns = -1;
        char *upstream[] = { NULL };
        Net *net = worker->world->net;
        int r = netns_new(&netns, &worker->err);

        if (r == 0)
                r = endpoint_reserve(net, worker->config, &endpoint, &worker->err);
        if (r == 0)
                r = endpoint_join(net, worker->config, &endpoint, netns, &worker->err);
        if (r == 0)
                r = resolver_attach(net, endpoint.container_id, netns, upstream, false,
                                    &worker->err);
        resolver_detach(net, endpoint.container_id);
        return r < 0 ? r : endpoint_leave(net, worker->config, &endpoint, &worker->err);
}

static void *work(void *data) {
        Worker *worker = data;

        for (int i = 0; i < ROUNDS && worker->result == 0; i++)
                worker->result = come_and_go(worker);
        return NULL;
}

static void count_links(void *data, const RtnlLink *link) {
        *(int *)data += str_equal(link->kind, "veth");
}

TEST(many_at_once) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        Worker workers[WORKERS] = { 0 };
        Error err = { 0 };
        int links = 0;

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        for (size_t i = 0; i < WORKERS; i++) {
                workers[i] = (Worker){ .world = &world, .config = &config };
                (void)pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (size_t i = 0; i < WORKERS; i++)
                (void)pthread_join(workers[i].thread, NULL);
        for (size_t i = 0; i < WORKERS; i++)
                ASSERT_OK(workers[i].result, &workers[i].err);
        reaper_wait(world.net->reaper, NULL);
        ASSERT_OK(rtnl_each_link(world.rtnl, count_links, &links, &err), &err);
        ASSERT_INT(links, 0);
        ASSERT_OK(network_remove(world.net, &config, &err), &err);
}

static void count_ipv4(void *data, const RtnlAddress *address) {
        *(int *)data += address->address.family == AF_INET;
}

/* The gateway is then a router that is on the bridge otherwise. */
TEST(a_bridge_without_an_ipv4_address) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config =
                config_of("172.28.0.0/16", BRIDGE "inhibit_ipv4", "true");
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of(NULL);
        Error err = { 0 };
        int before = 0, after = 0;

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(rtnl_each_address(world.rtnl, count_ipv4, &before, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(rtnl_each_address(world.rtnl, count_ipv4, &after, &err), &err);
        ASSERT_INT(after, before);
        ASSERT_OK(endpoint_reserve(world.net, &config, &endpoint, &err), &err);
        ASSERT_STR(endpoint.gateway, "172.28.0.1");
}

/* A routed network's ports are at its containers' own addresses: none of the host's is taken, and
 * the same one is open once. */
TEST(routed_ports) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config =
                config_of("172.28.0.0/16", BRIDGE "gateway_mode_ipv4", "routed");
        _cleanup_endpoint_ Endpoint one = endpoint_of("8090:80"), two = endpoint_of("8090:80");
        const NetPort *ports;
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(port_spec_parse("8091:80", &one.ports, &err), &err);
        ASSERT_OK(endpoint_reserve(world.net, &config, &one, &err), &err);
        ports = one.ports.items;
        ASSERT_INT(one.ports.count, 1);
        ASSERT(ports[0].open);
        ASSERT_INT(ports[0].host_port, 0);
        ASSERT_OK(endpoint_reserve(world.net, &config, &two, &err), &err);
}

/* What is wrong with a pool that its subnet is not, in the words of dockerd 25. */
TEST(refused_pools) {
        static const struct {
                const char *range, *gateway, *auxiliary, *message;
        } rows[] = {
                { "x", NULL, NULL, "invalid ip-range x: invalid CIDR block notation" },
                { "fd00::/64", NULL, NULL,
                  "invalid ip-range fd00::/64: parent subnet is an IPv4 block" },
                { "10.9.0.1/25", NULL, NULL,
                  "invalid ip-range 10.9.0.1/25: it should be 10.9.0.0/25" },
                { "10.0.0.0/8", NULL, NULL,
                  "invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet "
                  "10.9.0.0/24" },
                { "10.8.0.0/25", NULL, NULL,
                  "invalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 doesn't contain "
                  "ip-range" },
                { NULL, "10.9.0.300", NULL, "invalid gateway 10.9.0.300: invalid address" },
                { NULL, "10.8.0.1", NULL,
                  "invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this "
                  "address" },
                { NULL, NULL, "10.8.0.1",
                  "invalid auxiliary address a: parent subnet 10.9.0.0/24 doesn't contain this "
                  "address" },
        };
        _cleanup_world_ World world = { 0 };
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_config_ NetworkConfig config = config_of("10.9.0.0/24", NULL, NULL);
                NetPool *pool = config.pools.items;

                str_replace(&pool->range, rows[i].range);
                str_replace(&pool->gateway, rows[i].gateway);
                if (rows[i].auxiliary)
                        pairs_put(&pool->auxiliary, "a", rows[i].auxiliary);
                ASSERT(network_create(world.net, &config, &err) < 0);
                ASSERT_STR(err.message, rows[i].message);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

/* ---- IPv6 ---- */

static int reserve_port(World *world, const NetworkConfig *config, Endpoint *endpoint,
                        const char *port, Error *err) {
        char id[ID_LENGTH + 1];
        int r;

        id_new(id);
        *endpoint = (Endpoint){ .container_id = str_copy(id), .container_name = str_copy("c") };
        r = port ? port_spec_parse(port, &endpoint->ports, err) : 0;
        return r < 0 ? r : endpoint_reserve(world->net, config, endpoint, err);
}

TEST(both_families) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("10.9.0.0/24", NULL, NULL);
        _cleanup_endpoint_ Endpoint first = { 0 }, second = { 0 };
        const NetPool *pools;
        const NetPort *ports;
        Error err = { 0 };

        config.ipv6 = true;
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        pools = config.pools.items;
        ASSERT_INT(config.pools.count, 2);
        ASSERT(str_after(pools[1].subnet, "fd"));
        ASSERT(str_ends(pools[1].subnet, "::/64"));
        ASSERT(str_ends(pools[1].gateway, "::1"));
        ASSERT_OK(reserve_port(&world, &config, &first, "80", &err), &err);
        ASSERT_STR(first.address, "10.9.0.2/24");
        ASSERT(str_ends(first.address6, "::2/64"));
        ASSERT_STR(first.gateway6, pools[1].gateway);
        ports = first.ports.items;
        ASSERT_INT(first.ports.count, 2); /* one port of both families */
        ASSERT_STR(ports[0].host_ip, "0.0.0.0");
        ASSERT_STR(ports[1].host_ip, "::");
        ASSERT(ports[0].host_port > 0);
        ASSERT_INT(ports[0].host_port, ports[1].host_port);
        ASSERT_OK(endpoint_leave(world.net, &config, &first, &err), &err);
        ASSERT_OK(reserve_port(&world, &config, &second, "[::1]:8090:80", &err), &err);
        ASSERT_INT(second.ports.count, 1);
        ASSERT_OK(endpoint_leave(world.net, &config, &second, &err), &err);
}

/* A port that is free in one family alone is none for both: a range goes on to the next. */
TEST(twins_share_a_number) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("10.9.0.0/24", NULL, NULL);
        _cleanup_endpoint_ Endpoint one = { 0 }, both = { 0 }, fixed = { 0 };
        const NetPort *ports;
        Error err = { 0 };

        config.ipv6 = true;
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(reserve_port(&world, &config, &one, "[::]:8090:80", &err), &err);
        ASSERT_OK(reserve_port(&world, &config, &both, "8090-8092:80", &err), &err);
        ports = both.ports.items;
        ASSERT_INT(ports[0].host_port, 8091);
        ASSERT_INT(ports[1].host_port, 8091);
        ASSERT(reserve_port(&world, &config, &fixed, "8090:80", &err) < 0);
        ASSERT_STR(err.message, "Bind for [::]:8090 failed: port is already allocated");
        ASSERT_OK(endpoint_leave(world.net, &config, &one, &err), &err);
        json_done(&net_endpoint_table, &fixed);
        /* what the refused one held of 0.0.0.0 is free again */
        ASSERT_OK(reserve_port(&world, &config, &fixed, "8090:80", &err), &err);
}

TEST(ipv6_alone) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("fd00:9::/64", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = { 0 }, refused = { 0 };
        Error err = { 0 };

        config.ipv6 = config.no_ipv4 = true;
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_INT(config.pools.count, 1);
        ASSERT_OK(reserve_port(&world, &config, &endpoint, "8090:80", &err), &err);
        ASSERT_STR(endpoint.address, NULL);
        ASSERT_STR(endpoint.address6, "fd00:9::2/64");
        ASSERT_STR(endpoint.mac, "02:42:00:00:00:02");
        ASSERT_INT(endpoint.ports.count, 1);
        ASSERT(reserve_port(&world, &config, &refused, "0.0.0.0:8091:80", &err) < 0);
        ASSERT(strstr(err.message, "gives its containers no IPv4 address to forward to"));
        config.ipv6 = false;
        ASSERT(network_create(world.net, &config, &err) < 0);
}

/* As in Docker, a subnet of a family that the network is not to have is none. */
TEST(subnets_of_the_wrong_family) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("fd00:9::/64", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = { 0 }, refused = { 0 };
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_INT(config.pools.count, 1);
        ASSERT_STR(((const NetPool *)config.pools.items)->subnet, "172.17.0.0/16");
        ASSERT_OK(reserve_port(&world, &config, &endpoint, "8090:80", &err), &err);
        ASSERT_STR(endpoint.address6, NULL);
        ASSERT(reserve_port(&world, &config, &refused, "[::]:8091:80", &err) < 0);
        ASSERT(strstr(err.message, "create it with --ipv6"));
        json_done(&net_endpoint_table, &refused);
        refused = (Endpoint){ .container_id = str_copy("x"),
                              .wanted_address6 = str_copy("fd00:9::5") };
        ASSERT(endpoint_reserve(world.net, &config, &refused, &err) < 0);
        ASSERT(strstr(err.message, "does not belong to any of this network's subnets"));
}

/* ---- what a restart finds ---- */

static int restart(World *world, const NetworkConfig *config, const Endpoint *endpoint, int netns,
                   Error *err) {
        int r;

        world->net = net_free(world->net);
        r = net_new(world->loop, &world->net, err);
        return r < 0 ? r : net_reconcile(world->net, config, 1, endpoint, &netns, 1, err);
}

static int bind_tcp(uint16_t port) {
        struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -1 : fd;
}

/* Another program took the port while no daemon was there, and gave it back: it is published still,
 * and so nobody else's. */
TEST(a_port_that_was_taken_stays_the_endpoints) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint one = endpoint_of("18080:80"), two = endpoint_of("18080:80");
        _cleanup_close_ int netns = -1, foreign = -1;
        Error err = { 0 };

        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        str_replace(&one.network_id, config.id);
        ASSERT_OK(endpoint_reserve(world.net, &config, &one, &err), &err);
        ASSERT_OK(endpoint_join(world.net, &config, &one, netns, &err), &err);
        world.net = net_free(world.net);
        foreign = bind_tcp(18080);
        ASSERT(foreign >= 0);
        ASSERT_OK(restart(&world, &config, &one, netns, &err), &err);
        close_fd(&foreign);
        ASSERT(endpoint_reserve(world.net, &config, &two, &err) < 0);
        ASSERT_STR(err.message, "Bind for 0.0.0.0:18080 failed: port is already allocated");
        ASSERT_OK(endpoint_leave(world.net, &config, &one, &err), &err);
        ASSERT_OK(endpoint_reserve(world.net, &config, &two, &err), &err);
        ASSERT_OK(endpoint_leave(world.net, &config, &two, &err), &err);
}

/* A restart holds the ports again before net_reconcile returns, and a record without an address
 * gets one. */
TEST(ports_and_addresses_after_a_restart) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of("18081:80");
        _cleanup_close_ int netns = -1;
        Error err = { 0 };

        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        str_replace(&endpoint.network_id, config.id);
        str_replace(&endpoint.mac, NULL);
        ASSERT_OK(restart(&world, &config, &endpoint, netns, &err), &err);
        ASSERT_INT(bind_tcp(18081), -1);
        ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
}

TEST(ports_leave_descriptors_for_the_rest) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint many = endpoint_of("10000-10399:10000-10399");
        _cleanup_endpoint_ Endpoint few = endpoint_of("10000-10049:10000-10049");
        struct rlimit limit, low;
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        low = (struct rlimit){ 400, limit.rlim_max };
        ASSERT(setrlimit(RLIMIT_NOFILE, &low) == 0);
        int r = endpoint_reserve(world.net, &config, &many, &err);
        int second = endpoint_reserve(world.net, &config, &few, NULL);
        ASSERT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        ASSERT_INT(r, -EMFILE);
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
        ASSERT(str_after(err.message, "failed to bind host port for 0.0.0.0:10350: 350 ports"));
        ASSERT_INT(second, 0);
        ASSERT_OK(endpoint_leave(world.net, &config, &few, &err), &err);
}

TEST(wrong_host_port) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of("1:80");
        Error err = { 0 };

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ((NetPort *)endpoint.ports.items)->host_port = 65536 + 22;
        ASSERT(endpoint_reserve(world.net, &config, &endpoint, &err) < 0);
        ASSERT_STR(err.message, "invalid host port 65558");
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST_MAIN()
