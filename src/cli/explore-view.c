/* explore-view.c: what keys do to the screen. See explore-view.h; explore-draw.c draws it. */
#include "cli/explore-view.h"

#include <stdint.h>

/* ---- keys ---- */

static const struct {
        const char *bytes;
        int key;
} sequences[] = {
        { "\033[A", KEY_UP },         { "\033[B", KEY_DOWN }, { "\033[C", KEY_RIGHT },
        { "\033[D", KEY_LEFT },       { "\033OA", KEY_UP },   { "\033OB", KEY_DOWN },
        { "\033OC", KEY_RIGHT },      { "\033OD", KEY_LEFT }, { "\033[5~", KEY_PAGE_UP },
        { "\033[6~", KEY_PAGE_DOWN }, { "\033[H", KEY_HOME }, { "\033[F", KEY_END },
        { "\033[1~", KEY_HOME },      { "\033[4~", KEY_END }, { "\033OH", KEY_HOME },
        { "\033OF", KEY_END },
};

/* The length of a control sequence (ECMA-48) that begins data, 0 where it is not complete. */
static size_t sequence_length(const char *data, size_t length) {
        size_t i = 2;

        if (length < 2)
                return 0;
        if (data[1] == 'O')
                return length < 3 ? 0 : 3;
        if (data[1] != '[')
                return 1;
        while (i < length && data[i] >= 0x20 && data[i] < 0x40)
                i++;
        return i < length ? i + 1 : 0;
}

size_t view_key_read(const char *data, size_t length, bool flush, int *ret) {
        size_t used;

        *ret = KEY_NONE;
        if (length == 0)
                return 0;
        if (data[0] != KEY_ESCAPE) {
                int key = (unsigned char)data[0];

                *ret = key == '\b' ? KEY_BACKSPACE : key == '\n' ? KEY_ENTER : key;
                return 1;
        }
        used = sequence_length(data, length);
        if (used == 0 && flush) { /* an escape, and what follows is something else */
                *ret = KEY_ESCAPE;
                return 1;
        }
        if (used == 1)
                *ret = KEY_ESCAPE;
        for (size_t i = 0; used > 1 && i < ELEMENTS(sequences); i++)
                if (strlen(sequences[i].bytes) == used &&
                    memcmp(sequences[i].bytes, data, used) == 0)
                        *ret = sequences[i].key;
        return used;
}

/* ---- sizes ---- */

#define COLUMNS_LEAST 50
#define ROWS_LEAST 10

bool view_too_small(const View *view) {
        return view->columns < COLUMNS_LEAST || view->rows < ROWS_LEAST;
}

unsigned view_left_columns(const View *view) {
        return MIN(MAX(view->columns * 2 / 5, 24), 70);
}

unsigned view_body_rows(const View *view) {
        return view->rows < 3 ? 0 : view->rows - 2; /* two lines at the bottom are the status */
}

unsigned view_layer_rows(const View *view) {
        unsigned half = (view_body_rows(view) - 1) / 2;

        return MAX(MIN((unsigned)view->report->summary.layers.count, half), 1);
}

static unsigned file_rows(const View *view) {
        unsigned body = view_body_rows(view);

        return body > 1 ? body - 1 : 1;
}

/* ---- where it stands ---- */

/* Keeps `at` below count and within the `rows` that are seen from *top on. */
static void scroll(size_t *at, size_t *top, size_t count, unsigned rows) {
        if (*at >= count)
                *at = count > 0 ? count - 1 : 0;
        if (*at < *top)
                *top = *at;
        if (*at >= *top + rows)
                *top = *at - rows + 1;
}

static void settle(View *view) {
        if (view_too_small(view))
                return;
        scroll(&view->layer, &view->layer_top, view->report->summary.layers.count,
               view_layer_rows(view));
        scroll(&view->line, &view->top, view->tree.line_count, file_rows(view));
}

/* Makes the lines anew, and stays at the node where it was if that is still there. */
static void show(View *view) {
        size_t node = view->line < view->tree.line_count ? view->tree.lines[view->line] : SIZE_MAX;

        view->show.filter = view->filter.data;
        tree_show(&view->tree, &view->show);
        for (size_t i = 0; i < view->tree.line_count; i++)
                if (view->tree.lines[i] == node)
                        view->line = i;
        settle(view);
}

static void set_layer(View *view, size_t layer) {
        if (layer >= view->report->summary.layers.count)
                return;
        view->layer = layer;
        tree_set_layer(&view->tree, layer);
        show(view);
}

void view_init(View *view, const Report *report) {
        *view = (View){ .report = report, .rows = 24, .columns = 80 };
        for (size_t i = 0; i < REPORT_CHANGES; i++)
                view->show.change[i] = true;
        tree_init(&view->tree, report);
        tree_set_layer(&view->tree, 0);
        show(view);
}

void view_done(View *view) {
        tree_done(&view->tree);
        buf_done(&view->filter);
}

