/* lan-test.c: a host on a LAN, with containers on that LAN by macvlan and ipvlan: who reaches whom
 * in each mode, all in network namespaces of this process's own. What the kernel lacks is passed
 * over. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/id.h"
#include "base/test.h"
#include "net/netns.h"
#include "net/state.h"
#include "os/rtnetlink.h"

#define WAIT_MS 150      /* for an answer that should not come */
#define PATIENCE_MS 2000 /* for one that should */
#define PORT 7000

/* ---- the stage ---- */

typedef struct Box {
        int netns, server;
        Endpoint endpoint;
} Box;

/* The host is 192.168.1.100 and fd00:a:1::100 on lan0, the LAN's router .50 and ::50; on its VLAN
 * 10 it is 192.168.10.50 and fd00:a:10::50, where the kernel has VLANs. */
typedef struct Stage {
        Loop *loop;
        Net *net;
        Rtnl *rtnl;
        Box host, lan, one, two;
        NetworkConfig network;
} Stage;

static IpAddress ip(const char *text) {
        IpAddress address;

        if (ip_parse(text, &address) < 0)
                abort();
        return address;
}

static int serve(Box *box) {
        _cleanup_netns_ int home = -1;
        struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
        int off = 0;

        if (netns_enter(box->netns, &home, NULL) < 0)
                return -1;
        box->server = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return setsockopt(box->server, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
                               bind(box->server, (struct sockaddr *)&any, sizeof(any)) < 0
                       ? -1
                       : listen(box->server, 16);
}

static int box_new(Box *box) {
        return netns_new(&box->netns, NULL) < 0 ? -1 : serve(box);
}

static void box_done(Box *box) {
        close_fd(&box->netns);
        close_fd(&box->server);
        json_done(&net_endpoint_table, &box->endpoint);
}

static Rtnl *rtnl_inside(const Box *box) {
        _cleanup_netns_ int home = -1;
        Rtnl *rtnl = NULL;

        if (netns_enter(box->netns, &home, NULL) < 0 || rtnl_open(&rtnl, NULL) < 0)
                return NULL;
        return rtnl;
}

static int make_lan(Stage *stage) {
        _cleanup_(rtnl_closep) Rtnl *inner = NULL;
        RtnlVeth veth = { .name = "lan0",
                          .peer = "eth0",
                          .peer_netns_fd = stage->lan.netns,
                          .peer_mac = { 2, 0, 0, 0, 0, 1 } };
        unsigned outer_index, index;

        rtnl_put_veth(stage->rtnl, &veth);
        inner = rtnl_inside(&stage->lan);
        if (rtnl_commit(stage->rtnl, NULL) < 0 || !inner)
                return -1;
        outer_index = (unsigned)rtnl_index(stage->rtnl, "lan0");
        rtnl_put_address(stage->rtnl, outer_index, ip("192.168.1.100"), 24);
        rtnl_put_address(stage->rtnl, outer_index, ip("fd00:a:1::100"), 64);
        rtnl_put_up(stage->rtnl, outer_index);
        rtnl_put_up(stage->rtnl, (unsigned)rtnl_index(stage->rtnl, "lo"));
        index = (unsigned)rtnl_index(inner, "eth0");
        rtnl_put_address(inner, index, ip("192.168.1.50"), 24);
        rtnl_put_address(inner, index, ip("fd00:a:1::50"), 64);
        rtnl_put_up(inner, index);
        if (rtnl_commit(inner, NULL) < 0 || rtnl_commit(stage->rtnl, NULL) < 0)
                return -1;
        rtnl_put_vlan(inner, "eth0.10", NULL, index, 10);
        if (rtnl_commit(inner, NULL) < 0)
                return 0; /* none here */
        index = (unsigned)rtnl_index(inner, "eth0.10");
        rtnl_put_address(inner, index, ip("192.168.10.50"), 24);
        rtnl_put_address(inner, index, ip("fd00:a:10::50"), 64);
        return rtnl_commit(inner, NULL);
}

static const Box no_box = { .netns = -1, .server = -1 };

static int stage_new(Stage *stage, Error *err) {
        int r;

        *stage = (Stage){ .host = no_box, .lan = no_box, .one = no_box, .two = no_box };
        r = rtnl_open(&stage->rtnl, err);
        if (r < 0)
                return r;
        stage->host.netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (serve(&stage->host) < 0 || box_new(&stage->lan) < 0 || make_lan(stage) < 0)
                return error_set(err, errno, "make the stage");
        r = loop_new(&stage->loop, err);
        return r < 0 ? r : net_new(stage->loop, &stage->net, err);
}

static void stage_done(Stage *stage) {
        Error err = { 0 };

        if (stage->net && net_destroy_all(stage->net, &err) < 0)
                printf("# %s\n", err.message);
        net_free(stage->net);
        loop_free(stage->loop);
        if (stage->rtnl) {
                rtnl_put_delete(stage->rtnl, "lan0");
                (void)rtnl_commit(stage->rtnl, NULL);
        }
        rtnl_close(stage->rtnl);
        box_done(&stage->host);
        box_done(&stage->lan);
        box_done(&stage->one);
        box_done(&stage->two);
        json_done(&net_config_table, &stage->network);
}
#define _cleanup_stage_ _cleanup_(stage_done)

static void free_config(NetworkConfig *config) {
        json_done(&net_config_table, config);
}
#define _cleanup_config_ _cleanup_(free_config)

static void add_pool(NetworkConfig *config, const char *subnet, const char *gateway,
                     const char *range) {
        NetPool *pool = json_append(&config->pools, &net_pool_table);

        pool->subnet = str_copy(subnet);
        pool->gateway = str_copy(gateway);
        pool->range = str_copy(range);
}

static NetworkConfig config_of(const char *driver, const char *parent, const char *option,
                               const char *value) {
        NetworkConfig config = { .driver = str_copy(driver), .name = str_copy("n"), .ipv6 = true };
        char id[ID_LENGTH + 1];

        id_new(id);
        config.id = str_copy(id);
        if (parent)
                pairs_put(&config.options, "parent", parent);
        if (option)
                pairs_put(&config.options, option, value);
        return config;
}

/* A network on the LAN itself, whose router is the LAN box. */
static NetworkConfig lan_config(const char *driver, const char *option, const char *value) {
        NetworkConfig config = config_of(driver, "lan0", option, value);

        add_pool(&config, "192.168.1.0/24", "192.168.1.50", "192.168.1.128/25");
        add_pool(&config, "fd00:a:1::/64", "fd00:a:1::50", NULL);
        return config;
}

static int join(Stage *stage, Box *box, const NetworkConfig *network, Error *err) {
        char id[ID_LENGTH + 1];
        int r;

        if (box->netns < 0 && box_new(box) < 0)
                return error_set(err, errno, "make a box");
        id_new(id);
        box->endpoint.network_id = str_copy(network->id);
        box->endpoint.container_id = str_copy(id);
        box->endpoint.container_name = str_copy("c");
        box->endpoint.default_gateway = box->endpoint.default_gateway6 = true;
        r = endpoint_reserve(stage->net, network, &box->endpoint, err);
        return r < 0 ? r : endpoint_join(stage->net, network, &box->endpoint, box->netns, err);
}

/* 1: the kernel has no such links. */
static int play(Stage *stage, NetworkConfig network, Error *err) {
        int r = stage_new(stage, err);

        stage->network = network;
        if (r == 0)
                r = network_create(stage->net, &stage->network, err);
        if (r < 0 && err->kind == ERROR_UNSUPPORTED) {
                printf("# not shown here: %s\n", err->message);
                return 1;
        }
        return r;
}

/* ---- probes ---- */

static bool reach(const Box *from, const char *address, const Box *server, int wait_ms) {
        _cleanup_netns_ int home = -1;
        _cleanup_close_ int client = -1, connection = -1;
        const IpAddress to = ip(address);
        struct sockaddr_storage name = { .ss_family = (sa_family_t)to.family };
        struct sockaddr_in *four = (struct sockaddr_in *)&name;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&name;
        struct pollfd item = { .fd = server->server, .events = POLLIN };

        four->sin_port = htons(PORT); /* at the same place in both */
        (void)ip_bytes(to, to.family == AF_INET ? (uint8_t *)&four->sin_addr
                                                : (uint8_t *)&six->sin6_addr);
        if (netns_enter(from->netns, &home, NULL) < 0)
                return false;
        client = socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(client, (struct sockaddr *)&name,
                      to.family == AF_INET ? sizeof(*four) : sizeof(*six));
        if (poll(&item, 1, wait_ms) != 1)
                return false;
        connection = accept4(server->server, NULL, NULL, SOCK_CLOEXEC);
        item = (struct pollfd){ .fd = client, .events = POLLOUT };
        return connection >= 0 && poll(&item, 1, wait_ms) == 1;
}

/* Both families alike. */
static bool reaches(const Box *from, const char *ipv4, const char *ipv6, const Box *server,
                    bool expected) {
        const int wait = expected ? PATIENCE_MS : WAIT_MS;
        _cleanup_free_ char *four = str_copy_n(ipv4, strcspn(ipv4, "/"));
        _cleanup_free_ char *six = str_copy_n(ipv6, strcspn(ipv6, "/"));
        bool first = reach(from, four, server, wait), second = reach(from, six, server, wait);

        if (first != expected || second != expected)
                printf("# to %s: %d, to %s: %d, expected: %d\n", four, first, six, second,
                       expected);
        return first == expected && second == expected;
}

static bool reaches_box(const Box *from, const Box *to, bool expected) {
        return reaches(from, to->endpoint.address, to->endpoint.address6, to, expected);
}

/* ---- modes ---- */

static void check_mode(const char *driver, const char *option, const char *mode, bool neighbours) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        int r = play(&stage, lan_config(driver, option, mode), &err);

        ASSERT_OK(r, &err);
        if (r > 0)
                return;
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_OK(join(&stage, &stage.two, &stage.network, &err), &err);
        ASSERT(str_after(stage.one.endpoint.address, "192.168.1.1"));
        ASSERT_STR(stage.one.endpoint.gateway, "192.168.1.50");
        ASSERT_STR(stage.one.endpoint.inner_link, "eth0");
        ASSERT_STR(stage.one.endpoint.host_link, NULL);
        ASSERT(reaches(&stage.one, "192.168.1.50", "fd00:a:1::50", &stage.lan, true));
        ASSERT(reaches_box(&stage.lan, &stage.two, true));
        ASSERT(reaches_box(&stage.one, &stage.two, neighbours));
        ASSERT(reaches_box(&stage.two, &stage.one, neighbours));
        /* The kernel keeps the host itself away from what is upon its link. */
        ASSERT(reaches(&stage.one, "192.168.1.100", "fd00:a:1::100", &stage.host, false));
        ASSERT(reaches_box(&stage.host, &stage.one, false));
}

