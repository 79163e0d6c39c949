/* logfile.c: reads a container's log, forward, from a point that is found from the end. What is
 * written meanwhile, and rotated, is read on. */
#include "engine/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "format/json.h"

#define BLOCK 65536
#define RECORD_MAX (1 << 20) /* bytes; a 16 KiB piece is at most six times as long in JSON */
#define FILES_MAX 1000

/* ---- decoding ---- */

static int64_t time_of(json_object *object) {
        const char *text = json_member_string(object, "time");
        int64_t when;

        return text && clock_parse(text, &when) == 0 ? when : 0;
}

int log_decode(const char *line, size_t length, LogRecord *ret) {
        _cleanup_json_ json_object *object = NULL;

        if (json_parse_any(line, length, &object, NULL) < 0)
                return -EBADMSG;
        json_object *text = json_member(object, "log");
        const char *stream = json_member_string(object, "stream");
        if (!json_object_is_type(text, json_type_string) || !stream)
                return -EBADMSG;
        *ret = (LogRecord){ 0 };
        ret->length = (size_t)json_object_get_string_len(text);
        ret->text = alloc_copy(json_object_get_string(text), ret->length + 1);
        ret->stream = str_equal(stream, "stderr") ? 2 : 1;
        ret->when = time_of(object);
        json_object *attributes = json_member(object, "attrs");
        if (!json_object_is_type(attributes, json_type_object))
                return 0;
        json_object_object_foreach(attributes, key, value) {
                if (json_object_is_type(value, json_type_string))
                        pairs_put(&ret->attributes, key, json_object_get_string(value));
        }
        return 0;
}

void log_record_done(LogRecord *record) {
        free(record->text);
        pairs_done(&record->attributes);
        *record = (LogRecord){ 0 };
}

/* ---- files ---- */

