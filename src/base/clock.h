/* clock.h: wall-clock times in Docker's form, durations in Go's. Times are nanoseconds since 1970;
 * durations nanoseconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

/* "0001-01-01T00:00:00Z", Go's zero time, is 0 here. */
int64_t clock_now(void);       /* CLOCK_REALTIME */
int64_t clock_monotonic(void); /* CLOCK_MONOTONIC, for timeouts */
int64_t clock_boot(void);      /* CLOCK_BOOTTIME: since the boot, sleep too; nobody sets it */

/* A moment by the clock that may be set, and by the one that is not. */
typedef struct ClockMark {
        int64_t wall, boot;
} ClockMark;
ClockMark clock_mark(void);
/* How long ago `when` was. Where the clock was set since the mark, never longer than it was. */
int64_t clock_age(const ClockMark *mark, int64_t when);
/* Whether `when` may be after the mark, whatever the clock was set to since. */
bool clock_is_after(const ClockMark *mark, int64_t when);

/* RFC 3339 with up to nine digits (trailing zeros dropped, as Go's RFC3339Nano), UTC; 0 gives Go's
 * zero time. */
#define CLOCK_TEXT_MAX 40
char *clock_format(int64_t when, char text[CLOCK_TEXT_MAX]);
/* The same where the time is known, and 0 is the beginning of 1970, as a file's may be. */
char *clock_format_known(int64_t when, char text[CLOCK_TEXT_MAX]);
/* The same with exactly nine digits, as docker logs -t prints. */
char *clock_format_fixed(int64_t when, char text[CLOCK_TEXT_MAX]);
/* RFC 3339 with any offset, and nothing after it; a time beyond what int64_t holds becomes the
 * nearest that it does. -EINVAL. */
int clock_parse(const char *text, int64_t *ret);

/* Go's time.ParseDuration: "1h2m3.5s", "300ms", "0". -EINVAL. */
int duration_parse(const char *text, int64_t *ret);
/* A time as users write one: RFC 3339 or the beginning of it (in our own zone), seconds since 1970
 * with or without a fraction, or a duration, which means before now. -EINVAL. */
int clock_parse_any(const char *text, int64_t *ret);
/* As Go prints one: "1m30s", "1.5s", "300ms", "0s"; the caller's. */
char *duration_text(int64_t duration);
/* Go's units.HumanDuration: "Less than a second", "5 seconds", "About a minute", "2 hours", "3
 * weeks" … */
#define DURATION_TEXT_MAX 48
char *duration_human(int64_t duration, char text[DURATION_TEXT_MAX]);
