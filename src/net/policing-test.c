/* policing-test.c: what is done around policies that are put into force: sockets, and the way back.
 * Who may reach whom is policy-test's and tests/policy-oracle.bats'. */
#include "net/policing.h"

#include <dirent.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/id.h"
#include "base/loop.h"
#include "base/test.h"
#include "net/netns.h"
#include "net/ruleset.h"
#include "net/state.h"

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

typedef struct World {
        Loop *loop;
        Net *net;
        NetworkConfig config;
} World;

static int world_new(World *world, Error *err) {
        char id[ID_LENGTH + 1];
        int r = loop_new(&world->loop, err);

        id_new(id);
        world->config = (NetworkConfig){ .driver = str_copy("bridge"),
                                         .name = str_copy("n"),
                                         .id = str_copy(id) };
        if (r == 0)
                r = net_new(world->loop, &world->net, err);
        return r < 0 ? r : network_create(world->net, &world->config, err);
}

static void world_done(World *world) {
        Error err = { 0 };

        if (world->net && net_destroy_all(world->net, &err) < 0)
                printf("# %s\n", err.message);
        net_free(world->net);
        loop_free(world->loop);
        json_done(&net_config_table, &world->config);
}
#define _cleanup_world_ _cleanup_(world_done)

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
        Error err = { 0 };
        int kept = -1, before;

        ASSERT_OK(world_new(&world, &err), &err);
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
        Error err = { 0 };
        bool has = true;

        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(!has);
        ASSERT_OK(set_policies(world.net, DENY_INGRESS, &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(has);
        ASSERT_OK(set_policies(world.net, "", &err), &err);
        ASSERT_OK(has_input(&has, &err), &err);
        ASSERT(!has);
}

__attribute__((constructor)) static void own_namespace(void) {
        int fd;

        if (netns_new(&fd, NULL) < 0 || setns(fd, CLONE_NEWNET) < 0) {
                printf("1..0 # SKIP network namespaces need root\n");
                exit(0);
        }
        close_fd(&fd);
}

TEST_MAIN()
