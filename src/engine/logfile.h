/* logfile.h: reads what a container's monitor writes in the form of Docker's json-file driver, over
 * its rotated files. Knows no containers. Inside engine only. */
#pragma once

#include "base/fd.h"
#include "base/map.h"

/* One record; text is without a newline where the line goes on in the next one. */
typedef struct LogRecord {
        char *text; /* may hold NUL characters; the caller's */
        size_t length;
        int stream;   /* 1 or 2 */
        int64_t when; /* ns since 1970 */
        Pairs attributes;
} LogRecord;
/* line is without its newline. -EBADMSG where it is no record, as after a power cut. */
int log_decode(const char *line, size_t length, LogRecord *ret);
void log_record_done(LogRecord *record);

typedef struct LogReader {
        int dir_fd; /* borrowed */
        char *path;
        int *fds; /* found at first, oldest first; those from `position` on are still to be read */
        size_t count, position;
        int fd, next_fd; /* the file being read, and the one after it; -1: none is known */
        int64_t offset;  /* in fd, of what is in buf from its start */
        Buf buf;
        size_t used; /* bytes of buf that were handed out */
} LogReader;

/* path below dir_fd; older files are path.1, path.2 … Missing files are an empty log. Starts at the
 * last `tail` records; -1: at the first. log_reader_done frees it. */
int log_reader_open(int dir_fd, const char *path, int64_t tail, LogReader *ret, Error *err);
void log_reader_done(LogReader *reader);
/* 1: the next record; 0: no more for now; negative: an error. Follows rotation. */
int log_reader_next(LogReader *reader, LogRecord *ret, Error *err);
