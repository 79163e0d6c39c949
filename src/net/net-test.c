/* net-test.c: a host with a LAN beside it and containers in it, all network namespaces of this
 * process's own: who reaches whom, over TCP and UDP, is compared with a table. No packet leaves
 * them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/test.h"
#include "net/netns.h"
#include "net/state.h"
#include "os/nfnetlink.h"
#include "os/rtnetlink.h"

#define WAIT_MS 150      /* for an answer that should not come */
#define PATIENCE_MS 2000 /* for one that should */
#define PORT 7000

/* ---- the stage ---- */

typedef struct Box {
        int netns, tcp, udp; /* servers on PORT */
        Endpoint endpoint;
        const NetworkConfig *network;
} Box;

typedef struct Stage {
        Loop *loop;
        Net *net;
        Box host, lan, office;
        NetworkConfig front, back, inner, quiet, plain;
        Box web, web2, db, cache, spy, mute, mute2, own;
} Stage;

static int serve(Box *box) {
        _cleanup_netns_ int home = -1;
        struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
        int on = 1, off = 0;

        if (netns_enter(box->netns, &home, NULL) < 0)
                return -1;
        /* For both families. */
        box->tcp = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        box->udp = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)setsockopt(box->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (setsockopt(box->tcp, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
            setsockopt(box->udp, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
            bind(box->tcp, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(box->tcp, 16) < 0 ||
            bind(box->udp, (struct sockaddr *)&any, sizeof(any)) < 0 ||
            setsockopt(box->udp, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
                return -1;
        return 0;
}

static int box_new(Box *box) {
        *box = (Box){ .tcp = -1, .udp = -1 };
        return netns_new(&box->netns, NULL) < 0 ? -1 : serve(box);
}

static void box_done(Box *box) {
        close_fd(&box->netns);
        close_fd(&box->tcp);
        close_fd(&box->udp);
        json_done(&net_endpoint_table, &box->endpoint);
}

static IpAddress ip(const char *text) {
        IpAddress address;

        if (ip_parse(text, &address) < 0)
                abort();
        return address;
}

/* A network beside the host, which believes that the host routes. The host is 192.168.<number>.100
 * and fd00:a:<number>::100 there, the other .50 and ::50. */
static int make_lan(const Box *box, const char *link, int number) {
        _cleanup_(rtnl_closep) Rtnl *outer = NULL, *inner = NULL;
        RtnlVeth veth = { .name = link,
                          .peer = "eth0",
                          .peer_netns_fd = box->netns,
                          .peer_mac = { 2, 0, 0, 0, 0, 1 } };
        _cleanup_free_ char *here = str_format("192.168.%d.100", number);
        _cleanup_free_ char *there = str_format("192.168.%d.50", number);
        _cleanup_free_ char *here6 = str_format("fd00:a:%d::100", number);
        _cleanup_free_ char *there6 = str_format("fd00:a:%d::50", number);
        unsigned index;
        int home = -1;

        if (rtnl_open(&outer, NULL) < 0)
                return -1;
        rtnl_put_veth(outer, &veth);
        if (rtnl_commit(outer, NULL) < 0)
                return -1;
        index = (unsigned)rtnl_index(outer, link);
        rtnl_put_address(outer, index, ip(here), 24);
        rtnl_put_address(outer, index, ip(here6), 64);
        rtnl_put_up(outer, (unsigned)rtnl_index(outer, "lo"));
        if (rtnl_commit(outer, NULL) < 0 || netns_enter(box->netns, &home, NULL) < 0)
                return -1;
        (void)rtnl_open(&inner, NULL);
        netns_return(&home);
        if (!inner)
                return -1;
        index = (unsigned)rtnl_index(inner, "eth0");
        rtnl_put_address(inner, index, ip(there), 24);
        rtnl_put_address(inner, index, ip(there6), 64);
        rtnl_put_up(inner, index);
        rtnl_put_default_route(inner, index, ip(here));
        rtnl_put_default_route(inner, index, ip(here6));
        return rtnl_commit(inner, NULL);
}

static void add_subnet(NetworkConfig *config, const char *subnet) {
        ((NetPool *)json_append(&config->pools, &net_pool_table))->subnet = str_copy(subnet);
}

static void make_config(NetworkConfig *config, const char *name, const char *subnet,
                        const char *subnet6) {
        char id[ID_LENGTH + 1];

        id_new(id);
        *config = (NetworkConfig){ .id = str_copy(id),
                                   .name = str_copy(name),
                                   .driver = str_copy("bridge"),
                                   .ipv6 = true,
                                   .resolver = true };
        add_subnet(config, subnet);
        add_subnet(config, subnet6);
}

static int join(Stage *stage, Box *box, NetworkConfig *network, const char *name,
                const char *const *ports, Error *err) {
        char id[ID_LENGTH + 1];
        int r;

        if (box_new(box) < 0)
                return error_set(err, errno, "box '%s'", name);
        id_new(id);
        box->network = network;
        box->endpoint = (Endpoint){ .network_id = str_copy(network->id),
                                    .container_id = str_copy(id),
                                    .container_name = str_copy(name),
                                    .default_gateway = true };
        for (size_t i = 0; ports && ports[i]; i++) {
                r = port_spec_parse(ports[i], &box->endpoint.ports, err);
                if (r < 0)
                        return r;
        }
        r = endpoint_reserve(stage->net, network, &box->endpoint, err);
        return r < 0 ? r : endpoint_join(stage->net, network, &box->endpoint, box->netns, err);
}

static int make_networks(Stage *stage, Error *err) {
        NetworkConfig *const all[] = { &stage->front, &stage->back, &stage->inner, &stage->quiet,
                                       &stage->plain };

        make_config(&stage->front, "front", "172.28.0.0/16", "fd00:28::/64");
        make_config(&stage->back, "back", "172.29.0.0/16", "fd00:29::/64");
        make_config(&stage->inner, "inner", "172.30.0.0/16", "fd00:30::/64");
        make_config(&stage->quiet, "quiet", "172.31.0.0/16", "fd00:31::/64");
        make_config(&stage->plain, "plain", "172.27.0.0/16", "fd00:27::/64");
        stage->inner.internal = true;
        pairs_put(&stage->plain.options, "com.docker.network.bridge.enable_ip_masquerade", "false");
        pairs_put(&stage->quiet.options, "com.docker.network.bridge.enable_icc", "false");
        pairs_put(&stage->front.options, "com.docker.network.bridge.name", "mybr0");
        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int r = network_create(stage->net, all[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int stage_new(Stage *stage, Error *err) {
        static const char *const web[] = { "8080:7000",
                                           "8080:7000/udp",
                                           "192.168.1.100:8000:7000",
                                           "192.168.1.100:8000:7000/udp",
                                           "[fd00:a:1::100]:8000:7000",
                                           "[fd00:a:1::100]:8000:7000/udp",
                                           NULL };
        static const char *const db[] = { "127.0.0.1:8081:7000", "127.0.0.1:8081:7000/udp",
                                          "[::1]:8081:7000", "[::1]:8081:7000/udp", NULL };
        static const char *const mute[] = { "8082:7000", "8082:7000/udp", NULL };
        int r;

        *stage = (Stage){ 0 };
        stage->host = (Box){ .tcp = -1, .udp = -1 };
        stage->host.netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (serve(&stage->host) < 0 || box_new(&stage->lan) < 0 || box_new(&stage->office) < 0 ||
            make_lan(&stage->lan, "lan0", 1) < 0 || make_lan(&stage->office, "lan1", 2) < 0)
                return error_set(err, errno, "make the stage");
        r = loop_new(&stage->loop, err);
        if (r == 0)
                r = net_new(stage->loop, &stage->net, err);
        if (r == 0)
                r = make_networks(stage, err);
        if (r == 0)
                r = join(stage, &stage->web, &stage->front, "web", web, err);
        if (r == 0)
                r = join(stage, &stage->web2, &stage->front, "web2", NULL, err);
        if (r == 0)
                r = join(stage, &stage->db, &stage->back, "db", db, err);
        if (r == 0)
                r = join(stage, &stage->cache, &stage->back, "cache", NULL, err);
        if (r == 0)
                r = join(stage, &stage->spy, &stage->inner, "spy", NULL, err);
        if (r == 0)
                r = join(stage, &stage->mute, &stage->quiet, "mute", mute, err);
        if (r == 0)
                r = join(stage, &stage->mute2, &stage->quiet, "mute2", NULL, err);
        if (r == 0)
                r = join(stage, &stage->own, &stage->plain, "own", NULL, err);
        return r;
}

static void stage_done(Stage *stage) {
        Box *const boxes[] = {
                &stage->host,  &stage->lan, &stage->web,  &stage->web2,  &stage->db,
                &stage->cache, &stage->spy, &stage->mute, &stage->mute2, &stage->own
        };
        NetworkConfig *const networks[] = { &stage->front, &stage->back, &stage->inner,
                                            &stage->quiet, &stage->plain };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Error err = { 0 };

        if (stage->net && net_destroy_all(stage->net, &err) < 0)
                printf("# %s\n", err.message);
        net_free(stage->net);
        loop_free(stage->loop);
        if (rtnl_open(&rtnl, NULL) == 0) {
                rtnl_put_delete(rtnl, "lan0");
                rtnl_put_delete(rtnl, "lan1");
                (void)rtnl_commit(rtnl, NULL);
        }
        for (size_t i = 0; i < ELEMENTS(boxes); i++)
                box_done(boxes[i]);
        for (size_t i = 0; i < ELEMENTS(networks); i++)
                json_done(&net_config_table, networks[i]);
}
#define _cleanup_stage_ _cleanup_(stage_done)

/* ---- probes ---- */

static int client_socket(const Box *from, int family, int type) {
        _cleanup_netns_ int home = -1;

        if (netns_enter(from->netns, &home, NULL) < 0)
                return -1;
        return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool ready(int fd, short events, int timeout_ms) {
        struct pollfd item = { .fd = fd, .events = events };

        return poll(&item, 1, timeout_ms) == 1;
}

/* Where a probe goes. */
typedef struct Target {
        struct sockaddr_storage name;
        socklen_t length;
        int family;
} Target;

static Target target(const char *text, int port) {
        Target to = { .family = ip(text).family };
        struct sockaddr_in *four = (struct sockaddr_in *)&to.name;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&to.name;

        to.name.ss_family = (sa_family_t)to.family;
        to.length = to.family == AF_INET ? sizeof(*four) : sizeof(*six);
        four->sin_port = htons((uint16_t)port); /* at the same place in both */
        (void)ip_bytes(ip(text), to.family == AF_INET ? (uint8_t *)&four->sin_addr
                                                      : (uint8_t *)&six->sin6_addr);
        return to;
}

static void format_peer(const struct sockaddr_in6 *peer, char text[IP_TEXT_MAX]) {
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr);
        const uint8_t *bytes = (const uint8_t *)&peer->sin6_addr;

        ip_format(ip_from_bytes(mapped ? AF_INET : AF_INET6, bytes + (mapped ? 12 : 0)), text);
}

static bool reach_tcp(const Box *from, const Target *to, const Box *server, int wait_ms,
                      char source[IP_TEXT_MAX]) {
        _cleanup_close_ int client = client_socket(from, to->family, SOCK_STREAM), connection = -1;
        struct sockaddr_in6 peer;
        socklen_t length = sizeof(peer);

        (void)connect(client, (const struct sockaddr *)&to->name, to->length);
        if (!ready(server->tcp, POLLIN, wait_ms))
                return false;
        connection = accept4(server->tcp, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        format_peer(&peer, source);
        return connection >= 0 && ready(client, POLLOUT, wait_ms);
}

static bool reach_udp(const Box *from, const Target *to, const Box *server, int wait_ms,
                      char source[IP_TEXT_MAX]) {
        _cleanup_close_ int client = client_socket(from, to->family, SOCK_DGRAM);
        struct sockaddr_in6 peer;
        char text[8], control[128];
        struct iovec part = { text, 4 };
        /* What comes back as control data makes the answer leave from the address that was asked.
         */
        struct msghdr message = { .msg_name = &peer,
                                  .msg_namelen = sizeof(peer),
                                  .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = sizeof(control) };
        struct cmsghdr *info;

        if (connect(client, (const struct sockaddr *)&to->name, to->length) < 0 ||
            send(client, "ping", 4, 0) != 4 || !ready(server->udp, POLLIN, wait_ms))
                return false;
        if (recvmsg(server->udp, &message, 0) != 4)
                return false;
        info = CMSG_FIRSTHDR(&message);
        if (info)
                ((struct in6_pktinfo *)CMSG_DATA(info))->ipi6_ifindex = 0;
        if (sendmsg(server->udp, &message, 0) != 4)
                return false;
        format_peer(&peer, source);
        return ready(client, POLLIN, wait_ms) && recv(client, text, sizeof(text), 0) == 4;
}

static bool reach(const Box *from, const char *address, int port, const Box *server, int wait_ms,
                  char source[IP_TEXT_MAX]) {
        const Target to = target(address, port);
        bool tcp = reach_tcp(from, &to, server, wait_ms, source),
             udp = reach_udp(from, &to, server, wait_ms, source);

        if (tcp != udp)
                printf("# %s:%d: TCP %d, UDP %d\n", address, port, tcp, udp);
        return tcp && udp;
}

typedef struct Row {
        const char *what;
        size_t from; /* offset of a Box in Stage */
        const char *address;
        int port;
        size_t server;
        bool reaches;
        const char *source; /* as the server sees it, or NULL */
        bool by_record;     /* the table itself is the record of it */
        bool unfiltered;    /* br_netfilter does it otherwise: docs/net.md */
} Row;

#define AT(box) offsetof(Stage, box)
#define LAN6 "fd00:a:1::100" /* the host's address there */
static const Row rows[] = {
        { "LAN to a port of every address", AT(lan), "192.168.1.100", 8080, AT(web), true,
          "192.168.1.50" },
        { "LAN to a port of one address", AT(lan), "192.168.1.100", 8000, AT(web), true,
          "192.168.1.50" },
        { "LAN to a port of 127.0.0.1", AT(lan), "192.168.1.100", 8081, AT(db), false, NULL },
        { "LAN to a container", AT(lan), "172.28.0.2", PORT, AT(web), false, NULL },
        { "LAN to an internal container", AT(lan), "172.30.0.2", PORT, AT(spy), false, NULL },
        { "LAN to a port with icc off", AT(lan), "192.168.1.100", 8082, AT(mute), true,
          "192.168.1.50" },
        /* The host did not forward before: it is no router for others now. */
        { "LAN to another LAN", AT(lan), "192.168.2.50", PORT, AT(office), false, NULL, true },
        { "egress to another LAN", AT(web), "192.168.2.50", PORT, AT(office), true,
          "192.168.2.100" },
        { "host to its own address", AT(host), "192.168.1.100", 8080, AT(web), true, NULL },
        { "host to loopback, every address", AT(host), "127.0.0.1", 8080, AT(web), true,
          "172.28.0.1" },
        { "host to loopback, 127.0.0.1 alone", AT(host), "127.0.0.1", 8081, AT(db), true,
          "172.29.0.1" },
        { "host to loopback, another address's port", AT(host), "127.0.0.1", 8000, AT(web), false,
          NULL },
        { "host to a container", AT(host), "172.28.0.2", PORT, AT(web), true, "172.28.0.1" },
        { "host to an internal container", AT(host), "172.30.0.2", PORT, AT(spy), true, NULL },
        { "hairpin to itself", AT(web), "192.168.1.100", 8080, AT(web), true, "172.28.0.1" },
        { "hairpin to a neighbour", AT(web2), "192.168.1.100", 8080, AT(web), true, "172.28.0.1" },
        { "hairpin by the gateway's address", AT(web2), "172.28.0.1", 8080, AT(web), true, NULL },
        { "hairpin with icc off", AT(mute2), "192.168.1.100", 8082, AT(mute), true, NULL },
        { "neighbours", AT(web2), "172.28.0.2", PORT, AT(web), true, "172.28.0.3" },
        { "neighbours with icc off", AT(mute2), "172.31.0.2", PORT, AT(mute), false, NULL },
        { "another network", AT(web), "172.29.0.3", PORT, AT(cache), false, NULL },
        { "another network's port", AT(cache), "192.168.1.100", 8080, AT(web), true, NULL },
        { "another network's loopback port", AT(cache), "172.29.0.1", 8081, AT(db), false, NULL },
        { "egress", AT(web), "192.168.1.50", PORT, AT(lan), true, "192.168.1.100" },
        { "egress with icc off", AT(mute), "192.168.1.50", PORT, AT(lan), true, "192.168.1.100" },
        { "egress without masquerade", AT(own), "192.168.1.50", PORT, AT(lan), true, "172.27.0.2" },
        { "LAN to a container without masquerade", AT(lan), "172.27.0.2", PORT, AT(own), false,
          NULL },
        { "a published port without masquerade", AT(own), "192.168.1.100", 8080, AT(web), true,
          NULL },
        { "container to the host's address", AT(web), "192.168.1.100", PORT, AT(host), true, NULL },
        { "container to another bridge's address", AT(web), "172.29.0.1", PORT, AT(host), true,
          NULL },
        { "internal to the LAN", AT(spy), "192.168.1.50", PORT, AT(lan), false, NULL },
        { "internal to the host's address", AT(spy), "192.168.1.100", PORT, AT(host), false, NULL },
        { "internal to another network", AT(spy), "172.28.0.2", PORT, AT(web), false, NULL },

        { "LAN to a port of every IPv6 address", AT(lan), LAN6, 8080, AT(web), true,
          "fd00:a:1::50" },
        { "LAN to a port of one IPv6 address", AT(lan), LAN6, 8000, AT(web), true, "fd00:a:1::50" },
        { "LAN to a port of ::1", AT(lan), LAN6, 8081, AT(db), false, NULL },
        { "LAN to a container by IPv6", AT(lan), "fd00:28::2", PORT, AT(web), false, NULL },
        { "LAN to an internal container by IPv6", AT(lan), "fd00:30::2", PORT, AT(spy), false,
          NULL },
        { "LAN to an IPv6 port with icc off", AT(lan), LAN6, 8082, AT(mute), true, "fd00:a:1::50" },
        { "LAN to another LAN by IPv6", AT(lan), "fd00:a:2::50", PORT, AT(office), false, NULL,
          true },
        { "IPv6 egress to another LAN", AT(web), "fd00:a:2::50", PORT, AT(office), true,
          "fd00:a:2::100" },
        { "host to its own IPv6 address", AT(host), LAN6, 8080, AT(web), true, NULL },
        { "host to ::1, every address", AT(host), "::1", 8080, AT(web), true, "fd00:28::1",
          .unfiltered = true },
        { "host to ::1, ::1 alone", AT(host), "::1", 8081, AT(db), true, "fd00:29::1",
          .unfiltered = true },
        { "host to ::1, another address's port", AT(host), "::1", 8000, AT(web), false, NULL },
        { "host to a container by IPv6", AT(host), "fd00:28::2", PORT, AT(web), true,
          "fd00:28::1" },
        { "host to an internal container by IPv6", AT(host), "fd00:30::2", PORT, AT(spy), true,
          NULL },
        { "IPv6 hairpin to itself", AT(web), LAN6, 8080, AT(web), true, "fd00:28::1" },
        { "IPv6 hairpin to a neighbour", AT(web2), LAN6, 8080, AT(web), true, "fd00:28::1" },
        { "IPv6 hairpin by the gateway's address", AT(web2), "fd00:28::1", 8080, AT(web), true,
          NULL },
        { "IPv6 hairpin with icc off", AT(mute2), LAN6, 8082, AT(mute), true, NULL },
        { "IPv6 neighbours", AT(web2), "fd00:28::2", PORT, AT(web), true, "fd00:28::3" },
        { "IPv6 neighbours with icc off", AT(mute2), "fd00:31::2", PORT, AT(mute), false, NULL },
        { "another network by IPv6", AT(web), "fd00:29::3", PORT, AT(cache), false, NULL },
        { "another network's IPv6 port", AT(cache), LAN6, 8080, AT(web), true, NULL },
        { "IPv6 egress", AT(web), "fd00:a:1::50", PORT, AT(lan), true, LAN6 },
        { "IPv6 egress with icc off", AT(mute), "fd00:a:1::50", PORT, AT(lan), true, LAN6 },
        { "IPv6 egress without masquerade", AT(own), "fd00:a:1::50", PORT, AT(lan), true,
          "fd00:27::2" },
        { "LAN to a container without masquerade by IPv6", AT(lan), "fd00:27::2", PORT, AT(own),
          false, NULL },
        { "container to the host's IPv6 address", AT(web), LAN6, PORT, AT(host), true, NULL },
        { "internal to the LAN by IPv6", AT(spy), "fd00:a:1::50", PORT, AT(lan), false, NULL },
        { "internal to the host's IPv6 address", AT(spy), LAN6, PORT, AT(host), false, NULL },
        { "internal to another network by IPv6", AT(spy), "fd00:28::2", PORT, AT(web), false,
          NULL },
};

static const Box *box_at(const Stage *stage, size_t offset) {
        return (const Box *)((const char *)stage + offset);
}

static int compare(const Stage *stage, bool with_record) {
        int bad = 0;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[IP_TEXT_MAX] = "";
                bool reached;

                if ((rows[i].by_record && !with_record) ||
                    (rows[i].unfiltered && sysctl_read(BRIDGE_NETFILTER6) == '1'))
                        continue;
                reached = reach(box_at(stage, rows[i].from), rows[i].address, rows[i].port,
                                box_at(stage, rows[i].server),
                                rows[i].reaches ? PATIENCE_MS : WAIT_MS, text);
                if (reached == rows[i].reaches &&
                    (!rows[i].source || str_equal(text, rows[i].source)))
                        continue;
                printf("# %s: %s, from %s\n", rows[i].what, reached ? "reached" : "not reached",
                       text);
                bad++;
        }
        return bad;
}

/* br_netfilter, where the kernel has it, takes packets another way through the same rules. */
static bool set_filtering(const char *value) {
        return access("/proc/sys/net/bridge", F_OK) < 0 ||
               (sysctl_write(BRIDGE_NETFILTER, value, NULL) == 0 &&
                sysctl_write(BRIDGE_NETFILTER6, value, NULL) == 0);
}

TEST(truth_table) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT_INT(compare(&stage, true), 0);
}

TEST(truth_table_with_br_netfilter) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT(set_filtering("1"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT_INT(compare(&stage, true), 0);
}

/* ---- connections ---- */

/* A worker of the kernel's joins the group in which an IPv6 address is asked for, a moment after
 * the address is there; a container's first process takes longer to start. */
static bool hears_neighbours(const Box *box, const char *address) {
        const int64_t end = clock_monotonic() + PATIENCE_MS * NSEC_PER_MSEC;
        _cleanup_free_ char *group = str_format("ff0200000000000000000001ff%06x",
                                                (unsigned)(ip(address).number & 0xffffff));
        _cleanup_netns_ int home = -1;

        if (netns_enter(box->netns, &home, NULL) < 0)
                return false;
        while (clock_monotonic() < end) {
                _cleanup_free_ char *groups = NULL;
                size_t length;

                if (file_read_at(AT_FDCWD, "/proc/thread-self/net/igmp6", 65536, &groups, &length,
                                 NULL) == 0 &&
                    strstr(groups, group))
                        return true;
                (void)poll(NULL, 0, 1);
        }
        return false;
}

/* A link that is not ready drops the first packet, an ARP request, which is repeated after a second
 * only. */
TEST(first_packet_passes) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        for (int i = 0; i < 30; i++) {
                _cleanup_(box_done) Box box = { .netns = -1, .tcp = -1, .udp = -1 };
                _cleanup_close_ int client = -1;
                Target to;

                ASSERT_OK(join(&stage, &box, &stage.front, "new", NULL, &err), &err);
                char *address = i % 2 ? box.endpoint.address6 : box.endpoint.address;
                *strchr(address, '/') = '\0';
                to = target(address, PORT);
                ASSERT(to.family == AF_INET || hears_neighbours(&box, address));
                client = client_socket(&stage.host, to.family, SOCK_STREAM);
                (void)connect(client, (struct sockaddr *)&to.name, to.length);
                ASSERT(ready(client, POLLOUT, 900));
                ASSERT_OK(endpoint_leave(stage.net, &stage.front, &box.endpoint, &err), &err);
        }
}

/* Sends again and again, as a client that never pauses does: a single datagram may be lost to an
 * ARP request that nobody hears yet, or its sending tell of an ICMP error of before. */
static bool ping(int client, const Box *server, int wait_ms) {
        int64_t end = clock_monotonic() + wait_ms * NSEC_PER_MSEC;
        char text[8];

        do
                (void)!send(client, "ping", 4, 0);
        while (!ready(server->udp, POLLIN, 50) && clock_monotonic() < end);
        return recv(server->udp, text, sizeof(text), 0) == 4;
}

/* A client of UDP that never pauses is one connection to the kernel, which remembers that the port
 * was nobody's, or another container's. */
static void check_udp_follows_the_port(const char *address) {
        static const char *const ports[] = { "9000:7000/udp", NULL };
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(box_done) Box first = { .netns = -1, .tcp = -1, .udp = -1 }, second = first;
        _cleanup_close_ int client = -1;
        const Target to = target(address, 9000);
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT(hears_neighbours(&stage.lan, "fd00:a:1::50"));
        ASSERT(hears_neighbours(&stage.host, LAN6));
        client = client_socket(&stage.lan, to.family, SOCK_DGRAM);
        ASSERT_INT(connect(client, (const struct sockaddr *)&to.name, to.length), 0);
        ASSERT(!ping(client, &stage.web, WAIT_MS));
        ASSERT_OK(join(&stage, &first, &stage.front, "first", ports, &err), &err);
        reaper_wait(stage.net->reaper, NULL);
        ASSERT(ping(client, &first, PATIENCE_MS));
        ASSERT_OK(endpoint_leave(stage.net, &stage.front, &first.endpoint, &err), &err);
        ASSERT_OK(join(&stage, &second, &stage.front, "second", ports, &err), &err);
        reaper_wait(stage.net->reaper, NULL);
        ASSERT(ping(client, &second, PATIENCE_MS));
}

TEST(udp_follows_the_port) {
        check_udp_follows_the_port("192.168.1.100");
}

TEST(udp_follows_the_ipv6_port) {
        check_udp_follows_the_port(LAN6);
}

/* ---- what others do to the table ---- */

/* As `nft flush ruleset` does. */
static int delete_table(Error *err) {
        _cleanup_(nft_closep) Nft *nft = NULL;
        int r = nft_open(NFPROTO_INET, "brig", &nft, err);

        if (r < 0)
                return r;
        nft_put_delete_table(nft);
        return nft_commit(nft, err);
}

TEST(table_is_applied_again) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        char source[IP_TEXT_MAX];

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        for (int i = 0; i < 2; i++) { /* the second time after a pause */
                ASSERT_OK(delete_table(&err), &err);
                ASSERT(!reach(&stage.lan, "192.168.1.100", 8080, &stage.web, WAIT_MS, source));
                for (int steps = 0; steps < 100; steps++) {
                        ASSERT_OK(loop_step(stage.loop, 50, &err), &err);
                        if (reach(&stage.lan, "192.168.1.100", 8080, &stage.web, WAIT_MS, source))
                                break;
                }
                ASSERT(reach(&stage.lan, "192.168.1.100", 8080, &stage.web, PATIENCE_MS, source));
        }
        ASSERT_INT(compare(&stage, true), 0);
}

/* An operation that meets the damage before the notice is read repairs it, too. */
TEST(leave_after_flush) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        char source[IP_TEXT_MAX];

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT_OK(delete_table(&err), &err);
        ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.db.endpoint, &err), &err);
        ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.db.endpoint, &err), &err);
        ASSERT(reach(&stage.lan, "192.168.1.100", 8080, &stage.web, PATIENCE_MS, source));
}

/* ---- restarts ---- */

static int restart(Stage *stage, bool web_is_gone, Error *err) {
        const NetworkConfig networks[] = { stage->front, stage->back, stage->inner, stage->quiet,
                                           stage->plain };
        const Box *const boxes[] = { &stage->web, &stage->web2, &stage->db,    &stage->cache,
                                     &stage->spy, &stage->mute, &stage->mute2, &stage->own };
        Endpoint endpoints[ELEMENTS(boxes)];
        int netns[ELEMENTS(boxes)], r;

        for (size_t i = 0; i < ELEMENTS(boxes); i++) {
                endpoints[i] = boxes[i]->endpoint;
                netns[i] = i == 0 && web_is_gone ? -1 : boxes[i]->netns;
        }
        r = net_new(stage->loop, &stage->net, err);
        return r < 0 ? r
                     : net_reconcile(stage->net, networks, ELEMENTS(networks), endpoints, netns,
                                     ELEMENTS(boxes), err);
}

TEST(restart_finds_all) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        stage.net = net_free(stage.net);
        ASSERT_INT(compare(&stage, true), 0); /* nobody is needed for what runs */
        ASSERT_OK(restart(&stage, false, &err), &err);
        ASSERT_INT(compare(&stage, true), 0);
}

