/* log.c: one write a line, so that threads do not mix theirs. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

static _Atomic LogLevel current = LOG_LEVEL_INFO;

static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(LogLevel level) {
        current = level;
}

int log_level_parse(const char *text, LogLevel *ret) {
        if (str_equal(text, "fatal"))
                text = "error";
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(text, names[i])) {
                        *ret = (LogLevel)i;
                        return 0;
                }
        return -EINVAL;
}

/* Names and messages of others must not end a line or steer a terminal. */
static void hide_controls(char *text, size_t length) {
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
                        text[i] = ' ';
}

void log_line(LogLevel level, const char *format, ...) {
        char line[2048];
        struct timespec now;
        struct tm tm;
        va_list args;
        size_t used;
        int n;

        if (level > current)
                return;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &tm);
        used = strftime(line, sizeof(line), "%FT%T", &tm);
        used += (size_t)snprintf(line + used, sizeof(line) - used, ".%03ldZ %s ",
                                 now.tv_nsec / 1000000, names[level]);
        va_start(args, format);
        n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
        va_end(args);
        used = MIN(used + (size_t)MAX(n, 0), sizeof(line) - 2);
        hide_controls(line, used);
        line[used++] = '\n';
        if (write(STDERR_FILENO, line, used) < 0)
                return; /* nowhere left to say it */
}
