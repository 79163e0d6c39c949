/* git-source-test.c: repositories, refs and directories in URLs; what is refused. */
#include "format/git-source.h"

#include "base/test.h"

/* "remote ref=… dir=… sum=… keep modules=no user=…", or "-": no repository, or the error. */
static char *read_text(const char *text, bool context) {
        GitSource source = {};
        Error err = {};
        _cleanup_buf_ Buf shown = {};
        int r = git_source_parse(text, context, &source, &err);

        if (r < 0)
                return str_copy(err.message);
        if (r == 0)
                return str_copy("-");
        buf_add_str(&shown, source.remote.url);
        if (source.ref)
                buf_format(&shown, " ref=%s", source.ref);
        if (source.subdir)
                buf_format(&shown, " dir=%s", source.subdir);
        if (source.checksum)
                buf_format(&shown, " sum=%s", source.checksum);
        if (source.keep_given)
                buf_format(&shown, " keep=%d", source.keep_git_dir);
        if (source.no_submodules)
                buf_add_str(&shown, " alone");
        if (source.remote.user)
                buf_format(&shown, " user=%s", source.remote.user);
        git_source_done(&source);
        return buf_take(&shown);
}

#define ASSERT_READ(text, context, expected)                                                       \
        do {                                                                                       \
                _cleanup_free_ char *read_ = read_text(text, context);                             \
                ASSERT_STR(read_, expected);                                                       \
        } while (0)

#define SHA "0123456789abcdef0123456789abcdef01234567"

TEST(what_is_a_repository) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "https://h/x", "-" },
                { "https://h/x.git", "https://h/x.git" },
                { "HTTPS://h/x.git", "https://h/x.git" },
                { "http://h:80/x.git", "http://h:80/x.git" },
                { "https://h/x.git/", "-" },
                { "https://h/x.git.tar", "-" },
                { "https://x.git", "-" },
                { "https://h/x.tar#x.git", "-" },
                { "https://h/x.git?a.tar", "unexpected query \"a.tar\": a git repository's has "
                                           "ref, tag, branch, subdir, checksum, commit, "
                                           "keep-git-dir, submodules and mtime" },
                { "git://h/x", "git://h/x" },
                { "ssh://git@h/x", "ssh://git@h/x" },
                { "SSH://h:22/x", "ssh://h:22/x" },
                { "git@h:x", "git@h:x" },
                { "me-_2@h.example:a/b.git", "me-_2@h.example:a/b.git" },
                { "git@h", "-" },
                { "./git@h:x", "-" },
                { "ftp://h/x.git", "-" },
                { "file:///x.git", "-" },
                { "ext::sh -c true", "-" },
                { "x.git", "-" },
                { "github.com/a/b", "-" },
                { "", "-" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_READ(cases[i].text, false, cases[i].expected);
        ASSERT_READ("github.com/a/b#main", true, "https://github.com/a/b ref=main");
        ASSERT_READ("./github.com/a/b", true, "-");
}

TEST(ref_and_directory) {
        ASSERT_READ("https://h/x.git#", false, "https://h/x.git");
        ASSERT_READ("https://h/x.git#v1", false, "https://h/x.git ref=v1");
        ASSERT_READ("https://h/x.git#a/b:c/d", false, "https://h/x.git ref=a/b dir=c/d");
        ASSERT_READ("https://h/x.git#:c", false, "https://h/x.git dir=c");
        ASSERT_READ("https://h/x.git#:/", false, "https://h/x.git");
        ASSERT_READ("https://h/x.git#m:/../../c/./../d/", false, "https://h/x.git ref=m dir=d");
        ASSERT_READ("https://h/x.git#m:a:b", false, "https://h/x.git ref=m dir=a:b");
        ASSERT_READ("https://h/x.git#a%2Fb", false, "https://h/x.git ref=a/b");
        ASSERT_READ("git@h:x#v1:d", false, "git@h:x ref=v1 dir=d");
        ASSERT_READ("https://h/x.git?ref=v1&subdir=/c", false, "https://h/x.git ref=v1 dir=c");
        ASSERT_READ("https://h/x.git?subdir=c#v1", false, "https://h/x.git ref=v1 dir=c");
        ASSERT_READ("git@h:x.git?tag=v1", false, "git@h:x.git ref=refs/tags/v1");
        ASSERT_READ("git@h:x.git?branch=a%2fb", false, "git@h:x.git ref=refs/heads/a/b");
        ASSERT_READ("https://h/x.git?keep-git-dir&submodules=0&mtime=commit", false,
                    "https://h/x.git keep=1 alone");
        ASSERT_READ("https://h/x.git?keep-git-dir=false&submodules", false,
                    "https://h/x.git keep=0");
        ASSERT_READ("https://h/x.git?checksum=ABC#v1", false, "https://h/x.git ref=v1 sum=abc");
        ASSERT_READ("https://h/x.git?commit=" SHA, false, "https://h/x.git ref=" SHA " sum=" SHA);
}

