/* logfile.c: see logfile.h. */
#include "monitor/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "monitor/forward.h"
#include "monitor/lognames.h"
#include "monitor/logpack.h"

static int open_file(LogFile *log, int flags, Error *err) {
        struct stat st;
        int fd = openat(log->dir_fd, log->path,
                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0640);

        if (fd < 0)
                return error_set(err, errno, "open log '%s'", log->path);
        close_fd(&log->fd);
        log->fd = fd;
        log->size = fstat(fd, &st) == 0 ? st.st_size : 0;
        log->torn = log->torn && log->size > 0;
        return 0;
}

static int open_log_file(LogFile *log, const MonitorLog *options, Error *err) {
        if (str_empty(options->path))
                return error_kind(err, ERROR_INVALID, "log driver %s without a path",
                                  options->driver);
        log->path = str_copy(options->path);
        log->max_size = options->max_size;
        log->max_files = MAX(options->max_files, 1);
        log->attributes = log_encode_attributes(&options->attributes);
        return open_file(log, 0, err);
}

static int open_program(LogFile *log, const MonitorLog *options, Error *err) {
        log->program_fd = open(options->logger ?: "", O_PATH | O_CLOEXEC);
        if (log->program_fd < 0)
                return error_set(err, errno, "open the logger '%s'", options->logger ?: "");
        log->program = str_format("/proc/%d/fd/%d", (int)getpid(), log->program_fd);
        return 0;
}

int logfile_open(LogFile *log, int dir_fd, const MonitorLog *options, const LogHost *host,
                 Error *err) {
        bool none = !options->driver || str_equal(options->driver, "none");
        int r = 0;

        *log = (LogFile){
                .dir_fd = dir_fd, .fd = -1, .program_fd = -1, .format = log_format(options->driver)
        };
        if (!log->format && !none)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "log driver '%s' is not supported; use json-file, local, syslog, "
                                  "journald or none",
                                  options->driver);
        if (log->format)
                r = open_log_file(log, options, err);
        if (r == 0 && host && (options->forward || (log->format && options->compress)))
                r = open_program(log, options, err);
        if (r == 0 && log->program && options->forward)
                r = forward_open(log, options, host, &log->forward, err);
        if (r < 0) {
                logfile_done(log);
                return r;
        }
        if (log->format && log->program && options->compress)
                log->pack = logpack_new(log, host);
        return 0;
}

void logfile_done(LogFile *log) {
        log->forward = forward_free(log->forward);
        log->pack = logpack_free(log->pack);
        close_fd(&log->fd);
        close_fd(&log->program_fd);
        free(log->program);
        free(log->path);
        free(log->attributes);
        for (size_t i = 0; i < ELEMENTS(log->lines); i++)
                buf_done(&log->lines[i].text);
        *log = (LogFile){ .fd = -1, .program_fd = -1 };
}

int logfile_reopen(LogFile *log, Error *err) {
        return log->fd < 0 ? 0 : open_file(log, 0, err);
}

/* Both of its forms. One that is not there is fine. */
static int drop_file(const LogFile *log, int64_t number, Error *err) {
        for (int packed = 0; packed < 2; packed++) {
                _cleanup_free_ char *name = log_name(log->path, number, packed);

                if (unlinkat(log->dir_fd, name, 0) < 0 && errno != ENOENT && errno != EISDIR)
                        return error_set(err, errno, "remove log '%s'", name);
        }
        logpack_moved(log->pack, number, 0);
        return 0;
}

static int move_file(const LogFile *log, int64_t from, int64_t to, Error *err) {
        for (int packed = 0; packed < 2; packed++) {
                _cleanup_free_ char *old = log_name(log->path, from, packed);
                _cleanup_free_ char *new = log_name(log->path, to, packed);

                if (renameat(log->dir_fd, old, log->dir_fd, new) < 0 && errno != ENOENT)
                        return error_set(err, errno, "rotate log '%s'", old);
        }
        if (from > 0)
                logpack_moved(log->pack, from, to);
        return 0;
}