static int open_number(const LogReader *reader, size_t number) {
        _cleanup_free_ char *name =
                number > 0 ? str_format("%s.%zu", reader->path, number) : str_copy(reader->path);

        return openat(reader->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_same(int a, int b) {
        struct stat one, other;

        return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
               one.st_dev == other.st_dev;
}

/* Newest first, so that a rotation meanwhile can show a file twice, but hide none. */
static void open_files(LogReader *reader) {
        int fds[FILES_MAX];
        size_t count = 0;

        for (size_t number = 0; number < FILES_MAX; number++) {
                int fd = open_number(reader, number);

                if (fd < 0)
                        break;
                if (count > 0 && is_same(fd, fds[count - 1]))
                        (void)close(fd);
                else
                        fds[count++] = fd;
        }
        reader->fds = NEW_ARRAY(int, count + 1);
        reader->count = count;
        for (size_t i = 0; i < count; i++)
                reader->fds[i] = fds[count - 1 - i];
}

/* ---- the last records ---- */

/* Counts newlines from the end of fd; at the (wanted)th from the end *ret_offset is behind it. */
static bool count_back(int fd, int64_t *wanted, int64_t *ret_offset) {
        _cleanup_free_ char *block = alloc_zero(1, BLOCK);
        struct stat status;
        int64_t end = fstat(fd, &status) == 0 ? status.st_size : 0;

        while (end > 0) {
                int64_t begin = end > BLOCK ? end - BLOCK : 0;
                ssize_t length = pread(fd, block, (size_t)(end - begin), begin);

                if (length <= 0)
                        return false;
                for (ssize_t i = length - 1; i >= 0; i--) {
                        if (block[i] != '\n' || --*wanted > 0)
                                continue;
                        *ret_offset = begin + i + 1;
                        return true;
                }
                end = begin;
        }
        return false;
}

static void seek_tail(LogReader *reader, int64_t tail) {
        int64_t wanted = tail + 1; /* the newline before the first record that is wanted */

        for (size_t i = reader->count; i-- > 0;) {
                if (!count_back(reader->fds[i], &wanted, &reader->offset))
                        continue;
                reader->position = i;
                return;
        }
}

int log_reader_open(int dir_fd, const char *path, int64_t tail, LogReader *ret, Error *err) {
        *ret = (LogReader){ .dir_fd = dir_fd, .path = str_copy(path), .fd = -1, .next_fd = -1 };
        open_files(ret);
        if (tail >= 0)
                seek_tail(ret, tail);
        if (ret->position < ret->count)
                ret->fd = TAKE_FD(ret->fds[ret->position++]);
        return 0;
}

void log_reader_done(LogReader *reader) {
        for (size_t i = 0; i < reader->count; i++)
                close_fd(&reader->fds[i]);
        free(reader->fds);
        free(reader->path);
        close_fd(&reader->fd);
        close_fd(&reader->next_fd);
        buf_done(&reader->buf);
        *reader = (LogReader){ .dir_fd = -1, .fd = -1, .next_fd = -1 };
}

/* ---- reading on ---- */

/* The file that follows fd in the order of writing: where fd is now path.n, path.(n-1). A log that
 * has turned over entirely is read on from its oldest. *ret_fd is -1 where fd is still the newest.
 */
static int open_next(const LogReader *reader) {
        _cleanup_close_ int newer = -1;

        for (size_t number = 0; number < FILES_MAX; number++) {
                _cleanup_close_ int candidate = open_number(reader, number);

                if (candidate < 0 || (reader->fd >= 0 && is_same(candidate, reader->fd)))
                        break;
                close_fd(&newer);
                newer = TAKE_FD(candidate);
        }
        return TAKE_FD(newer);
}

/* Whether there is a file after the one being read. */
static bool find_next(LogReader *reader) {
        if (reader->position < reader->count)
                reader->next_fd = TAKE_FD(reader->fds[reader->position++]);
        else
                reader->next_fd = open_next(reader);
        return reader->next_fd >= 0;
}

static void switch_to_next(LogReader *reader) {
        close_fd(&reader->fd);
        reader->fd = TAKE_FD(reader->next_fd);
        reader->offset = 0;
        reader->used = 0;
        buf_clear(&reader->buf);
}

/* Without older files the writer starts the same one anew. */
static void notice_truncation(LogReader *reader) {
        struct stat status;
        int64_t end = reader->offset + (int64_t)reader->buf.length;

        if (fstat(reader->fd, &status) == 0 && status.st_size < end) {
                reader->offset = 0;
                reader->used = 0;
                buf_clear(&reader->buf);
        }
}

/* 1: more bytes are in buf. */
static int read_more(LogReader *reader, Error *err) {
        if (reader->fd < 0)
                return 0;
        if (reader->used > 0) {
                buf_drop_front(&reader->buf, reader->used);
                reader->offset += (int64_t)reader->used;
                reader->used = 0;
        }
        notice_truncation(reader);
        if (reader->buf.length > RECORD_MAX)
                return error_kind(err, ERROR_INTERNAL, "log '%s': a record is too long",
                                  reader->path);
        buf_reserve(&reader->buf, BLOCK);
        ssize_t length = pread(reader->fd, reader->buf.data + reader->buf.length, BLOCK,
                               reader->offset + (int64_t)reader->buf.length);
        if (length < 0)
                return error_set(err, errno, "read log '%s'", reader->path);
        reader->buf.length += (size_t)length;
        return length > 0;
}

/* The next whole line in buf; NULL where there is none. */
static const char *next_line(LogReader *reader, size_t *ret_length) {
        size_t left = reader->buf.length - reader->used;
        const char *line = left > 0 ? reader->buf.data + reader->used : NULL;
        const char *newline = line ? memchr(line, '\n', left) : NULL;

        if (!newline)
                return NULL;
        *ret_length = (size_t)(newline - line);
        reader->used += *ret_length + 1;
        return line;
}

int log_reader_next(LogReader *reader, LogRecord *ret, Error *err) {
        for (;;) {
                size_t length;
                const char *line = next_line(reader, &length);

                if (line) {
                        if (log_decode(line, length, ret) == 0)
                                return 1;
                        continue; /* a damaged line hides no other */
                }
                int r = read_more(reader, err);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                /* The writer may have added a last record before it went on: so the old file is
                 * read to its end once more after the next one was seen. */
                if (reader->next_fd >= 0)
                        switch_to_next(reader);
                else if (!find_next(reader))
                        return 0;
        }
}
