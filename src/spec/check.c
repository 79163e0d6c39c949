/* check.c: the tables of spec/check.h. */
#include "spec/check.h"

#define OMIT JSON_OMIT_EMPTY

static const JsonField finding_fields[] = {
        JSON_FIELD(CheckFinding, "Kind", JSON_STRING, kind, JSON_REQUIRED),
        JSON_FIELD(CheckFinding, "Name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(CheckFinding, "Problem", JSON_STRING, problem, 0),
        JSON_FIELD(CheckFinding, "Remedy", JSON_STRING, remedy, 0),
        JSON_FIELD(CheckFinding, "Size", JSON_INT, size, 0),
        JSON_FIELD(CheckFinding, "Repairable", JSON_BOOL, repairable, 0),
        JSON_FIELD(CheckFinding, "Repaired", JSON_BOOL, repaired, 0),
        JSON_FIELD(CheckFinding, "Error", JSON_STRING, error, OMIT),
};
const JsonTable check_finding_table = JSON_TABLE(CheckFinding, "Finding", finding_fields);

static const JsonField progress_fields[] = {
        JSON_FIELD(CheckProgress, "Step", JSON_STRING, step, JSON_REQUIRED),
        JSON_FIELD(CheckProgress, "Current", JSON_INT, current, 0),
        JSON_FIELD(CheckProgress, "Total", JSON_INT, total, 0),
};
static const JsonTable progress_table = JSON_TABLE(CheckProgress, "Progress", progress_fields);

static const JsonField summary_fields[] = {
        JSON_FIELD(CheckSummary, "Found", JSON_INT, found, JSON_REQUIRED),
        JSON_FIELD(CheckSummary, "Repaired", JSON_INT, repaired, 0),
        JSON_FIELD(CheckSummary, "Size", JSON_INT, size, 0),
};
static const JsonTable summary_table = JSON_TABLE(CheckSummary, "Summary", summary_fields);

static const JsonField line_fields[] = {
        JSON_NESTED(CheckLine, "Finding", JSON_OBJECT, finding, OMIT, &check_finding_table),
        JSON_NESTED(CheckLine, "Progress", JSON_OBJECT, progress, OMIT, &progress_table),
        JSON_NESTED(CheckLine, "Summary", JSON_OBJECT, summary, OMIT, &summary_table),
        JSON_FIELD(CheckLine, "error", JSON_STRING, error, OMIT),
};
const JsonTable check_line_table = JSON_TABLE(CheckLine, "line", line_fields);
