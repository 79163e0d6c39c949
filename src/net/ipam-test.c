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

TEST(subnet_text) {
        static const struct {
                const char *text, *message;
        } rows[] = {
                { "172.28.0.0/16", NULL },
                { "10.0.0.0/8", NULL },
                { "192.168.1.4/30", NULL },
                { "192.168.1.5/32", NULL },
                { "172.28.0.5/16", "invalid subnet 172.28.0.5/16: it should be 172.28.0.0/16" },
                { "foo", "Invalid subnet foo : invalid CIDR address: foo" },
                { "172.28.0.0", "Invalid subnet 172.28.0.0 : invalid CIDR address: 172.28.0.0" },
                { "172.28.0.0/33",
                  "Invalid subnet 172.28.0.0/33 : invalid CIDR address: 172.28.0.0/33" },
                { "172.28.0/16", "Invalid subnet 172.28.0/16 : invalid CIDR address: 172.28.0/16" },
                { "300.0.0.0/16",
                  "Invalid subnet 300.0.0.0/16 : invalid CIDR address: 300.0.0.0/16" },
                { "/16", "Invalid subnet /16 : invalid CIDR address: /16" },
                { "fd00::/64",
                  "subnet fd00::/64: IPv6 networks are not supported yet, leave it out" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[IPV4_TEXT_MAX] = "";
                Error err = { 0 };
                Subnet subnet;
                int r = subnet_parse(rows[i].text, &subnet, &err);

                if (rows[i].message) {
                        ASSERT(r < 0);
                        ASSERT_STR(err.message, rows[i].message);
                        continue;
                }
                ASSERT_OK(r, &err);
                subnet_format(subnet, text);
                ASSERT_STR(text, rows[i].text);
        }
}

TEST(overlaps) {
        ASSERT(subnets_overlap(parsed("10.0.0.0/8"), parsed("10.1.0.0/16")));
        ASSERT(subnets_overlap(parsed("10.1.0.0/16"), parsed("10.0.0.0/8")));
        ASSERT(!subnets_overlap(parsed("10.0.0.0/16"), parsed("10.1.0.0/16")));
        ASSERT(!subnets_overlap(parsed("10.0.0.0/32"), parsed("10.0.0.1/32")));
}

static const char *chosen(const Subnet *taken, size_t count) {
        static char text[IPV4_TEXT_MAX];
        Error err = { 0 };
        Subnet subnet;

        if (subnet_choose(taken, count, &subnet, &err) < 0)
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

static uint32_t take(AddressPool *pool, int64_t now) {
        uint32_t address = 0;

        (void)pool_take(pool, now, &address);
        return address;
}

TEST(lowest_first_but_not_the_last_one) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/24"), NULL);

        ASSERT_INT(take(pool, 0), 0x0a000001);
        ASSERT_INT(take(pool, 0), 0x0a000002);
        ASSERT_INT(take(pool, 0), 0x0a000003);
        pool_give_back(pool, 0x0a000002, true, 0);
        ASSERT_INT(take(pool, 0), 0x0a000004);
        ASSERT_INT(take(pool, 60 * NSEC_PER_SEC), 0x0a000002);
        ASSERT_INT(take(pool, 60 * NSEC_PER_SEC), 0x0a000005);
        pool_give_back(pool, 0x0a000005, false, 0);
        ASSERT_INT(take(pool, 0), 0x0a000005);
}

TEST(exhausted_pool_reuses_the_oldest) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/29"), NULL);
        uint32_t address;

        for (uint32_t i = 1; i < 7; i++)
                ASSERT_INT(take(pool, 0), 0x0a000000 + i);
        ASSERT_INT(pool_take(pool, 0, &address), -28);
        pool_give_back(pool, 0x0a000005, true, 0);
        pool_give_back(pool, 0x0a000003, true, 1);
        ASSERT_INT(take(pool, 2), 0x0a000005);
        ASSERT_INT(take(pool, 2), 0x0a000003);
        ASSERT_INT(pool_take(pool, 2, &address), -28);
}

TEST(wanted_addresses) {
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/24"), NULL);

        ASSERT_INT(pool_claim(pool, 0x0a000001), 0);
        ASSERT_INT(pool_claim(pool, 0x0a000001), -98);
        ASSERT_INT(pool_claim(pool, 0x0a000100), -34);
        ASSERT_INT(take(pool, 0), 0x0a000002);
        /* One that wants an address gets it though it was given back just now. */
        for (int i = 0; i < 100; i++) {
                pool_give_back(pool, 0x0a000001, true, 0);
                ASSERT_INT(pool_claim(pool, 0x0a000001), 0);
        }
        ASSERT_INT(pool_claim(pool, 0x0a000001), -98);
}

TEST(ranges) {
        Subnet range = parsed("10.0.5.0/30");
        _cleanup_(pool_freep) AddressPool *pool = pool_new(parsed("10.0.0.0/16"), &range);
        uint32_t address;

        for (uint32_t i = 0; i < 4; i++)
                ASSERT_INT(take(pool, 0), 0x0a000500 + i);
        ASSERT_INT(pool_take(pool, 0, &address), -28);
        ASSERT_INT(pool_claim(pool, 0x0a000001), 0);
}

TEST(edges) {
        _cleanup_(pool_freep) AddressPool *two = pool_new(parsed("10.0.0.0/31"), NULL);
        _cleanup_(pool_freep) AddressPool *one = pool_new(parsed("10.0.0.7/32"), NULL);
        _cleanup_(pool_freep) AddressPool *top = pool_new(parsed("255.255.255.0/24"), NULL);
        _cleanup_(pool_freep) AddressPool *huge = pool_new(parsed("10.0.0.0/8"), NULL);
        uint32_t address = 0;

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

TEST_MAIN()