TEST(macvlan_bridge) {
        check_mode("macvlan", NULL, NULL, true);
}

TEST(macvlan_private) {
        check_mode("macvlan", "macvlan_mode", "private", false);
}

/* What two say to each other goes out to the switch, which here sends nothing back. */
TEST(macvlan_vepa) {
        check_mode("macvlan", "macvlan_mode", "vepa", false);
}

TEST(ipvlan_l2) {
        check_mode("ipvlan", NULL, NULL, true);
}

TEST(ipvlan_l2_private) {
        check_mode("ipvlan", "ipvlan_flag", "private", false);
}

TEST(ipvlan_l2_vepa) {
        check_mode("ipvlan", "ipvlan_flag", "vepa", false);
}

/* In passthru a container has its parent for itself, with its hardware address or another. */
TEST(macvlan_passthru) {
        _cleanup_stage_ Stage stage = { 0 };
        uint8_t mac[MAC_LENGTH];
        char text[24];
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", "macvlan_mode", "passthru"), &err), &err);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_INT(rtnl_mac(stage.rtnl, "lan0", mac), 0);
        (void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                       mac[3], mac[4], mac[5]);
        ASSERT_STR(stage.one.endpoint.mac, text);
        ASSERT(reaches(&stage.one, "192.168.1.50", "fd00:a:1::50", &stage.lan, true));
        ASSERT(reaches_box(&stage.lan, &stage.one, true));
        ASSERT(join(&stage, &stage.two, &stage.network, &err) < 0);
        ASSERT(strstr(err.message, "failed to create the macvlan port: parent interface lan0 is in "
                                   "use"));
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.two.endpoint, &err), &err);
        /* The next one has the link at once. */
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.one.endpoint, &err), &err);
        json_done(&net_endpoint_table, &stage.two.endpoint);
        stage.two.endpoint.wanted_mac = str_copy("02:00:00:00:00:77");
        ASSERT_OK(join(&stage, &stage.two, &stage.network, &err), &err);
        ASSERT_STR(stage.two.endpoint.mac, "02:00:00:00:00:77");
        ASSERT(reaches_box(&stage.lan, &stage.two, true));
}

