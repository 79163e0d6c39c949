/* ipam-test.c: subnets and address pools. */
#include "base/clock.h"
#include "base/test.h"
#include "net/ipam.h"

static Subnet parsed(const char *text) {
        Subnet subnet = { 0 };
        Error err = { 0 };

        if (subnet_parse(text, &subnet, &err) < 0)
                printf("# %s\n", err.message);
        return subnet;
}

static const char *chosen(const Subnet *taken, size_t count) {
        static char text[IP_TEXT_MAX];
        Error err = { 0 };
        Subnet subnet;

        if (subnet_choose(AF_INET, NULL, 0, taken, count, &subnet, &err) < 0)
                return "none";
        subnet_format(subnet, text);
        return text;
}

TEST(defaults_in_order) {
        Subnet taken[3] = { parsed("172.17.0.0/16") };

        ASSERT_STR(chosen(NULL, 0), "172.17.0.0/16");
        ASSERT_STR(chosen(taken, 1), "172.18.0.0/16");
        taken[1] = parsed("172.16.0.0/12");
        ASSERT_STR(chosen(taken, 2), "192.168.0.0/20");
        taken[2] = parsed("192.168.1.0/24");
        ASSERT_STR(chosen(taken, 3), "192.168.16.0/20");
        taken[2] = parsed("192.168.0.0/16");
        ASSERT_STR(chosen(taken, 3), "none");
}

/* What a source of that base and prefix gives, beside `taken`. */
static const char *sourced(const char *base, unsigned prefix, const Subnet *taken, size_t count) {
        const SubnetSource sources[] = { { parsed("fd00::/16"), 48 }, { parsed(base), prefix } };
        static char text[IP_TEXT_MAX];
        const bool ipv6 = strchr(base, ':');
        Error err = { 0 };
        Subnet subnet;

        if (subnet_choose(ipv6 ? AF_INET6 : AF_INET, sources + ipv6, ipv6 ? 1 : 2, taken, count,
                          &subnet, &err) < 0)
                return "none";
        subnet_format(subnet, text);
        return text;
}

TEST(sources_in_place_of_the_defaults) {
        Subnet taken[3] = { parsed("10.10.0.0/24") };

        ASSERT_STR(sourced("10.10.0.0/16", 24, NULL, 0), "10.10.0.0/24");
        ASSERT_STR(sourced("10.10.0.0/16", 24, taken, 1), "10.10.1.0/24");
        taken[1] = parsed("10.10.1.128/25"); /* part of one */
        ASSERT_STR(sourced("10.10.0.0/16", 24, taken, 2), "10.10.2.0/24");
        taken[2] = parsed("10.10.0.0/17"); /* many at once */
        ASSERT_STR(sourced("10.10.0.0/16", 24, taken, 3), "10.10.128.0/24");
        ASSERT_STR(sourced("10.10.0.0/24", 24, taken, 1), "none");
        ASSERT_STR(sourced("10.10.0.0/24", 32, NULL, 0), "10.10.0.0/32");
        taken[0] = parsed("ffff:ffff:ffff:ff00::/56"); /* up to the last address of all */
        ASSERT_STR(sourced("ffff:ffff:ffff:ff00::/56", 64, taken, 1), "none");
        taken[0] = parsed("fd00:1::/49"); /* 32,768 subnets in one step */
        ASSERT_STR(sourced("fd00:1::/48", 64, taken, 1), "fd00:1:0:8000::/64");
}

static uint32_t take(AddressPool *pool, int64_t now) {
        IpAddress address = { 0 };

        (void)pool_take(pool, now, &address);
        return (uint32_t)address.number;
}

static IpAddress ipv4(uint32_t number) {
        return (IpAddress){ number, AF_INET };
}

TEST(lowest_first_but_not_the_last_one) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/24"), NULL);

        ASSERT_INT(take(pool, 0), 0x0a000001);
        ASSERT_INT(take(pool, 0), 0x0a000002);
        ASSERT_INT(take(pool, 0), 0x0a000003);
        pool_give_back(pool, ipv4(0x0a000002), true, 0);
        ASSERT_INT(take(pool, 0), 0x0a000004);
        ASSERT_INT(take(pool, 60 * NSEC_PER_SEC), 0x0a000002);
        ASSERT_INT(take(pool, 60 * NSEC_PER_SEC), 0x0a000005);
        pool_give_back(pool, ipv4(0x0a000005), false, 0);
        ASSERT_INT(take(pool, 0), 0x0a000005);
}

TEST(exhausted_pool_reuses_the_oldest) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/29"), NULL);
        IpAddress address;

        for (uint32_t i = 1; i < 7; i++)
                ASSERT_INT(take(pool, 0), 0x0a000000 + i);
        ASSERT_INT(pool_take(pool, 0, &address), -28);
        pool_give_back(pool, ipv4(0x0a000005), true, 0);
        pool_give_back(pool, ipv4(0x0a000003), true, 1);
        ASSERT_INT(take(pool, 2), 0x0a000005);
        ASSERT_INT(take(pool, 2), 0x0a000003);
        ASSERT_INT(pool_take(pool, 2, &address), -28);
}

