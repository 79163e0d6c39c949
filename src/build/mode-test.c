/* mode-test.c: modes as chmod(1) takes them. */
#include "base/test.h"
#include "build/tree.h"

static int applied(const char *text, unsigned mode, bool directory) {
        unsigned result = 0;
        int r = mode_apply(text, mode, directory, &result, NULL);

        return r < 0 ? r : (int)result;
}

TEST(octal) {
        ASSERT_INT(applied("755", 0600, false), 0755);
        ASSERT_INT(applied("0", 0777, false), 0);
        ASSERT_INT(applied("04755", 0, true), 04755);
        ASSERT_INT(applied("7777", 0, false), 07777);
}

TEST(symbolic) {
        static const struct {
                const char *text;
                unsigned mode, result;
        } all[] = {
                { "u+x", 0644, 0744 },     { "+x", 0644, 0755 },       { "a-w", 0666, 0444 },
                { "go-rwx", 0755, 0700 },  { "g=u", 0640, 0660 },      { "u=rwx,go=rx", 0, 0755 },
                { "o=", 0777, 0770 },      { "u+s", 0755, 04755 },     { "g+s", 0755, 02755 },
                { "+t", 0755, 01755 },     { "o+t", 0755, 01755 },     { "u+t", 0755, 0755 },
                { "a=r,u+w", 0777, 0644 }, { "u-s,g-s", 06755, 0755 }, { "u=rw", 04755, 0655 },
                { "g+w-x", 0755, 0765 },   { "ug=o", 0704, 0444 },     { "+X", 0644, 0644 },
                { "+X", 0744, 0755 },      { "u+", 0644, 0644 },       { "u=g,g=u", 0640, 0440 },
                { "uo+rw", 0400, 0606 },   { "a+rX", 0600, 0644 },     { "a+rX", 0700, 0755 },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int result = applied(all[i].text, all[i].mode, false);

                if (result != (int)all[i].result)
                        printf("# %s on %o: %o\n", all[i].text, all[i].mode, (unsigned)result);
                ASSERT_INT(result, (int)all[i].result);
        }
}

TEST(directories_are_entered) {
        ASSERT_INT(applied("go=rX", 0700, true), 0755);
        ASSERT_INT(applied("a=rX", 0600, true), 0555);
        ASSERT_INT(applied("g=u", 02755, true), 0775);
}

TEST(the_type_does_not_count) {
        ASSERT_INT(applied("u+x", 0100644, false), 0744);
        ASSERT_INT(applied("u+x", 040644, true), 0744);
}

TEST(bad_modes) {
        static const char *const all[] = { "",     "u",       "x",    "u+z",  "8",      "10000",
                                           "755,", ",",       "u+x,", "+x u", "777777", "u=gx",
                                           "0x1",  "u+x,755", " 755", "a" };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                Error err = {};
                unsigned result = 42;

                ASSERT(mode_apply(all[i], 0644, false, &result, &err) < 0);
                ASSERT(err.kind == ERROR_INVALID && strstr(err.message, "chmod(1)"));
                ASSERT_INT(result, 42);
        }
}

TEST_MAIN()
