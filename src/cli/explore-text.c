/* explore-text.c: an image's layers as tables of text: what `brig image explore` prints where
 * standard output is no terminal. */
#include "cli/cells.h"
#include "cli/explore-report.h"
#include "cli/list.h"
#include "cli/values.h"

#define WASTERS 20         /* paths that are listed */
#define INSTRUCTION_MAX 60 /* cells */

static void add_size(Buf *out, int64_t bytes) {
        char text[SIZE_TEXT_MAX];

        buf_add_str(out, size_human((double)bytes, 3, text));
}

static void print_summary(const Report *report, FILE *out) {
        const ExploreSummary *summary = &report->summary;
        _cleanup_buf_ Buf text = {};
        double percent =
                summary->size > 0 ? 100.0 * (double)summary->wasted / (double)summary->size : 0;

        buf_add_str(&text, "Image:\t");
        cells_add(&text, report_name(report));
        buf_add_str(&text, "\nId:\t");
        cells_add(&text, summary->id);
        buf_add_str(&text, "\nSize:\t");
        add_size(&text, summary->size);
        buf_format(&text, " in %zu layer%s, %lld paths\nEfficiency:\t%.2f%%\nWasted:\t",
                   summary->layers.count, summary->layers.count == 1 ? "" : "s",
                   (long long)summary->paths, summary->efficiency * 100);
        add_size(&text, summary->wasted);
        buf_format(&text, " (%.2f%%)\n", percent);
        buf_format(&text, "Found:\t%lld secrets, %lld setuid, %lld setgid, %lld world-writable\n",
                   (long long)summary->secrets, (long long)summary->setuid,
                   (long long)summary->setgid, (long long)summary->world_writable);
        table_print(text.data, 0, 2, out);
}

static void print_layers(const Report *report, FILE *out) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, "LAYER\tSIZE\tADDED\tCHANGED\tREMOVED\tSAME\tWASTED\tCREATED BY\n");
        for (size_t i = 0; i < report->summary.layers.count; i++) {
                const ExploreLayer *layer = report_layer(report, i);
                _cleanup_free_ char *instruction = report_instruction(layer);

                buf_format(&text, "%zu\t", i + 1);
                add_size(&text, layer->size);
                buf_format(&text, "\t%lld\t%lld\t%lld\t%lld\t", (long long)layer->added,
                           (long long)layer->changed, (long long)layer->removed,
                           (long long)layer->same);
                add_size(&text, layer->wasted);
                buf_add_char(&text, '\t');
                cells_fit(&text, instruction, MIN(cells_width(instruction), INSTRUCTION_MAX));
                buf_add_char(&text, '\n');
        }
        (void)fputc('\n', out);
        table_print(text.data, 0, 3, out);
}

/* ---- what wastes most ---- */

typedef struct Waster {
        const char *path;
        int64_t wasted;
        size_t copies;
        bool gone;
} Waster;

static int most_first(const void *a, const void *b) {
        const Waster *left = a, *right = b;

        if (left->wasted != right->wasted)
                return left->wasted < right->wasted ? 1 : -1;
        return strcmp(left->path, right->path);
}

static Waster waster_of(const Report *report, size_t first, size_t end) {
        Waster waster = { .path = report->rows[first].path,
                          .gone = report->rows[end - 1].change == REPORT_REMOVED };

        for (size_t i = first; i < end; i++) {
                waster.wasted += report->rows[i].wasted;
                waster.copies += report->rows[i].change != REPORT_REMOVED;
        }
        return waster;
}

static void print_wasters(const Report *report, FILE *out) {
        _cleanup_free_ Waster *all = NULL;
        _cleanup_buf_ Buf text = {};
        size_t count = 0, end;

        for (size_t i = 0; i < report->count; i = end) {
                Waster waster = waster_of(report, i, end = report_path_end(report, i));

                if (waster.wasted == 0)
                        continue;
                GROW(all, count);
                all[count++] = waster;
        }
        if (count == 0)
                return;
        qsort(all, count, sizeof(Waster), most_first);
        buf_add_str(&text, "WASTED\tCOPIES\tPATH\n");
        for (size_t i = 0; i < MIN(count, WASTERS); i++) {
                add_size(&text, all[i].wasted);
                buf_format(&text, "\t%zu\t", all[i].copies);
                cells_add(&text, all[i].path);
                buf_add_str(&text, all[i].gone ? " (removed)\n" : "\n");
        }
        (void)fputc('\n', out);
        table_print(text.data, 0, 3, out);
        if (count > WASTERS)
                (void)fprintf(out, "and %zu more\n", count - WASTERS);
}

/* ---- what was found ---- */

static void print_findings(const Report *report, FILE *out) {
        _cleanup_buf_ Buf text = {};
        size_t end;

        for (size_t i = 0; i < report->count; i = end) {
                end = report_path_end(report, i);
                for (size_t j = i; j < end; j++) {
                        const ReportRow *row = &report->rows[j];
                        bool gone = report->rows[end - 1].change == REPORT_REMOVED;

                        if (!row->findings)
                                continue;
                        buf_format(&text, "%u\t", row->layer + 1);
                        cells_add(&text, row->path);
                        buf_format(&text, "\t%s%s\n", row->findings,
                                   gone          ? " (removed later, still in the layer)"
                                   : j + 1 < end ? " (replaced later, still in the layer)"
                                                 : "");
                }
        }
        if (text.length == 0)
                return;
        (void)fputs("\n", out);
        {
                _cleanup_free_ char *whole = str_format("LAYER\tPATH\tFOUND\n%s", text.data);

                table_print(whole, 0, 3, out);
        }
}

void report_print_text(const Report *report, FILE *out) {
        print_summary(report, out);
        print_layers(report, out);
        print_wasters(report, out);
        print_findings(report, out);
}
