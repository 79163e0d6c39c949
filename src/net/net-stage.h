/* net-stage.h: the stage of net-test.c: a host with two LANs beside it and containers in it, all
 * network namespaces of this process's own, and probes between them. No packet leaves them. */
#pragma once

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
        NetworkConfig front, back, inner, quiet, plain, routed, bare, closed, known, named;
        Box web, web2, db, cache, spy, mute, mute2, own, road, road2, naked, cell, cell2, friend,
                caller;
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
        _cleanup_free_ char *second = str_format("192.168.%d.101", number);
        _cleanup_free_ char *second6 = str_format("fd00:b:%d::1", number);
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
        rtnl_put_address(outer, index, ip(second), 24);
        rtnl_put_address(outer, index, ip(second6), 128);
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
                                    .default_gateway = true,
                                    .default_gateway6 = true };
        for (size_t i = 0; ports && ports[i]; i++) {
                r = port_spec_parse(ports[i], &box->endpoint.ports, err);
                if (r < 0)
                        return r;
        }
        r = endpoint_reserve(stage->net, network, &box->endpoint, err);
        return r < 0 ? r : endpoint_join(stage->net, network, &box->endpoint, box->netns, err);
}

static void set_modes(NetworkConfig *config, const char *mode) {
        pairs_put(&config->options, "com.docker.network.bridge.gateway_mode_ipv4", mode);
        pairs_put(&config->options, "com.docker.network.bridge.gateway_mode_ipv6", mode);
}

/* How the networks' containers are reached that are not, or not only, behind host ports. */
static int join_others(Stage *stage, Error *err) {
        static const char *const road[] = { "7000", "7000/udp", NULL };
        static const char *const naked[] = { "8084:7000", "8084:7000/udp", NULL };
        const struct {
                Box *box;
                NetworkConfig *network;
                const char *name;
                const char *const *ports;
        } boxes[] = { { &stage->road, &stage->routed, "road", road },
                      { &stage->road2, &stage->routed, "road2", NULL },
                      { &stage->naked, &stage->bare, "naked", naked },
                      { &stage->cell, &stage->closed, "cell", NULL },
                      { &stage->cell2, &stage->closed, "cell2", NULL },
                      { &stage->friend, &stage->known, "friend", NULL },
                      { &stage->caller, &stage->named, "caller", NULL } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(boxes); i++)
                r = join(stage, boxes[i].box, boxes[i].network, boxes[i].name, boxes[i].ports, err);
        return r;
}

static int make_networks(Stage *stage, Error *err) {
        NetworkConfig *const all[] = { &stage->front, &stage->back,   &stage->inner, &stage->quiet,
                                       &stage->plain, &stage->routed, &stage->bare,  &stage->closed,
                                       &stage->known, &stage->named };

        make_config(&stage->front, "front", "172.28.0.0/16", "fd00:28::/64");
        make_config(&stage->back, "back", "172.29.0.0/16", "fd00:29::/64");
        make_config(&stage->inner, "inner", "172.30.0.0/16", "fd00:30::/64");
        make_config(&stage->quiet, "quiet", "172.31.0.0/16", "fd00:31::/64");
        make_config(&stage->plain, "plain", "172.27.0.0/16", "fd00:27::/64");
        make_config(&stage->routed, "routed", "172.26.0.0/16", "fd00:26::/64");
        make_config(&stage->bare, "bare", "172.25.0.0/16", "fd00:25::/64");
        make_config(&stage->closed, "closed", "172.24.0.0/16", "fd00:24::/64");
        make_config(&stage->known, "known", "172.23.0.0/16", "fd00:23::/64");
        make_config(&stage->named, "named", "172.22.0.0/16", "fd00:22::/64");
        set_modes(&stage->routed, "routed");
        set_modes(&stage->bare, "nat-unprotected");
        set_modes(&stage->closed, "isolated");
        stage->closed.internal = true;
        pairs_put(&stage->known.options, "com.docker.network.bridge.trusted_host_interfaces",
                  "lan0");
        pairs_put(&stage->named.options, "com.docker.network.host_ipv4", "192.168.1.101");
        pairs_put(&stage->named.options, "com.docker.network.host_ipv6", "fd00:b:1::1");
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

/* How well the tables are kept from others: as this kernel can, or as an older one would. */
static NftKeeping stage_keeping = NFT_KEEP_OWNED;

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
                firewall_keep(stage->net->firewall, stage_keeping);
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
        return r < 0 ? r : join_others(stage, err);
}

static void stage_done(Stage *stage) {
        Box *const boxes[] = { &stage->host,   &stage->lan,   &stage->office, &stage->web,
                               &stage->web2,   &stage->db,    &stage->cache,  &stage->spy,
                               &stage->mute,   &stage->mute2, &stage->own,    &stage->road,
                               &stage->road2,  &stage->naked, &stage->cell,   &stage->cell2,
                               &stage->friend, &stage->caller };
        NetworkConfig *const networks[] = { &stage->front, &stage->back,   &stage->inner,
                                            &stage->quiet, &stage->plain,  &stage->routed,
                                            &stage->bare,  &stage->closed, &stage->known,
                                            &stage->named };
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
