/* clock.c: see clock.h. */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"

static int64_t read_clock(clockid_t id) {
        struct timespec now;

        (void)clock_gettime(id, &now);
        return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

int64_t clock_now(void) {
        return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void) {
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot(void) {
        return read_clock(CLOCK_BOOTTIME);
}

/* ---- a clock that is set ---- */

ClockMark clock_mark(void) {
        return (ClockMark){ clock_now(), clock_boot() };
}

/* How far the clock was set, forward or (negative) back. The two are not read at one moment: less
 * than a second is none. */
static int64_t clock_set_by(const ClockMark *mark, int64_t now) {
        int64_t by = now - mark->wall - (clock_boot() - mark->boot);

        return by > -NSEC_PER_SEC && by < NSEC_PER_SEC ? 0 : by;
}

int64_t clock_age(const ClockMark *mark, int64_t when) {
        const int64_t now = clock_now(), forward = MAX(clock_set_by(mark, now), 0);

        /* `when` may be of before it was set. */
        return when <= now - forward ? now - forward - when : MAX(now - when, 0);
}

bool clock_is_after(const ClockMark *mark, int64_t when) {
        return when > mark->wall + MIN(clock_set_by(mark, clock_now()), 0);
}

static char *format_time(int64_t when, char text[CLOCK_TEXT_MAX], bool fixed) {
        time_t seconds = (time_t)(when / NSEC_PER_SEC);
        int nanoseconds = (int)(when % NSEC_PER_SEC);
        struct tm tm;
        size_t used;

        if (nanoseconds < 0) {
                nanoseconds += (int)NSEC_PER_SEC;
                seconds--;
        }
        (void)gmtime_r(&seconds, &tm);
        used = strftime(text, CLOCK_TEXT_MAX, "%FT%T", &tm);
        if (fixed || nanoseconds > 0) {
                used += (size_t)snprintf(text + used, CLOCK_TEXT_MAX - used, ".%09d", nanoseconds);
                while (!fixed && text[used - 1] == '0')
                        used--;
        }
        text[used++] = 'Z';
        text[used] = '\0';
        return text;
}

char *clock_format(int64_t when, char text[CLOCK_TEXT_MAX]) {
        if (when != 0)
                return format_time(when, text, false);
        (void)snprintf(text, CLOCK_TEXT_MAX, "0001-01-01T00:00:00Z");
        return text;
}

char *clock_format_known(int64_t when, char text[CLOCK_TEXT_MAX]) {
        return format_time(when, text, false);
}

char *clock_format_fixed(int64_t when, char text[CLOCK_TEXT_MAX]) {
        return format_time(when, text, true);
}

/* ".123" → nanoseconds; moves *text past it. */
static int64_t parse_fraction(const char **text) {
        int64_t value = 0, unit = NSEC_PER_SEC / 10;

        if (**text != '.')
                return 0;
        for ((*text)++; isdigit((unsigned char)**text); (*text)++, unit /= 10)
                value += (**text - '0') * unit;
        return value;
}

/* "Z" or "+hh:mm", and nothing after it → seconds. */
static int parse_offset(const char *text, int *ret) {
        int hours, minutes;

        if (strcmp(text, "Z") == 0) {
                *ret = 0;
                return 0;
        }
        if ((*text != '+' && *text != '-') || strlen(text) != strlen("+hh:mm") || text[3] != ':')
                return -EINVAL;
        for (int i = 1; i < 6; i++)
                if (i != 3 && !isdigit((unsigned char)text[i]))
                        return -EINVAL;
        hours = (text[1] - '0') * 10 + text[2] - '0';
        minutes = (text[4] - '0') * 10 + text[5] - '0';
        *ret = (*text == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
        return 0;
}

int clock_parse(const char *text, int64_t *ret) {
        struct tm tm = {};
        int64_t fraction, seconds, when;
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        int offset;

        if (!rest)
                return -EINVAL;
        fraction = parse_fraction(&rest);
        if (parse_offset(rest, &offset) < 0)
                return -EINVAL;
        if (tm.tm_year <= 1 - 1900) {
                *ret = 0;
                return 0;
        }
        seconds = timegm(&tm) - offset;
        if (__builtin_mul_overflow(seconds, NSEC_PER_SEC, &when) ||
            __builtin_add_overflow(when, fraction, &when))
                when = seconds < 0 ? INT64_MIN : INT64_MAX;
        *ret = when;
        return 0;
}

static const struct {
        const char *name;
        double nanoseconds;
} units[] = {
        { "ns", 1 },  { "us", 1e3 }, { "µs", 1e3 },   { "ms", 1e6 },
        { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },
};

/* The unit at the start of text whose end is not a letter: "ms" before "m". */
static int parse_unit(const char **text, double *ret) {
        size_t length = strcspn(*text, "0123456789.");

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == length && strncmp(units[i].name, *text, length) == 0) {
                        *text += length;
                        *ret = units[i].nanoseconds;
                        return 0;
                }
        return -EINVAL;
}

int duration_parse(const char *text, int64_t *ret) {
        double total = 0, sign = 1;

        if (*text == '-' || *text == '+')
                sign = *text++ == '-' ? -1 : 1;
        if (strcmp(text, "0") == 0) {
                *ret = 0;
                return 0;
        }
        if (!*text)
                return -EINVAL;
        while (*text) {
                double value = 0, unit, scale = 1;
                size_t digits = 0;

                for (; isdigit((unsigned char)*text); text++, digits++)
                        value = value * 10 + (*text - '0');
                if (*text == '.')
                        for (text++; isdigit((unsigned char)*text); text++, digits++)
                                value += (*text - '0') * (scale /= 10);
                if (digits == 0 || parse_unit(&text, &unit) < 0)
                        return -EINVAL;
                total += value * unit;
        }
        if (total > 9.2e18)
                return -EINVAL;
        *ret = (int64_t)(sign * (total + 0.5)); /* most decimal fractions have no exact double */
        return 0;
}

/* A time without a zone is in ours. */
static int parse_local(const char *text, int64_t *ret) {
        static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
                                               "%Y-%m-%d" };

        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                struct tm tm = { .tm_isdst = -1 };
                const char *end = strptime(text, formats[i], &tm);
                int64_t fraction;

                if (!end)
                        continue;
                fraction = i == 0 ? parse_fraction(&end) : 0;
                if (*end)
                        continue;
                *ret = mktime(&tm) * NSEC_PER_SEC + fraction;
                return 0;
        }
        return -EINVAL;
}

