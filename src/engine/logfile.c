/* logfile.c: reads a container's log, forward, from a point that is found from the end. What is
 * written meanwhile, and rotated, is read on. */
#include "engine/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/program.h"
#include "format/json.h"
#include "monitor/logger.h"
#include "monitor/lognames.h"

#define BLOCK 65536
#define OPEN_TRIES 100
#define RECORD_MAX (1 << 20) /* bytes; a 16 KiB piece is at most six times as long in JSON */

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

/* "<mark><when> <text>": o, e, and capitals where the line goes on. */
int log_decode_local(const char *line, size_t length, LogRecord *ret) {
        static const char marks[4] = { 'o', 'e', 'O', 'E' };
        const char *mark = length > 1 ? memchr(marks, line[0], sizeof(marks)) : NULL;
        const char *space = mark ? memchr(line, ' ', MIN(length, (size_t)24)) : NULL;
        int64_t when;

        if (!space)
                return -EBADMSG;
        _cleanup_free_ char *digits = str_copy_n(line + 1, (size_t)(space - line - 1));
        if (str_to_int64(digits, &when) < 0)
                return -EBADMSG;
        Buf text = { 0 };
        buf_add(&text, space + 1, length - (size_t)(space + 1 - line));
        if (mark - marks < 2)
                buf_add_char(&text, '\n');
        *ret = (LogRecord){ .length = text.length,
                            .stream = (mark - marks) % 2 ? 2 : 1,
                            .when = when };
        ret->text = buf_take(&text);
        return 0;
}

void log_record_done(LogRecord *record) {
        free(record->text);
        pairs_done(&record->attributes);
        *record = (LogRecord){ 0 };
}

/* ---- files ---- */

