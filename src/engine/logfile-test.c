/* logfile-test.c: records decoded, the tail found from the end, rotation followed. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/test.h"
#include "engine/logfile.h"
#include "monitor/lognames.h"

static char directory[] = "/tmp/logfile-test.XXXXXX";

static int folder(void) {
        static int fd = -1;

        if (fd < 0 && mkdtemp(directory))
                fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd;
}

static void append(const char *name, int first, int last) {
        int fd = openat(folder(), name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        for (int i = first; i <= last; i++)
                (void)dprintf(fd,
                              "{\"log\":\"%d\\n\",\"stream\":\"stdout\",\"time\":"
                              "\"2026-01-02T03:04:05.%09dZ\"}\n",
                              i, i);
        (void)close(fd);
}

static void start(void) {
        (void)dir_remove_at(folder(), "log", NULL);
        (void)dir_remove_at(folder(), "log.1", NULL);
        (void)dir_remove_at(folder(), "log.2", NULL);
}

/* The numbers of all records that are there now, as "1 2 3". */
static char *read_all(LogReader *reader) {
        Buf text = { 0 };
        LogRecord record;

        while (log_reader_next(reader, &record, NULL) == 1) {
                buf_format(&text, "%s%.*s", text.length ? " " : "", (int)record.length - 1,
                           record.text);
                log_record_done(&record);
        }
        return buf_take(&text);
}

#define ASSERT_READ(reader, wanted)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *text_ = read_all(reader);                                     \
                ASSERT_STR(text_, wanted);                                                         \
        } while (0)
#define READER(name, tail)                                                                         \
        _cleanup_(log_reader_done) LogReader name = { .dir_fd = -1 };                              \
        ASSERT(log_reader_open(&(LogSource){ folder(), "log", "json-file", "/none" }, tail, &name, \
                               NULL) == 0)

TEST(records) {
        static const char line[] = "{\"log\":\"a\\u0000<b\\n\",\"stream\":\"stderr\",\"attrs\":{"
                                   "\"k\":\"v\"},\"time\":\"2026-01-02T03:04:05.000000006Z\"}";
        LogRecord record;
        ASSERT(log_decode(line, strlen(line), &record) == 0);
        ASSERT_INT(record.length, 5);
        ASSERT(memcmp(record.text, "a\0<b\n", 5) == 0);
        ASSERT_INT(record.stream, 2);
        ASSERT_INT(record.when % 1000, 6);
        ASSERT_STR(pairs_get(&record.attributes, "k"), "v");
        log_record_done(&record);
        static const char *const wrong[] = { "", "{", "{}", "[]", "{\"log\":1,\"stream\":\"x\"}" };
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                ASSERT(log_decode(wrong[i], strlen(wrong[i]), &record) < 0);
}

TEST(records_of_the_local_form) {
        LogRecord record;

        ASSERT(log_decode_local("o12 a\0b", 7, &record) == 0);
        ASSERT_INT(record.length, 4);
        ASSERT(memcmp(record.text, "a\0b\n", 5) == 0);
        ASSERT_INT(record.stream, 1);
        ASSERT_INT(record.when, 12);
        log_record_done(&record);
        ASSERT(log_decode_local("E5  x", 5, &record) == 0);
        ASSERT_INT(record.length, 2);
        ASSERT_STR(record.text, " x");
        ASSERT_INT(record.stream, 2);
        log_record_done(&record);
        static const char *const wrong[] = { "",      "o",     "o1",     "o x",
                                             "x1 a",  "oo1 a", "o1.5 a", "o99999999999999999999 a",
                                             "\0\0\0" };
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                ASSERT(log_decode_local(wrong[i], strlen(wrong[i]), &record) < 0);
}

/* As a monitor leaves it that is killed between two renames, at each place. */
TEST(a_free_number_hides_nothing) {
        start();
        append("log.1", 1, 2);
        append("log", 3, 4);
        ASSERT(renameat(folder(), "log.1", folder(), "log.2") == 0);
        READER(middle, -1);
        ASSERT_READ(&middle, "1 2 3 4");
        ASSERT(renameat(folder(), "log", folder(), "log.1") == 0);
        READER(newest, 3);
        ASSERT_READ(&newest, "2 3 4");
        append("log", 5, 5);
        ASSERT_READ(&newest, "5");
}

