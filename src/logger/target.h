/* target.h: where records can go. Variants are tables: syslog.c, journal.c. */
#pragma once

#include "base/error.h"
#include "monitor/logencode.h"
#include "monitor/logger.h"

typedef struct Target Target;

typedef struct TargetKind {
        const char *driver;
        /* Reaches it once, or leaves that to the first send (later); freed with close. */
        int (*open)(const LoggerOptions *options, bool later, Target **ret, Error *err);
        /* 0: the record is the target's. Negative: it is not, and may be sent again; a connection
         * that was lost is made anew by the next send. */
        int (*send)(Target *target, const LogEntry *entry, Error *err);
        /* Readable where the connection has ended; -1: none. */
        int (*fd)(const Target *target);
        /* Looks after a connection that was lost while nothing was sent. */
        int (*mend)(Target *target, Error *err);
        /* Waits until all has arrived, for a while. Records that it was given and that may not
         * have.
         */
        size_t (*close)(Target *target);
} TargetKind;

extern const TargetKind syslog_target, journald_target;