/* Each network of an l3 parent is a subnet of its own that the LAN's router finds behind the host's
 * address; the default route leads through the link itself. */
static void check_l3(const char *mode) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(rtnl_closep) Rtnl *lan = NULL;
        NetworkConfig config = config_of("ipvlan", "lan0", "ipvlan_mode", mode);
        Error err = { 0 };
        int r;

        add_pool(&config, "10.7.0.0/24", NULL, NULL);
        add_pool(&config, "10.8.0.0/24", NULL, NULL);
        add_pool(&config, "fd00:7::/64", NULL, NULL);
        r = play(&stage, config, &err);
        ASSERT_OK(r, &err);
        if (r > 0)
                return;
        stage.two.endpoint.wanted_address = str_copy("10.8.0.9");
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_OK(join(&stage, &stage.two, &stage.network, &err), &err);
        ASSERT_STR(stage.one.endpoint.gateway, NULL);
        ASSERT_STR(stage.one.endpoint.mac, NULL);
        ASSERT(reaches_box(&stage.one, &stage.two, true));
        /* The router knows no way back but this. */
        lan = rtnl_inside(&stage.lan);
        ASSERT(lan);
        rtnl_put_default_route(lan, (unsigned)rtnl_index(lan, "eth0"), ip("192.168.1.100"));
        ASSERT_OK(rtnl_commit(lan, &err), &err);
        ASSERT(reach(&stage.one, "192.168.1.50", &stage.lan, PATIENCE_MS));
}

