/* logfile-test.c: records as dockerd writes them, lines cut as it cuts them, rotation. */
#include "monitor/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"

static char *encode(const char *text, size_t length, bool partial) {
        Buf buf = {};

        log_format("json-file")
                ->encode(&buf,
                         &(LogEntry){ .text = text,
                                      .length = length,
                                      .stream = 1,
                                      .partial = partial,
                                      .when = 1 },
                         NULL);
        return buf_take(&buf);
}

#define ASSERT_RECORD(text, expected)                                                              \
        do {                                                                                       \
                _cleanup_free_ char *record_ = encode(text, sizeof(text) - 1, true);               \
                ASSERT_STR(record_,                                                                \
                           "{\"log\":\"" expected                                                  \
                           "\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00.000000001Z\"}" \
                           "\n");                                                                  \
        } while (0)

TEST(escapes) {
        ASSERT_RECORD("plain", "plain");
        ASSERT_RECORD("a\"b\\c\r\t\x01\x1b\x7f", "a\\\"b\\\\c\\r\\u0009\\u0001\\u001b\x7f");
        ASSERT_RECORD("<a href='x'>&</a>", "\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e");
        ASSERT_RECORD("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3",
                      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3");
        ASSERT_RECORD("\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029");
        ASSERT_RECORD("a\0b", "a\\u0000b");
}

/* One replacement for each byte that does not begin a character, as Go decodes. */
TEST(invalid_utf8) {
        ASSERT_RECORD("\xff", "\\ufffd");
        ASSERT_RECORD("\xc0\xaf", "\\ufffd\\ufffd");
        ASSERT_RECORD("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd");
        ASSERT_RECORD("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
        ASSERT_RECORD("a\xe2\x82", "a\\ufffd\\ufffd");
        ASSERT_RECORD("\xe2\x82z", "\\ufffd\\ufffdz");
        ASSERT_RECORD("\xf0\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
        ASSERT_RECORD("\xef\xbf\xbd", "\xef\xbf\xbd");
}

TEST(local_form) {
        Buf buf = {};
        LogEntry entry = { .text = "a\0\"b", .length = 4, .stream = 2, .when = 12 };

        log_format("local")->encode(&buf, &entry, NULL);
        entry.partial = true;
        entry.stream = 1;
        log_format("local")->encode(&buf, &entry, NULL);
        ASSERT_INT(buf.length, 18);
        ASSERT(memcmp(buf.data, "e12 a\0\"b\nO12 a\0\"b\n", 18) == 0);
        buf_done(&buf);
        ASSERT(!log_format("syslog"));
}

/* A log in a directory of its own. */
typedef struct Scratch {
        char directory[64];
        int fd;
        LogFile log;
        char *text;
} Scratch;

static int scratch_open(Scratch *scratch, int64_t max_size, int64_t max_files, Error *err) {
        MonitorLog options = { .driver = (char *)"json-file",
                               .path = (char *)"c.log",
                               .max_size = max_size,
                               .max_files = max_files };

        *scratch = (Scratch){ .fd = -1 };
        (void)snprintf(scratch->directory, sizeof(scratch->directory), "/tmp/brig-log.XXXXXX");
        if (!mkdtemp(scratch->directory))
                return error_kind(err, ERROR_INTERNAL, "mkdtemp");
        scratch->fd = open(scratch->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return logfile_open(&scratch->log, scratch->fd, &options, NULL, err);
}

static void scratch_done(Scratch *scratch) {
        logfile_done(&scratch->log);
        close_fd(&scratch->fd);
        (void)dir_remove_at(AT_FDCWD, scratch->directory, NULL);
        free(scratch->text);
}
#define _scratch_ _cleanup_(scratch_done)

/* The file's text; NULL if there is none. */
static const char *content(Scratch *scratch, const char *name) {
        free(scratch->text);
        scratch->text = NULL;
        (void)file_read_at(scratch->fd, name, 1 << 20, &scratch->text, NULL, NULL);
        return scratch->text;
}

static size_t count(const char *text, const char *part) {
        size_t found = 0;

        for (; text && (text = strstr(text, part)); text += strlen(part))
                found++;
        return found;
}

TEST(lines_are_cut_at_newlines) {
        _scratch_ Scratch scratch;
        Error err;
        const char *text;

        ASSERT_OK(scratch_open(&scratch, 0, 1, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "one\ntw", 6, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 2, "err\n", 4, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "o\n\nrest", 7, &err), &err);
        text = content(&scratch, "c.log");
        ASSERT_INT(count(text, "\n"), 4);
        ASSERT(strstr(text, "{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":\""));
        ASSERT(strstr(text, "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"time\":\""));
        ASSERT(strstr(text, "{\"log\":\"\\n\",\"stream\":\"stdout\""));
        ASSERT_OK(logfile_end(&scratch.log, 1, &err), &err);
        ASSERT_OK(logfile_end(&scratch.log, 2, &err), &err);
        ASSERT(strstr(content(&scratch, "c.log"), "{\"log\":\"rest\",\"stream\":\"stdout\""));
}

TEST(long_lines_come_in_pieces) {
        _scratch_ Scratch scratch;
        _cleanup_free_ char *line = alloc_zero(LOG_PIECE_MAX * 2 + 2, 1);
        Error err;
        const char *text, *time;

        memset(line, 'x', LOG_PIECE_MAX * 2);
        line[LOG_PIECE_MAX * 2] = '\n';
        ASSERT_OK(scratch_open(&scratch, 0, 1, &err), &err);
        for (size_t at = 0; at < LOG_PIECE_MAX * 2 + 1; at += 1000)
                ASSERT_OK(logfile_write(&scratch.log, 1, line + at,
                                        MIN(LOG_PIECE_MAX * 2 + 1 - at, 1000), &err),
                          &err);
        text = content(&scratch, "c.log");
        ASSERT_INT(count(text, "\n"), 3);
        ASSERT_INT(count(text, "xx\",\"stream\""), 2);
        ASSERT_INT(count(text, "{\"log\":\"\\n\",\"stream\""), 1);
        time = strstr(text, "\"time\":"); /* all pieces carry the first one's time */
        ASSERT(time);
        line[0] = '\0';
        (void)snprintf(line, 64, "%.*s", (int)(strchr(time, '}') - time), time);
        ASSERT_INT(count(text, line), 3);
}

TEST(rotation) {
        _scratch_ Scratch scratch;
        Error err;

        ASSERT_OK(scratch_open(&scratch, 100, 3, &err), &err);
        for (int c = 'a'; c <= 'h'; c++) {
                char line[] = { (char)c, '\n' };

                ASSERT_OK(logfile_write(&scratch.log, 1, line, 2, &err), &err);
        }
        /* About 68 bytes a record: two go into a file, as one is full only behind its limit. */
        ASSERT(strstr(content(&scratch, "c.log"), "\"h\\n\""));
        ASSERT(strstr(content(&scratch, "c.log"), "\"g\\n\""));
        ASSERT(strstr(content(&scratch, "c.log.1"), "\"e\\n\""));
        ASSERT(strstr(content(&scratch, "c.log.2"), "\"d\\n\""));
        ASSERT(!content(&scratch, "c.log.3"));
}

TEST(rotation_within_one_write_and_of_one_file) {
        _scratch_ Scratch scratch;
        Error err;

        ASSERT_OK(scratch_open(&scratch, 100, 1, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "a\nb\nc\nd\ne\n", 10, &err), &err);
        ASSERT_INT(count(content(&scratch, "c.log"), "\n"), 1);
        ASSERT(strstr(scratch.text, "\"e\\n\""));
        ASSERT(!content(&scratch, "c.log.1"));
}

/* However many may be kept, a rotation looks at those that are there. */
TEST(rotation_with_room_for_many) {
        _scratch_ Scratch scratch;
        Error err;

        ASSERT_OK(scratch_open(&scratch, 1, INT64_MAX, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "a\nb\nc\nd\n", 8, &err), &err);
        ASSERT(strstr(content(&scratch, "c.log"), "\"d\\n\""));
        ASSERT(strstr(content(&scratch, "c.log.1"), "\"c\\n\""));
        ASSERT(strstr(content(&scratch, "c.log.3"), "\"a\\n\""));
        ASSERT(!content(&scratch, "c.log.4"));
}

/* Half a record, as a full disk leaves it, does not spoil the next one. */
TEST(a_torn_record_ends) {
        _scratch_ Scratch scratch;
        struct rlimit old, small;
        Error err;
        const char *text;
        int r;

        ASSERT_OK(scratch_open(&scratch, 0, 1, &err), &err);
        ASSERT_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
        small = (struct rlimit){ .rlim_cur = 20, .rlim_max = old.rlim_max };
        (void)signal(SIGXFSZ, SIG_IGN);
        ASSERT_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
        r = logfile_write(&scratch.log, 1, "lost\n", 5, &err);
        ASSERT_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
        ASSERT(r < 0);
        ASSERT_OK(logfile_write(&scratch.log, 1, "kept\n", 5, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "too\n", 4, &err), &err);
        text = content(&scratch, "c.log");
        ASSERT(strstr(text, "\n{\"log\":\"kept\\n\""));
        ASSERT_INT(count(text, "\n"), 3);
}

/* Nothing is lost where the old file can be neither moved nor left, and that is said once. */
TEST(a_failing_rotation_loses_nothing) {
        _scratch_ Scratch scratch;
        struct rlimit old, none;
        Error err;
        int r;

        ASSERT_OK(scratch_open(&scratch, 1, 3, &err), &err);
        ASSERT_INT(mkdirat(scratch.fd, "c.log.1", 0700), 0);
        ASSERT_INT(mkdirat(scratch.fd, "c.log.2", 0700), 0);
        ASSERT_INT(mkdirat(scratch.fd, "c.log.2/full", 0700), 0); /* nothing can replace it */
        ASSERT_OK(logfile_write(&scratch.log, 1, "a\n", 2, &err), &err);
        ASSERT(logfile_write(&scratch.log, 1, "b\n", 2, &err) < 0);
        ASSERT(strstr(err.message, "rotate log 'c.log"));
        ASSERT_OK(logfile_write(&scratch.log, 1, "part", 4, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "c\nd\n", 4, &err), &err);
        ASSERT_INT(count(content(&scratch, "c.log"), "\n"), 4);
        ASSERT(strstr(scratch.text, "\"partc\\n\"") && strstr(scratch.text, "\"d\\n\""));
        ASSERT_INT(unlinkat(scratch.fd, "c.log.2/full", AT_REMOVEDIR), 0);
        /* It can be moved now, but no new one be opened. */
        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = logfile_write(&scratch.log, 1, "e\n", 2, &err);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
        ASSERT_OK(r, &err);
        ASSERT_INT(count(content(&scratch, "c.log"), "\n"), 5);
        ASSERT_OK(logfile_write(&scratch.log, 1, "f\n", 2, &err), &err);
        ASSERT_INT(count(content(&scratch, "c.log"), "\n"), 1);
        ASSERT_INT(count(content(&scratch, "c.log.1"), "\n"), 5);
}

TEST(clearing) {
        _scratch_ Scratch scratch;
        Error err;

        ASSERT_OK(scratch_open(&scratch, 1, 9, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "a\nb\nc\nhalf", 10, &err), &err);
        ASSERT(content(&scratch, "c.log.2"));
        int old = openat(scratch.fd, "c.log", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(logfile_clear(&scratch.log, &err), &err);
        ASSERT_STR(content(&scratch, "c.log"), "");
        ASSERT(!content(&scratch, "c.log.1") && !content(&scratch, "c.log.2"));
        /* Who follows has the old file still, and the line that had begun comes whole. */
        char byte;
        ASSERT_INT(read(old, &byte, 1), 1);
        close_fd(&old);
        ASSERT_OK(logfile_write(&scratch.log, 1, " line\n", 6, &err), &err);
        ASSERT(str_after(content(&scratch, "c.log"), "{\"log\":\"half line\\n\""));
}

TEST(clearing_without_room_leaves_all) {
        _scratch_ Scratch scratch;
        struct rlimit old, none;
        Error err;
        int r;

        ASSERT_OK(scratch_open(&scratch, 1, 9, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "a\nb\n", 4, &err), &err);
        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = logfile_clear(&scratch.log, &err);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
        ASSERT_INT(r, -EMFILE);
        ASSERT(strstr(content(&scratch, "c.log.1"), "\"a\\n\""));
        ASSERT(strstr(content(&scratch, "c.log"), "\"b\\n\""));
}

TEST(attributes_and_reopening) {
        _scratch_ Scratch scratch;
        MonitorLog options = { .driver = (char *)"json-file", .path = (char *)"d.log" };
        Error err;

        ASSERT_OK(scratch_open(&scratch, 0, 1, &err), &err);
        logfile_done(&scratch.log);
        pairs_put(&options.attributes, "env", "a\"b");
        pairs_put(&options.attributes, "tag", "t");
        ASSERT_OK(logfile_open(&scratch.log, scratch.fd, &options, NULL, &err), &err);
        pairs_done(&options.attributes);
        ASSERT_INT(renameat(scratch.fd, "d.log", scratch.fd, "moved"), 0);
        ASSERT_OK(logfile_reopen(&scratch.log, &err), &err);
        ASSERT_OK(logfile_write(&scratch.log, 1, "x\n", 2, &err), &err);
        ASSERT(strstr(content(&scratch, "d.log"),
                      "{\"log\":\"x\\n\",\"stream\":\"stdout\","
                      "\"attrs\":{\"env\":\"a\\\"b\",\"tag\":\"t\"},\"time\":\""));
}

TEST(drivers) {
        LogFile log;
        MonitorLog options = { .driver = (char *)"fluentd", .path = (char *)"x" };
        Error err;

        ASSERT(logfile_open(&log, -1, &options, NULL, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNSUPPORTED);
        options.driver = (char *)"none";
        ASSERT_OK(logfile_open(&log, -1, &options, NULL, &err), &err);
        ASSERT_OK(logfile_write(&log, 1, "x\n", 2, &err), &err);
        ASSERT_OK(logfile_end(&log, 1, &err), &err);
        logfile_done(&log);
}

TEST_MAIN()
