/* system-check.c: system check, brig's own: what disk, kernel and record do not agree about, as a
 * table or as JSON. Exit code 0: all is well, or is now; 1: something was found; 2: an error. */
#include <errno.h>
#include <unistd.h>

#include "base/id.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"
#include "spec/check.h"

#define EXIT_FOUND 1
#define EXIT_FAILED 2

typedef struct CheckOptions {
        bool repair, quick, quiet, no_trunc;
        char *format;
} CheckOptions;

static const Option check_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(CheckOptions, format),
          "Format: table, json, or a Go template" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(CheckOptions, no_trunc), "Do not cut the output" },
        { "quick", 0, OPTION_BOOL, offsetof(CheckOptions, quick),
          "Do not read the layers' contents" },
        { "quiet", 'q', OPTION_BOOL, offsetof(CheckOptions, quiet), "Show names only" },
        { "repair", 0, OPTION_BOOL, offsetof(CheckOptions, repair),
          "Free what nobody has, and bring back what can be" },
};

static const ListColumn columns[] = {
        { "Kind", "KIND" },       { "Name", "NAME" },     { "Size", "SIZE" },
        { "Problem", "PROBLEM" }, { "Remedy", "REMEDY" }, { "State", "STATE" },
};

static const ListKind kind = { "checkContext",
                               "{{.Kind}}\t{{.Name}}\t{{.Size}}\t{{.Problem}}\t{{.Remedy}}",
                               "{{.Name}}",
                               NULL,
                               NULL,
                               columns,
                               ELEMENTS(columns) };
#define REPAIR_TABLE "{{.Kind}}\t{{.Name}}\t{{.Size}}\t{{.Problem}}\t{{.State}}"

static char *name_text(const CheckFinding *finding, bool whole) {
        return !whole && (id_valid(finding->name) || str_after(finding->name, "sha256:"))
                       ? short_id(finding->name)
                       : str_copy(finding->name);
}

static char *state_text(const CheckFinding *finding) {
        if (finding->repaired)
                return str_copy("repaired");
        if (!str_empty(finding->error))
                return str_format("failed: %s", finding->error);
        return str_copy(finding->remedy);
}

static void add_row(List *list, const CheckFinding *finding, const CheckOptions *o) {
        json_object *row = json_object_new_object();
        char size[SIZE_TEXT_MAX];

        row_put(row, "Kind", finding->kind);
        row_take(row, "Name", name_text(finding, o->no_trunc));
        row_put(row, "Size", finding->size > 0 ? size_human((double)finding->size, 3, size) : "");
        row_put(row, "Problem", finding->problem);
        row_put(row, "Remedy", finding->remedy);
        row_take(row, "State", state_text(finding));
        list_add(list, row, NULL);
}

/* On a terminal alone, in place; width 0: none is shown. */
static void show_progress(const CheckProgress *progress) {
        char current[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX];

        if (!isatty(STDERR_FILENO))
                return;
        if (progress && progress->total > 0)
                (void)fprintf(stderr, "\r\033[Kchecking %s: %s of %s", progress->step,
                              size_human((double)progress->current, 3, current),
                              size_human((double)progress->total, 3, total));
        else
                (void)fprintf(stderr, "\r\033[K%s%s", progress ? "checking " : "",
                              progress ? progress->step : "");
        (void)fflush(stderr);
}

/* 1: it was the last one. */
static int take_line(json_object *document, const CheckOptions *o, List *list, CheckSummary *ret,
                     Error *err) {
        CheckLine line = {};
        int r = json_read(&check_line_table, document, &line, err);

        if (r == 0 && line.error)
                r = error_kind(err, ERROR_INTERNAL, "Error response from daemon: %s", line.error);
        if (r == 0 && line.progress)
                show_progress(line.progress);
        if (r == 0 && line.finding)
                add_row(list, line.finding, o);
        if (r == 0 && line.summary) {
                *ret = *line.summary;
                r = 1;
        }
        json_done(&check_line_table, &line);
        return r;
}

static int read_lines(HttpReply *reply, const CheckOptions *o, List *list, CheckSummary *ret,
                      Error *err) {
        _cleanup_buf_ Buf held = {};
        int r;

        do {
                _cleanup_json_ json_object *document = NULL;

                r = api_next_json(reply, &held, &document, err);
                if (r == 0)
                        r = error_kind(err, ERROR_UNAVAILABLE,
                                       "the daemon's answer ended before the check did");
                if (r > 0)
                        r = take_line(document, o, list, ret, err);
        } while (r == 0);
        show_progress(NULL);
        return r < 0 ? r : 0;
}

static void print_summary(const CheckOptions *o, const CheckSummary *summary) {
        char size[SIZE_TEXT_MAX];

        if (o->quiet || !str_empty(o->format))
                return;
        if (summary->found == 0)
                (void)printf("All is as recorded.\n");
        else if (o->repair)
                (void)printf("\n%lld found, %lld repaired, %s\n", (long long)summary->found,
                             (long long)summary->repaired,
                             size_human((double)summary->size, 3, size));
        else
                (void)printf("\n%lld found, %s can be freed with --repair\n",
                             (long long)summary->found, size_human((double)summary->size, 3, size));
}

static int check(Cli *cli, const CheckOptions *o, CheckSummary *ret, Error *err) {
        _cleanup_free_ char *path = str_copy("/brig/check");
        _cleanup_(list_done) List list = {};
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = cli_need_brigd(cli, "the engine is checked", err);

        if (o->repair)
                path_query(&path, "repair", "1");
        if (o->quick)
                path_query(&path, "quick", "1");
        if (r == 0)
                r = api_call(cli, "POST", path, NULL, &reply, err);
        if (r == 0)
                r = read_lines(reply, o, &list, ret, err);
        if (r < 0)
                return r;
        if (list.count > 0)
                r = list_print(&kind, list_format(cli, &kind, o->format, o->quiet),
                               o->repair ? REPAIR_TABLE : NULL, o->quiet, &list, err);
        if (r == 0)
                print_summary(o, ret);
        return r;
}

static int run_check(Cli *cli, const Options *options, Error *err) {
        const CheckOptions *o = options->values;
        CheckSummary summary = {};

        if (check(cli, o, &summary, err) < 0) {
                (void)cli_complain(err);
                return EXIT_FAILED;
        }
        return summary.found > summary.repaired ? EXIT_FOUND : 0;
}

const Command system_check_command = { "[OPTIONS]",
                                       "Find what disk, kernel and record do not agree about",
                                       { check_rows, ELEMENTS(check_rows), sizeof(CheckOptions) },
                                       run_check,
                                       0,
                                       0 };