static bool is_free(const LogFile *log, int64_t number) {
        for (int packed = 0; packed < 2; packed++) {
                _cleanup_free_ char *name = log_name(log->path, number, packed);

                if (faccessat(log->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return false;
        }
        return true;
}

/* The lowest number that no earlier file has, or else the highest that is kept. */
static int64_t free_number(const LogFile *log) {
        int64_t number = 1;

        while (number < log->max_files - 1 && !is_free(log, number))
                number++;
        return number;
}

/* On error the old file is still the one that is written to, under its own name. A monitor that is
 * killed on the way leaves one number free, which the next rotation fills and readers step over. */
static int rotate(LogFile *log, Error *err) {
        int64_t number = free_number(log);
        int r = 0;

        if (log->max_files == 1)
                return open_file(log, O_TRUNC, err);
        if (number == log->max_files - 1 && !is_free(log, number))
                r = drop_file(log, number, err);
        for (; number > 0 && r == 0; number--) {
                r = move_file(log, number - 1, number, err);
                if (r == 0)
                        r = failpoint("monitor.log-rotate", err);
        }
        if (r < 0)
                return r;
        r = open_file(log, 0, err);
        if (r < 0)
                (void)move_file(log, 1, 0, NULL);
        else
                logpack_start(log->pack);
        return r;
}

/* The files that were rotated, from the oldest, so that no reader takes an old one for new. */
static int drop_rotated(const LogFile *log, Error *err) {
        int64_t last = 0;
        int r = 0;

        for (int64_t number = 1; number <= last + 2 && number < LOG_NUMBERS_MAX; number++)
                if (!is_free(log, number))
                        last = number;
        for (; last > 0 && r == 0; last--)
                r = drop_file(log, last, err);
        return r;
}

/* A new file, not the old one emptied: who reads that goes on with this from its start. Where there
 * is no room for it all stays as it was. It takes the name last: a reader whose file has none any
 * more goes on with the oldest that there is, which must be this. Who is killed on the way leaves
 * the newest records and "….new", which the next clearing takes. */
static int replace_files(LogFile *log, Error *err) {
        _cleanup_free_ char *name = str_format("%s.new", log->path);
        _cleanup_close_ int fd =
                openat(log->dir_fd, name,
                       O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
        int r;

        if (fd < 0)
                return error_set(err, errno, "open log '%s'", name);
        r = drop_rotated(log, err);
        if (r == 0)
                r = failpoint("monitor.log-clear", err);
        if (r == 0 && renameat(log->dir_fd, name, log->dir_fd, log->path) < 0)
                r = error_set(err, errno, "replace log '%s'", log->path);
        if (r < 0) {
                (void)unlinkat(log->dir_fd, name, 0);
                return r;
        }
        close_fd(&log->fd);
        log->fd = TAKE_FD(fd);
        log->size = 0;
        log->torn = false;
        return 0;
}

int logfile_clear(LogFile *log, Error *err) {
        int r = log->fd >= 0 ? replace_files(log, err) : 0;

        return r < 0 ? r : forward_clear(log->forward, err);
}

static int flush(LogFile *log, Buf *records, Error *err) {
        int r = log->torn ? fd_write_full(log->fd, "\n", 1)
                          : 0; /* readers skip what is no record */

        if (r == 0)
                r = fd_write_full(log->fd, records->data, records->length);
        if (r == 0)
                log->size += (int64_t)records->length + log->torn;
        log->torn = r < 0;
        log->written |= r == 0;
        buf_clear(records);
        return r < 0 ? error_set(err, -r, "write log '%s'", log->path) : 0;
}

/* One record more in records, behind a rotation if the file is full. A file that cannot be rotated
 * goes on to be written: a line too many is better than one too few. */
static int add_to_file(LogFile *log, Buf *records, const LogEntry *entry, Error *err) {
        int r = 0;

        if (log->max_size > 0 && log->size + (int64_t)records->length >= log->max_size) {
                if (records->length > 0)
                        r = flush(log, records, err);
                if (r == 0)
                        log->unrotated = rotate(log, err);
        } else if (records->length >= LOG_PIECE_MAX)
                r = flush(log, records, err);
        if (r == 0)
                log->format->encode(records, entry, log->attributes);
        return r;
}

static int add_record(LogFile *log, Buf *records, const LogEntry *entry, Error *err) {
        if (log->forward)
                forward_add(log->forward, entry);
        return log->fd >= 0 ? add_to_file(log, records, entry, err) : 0;
}

/* Moves bytes up to a newline or to a full piece out of data; false where neither is in sight yet,
 * and data is then kept. */
static int take_line(LogFile *log, Buf *records, int stream, const char **data, size_t *length,
                     bool *ret_more, Error *err) {
        LogLine *line = &log->lines[stream - 1];
        size_t room = LOG_PIECE_MAX - line->text.length, some = MIN(*length, room);
        const char *newline = memchr(*data, '\n', some), *text = *data;
        size_t used = newline ? (size_t)(newline - *data) : some, whole = used;
        int64_t when = line->began != 0 ? line->began : clock_now();
        int r;

        *ret_more = newline || used == room;
        if (line->text.length > 0 || !*ret_more) {
                buf_add(&line->text, *data, used);
                text = line->text.data;
                whole = line->text.length;
        }
        *data += used + (newline ? 1 : 0);
        *length -= used + (newline ? 1 : 0);
        if (!*ret_more)
                return 0;
        r = add_record(log, records,
                       &(LogEntry){ .text = text,
                                    .length = whole,
                                    .stream = stream,
                                    .partial = !newline,
                                    .when = when },
                       err);
        buf_done(&line->text); /* an idle container's monitor keeps no buffer */
        line->began = newline ? 0 : when;
        return r;
}

/* r, unless that was said before. Only what was written shows that writing works again. */
static int report_once(LogFile *log, int r) {
        bool again = log->failing;

        if (r == 0)
                r = log->unrotated;
        log->unrotated = 0;
        log->failing = r < 0 || (again && !log->written);
        log->written = false;
        return again ? 0 : r;
}

int logfile_write(LogFile *log, int stream, const void *data, size_t length, Error *err) {
        _cleanup_buf_ Buf records = {};
        const char *text = data;
        bool more = true;
        int r = 0;

        if (log->fd < 0 && !log->forward)
                return 0;
        while (length > 0 && more && r == 0)
                r = take_line(log, &records, stream, &text, &length, &more, err);
        if (records.length > 0 && r == 0)
                r = flush(log, &records, err);
        return report_once(log, r);
}

int logfile_end(LogFile *log, int stream, Error *err) {
        LogLine *line = &log->lines[stream - 1];
        _cleanup_buf_ Buf records = {};
        int r;

        if ((log->fd < 0 && !log->forward) || line->text.length == 0)
                return 0;
        r = add_record(log, &records,
                       &(LogEntry){ .text = line->text.data,
                                    .length = line->text.length,
                                    .stream = stream,
                                    .partial = true,
                                    .when = line->began != 0 ? line->began : clock_now() },
                       err);
        if (r == 0 && records.length > 0)
                r = flush(log, &records, err);
        buf_done(&line->text);
        line->began = 0;
        return report_once(log, r);
}

bool logfile_waits(const LogFile *log) {
        return log->forward && forward_waits(log->forward);
}

bool logfile_timed(const LogFile *log) {
        return log->forward && forward_timed(log->forward);
}
