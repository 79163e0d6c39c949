/* times.h: points in time as users write them for --since and --until. */
#pragma once

/* A time of RFC 3339 or a part of one (in our own zone), seconds since 1970 with or without a
 * fraction, or a duration before now, as the API takes it: "seconds.nanoseconds", the caller's.
 * -EINVAL. */
int time_stamp(const char *text, char **ret);
