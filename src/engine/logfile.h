/* logfile.h: reads what a container's monitor writes in the forms of the drivers json-file and
 * local (monitor/logencode.h), over its rotated and compressed files. Knows no containers. Inside
 * engine only. */
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
typedef int (*LogDecode)(const char *line, size_t length, LogRecord *ret);
int log_decode(const char *line, size_t length, LogRecord *ret);       /* json-file */
int log_decode_local(const char *line, size_t length, LogRecord *ret); /* local */
void log_record_done(LogRecord *record);

/* A file of the log as it was found. A compressed one keeps the plain one's inode number, so that
 * who was reading that knows it again: see LOG_STAMP. */
typedef struct LogPart {
        int fd;      /* -1: none */
        bool packed; /* what fd is of: not inflated yet */
        bool was_packed;
        size_t number; /* in its name */
        uint64_t device, inode;
        long stamp;
        int64_t packed_at; /* seconds of the compressed one's mtime */
        int64_t size;      /* bytes, of the records, when it was found */
} LogPart;

typedef struct LogReader {
        int dir_fd; /* borrowed */
        char *path, *logger;
        LogDecode decode;
        LogPart *parts; /* found at first, oldest first; those from `position` on are still to be
                           read */
        size_t count, position;
        LogPart current, next; /* the file being read, and the one after it, if it is known */
        int64_t offset;        /* in current, of what is in buf from its start */
        Buf buf;
        size_t used; /* bytes of buf that were handed out */
        bool until_now;
} LogReader;

typedef struct LogSource {
        int dir_fd;         /* must outlive the reader */
        const char *path;   /* below dir_fd; older files are path.1, path.2 …, compressed ones
                               path.1.gz … */
        const char *form;   /* json-file, local */
        const char *logger; /* the program that inflates */
        bool until_now;     /* ends with what is there when it is opened */
} LogSource;

/* Missing files are an empty log. Starts at the last `tail` records; -1: at the first. What is
 * compressed is read through a file without a name in the same directory. log_reader_done frees it.
 */
int log_reader_open(const LogSource *source, int64_t tail, LogReader *ret, Error *err);
void log_reader_done(LogReader *reader);
/* 1: the next record; 0: no more for now; negative: an error. Follows rotation. */
int log_reader_next(LogReader *reader, LogRecord *ret, Error *err);

/* Removes the log's files, from the oldest, so that no reader takes an old one for new. */
int log_remove(int dir_fd, const char *path, Error *err);