TEST(wanted_addresses) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/24"), NULL);

        ASSERT_INT(pool_claim(pool, ipv4(0x0a000001)), 0);
        ASSERT_INT(pool_claim(pool, ipv4(0x0a000001)), -98);
        ASSERT_INT(pool_claim(pool, ipv4(0x0a000100)), -34);
        ASSERT_INT(take(pool, 0), 0x0a000002);
        /* One that wants an address gets it though it was given back just now. */
        for (int i = 0; i < 100; i++) {
                pool_give_back(pool, ipv4(0x0a000001), true, 0);
                ASSERT_INT(pool_claim(pool, ipv4(0x0a000001)), 0);
        }
        ASSERT_INT(pool_claim(pool, ipv4(0x0a000001)), -98);
}

TEST(ranges) {
        Subnet range = parsed("10.0.5.0/30");
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/16"), &range);
        IpAddress address;

        for (uint32_t i = 0; i < 4; i++)
                ASSERT_INT(take(pool, 0), 0x0a000500 + i);
        ASSERT_INT(pool_take(pool, 0, &address), -28);
        ASSERT_INT(pool_claim(pool, ipv4(0x0a000001)), 0);
}

TEST(edges) {
        _cleanup_(pool_freep) AddressPool *two = pool_new(parsed("10.0.0.0/31"), NULL);
        _cleanup_(pool_freep) AddressPool *one = pool_new(parsed("10.0.0.7/32"), NULL);
        _cleanup_(pool_freep) AddressPool *top = pool_new(parsed("255.255.255.0/24"), NULL);
        _cleanup_(pool_freep) AddressPool *huge = pool_new(parsed("10.0.0.0/8"), NULL);
        IpAddress address;

        ASSERT_INT(take(two, 0), 0x0a000000);
        ASSERT_INT(take(two, 0), 0x0a000001);
        ASSERT_INT(take(one, 0), 0x0a000007);
        ASSERT_INT(pool_take(one, 0, &address), -28);
        for (int i = 1; i < 255; i++)
                ASSERT_INT(take(top, 0), 0xffffff00u + (unsigned)i);
        ASSERT_INT(pool_take(top, 0, &address), -28);
        for (uint32_t i = 1; i < 1000; i++)
                ASSERT_INT(take(huge, 0), 0x0a000000 + i);
}

/* Against a plain table: which addresses are taken, and which is the lowest that is not. */
TEST(as_a_plain_table) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/24"), NULL);
        bool taken[256] = { [0] = true, [255] = true };
        uint32_t random = 1;

        for (int i = 0; i < 20000; i++) {
                uint32_t at, lowest = 0;

                random = random * 1103515245 + 12345;
                at = random >> 16 & 255;
                while (lowest < 256 && taken[lowest])
                        lowest++;
                if (i % 2 && at > 0 && at < 255) {
                        ASSERT_INT(pool_claim(pool, ipv4(0x0a000000 + at)), taken[at] ? -98 : 0);
                        taken[at] = true;
                } else if (taken[at] && at > 0 && at < 255) {
                        pool_give_back(pool, ipv4(0x0a000000 + at), false, 0);
                        taken[at] = false;
                } else if (lowest < 256) {
                        ASSERT_INT(take(pool, 0), 0x0a000000 + lowest);
                        taken[lowest] = true;
                }
        }
}

static const char *taken_text(AddressPool *pool) {
        static char text[IP_TEXT_MAX];
        IpAddress address = { 0 };

        if (pool_take(pool, 0, &address) < 0)
                return "none";
        ip_format(address, text);
        return text;
}

TEST(ipv6) {
        const Subnet range = parsed("fd00:1::ff00:0/125");
        _cleanup_(pool_freep) AddressPool *wide = pool_new(parsed("fd00:1::/48"), NULL);
        _cleanup_(pool_freep) AddressPool *part = pool_new(parsed("fd00:1::/64"), &range);
        _cleanup_(pool_freep) AddressPool *two = pool_new(parsed("fd00:1::/127"), NULL);
        _cleanup_(pool_freep) AddressPool *top =
                pool_new(parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"), NULL);
        IpAddress address;

        ASSERT_STR(taken_text(wide), "fd00:1::1");
        ASSERT_INT(ip_parse("fd00:1:0:ffff::2", &address), 0);
        ASSERT_INT(pool_claim(wide, address), 0);
        ASSERT_INT(pool_claim(wide, address), -98);
        ASSERT_INT(pool_claim(part, address), -34);
        ASSERT_STR(taken_text(wide), "fd00:1::2");
        ASSERT_STR(taken_text(part), "fd00:1::ff00:0");
        ASSERT_STR(taken_text(two), "fd00:1::");
        ASSERT_STR(taken_text(two), "fd00:1::1");
        ASSERT_STR(taken_text(two), "none");
        ASSERT_STR(taken_text(top), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
        ASSERT_STR(taken_text(top), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        ASSERT_STR(taken_text(top), "none");
}

/* RFC 4193: fd, forty random bits, subnet 0. */
TEST(unique_local_subnets) {
        Subnet one, other;
        Error err = { 0 };

        ASSERT_OK(subnet_choose(AF_INET6, NULL, 0, NULL, 0, &one, &err), &err);
        ASSERT_OK(subnet_choose(AF_INET6, NULL, 0, &one, 1, &other, &err), &err);
        ASSERT_INT(one.prefix, 64);
        ASSERT(one.address.number >> 120 == 0xfd);
        ASSERT(!subnets_overlap(one, other));
}

TEST_MAIN()
