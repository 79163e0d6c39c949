/* git-answers-test.c: refs and submodules out of what git prints; git's configuration. */
#include "image/git-answers.h"

#include <errno.h>

#include "base/clock.h"
#include "base/test.h"
#include "image/git-job.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddd"

static const char listing[] = "ref: refs/heads/main\tHEAD\n" A "\tHEAD\n" A "\trefs/heads/main\n" B
                              "\trefs/heads/v1\n" C "\trefs/tags/v1\n" D "\trefs/tags/v1^{}\n" C
                              "\trefs/tags/v2\n" D "\trefs/tags/v2^{}\n" B "\trefs/remotes/x/main\n"
                              "short\trefs/heads/bad\nno tab\n";

/* "name object commit", or the error. */
static char *find(const char *text, const char *ref) {
        _cleanup_(git_found_done) GitFound found = {};
        Error err = {};

        if (git_refs_find(text, ref, &found, &err) < 0)
                return str_copy(err.message);
        return str_format("%s %.1s %.1s", found.name ?: "-", found.object, found.commit);
}

TEST(refs) {
        static const struct {
                const char *ref, *expected;
        } cases[] = {
                { NULL, "refs/heads/main a a" },
                { "HEAD", "refs/heads/main a a" },
                { "main", "refs/heads/main a a" },
                /* A branch before a tag, as git has it. */
                { "v1", "refs/heads/v1 b b" },
                { "tags/v1", "refs/tags/v1 c d" },
                { "refs/tags/v1", "refs/tags/v1 c d" },
                { "v2", "refs/tags/v2 c d" },
                { "remotes/x/main", "refs/remotes/x/main b b" },
                { "ddddddd", "refs/tags/v1 d d" },
                { "dddddd", "repository does not contain ref dddddd; a commit that no ref points "
                            "at is named by all of its 40 digits" },
                { "x/main", "repository does not contain ref x/main; a commit that no ref points "
                            "at is named by all of its 40 digits" },
                { "bad", "repository does not contain ref bad; a commit that no ref points at is "
                         "named by all of its 40 digits" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *found = find(listing, cases[i].ref);

                ASSERT_STR(found, cases[i].expected);
        }
}

TEST(odd_listings) {
        static const char several[] = "aaaaaaaa00000000000000000000000000000000\trefs/heads/a\n"
                                      "aaaaaaaa11111111111111111111111111111111\trefs/heads/b\n";
        _cleanup_free_ char *empty = find("", NULL), *bare = find(A "\tHEAD\n", NULL);
        _cleanup_free_ char *two = find(several, "aaaaaaaa");
        _cleanup_free_ char *bad = find("ref: refs/heads/--x y\tHEAD\n" A "\tHEAD", NULL);

        ASSERT(str_after(empty, "repository has no HEAD"));
        ASSERT_STR(bare, "- a a");
        ASSERT(str_after(two, "several refs begin with the digits"));
        ASSERT_STR(bad, "- a a");
}

static Buf of(const char *text, size_t length) {
        Buf buf = {};

        buf_add(&buf, text, length);
        return buf;
}
#define OF(text) of(text, sizeof(text) - 1)

/* "path url commit" of each, or the error. */
static char *modules(Buf config, Buf tree) {
        GitModules read = {};
        _cleanup_buf_ Buf shown = {};
        Error err = {};
        int r = git_modules_read(&config, &tree, &read, &err);

        buf_done(&config);
        buf_done(&tree);
        if (r < 0)
                return str_copy(err.message);
        for (size_t i = 0; i < read.count; i++)
                buf_format(&shown, "[%s %s %.1s]", read.items[i].path, read.items[i].url,
                           read.items[i].commit);
        git_modules_done(&read);
        return buf_take(&shown);
}

TEST(submodules) {
        _cleanup_free_ char *read = modules(
                OF("submodule.a.b.path\nlib/a b\0submodule.a.b.url\n../old\0"
                   "submodule.a.b.url\n../a\0submodule.../../x.path\ny/\0submodule.../../x.url\nu\0"
                   "submodule.gone.path\ngone\0submodule.gone.url\nu\0submodule.half.path\nhalf\0"
                   "submodule.twin.path\ny\0submodule.twin.url\nother\0core.bare\0x"),
                OF("100644 blob " A "\tlib/file\0"
                   "160000 commit " B "\tlib/a b\0"
                   "160000 commit " C "\ty\0"
                   "160000 commit short\tgone\0"
                   "160000 commit " D "\tunnamed\0"));

        ASSERT_STR(read, "[lib/a b ../a b][y u c]");
}

TEST(submodules_that_lead_out) {
        static const char *const paths[] = { "../x",   "/x",   "a/../../x", ".git/hooks",
                                             "a/.GIT", "a//b", "./a",       "." };

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                Buf config = {};
                _cleanup_free_ char *read = NULL;

                buf_format(&config, "submodule.a.path\n%s", paths[i]);
                buf_add(&config, "\0submodule.a.url\nu", sizeof("\0submodule.a.url\nu"));
                read = modules(config, OF("160000 commit " A "\tx\0"));
                ASSERT(str_after(read, "the repository has a submodule at '"));
        }
}

