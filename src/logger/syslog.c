/* syslog.c: the target "syslog": a format over a connection. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "logger/connection.h"
#include "logger/syslog-format.h"
#include "logger/target.h"

/* As long as a server may take to acknowledge what it was sent last. */
#define FINISH_MS 10000

struct Target {
        Connection *connection;
        SyslogForm form;
        char hostname[256];
};

static int syslog_open(const LoggerOptions *options, bool later, Target **ret, Error *err) {
        Target *target = NEW(Target);
        int r = connection_open(options, later, &target->connection, err);

        if (r < 0) {
                free(target);
                return r;
        }
        tzset();
        if (gethostname(target->hostname, sizeof(target->hostname) - 1) < 0)
                (void)snprintf(target->hostname, sizeof(target->hostname), "-");
        target->form = (SyslogForm){ .format = options->format ?: "",
                                     .hostname = target->hostname,
                                     .tag = options->tag ?: "",
                                     .facility = (int)options->facility,
                                     .pid = (int)getpid(),
                                     .counted = connection_secure(target->connection) &&
                                                str_after(options->format ?: "", "rfc5424") };
        *ret = target;
        return 0;
}

static int syslog_send(Target *target, const LogEntry *entry, Error *err) {
        _cleanup_buf_ Buf message = {};

        syslog_format(&message, &target->form, entry);
        return connection_send(target->connection, message.data, message.length, err);
}

static int syslog_fd(const Target *target) {
        return connection_fd(target->connection);
}

static int syslog_mend(Target *target, Error *err) {
        return connection_mend(target->connection, err);
}

static size_t syslog_close(Target *target) {
        const size_t lost = connection_end(target->connection, FINISH_MS);

        connection_free(target->connection);
        free(target);
        return lost;
}

const TargetKind syslog_target = {
        "syslog", syslog_open, syslog_send, syslog_fd, syslog_mend, syslog_close,
};
