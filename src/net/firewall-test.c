/* firewall-test.c: the table as a whole: when it is closed to others' packets, and what is done
 * when somebody changes it. Who reaches whom by it is net-test's. */
#include <fcntl.h>
/* Before the kernel's headers, which leave out what the C library's have. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <poll.h>

#include "base/fd.h"
#include "base/test-limits.h"
#include "net/net-world.h"
#include "net/ruleset.h"

/* A host that forwards IPv4 and not IPv6 stays closed for IPv6 alone, and goes on learning its
 * routes from advertisements. */
TEST(forwarding_of_each_family) {
        _cleanup_world_ World world = { 0 };
        _cleanup_(nft_closep) Nft *nft = NULL;
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_free_ char *advertisements = NULL, *forwarding = NULL;
        bool closed4 = true, closed6 = false;
        size_t length;
        Error err = { 0 };

        config.ipv6 = true;
        ASSERT_OK(sysctl_write("ipv4/ip_forward", "1", &err), &err);
        ASSERT_OK(sysctl_write("ipv6/conf/all/forwarding", "0", &err), &err);
        ASSERT_OK(sysctl_write("ipv6/conf/lo/accept_ra", "1", &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(nft_open(NFPROTO_INET, RULESET_TABLE, &nft, &err), &err);
        ASSERT_OK(nft_has_chain(nft, "closed", &closed4, &err), &err);
        ASSERT_OK(nft_has_chain(nft, "closed6", &closed6, &err), &err);
        ASSERT(!closed4);
        ASSERT(closed6);
        ASSERT_OK(file_read_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/lo/accept_ra", 16,
                               &advertisements, &length, &err),
                  &err);
        ASSERT_STR(advertisements, "2\n");
        ASSERT_OK(net_destroy_all(world.net, &err), &err);
        ASSERT_OK(file_read_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", 16, &forwarding,
                               &length, &err),
                  &err);
        ASSERT_STR(forwarding, "0\n");
}

/* A daemon's first start: the table is there before the first network makes the host forward. */
TEST(forwarding_is_closed_behind_an_empty_start) {
        _cleanup_world_ World world = { 0 };
        _cleanup_(nft_closep) Nft *nft = NULL;
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        bool closed = false;
        Error err = { 0 };

        ASSERT_OK(sysctl_write("ipv4/ip_forward", "0", &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        ASSERT_OK(net_reconcile(world.net, NULL, 0, NULL, NULL, 0, &err), &err);
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(nft_open(NFPROTO_INET, RULESET_TABLE, &nft, &err), &err);
        ASSERT_OK(nft_has_chain(nft, "closed", &closed, &err), &err);
        ASSERT(closed);
}

static bool is_readable(int fd) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };

        return poll(&wait, 1, 0) > 0;
}

static NftValue link_value(const char *link) {
        NftValue value = { 0 };

        nft_value_link(&value, link);
        return value;
}

static NftValue port_value(uint16_t port) {
        NftValue value = { 0 };

        nft_value_protocol(&value, IPPROTO_TCP);
        nft_value_port(&value, port);
        return value;
}

/* The notices of thousands of ports did not fit into the socket that waits for others' changes: the
 * table was applied again, with as many notices, each second from then on. */
TEST(own_changes_are_not_taken_for_others) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of("10000-13999:10000-13999");
        _cleanup_close_ int netns = -1;
        _cleanup_(nft_closep) Nft *other = NULL;
        Error err = { 0 };

        ASSERT(test_has_descriptors(5000));
        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        firewall_keep(world.net->firewall, NFT_KEEP_NOT); /* that another can change it */
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        (void)firewall_was_changed(world.net->firewall); /* what the kernel can do was tried out */
        ASSERT_OK(endpoint_reserve(world.net, &config, &endpoint, &err), &err);
        ASSERT_OK(endpoint_join(world.net, &config, &endpoint, netns, &err), &err);
        ASSERT(!is_readable(firewall_watch_fd(world.net->firewall)));
        ASSERT_OK(nft_open(NFPROTO_ARP, RULESET_TABLE, &other, &err), &err);
        nft_put_table(other);
        ASSERT_OK(nft_commit(other, &err), &err);
        ASSERT(is_readable(firewall_watch_fd(world.net->firewall)));
        ASSERT(firewall_was_changed(world.net->firewall));
        nft_put_delete_table(other);
        ASSERT_OK(nft_commit(other, &err), &err);
        ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
}

/* Whoever meets a table that somebody took puts it back, one who leaves, too. */
TEST(who_leaves_repairs_the_table) {
        _cleanup_world_ World world = { 0 };
        _cleanup_config_ NetworkConfig config = config_of("172.28.0.0/16", NULL, NULL);
        _cleanup_endpoint_ Endpoint endpoint = endpoint_of("10000:80");
        _cleanup_close_ int netns = -1;
        _cleanup_(nft_closep) Nft *other = NULL;
        Error err = { 0 };
        bool there = true;

        strv_add(&endpoint.link_local, "169.254.9.9");
        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(world_new(&world, &err), &err);
        firewall_keep(world.net->firewall, NFT_KEEP_NOT); /* that another can take it */
        ASSERT_OK(network_create(world.net, &config, &err), &err);
        ASSERT_OK(endpoint_reserve(world.net, &config, &endpoint, &err), &err);
        ASSERT_OK(endpoint_join(world.net, &config, &endpoint, netns, &err), &err);
        ASSERT_OK(nft_open(NFPROTO_INET, RULESET_TABLE, &other, &err), &err);
        nft_put_delete_table(other);
        ASSERT_OK(nft_commit(other, &err), &err);
        ASSERT_OK(nft_has_chain(other, "forward", &there, &err), &err);
        ASSERT(!there);
        ASSERT_OK(endpoint_leave(world.net, &config, &endpoint, &err), &err);
        ASSERT_OK(nft_has_chain(other, "forward", &there, &err), &err);
        ASSERT(there);
        /* An element is deleted only where it is: none of the one that left came back. */
        nft_put_element(other, &(NftElement){ .set = "bridges", .key = link_value(config.bridge) },
                        false);
        ASSERT_OK(nft_commit(other, &err), &err);
        nft_put_element(other, &(NftElement){ .set = "pub4_any", .key = port_value(10000) }, false);
        ASSERT(nft_commit(other, &err) < 0);
}

TEST_MAIN()
