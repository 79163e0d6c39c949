/* policing-test.c: what is done around policies that are put into force: sockets, and the way back.
 * Who may reach whom is policy-test's and tests/policy-oracle.bats'. */
#include "net/policing.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/conntrack.h"
#include "net/net-world.h"
#include "net/ruleset.h"
#include "os/nlmsg.h"

#define DENY_INGRESS                                                                               \
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\n"          \
        "spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}\n"

/* This process's netfilter sockets. */
static int netfilter_sockets(void) {
        DIR *folder = opendir("/proc/self/fd");
        const struct dirent *entry;
        int count = 0;

        if (!folder)
                return -1;
        while ((entry = readdir(folder))) {
                int protocol = 0, domain = 0, fd = (int)strtol(entry->d_name, NULL, 10);
                socklen_t length = sizeof(int);

                if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
                    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0)
                        count += domain == AF_NETLINK && protocol == NETLINK_NETFILTER;
        }
        (void)closedir(folder);
        return count;
}

static int policed_world(World *world, NetworkConfig *config, Error *err) {
        int r = world_new(world, err);

        return r < 0 ? r : network_create(world->net, config, err);
}

static int set_policies(Net *net, const char *text, Error *err) {
        Policy *policies = NULL;
        size_t count = 0;
        int r = *text ? policy_parse(text, strlen(text), POLICY_NAMESPACE, &policies, &count, err)
                      : 0;

        if (r == 0)
                r = net_set_policies(net, policies, count, err);
        if (r < 0)
                policies_free(policies, count);
        return r;
}

/* Its close could wait for as long as the kernel frees what was removed. */
TEST(a_sweep_keeps_its_socket) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of(NULL, NULL, NULL);
        Error err = { 0 };
        int kept = -1, before;

        ASSERT_OK(policed_world(&world, &config, &err), &err);
        before = netfilter_sockets();
        ASSERT(before > 0);
        for (int i = 0; i < 3; i++) {
                ASSERT_OK(set_policies(world.net, DENY_INGRESS, &err), &err);
                ASSERT_INT(netfilter_sockets(), before + 1);
                ASSERT(kept < 0 || kept == world.net->conntrack_fd);
                kept = world.net->conntrack_fd;
                ASSERT_OK(set_policies(world.net, "", &err), &err);
        }
}

/* What concerns policies alone is hooked only while there are any. */
static int has_input(bool *ret, Error *err) {
        _cleanup_(nft_closep) Nft *nft = NULL;
        int r = nft_open(NFPROTO_INET, RULESET_TABLE, &nft, err);

        return r < 0 ? r : nft_has_chain(nft, "input", ret, err);
}