void view_resize(View *view, unsigned rows, unsigned columns) {
        view->rows = rows;
        view->columns = columns;
        settle(view);
}

/* ---- the pane of files ---- */

static TreeNode *selected(const View *view) {
        return view->line < view->tree.line_count ? &view->tree.nodes[view->tree.lines[view->line]]
                                                  : NULL;
}

static bool has_children(const TreeNode *node, const Tree *tree) {
        return node->end > (size_t)(node - tree->nodes) + 1;
}

static void fold(View *view, bool collapsed) {
        TreeNode *node = selected(view);

        if (!node || !has_children(node, &view->tree) || node->collapsed == collapsed)
                return;
        node->collapsed = collapsed;
        show(view);
}

static void fold_all(View *view, bool collapsed) {
        for (size_t i = 1; i < view->tree.count; i++)
                view->tree.nodes[i].collapsed =
                        collapsed && has_children(&view->tree.nodes[i], &view->tree);
        show(view);
}

/* Left: closes an open directory, else goes to the one that the file is in. */
static void go_left(View *view) {
        TreeNode *node = selected(view);

        if (!node)
                return;
        if (has_children(node, &view->tree) && !node->collapsed) {
                fold(view, true);
                return;
        }
        for (size_t i = 0; i < view->line; i++)
                if (view->tree.lines[i] == node->parent)
                        view->line = i;
        settle(view);
}

static void toggle_fold(View *view) {
        TreeNode *node = selected(view);

        if (node)
                fold(view, !node->collapsed);
}

/* ---- what keys do ---- */

/* Where a key that moves leads from `at` in a list of count. */
static size_t moved(int key, size_t at, size_t count, size_t page) {
        size_t last = count > 0 ? count - 1 : 0;

        switch (key) {
        case KEY_UP:
        case 'k':
                return at > 0 ? at - 1 : 0;
        case KEY_DOWN:
        case 'j':
                return MIN(at + 1, last);
        case KEY_PAGE_UP:
                return at > page ? at - page : 0;
        case KEY_PAGE_DOWN:
                return MIN(at + page, last);
        case KEY_HOME:
        case 'g':
                return 0;
        case KEY_END:
        case 'G':
                return last;
        default:
                return at;
        }
}

static void move(View *view, int key) {
        if (view->on_files) {
                view->line = moved(key, view->line, view->tree.line_count, file_rows(view));
                settle(view);
                return;
        }
        size_t layer =
                moved(key, view->layer, view->report->summary.layers.count, view_layer_rows(view));
        if (layer != view->layer)
                set_layer(view, layer);
}

static void key_files(View *view, int key) {
        switch (key) {
        case KEY_LEFT:
        case 'h':
                go_left(view);
                return;
        case KEY_RIGHT:
        case 'l':
                fold(view, false);
                return;
        case ' ':
        case KEY_ENTER:
                toggle_fold(view);
                return;
        default:
                return;
        }
}

static bool toggle(View *view, int key) {
        static const char letters[] = { [REPORT_ADDED] = 'a',
                                        [REPORT_CHANGED] = 'c',
                                        [REPORT_REMOVED] = 'r',
                                        [REPORT_SAME] = 's',
                                        [REPORT_UNMODIFIED] = 'u' };

        for (size_t i = 0; i < ELEMENTS(letters); i++) {
                if (key != letters[i])
                        continue;
                view->show.change[i] = !view->show.change[i];
                show(view);
                return true;
        }
        return false;
}

static void key_filter(View *view, int key) {
        if (key == KEY_ESCAPE)
                buf_clear(&view->filter);
        if (key == KEY_ESCAPE || key == KEY_ENTER) {
                view->filtering = false;
        } else if (key == KEY_BACKSPACE) {
                while (view->filter.length > 0 &&
                       (view->filter.data[--view->filter.length] & 0xc0) == 0x80)
                        continue; /* the rest of a character */
                if (view->filter.data)
                        view->filter.data[view->filter.length] = '\0';
        } else if (key >= ' ' && key < 256) {
                buf_add_char(&view->filter, (char)key);
        }
        show(view);
}

static void key_plain(View *view, int key) {
        switch (key) {
        case KEY_TAB:
                view->on_files = !view->on_files;
                return;
        case '/':
                view->filtering = view->on_files = true;
                return;
        case KEY_ESCAPE:
                buf_clear(&view->filter);
                show(view);
                return;
        case 'o':
                view->show.by_size = !view->show.by_size;
                show(view);
                return;
        case '+':
        case '-':
                fold_all(view, key == '-');
                return;
        default:
                if (toggle(view, key))
                        return;
                move(view, key);
                if (view->on_files)
                        key_files(view, key);
        }
}

bool view_key(View *view, int key) {
        if (key == KEY_INTERRUPT || (key == 'q' && !view->filtering))
                return true;
        if (view->filtering && key < KEY_UP)
                key_filter(view, key);
        else
                key_plain(view, key);
        return false;
}
