/* logfile-test.c: records decoded, the tail found from the end, rotation followed. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/test.h"
#include "engine/logfile.h"

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
