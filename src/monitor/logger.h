/* logger.h: what a monitor tells its logger (src/logger/): the program that compresses rotated logs
 * ("brig-logger compress") and that passes output on to syslog and journald ("brig-logger
 * forward"). */
#pragma once

#include "format/json.h"

/* ---- compress: descriptor 0 is read, what is compressed goes to 1 and is synced; one byte is
 * written to 3 when that is done. ---- */
#define LOGGER_DONE_FD 3

/* ---- inflate: descriptor 0 is read, what it holds goes to 1 ---- */
#define LOGGER_NO_ROOM 3 /* its exit status where 1 has no room for that */

/* ---- forward, and forward-again for what an earlier one has left: descriptor 0 is a
 * SOCK_SEQPACKET socket with a record a message, 1 a memory file with LoggerOptions, 2 takes what
 * has to be said when no monitor is there to say it. ---- */

/* Before the record's text. */
typedef struct LoggerHead {
        int64_t when;   /* ns since 1970 */
        uint8_t stream; /* 1 stdout, 2 stderr */
        uint8_t partial;
        uint8_t unused[6];
} LoggerHead;

#define LOGGER_TEXT_MAX (64 * 1024) /* of a record or of words to the monitor */

/* The first byte of what the logger says to the monitor; words follow. */
#define LOGGER_READY '+' /* the target takes records: at first, and again after an outage */
#define LOGGER_AWAY '!'  /* it does not */

typedef struct LoggerOptions {
        char *driver;  /* syslog, journald */
        char *address; /* syslog: "" is the local one; else udp, tcp, tcp+tls, unix, unixgram:// */
        char *format;  /* "", rfc3164, rfc5424, rfc5424micro */
        char *tag;
        int64_t facility; /* 0 to 23 */
        char *tls_ca, *tls_cert, *tls_key;
        bool tls_skip_verify;
        Pairs fields; /* journald: of every record */
} LoggerOptions;

extern const JsonTable logger_options_table;
