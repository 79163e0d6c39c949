/* values.c: see values.h. */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <strings.h>

int value_bool(void *member, const char *text, Error *err) {
        static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
        static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                if (!str_equal(text, yes[i]) && !str_equal(text, no[i]))
                        continue;
                *(bool *)member = str_equal(text, yes[i]);
                return 0;
        }
        return error_kind(err, ERROR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax",
                          text);
}

int value_string(void *member, const char *text, Error *err) {
        str_replace(member, text);
        return 0;
}

int value_list(void *member, const char *text, Error *err) {
        strv_add(member, text);
        return 0;
}

int value_strings(void *member, const char *text, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ',');

        for (char **part = parts; part && *part; part++)
                strv_add(member, *part);
        return 0;
}

int value_filter(void *member, const char *text, Error *err) {
        _cleanup_free_ char *key = NULL, *value = NULL;
        const char *equals = strchr(text, '=');

        if (!*text)
                return 0;
        if (!equals)
                return error_kind(err, ERROR_INVALID, "bad format of filter (expected name=value)");
        key = str_copy_n(text, (size_t)(equals - text));
        value = str_copy(equals + 1);
        strv_format(member, "%s=%s", str_lower(str_trim(key)), str_trim(value));
        return 0;
}

int value_env(void *member, const char *text, Error *err) {
        if (!*text || *text == '=')
                return error_kind(err, ERROR_INVALID, "invalid environment variable: %s", text);
        strv_add(member, text);
        return 0;
}

int value_label(void *member, const char *text, Error *err) {
        if (!*text || *text == '=')
                return error_kind(err, ERROR_INVALID, "invalid label '%s': empty name", text);
        if (isspace((unsigned char)*text) || isspace((unsigned char)text[strcspn(text, "=") - 1]))
                return error_kind(err, ERROR_INVALID, "label '%.*s' contains whitespaces",
                                  (int)strcspn(text, "="), text);
        strv_add(member, text);
        return 0;
}

int number_parse(const char *function, const char *text, int64_t low, int64_t high, int64_t *ret,
                 Error *err) {
        int64_t value;
        int r = str_to_int64(*text == '+' ? text + 1 : text, &value);

        if (r == -EINVAL)
                return error_kind(err, ERROR_INVALID, "strconv.%s: parsing \"%s\": invalid syntax",
                                  function, text);
        if (r < 0 || value < low || value > high)
                return error_kind(err, ERROR_INVALID,
                                  "strconv.%s: parsing \"%s\": value out of range", function, text);
        *ret = value;
        return 0;
}

int value_int(void *member, const char *text, Error *err) {
        return number_parse("ParseInt", text, INT64_MIN, INT64_MAX, member, err);
}

int value_uint16(void *member, const char *text, Error *err) {
        return number_parse("ParseUint", text, 0, UINT16_MAX, member, err);
}

int value_bytes(void *member, const char *text, Error *err) {
        int64_t size;

        if (str_to_size(text, &size) < 0)
                return error_kind(err, ERROR_INVALID, "invalid size: '%s'", text);
        *(int64_t *)member = size;
        return 0;
}

int value_swap(void *member, const char *text, Error *err) {
        if (!str_equal(text, "-1"))
                return value_bytes(member, text, err);
        *(int64_t *)member = -1;
        return 0;
}

int value_cpus(void *member, const char *text, Error *err) {
        double cpus;

        if (str_to_double(text, &cpus) < 0)
                return error_kind(err, ERROR_INVALID, "failed to parse %s as a rational number",
                                  text);
        if (fabs(cpus * 1e9 - round(cpus * 1e9)) > 1e-3 || fabs(cpus) > 1e9)
                return error_kind(err, ERROR_INVALID, "value is too precise");
        *(int64_t *)member = llround(cpus * 1e9);
        return 0;
}

int value_duration(void *member, const char *text, Error *err) {
        if (duration_parse(text, member) == 0)
                return 0;
        return error_kind(err, ERROR_INVALID, "time: invalid duration \"%s\"", text);
}

int value_map(void *member, const char *text, Error *err) {
        size_t length = strcspn(text, "=");
        _cleanup_free_ char *key = str_copy_n(text, length);

        if (length == 0)
                return error_kind(err, ERROR_INVALID, "invalid option '%s': empty name", text);
        pairs_put(member, key, text[length] ? text + length + 1 : "");
        return 0;
}

/* %.<digits>g without an exponent, as Go prints such numbers here. */
static char *scaled(double value, int digits, double base, const char *const *suffixes,
                    size_t count, char text[SIZE_TEXT_MAX]) {
        size_t i = 0;

        while (value >= base && i + 1 < count) {
                value /= base;
                i++;
        }
        (void)snprintf(text, SIZE_TEXT_MAX, "%.*g%s", digits, value, suffixes[i]);
        return text;
}

char *size_human(double bytes, int digits, char text[SIZE_TEXT_MAX]) {
        static const char *const suffixes[] = {
                "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"
        };

        return scaled(bytes, digits, 1000, suffixes, ELEMENTS(suffixes), text);
}

char *size_binary(double bytes, char text[SIZE_TEXT_MAX]) {
        static const char *const suffixes[] = { "B",   "KiB", "MiB", "GiB", "TiB",
                                                "PiB", "EiB", "ZiB", "YiB" };

        return scaled(bytes, 4, 1024, suffixes, ELEMENTS(suffixes), text);
}

static bool continues(char byte) {
        return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t text_width(const char *text) {
        size_t width = 0;

        for (; *text; text++)
                width += !continues(*text);
        return width;
}

char *text_ellipsis(const char *text, size_t width) {
        const char *end = text;

        if (text_width(text) <= width)
                return str_copy(text);
        if (width == 0)
                return str_copy("");
        for (size_t left = width - 1; left > 0; left--)
                for (end++; continues(*end);)
                        end++;
        return str_format("%.*s…", (int)(end - text), text);
}
