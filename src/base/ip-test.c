/* ip-test.c: addresses and subnets as text and as numbers. */
#include "base/ip.h"
#include "base/test.h"

TEST(addresses_there_and_back) {
        static const char *const texts[] = {
                "0.0.0.0",    "255.255.255.255",
                "172.28.0.3", "::",
                "::1",        "fd00:1:2:3:4:5:6:7",
                "fe80::1",    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        };
        static const char *const wrong[] = { "",         "1.2.3", "1.2.3.4.5",    "fd00",
                                             "fd00:::1", "x",     "fe80::1%eth0", "1.2.3.4/8" };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                uint8_t bytes[IP_BYTES_MAX];
                char text[IP_TEXT_MAX] = "";
                IpAddress address;

                ASSERT_INT(ip_parse(texts[i], &address), 0);
                ip_format(address, text);
                ASSERT_STR(text, texts[i]);
                ASSERT_INT(ip_bytes(address, bytes), strchr(texts[i], ':') ? 16 : 4);
                ASSERT(ip_equal(ip_from_bytes(address.family, bytes), address));
        }
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                ASSERT_INT(ip_parse(wrong[i], &(IpAddress){ 0 }), -22);
        ASSERT_INT(ip_parse(NULL, &(IpAddress){ 0 }), -22);
}

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
                { "fd00::/64", NULL },
                { "::/1", NULL },
                { "fd00::1/128", NULL },
                { "fd00::1/64", "invalid subnet fd00::1/64: it should be fd00::/64" },
                { "fd00::/129", "Invalid subnet fd00::/129 : invalid CIDR address: fd00::/129" },
                { "fd00::1::/64",
                  "Invalid subnet fd00::1::/64 : invalid CIDR address: fd00::1::/64" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[IP_TEXT_MAX] = "";
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
        ASSERT(subnets_overlap(parsed("fd00::/8"), parsed("fd00:1::/64")));
        ASSERT(!subnets_overlap(parsed("fd00:1::/64"), parsed("fd00:1:0:1::/64")));
        ASSERT(!subnets_overlap(parsed("::/1"), parsed("10.0.0.0/8"))); /* another family */
}

TEST_MAIN()
