/* user-test.c: who a process is, by the passwd and group files of an image. */
#include "base/test.h"
#include "engine/ocispec.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "# a comment\n"
                             "broken:x:notanumber:0::/:\n"
                             "web:x:1000:1001:web:/www:/bin/sh\n"
                             "big:x:99999999999999999999:0::/:\n"
                             "12:x:77:77::/:";
static const char group[] = "root:x:0:\nwheel:x:10:root\nweb:x:1001:\nextra:x:2000:web,other\n";

static void user_done(OciUser *user) {
        free(user->additional_gids.items);
        free(user->username);
}
#define USER(name) _cleanup_(user_done) OciUser name = { 0 }

#define ASSERT_GIDS(user, ...)                                                                     \
        do {                                                                                       \
                const int64_t wanted_[] = { __VA_ARGS__ };                                         \
                const int64_t *gids_ = (user).additional_gids.items;                               \
                ASSERT_INT((user).additional_gids.count, ELEMENTS(wanted_));                       \
                for (size_t i_ = 0; i_ < ELEMENTS(wanted_); i_++)                                  \
                        ASSERT_INT(gids_[i_], wanted_[i_]);                                        \
        } while (0)

TEST(names_and_numbers) {
        Error err = { 0 };
        USER(root);
        ASSERT_OK(user_lookup(passwd, group, "", NULL, USER_ID_MAX, &root, &err), &err);
        ASSERT_INT(root.uid, 0);
        ASSERT_GIDS(root, 0, 10);
        USER(web);
        ASSERT_OK(user_lookup(passwd, group, "web", NULL, USER_ID_MAX, &web, &err), &err);
        ASSERT_INT(web.uid, 1000);
        ASSERT_INT(web.gid, 1001);
        ASSERT_GIDS(web, 1001, 2000);
        USER(number);
        ASSERT_OK(user_lookup(passwd, group, "1000", NULL, USER_ID_MAX, &number, &err), &err);
        ASSERT_INT(number.gid, 1001);
        USER(unknown);
        ASSERT_OK(user_lookup(passwd, group, "1234:5678", NULL, USER_ID_MAX, &unknown, &err), &err);
        ASSERT_INT(unknown.uid, 1234);
        ASSERT_GIDS(unknown, 5678);
        USER(digits);
        ASSERT_OK(user_lookup(passwd, group, "12", NULL, USER_ID_MAX, &digits, &err), &err);
        ASSERT_INT(digits.uid, 77); /* a name that looks like a number is a name */
}

TEST(a_given_group_is_alone) {
        Error err = { 0 };
        USER(web);
        ASSERT_OK(user_lookup(passwd, group, "web:root", NULL, USER_ID_MAX, &web, &err), &err);
        ASSERT_INT(web.gid, 0);
        ASSERT_GIDS(web, 0);
}

TEST(groups_to_add) {
        Error err = { 0 };
        char *add[] = { (char *)"extra", (char *)"3000", (char *)"0", NULL };
        USER(user);
        ASSERT_OK(user_lookup(passwd, group, "5:5", add, USER_ID_MAX, &user, &err), &err);
        ASSERT_GIDS(user, 5, 2000, 3000, 0);
}

TEST(without_files) {
        Error err = { 0 };
        USER(user);
        ASSERT_OK(user_lookup(NULL, NULL, NULL, NULL, USER_ID_MAX, &user, &err), &err);
        ASSERT_INT(user.uid, 0);
}

TEST(refused) {
        static const struct {
                const char *user, *words;
        } cases[] = {
                { "nobody", "unable to find user nobody: no matching entries in passwd file" },
                { "big", "unable to find user big: no matching entries in passwd file" },
                { "web:nogroup",
                  "unable to find group nogroup: no matching entries in group file" },
                { "2147483648", "uids and gids must be in range 0-2147483647" },
                { "4294967296", "uids and gids must be in range 0-2147483647" },
                { "18446744073709551616", "uids and gids must be in range 0-2147483647" },
                { "1:4294967296", "uids and gids must be in range 0-2147483647" },
                { "-1", "unable to find user -1: no matching entries in passwd file" },
                { "+0", "unable to find user +0: no matching entries in passwd file" },
                { " 0", "unable to find user  0: no matching entries in passwd file" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error err = { 0 };
                USER(user);
                ASSERT(user_lookup(passwd, group, cases[i].user, NULL, USER_ID_MAX, &user, &err) <
                       0);
                ASSERT_STR(err.message, cases[i].words);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

/* A file's owner may be any number but the one that is none. */
TEST(takes_larger_numbers_of_owners) {
        Error err = { 0 };
        USER(user);

        ASSERT_OK(user_lookup(passwd, group, "4294967294:2147483648", NULL, OWNER_ID_MAX, &user,
                              &err),
                  &err);
        ASSERT_INT(user.uid, 4294967294);
        ASSERT_INT(user.gid, 2147483648);
        USER(none);
        ASSERT(user_lookup(passwd, group, "1:4294967295", NULL, OWNER_ID_MAX, &none, &err) < 0);
        ASSERT_STR(err.message, "uids and gids must be in range 0-4294967294");
}

TEST_MAIN()
