/* explore-draw.c: draws what explore-view.c keeps, line by line, each cut to its pane; ECMA-48's
 * few sequences that every terminal knows. A mark stands beside every colour. */
#include <sys/stat.h>

#include "cli/cells.h"
#include "cli/explore-view.h"
#include "cli/values.h"

#define RESET "\033[0m"
#define REVERSE "\033[7m"
#define BOLD "\033[1m"
#define DIM "\033[2m"

static const struct {
        const char *mark, *colour;
} looks[REPORT_CHANGES] = {
        [REPORT_ADDED] = { "+", "\033[32m" },   [REPORT_CHANGED] = { "~", "\033[33m" },
        [REPORT_REMOVED] = { "-", "\033[31m" }, [REPORT_SAME] = { "=", "\033[36m" },
        [REPORT_UNMODIFIED] = { " ", "" },
};

static void add_size(Buf *out, int64_t bytes, size_t width) {
        char text[SIZE_TEXT_MAX];

        cells_fit_right(out, size_human((double)bytes, 3, text), width);
}

static void add_line(Buf *out, const char *look, const char *text, size_t width) {
        buf_add_str(out, look);
        cells_fit(out, text, width);
        buf_add_str(out, RESET);
}

/* ---- the left pane ---- */

static void draw_layer(const View *view, size_t i, size_t width, Buf *out) {
        const ExploreLayer *layer = report_layer(view->report, i);
        _cleanup_free_ char *instruction = report_instruction(layer);
        _cleanup_buf_ Buf text = {};
        bool chosen = i == view->layer;

        buf_format(&text, "%3zu ", i + 1);
        add_size(&text, layer->size, 7);
        buf_add_char(&text, ' ');
        add_size(&text, layer->wasted, 7);
        buf_add_char(&text, ' ');
        buf_add_str(&text, instruction);
        add_line(out, !chosen ? "" : view->on_files ? BOLD : REVERSE, text.data, width);
}

static void count_line(char ***lines, const char *what, int64_t paths, int64_t bytes) {
        char size[SIZE_TEXT_MAX];

        strv_format(lines, " %-9s %lld (%s)", what, (long long)paths,
                    size_human((double)bytes, 3, size));
}

/* Adds text in lines of `width` bytes at most, eight of them. */
static void wrap(char ***lines, const char *text, size_t width) {
        _cleanup_buf_ Buf shown = {};
        size_t at = 0;

        cells_add(&shown, text);
        for (size_t count = 0; width > 0 && at < shown.length && count < 8; count++) {
                size_t length = MIN(width, shown.length - at);

                while (at + length < shown.length && length > 1 &&
                       (shown.data[at + length] & 0xc0) == 0x80)
                        length--; /* not inside a character */
                strv_format(lines, "   %.*s", (int)length, shown.data + at);
                at += length;
        }
}

static char **details(const View *view, size_t width) {
        const ExploreSummary *summary = &view->report->summary;
        const ExploreLayer *layer = report_layer(view->report, view->layer);
        _cleanup_free_ char *instruction = report_instruction(layer);
        char size[SIZE_TEXT_MAX], wasted[SIZE_TEXT_MAX];
        char **lines = NULL;

        (void)size_human((double)layer->size, 3, size);
        (void)size_human((double)layer->wasted, 3, wasted);
        strv_format(&lines, " Size %s, of it wasted %s", size, wasted);
        count_line(&lines, "Added", layer->added, layer->added_bytes);
        count_line(&lines, "Changed", layer->changed, layer->changed_bytes);
        count_line(&lines, "Removed", layer->removed, layer->removed_bytes);
        count_line(&lines, "Same", layer->same, layer->same_bytes);
        strv_format(&lines, " Digest %s", layer->digest ?: "");
        wrap(&lines, instruction, width > 4 ? width - 4 : 0);
        strv_add(&lines, "");
        strv_format(&lines, " Image %s", report_name(view->report));
        (void)size_human((double)summary->size, 3, size);
        (void)size_human((double)summary->wasted, 3, wasted);
        strv_format(&lines, " Size %s, of it wasted %s", size, wasted);
        strv_format(&lines, " Efficiency %.2f%%", summary->efficiency * 100);
        strv_format(&lines, " Secrets %lld, setuid %lld, setgid %lld", (long long)summary->secrets,
                    (long long)summary->setuid, (long long)summary->setgid);
        strv_format(&lines, " World-writable %lld", (long long)summary->world_writable);
        return lines;
}

