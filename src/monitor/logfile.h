/* logfile.h: a container's log as Docker's json-file driver writes it: lines cut, encoded, rotated.
 * Reading logs is the engine's work. */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "monitor/protocol.h"

/* The longest piece of a line in one record; a longer line becomes several, of which the last alone
 * ends in "\n". */
#define LOG_PIECE_MAX (16 * 1024)

/* What one stream has written since its last newline. */
typedef struct LogLine {
        Buf text;
        int64_t began; /* time of the line's first piece, which its others carry too; 0: none yet */
} LogLine;

typedef struct LogFile {
        int dir_fd;       /* borrowed */
        int fd;           /* -1: nothing is logged */
        char *path;       /* below dir_fd */
        char *attributes; /* ",\"attrs\":{…}", or NULL */
        int64_t size, max_size, max_files;
        LogLine lines[2]; /* stdout, stderr */
        bool failing;     /* the last write or rotation failed: said once */
        bool written;     /* this call has written something */
        int unrotated;    /* what this call's last rotation failed with, or 0 */
        bool torn;        /* the file may end within a record */
} LogFile;

/* The driver "json-file" opens (creates) its file; "none" and NULL log nothing; others are refused.
 */
int logfile_open(LogFile *log, int dir_fd, const MonitorLog *options, Error *err);
void logfile_done(LogFile *log);
/* Opens the path anew, after someone else moved the file. */
int logfile_reopen(LogFile *log, Error *err);

/* stream: 1 stdout, 2 stderr. An error (the disk is full, say) is reported once until writing works
 * again; the lines are lost, as the container must not stop for its log. Where the file cannot be
 * rotated, they go on into it. */
int logfile_write(LogFile *log, int stream, const void *data, size_t length, Error *err);
/* At the stream's end: writes what has no newline yet. */
int logfile_end(LogFile *log, int stream, Error *err);

/* One record with its newline, appended to buf. partial: text goes on in the next record. */
void log_encode(Buf *buf, const char *text, size_t length, bool partial, const char *stream,
                const char *attributes, int64_t when);