TEST(ipvlan_l3) {
        check_l3("l3");
}

TEST(ipvlan_l3s) {
        check_l3("l3s");
}

/* ---- parents ---- */

static void check_vlan(const char *driver) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_config_ NetworkConfig other = config_of("macvlan", "lan0.10", NULL, NULL);
        NetworkConfig config = config_of(driver, "lan0.10", NULL, NULL);
        Error err = { 0 };
        int r;

        add_pool(&config, "192.168.10.0/24", "192.168.10.50", NULL);
        add_pool(&config, "fd00:a:10::/64", "fd00:a:10::50", NULL);
        r = play(&stage, config, &err);
        ASSERT_OK(r, &err);
        if (r > 0)
                return;
        ASSERT(rtnl_index(stage.rtnl, "lan0.10") > 0);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT(reaches(&stage.one, "192.168.10.50", "fd00:a:10::50", &stage.lan, true));
        ASSERT(reaches_box(&stage.lan, &stage.one, true));
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.one.endpoint, &err), &err);
        if (str_equal(driver, "macvlan")) { /* which goes with the last network upon it */
                ASSERT_OK(network_create(stage.net, &other, &err), &err);
                ASSERT_OK(network_remove(stage.net, &stage.network, &err), &err);
                ASSERT(rtnl_index(stage.rtnl, "lan0.10") > 0);
                ASSERT_OK(network_remove(stage.net, &other, &err), &err);
        } else {
                ASSERT_OK(network_remove(stage.net, &stage.network, &err), &err);
        }
        ASSERT_INT(rtnl_index(stage.rtnl, "lan0.10"), -ENODEV);
        ASSERT(rtnl_index(stage.rtnl, "lan0") > 0);
}

TEST(macvlan_on_a_vlan) {
        check_vlan("macvlan");
}

TEST(ipvlan_on_a_vlan) {
        check_vlan("ipvlan");
}

