/* spec/check.h: what POST /brig/check answers: one line of JSON for each thing that is not as it
 * should be, lines of progress between them, and one with the sums at the end. docs/api.md. */
#pragma once

#include "format/json.h"

typedef struct CheckFinding {
        char *kind; /* container-directory, run-directory, container, control-group, process, mount,
                       link, volume, volume-directory, layer, layer-directory, blob */
        char *name;
        char *problem, *remedy; /* in words; remedy: what a person does, or what repairing does */
        int64_t size;           /* bytes that it takes; 0: unknown, or none */
        bool repairable;        /* repairing takes care of it */
        bool keeps;             /* and frees nothing; not sent */
        bool repaired;          /* it has */
        char *error;            /* why it could not; NULL */
} CheckFinding;

typedef struct CheckProgress {
        char *step;
        int64_t current, total; /* bytes; total 0: unknown */
} CheckProgress;

typedef struct CheckSummary {
        int64_t found, repaired; /* findings */
        int64_t size;            /* bytes of what can be, or was, freed */
} CheckSummary;

/* One line: exactly one of them. */
typedef struct CheckLine {
        CheckFinding *finding;
        CheckProgress *progress;
        CheckSummary *summary;
        char *error; /* it ended early, for this reason */
} CheckLine;

extern const JsonTable check_finding_table, check_line_table;

/* Where findings and progress go; each may end the check by a negative answer, which the check then
 * returns. */
typedef struct CheckSink {
        bool repair;
        int (*found)(void *data, const CheckFinding *finding);
        int (*progress)(void *data, const char *step, int64_t current, int64_t total);
        void *data;
} CheckSink;
