/* explore-rules.h: `--fail-if efficiency<0.9`: rules for an image, for CI. */
#pragma once

#include "cli/explore-report.h"

typedef enum RuleOperator { RULE_LESS, RULE_AT_MOST, RULE_MORE, RULE_AT_LEAST } RuleOperator;

typedef struct Rule {
        size_t what; /* a row of the table in explore-rules.c */
        RuleOperator operator;
        double limit;
} Rule;

/* "wasted>20MB", spaces allowed around the operator (<, <=, >, >=). Numbers; sizes with B, kB, MB,
 * GB, TB (powers of 1000, as sizes are shown) or KiB, MiB, GiB, TiB; efficiency also as "90%".
 * ERROR_INVALID says what is wrong and what can be asked. */
int rule_parse(const char *text, Rule *ret, Error *err);
/* NULL where the image passes, else what it has: "efficiency is 0.83"; the caller's. */
char *rule_broken(const Rule *rule, const ExploreSummary *summary);