/* A network without a parent is its containers' alone. */
static void check_own_parent(const char *driver, const char *prefix) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_free_ char *parent = NULL;
        Error err = { 0 };
        int r = play(&stage, config_of(driver, NULL, NULL, NULL), &err);

        ASSERT_OK(r, &err);
        if (r > 0)
                return;
        parent = str_format("%s%.12s", prefix, stage.network.id);
        ASSERT_STR(stage.network.parent, parent);
        ASSERT(stage.network.internal);
        ASSERT(rtnl_index(stage.rtnl, parent) > 0);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_OK(join(&stage, &stage.two, &stage.network, &err), &err);
        ASSERT(reaches_box(&stage.one, &stage.two, true));
        ASSERT(reaches(&stage.one, "192.168.1.100", "fd00:a:1::100", &stage.host, false));
        ASSERT(reaches_box(&stage.host, &stage.one, false));
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.one.endpoint, &err), &err);
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.two.endpoint, &err), &err);
        ASSERT_OK(network_remove(stage.net, &stage.network, &err), &err);
        ASSERT_INT(rtnl_index(stage.rtnl, parent), -ENODEV);
}

TEST(macvlan_without_parent) {
        check_own_parent("macvlan", "dm-");
}

TEST(ipvlan_without_parent) {
        check_own_parent("ipvlan", "di-");
}

/* ---- what is refused ---- */

TEST(refused_networks) {
        static const struct {
                const char *parent, *option, *value, *message;
        } rows[] = {
                { "lo", NULL, NULL, "loopback interface is not a valid macvlan parent link" },
                { "lan0", "macvlan_mode", "x",
                  "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver "
                  "default" },
                { "eth9", NULL, NULL,
                  "-o parent interface was not found on the host: eth9. Name one that `ip link` "
                  "shows, or a VLAN of one, like eth0.10" },
                { "eth9.10", NULL, NULL, "-o parent interface was not found on the host: eth9" },
                { "lan0.4095", NULL, NULL,
                  "vlan id must be between 1-4094, received: 4095 (in parent lan0.4095)" },
                { "lan0.x", NULL, NULL,
                  "vlan id must be between 1-4094, received: x (in parent lan0.x)" },
                { "longer-than-a-link", NULL, NULL,
                  "invalid option parent 'longer-than-a-link': a link's name has 1 to 15 visible "
                  "characters, none of them '/', ':' or '%'" },
        };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(stage_new(&stage, &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_config_ NetworkConfig config =
                        config_of("macvlan", rows[i].parent, rows[i].option, rows[i].value);

                ASSERT(network_create(stage.net, &config, &err) < 0);
                ASSERT_STR(err.message, rows[i].message);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

/* Several networks may be upon one parent, unless one of them has it for itself. */
TEST(networks_side_by_side) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_config_ NetworkConfig second = config_of("macvlan", "lan0", NULL, NULL),
                                       third = config_of("macvlan", "lan0", NULL, NULL),
                                       whole = config_of("macvlan", "lan0", "macvlan_mode",
                                                         "passthru"),
                                       other = config_of("ipvlan", "lan0", NULL, NULL);
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        ASSERT_OK(network_create(stage.net, &second, &err), &err);
        ASSERT(network_create(stage.net, &whole, &err) < 0);
        ASSERT(strstr(err.message, "cannot use mode passthru, macvlan network n is already using "
                                   "parent interface lan0"));
        ASSERT(network_create(stage.net, &other, &err) < 0);
        ASSERT(strstr(err.message, "parent interface lan0 is used by the macvlan network n"));
        ASSERT_OK(network_remove(stage.net, &second, &err), &err);
        ASSERT_OK(network_remove(stage.net, &stage.network, &err), &err);
        ASSERT_OK(network_create(stage.net, &whole, &err), &err);
        ASSERT(network_create(stage.net, &third, &err) < 0);
        ASSERT_STR(err.message, "macvlan network n is already using parent interface lan0 in mode "
                                "passthru");
}

/* The mode of an ipvlan parent is one network's; its links have no address of their own. */
TEST(ipvlan_refuses) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_config_ NetworkConfig second = config_of("ipvlan", "lan0", NULL, NULL),
                                       wrong = config_of("ipvlan", "lan0", "ipvlan_mode", "l4"),
                                       flag = config_of("ipvlan", "lan0", "ipvlan_flag", "x");
        Error err = { 0 };
        int r;

        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT(network_create(stage.net, &wrong, &err) < 0);
        ASSERT_STR(
                err.message,
                "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default");
        ASSERT(network_create(stage.net, &flag, &err) < 0);
        ASSERT_STR(err.message,
                   "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default");
        stage.network = lan_config("ipvlan", NULL, NULL);
        r = network_create(stage.net, &stage.network, &err);
        if (r < 0 && err.kind == ERROR_UNSUPPORTED) {
                printf("# not shown here: %s\n", err.message);
                return;
        }
        ASSERT_OK(r, &err);
        ASSERT(network_create(stage.net, &second, &err) < 0);
        ASSERT_STR(err.message, "network n is already using parent interface lan0");
        stage.one.endpoint.wanted_mac = str_copy("02:00:00:00:00:77");
        ASSERT(join(&stage, &stage.one, &stage.network, &err) < 0);
        ASSERT_STR(err.message, "ipvlan interfaces do not support custom mac address assignment");
}

/* Two links upon one parent can't have one hardware address. */
TEST(a_hardware_address_twice) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        stage.one.endpoint.wanted_mac = str_copy("02:00:00:00:00:77");
        stage.two.endpoint.wanted_mac = str_copy("02:00:00:00:00:77");
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT(join(&stage, &stage.two, &stage.network, &err) < 0);
        ASSERT_STR(err.message, "hardware address 02:00:00:00:00:77 is in use on parent interface "
                                "lan0: give the container another --mac-address or --ip");
}

