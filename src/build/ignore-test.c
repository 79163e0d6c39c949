/* ignore-test.c: what patterns take, which of several decides, and what a file's lines mean. */
#include <time.h>

#include "base/test.h"
#include "build/ignore.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* patterns: parted by '|'. */
static IgnorePatterns *list(const char *patterns) {
        _cleanup_strv_ char **split = str_split(patterns, '|');
        IgnorePatterns *made = NULL;

        return ignore_from_list(split, &made, NULL) < 0 ? NULL : made;
}

static bool ignored(const char *patterns, const char *path) {
        _cleanup_(ignore_freep) IgnorePatterns *made = list(patterns);

        return ignore_matches(made, path, NULL);
}

static bool one(const char *pattern, const char *path) {
        bool matches = false;

        return ignore_match_one(pattern, path, &matches, NULL) == 0 && matches;
}

static bool bad(const char *pattern) {
        bool matches;
        Error err = {};

        return ignore_match_one(pattern, "x", &matches, &err) < 0 && err.kind == ERROR_INVALID;
}

TEST(one_name) {
        ASSERT(one("main.c", "main.c") && !one("main.c", "main.h") && !one("main.c", "a/main.c"));
        ASSERT(one("*.c", "main.c") && one("*", "x") && !one("*.c", "src/main.c"));
        ASSERT(one("ma?n.c", "main.c") && !one("ma?n.c", "man.c") && !one("a?b", "a/b"));
        ASSERT(one("v[0-9].[!x]", "v1.!") && one("[a-cx]", "x") && !one("[a-cx]", "d"));
        ASSERT(one("[^a-c]", "d") && !one("[^a-c]", "b") && one("[^a]", "/"));
        ASSERT(one("a.c", "a.c") && !one("a.c", "abc") && one("x(1)+{2}$|", "x(1)+{2}$|"));
        ASSERT(one("\\*", "*") && !one("\\*", "a") && one("[\\]\\-]", "-") && one("a]", "a]"));
}

TEST(characters_are_not_bytes) {
        ASSERT(one("a?b", "a\xe2\x82\xac"
                          "b") &&
               !one("a??b", "a\xe2\x82\xac"
                            "b"));
        ASSERT(one("[\xce\xb1-\xcf\x89]", "\xce\xb2") && !one("[\xce\xb1-\xcf\x89]", "b"));
        ASSERT(one("*\xce\xb2", "\xce\xb1\xce\xb2") && !one("*\xce\xb2", "\xce\xb1"));
        ASSERT(one("a?", "a\xff") && !one("a?", "a\xff\xff"));
}

TEST(two_stars) {
        ASSERT(one("**", "x") && one("**", "a/b/c") && one("**/", "a/b"));
        ASSERT(one("**/x", "x") && one("**/x", "a/b/x") && !one("**/x", "a/bx"));
        ASSERT(one("a/**/x", "a/x") && one("a/**/x", "a/b/c/x") && !one("a/**/x", "ab/x"));
        ASSERT(one("a/**", "a/b/c") && !one("a/**", "a") && one("a**", "abc/d"));
        ASSERT(one("**/*.md", "README.md") && one("**/*.md", "doc/x.md"));
        ASSERT(!one("**/*.md", "doc/x.md/y"));
        /* Its tail may begin within a name only where nothing else in it is special. */
        ASSERT(one("**log", "catalog") && !one("**log*", "catalog") && one("**log*", "a/log1"));
}

TEST(bad_patterns) {
        static const char *const all[] = { "[",    "[]",   "[^", "[a",  "[a-",     "[-]",
                                           "[x-]", "[-x]", "\\", "a[b", "[a-b-c]", "[z-a]" };

        for (size_t i = 0; i < ELEMENTS(all); i++)
                ASSERT(bad(all[i]));
        ASSERT(!list("ok|!") && !list("  ["));
}

TEST(the_last_one_decides) {
        ASSERT(ignored("*.c", "a.c") && !ignored("*.c|!a.c", "a.c") && ignored("!a.c|*.c", "a.c"));
        ASSERT(ignored("*|!a|a/b", "a/b") && !ignored("*|!a|a/b", "a/c"));
        ASSERT(ignored("*|!*.md|README*.md", "README-x.md"));
        ASSERT(!ignored("", "a") && !ignore_matches(NULL, "a", NULL));
}

TEST(directories_take_what_is_in_them) {
        ASSERT(ignored("node_modules", "node_modules/a/b.js"));
        ASSERT(ignored("src/*", "src/a/b/c") && !ignored("src/*", "src"));
        ASSERT(ignored("**/tmp/", "a/tmp/x") && ignored("./docs//x/..", "docs/a"));
        ASSERT(!ignored("docs|!docs/a.md", "docs/a.md"));
}

static bool walked(const char *patterns, const char *directory) {
        _cleanup_(ignore_freep) IgnorePatterns *made = list(patterns);
        bool descend = false;

        return ignore_matches(made, directory, &descend) && descend;
}

TEST(walks_only_where_something_comes_back) {
        ASSERT(!walked("docs", "docs") && walked("docs|!docs/a.md", "docs"));
        ASSERT(walked("docs|!docs/*/keep", "docs/x") && !walked("docs|!docs/*/keep", "docs/x/y"));
        ASSERT(!walked("docs|!other/a.md", "docs") && walked("docs|!**/a.md", "docs/x"));
        /* What comes before the pattern that excludes gives nothing back. */
        ASSERT(!walked("!docs/a.md|docs", "docs"));
}

