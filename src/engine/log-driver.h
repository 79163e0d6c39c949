/* log-driver.h: the log drivers and their options, as Docker documents them, checked and read.
 * Knows no containers. Inside engine only. */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "spec/container.h"

/* How much of a log is kept. */
typedef struct LogLimits {
        int64_t size;  /* bytes a file; 0: unlimited */
        int64_t files; /* at least 1 */
        bool compress; /* files that are not written any more */
} LogLimits;

typedef struct LogDriver {
        const char *name;
        const char *file;        /* the form that its own file has; NULL: it writes none */
        const char *const *keys; /* options besides those of all drivers */
        bool forwards;           /* to a target, with a cache for reading */
        LogLimits limits;        /* of its file, or of the cache */
        int (*check)(const Pairs *options, Error *err); /* further checks; or NULL */
} LogDriver;

/* NULL where there is none. */
const LogDriver *log_driver_find(const char *name);

/* A daemon's default goes in where config names no driver or the same, and the driver is checked
 * with every option. Errors are Docker's. */
int log_config_check(const LogConfig *daemon, LogConfig *config, Error *err);

/* "max-size", "max-file", "compress", each behind prefix ("cache-" or ""). */
int log_limits_read(const LogDriver *driver, const char *prefix, const Pairs *options,
                    LogLimits *ret, Error *err);
/* Whether what a forwarding driver sends is kept for reading, too. */
bool log_has_cache(const Pairs *options);
/* syslog-facility as a number from 0 to 23. */
int log_facility_read(const Pairs *options, int64_t *ret, Error *err);
/* Go's strconv.ParseBool; absent is not given. */
int log_bool_read(const Pairs *options, const char *key, bool not_given, bool *ret, Error *err);

#define LOG_BUFFER_DEFAULT 1000000 /* bytes that wait in mode=non-blocking */
int log_buffer_read(const Pairs *options, bool *ret_non_blocking, int64_t *ret_size, Error *err);
