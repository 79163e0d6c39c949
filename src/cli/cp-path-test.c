/* cp-path-test.c: what two paths of cp mean together. */
#include "cli/cp-path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"

TEST(arguments) {
        static const struct {
                const char *text, *container, *path;
        } rows[] = {
                { "c:/a", "c", "/a" }, { "/a:b", NULL, "/a:b" }, { "./a:b", NULL, "./a:b" },
                { "a", NULL, "a" },    { "c:", "c", "" },        { "c:a:b", "c", "a:b" },
                { "-", NULL, "-" },    { ":/a", "", "/a" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *container = NULL, *path = NULL;

                cp_argument_split(rows[i].text, &container, &path);
                ASSERT_STR(container, rows[i].container);
                ASSERT_STR(path, rows[i].path);
        }
}

TEST(clean_and_split) {
        static const struct {
                const char *path, *clean, *directory, *name;
        } rows[] = {
                { "/a/b", "/a/b", "/a", "b" },
                { "/a/b/", "/a/b", "/a", "b" },
                { "/a/b/.", "/a/b", "/a/b", "." },
                { "/a/../../b", "/b", "/", "b" },
                { "a//./b", "a/b", "a", "b" },
                { "a", "a", ".", "a" },
                { "../a", "../a", "..", "a" },
                { "a/../../b", "../b", "..", "b" },
                { "/", "/", "/", "/" },
                { "/.", "/", "/", "." },
                { ".", ".", ".", "." },
                { "/a/..", "/", "/", "/" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *clean = cp_path_clean(rows[i].path);
                _cleanup_free_ char *directory = NULL, *name = NULL;

                ASSERT_STR(clean, rows[i].clean);
                cp_path_split(rows[i].path, &directory, &name);
                ASSERT_STR(directory, rows[i].directory);
                ASSERT_STR(name, rows[i].name);
        }
}

TEST(links) {
        _cleanup_free_ char *one = cp_path_join_link("/a/b", "c"),
                            *two = cp_path_join_link("/a/b", "../c"),
                            *three = cp_path_join_link("/a/b", "/c");
        _cleanup_(cp_end_done) CpEnd same = {}, other = {}, dotted = {};

        ASSERT_STR(one, "/a/c");
        ASSERT_STR(two, "/c");
        ASSERT_STR(three, "/c");
        cp_end_follow(&same, "/a/b", "/x/b");
        ASSERT_STR(same.path, "/x/b");
        ASSERT_STR(same.name, NULL);
        cp_end_follow(&other, "/a/b/", "/x/c");
        ASSERT_STR(other.path, "/x/c/");
        ASSERT_STR(other.name, "b");
        cp_end_follow(&dotted, "/a/b/.", "/x/c");
        ASSERT_STR(dotted.path, "/x/c/.");
        ASSERT_STR(dotted.name, NULL);
}

TEST(plans) {
        static const struct {
                bool source_directory, exists, directory;
                const char *destination, *into, *name, *error;
        } rows[] = {
                { false, true, true, "/d", "/d", NULL, NULL },
                { true, true, true, "/d/", "/d/", NULL, NULL },
                { false, true, false, "/d/f", "/d", "f", NULL },
                { true, true, false, "/d/f", NULL, NULL, "cannot copy directory" },
                { true, false, false, "/d/new/", "/d", "new", NULL },
                { false, false, false, "/d/new", "/d", "new", NULL },
                { false, false, false, "/d/new/", NULL, NULL, "no such directory" },
                { false, false, false, "/d/new/.", NULL, NULL, "no such directory" },
                { false, false, false, "", NULL, NULL, "no such directory" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const CpEnd source = { .path = (char *)"/s",
                                       .directory = rows[i].source_directory };
                const CpEnd destination = { (char *)rows[i].destination, rows[i].exists,
                                            rows[i].directory, NULL };
                _cleanup_free_ char *into = NULL, *name = NULL;
                Error err = {};
                int r = cp_plan(&source, &destination, &into, &name, &err);

                ASSERT_INT(r < 0, rows[i].error != NULL);
                ASSERT_STR(into, rows[i].into);
                ASSERT_STR(name, rows[i].name);
                ASSERT_STR(err.message, rows[i].error ?: "");
        }
}

TEST(local_ends) {
        char top[] = "/tmp/cp-path-test.XXXXXX";
        _cleanup_free_ char *directory = NULL, *link = NULL, *slashed = NULL, *gone = NULL,
                            *loop = NULL;
        _cleanup_(cp_end_done) CpEnd plain = {}, followed = {}, behind = {}, end = {};
        Error err = {};

        ASSERT(mkdtemp(top));
        directory = str_format("%s/real", top);
        link = str_format("%s/link", top);
        slashed = str_format("%s/", link);
        gone = str_format("%s/none/x", top);
        loop = str_format("%s/loop", top);
        ASSERT_INT(mkdir(directory, 0700), 0);
        ASSERT_INT(symlink("real", link), 0);
        ASSERT_INT(symlink("loop", loop), 0);
        ASSERT_OK(cp_local_source(link, false, &plain, &err), &err);
        ASSERT(!plain.directory && str_ends(plain.path, "/link") && !plain.name);
        ASSERT_OK(cp_local_source(link, true, &followed, &err), &err);
        ASSERT(followed.directory && str_ends(followed.path, "/real"));
        ASSERT_STR(followed.name, "link");
        ASSERT_OK(cp_local_source(slashed, false, &behind, &err), &err);
        ASSERT(behind.directory);
        ASSERT_STR(behind.name, "link");
        ASSERT_INT(cp_local_source(gone, false, &end, &err) < 0, true);
        ASSERT(strstr(err.message, "no such file or directory"));
        ASSERT_OK(cp_local_destination(link, &end, &err), &err);
        ASSERT(end.exists && end.directory);
        ASSERT_STR(end.path, directory);
        cp_end_done(&end);
        ASSERT_INT(cp_local_destination(gone, &end, &err) < 0, true);
        ASSERT_INT(cp_local_destination(loop, &end, &err) < 0, true);
        ASSERT(str_after(err.message, "too many symlinks in "));
        ASSERT_OK(dir_remove_at(AT_FDCWD, top, &err), &err);
}

TEST_MAIN()
