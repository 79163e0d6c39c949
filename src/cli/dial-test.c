/* dial-test.c: addresses over ssh. */
#include "base/test.h"
#include "cli/dial.h"

TEST(ssh_addresses) {
        static const struct {
                const char *url, *user, *host, *port, *path;
        } cases[] = {
                { "ssh://far", NULL, "far", NULL, NULL },
                { "ssh://me@far:22", "me", "far", "22", NULL },
                { "ssh://far/", NULL, "far", NULL, NULL },
                { "ssh://[fd00::1]:2222/run/x.sock", NULL, "fd00::1", "2222", "/run/x.sock" },
                { "ssh://a@b@far", "a@b", "far", NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                SshAddress address = { 0 };
                Error err = { 0 };

                ASSERT_OK(ssh_address_parse(cases[i].url, &address, &err), &err);
                ASSERT(str_equal(address.user, cases[i].user));
                ASSERT(str_equal(address.port, cases[i].port));
                ASSERT(str_equal(address.path, cases[i].path));
                ASSERT_STR(address.host, cases[i].host);
                ssh_address_done(&address);
        }
}

TEST(ssh_addresses_refused) {
        static const char *const urls[] = { "ssh://",       "ssh://me:word@far", "ssh://-oX=y",
                                            "ssh://-l@far", "ssh://far:x",       "ssh://@far",
                                            "ssh://far?x",  "ssh://far:0",       "tcp://far" };

        for (size_t i = 0; i < ELEMENTS(urls); i++) {
                SshAddress address = { 0 };
                Error err = { 0 };

                ASSERT(ssh_address_parse(urls[i], &address, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST_MAIN()
