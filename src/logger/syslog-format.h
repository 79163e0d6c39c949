/* syslog-format.h: a record as a syslog message: RFC 3164, RFC 5424 and what Docker writes where no
 * format is asked for. Knows no sockets. */
#pragma once

#include "monitor/logencode.h"

typedef struct SyslogForm {
        const char *format; /* "", rfc3164, rfc5424, rfc5424micro */
        const char *hostname, *tag;
        int facility; /* 0 to 23 */
        int pid;
        bool counted; /* RFC 5425: behind its length */
} SyslogForm;

/* Appends one message with its newline. Severity is info, for stderr err. The time is the record's,
 * in our own zone. */
void syslog_format(Buf *buf, const SyslogForm *form, const LogEntry *entry);
