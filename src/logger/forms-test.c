/* forms-test.c: records as syslog's formats and the journal's protocol have them. */
#include <stdlib.h>
#include <time.h>

#include "base/test.h"
#include "logger/journal-format.h"
#include "logger/syslog-format.h"

/* 2026-01-02T03:04:05.000006789Z */
#define WHEN 1767323045000006789LL

static char *as_syslog(const char *format, int stream, bool counted) {
        const SyslogForm form = { .format = format,
                                  .hostname = "host",
                                  .tag = "web",
                                  .facility = 3,
                                  .pid = 7,
                                  .counted = counted };
        const LogEntry entry = { .text = "hello", .length = 5, .stream = stream, .when = WHEN };
        Buf buf = {};

        syslog_format(&buf, &form, &entry);
        return buf_take(&buf);
}

#define ASSERT_SYSLOG(format, stream, counted, wanted)                                             \
        do {                                                                                       \
                _cleanup_free_ char *text_ = as_syslog(format, stream, counted);                   \
                ASSERT_STR(text_, wanted);                                                         \
        } while (0)

TEST(syslog_formats) {
        (void)setenv("TZ", "UTC0", 1);
        tzset();
        ASSERT_SYSLOG("", 1, false, "<30>Jan  2 03:04:05 web[7]: hello\n");
        ASSERT_SYSLOG("", 2, false, "<27>Jan  2 03:04:05 web[7]: hello\n");
        ASSERT_SYSLOG("rfc3164", 1, false, "<30>Jan  2 03:04:05 host web[7]: hello\n");
        ASSERT_SYSLOG("rfc5424", 1, false, "<30>1 2026-01-02T03:04:05Z host web 7 web - hello\n");
        ASSERT_SYSLOG("rfc5424micro", 1, false,
                      "<30>1 2026-01-02T03:04:05.000006Z host web 7 web - hello\n");
        ASSERT_SYSLOG("rfc5424", 1, true, "50 <30>1 2026-01-02T03:04:05Z host web 7 web - hello\n");
}

TEST(syslog_times_have_their_zone) {
        (void)setenv("TZ", "XST+3:30", 1);
        tzset();
        ASSERT_SYSLOG("rfc5424", 1, false,
                      "<30>1 2026-01-01T23:34:05-03:30 host web 7 web - hello\n");
        (void)setenv("TZ", "UTC0", 1);
        tzset();
}

static char *as_journal(JournalForm *form, const char *text, int stream, bool partial) {
        const LogEntry entry = { .text = text,
                                 .length = strlen(text),
                                 .stream = stream,
                                 .partial = partial,
                                 .when = 1 };
        Buf buf = {};

        journal_format(&buf, form, &entry);
        return buf_take(&buf);
}

TEST(journal_fields) {
        _cleanup_(pairs_done) Pairs fields = {};
        _cleanup_free_ char *text = NULL;
        JournalForm form;

        pairs_put(&fields, "CONTAINER_NAME", "web");
        pairs_put(&fields, "TWO", "a\nb");
        journal_form_init(&form, &fields);
        text = as_journal(&form, "hello=", 1, false);
        ASSERT(str_after(text, "MESSAGE=hello=\nPRIORITY=6\n"
                               "SYSLOG_TIMESTAMP=1970-01-01T00:00:00.000000001Z\n"));
        ASSERT(strstr(text, "\nCONTAINER_LOG_ORDINAL=1\nCONTAINER_NAME=web\nTWO\n\3"));
        ASSERT(!strstr(text, "PARTIAL"));
}

TEST(journal_pieces) {
        _cleanup_(pairs_done) Pairs none = {};
        JournalForm form;

        journal_form_init(&form, &none);
        _cleanup_free_ char *first = as_journal(&form, "a", 2, true);
        _cleanup_free_ char *other = as_journal(&form, "x", 1, false);
        _cleanup_free_ char *last = as_journal(&form, "b", 2, false);
        _cleanup_free_ char *next = as_journal(&form, "c", 2, false);
        ASSERT(strstr(first, "PRIORITY=3\n"));
        ASSERT(strstr(first, "\nCONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ID="));
        ASSERT(strstr(first, "\nCONTAINER_PARTIAL_ORDINAL=1\nCONTAINER_PARTIAL_LAST=false\n"));
        ASSERT(!strstr(other, "PARTIAL"));
        ASSERT(strstr(last, "\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=true\n"));
        ASSERT(!strstr(last, "PARTIAL_MESSAGE"));
        ASSERT(!strstr(next, "PARTIAL"));
        /* The pieces name one line. */
        const char *id = strstr(first, "PARTIAL_ID=");
        char line[64];
        (void)snprintf(line, sizeof(line), "%.*s", 11 + 32, id);
        ASSERT(strstr(last, line));
}

TEST_MAIN()
