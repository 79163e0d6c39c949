/* explore-report.h: what the daemon tells of an image's layers, held for those who show it: rows in
 * the order of a walk through the tree, those of one path together, base first. */
#pragma once

#include "base/error.h"
#include "cli/cli.h"
#include "spec/explore.h"

/* Rows that are held at most: some 500 MB. */
#define REPORT_ROWS_MAX ((size_t)4000000)

typedef enum ReportChange {
        REPORT_ADDED,
        REPORT_CHANGED,
        REPORT_REMOVED,
        REPORT_SAME,       /* a copy that changes nothing */
        REPORT_UNMODIFIED, /* the layer says nothing of it; of no row, but of what a tree shows */
        REPORT_CHANGES
} ReportChange;
extern const char *const report_change_names[REPORT_CHANGES];

typedef enum ReportKind {
        REPORT_FILE,
        REPORT_DIRECTORY,
        REPORT_SYMLINK,
        REPORT_CHAR,
        REPORT_BLOCK,
        REPORT_FIFO,
        REPORT_SOCKET,
        REPORT_KINDS
} ReportKind;
extern const char *const report_kind_names[REPORT_KINDS];

typedef struct ReportRow {
        const char *path; /* UTF-8; the same pointer in all rows of one path; see report_done */
        char *findings;   /* "setuid, secret: …", or NULL */
        int64_t size, wasted;
        uint32_t layer, uid, gid;
        uint16_t mode;
        uint8_t change, kind; /* ReportChange, ReportKind */
} ReportRow;

typedef struct Report {
        ReportRow *rows;
        size_t count;
        ExploreSummary summary;
        bool complete; /* the summary came */
} Report;

/* Takes one line of the answer. */
int report_add(Report *report, const char *line, size_t length, Error *err);
/* Checks that nothing is missing. */
int report_end(const Report *report, Error *err);
/* Asks the daemon and takes all of it. *ret is zeroed. */
int report_fetch(Cli *cli, const char *image, Report *ret, Error *err);
void report_done(Report *report);

/* The layer's row in the summary; i is below report->summary.layers.count. */
const ExploreLayer *report_layer(const Report *report, size_t i);
/* What of the instruction is worth a column: without "/bin/sh -c #(nop)" and BuildKit's comment.
 * "<unknown>" where there is none. The caller's. */
char *report_instruction(const ExploreLayer *layer);
/* The first row that is of another path than row i. */
size_t report_path_end(const Report *report, size_t i);
/* Names in front, else the id. Lent. */
const char *report_name(const Report *report);

/* ---- the forms ---- */
void report_print_text(const Report *report, FILE *out); /* explore-text.c */
void report_add_json(const Report *report, Buf *out);    /* explore-json.c */
void report_add_html(const Report *report, Buf *out);    /* explore-html.c */