TEST(users_are_no_part_of_the_address) {
        GitSource source = {};
        _cleanup_free_ char *shown = NULL;

        ASSERT_READ("https://u:p%40q@h:1/x.git", false, "https://h:1/x.git user=u:p@q");
        ASSERT_READ("https://token@h/x.git", false, "https://h/x.git user=token:");
        ASSERT_INT(git_source_parse("https://u:p@h:1/x.git#m:d", false, &source, NULL), GIT_SOURCE);
        ASSERT_STR(source.remote.host, "h:1");
        ASSERT_STR(source.remote.origin, "https://h:1/");
        shown = git_source_text(&source);
        ASSERT_STR(shown, "https://h:1/x.git#m:d");
        git_source_done(&source);
}

TEST(what_is_refused) {
        static const struct {
                const char *text, *part;
        } cases[] = {
                { "https://h/x.git#--upload-pack=touch /x", "it begins with '-'" },
                { "https://h/x.git#a..b", "it has '..'" },
                { "https://h/x.git#a//b", "a part of it is empty" },
                { "https://h/x.git#/a", "a part of it is empty" },
                { "https://h/x.git#a.lock", "'.lock'" },
                { "https://h/x.git#a*", "a character that no ref has" },
                { "https://h/x.git#a%0ab", "a character that no ref has" },
                { "https://h/x.git#a%00b", "invalid URL escape \"%00\"" },
                { "https://h/x.git#a%4", "invalid URL escape \"%4\"" },
                { "https://h/x y.git", "a space" },
                { "https://h/x\".git", "a quote" },
                { "https:///x.git", "no host" },
                { "https://-h/x.git", "its host begins with '-'" },
                { "https://h$x/x.git", "a letter that no host has" },
                { "ssh://-oProxyCommand=x/y", "its host begins with '-'" },
                { "ssh://-x@h/y", "its user begins with '-'" },
                { "ssh://u:p@h/y", "no password" },
                { "ssh://h", "no path" },
                { "-x@h:y", "begins with '-'" },
                { "x@-h:y", "begins with '-'" },
                { "x@h:-y", "begins with '-'" },
                { "x@h:", "no path" },
                { "git://u@h/y", "git:// has no users" },
                { "https://h/x.git?ref=a#b", "ref conflicts: \"b\" vs \"a\"" },
                { "https://h/x.git?ref=a&tag=a", "ref conflicts" },
                { "https://h/x.git?tag=a&branch=a", "branch conflicts with tag" },
                { "https://h/x.git?subdir=a#m:b", "subdir conflicts" },
                { "https://h/x.git?ref=", "query \"ref\" has no value" },
                { "https://h/x.git?ref=a&ref=a", "query \"ref\" has multiple values" },
                { "https://h/x.git?submodules=maybe", "invalid submodules value: \"maybe\"" },
                { "https://h/x.git?checksum=xyz", "expected hex commit hash" },
                { "https://h/x.git?mtime=checkout", "leave it out" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *message = read_text(cases[i].text, false);

                if (!strstr(message, cases[i].part))
                        printf("# '%s': %s\n", cases[i].text, message);
                ASSERT(strstr(message, cases[i].part));
        }
}

TEST(long_names) {
        _cleanup_free_ char *long_name = str_format("%01001d", 0);
        _cleanup_free_ char *long_path = str_format("https://h/%04096d.git", 0);
        _cleanup_free_ char *message = read_text(long_path, false);

        ASSERT(git_ref_check(long_name, NULL) < 0);
        ASSERT_INT(git_ref_check(long_name + 1, NULL), 0);
        ASSERT(strstr(message, "longer than 4096"));
}

TEST(commits) {
        ASSERT(git_is_commit(SHA));
        ASSERT(git_is_commit(SHA "0123456789abcdef01234567"));
        ASSERT(!git_is_commit(SHA "0"));
        ASSERT(!git_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
        ASSERT(!git_is_commit(NULL));
}

TEST(submodules) {
        static const struct {
                const char *base, *url, *expected;
        } cases[] = {
                { "https://h/a/b.git", "https://i/c", "https://i/c" },
                { "https://h/a/b.git", "./c", "https://h/a/b.git/c" },
                { "https://h/a/b.git/", "../c.git", "https://h/a/c.git" },
                { "https://h/a/b.git", "../../x/c.git", "https://h/x/c.git" },
                { "git@h:a/b.git", "../c.git", "git@h:a/c.git" },
                { "git@h:a.git", "../c.git", "git@h:c.git" },
                { "ssh://git@h/a/b", "../.././c", "ssh://git@h/c" },
        };
        GitRemote remote = {};

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *joined = git_remote_join(cases[i].base, cases[i].url);

                ASSERT_STR(joined, cases[i].expected);
        }
        /* More steps up than there are lead to no repository. */
        _cleanup_free_ char *above = git_remote_join("https://h/a", "../../../../../c");
        ASSERT(git_remote_parse(above, &remote, NULL) < 0);
        ASSERT(git_remote_parse("/etc", &remote, NULL) < 0);
        ASSERT(git_remote_parse("file:///etc", &remote, NULL) < 0);
        ASSERT(git_remote_parse("ext::sh", &remote, NULL) < 0);
}

TEST_MAIN()
