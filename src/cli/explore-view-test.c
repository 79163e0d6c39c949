/* explore-view-test.c: the screen of brig image explore: keys, what is shown after them, sizes. */
#include "base/test.h"
#include "cli/cells.h"
#include "cli/explore-example.h"
#include "cli/explore-view.h"

typedef struct Work {
        Report report;
        View view;
} Work;

static void work_init(Work *work) {
        Error err = {};

        *work = (Work){};
        if (example_report(&work->report, &err) < 0)
                abort();
        view_init(&work->view, &work->report);
        view_resize(&work->view, 24, 100);
}

static void work_done(Work *work) {
        view_done(&work->view);
        report_done(&work->report);
}

#define WORK(name)                                                                                 \
        _cleanup_(work_done) Work name;                                                            \
        work_init(&name)

/* The screen without what colours it; lines end in \n. The caller's. */
static char *screen(const View *view) {
        _cleanup_buf_ Buf drawn = {};
        Buf out = {};

        view_draw(view, &drawn);
        for (const char *at = drawn.data; *at; at++) {
                if (*at == '\033')
                        while (!strchr("mHJ", *at))
                                at++;
                else if (*at != '\r')
                        buf_add_char(&out, *at);
        }
        return buf_take(&out);
}

static bool shows(const View *view, const char *text) {
        _cleanup_free_ char *drawn = screen(view);

        return strstr(drawn, text) != NULL;
}

static void type(View *view, const char *keys) {
        for (; *keys; keys++)
                (void)view_key(view, (unsigned char)*keys);
}

/* Names of the lines of the tree, with what changed each. */
static char *lines(const View *view) {
        Buf out = {};

        for (size_t i = 0; i < view->tree.line_count; i++) {
                const TreeNode *node = &view->tree.nodes[view->tree.lines[i]];

                buf_format(&out, "%s%.3s:%s", i > 0 ? " " : "", report_change_names[node->change],
                           str_after(node->path, "etc/<") ? "etc/X" : node->path);
        }
        return buf_take(&out);
}

#define ASSERT_LINES(view, expected)                                                               \
        do {                                                                                       \
                _cleanup_free_ char *lines_ = lines(view);                                         \
                ASSERT_STR(lines_, expected);                                                      \
        } while (0)

TEST(shows_each_layer) {
        WORK(work);

        ASSERT_LINES(&work.view, "add:bin add:bin/su add:etc");
        ASSERT(shows(&work.view, "  1     1kB      0B ADD x in /"));
        (void)view_key(&work.view, KEY_DOWN);
        ASSERT_LINES(&work.view,
                     "unm:bin unm:bin/su add:bin/tool unm:etc add:etc/X add:etc/id_rsa");
        (void)view_key(&work.view, KEY_DOWN);
        ASSERT_LINES(&work.view,
                     "unm:bin unm:bin/su cha:bin/tool unm:etc unm:etc/X rem:etc/id_rsa");
        (void)view_key(&work.view, KEY_DOWN); /* there is no fourth */
        ASSERT_INT(work.view.layer, 2);
        ASSERT(shows(&work.view, "Size 300B, of it wasted 300B"));
        ASSERT(shows(&work.view, "Efficiency 80.00%"));
        ASSERT(shows(&work.view, "Digest sha256:ccc"));
        ASSERT(shows(&work.view, "RUN rm /etc/id_rsa"));
}

TEST(toggles_kinds_of_change) {
        WORK(work);

        (void)view_key(&work.view, KEY_END);
        type(&work.view, "u");
        ASSERT_LINES(&work.view, "unm:bin cha:bin/tool unm:etc rem:etc/id_rsa");
        type(&work.view, "r");
        ASSERT_LINES(&work.view, "unm:bin cha:bin/tool");
        type(&work.view, "c");
        ASSERT_LINES(&work.view, "");
        ASSERT(shows(&work.view, "nothing to show"));
        type(&work.view, "ur");
        ASSERT_LINES(&work.view, "unm:bin unm:bin/su unm:etc unm:etc/X rem:etc/id_rsa");
}

TEST(folds_directories) {
        WORK(work);

        (void)view_key(&work.view, KEY_END);
        (void)view_key(&work.view, KEY_TAB);
        (void)view_key(&work.view, KEY_LEFT);
        ASSERT_LINES(&work.view, "unm:bin unm:etc unm:etc/X rem:etc/id_rsa");
        (void)view_key(&work.view, KEY_END);
        (void)view_key(&work.view, KEY_LEFT); /* to the directory */
        ASSERT_INT(work.view.line, 1);
        (void)view_key(&work.view, ' ');
        ASSERT_LINES(&work.view, "unm:bin unm:etc");
        ASSERT(shows(&work.view, "▸ etc/"));
        type(&work.view, "+");
        ASSERT_INT(work.view.tree.line_count, 6);
        type(&work.view, "-");
        ASSERT_INT(work.view.tree.line_count, 2);
        (void)view_key(&work.view, KEY_RIGHT);
        ASSERT_INT(work.view.tree.line_count, 4);
}