TEST(lines_of_a_file) {
        static const char text[] = "\xef\xbb\xbf# all of it\n\n  build/ \r\n/top\n!  /build/keep\n"
                                   " # not a comment\n*.o";
        _cleanup_(ignore_freep) IgnorePatterns *made = NULL;

        ASSERT(ignore_parse(text, strlen(text), &made, NULL) == 0);
        ASSERT(ignore_matches(made, "build/x", NULL) && !ignore_matches(made, "build/keep", NULL));
        ASSERT(ignore_matches(made, "top", NULL) && ignore_matches(made, "# not a comment", NULL));
        ASSERT(ignore_matches(made, "a.o", NULL) && !ignore_matches(made, "all of it", NULL));
        ASSERT(ignore_has_exceptions(made) && !ignore_covers_all(made));
}

TEST(errors_name_the_line) {
        IgnorePatterns *made = NULL;
        Error err = {};

        ASSERT(ignore_parse("a\n#\nb[\n", 7, &made, &err) < 0 && err.kind == ERROR_INVALID);
        ASSERT(str_after(err.message, "line 3: ") && strstr(err.message, "'b['"));
        ASSERT(ignore_parse("!\n", 2, &made, &err) < 0 && str_after(err.message, "line 1: "));
}

TEST(covers_all) {
        static const char *const all[] = { "*", "a|**", "**/*", "./*/" };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                _cleanup_(ignore_freep) IgnorePatterns *made = list(all[i]);
                ASSERT(ignore_covers_all(made) && !ignore_has_exceptions(made));
        }
}

TEST(clean_paths) {
        static const char *const pairs[][2] = {
                { "", "." },
                { "a//b/../c/", "a/c" },
                { "../../a", "../../a" },
                { "/../a", "/a" },
                { "a/..", "." },
                { "./.", "." },
                { "/", "/" },
                { "/a/../..", "/" },
                { "a/../../b", "../b" },
                { "..a/b./", "..a/b." },
        };

        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                _cleanup_free_ char *clean = ignore_clean_path(pairs[i][0]);
                ASSERT(str_equal(clean, pairs[i][1]));
        }
}

/* A pattern that makes a backtracking matcher try for years. */
TEST(hostile_patterns_end) {
        _cleanup_buf_ Buf pattern = {}, path = {};

        for (unsigned i = 0; i < 600; i++) {
                buf_add_str(&pattern, "**/*a");
                buf_add_str(&path, "a/aa");
        }
        buf_add_str(&pattern, "b");
        ASSERT(!one(pattern.data, path.data));
        pattern.data[pattern.length - 1] = '*';
        ASSERT(one(pattern.data, path.data));
}

/* The least processor time of some looks at a path that is not matched. */
static int64_t time_look(const IgnorePatterns *patterns, const char *path) {
        int64_t least = INT64_MAX;

        for (unsigned i = 0; i < 5; i++) {
                struct timespec before, after;

                (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
                if (ignore_matches(patterns, path, NULL))
                        return INT64_MAX;
                (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
                least = MIN(least, (after.tv_sec - before.tv_sec) * INT64_C(1000000000) +
                                           after.tv_nsec - before.tv_nsec);
        }
        return least;
}

/* Of a path of that depth, of which no directory matches, but each could. */
static int64_t time_depth(const IgnorePatterns *patterns, unsigned depth) {
        _cleanup_buf_ Buf path = {};

        buf_add_str(&path, "x");
        for (unsigned i = 0; i < depth; i++)
                buf_add_str(&path, "/x");
        return time_look(patterns, path.data);
}

/* Of so many trees in a row. */
static int64_t time_trees(unsigned count) {
        _cleanup_(ignore_freep) IgnorePatterns *patterns = NULL;
        _cleanup_buf_ Buf pattern = {};

        for (unsigned i = 0; i < count; i++)
                buf_add_str(&pattern, "**/");
        buf_add_str(&pattern, "?z");
        patterns = list(pattern.data);
        return time_look(patterns, "a/b");
}

/* Whoever sends a context chooses how deep it is: the time must not grow with the depth's square.
 * Ten times as deep takes about ten times as long, and a hundred times where each directory above
 * is read by itself. */
TEST(deep_paths_are_read_once) {
        _cleanup_(ignore_freep) IgnorePatterns *patterns = list("*/**/?x|*/**/?y");

        ASSERT(time_depth(patterns, 2000) < 40 * time_depth(patterns, 200));
        ASSERT(ignore_matches(patterns, "x/x/x/yx/x", NULL));
}

/* Each begins where each of those before it may have ended: ten times as many take ten times as
 * long, and a hundred times where the row is walked for each. */
TEST(rows_of_trees_are_walked_once) {
        ASSERT(time_trees(5000) < 40 * time_trees(500));
}

TEST(a_directory_above_decides) {
        ASSERT(ignored("a/*", "a/b/c/d"));
        ASSERT(ignored("a/b", "a/b/c"));
        ASSERT(!ignored("a/b", "a/bc"));
        ASSERT(!ignored("a/?", "a/bc/d"));
        ASSERT(ignored("*/[b]", "a/b/c"));
        ASSERT(!ignored("a/b/c", "a/b"));
}

TEST_MAIN()