static void draw_left(const View *view, unsigned row, char *const *detail, size_t count, Buf *out) {
        size_t width = view_left_columns(view), layers = view_layer_rows(view);

        if (row == 0)
                add_line(out, view->on_files ? BOLD : REVERSE, "  #    SIZE  WASTED LAYER", width);
        else if (row <= layers && view->layer_top + row - 1 < view->report->summary.layers.count)
                draw_layer(view, view->layer_top + row - 1, width, out);
        else if (row == layers + 1)
                add_line(out, BOLD, "── Details", width);
        else if (row > layers + 1 && row - layers - 2 < count)
                add_line(out, "", detail[row - layers - 2], width);
        else
                cells_fit(out, "", width);
}

/* ---- the right pane ---- */

static void add_mode(Buf *out, const ReportRow *row) {
        static const char types[REPORT_KINDS] = { '-', 'd', 'l', 'c', 'b', 'p', 's' };
        static const char bits[] = "rwxrwxrwx";
        char text[11] = { types[row->kind] };

        for (int i = 0; i < 9; i++)
                text[1 + i] = row->mode & (0400 >> i) ? bits[i] : '-';
        if (row->mode & S_ISUID)
                text[3] = text[3] == 'x' ? 's' : 'S';
        if (row->mode & S_ISGID)
                text[6] = text[6] == 'x' ? 's' : 'S';
        if (row->mode & S_ISVTX)
                text[9] = text[9] == 'x' ? 't' : 'T';
        buf_add(out, text, 10);
}

#define ATTRIBUTES_FROM 64 /* columns from which on modes and owners have room */

static void add_attributes(Buf *out, const ReportRow *row) {
        _cleanup_free_ char *owner = str_format("%u:%u", row->uid, row->gid);

        add_mode(out, row);
        buf_add_char(out, ' ');
        cells_fit_right(out, owner, 9);
        buf_add_char(out, ' ');
}

static void draw_file(const View *view, size_t line, size_t width, Buf *out) {
        const TreeNode *node = &view->tree.nodes[view->tree.lines[line]];
        bool chosen = line == view->line;
        bool tree = node->end > view->tree.lines[line] + 1;
        const ReportRow *row =
                &view->report->rows[node->current == (size_t)-1 ? node->row : node->current];
        _cleanup_buf_ Buf text = {};

        buf_format(&text, "%s ", looks[node->change].mark);
        if (width >= ATTRIBUTES_FROM)
                add_attributes(&text, row);
        add_size(&text, node->change == REPORT_REMOVED ? row->size : node->size, 7);
        buf_add_char(&text, ' ');
        for (unsigned i = 1; i < node->depth; i++)
                buf_add_str(&text, "  ");
        buf_add_str(&text, !tree ? "  " : node->collapsed ? "▸ " : "▾ ");
        buf_add_str(&text, node->name);
        if (row->kind == REPORT_DIRECTORY)
                buf_add_char(&text, '/');
        if (row->findings)
                buf_add_str(&text, "  !");
        buf_add_str(out, looks[node->change].colour);
        add_line(out, !chosen ? "" : view->on_files ? REVERSE : BOLD, text.data, width);
}