TEST(filters) {
        WORK(work);

        (void)view_key(&work.view, KEY_END);
        type(&work.view, "/TOOlq");
        ASSERT(shows(&work.view, "/TOOlq_"));
        ASSERT_LINES(&work.view, "");
        (void)view_key(&work.view, KEY_BACKSPACE);
        ASSERT_LINES(&work.view, "unm:bin cha:bin/tool");
        (void)view_key(&work.view, KEY_ENTER);
        type(&work.view, "-"); /* a filter finds what is folded away, too */
        ASSERT_LINES(&work.view, "unm:bin cha:bin/tool");
        (void)view_key(&work.view, KEY_ESCAPE);
        ASSERT_LINES(&work.view, "unm:bin unm:etc");
}

TEST(sorts_by_size) {
        WORK(work);

        (void)view_key(&work.view, KEY_DOWN);
        type(&work.view, "o");
        ASSERT_LINES(&work.view,
                     "unm:bin unm:bin/su add:bin/tool unm:etc add:etc/X add:etc/id_rsa");
        ASSERT_INT(work.view.tree.nodes[work.view.tree.lines[0]].size, 1200);
        (void)view_key(&work.view, KEY_DOWN);
        ASSERT_INT(work.view.tree.nodes[0].size, 1420);
        ASSERT(shows(&work.view, "o size"));
}

TEST(says_what_was_found_and_steers_no_terminal) {
        _cleanup_buf_ Buf drawn = {};
        WORK(work);

        (void)view_key(&work.view, KEY_DOWN);
        type(&work.view, "/id_rsa\r");
        type(&work.view, "G");
        ASSERT(shows(&work.view, " etc/id_rsa: added, wasted 30B, secret: an SSH private key by "));
        (void)view_key(&work.view, KEY_ESCAPE);
        view_draw(&work.view, &drawn);
        ASSERT(!strstr(drawn.data, "\033[2J"));
        ASSERT(strstr(drawn.data, "script><b>\\x1b[2J"));
}

TEST(shows_modes_where_there_is_room) {
        WORK(work);

        ASSERT(!shows(&work.view, "-rwsr-xr-x"));
        view_resize(&work.view, 24, 140);
        ASSERT(shows(&work.view, "+ -rwsr-xr-x       0:0     1kB     su  !"));
}

/* Every line of every size fills the width exactly. */
TEST(fits_any_window) {
        for (unsigned columns = 50; columns < 180; columns += 13)
                for (unsigned rows = 10; rows < 60; rows += 7) {
                        _cleanup_free_ char *drawn = NULL;
                        _cleanup_strv_ char **split = NULL;
                        WORK(work);

                        view_resize(&work.view, rows, columns);
                        (void)view_key(&work.view, KEY_END);
                        drawn = screen(&work.view);
                        split = str_split(drawn, '\n');
                        ASSERT_INT(strv_length(split), rows);
                        for (size_t i = 0; i < rows; i++)
                                ASSERT_INT(cells_width(split[i]), columns);
                }
}

/* Whole, with every kind of change, in each width that has room for any file: "…" cuts. */
TEST(fits_the_footer) {
        static const struct {
                unsigned columns;
                const char *on, *off;
        } cases[] = {
                { 120, "r:removed s:same u:unmodified", "r:off s:same u:unmodified" },
                { 100, "r:rem s:same u:rest", "r:off s:same u:rest" },
                { 80, "r:rem s:same u:rest", "r:off s:same u:rest" },
                { 78, "acrsu", "ac-su" },
                { 50, "acrsu", "ac-su" },
        };
        WORK(work);

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int off = 0; off < 2; off++) {
                        _cleanup_free_ char *drawn = NULL;
                        const char *footer;

                        view_resize(&work.view, 24, cases[i].columns);
                        drawn = screen(&work.view);
                        footer = strrchr(drawn, '\n');
                        ASSERT(footer && strstr(footer, " q quit"));
                        ASSERT(strstr(footer, off ? cases[i].off : cases[i].on));
                        ASSERT(!strstr(footer, "…"));
                        type(&work.view, "r");
                }
}

TEST(says_that_a_window_is_too_small) {
        WORK(work);

        view_resize(&work.view, 3, 20);
        ASSERT(shows(&work.view, "the window is too s…"));
        type(&work.view, "jkG\t/x");
        view_resize(&work.view, 1, 1);
        ASSERT(shows(&work.view, "…"));
}

TEST(leaves) {
        WORK(work);

        ASSERT(!view_key(&work.view, 'x'));
        ASSERT(view_key(&work.view, 'q'));
        ASSERT(view_key(&work.view, KEY_INTERRUPT));
}

TEST(reads_keys) {
        static const struct {
                const char *bytes;
                bool flush;
                size_t used;
                int key;
        } cases[] = {
                { "a", false, 1, 'a' },
                { "\033[A", false, 3, KEY_UP },
                { "\033OB", false, 3, KEY_DOWN },
                { "\033[5~x", false, 4, KEY_PAGE_UP },
                { "\033", false, 0, KEY_NONE },
                { "\033", true, 1, KEY_ESCAPE },
                { "\033[", false, 0, KEY_NONE },
                { "\033[", true, 1, KEY_ESCAPE },
                { "\033[1;5A", false, 6, KEY_NONE },
                { "\033x", false, 1, KEY_ESCAPE },
                { "\n", false, 1, KEY_ENTER },
                { "\b", false, 1, KEY_BACKSPACE },
                { "", true, 0, KEY_NONE },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int key = 0;

                ASSERT_INT(
                        view_key_read(cases[i].bytes, strlen(cases[i].bytes), cases[i].flush, &key),
                        cases[i].used);
                ASSERT_INT(key, cases[i].key);
        }
}

TEST_MAIN()
