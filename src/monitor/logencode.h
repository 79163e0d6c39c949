/* logencode.h: a record of a container's log as bytes: Docker's json-file form, byte for byte, and
 * the compact one of the driver "local", which is brig's own. Knows no files. */
#pragma once

#include "base/map.h"
#include "base/str.h"

/* One piece of a line, without its newline. */
typedef struct LogEntry {
        const char *text; /* holds no newline; borrowed */
        size_t length;
        int stream;   /* 1 stdout, 2 stderr */
        bool partial; /* the line goes on in the next entry of the stream */
        int64_t when; /* ns since 1970; the first piece's, for all of a line */
} LogEntry;

typedef struct LogFormat {
        const char *driver;
        /* One record with its newline, appended to buf. attributes: log_encode_attributes', or
         * NULL. "local" is "<mark><when> <text>\n": the mark is o (stdout) or e (stderr), a capital
         * where the line goes on in the next record. */
        void (*encode)(Buf *buf, const LogEntry *entry, const char *attributes);
} LogFormat;

/* NULL where the driver writes no file. */
const LogFormat *log_format(const char *driver);
/* ",\"attrs\":{…}", the caller's; NULL where there are none. */
char *log_encode_attributes(const Pairs *pairs);
