/* filters.c: compares the values of list filters, as list.c, volumes.c, images.c and events.c need
 * it. The filters themselves are read in spec/request.c. */
#include "engine/filters.h"

#include <regex.h>

#include "base/clock.h"

static bool label_matches(const Pairs *labels, const char *wanted) {
        const char *equals = strchr(wanted, '=');
        _cleanup_free_ char *key =
                equals ? str_copy_n(wanted, (size_t)(equals - wanted)) : str_copy(wanted);
        const char *value = pairs_get(labels, key);

        return value && (!equals || str_equal(value, equals + 1));
}

bool labels_match(const Pairs *labels, char *const *wanted) {
        for (; wanted && *wanted; wanted++)
                if (!label_matches(labels, *wanted))
                        return false;
        return true;
}

static bool matches(const char *text, const char *wanted) {
        regex_t expression;

        if (str_equal(text, wanted))
                return true;
        if (regcomp(&expression, wanted, REG_EXTENDED | REG_NOSUB) != 0)
                return strstr(text, wanted) != NULL;
        bool found = regexec(&expression, text, 0, NULL, 0) == 0;
        regfree(&expression);
        return found;
}

bool text_matches(const char *text, char *const *wanted) {
        if (!wanted)
                return true;
        for (; *wanted; wanted++)
                if (matches(text, *wanted))
                        return true;
        return false;
}

static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

bool filter_is_true(const char *text) {
        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (str_equal(yes[i], text))
                        return true;
        return false;
}

bool filter_is_bool(const char *text) {
        for (size_t i = 0; i < ELEMENTS(no); i++)
                if (str_equal(no[i], text))
                        return true;
        return filter_is_true(text);
}

int filter_time(const Filters *filters, const char *key, int64_t *ret, Error *err) {
        char *const *when = filters_get(filters, key);

        *ret = 0;
        if (!when)
                return 0;
        if (when[1])
                return error_kind(err, ERROR_INVALID, "more than one %s filter specified", key);
        if (clock_parse_any(when[0], ret) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid filter '%s=%s': give a duration such as 24h, or a time "
                                  "as in 2026-01-02T15:04:05Z",
                                  key, when[0]);
        return 0;
}

int filter_bool(const Filters *filters, const char *key, bool otherwise, bool *ret, Error *err) {
        char *const *values = filters_get(filters, key);

        for (char *const *value = values; value && *value; value++)
                if (!filter_is_bool(*value) || filter_is_true(*value) != filter_is_true(values[0]))
                        return error_kind(err, ERROR_INVALID,
                                          "invalid filter '%s=%s': give one of true and false", key,
                                          *value);
        *ret = values ? filter_is_true(values[0]) : otherwise;
        return 0;
}
