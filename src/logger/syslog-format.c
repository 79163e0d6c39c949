/* syslog-format.c: see syslog-format.h. */
#include "logger/syslog-format.h"

#include <time.h>

#include "base/clock.h"

#define SEVERITY_ERR 3
#define SEVERITY_INFO 6

/* "Jan  2 15:04:05". */
static void add_stamp(Buf *buf, const struct tm *time) {
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

        buf_format(buf, "%s %2d %02d:%02d:%02d", months[time->tm_mon], time->tm_mday, time->tm_hour,
                   time->tm_min, time->tm_sec);
}

/* RFC 3339 with the zone's offset, and with microseconds where asked for. */
static void add_rfc3339(Buf *buf, const struct tm *time, int64_t when, bool micro) {
        long offset = time->tm_gmtoff / 60, minutes = offset < 0 ? -offset : offset;

        buf_format(buf, "%04d-%02d-%02dT%02d:%02d:%02d", time->tm_year + 1900, time->tm_mon + 1,
                   time->tm_mday, time->tm_hour, time->tm_min, time->tm_sec);
        if (micro)
                buf_format(buf, ".%06lld", (long long)(when % NSEC_PER_SEC / 1000));
        if (offset == 0)
                buf_add_char(buf, 'Z');
        else
                buf_format(buf, "%c%02ld:%02ld", offset < 0 ? '-' : '+', minutes / 60,
                           minutes % 60);
}

static void add_head(Buf *buf, const SyslogForm *form, int priority, int64_t when) {
        time_t seconds = when / NSEC_PER_SEC;
        struct tm time = {};

        (void)localtime_r(&seconds, &time);
        if (str_after(form->format, "rfc5424")) {
                buf_format(buf, "<%d>1 ", priority);
                add_rfc3339(buf, &time, when, str_equal(form->format, "rfc5424micro"));
                buf_format(buf, " %s %s %d %s - ", form->hostname, form->tag, form->pid, form->tag);
                return;
        }
        buf_format(buf, "<%d>", priority);
        add_stamp(buf, &time);
        if (str_equal(form->format, "rfc3164"))
                buf_format(buf, " %s", form->hostname);
        buf_format(buf, " %s[%d]: ", form->tag, form->pid);
}

void syslog_format(Buf *buf, const SyslogForm *form, const LogEntry *entry) {
        int severity = entry->stream == 2 ? SEVERITY_ERR : SEVERITY_INFO;
        _cleanup_buf_ Buf message = {};

        add_head(&message, form, form->facility * 8 + severity, entry->when);
        buf_add(&message, entry->text, entry->length);
        buf_add_char(&message, '\n');
        if (form->counted)
                buf_format(buf, "%zu ", message.length);
        buf_add(buf, message.data, message.length);
}