TEST(input_is_hooked_while_there_are_policies) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of(NULL, NULL, NULL);
        Error err = { 0 };
        bool has = true;

        ASSERT_OK(policed_world(&world, &config, &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(!has);
        ASSERT_OK(set_policies(world.net, DENY_INGRESS, &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(has);
        ASSERT_OK(set_policies(world.net, "", &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(!has);
}

typedef struct Container {
        Endpoint endpoint;
        Pairs labels;
        int netns;
} Container;

static int container_join(Net *net, const NetworkConfig *config, const char *app, Container *ret,
                          Error *err) {
        char id[ID_LENGTH + 1];
        int r;

        id_new(id);
        ret->endpoint = (Endpoint){ .container_id = str_copy(id),
                                    .container_name = str_copy("c"),
                                    .labels = &ret->labels };
        pairs_put(&ret->labels, "app", app);
        r = netns_new(&ret->netns, err);
        if (r == 0)
                r = endpoint_reserve(net, config, &ret->endpoint, err);
        return r < 0 ? r : endpoint_join(net, config, &ret->endpoint, ret->netns, err);
}

static void container_done(Container *container) {
        close_fd(&container->netns);
        pairs_done(&container->labels);
        json_done(&net_endpoint_table, &container->endpoint);
}
#define _cleanup_container_ _cleanup_(container_done)

/* A container on a network of macvlan, where policies cannot be enforced. */
typedef struct Lan {
        NetworkConfig config;
        Container container;
} Lan;

static int lan_new(Net *net, const char *app, Lan *lan, Error *err) {
        char id[ID_LENGTH + 1];
        int r;

        id_new(id);
        lan->config = (NetworkConfig){ .driver = str_copy("macvlan"),
                                       .name = str_copy("lan"),
                                       .id = str_copy(id) };
        r = network_create(net, &lan->config, err);
        return r < 0 ? r : container_join(net, &lan->config, app, &lan->container, err);
}

static void lan_done(Lan *lan) {
        container_done(&lan->container);
        json_done(&net_config_table, &lan->config);
}
#define _cleanup_lan_ _cleanup_(lan_done)

/* ---- connections, as the kernel tracks them ---- */

#define STRANGER 0xc6336401 /* 198.51.100.1, RFC 5737 */
#define STRANGERS_PORT 4000

static void put_tuple(struct nlmsghdr *header, uint16_t type, uint32_t from, uint16_t from_port,
                      uint32_t to, uint16_t to_port) {
        struct nlattr *tuple = mnl_attr_nest_start(header, type), *part;

        part = mnl_attr_nest_start(header, CTA_TUPLE_IP);
        mnl_attr_put_u32(header, CTA_IP_V4_SRC, htonl(from));
        mnl_attr_put_u32(header, CTA_IP_V4_DST, htonl(to));
        mnl_attr_nest_end(header, part);
        part = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_UDP);
        mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT, htons(from_port));
        mnl_attr_put_u16(header, CTA_PROTO_DST_PORT, htons(to_port));
        mnl_attr_nest_end(header, part);
        mnl_attr_nest_end(header, tuple);
}

/* The kernel tracks a stranger's flow to port 9 of that address from now on, as after a packet. */
static int track(uint32_t to) {
        _Alignas(struct nlmsghdr) char data[1024];
        struct nlmsghdr *header = mnl_nlmsg_put_header(data);
        struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

        header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
        body->nfgen_family = AF_INET;
        put_tuple(header, CTA_TUPLE_ORIG, STRANGER, STRANGERS_PORT, to, 9);
        put_tuple(header, CTA_TUPLE_REPLY, to, 9, STRANGER, STRANGERS_PORT);
        mnl_attr_put_u32(header, CTA_TIMEOUT, htonl(600));
        if (send(fd, header, header->nlmsg_len, 0) < 0 || recv(fd, data, sizeof(data), 0) < 0)
                return -1;
        return nlmsg_errno((const struct nlmsghdr *)data) == 0 ? 0 : -1;
}

static bool count_strangers(void *data, const ConntrackFlow *flow) {
        *(int *)data += flow->source.number == STRANGER && flow->port == 9;
        return false;
}

/* -1: cannot be told. */
static int strangers(void) {
        _cleanup_close_ int fd = -1;
        int count = 0;

        if (conntrack_open(&fd, NULL) < 0 ||
            conntrack_forget_if(fd, count_strangers, &count, NULL) < 0)
                return -1;
        return count;
}

/* One that has no table, as another brigd has it. */
TEST(a_second_daemon_refuses_what_it_cannot_enforce) {
        _cleanup_world_ World first = { 0 };
        _cleanup_config_ NetworkConfig config = config_of(NULL, NULL, NULL);
        _cleanup_(net_freep) Net *net = NULL;
        _cleanup_lan_ Lan lan = { .container.netns = -1 };
        Error err = { 0 };
        int r;

        ASSERT_OK(policed_world(&first, &config, &err), &err);
        ASSERT_OK(net_new(first.loop, &net, &err), &err);
        ASSERT_OK(lan_new(net, "web", &lan, &err), &err);
        ASSERT(!firewall_applied(net->firewall));
        r = set_policies(net, DENY_INGRESS, &err);
        ASSERT(r < 0);
        ASSERT_INT(err.kind, ERROR_FORBIDDEN);
        ASSERT(strstr(err.message, "put it on a network of driver bridge"));
        ASSERT(!policing_is_on(&net->policing));
        ASSERT_OK(endpoint_leave(net, &lan.config, &lan.container.endpoint, &err), &err);
        ASSERT_OK(set_policies(net, DENY_INGRESS, &err), &err);
        ASSERT_OK(network_remove(net, &lan.config, &err), &err);
}

/* Policies that are refused leave those before in force, and what was begun between is cut. */
TEST(policies_that_are_refused_are_taken_back) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of(NULL, NULL, NULL);
        _cleanup_container_ Container web = { .netns = -1 };
        _cleanup_lan_ Lan lan = { .container.netns = -1 };
        static const char others[] =
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: others}\n"
                "spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}\n";
        const Member *member;
        Error err = { 0 };

        ASSERT_OK(policed_world(&world, &config, &err), &err);
        ASSERT_OK(set_policies(world.net, DENY_INGRESS, &err), &err);
        ASSERT_OK(container_join(world.net, &config, "web", &web, &err), &err);
        ASSERT_OK(lan_new(world.net, "db", &lan, &err), &err);
        member = map_get(&((Network *)map_get(&world.net->networks, config.id))->members,
                         web.endpoint.container_id);
        ASSERT(track((uint32_t)member->places[NET_IPV4].address.number) == 0);
        ASSERT_INT(strangers(), 1);
        ASSERT(set_policies(world.net, others, &err) < 0);
        ASSERT_INT(err.kind, ERROR_FORBIDDEN);
        ASSERT_INT(world.net->policing.count, 1);
        ASSERT_STR(world.net->policing.policies[0].name, "deny");
        ASSERT_INT(strangers(), 0);
        ASSERT_OK(endpoint_leave(world.net, &config, &web.endpoint, &err), &err);
        ASSERT_OK(endpoint_leave(world.net, &lan.config, &lan.container.endpoint, &err), &err);
}

TEST_MAIN()
