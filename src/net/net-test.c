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
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        int on = 1;

        if (netns_enter(box->netns, &home, NULL) < 0)
                return -1;
        box->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        box->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)setsockopt(box->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(box->tcp, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(box->tcp, 16) < 0 ||
            bind(box->udp, (struct sockaddr *)&any, sizeof(any)) < 0 ||
            setsockopt(box->udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
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

/* A network beside the host, of `here` and `there`, which believes that the host routes. */
static int make_lan(const Box *box, const char *link, const char *here, const char *there) {
        _cleanup_(rtnl_closep) Rtnl *outer = NULL, *inner = NULL;
        RtnlVeth veth = { .name = link,
                          .peer = "eth0",
                          .peer_netns_fd = box->netns,
                          .peer_mac = { 2, 0, 0, 0, 0, 1 } };
        unsigned index;
        int home = -1;

        if (rtnl_open(&outer, NULL) < 0)
                return -1;
        rtnl_put_veth(outer, &veth);
        if (rtnl_commit(outer, NULL) < 0)
                return -1;
        rtnl_put_address(outer, (unsigned)rtnl_index(outer, link), inet_addr(here), 24);
        rtnl_put_up(outer, (unsigned)rtnl_index(outer, "lo"));
        if (rtnl_commit(outer, NULL) < 0 || netns_enter(box->netns, &home, NULL) < 0)
                return -1;
        (void)rtnl_open(&inner, NULL);
        netns_return(&home);
        if (!inner)
                return -1;
        index = (unsigned)rtnl_index(inner, "eth0");
        rtnl_put_address(inner, index, inet_addr(there), 24);
        rtnl_put_up(inner, index);
        rtnl_put_default_route(inner, index, inet_addr(here));
        return rtnl_commit(inner, NULL);
}

static void make_config(NetworkConfig *config, const char *name, const char *subnet) {
        char id[ID_LENGTH + 1];

        id_new(id);
        *config = (NetworkConfig){ .id = str_copy(id),
                                   .name = str_copy(name),
                                   .driver = str_copy("bridge"),
                                   .resolver = true };
        if (subnet)
                ((NetPool *)json_append(&config->pools, &net_pool_table))->subnet =
                        str_copy(subnet);
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

        make_config(&stage->front, "front", "172.28.0.0/16");
        make_config(&stage->back, "back", "172.29.0.0/16");
        make_config(&stage->inner, "inner", "172.30.0.0/16");
        make_config(&stage->quiet, "quiet", "172.31.0.0/16");
        make_config(&stage->plain, "plain", "172.27.0.0/16");
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
        static const char *const web[] = { "8080:7000", "8080:7000/udp", "192.168.1.100:8000:7000",
                                           "192.168.1.100:8000:7000/udp", NULL };
        static const char *const db[] = { "127.0.0.1:8081:7000", "127.0.0.1:8081:7000/udp", NULL };
        static const char *const mute[] = { "8082:7000", "8082:7000/udp", NULL };
        int r;

        *stage = (Stage){ 0 };
        stage->host = (Box){ .tcp = -1, .udp = -1 };
        stage->host.netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (serve(&stage->host) < 0 || box_new(&stage->lan) < 0 || box_new(&stage->office) < 0 ||
            make_lan(&stage->lan, "lan0", "192.168.1.100", "192.168.1.50") < 0 ||
            make_lan(&stage->office, "lan1", "192.168.2.100", "192.168.2.50") < 0)
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

static int client_socket(const Box *from, int type) {
        _cleanup_netns_ int home = -1;

        if (netns_enter(from->netns, &home, NULL) < 0)
                return -1;
        return socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool ready(int fd, short events, int timeout_ms) {
        struct pollfd item = { .fd = fd, .events = events };

        return poll(&item, 1, timeout_ms) == 1;
}

static bool reach_tcp(const Box *from, struct sockaddr_in to, const Box *server, int wait_ms,
                      uint32_t *source) {
        _cleanup_close_ int client = client_socket(from, SOCK_STREAM), connection = -1;
        struct sockaddr_in peer;
        socklen_t length = sizeof(peer);

        (void)connect(client, (struct sockaddr *)&to, sizeof(to));
        if (!ready(server->tcp, POLLIN, wait_ms))
                return false;
        connection = accept4(server->tcp, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        *source = ntohl(peer.sin_addr.s_addr);
        return connection >= 0 && ready(client, POLLOUT, wait_ms);
}

static bool reach_udp(const Box *from, struct sockaddr_in to, const Box *server, int wait_ms,
                      uint32_t *source) {
        _cleanup_close_ int client = client_socket(from, SOCK_DGRAM);
        struct sockaddr_in peer;
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

        if (connect(client, (struct sockaddr *)&to, sizeof(to)) < 0 ||
            send(client, "ping", 4, 0) != 4 || !ready(server->udp, POLLIN, wait_ms))
                return false;
        if (recvmsg(server->udp, &message, 0) != 4)
                return false;
        info = CMSG_FIRSTHDR(&message);
        if (info)
                ((struct in_pktinfo *)CMSG_DATA(info))->ipi_ifindex = 0;
        if (sendmsg(server->udp, &message, 0) != 4)
                return false;
        *source = ntohl(peer.sin_addr.s_addr);
        return ready(client, POLLIN, wait_ms) && recv(client, text, sizeof(text), 0) == 4;
}

static bool reach(const Box *from, const char *address, int port, const Box *server, int wait_ms,
                  uint32_t *source) {
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = inet_addr(address) };
        bool tcp = reach_tcp(from, to, server, wait_ms, source),
             udp = reach_udp(from, to, server, wait_ms, source);

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
} Row;

#define AT(box) offsetof(Stage, box)
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
};

static const Box *box_at(const Stage *stage, size_t offset) {
        return (const Box *)((const char *)stage + offset);
}

static int compare(const Stage *stage, bool with_record) {
        int bad = 0;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[IPV4_TEXT_MAX] = "";
                uint32_t source = 0;
                bool reached;

                if (rows[i].by_record && !with_record)
                        continue;
                reached = reach(box_at(stage, rows[i].from), rows[i].address, rows[i].port,
                                box_at(stage, rows[i].server),
                                rows[i].reaches ? PATIENCE_MS : WAIT_MS, &source);

                ipv4_format(source, text);
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
               sysctl_write("bridge/bridge-nf-call-iptables", value, NULL) == 0;
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

/* A link that is not ready drops the first packet, an ARP request, which is repeated after a second
 * only. */
TEST(first_packet_passes) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        for (int i = 0; i < 30; i++) {
                _cleanup_(box_done) Box box = { .netns = -1, .tcp = -1, .udp = -1 };
                _cleanup_close_ int client = client_socket(&stage.host, SOCK_STREAM);
                struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
                uint32_t address;

                ASSERT_OK(join(&stage, &box, &stage.front, "new", NULL, &err), &err);
                *strchr(box.endpoint.address, '/') = '\0';
                ASSERT_INT(ipv4_parse(box.endpoint.address, &address), 0);
                to.sin_addr.s_addr = htonl(address);
                (void)connect(client, (struct sockaddr *)&to, sizeof(to));
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
TEST(udp_follows_the_port) {
        static const char *const ports[] = { "9000:7000/udp", NULL };
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_(box_done) Box first = { .netns = -1, .tcp = -1, .udp = -1 }, second = first;
        _cleanup_close_ int client = -1;
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(9000),
                                  .sin_addr.s_addr = inet_addr("192.168.1.100") };
        Error err = { 0 };

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        client = client_socket(&stage.lan, SOCK_DGRAM);
        ASSERT_INT(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
        ASSERT(!ping(client, &stage.web, WAIT_MS));
        ASSERT_OK(join(&stage, &first, &stage.front, "first", ports, &err), &err);
        reaper_wait(stage.net->reaper, NULL);
        ASSERT(ping(client, &first, PATIENCE_MS));
        ASSERT_OK(endpoint_leave(stage.net, &stage.front, &first.endpoint, &err), &err);
        ASSERT_OK(join(&stage, &second, &stage.front, "second", ports, &err), &err);
        reaper_wait(stage.net->reaper, NULL);
        ASSERT(ping(client, &second, PATIENCE_MS));
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
        uint32_t source;

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        for (int i = 0; i < 2; i++) { /* the second time after a pause */
                ASSERT_OK(delete_table(&err), &err);
                ASSERT(!reach(&stage.lan, "192.168.1.100", 8080, &stage.web, WAIT_MS, &source));
                for (int steps = 0; steps < 100; steps++) {
                        ASSERT_OK(loop_step(stage.loop, 50, &err), &err);
                        if (reach(&stage.lan, "192.168.1.100", 8080, &stage.web, WAIT_MS, &source))
                                break;
                }
                ASSERT(reach(&stage.lan, "192.168.1.100", 8080, &stage.web, PATIENCE_MS, &source));
        }
        ASSERT_INT(compare(&stage, true), 0);
}

/* An operation that meets the damage before the notice is read repairs it, too. */
TEST(leave_after_flush) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        uint32_t source;

        ASSERT(set_filtering("0"));
        ASSERT_OK(stage_new(&stage, &err), &err);
        ASSERT_OK(delete_table(&err), &err);
        ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.db.endpoint, &err), &err);
        ASSERT_OK(endpoint_leave(stage.net, &stage.back, &stage.db.endpoint, &err), &err);
        ASSERT(reach(&stage.lan, "192.168.1.100", 8080, &stage.web, PATIENCE_MS, &source));
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