TEST(too_many_submodules) {
        Buf config = {};
        _cleanup_free_ char *read = NULL;

        for (int i = 0; i < 1002; i++) {
                buf_format(&config, "submodule.%d.path\n%d", i, i);
                buf_add_char(&config, '\0');
        }
        read = modules(config, OF(""));
        ASSERT_STR(read, "the repository has more than 1000 submodules");
}

TEST(configuration) {
        char *headers[] = { (char *)"https://h/ Authorization: basic \"\\x", NULL };
        char *bad[] = { (char *)"https://h/ Authorization: a\n[core]", NULL };
        _cleanup_buf_ Buf text = {}, refused = {}, kept = {};

        ASSERT_INT(git_config_text("https://h/x.git", headers, &text, NULL), 0);
        ASSERT(strstr(text.data, "[remote \"origin\"]\n\turl = \"https://h/x.git\"\n"));
        ASSERT(strstr(text.data, "[http \"https://h/\"]\n\tfollowRedirects = false\n\textraHeader "
                                 "= \"Authorization: basic "
                                 "\\\"\\\\x\"\n"));
        ASSERT(git_config_text("https://h/x.git", bad, &refused, NULL) < 0);
        git_kept_config("https://h/x.git", true, &kept);
        ASSERT(strstr(kept.data, "objectformat = sha256"));
}

/* ---- running: with a shell in git's place ---- */

static int stop(void *data, const char *line) {
        return ++*(int *)data > 1 ? -1 : 0;
}

static int shell(const char *script, GitRunner runner, GitOutput *output, Error *err) {
        char *arguments[] = { (char *)"-c", (char *)script, NULL };
        static char *const environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };

        runner.program = "/bin/sh";
        runner.environment = environment;
        runner.idle = runner.idle ?: INT64_MAX / 4;
        runner.total = runner.total ?: INT64_MAX / 4;
        runner.output_max = runner.output_max ?: 1 << 20;
        return git_run(&runner, arguments, NULL, output, err);
}

TEST(running) {
        _cleanup_(git_output_done) GitOutput output = {}, failed = {};
        Error err = {};
        int ticks = 0;

        ASSERT_OK(shell("echo a; echo b >&2; printf %s \"$0\"", (GitRunner){}, &output, &err),
                  &err);
        ASSERT_STR(output.text.data, "a\ngit");
        ASSERT(shell("printf 'Receiving: 1%%\\rremote: noise\\nfatal: bad \\033[1m\\n' >&2; exit 3",
                     (GitRunner){}, &failed, &err) < 0);
        ASSERT_STR(failed.complaint, "fatal: bad ?[1m");
        ASSERT(shell("kill -9 $$", (GitRunner){}, NULL, &err) < 0);
        ASSERT_STR(err.message, "git failed without a word");
        ASSERT(shell("yes", (GitRunner){ .output_max = 1000 }, NULL, &err) < 0);
        ASSERT(strstr(err.message, "too large"));
        ASSERT(shell("sleep 60", (GitRunner){ .idle = 1 }, NULL, &err) < 0);
        ASSERT(strstr(err.message, "git was silent for"));
        ASSERT(shell("while :; do echo; done", (GitRunner){ .total = 1, .output_max = SIZE_MAX },
                     NULL, &err) < 0);
        ASSERT(strstr(err.message, "git took more than"));
        ASSERT_INT(shell("sleep 60", (GitRunner){ .alive = stop, .data = &ticks }, NULL, &err),
                   -ECANCELED);
        /* What it leaves in its group goes with it. */
        ASSERT_OK(shell("sleep 60 >/dev/null 2>&1 &", (GitRunner){}, NULL, &err), &err);
        ASSERT(shell("exec 1>&- 2>&-; sleep 60", (GitRunner){ .total = NSEC_PER_MSEC }, NULL,
                     &err) < 0);
}

TEST_MAIN()
