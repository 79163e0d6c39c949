/* times.c: see times.h. */
#include "cli/times.h"

#include <errno.h>

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
        if (clock_parse_any(text, &value) < 0)
                return -EINVAL;
        *ret = stamp(value);
        return 0;
}
