/* test-limits.h: for tests that hold thousands of descriptors, as brigd does. */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

/* As many as the hard limit allows; false: fewer than count. */
static inline bool test_has_descriptors(rlim_t count) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return false;
        limit.rlim_cur = limit.rlim_max;
        return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}