/* "1136073600.000000001" */
static int parse_seconds(const char *text, int64_t *ret) {
        size_t digits = strspn(text, "0123456789");
        _cleanup_free_ char *whole = str_copy_n(text, digits);
        int64_t seconds, fraction;

        if (str_to_int64(whole, &seconds) < 0 || seconds > INT64_MAX / NSEC_PER_SEC - 1)
                return -EINVAL;
        text += digits;
        fraction = parse_fraction(&text);
        if (*text)
                return -EINVAL;
        *ret = seconds * NSEC_PER_SEC + fraction;
        return 0;
}

int clock_parse_any(const char *text, int64_t *ret) {
        int64_t ago;

        if (duration_parse(text, &ago) == 0) {
                *ret = clock_now() - ago;
                return 0;
        }
        if (clock_parse(text, ret) == 0 || parse_seconds(text, ret) == 0)
                return 0;
        return parse_local(text, ret);
}

/* value / unit with its fraction, without zeros at the end: "1.5". */
static void add_fraction(Buf *out, int64_t value, int64_t unit) {
        int64_t rest = value % unit;

        buf_format(out, "%" PRId64, value / unit);
        if (rest)
                buf_add_char(out, '.');
        for (; rest; rest = rest * 10 % unit)
                buf_add_char(out, (char)('0' + rest * 10 / unit));
}

char *duration_text(int64_t duration) {
        static const struct {
                int64_t unit;
                const char *name;
        } small[] = { { NSEC_PER_MSEC, "ms" }, { 1000, "\xc2\xb5s" }, { 1, "ns" } };
        int64_t minutes = duration / (60 * NSEC_PER_SEC);
        _cleanup_buf_ Buf out = {};

        for (size_t i = 0; duration && duration < NSEC_PER_SEC && i < ELEMENTS(small); i++)
                if (duration >= small[i].unit) {
                        add_fraction(&out, duration, small[i].unit);
                        buf_add_str(&out, small[i].name);
                        return buf_take(&out);
                }
        if (minutes >= 60)
                buf_format(&out, "%" PRId64 "h", minutes / 60);
        if (minutes)
                buf_format(&out, "%" PRId64 "m", minutes % 60);
        add_fraction(&out, duration % (60 * NSEC_PER_SEC), NSEC_PER_SEC);
        buf_add_char(&out, 's');
        return buf_take(&out);
}

char *duration_human(int64_t duration, char text[DURATION_TEXT_MAX]) {
        int64_t seconds = duration / NSEC_PER_SEC, minutes = seconds / 60;
        int64_t hours = (int64_t)((double)seconds / 3600 + 0.5);

        if (seconds < 1)
                (void)snprintf(text, DURATION_TEXT_MAX, "Less than a second");
        else if (seconds == 1)
                (void)snprintf(text, DURATION_TEXT_MAX, "1 second");
        else if (seconds < 60)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld seconds", (long long)seconds);
        else if (minutes == 1)
                (void)snprintf(text, DURATION_TEXT_MAX, "About a minute");
        else if (minutes < 60)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld minutes", (long long)minutes);
        else if (hours == 1)
                (void)snprintf(text, DURATION_TEXT_MAX, "About an hour");
        else if (hours < 48)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld hours", (long long)hours);
        else if (hours < 24 * 14)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld days", (long long)hours / 24);
        else if (hours < 24 * 60)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld weeks", (long long)hours / 24 / 7);
        else if (hours < 24 * 365 * 2)
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld months", (long long)hours / 24 / 30);
        else
                (void)snprintf(text, DURATION_TEXT_MAX, "%lld years", (long long)hours / 24 / 365);
        return text;
}
