/* retry.h: when a registry is asked again, and how long one waits before. Part of brig-image. */
#pragma once

#include "image/http-get.h"

#define ATTEMPTS_MAX 5
/* A transfer that gets so far before it breaks has made progress: attempts are counted anew. */
#define PROGRESS_MIN (1 << 20)

typedef struct Retry {
        int attempts;
        int most;             /* attempts; 0: ATTEMPTS_MAX */
        int64_t pause, begun; /* ms; where the transfer was when attempts were last counted anew */
} Retry;

/* After a failed attempt that got to `position`: true once the time has come for another one; false
 * where there were enough, or brigd has gone. */
bool retry_wait(Retry *retry, const HttpGet *get, int64_t position);
/* How long retry_wait waits, in ms: what the server says (Retry-After), else twice as long as
 * before, and a minute at most. */
int retry_pause(Retry *retry, const HttpGet *get);
/* Whether asking the same again may help. */
bool retry_may_help(const HttpGet *get);
