/* explore-rules.c: see explore-rules.h. */
#include "cli/explore-rules.h"

#include "cli/values.h"

typedef enum RuleUnit { UNIT_COUNT, UNIT_BYTES, UNIT_RATIO, UNIT_PERCENT } RuleUnit;

static double wasted_percent(const ExploreSummary *summary) {
        return summary->size > 0 ? 100.0 * (double)summary->wasted / (double)summary->size : 0;
}

typedef struct Measure {
        const char *name;
        RuleUnit unit;
        size_t offset; /* of an int64_t in the summary; unused for the last two kinds */
} Measure;

#define COUNT(name_, member_)                                                                      \
        { name_, UNIT_COUNT, offsetof(ExploreSummary, member_) }
#define BYTES(name_, member_)                                                                      \
        { name_, UNIT_BYTES, offsetof(ExploreSummary, member_) }

static const Measure measures[] = {
        { "efficiency", UNIT_RATIO, 0 },
        { "wasted-percent", UNIT_PERCENT, 0 },
        BYTES("wasted", wasted),
        BYTES("size", size),
        COUNT("paths", paths),
        COUNT("secrets", secrets),
        COUNT("setuid", setuid),
        COUNT("setgid", setgid),
        COUNT("world-writable", world_writable),
};

#define MEASURES                                                                                   \
        "efficiency, wasted, wasted-percent, size, paths, secrets, setuid, setgid and "            \
        "world-writable"

static double measure_of(const Measure *measure, const ExploreSummary *summary) {
        if (measure->unit == UNIT_RATIO)
                return summary->efficiency;
        if (measure->unit == UNIT_PERCENT)
                return wasted_percent(summary);
        return (double)*(const int64_t *)((const char *)summary + measure->offset);
}

/* ---- reading ---- */

static const struct {
        const char *unit;
        double factor;
} byte_units[] = {
        { "", 1 },
        { "B", 1 },
        { "kB", 1e3 },
        { "KB", 1e3 },
        { "MB", 1e6 },
        { "GB", 1e9 },
        { "TB", 1e12 },
        { "KiB", 1024.0 },
        { "MiB", 1048576.0 },
        { "GiB", 1073741824.0 },
        { "TiB", 1099511627776.0 },
};

/* What a unit multiplies by, or 0 where it is none for this. */
static double factor_of(const Measure *measure, const char *unit) {
        bool percent = str_equal(unit, "%");

        if (measure->unit == UNIT_RATIO)
                return percent ? 0.01 : *unit ? 0 : 1;
        if (measure->unit == UNIT_PERCENT)
                return percent || !*unit ? 1 : 0;
        if (measure->unit == UNIT_COUNT)
                return *unit ? 0 : 1;
        for (size_t i = 0; i < ELEMENTS(byte_units); i++)
                if (str_equal(unit, byte_units[i].unit))
                        return byte_units[i].factor;
        return 0;
}

static int parse_limit(const char *text, const Measure *measure, double *ret) {
        size_t length = strspn(text, "0123456789.");
        _cleanup_free_ char *number = str_copy_n(text, length);
        _cleanup_free_ char *unit = str_copy(text + length);
        double factor = factor_of(measure, str_trim(unit)), value;

        if (factor <= 0 || str_to_double(number, &value) < 0)
                return -1;
        *ret = value * factor;
        return 0;
}

static const Measure *find_measure(const char *name) {
        for (size_t i = 0; i < ELEMENTS(measures); i++)
                if (str_equal(name, measures[i].name))
                        return &measures[i];
        return NULL;
}

int rule_parse(const char *text, Rule *ret, Error *err) {
        size_t at = strcspn(text, "<>");
        _cleanup_free_ char *name = str_copy_n(text, at), *rest = NULL;
        const Measure *measure = find_measure(str_trim(name));
        bool equal = text[at] && text[at + 1] == '=';
        Rule rule = {};

        if (!text[at])
                return error_kind(err, ERROR_INVALID,
                                  "invalid rule \"%.200s\": write it as efficiency<0.9, with <, "
                                  "<=, > or >=",
                                  text);
        if (!measure)
                return error_kind(err, ERROR_INVALID,
                                  "invalid rule \"%.200s\": no such measure; there are " MEASURES,
                                  text);
        rest = str_copy(text + at + 1 + equal);
        if (parse_limit(str_trim(rest), measure, &rule.limit) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid rule \"%.200s\": \"%.100s\" is no %s", text,
                                  str_trim(rest),
                                  measure->unit == UNIT_BYTES ? "size such as 20MB" : "number");
        rule.what = (size_t)(measure - measures);
        rule.operator= text[at] == '<' ? (equal ? RULE_AT_MOST : RULE_LESS)
                                       : (equal ? RULE_AT_LEAST : RULE_MORE);
        *ret = rule;
        return 0;
}

/* ---- judging ---- */

static bool holds(const Rule *rule, double value) {
        switch (rule->operator) {
        case RULE_LESS:
                return value < rule->limit;
        case RULE_AT_MOST:
                return value <= rule->limit;
        case RULE_MORE:
                return value > rule->limit;
        case RULE_AT_LEAST:
                return value >= rule->limit;
        }
        return false;
}

char *rule_broken(const Rule *rule, const ExploreSummary *summary) {
        const Measure *measure = &measures[rule->what];
        double value = measure_of(measure, summary);
        char size[SIZE_TEXT_MAX];

        if (!holds(rule, value))
                return NULL;
        if (measure->unit == UNIT_BYTES)
                return str_format("%s is %s (%.0f bytes)", measure->name,
                                  size_human(value, 3, size), value);
        if (measure->unit == UNIT_COUNT)
                return str_format("%s is %.0f", measure->name, value);
        return str_format(measure->unit == UNIT_RATIO ? "%s is %.4f" : "%s is %.2f%%",
                          measure->name, value);
}
