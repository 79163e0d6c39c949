/* explore-html.c: the report as one page that needs nothing else: explore.html, which Meson turns
 * into explore-page.c, with the data in its place. The data is JSON in a script element that is
 * no program; no character in it can end that element, and the page makes nothing but text of it.
 */
#include "cli/cells.h"
#include "cli/explore-page.h"
#include "cli/explore-report.h"

/* JSON has '<', '>' and '&' in strings only. */
static void add_escaped(Buf *out, const char *json) {
        for (; *json; json++)
                if (strchr("<>&", *json))
                        buf_format(out, "\\u%04x", (unsigned char)*json);
                else
                        buf_add_char(out, *json);
}

/* A path that is the same as in the row before is 0. */
static void add_row(Buf *json, const Report *report, size_t i) {
        const ReportRow *row = &report->rows[i];

        buf_add_char(json, '[');
        if (i > 0 && row->path == report->rows[i - 1].path)
                buf_add_char(json, '0');
        else
                json_add_quoted(json, row->path);
        buf_format(json, ",%u,%u,%u,%lld,%u,%u,%u,%lld", row->layer, row->change, row->kind,
                   (long long)row->size, row->mode, row->uid, row->gid, (long long)row->wasted);
        if (row->findings) {
                buf_add_char(json, ',');
                json_add_quoted(json, row->findings);
        }
        buf_add_char(json, ']');
}

static void add_data(Buf *out, const Report *report) {
        _cleanup_free_ char *summary = json_text(&explore_summary_table, &report->summary);
        _cleanup_free_ char *clean = NULL;

        clean = text_utf8(summary);
        buf_add_str(out, "{\"summary\":");
        add_escaped(out, clean);
        buf_add_str(out, ",\"rows\":[");
        for (size_t i = 0; i < report->count; i++) {
                _cleanup_buf_ Buf row = {};

                add_row(&row, report, i);
                buf_add_str(out, i > 0 ? ",\n" : "\n");
                add_escaped(out, row.data);
        }
        buf_add_str(out, "\n]}\n");
}

void report_add_html(const Report *report, Buf *out) {
        for (const char *const *line = explore_page; *line; line++)
                if (str_equal(*line, "@DATA@\n"))
                        add_data(out, report);
                else
                        buf_add_str(out, *line);
}