static void draw_right(const View *view, unsigned row, size_t width, Buf *out) {
        if (row == 0)
                add_line(out, view->on_files ? REVERSE : BOLD,
                         width >= ATTRIBUTES_FROM ? "  MODE         OWNER    SIZE PATH"
                                                  : "     SIZE PATH",
                         width);
        else if (view->top + row - 1 < view->tree.line_count)
                draw_file(view, view->top + row - 1, width, out);
        else if (row == 1 && view->tree.line_count == 0)
                add_line(out, DIM, "  nothing to show", width);
        else
                cells_fit(out, "", width);
}

/* ---- the bottom ---- */

static void draw_status(const View *view, Buf *out) {
        _cleanup_buf_ Buf text = {};

        if (view->filtering) {
                buf_format(&text, "/%s_", view->filter.data ?: "");
        } else if (view->line < view->tree.line_count) {
                const TreeNode *node = &view->tree.nodes[view->tree.lines[view->line]];
                const ReportRow *row =
                        node->current == (size_t)-1 ? NULL : &view->report->rows[node->current];
                char size[SIZE_TEXT_MAX];

                buf_format(&text, " %s: %s", node->path, report_change_names[node->change]);
                if (row && row->wasted > 0)
                        buf_format(&text, ", wasted %s", size_human((double)row->wasted, 3, size));
                if (row && row->findings)
                        buf_format(&text, ", %s", row->findings);
        }
        add_line(out, "", text.length > 0 ? text.data : "", view->columns);
}

/* What the keys do, in forms that each take less room: 114 columns, 79 and 48. */
static const struct {
        const char *keys, *changes[REPORT_CHANGES], *off; /* off: without it "-" stands there */
} footers[] = {
        { " q quit  Tab pane  ↑↓ move  ←→ fold  +- all  / filter  o by ",
          { "a:added ", "c:changed ", "r:removed ", "s:same ", "u:unmodified " },
          ":off " },
        { " q quit Tab pane ←→ fold +- all / find o ",
          { "a:add ", "c:chg ", "r:rem ", "s:same ", "u:rest " },
          ":off " },
        { " q quit  Tab pane  +- all  / find  o ", { "a", "c", "r", "s", "u" }, NULL },
};

static void add_footer(const View *view, size_t form, Buf *out) {
        buf_add_str(out, footers[form].keys);
        buf_add_str(out, view->show.by_size ? "size  " : "name  ");
        for (size_t i = 0; i < REPORT_CHANGES; i++) {
                const char *shown = footers[form].changes[i];

                if (view->show.change[i])
                        buf_add_str(out, shown);
                else if (footers[form].off)
                        buf_format(out, "%c%s", shown[0], footers[form].off);
                else
                        buf_add_char(out, '-');
        }
}

static void draw_footer(const View *view, Buf *out) {
        _cleanup_buf_ Buf text = {};

        if (view->filtering)
                buf_add_str(&text, " Enter keep  Esc clear");
        else
                add_footer(view, 0, &text);
        for (size_t form = 1; form < ELEMENTS(footers) && cells_width(text.data) > view->columns;
             form++) {
                buf_clear(&text);
                add_footer(view, form, &text);
        }
        add_line(out, REVERSE, text.data, view->columns);
}

void view_draw(const View *view, Buf *out) {
        unsigned left = view_left_columns(view), body = view_body_rows(view);
        _cleanup_strv_ char **detail = NULL;
        size_t count;

        buf_add_str(out, "\033[H");
        if (view_too_small(view)) {
                buf_add_str(out, "\033[2J");
                cells_fit(out, "the window is too small", view->columns);
                return;
        }
        detail = details(view, left);
        count = strv_length(detail);
        for (unsigned row = 0; row < body; row++) {
                draw_left(view, row, detail, count, out);
                buf_add_str(out, "│");
                draw_right(view, row, view->columns - left - 1, out);
                buf_add_str(out, "\r\n");
        }
        draw_status(view, out);
        buf_add_str(out, "\r\n");
        draw_footer(view, out);
}