/* ---- endpoints ---- */

TEST(endpoints_options) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(rtnl_closep) Rtnl *inner = NULL;
        _cleanup_netns_ int home = -1;
        _cleanup_free_ char *text = NULL;
        Box *one = &stage.one;
        size_t length;
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        pairs_put(&one->endpoint.options, "com.docker.network.endpoint.ifname", "dmz0");
        pairs_put(&one->endpoint.options, "com.docker.network.endpoint.sysctls",
                  "net.ipv4.conf.IFNAME.log_martians=1,net/ipv4/conf/IFNAME/rp_filter=2");
        one->endpoint.wanted_address = str_copy("192.168.1.7");
        one->endpoint.wanted_address6 = str_copy("fd00:a:1::7");
        one->endpoint.wanted_mac = str_copy("02:00:00:00:00:77");
        ASSERT_OK(join(&stage, one, &stage.network, &err), &err);
        ASSERT_STR(one->endpoint.inner_link, "dmz0");
        ASSERT_STR(one->endpoint.address, "192.168.1.7/24");
        ASSERT_STR(one->endpoint.address6, "fd00:a:1::7/64");
        ASSERT_STR(one->endpoint.mac, "02:00:00:00:00:77");
        inner = rtnl_inside(one);
        ASSERT(inner && rtnl_index(inner, "dmz0") > 0);
        ASSERT_OK(netns_enter(one->netns, &home, &err), &err);
        ASSERT_OK(file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/conf/dmz0/log_martians", 16, &text,
                               &length, &err),
                  &err);
        ASSERT_STR(text, "1\n");
}

TEST(refused_endpoints_options) {
        static const struct {
                const char *name, *value, *message;
        } rows[] = {
                { "ifname", "a/b",
                  "invalid com.docker.network.endpoint.ifname 'a/b': a link's name" },
                { "ifname", "lo",
                  "invalid com.docker.network.endpoint.ifname 'lo': the container" },
                { "sysctls", "net.ipv4.conf.eth0.rp_filter=1",
                  "invalid com.docker.network.endpoint.sysctls 'net.ipv4.conf.eth0.rp_filter=1': "
                  "write it like net.ipv4.conf.IFNAME.log_martians=1" },
                { "sysctls", "net.ipv4.conf.IFNAME.rp_filter",
                  "invalid com.docker.network.endpoint" },
                { "sysctls", "net/ipv4/conf/IFNAME/../x=1", "invalid com.docker.network.endpoint" },
                { "sysctls", "kernel.conf.x.IFNAME.y=1", "invalid com.docker.network.endpoint" },
        };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *name =
                        str_format("com.docker.network.endpoint.%s", rows[i].name);

                json_done(&net_endpoint_table, &stage.one.endpoint);
                pairs_put(&stage.one.endpoint.options, name, rows[i].value);
                ASSERT(join(&stage, &stage.one, &stage.network, &err) < 0);
                ASSERT(str_after(err.message, rows[i].message));
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

/* The ports of a container on the LAN are its own there: the host holds none. */
TEST(ports_are_ignored) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        ASSERT_OK(port_spec_parse("7000:80", &stage.one.endpoint.ports, &err), &err);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_INT(stage.one.endpoint.ports.count, 0);
}

