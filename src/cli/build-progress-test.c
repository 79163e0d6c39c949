/* build-progress-test.c: the views fed with a build's events, the clock standing where the test
 * puts it: the text that comes out. */
#include "base/test.h"
#include "cli/build-progress.h"
#include "format/digest.h"

#define START (1000 * NSEC_PER_SEC)
#define AT(ms) (START + (ms)*NSEC_PER_MSEC)

static void feed(BuildDisplay *display, BuildProgress event, int64_t ms) {
        event.time = AT(ms);
        build_display_event(display, &event);
}

#define EVENT(ms_, kind_, ...)                                                                     \
        feed(&display, (BuildProgress){ .kind = (char *)(kind_), __VA_ARGS__ }, ms_)
#define TEXT(text_) .text = (char *)(text_)
#define NAME(name_) .name = (char *)(name_)

/* What was written since the last time; the caller's. */
static char *written(BuildDisplay *display) {
        return buf_take(&display->out);
}

#define ASSERT_WRITTEN(expected)                                                                   \
        do {                                                                                       \
                _cleanup_free_ char *written_ = written(&display);                                 \
                ASSERT_STR(written_, expected);                                                    \
        } while (0)

TEST(plain_steps_in_turn) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        EVENT(0, "planned", .total = 3);
        EVENT(0, "cached", NAME("[1/3] FROM busybox"));
        EVENT(10, "started", .step = 1, NAME("[2/3] RUN make"),
              .why = (char *)"file src/main.c changed");
        EVENT(133, "output", .step = 1, TEXT("one\ntw"));
        EVENT(200, "output", .step = 1, TEXT("o\n"));
        EVENT(250, "output", .step = 1, TEXT("dGhyZWX/Cg=="), .encoded = true);
        EVENT(300, "output", .step = 1, TEXT("rest"));
        EVENT(410, "done", .step = 1);
        EVENT(500, "image", TEXT("sha256:abc"));
        EVENT(500, "tagged", TEXT("docker.io/library/x:latest"));
        EVENT(600, "end", .image = (char *)"sha256:abc");
        build_display_end(&display, AT(700));
        ASSERT_WRITTEN("#1 [1/3] FROM busybox\n#1 CACHED\n\n"
                       "#2 [2/3] RUN make\n#2 miss: file src/main.c changed\n"
                       "#2 0.123 one\n#2 0.123 two\n#2 0.240 three\xff\n#2 0.290 rest\n"
                       "#2 DONE 0.4s\n\n"
                       "#3 exporting to image\n#3 writing image sha256:abc done\n"
                       "#3 naming to docker.io/library/x:latest done\n#3 DONE 0.1s\n\n");
        ASSERT_STR(display.image, "sha256:abc");
        ASSERT(!display.error);
}

TEST(plain_steps_at_once) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        EVENT(0, "started", .step = 0, NAME("[a] RUN a"));
        EVENT(0, "started", .step = 1, NAME("[b] RUN b"));
        EVENT(1000, "output", .step = 1, TEXT("from b\n"));
        EVENT(2000, "output", .step = 0, TEXT("from a\n"));
        ASSERT_WRITTEN("#1 [a] RUN a\n#1 2.000 from a\n");
        ASSERT_INT(build_display_tick(&display, AT(2000)), 3001);
        ASSERT_WRITTEN("");
        ASSERT_INT(build_display_tick(&display, AT(5000)), -1);
        ASSERT_WRITTEN("#1 ...\n\n#2 [b] RUN b\n#2 1.000 from b\n");
        EVENT(6000, "done", .step = 0);
        EVENT(7000, "done", .step = 1);
        ASSERT_WRITTEN("#2 DONE 7.0s\n\n#1 [a] RUN a\n#1 DONE 6.0s\n\n");
}

TEST(plain_transfers) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        EVENT(0, "started", .step = 0, NAME("[1/1] FROM x"));
        EVENT(10, "status", .step = 0, .status = (char *)"pulling", TEXT("abc"), .current = 5,
              .total = 2000);
        EVENT(20, "status", .step = 0, .status = (char *)"pulling", TEXT("abc"), .current = 2000,
              .total = 2000);
        EVENT(30, "status", .step = 0, .status = (char *)"pulling", TEXT("abc"), .current = 2000,
              .total = 2000);
        EVENT(40, "status", .step = 0, .status = (char *)"resolving");
        EVENT(50, "done", .step = 0);
        ASSERT_WRITTEN("#1 [1/1] FROM x\n#1 pulling abc 2kB done\n#1 resolving\n#1 DONE 0.1s\n\n");
}

