/* remap-test.c: lines of subuid(5). */
#include <errno.h>
#include <stdlib.h>

#include "base/test.h"
#include "daemon/remap.h"

static int read_lines(const char *text, IdRange **ret, size_t *ret_count, Error *err) {
        return subid_read("/etc/subuid", text, "web", 1000, ret, ret_count, err);
}

TEST(ranges_of_a_user_are_one_run_of_ids) {
        static const char text[] = "# who:first:count\nother:100000:65536\n\nweb:165536:1000\n"
                                   "1000:300000:10\nwebber:400000:1\n";
        _cleanup_free_ IdRange *ranges = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_OK(read_lines(text, &ranges, &count, &err), &err);
        ASSERT_INT(count, 2);
        ASSERT_INT(ranges[0].inside, 0);
        ASSERT_INT(ranges[0].outside, 165536);
        ASSERT_INT(ranges[0].count, 1000);
        ASSERT_INT(ranges[1].inside, 1000);
        ASSERT_INT(ranges[1].outside, 300000);
        ASSERT_INT(ranges[1].count, 10);
}

TEST(a_line_that_is_none_is_refused_whosever_it_is) {
        static const char *const bad[] = {
                "web:100000\n",
                "web:100000:10:1\n",
                ":100000:10\n",
                "web:x:10\n",
                "web:100000:0\n",
                "web:-1:10\n",
                "web:100000:10 \n",
                "web:100000:-5\n",
                "web:4294967290:10\n",
                "web:4294967295:1\n",
                "web:1:4294967295\n",
                "web:18446744073709551616:1\n",
                "other:nonsense:10\nweb:100000:10\n",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                IdRange *ranges = NULL;
                size_t count = 0;
                Error err = {};

                ASSERT_INT(read_lines(bad[i], &ranges, &count, &err), -EINVAL);
                ASSERT(strstr(err.message, "NAME:FIRST:COUNT"));
                ASSERT(!ranges);
        }
}

TEST(the_hosts_root_and_overlaps_are_refused) {
        IdRange *ranges = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_INT(read_lines("web:0:65536\n", &ranges, &count, &err), -EINVAL);
        ASSERT(strstr(err.message, "host's root"));
        ASSERT_INT(read_lines("web:100000:10\nweb:100009:10\n", &ranges, &count, &err), -EINVAL);
        ASSERT(strstr(err.message, "overlap"));
}

TEST(a_user_without_a_range_is_told_what_to_do) {
        IdRange *ranges = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_INT(read_lines("other:100000:10\n", &ranges, &count, &err), -ENOENT);
        ASSERT(strstr(err.message, "usermod --add-subuids"));
}

TEST(users_that_are_not_there_are_named) {
        static const struct {
                const char *text, *words;
        } rows[] = {
                { "no-such-user-here", "no user 'no-such-user-here'" },
                { "root:no-such-group-here", "no group 'no-such-group-here'" },
                { "2147483000", "uid 2147483000 has no entry" },
                { "a:b:c", "invalid user or group 'a:b:c'" },
                { "root:", "invalid user or group 'root:'" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Remap remap = {};
                Error err = {};

                ASSERT_INT(remap_resolve(rows[i].text, &remap, &err), -EINVAL);
                ASSERT(strstr(err.message, rows[i].words));
        }
}

TEST(root_is_remapped_to_nobody) {
        Remap remap = {};
        Error err = {};

        ASSERT_OK(remap_resolve("root", &remap, &err), &err);
        ASSERT_INT(remap.uid_count, 0);
}

TEST_MAIN()