/* ---- restarts ---- */

static int restart(Stage *stage, Error *err) {
        const Endpoint endpoints[] = { stage->one.endpoint, stage->two.endpoint };
        const int netns[] = { stage->one.netns, stage->two.netns };
        int r;

        stage->net = net_free(stage->net);
        r = net_new(stage->loop, &stage->net, err);
        return r < 0 ? r : net_reconcile(stage->net, &stage->network, 1, endpoints, netns, 2, err);
}

TEST(restart_finds_links_and_makes_those_that_are_gone) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(rtnl_closep) Rtnl *inner = NULL;
        Error err = { 0 };
        int index;

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT_OK(join(&stage, &stage.two, &stage.network, &err), &err);
        inner = rtnl_inside(&stage.one);
        ASSERT(inner);
        index = rtnl_index(inner, "eth0");
        ASSERT_OK(restart(&stage, &err), &err);
        ASSERT_INT(rtnl_index(inner, "eth0"), index);
        rtnl_put_delete(inner, "eth0");
        ASSERT_OK(rtnl_commit(inner, &err), &err);
        ASSERT_OK(restart(&stage, &err), &err);
        ASSERT(reaches_box(&stage.lan, &stage.one, true));
        ASSERT(reaches_box(&stage.one, &stage.two, true));
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.one.endpoint, &err), &err);
        ASSERT_INT(rtnl_index(inner, "eth0"), -ENODEV);
}

/* A link that comes later than the daemon: the network is there, and its containers say what it
 * lacks. */
TEST(restart_before_the_parent) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(play(&stage, lan_config("macvlan", NULL, NULL), &err), &err);
        stage.net = net_free(stage.net);
        rtnl_put_delete(stage.rtnl, "lan0");
        ASSERT_OK(rtnl_commit(stage.rtnl, &err), &err);
        ASSERT_OK(net_new(stage.loop, &stage.net, &err), &err);
        ASSERT(net_reconcile(stage.net, &stage.network, 1, NULL, NULL, 0, &err) < 0);
        ASSERT(str_after(err.message, "network n: -o parent interface was not found on the host: "
                                      "lan0"));
        ASSERT(join(&stage, &stage.one, &stage.network, &err) < 0);
        ASSERT(strstr(err.message, "interface was not found on the host: lan0"));
        ASSERT_OK(endpoint_leave(stage.net, &stage.network, &stage.one.endpoint, &err), &err);
        json_done(&net_endpoint_table, &stage.one.endpoint);
        ASSERT_INT(make_lan(&stage), 0);
        ASSERT_OK(join(&stage, &stage.one, &stage.network, &err), &err);
        ASSERT(reaches_box(&stage.lan, &stage.one, true));
}

/* After a boot a network's own parent is made anew; one that no record knows is taken away. */
TEST(restart_makes_the_parent_again) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT_OK(play(&stage, config_of("macvlan", NULL, NULL, NULL), &err), &err);
        stage.net = net_free(stage.net);
        rtnl_put_delete(stage.rtnl, stage.network.parent);
        ASSERT_OK(rtnl_commit(stage.rtnl, &err), &err);
        ASSERT_OK(net_new(stage.loop, &stage.net, &err), &err);
        ASSERT_OK(net_reconcile(stage.net, &stage.network, 1, NULL, NULL, 0, &err), &err);
        ASSERT(rtnl_index(stage.rtnl, stage.network.parent) > 0);
        stage.net = net_free(stage.net);
        ASSERT_OK(net_new(stage.loop, &stage.net, &err), &err);
        ASSERT_OK(net_reconcile(stage.net, NULL, 0, NULL, NULL, 0, &err), &err);
        ASSERT_INT(rtnl_index(stage.rtnl, stage.network.parent), -ENODEV);
}

__attribute__((constructor)) static void own_namespace(void) {
        if (unshare(CLONE_NEWNET) < 0) {
                printf("1..0 # SKIP network namespaces need root\n");
                exit(0);
        }
}

TEST_MAIN()