static const char dockerfile[] = "FROM x\nRUN a\n\nRUN b \\\n c\nRUN d\nRUN e\nRUN f\nRUN g\n";

TEST(a_failed_step_and_its_place) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        display.source_name = "Dockerfile";
        display.source = dockerfile;
        EVENT(0, "started", .step = 0, NAME("[1/2] RUN b c"), .line = 4, .end_line = 5);
        EVENT(500, "output", .step = 0, TEXT("no\n"));
        EVENT(600, "failed", .step = 0, TEXT("exit code: 2"), .line = 4, .end_line = 5);
        EVENT(600, "end", .error = (char *)"process \"/bin/sh -c b c\" ended: exit code: 2");
        build_display_end(&display, AT(700));
        ASSERT_WRITTEN("#1 [1/2] RUN b c\n#1 0.500 no\n#1 ERROR: exit code: 2\n\n"
                       "------\n > [1/2] RUN b c:\n0.500 no\n------\n"
                       "Dockerfile:4\n--------------------\n"
                       "   1 |     FROM x\n   2 |     RUN a\n   3 |     \n"
                       "   4 | >>> RUN b \\\n   5 | >>>  c\n"
                       "   6 |     RUN d\n   7 |     RUN e\n   8 |     RUN f\n"
                       "--------------------\n"
                       "ERROR: failed to build: process \"/bin/sh -c b c\" ended: exit code: 2\n");
}

TEST(warnings_at_the_end) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        EVENT(0, "warning", TEXT("JSONArgsRecommended: JSON arguments"), .line = 3);
        EVENT(0, "warning", TEXT("one more"));
        EVENT(0, "end", .image = (char *)"x");
        build_display_end(&display, AT(0));
        ASSERT_WRITTEN("\n 2 warnings found (build with --debug to expand):\n"
                       " - JSONArgsRecommended: JSON arguments (line 3)\n - one more\n\n");
}

TEST(quiet_says_nothing) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_quiet, START);
        EVENT(0, "cached", NAME("[1/1] FROM x"));
        EVENT(0, "warning", TEXT("one"));
        EVENT(0, "end", .image = (char *)"x");
        build_display_end(&display, START);
        ASSERT_WRITTEN("");
        ASSERT_STR(display.image, "x");
}

/* ---- BuildKit's objects ---- */

static char *raw_digest(int64_t step) {
        _cleanup_free_ char *text = str_format("brig build %lld step %lld", START, (long long)step);
        char digest[DIGEST_TEXT_MAX];

        digest_of(text, strlen(text), digest);
        return str_copy(digest);
}

#define ASSERT_LINE(...)                                                                           \
        do {                                                                                       \
                _cleanup_free_ char *line_ = str_format(__VA_ARGS__);                              \
                ASSERT_WRITTEN(line_);                                                             \
        } while (0)

#define T0 "1970-01-01T00:16:40Z"