/* The plain file, else the compressed one: where both are there, the plain one is still whole. */
static bool open_number(const LogReader *reader, size_t number, LogPart *ret) {
        struct stat status;

        *ret = (LogPart){ .fd = -1, .number = number };
        for (int packed = 0; packed < 2 && ret->fd < 0; packed++) {
                _cleanup_free_ char *name = log_name(reader->path, (int64_t)number, packed);

                ret->fd = openat(reader->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                ret->packed = ret->was_packed = packed;
        }
        if (ret->fd < 0 || fstat(ret->fd, &status) < 0) {
                close_fd(&ret->fd);
                return false;
        }
        ret->device = status.st_dev;
        ret->inode = status.st_ino;
        ret->packed_at = status.st_mtim.tv_sec;
        ret->stamp = ret->packed ? status.st_mtim.tv_nsec : LOG_STAMP(status.st_ino);
        ret->size = status.st_size;
        return true;
}

/* Whether they hold the same records; one of them is being read, so that its inode is no other
 * file's. */
static bool is_same(const LogPart *one, const LogPart *other) {
        if (one->fd < 0 || other->fd < 0 || one->device != other->device)
                return false;
        if (one->was_packed != other->was_packed)
                return one->stamp == other->stamp;
        /* A compressed one is not open any more once it was inflated, and its inode may be another
         * file's. */
        return one->inode == other->inode &&
               (!one->was_packed ||
                (one->stamp == other->stamp && one->packed_at == other->packed_at));
}

/* What is there, newest first; a monitor that was killed while it rotated has left one number
 * free. */
static size_t find_parts(const LogReader *reader, LogPart parts[LOG_NUMBERS_MAX]) {
        size_t count = 0;

        for (size_t number = 0, gaps = 0; number < LOG_NUMBERS_MAX && gaps < 2; number++) {
                gaps = open_number(reader, number, &parts[count]) ? 0 : gaps + 1;
                count += gaps == 0;
        }
        return count;
}

/* Whether nothing was rotated since the first of the parts was opened. */
static bool is_newest(const LogReader *reader, const LogPart *parts, size_t count) {
        LogPart newest;

        if (!open_number(reader, 0, &newest))
                return count == 0 || parts[0].number > 0;
        bool same = count > 0 && newest.device == parts[0].device &&
                    newest.inode == parts[0].inode && newest.packed == parts[0].packed;
        close_fd(&newest.fd);
        return same;
}

/* While they are looked for, one more rotation would show a file twice, under another name or
 * compressed: then they are looked for again. */
static void open_files(LogReader *reader) {
        LogPart parts[LOG_NUMBERS_MAX];
        size_t count = find_parts(reader, parts);

        for (int tries = 0; tries < OPEN_TRIES && !is_newest(reader, parts, count); tries++) {
                while (count > 0)
                        close_fd(&parts[--count].fd);
                count = find_parts(reader, parts);
        }
        reader->parts = NEW_ARRAY(LogPart, count + 1);
        reader->count = count;
        for (size_t i = 0; i < count; i++)
                reader->parts[i] = parts[count - 1 - i];
}

/* ---- compressed files ---- */

static int on_disk(const LogReader *reader) {
        return openat(reader->dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

/* What the compressed file holds goes to `to`: another program inflates: the daemon links no such
 * library. */
static int inflate_to(const LogReader *reader, int fd, int to, Error *err) {
        char *arguments[] = { (char *)"brig-logger", (char *)"inflate", NULL };
        const SpawnFd fds[] = { { fd, STDIN_FILENO }, { to, STDOUT_FILENO } };
        const Spawn program = { .program = reader->logger,
                                .argv = arguments,
                                .environment = environ,
                                .fds = fds,
                                .fd_count = ELEMENTS(fds) };
        int status = 0, r;
        pid_t pid;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return error_set(err, errno, "read log '%s'", reader->path);
        r = program_spawn(&program, &pid);
        if (r < 0)
                return error_set(err, -r, "start '%s'", reader->logger);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for '%s'", reader->logger);
        if (WIFEXITED(status) && WEXITSTATUS(status) == LOGGER_NO_ROOM)
                return error_set(err, ENOSPC, "inflate a file of log '%s'", reader->path);
        return status == 0 ? 0
                           : error_kind(err, ERROR_INTERNAL,
                                        "log '%s': a compressed file cannot be read: it is damaged",
                                        reader->path);
}

/* *fd becomes a file that holds what the compressed one does: on the disk, and where that is full
 * or takes no such file in memory. */
static int inflate(const LogReader *reader, int *fd, Error *err) {
        _cleanup_close_ int disk_fd = on_disk(reader), memory_fd = -1;
        int r = disk_fd < 0 ? -ENOSPC : inflate_to(reader, *fd, disk_fd, err);

        if (r == -ENOSPC) {
                close_fd(&disk_fd);
                memory_fd = memfd_create("log", MFD_CLOEXEC);
                r = memory_fd < 0 ? error_set(err, errno, "make a file for log '%s'", reader->path)
                                  : inflate_to(reader, *fd, memory_fd, err);
        }
        if (r < 0)
                return r;
        close_fd(fd);
        *fd = disk_fd >= 0 ? TAKE_FD(disk_fd) : TAKE_FD(memory_fd);
        return 0;
}

static int open_part(const LogReader *reader, LogPart *part, Error *err) {
        struct stat status;

        if (!part->packed)
                return 0;
        int r = inflate(reader, &part->fd, err);
        if (r == 0 && fstat(part->fd, &status) < 0)
                r = error_set(err, errno, "read log '%s'", reader->path);
        if (r < 0)
                return r;
        part->size = status.st_size;
        part->packed = false;
        return 0;
}

/* ---- the last records ---- */

/* Counts newlines from the end of part; at the (wanted)th from the end *ret_offset is behind it.
 * What was written since the part was found does not count. */
static bool count_back(const LogPart *part, int64_t *wanted, int64_t *ret_offset) {
        _cleanup_free_ char *block = alloc_zero(1, BLOCK);
        int64_t end = part->size;

        while (end > 0) {
                int64_t begin = end > BLOCK ? end - BLOCK : 0;
                ssize_t length = pread(part->fd, block, (size_t)(end - begin), begin);

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

static int seek_tail(LogReader *reader, int64_t tail, Error *err) {
        /* The newline before the first record that is wanted. */
        int64_t wanted = MIN(tail, INT64_MAX - 1) + 1;

        for (size_t i = reader->count; i-- > 0;) {
                int r = open_part(reader, &reader->parts[i], err);

                if (r < 0)
                        return r;
                if (!count_back(&reader->parts[i], &wanted, &reader->offset))
                        continue;
                reader->position = i;
                return 0;
        }
        return 0;
}

/* The next of the files that were found at first. */
static int take_part(LogReader *reader, LogPart *ret, Error *err) {
        LogPart *part = &reader->parts[reader->position];
        int r = open_part(reader, part, err);

        if (r < 0)
                return r;
        *ret = *part;
        part->fd = -1;
        reader->position++;
        return 0;
}

int log_reader_open(const LogSource *source, int64_t tail, LogReader *ret, Error *err) {
        int r = 0;

        *ret = (LogReader){ .dir_fd = source->dir_fd,
                            .path = str_copy(source->path),
                            .logger = str_copy(source->logger),
                            .decode = str_equal(source->form, "local") ? log_decode_local
                                                                       : log_decode,
                            .current = { .fd = -1 },
                            .next = { .fd = -1 },
                            .until_now = source->until_now };
        open_files(ret);
        if (tail >= 0)
                r = seek_tail(ret, tail, err);
        if (r == 0 && ret->position < ret->count)
                r = take_part(ret, &ret->current, err);
        if (r < 0)
                log_reader_done(ret);
        return r;
}

void log_reader_done(LogReader *reader) {
        for (size_t i = 0; i < reader->count; i++)
                close_fd(&reader->parts[i].fd);
        free(reader->parts);
        free(reader->path);
        free(reader->logger);
        close_fd(&reader->current.fd);
        close_fd(&reader->next.fd);
        buf_done(&reader->buf);
        *reader = (LogReader){ .dir_fd = -1, .current = { .fd = -1 }, .next = { .fd = -1 } };
}

/* ---- reading on ---- */

/* The file that follows the current one in the order of writing: where that is now path.n,
 * path.(n-1). A log that has turned over entirely is read on from its oldest. Its fd is -1 where
 * the current one is still the newest. */
static LogPart open_next(const LogReader *reader) {
        LogPart newer = { .fd = -1 };

        for (size_t number = 0, gaps = 0; number < LOG_NUMBERS_MAX && gaps < 2; number++) {
                LogPart candidate;

                if (!open_number(reader, number, &candidate)) {
                        gaps++;
                        continue;
                }
                gaps = 0;
                if (is_same(&candidate, &reader->current)) {
                        close_fd(&candidate.fd);
                        break;
                }
                close_fd(&newer.fd);
                newer = candidate;
        }
        return newer;
}

/* Whether there is a file after the one being read. */
static int find_next(LogReader *reader, Error *err) {
        int r;

        if (reader->position < reader->count) {
                r = take_part(reader, &reader->next, err);
                return r < 0 ? r : 1;
        }
        if (reader->until_now)
                return 0;
        LogPart part = open_next(reader);
        if (part.fd < 0)
                return 0;
        r = open_part(reader, &part, err);
        if (r < 0) {
                close_fd(&part.fd);
                return r;
        }
        reader->next = part;
        return 1;
}

static void switch_to_next(LogReader *reader) {
        close_fd(&reader->current.fd);
        reader->current = reader->next;
        reader->next.fd = -1;
        reader->offset = 0;
        reader->used = 0;
        buf_clear(&reader->buf);
}

/* Without older files the writer starts the same one anew. */
static void notice_truncation(LogReader *reader) {
        struct stat status;
        int64_t end = reader->offset + (int64_t)reader->buf.length;

        if (fstat(reader->current.fd, &status) == 0 && status.st_size < end) {
                reader->offset = 0;
                reader->used = 0;
                reader->current.size = 0;
                buf_clear(&reader->buf);
        }
}

/* 1: more bytes are in buf. */
static int read_more(LogReader *reader, Error *err) {
        if (reader->current.fd < 0)
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
        int64_t at = reader->offset + (int64_t)reader->buf.length;
        int64_t left = reader->until_now ? reader->current.size - at : BLOCK;
        if (left <= 0)
                return 0;
        buf_reserve(&reader->buf, BLOCK);
        ssize_t length = pread(reader->current.fd, reader->buf.data + reader->buf.length,
                               (size_t)MIN(left, BLOCK), at);
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
                        if (reader->decode(line, length, ret) == 0)
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
                if (reader->next.fd >= 0) {
                        switch_to_next(reader);
                        continue;
                }
                r = find_next(reader, err);
                if (r <= 0)
                        return r;
        }
}

/* ---- clearing ---- */

static int remove_number(int dir_fd, const char *path, int64_t number, Error *err) {
        for (int packed = 0; packed < 2; packed++) {
                _cleanup_free_ char *name = log_name(path, number, packed);

                if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
                        return error_set(err, errno, "remove log '%s'", name);
        }
        return 0;
}

int log_remove(int dir_fd, const char *path, Error *err) {
        LogReader reader = { .dir_fd = dir_fd, .path = (char *)path };
        int64_t last = 0;
        int r = 0;

        for (int64_t number = 0, gaps = 0; number < LOG_NUMBERS_MAX && gaps < 2; number++) {
                LogPart part;
                bool there = open_number(&reader, (size_t)number, &part);

                close_fd(&part.fd);
                gaps = there ? 0 : gaps + 1;
                last = there ? number : last;
        }
        for (; last >= 0 && r == 0; last--)
                r = remove_number(dir_fd, path, last, err);
        return r;
}
