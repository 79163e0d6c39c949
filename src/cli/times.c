/* times.c: see times.h. */
#include "cli/times.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

static char *stamp(int64_t when) {
        int64_t seconds = when / NSEC_PER_SEC, rest = when % NSEC_PER_SEC;

        if (rest < 0) {
                rest += NSEC_PER_SEC;
                seconds--;
        }
        return str_format("%lld.%09lld", (long long)seconds, (long long)rest);
}

/* A time without a zone is in ours. */
static int parse_local(const char *text, int64_t *ret) {
        static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
                                               "%Y-%m-%d" };

        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                struct tm tm = { .tm_isdst = -1 };
                const char *end = strptime(text, formats[i], &tm);
                int64_t fraction = 0, unit = NSEC_PER_SEC / 10;

                if (!end)
                        continue;
                if (*end == '.' && i == 0)
                        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
                                fraction += (*end - '0') * unit;
                if (*end)
                        continue;
                *ret = mktime(&tm) * NSEC_PER_SEC + fraction;
                return 0;
        }
        return -EINVAL;
}

/* "1136073600.000000001" stays as it is. */
static int parse_seconds(const char *text, char **ret) {
        size_t digits = strspn(text, "0123456789");
        size_t more = text[digits] == '.' ? 1 + strspn(text + digits + 1, "0123456789") : 0;

        if (digits == 0 || text[digits + more])
                return -EINVAL;
        *ret = str_copy(text);
        return 0;
}

int time_stamp(const char *text, char **ret) {
        int64_t value;

        if (parse_seconds(text, ret) == 0)
                return 0;
        if (duration_parse(text, &value) == 0) {
                *ret = stamp(clock_now() - value);
                return 0;
        }
        if (clock_parse(text, &value) < 0 && parse_local(text, &value) < 0)
                return -EINVAL;
        *ret = stamp(value);
        return 0;
}