TEST(raw_lines) {
        _cleanup_(build_display_done) BuildDisplay display = {};
        int64_t zero = 0;

        build_display_init(&display, &build_view_raw, START);
        display.source_name = "Dockerfile";
        display.source = "FROM x\n";
        _cleanup_free_ char *definition = raw_digest(INT64_MIN);
        _cleanup_free_ char *from = raw_digest(0), *run = raw_digest(1), *export = raw_digest(-1);

        EVENT(0, "planned", .total = 2);
        ASSERT_LINE("{\"vertexes\":[{\"digest\":\"%s\",\"name\":\"[internal] load build definition "
                    "from "
                    "Dockerfile\",\"started\":\"" T0 "\",\"completed\":\"" T0 "\"}]}\n",
                    definition);
        EVENT(0, "warning", TEXT("Rule: no"), .line = 1);
        ASSERT_LINE(
                "{\"warnings\":[{\"vertex\":\"%s\",\"level\":1,\"short\":\"UnVsZTogbm8gKGxpbmUgMSk="
                "\","
                "\"sourceInfo\":{\"filename\":\"Dockerfile\",\"data\":\"RlJPTSB4Cg==\","
                "\"language\":"
                "\"Dockerfile\"},\"range\":[{\"start\":{\"line\":1},\"end\":{\"line\":1}}]}]}\n",
                definition);
        EVENT(0, "cached", NAME("[1/2] FROM x"));
        ASSERT_LINE("{\"vertexes\":[{\"digest\":\"%s\",\"name\":\"[1/2] FROM x\",\"started\":\"" T0
                    "\",\"completed\":\"" T0 "\",\"cached\":true}]}\n",
                    from);
        EVENT(500, "started", .step = 1, NAME("[2/2] RUN y"), .inputs = { &zero, 1 });
        ASSERT_LINE(
                "{\"vertexes\":[{\"digest\":\"%s\",\"inputs\":[\"%s\"],\"name\":\"[2/2] RUN y\","
                "\"started\":\"1970-01-01T00:16:40.5Z\"}]}\n",
                run, from);
        EVENT(600, "output", .step = 1, .stream = 2, TEXT("dGhyZWX/Cg=="), .encoded = true);
        ASSERT_LINE("{\"logs\":[{\"vertex\":\"%s\",\"stream\":2,\"data\":\"dGhyZWX/"
                    "Cg==\",\"timestamp\":"
                    "\"1970-01-01T00:16:40.6Z\"}]}\n",
                    run);
        EVENT(700, "done", .step = 1);
        ASSERT_LINE(
                "{\"vertexes\":[{\"digest\":\"%s\",\"inputs\":[\"%s\"],\"name\":\"[2/2] RUN y\","
                "\"started\":\"1970-01-01T00:16:40.5Z\",\"completed\":\"1970-01-01T00:16:40.7Z\"}]}"
                "\n",
                run, from);
        EVENT(700, "image", TEXT("sha256:abc"));
        ASSERT_LINE(
                "{\"vertexes\":[{\"digest\":\"%s\",\"name\":\"exporting to image\",\"started\":"
                "\"1970-01-01T00:16:40.7Z\"}]}\n"
                "{\"statuses\":[{\"id\":\"writing image "
                "sha256:abc\",\"vertex\":\"%s\",\"current\":0,"
                "\"timestamp\":\"1970-01-01T00:16:40.7Z\",\"started\":\"1970-01-01T00:16:40.7Z\","
                "\"completed\":\"1970-01-01T00:16:40.7Z\"}]}\n",
                export, export);
        EVENT(800, "end", .image = (char *)"sha256:abc");
        build_display_end(&display, AT(900));
        ASSERT_LINE("{\"vertexes\":[{\"digest\":\"%s\",\"name\":\"exporting to image\",\"started\":"
                    "\"1970-01-01T00:16:40.7Z\",\"completed\":\"1970-01-01T00:16:40.8Z\"}]}\n",
                    export);
}

TEST(raw_failure) {
        _cleanup_(build_display_done) BuildDisplay display = {};
        _cleanup_free_ char *text = NULL;

        build_display_init(&display, &build_view_raw, START);
        EVENT(0, "started", .step = 0, NAME("RUN a"));
        EVENT(0, "started", .step = 1, NAME("RUN b"), .why = (char *)"no entry");
        EVENT(10, "status", .step = 1, .status = (char *)"pulling", .current = 5, .total = 9);
        EVENT(100, "failed", .step = 0, TEXT("exit code: 2"));
        EVENT(100, "end", .error = (char *)"it failed");
        build_display_end(&display, AT(100));
        text = written(&display);
        ASSERT(strstr(text, "{\"id\":\"miss: no entry\",\"vertex\":\"sha256:"));
        ASSERT(strstr(text, "\"total\":9,\"current\":5,"));
        ASSERT(strstr(text, "\"error\":\"exit code: 2\"}]}\n{\"vertexes\":"));
        ASSERT(str_ends(text,
                        "\"error\":\"context canceled\"}]}\nERROR: failed to build: it failed\n"));
}

/* ---- what is read of a context ---- */