TEST(restart_after_damage) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        stage.net = net_free(stage.net);
        ASSERT_OK(delete_table(&err), &err);
        ASSERT_OK(rtnl_open(&rtnl, &err), &err);
        rtnl_put_delete(rtnl, "mybr0");
        rtnl_put_delete(rtnl, stage.db.endpoint.host_link);
        ASSERT_OK(rtnl_commit(rtnl, &err), &err);
        ASSERT_OK(restart(&stage, false, &err), &err);
        ASSERT_INT(compare(&stage, false), 0);
}

/* The container ended while no daemon was there: its link, port and address are free again. */
TEST(restart_drops_what_is_gone) {
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Error err = { 0 };
        JsonArray ports = { 0 };
        Endpoint again = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT_OK(rtnl_open(&rtnl, &err), &err);
        stage.net = net_free(stage.net);
        ASSERT_OK(restart(&stage, true, &err), &err);
        reaper_wait(stage.net->reaper, NULL);
        ASSERT_INT(rtnl_index(rtnl, stage.web.endpoint.host_link), -ENODEV);
        ASSERT(rtnl_index(rtnl, stage.web2.endpoint.host_link) > 0);
        ASSERT_OK(port_spec_parse("8080:80", &ports, &err), &err);
        again = (Endpoint){ .container_id = str_copy("new"),
                            .container_name = str_copy("new"),
                            .ports = ports };
        ASSERT_OK(endpoint_reserve(stage.net, &stage.front, &again, &err), &err);
        ASSERT_STR(again.address, "172.28.0.2/16");
        ASSERT_OK(endpoint_leave(stage.net, &stage.front, &again, &err), &err);
        json_done(&net_endpoint_table, &again);
}

