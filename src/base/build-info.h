/* build-info.h: what the programs were built from, for `brig version` and GET /version; found out
 * by tools/built-from at each build, which links anew what says it and compiles nothing else. */
#pragma once

typedef struct BuildInfo {
        const char *commit; /* of git, abbreviated; "" where the sources came without it */
        const char *time;   /* the commit's, or SOURCE_DATE_EPOCH; RFC 3339 in UTC with nine digits,
                             * as moby writes it; "" where neither is known */
} BuildInfo;

extern const BuildInfo build_info;