TEST(reading_in_lines_and_on_a_terminal) {
        _cleanup_(build_display_done) BuildDisplay plain = {}, terminal = {};

        {
                BuildDisplay display = {};

                build_display_init(&display, &build_view_plain, START);
                EVENT(0, "reading", NAME("[internal] load build context"), .current = 17000000);
                EVENT(100, "reading", NAME("[internal] load build context"), .current = 18000000);
                EVENT(6000, "reading", NAME("[internal] load build context"),
                      .current = 1800000000);
                EVENT(7000, "reading", NAME("[internal] load build context"), .current = 2000000000,
                      .total = 2000000000);
                EVENT(7000, "cached", NAME("[1/1] FROM x"));
                EVENT(7000, "end", .image = (char *)"x");
                build_display_end(&display, AT(7000));
                plain = display;
        }
        ASSERT_STR(plain.out.data,
                   "#1 [internal] load build context\n#1 reading files 17MB\n"
                   "#1 reading files 1.8GB\n#1 reading files 2GB done\n#1 DONE 7.0s\n\n"
                   "#2 [1/1] FROM x\n#2 CACHED\n\n");
        {
                BuildDisplay display = {};

                build_display_init(&display, &build_view_terminal, START);
                display.columns = 51;
                EVENT(0, "reading", NAME("[internal] load build context"), .current = 17000000);
                (void)build_display_tick(&display, AT(100));
                terminal = display;
        }
        ASSERT_STR(terminal.out.data,
                   "\033[?25l\r[+] Building 0.1s (0/1)\033[K\n"
                   " => [internal] load build context             0.1s\033[K\n"
                   " => => reading files 17MB                     0.1s\033[K\n\033[J\033[?25h");
}

/* ---- the terminal ---- */

TEST(frames) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_terminal, START);
        display.columns = 41;
        EVENT(0, "planned", .total = 3);
        EVENT(0, "cached", NAME("[1/3] FROM busybox"));
        EVENT(0, "started", .step = 1, NAME("[2/3] RUN make"));
        EVENT(5, "output", .step = 1, TEXT("one\ntwo"));
        ASSERT_INT(build_display_tick(&display, AT(100)), 100);
        ASSERT_WRITTEN("\033[?25l\r[+] Building 0.1s (1/3)\033[K\n"
                       " => CACHED [1/3] FROM busybox       0.0s\033[K\n"
                       " => [2/3] RUN make                  0.1s\033[K\n"
                       " => => # one\033[K\n => => # two\033[K\n\033[J\033[?25h");
        /* Not before its time. */
        ASSERT_INT(build_display_tick(&display, AT(130)), 70);
        ASSERT_WRITTEN("");
        EVENT(150, "output", .step = 1, TEXT("\rTWO\n"));
        EVENT(160, "done", .step = 1);
        EVENT(150, "started", .step = 2, NAME("[3/3] RUN a command that is far too long"));
        ASSERT_INT(build_display_tick(&display, AT(200)), 100);
        ASSERT_WRITTEN("\033[?25l\033[5A\r[+] Building 0.2s (2/3)\033[K\n"
                       " => CACHED [1/3] FROM busybox       0.0s\033[K\n"
                       " => [2/3] RUN make                  0.2s\033[K\n"
                       " => [3/3] RUN a command that is fa… 0.1s\033[K\n\033[J\033[?25h");
        /* A narrower terminal has broken two of the lines in two, and those of 40 columns too. */
        display.columns = 25;
        EVENT(250, "done", .step = 2);
        EVENT(300, "end", .image = (char *)"x");
        build_display_end(&display, AT(300));
        ASSERT_WRITTEN("\033[?25l\033[7A\r[+] Building 0.3s (3/3)…\033[K\n"
                       " => CACHED [1/3] F… 0.0s\033[K\n => [2/3] RUN make  0.2s\033[K\n"
                       " => [3/3] RUN a co… 0.1s\033[K\n\033[J\033[?25h");
}

TEST(a_low_terminal_shows_what_runs) {
        _cleanup_(build_display_done) BuildDisplay display = {};
        _cleanup_free_ char *text = NULL;
        size_t lines = 0;

        build_display_init(&display, &build_view_terminal, START);
        display.rows = 10;
        for (int64_t i = 0; i < 30; i++) {
                _cleanup_free_ char *name = str_format("step %d.", (int)i);

                EVENT(0, i < 28 ? "cached" : "started", .step = i, NAME(name));
        }
        for (int64_t i = 28; i < 30; i++)
                EVENT(0, "output", .step = i, TEXT("1\n2\n3\n4\n5\n6\n7\n"));
        (void)build_display_tick(&display, AT(0));
        text = written(&display);
        for (const char *at = text; (at = strchr(at, '\n')); at++)
                lines++;
        ASSERT_INT(lines, 8); /* the head, two that run with two lines each, one that was cached */
        ASSERT(strstr(text, "step 28.") && strstr(text, "step 29.") && strstr(text, "step 27."));
        ASSERT(!strstr(text, "step 26."));
        ASSERT(strstr(text, "# 7\033[K") && !strstr(text, "# 5\033[K"));
}