static void write_file(const char *name, const char *text, long stamp) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = stamp } };
        int fd = openat(folder(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        ASSERT(futimens(fd, times) == 0);
        (void)close(fd);
}

/* Who was reading the plain file reads none of its records again, and misses none behind them. */
TEST(a_file_that_is_compressed_while_it_is_read) {
        struct stat status;

        start();
        append("log", 1, 2);
        READER(reader, -1);
        ASSERT_READ(&reader, "1 2");
        ASSERT(fstatat(folder(), "log", &status, 0) == 0);
        append("log", 3, 3);
        write_file("log.1.gz", "never inflated", LOG_STAMP(status.st_ino));
        ASSERT(unlinkat(folder(), "log", 0) == 0);
        append("log", 4, 4);
        ASSERT_READ(&reader, "3 4");
        /* One that it has not seen is inflated, which the program that is not there cannot. */
        Error err;
        write_file("log.1.gz", "another", LOG_STAMP(status.st_ino) + 1);
        LogRecord record;
        append("log.2", 9, 9);
        _cleanup_(log_reader_done) LogReader all = { .dir_fd = -1 };
        ASSERT(log_reader_open(&(LogSource){ folder(), "log", "json-file", "/none" }, -1, &all,
                               &err) == 0);
        ASSERT(log_reader_next(&all, &record, &err) == 1);
        ASSERT_STR(record.text, "9\n");
        log_record_done(&record);
        ASSERT(log_reader_next(&all, &record, &err) < 0);
        ASSERT(strstr(err.message, "/none"));
        ASSERT(unlinkat(folder(), "log.1.gz", 0) == 0);
}

/* An inode number is given out again: a new plain file may have that of which an older compressed
 * one was made. */
TEST(a_number_that_was_given_out_again) {
        struct stat status;
        LogRecord record;
        Error err;

        start();
        append("log", 1, 2);
        ASSERT(fstatat(folder(), "log", &status, 0) == 0);
        write_file("log.1.gz", "older", LOG_STAMP(status.st_ino));
        _cleanup_(log_reader_done) LogReader reader = { .dir_fd = -1 };
        int r = log_reader_open(&(LogSource){ folder(), "log", "json-file", "/none" }, -1, &reader,
                                &err);
        if (r == 0)
                r = log_reader_next(&reader, &record, &err);
        ASSERT(r < 0); /* it was not passed over: the program that inflates it is not there */
        ASSERT(unlinkat(folder(), "log.1.gz", 0) == 0);
}

#define RECORD(number)                                                                             \
        "{\"log\":\"" number "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n"

/* Nor is a compressed file held open once it was inflated: the next one may have its inode. */
TEST(a_compressed_files_number_that_was_given_out_again) {
        static const char script[] = "#!/bin/sh\nexec cat\n";
        _cleanup_free_ char *logger = NULL;
        Error err;

        start();
        ASSERT(file_replace_at(folder(), "cat", script, strlen(script), 0700, false, &err) == 0);
        logger = str_format("%s/cat", directory);
        write_file("log.1.gz", RECORD("1"), 7);
        _cleanup_(log_reader_done) LogReader reader = { .dir_fd = -1 };
        ASSERT(log_reader_open(&(LogSource){ folder(), "log", "json-file", logger }, -1, &reader,
                               &err) == 0);
        ASSERT_READ(&reader, "1");
        write_file("log.1.gz", RECORD("2"), 8);
        append("log", 3, 3);
        ASSERT_READ(&reader, "2 3");
        ASSERT(unlinkat(folder(), "log.1.gz", 0) == 0 && unlinkat(folder(), "cat", 0) == 0);
}

/* A program that has no room where it writes to a disk. */
TEST(a_compressed_file_is_read_though_the_disk_is_full) {
        static const char script[] = "#!/bin/sh\n"
                                     "case $(readlink /proc/$$/fd/1) in\n"
                                     "/memfd:*) exec cat ;;\n"
                                     "*) exit 3 ;;\n" /* LOGGER_NO_ROOM */
                                     "esac\n";
        _cleanup_free_ char *logger = NULL;
        Error err;

        start();
        ASSERT(file_replace_at(folder(), "full", script, strlen(script), 0700, false, &err) == 0);
        logger = str_format("%s/full", directory);
        write_file("log.1.gz", RECORD("1"), 7);
        _cleanup_(log_reader_done) LogReader reader = { .dir_fd = -1 };
        ASSERT(log_reader_open(&(LogSource){ folder(), "log", "json-file", logger }, -1, &reader,
                               &err) == 0);
        ASSERT_READ(&reader, "1");
        ASSERT(unlinkat(folder(), "log.1.gz", 0) == 0 && unlinkat(folder(), "full", 0) == 0);
}

/* It would fail in memory, too, and may be large. */
TEST(a_damaged_compressed_file_is_inflated_once) {
        static const char script[] = "#!/bin/sh\necho >>\"${0%/*}/runs\"\nexit 1\n";
        _cleanup_free_ char *logger = NULL;
        struct stat runs;
        LogRecord record;
        Error err;

        start();
        ASSERT(file_replace_at(folder(), "bad", script, strlen(script), 0700, false, &err) == 0);
        logger = str_format("%s/bad", directory);
        write_file("log.1.gz", "damaged", 7);
        _cleanup_(log_reader_done) LogReader reader = { .dir_fd = -1 };
        int r = log_reader_open(&(LogSource){ folder(), "log", "json-file", logger }, -1, &reader,
                                &err);
        if (r == 0)
                r = log_reader_next(&reader, &record, &err);
        ASSERT(r < 0 && strstr(err.message, "damaged"));
        ASSERT(fstatat(folder(), "runs", &runs, 0) == 0 && runs.st_size == 1);
        ASSERT(unlinkat(folder(), "log.1.gz", 0) == 0 && unlinkat(folder(), "bad", 0) == 0);
        ASSERT(unlinkat(folder(), "runs", 0) == 0);
}

TEST(removed_from_the_oldest_on) {
        start();
        append("log.2", 1, 1);
        append("log", 2, 2);
        write_file("log.1.gz", "x", 1);
        ASSERT(log_remove(folder(), "log", NULL) == 0);
        READER(reader, -1);
        ASSERT_READ(&reader, "");
        ASSERT(faccessat(folder(), "log.1.gz", F_OK, 0) < 0);
        ASSERT(faccessat(folder(), "log.2", F_OK, 0) < 0);
}

TEST(tails) {
        start();
        append("log.1", 1, 3);
        append("log", 4, 6);
        READER(all, -1);
        ASSERT_READ(&all, "1 2 3 4 5 6");
        READER(none, 0);
        ASSERT_READ(&none, "");
        READER(two, 2);
        ASSERT_READ(&two, "5 6");
        READER(three, 3);
        ASSERT_READ(&three, "4 5 6");
        READER(four, 4);
        ASSERT_READ(&four, "3 4 5 6");
        READER(more, 100);
        ASSERT_READ(&more, "1 2 3 4 5 6");
        READER(most, INT64_MAX);
        ASSERT_READ(&most, "1 2 3 4 5 6");
}

TEST(what_is_written_later) {
        start();
        READER(reader, -1);
        ASSERT_READ(&reader, "");
        append("log", 1, 2);
        ASSERT_READ(&reader, "1 2");
        append("log", 3, 3);
        ASSERT_READ(&reader, "3");
}

/* As `docker logs --tail 1` of a container that writes all the time. */
TEST(what_is_written_later_is_left_out_of_what_was_there) {
        static const struct {
                int64_t tail;
                const char *wanted;
        } cases[] = { { -1, "1 2 3 4" }, { 1, "4" }, { 3, "2 3 4" }, { 0, "" } };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const LogSource source = { folder(), "log", "json-file", "/none", true };
                _cleanup_(log_reader_done) LogReader reader = { .dir_fd = -1 };

                start();
                append("log.1", 1, 2);
                append("log", 3, 4);
                ASSERT(log_reader_open(&source, cases[i].tail, &reader, NULL) == 0);
                append("log", 5, 5);
                ASSERT(renameat(folder(), "log", folder(), "log.0") == 0);
                append("log", 6, 6);
                ASSERT_READ(&reader, cases[i].wanted);
                ASSERT(unlinkat(folder(), "log.0", 0) == 0);
        }
}

