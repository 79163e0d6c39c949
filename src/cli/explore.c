/* explore.c: `brig image explore`: asks for the report, shows it in the form that was asked for,
 * and judges it by the rules. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/explore-report.h"
#include "cli/explore-rules.h"
#include "cli/explore-tui.h"
#include "cli/files.h"

#define RULES_MAX 64

typedef struct ExploreOptions {
        char **fail_if;
        char *html, *json;
} ExploreOptions;

static const Option explore_rows[] = {
        { "fail-if", 0, OPTION_STRINGS, offsetof(ExploreOptions, fail_if),
          "Exit with 1 if the rule holds: efficiency<0.9, wasted>20MB, wasted-percent>10, "
          "secrets>0, setuid>N",
          "rule" },
        { "html", 0, OPTION_STRING, offsetof(ExploreOptions, html),
          "Write a page to this file (- is standard output)", "file" },
        { "json", 0, OPTION_STRING, offsetof(ExploreOptions, json),
          "Write JSON to this file (- is standard output)", "file" },
};

/* ---- rules ---- */

static int parse_rules(char *const *texts, Rule rules[RULES_MAX], size_t *ret_count, Error *err) {
        size_t count = strv_length((char **)texts);
        int r = 0;

        if (count > RULES_MAX)
                return error_kind(err, ERROR_INVALID, "--fail-if: at most %d rules", RULES_MAX);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = rule_parse(texts[i], &rules[i], err);
        *ret_count = count;
        return r < 0 ? error_prefix(err, "--fail-if") : 0;
}

/* 1 if a rule holds. */
static int judge(const Report *report, char *const *texts, const Rule *rules, size_t count) {
        int code = 0;

        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *broken = rule_broken(&rules[i], &report->summary);

                if (!broken)
                        continue;
                (void)fprintf(stderr, "failed: %s: %s\n", texts[i], broken);
                code = 1;
        }
        return code;
}

/* ---- forms ---- */

static int write_form(const char *path, const Buf *out, Error *err) {
        int r = str_equal(path, "-") ? fd_write_full(STDOUT_FILENO, out->data, out->length)
                                     : output_file_write(path, out->data, out->length, 0644, err);

        if (r < 0 && str_equal(path, "-"))
                return error_set(err, r, "write to standard output");
        return r;
}

static int show(const Report *report, const ExploreOptions *o, Error *err) {
        const struct {
                const char *path;
                void (*add)(const Report *report, Buf *out);
        } forms[] = { { o->html, report_add_html }, { o->json, report_add_json } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(forms); i++) {
                _cleanup_buf_ Buf out = {};

                if (!forms[i].path)
                        continue;
                forms[i].add(report, &out);
                r = write_form(forms[i].path, &out, err);
        }
        if (o->html || o->json)
                return r;
        if (!o->fail_if && report->summary.layers.count > 0 && isatty(STDIN_FILENO) &&
            isatty(STDOUT_FILENO))
                return explore_tui(report, err);
        report_print_text(report, stdout);
        return 0;
}

static int run_explore(Cli *cli, const Options *options, Error *err) {
        const ExploreOptions *o = options->values;
        _cleanup_(report_done) Report report = {};
        Rule rules[RULES_MAX];
        size_t count = 0;
        int r = parse_rules(o->fail_if, rules, &count, err);

        if (r == 0)
                r = report_fetch(cli, options->arguments[0], &report, err);
        if (r == 0)
                r = show(&report, o, err);
        if (r < 0)
                return r;
        (void)fflush(stdout);
        return judge(&report, o->fail_if, rules, count);
}

const Command explore_command = { "[OPTIONS] IMAGE",
                                  "Show what each layer of an image adds, changes and wastes",
                                  { explore_rows, ELEMENTS(explore_rows), sizeof(ExploreOptions) },
                                  run_explore,
                                  1,
                                  1 };