/* ---- the end ---- */

TEST(nothing_is_left) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_(nft_closep) Nft *nft = NULL;
        Error err = { 0 };
        bool there = true;
        {
                _cleanup_stage_ Stage stage = { 0 };

                ASSERT(set_filtering("0"));
                ASSERT_OK(stage_new(&stage, &err), &err);
                for (int i = 0; i < 2; i++)
                        ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.db.endpoint, &err),
                                  &err);
                ASSERT(network_remove(stage.net, &stage.back, &err) < 0);
                ASSERT_STR(strstr(err.message, "has active endpoints"), "has active endpoints");
                ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.cache.endpoint, &err),
                          &err);
                ASSERT_OK(rtnl_open(&rtnl, &err), &err);
                ASSERT(rtnl_index(rtnl, stage.back.bridge) > 0);
                ASSERT_OK(network_remove(stage.net, &stage.back, &err), &err);
                ASSERT_INT(rtnl_index(rtnl, stage.back.bridge), -ENODEV);
        }
        ASSERT_INT(rtnl_index(rtnl, "mybr0"), -ENODEV);
        ASSERT_OK(nft_open(NFPROTO_INET, "brig", &nft, &err), &err);
        ASSERT_OK(nft_has_chain(nft, "forward", &there, &err), &err);
        ASSERT(!there);
}

__attribute__((constructor)) static void own_namespace(void) {
        if (unshare(CLONE_NEWNET) < 0) {
                printf("1..0 # SKIP network namespaces need root\n");
                exit(0);
        }
}

TEST_MAIN()