TEST(colors_and_what_was_canceled) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_terminal, START);
        display.columns = 31;
        display.color = true;
        EVENT(0, "started", .step = 0, NAME("RUN a"));
        EVENT(0, "started", .step = 1, NAME("RUN b"));
        EVENT(100, "failed", .step = 0, TEXT("no"));
        EVENT(100, "end", .error = (char *)"no");
        build_display_end(&display, AT(100));
        ASSERT_WRITTEN("\033[?25l\r[+] Building 0.1s (1/2)\033[K\n"
                       "\033[31m => ERROR RUN a           0.1s\033[0m\033[K\n"
                       "\033[33m => CANCELED RUN b        0.1s\033[0m\033[K\n\033[J\033[?25h"
                       "------\n > RUN a:\n------\nERROR: failed to build: no\n");
}

static char *shown(const char *text) {
        Buf buf = {};

        terminal_text_add(&buf, text, strlen(text));
        return buf_take(&buf);
}

#define ASSERT_SHOWN(text, expected)                                                               \
        do {                                                                                       \
                _cleanup_free_ char *shown_ = shown(text);                                         \
                ASSERT_STR(shown_, expected);                                                      \
        } while (0)

/* Names, errors and the Dockerfile are anybody's. */
TEST(what_would_steer_a_terminal_is_shown_as_text) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        display.source_name = "Dockerfile";
        display.source = "FROM x\n\tRUN \033]0;t\007\n";
        EVENT(0, "started", .step = 0, NAME("[1/2] RUN \033]0;t\007"), .why = (char *)"a\033[2J");
        EVENT(600, "failed", .step = 0, TEXT("no \r\033[1m"), .line = 2, .end_line = 2);
        EVENT(600, "end", .error = (char *)"ended\033c");
        build_display_end(&display, AT(700));
        ASSERT_WRITTEN("#1 [1/2] RUN \\x1b]0;t\\x07\n#1 miss: a\\x1b[2J\n#1 ERROR: no "
                       "\\x0d\\x1b[1m\n\n"
                       "------\n > [1/2] RUN \\x1b]0;t\\x07:\n------\n"
                       "Dockerfile:2\n--------------------\n"
                       "   1 |     FROM x\n   2 | >>> \tRUN \\x1b]0;t\\x07\n"
                       "--------------------\n"
                       "ERROR: failed to build: ended\\x1bc\n");
}

TEST(what_moves_is_one_thing_whatever_its_name) {
        _cleanup_(build_display_done) BuildDisplay display = {};

        build_display_init(&display, &build_view_plain, START);
        EVENT(0, "started", .step = 0, NAME("RUN a"));
        EVENT(0, "status", .step = 0, .status = (char *)"a\033b", .current = 1, .total = 2);
        EVENT(0, "status", .step = 0, .status = (char *)"a\033b", .current = 2, .total = 2);
        ASSERT_INT(display.steps[0]->item_count, 1);
        ASSERT_STR(display.steps[0]->items[0].label, "a\\x1bb");
}

TEST(text_that_a_terminal_must_not_obey) {
        ASSERT_SHOWN("\xed\xa0\x80|\xe0\x80\x80|\xc2\x9b|\xc3\xa9", "???|???||\xc3\xa9");
        ASSERT_SHOWN("plain", "plain");
        ASSERT_SHOWN("\033[31mred\033[0m", "red");
        ASSERT_SHOWN("\033]0;title\007x\033]8;;u\033\\y", "xy");
        ASSERT_SHOWN("a\033", "a");
        ASSERT_SHOWN("a\033[", "a");
        ASSERT_SHOWN("a\tb", "a       b");
        ASSERT_SHOWN("10%\r20%\r", "20%");
        ASSERT_SHOWN("a\bb\x7f\x01", "ab");
        ASSERT_SHOWN("gr\xc3\xbc\xc3\x9f"
                     "e",
                     "gr\xc3\xbc\xc3\x9f"
                     "e");
        ASSERT_SHOWN("\xc2\x9b"
                     "31m",
                     "31m");
        ASSERT_SHOWN("\xff\xc3", "??");
}

TEST_MAIN()
