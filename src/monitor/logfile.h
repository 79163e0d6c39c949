/* logfile.h: where a container's output goes: lines cut, encoded (logencode.h), into a file that is
 * rotated and, rotated, compressed (logpack.h), and on to a logger (forward.h). Reading logs is the
 * engine's work. */
#pragma once

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"
#include "monitor/logencode.h"
#include "monitor/protocol.h"

/* The longest piece of a line in one record; a longer line becomes several, of which the last alone
 * ends in "\n". */
#define LOG_PIECE_MAX (16 * 1024)

/* What one stream has written since its last newline. */
typedef struct LogLine {
        Buf text;
        int64_t began; /* time of the line's first piece, which its others carry too; 0: none yet */
} LogLine;

/* Who owns the log; loop may be NULL where nothing is compressed or forwarded. */
typedef struct LogHost {
        Loop *loop;
        void (*warn)(void *data, const Error *err); /* of what happens between two calls */
        void (*ready)(void *data); /* it takes more: logfile_waits is false from now on */
        void *data;
} LogHost;

typedef struct LogPack LogPack;
typedef struct LogForward LogForward;

typedef struct LogFile {
        int dir_fd; /* borrowed */
        int fd;     /* -1: no file is written */
        char *path; /* below dir_fd */
        const LogFormat *format;
        char *attributes; /* log_encode_attributes' */
        int64_t size, max_size, max_files;
        LogLine lines[2];    /* stdout, stderr */
        bool failing;        /* the last write or rotation failed: said once */
        bool written;        /* this call has written something */
        int unrotated;       /* what this call's last rotation failed with, or 0 */
        bool torn;           /* the file may end within a record */
        int program_fd;      /* the logger as it was at the start: an upgrade does not change it */
        char *program;       /* its path */
        LogPack *pack;       /* NULL: nothing is compressed */
        LogForward *forward; /* NULL: nothing is forwarded */
} LogFile;

/* The drivers "json-file" and "local" open (create) their file; "none" and NULL write none; others
 * are refused. With options->forward the logger is started and its target reached; why not is the
 * error. host may be NULL without compress and forward; it must outlive the log. */
int logfile_open(LogFile *log, int dir_fd, const MonitorLog *options, const LogHost *host,
                 Error *err);
/* What waits for the logger becomes the logger's, who goes on alone. */
void logfile_done(LogFile *log);
/* Opens the path anew, after someone else moved the file. */
int logfile_reopen(LogFile *log, Error *err);
/* Forgets all that was written. A reader that follows goes on with what comes. */
int logfile_clear(LogFile *log, Error *err);

/* stream: 1 stdout, 2 stderr. An error (the disk is full, say) is reported once until writing works
 * again; the lines are lost, as the container must not stop for its log. Where the file cannot be
 * rotated, they go on into it. */
int logfile_write(LogFile *log, int stream, const void *data, size_t length, Error *err);
/* At the stream's end: writes what has no newline yet. */
int logfile_end(LogFile *log, int stream, Error *err);
/* Whether the container has to wait (mode "blocking") until the logger has taken what there is. */
bool logfile_waits(const LogFile *log);
/* Whether it waits for a time, which a monitor that rests would not see. */
bool logfile_timed(const LogFile *log);