TEST(rotation) {
        start();
        append("log", 1, 2);
        READER(reader, -1);
        ASSERT_READ(&reader, "1 2");
        append("log", 3, 3);
        ASSERT(renameat(folder(), "log", folder(), "log.1") == 0);
        append("log", 4, 4);
        ASSERT(renameat(folder(), "log.1", folder(), "log.2") == 0);
        ASSERT(renameat(folder(), "log", folder(), "log.1") == 0);
        append("log", 5, 6);
        ASSERT_READ(&reader, "3 4 5 6");
}

TEST(truncation) {
        start();
        append("log", 1, 2);
        READER(reader, -1);
        ASSERT_READ(&reader, "1 2");
        ASSERT(unlinkat(folder(), "log", 0) == 0);
        append("log", 3, 3);
        ASSERT_READ(&reader, "3");
}

TEST(damaged_lines_hide_no_others) {
        start();
        append("log", 1, 1);
        int fd = openat(folder(), "log", O_WRONLY | O_APPEND | O_CLOEXEC);
        ASSERT(write(fd, "{\"log\":\"half\0\0\0\n", 16) == 16);
        (void)close(fd);
        append("log", 2, 2);
        READER(reader, -1);
        ASSERT_READ(&reader, "1 2");
}

TEST(clean_up) {
        start();
        ASSERT(rmdir(directory) == 0);
}

TEST_MAIN()
