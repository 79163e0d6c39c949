/* logfile.c: see logfile.h. The form of the records is that of Docker's json-file driver. */
#include "monitor/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"

static const char *const stream_names[] = { "stdout", "stderr" };

/* Length of the UTF-8 character at text (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t left) {
        unsigned char first = text[0], low = 0x80, high = 0xbf;
        size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;

        if (length == 0 || length > left)
                return 0;
        /* The second byte's range keeps out overlong forms, surrogates and what is past U+10FFFF.
         */
        if (first == 0xe0)
                low = 0xa0;
        else if (first == 0xed)
                high = 0x9f;
        else if (first == 0xf0)
                low = 0x90;
        else if (first == 0xf4)
                high = 0x8f;
        if (text[1] < low || text[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
        return length;
}

static void add_escape(Buf *buf, unsigned char byte) {
        static const char digits[] = "0123456789abcdef";
        char text[6] = { '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] };

        if (byte == '"' || byte == '\\') {
                text[1] = (char)byte;
                buf_add(buf, text, 2);
        } else if (byte == '\n' || byte == '\r') {
                text[1] = byte == '\n' ? 'n' : 'r';
                buf_add(buf, text, 2);
        } else
                buf_add(buf, text, sizeof(text));
}

static bool is_plain(unsigned char byte) {
        return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' &&
               byte != '>' && byte != '&';
}

/* As Go writes a string into JSON that may stand inside HTML. */
static void add_escaped(Buf *buf, const char *text, size_t length) {
        const unsigned char *bytes = (const unsigned char *)text;
        size_t at = 0;

        while (at < length) {
                size_t run = at, width;

                while (run < length && is_plain(bytes[run]))
                        run++;
                buf_add(buf, bytes + at, run - at);
                at = run;
                if (at == length)
                        return;
                if (bytes[at] < 0x80) {
                        add_escape(buf, bytes[at++]);
                        continue;
                }
                width = utf8_length(bytes + at, length - at);
                if (width == 0)
                        buf_add_str(buf, "\\ufffd");
                else if (width == 3 && memcmp(bytes + at, "\xe2\x80\xa8", 3) == 0)
                        buf_add_str(buf, "\\u2028");
                else if (width == 3 && memcmp(bytes + at, "\xe2\x80\xa9", 3) == 0)
                        buf_add_str(buf, "\\u2029");
                else
                        buf_add(buf, bytes + at, width);
                at += MAX(width, 1);
        }
}

void log_encode(Buf *buf, const char *text, size_t length, bool partial, const char *stream,
                const char *attributes, int64_t when) {
        char time[CLOCK_TEXT_MAX];

        buf_add_str(buf, "{\"log\":\"");
        add_escaped(buf, text, length);
        if (!partial)
                buf_add_str(buf, "\\n");
        buf_add_str(buf, "\",\"stream\":\"");
        buf_add_str(buf, stream);
        buf_add_char(buf, '"');
        if (attributes)
                buf_add_str(buf, attributes);
        buf_add_str(buf, ",\"time\":\"");
        buf_add_str(buf, clock_format(when, time));
        buf_add_str(buf, "\"}\n");
}

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

static char *encode_attributes(const Pairs *pairs) {
        Buf buf = {};

        if (pairs->count == 0)
                return NULL;
        buf_add_str(&buf, ",\"attrs\":{");
        for (size_t i = 0; i < pairs->count; i++) {
                buf_add_str(&buf, i > 0 ? ",\"" : "\"");
                add_escaped(&buf, pairs->items[i].key, strlen(pairs->items[i].key));
                buf_add_str(&buf, "\":\"");
                add_escaped(&buf, pairs->items[i].value, strlen(pairs->items[i].value));
                buf_add_char(&buf, '"');
        }
        buf_add_char(&buf, '}');
        return buf_take(&buf);
}

int logfile_open(LogFile *log, int dir_fd, const MonitorLog *options, Error *err) {
        int r;

        *log = (LogFile){ .dir_fd = dir_fd, .fd = -1 };
        if (!options->driver || str_equal(options->driver, "none"))
                return 0;
        if (!str_equal(options->driver, "json-file"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "log driver '%s' is not supported; use json-file or none",
                                  options->driver);
        if (str_empty(options->path))
                return error_kind(err, ERROR_INVALID, "log driver json-file without a path");
        log->path = str_copy(options->path);
        log->max_size = options->max_size;
        log->max_files = MAX(options->max_files, 1);
        r = open_file(log, 0, err);
        if (r < 0) {
                logfile_done(log);
                return r;
        }
        log->attributes = encode_attributes(&options->attributes);
        return 0;
}

void logfile_done(LogFile *log) {
        close_fd(&log->fd);
        free(log->path);
        free(log->attributes);
        for (size_t i = 0; i < ELEMENTS(log->lines); i++)
                buf_done(&log->lines[i].text);
        *log = (LogFile){ .fd = -1 };
}

int logfile_reopen(LogFile *log, Error *err) {
        return log->fd < 0 ? 0 : open_file(log, 0, err);
}

/* The file's name after so many rotations; the caller's. */
static char *numbered(const LogFile *log, int64_t number) {
        return number == 0 ? str_copy(log->path)
                           : str_format("%s.%lld", log->path, (long long)number);
}

static int move_file(LogFile *log, int64_t from, int64_t to, Error *err) {
        _cleanup_free_ char *old = numbered(log, from);
        _cleanup_free_ char *new = numbered(log, to);

        if (renameat(log->dir_fd, old, log->dir_fd, new) < 0 && errno != ENOENT)
                return error_set(err, errno, "rotate log '%s'", old);
        return 0;
}

/* The lowest number that no earlier file has, or else the highest that is kept. */
static int64_t free_number(const LogFile *log) {
        int64_t number = 1;

        for (; number < log->max_files - 1; number++) {
                _cleanup_free_ char *name = numbered(log, number);

                if (faccessat(log->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        break;
        }
        return number;
}

/* On error the old file is still the one that is written to, under its own name. */
static int rotate(LogFile *log, Error *err) {
        int r = 0;

        if (log->max_files == 1)
                return open_file(log, O_TRUNC, err);
        for (int64_t number = free_number(log); number > 0 && r == 0; number--)
                r = move_file(log, number - 1, number, err);
        if (r < 0)
                return r;
        r = open_file(log, 0, err);
        if (r < 0)
                (void)move_file(log, 1, 0, NULL);
        return r;
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
static int add_record(LogFile *log, Buf *records, int stream, const char *text, size_t length,
                      bool partial, int64_t when, Error *err) {
        int r = 0;

        if (log->max_size > 0 && log->size + (int64_t)records->length >= log->max_size) {
                if (records->length > 0)
                        r = flush(log, records, err);
                if (r == 0)
                        log->unrotated = rotate(log, err);
        } else if (records->length >= LOG_PIECE_MAX)
                r = flush(log, records, err);
        if (r < 0)
                return r;
        log_encode(records, text, length, partial, stream_names[stream - 1], log->attributes, when);
        return 0;
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
        r = add_record(log, records, stream, text, whole, !newline, when, err);
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

        if (log->fd < 0)
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

        if (log->fd < 0 || line->text.length == 0)
                return 0;
        r = add_record(log, &records, stream, line->text.data, line->text.length, true,
                       line->began != 0 ? line->began : clock_now(), err);
        if (r == 0)
                r = flush(log, &records, err);
        buf_done(&line->text);
        line->began = 0;
        return report_once(log, r);
}
