/* forward-test.c: a logger that dies is followed by another, also at the container's end. The
 * logger is a script here, which says that it is ready, notes its argument and ends. */
#include "monitor/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"

typedef struct Scratch {
        char directory[32];
        int fd;
        Loop *loop;
        LogHost host;
        LogFile log;
        LoggerOptions logger;
        int warnings;
} Scratch;

static int scratch_open(Scratch *scratch, Error *err) {
        _cleanup_free_ char *text = NULL;
        int r;

        *scratch = (Scratch){ .directory = "/tmp/brig-forward.XXXXXX" };
        if (!mkdtemp(scratch->directory))
                return error_kind(err, ERROR_INTERNAL, "mkdtemp");
        scratch->fd = open(scratch->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        text = str_format("#!/bin/sh\necho \"$1\" >>%s/starts\nprintf + >&0\n", scratch->directory);
        r = file_replace_at(scratch->fd, "logger", text, strlen(text), 0700, false, err);
        if (r == 0)
                r = loop_new(&scratch->loop, err);
        scratch->host.loop = scratch->loop;
        scratch->log = (LogFile){ .dir_fd = scratch->fd,
                                  .program = str_format("%s/logger", scratch->directory) };
        return r;
}

static void scratch_done(Scratch *scratch) {
        free(scratch->log.program);
        loop_free(scratch->loop);
        close_fd(&scratch->fd);
        (void)dir_remove_at(AT_FDCWD, scratch->directory, NULL);
}
#define _scratch_ _cleanup_(scratch_done)

TEST(a_death_that_was_not_heard_of_at_the_end) {
        _scratch_ Scratch scratch;
        MonitorLog options = { .forward = &scratch.logger };
        _cleanup_free_ char *starts = NULL;
        LogForward *forward = NULL;
        siginfo_t info;
        Error err = {};

        ASSERT_OK(scratch_open(&scratch, &err), &err);
        ASSERT_OK(forward_open(&scratch.log, &options, &scratch.host, &forward, &err), &err);
        /* It has ended, and the loop does not turn. */
        ASSERT_INT(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
        forward_free(forward);
        while (wait(NULL) > 0)
                ;
        ASSERT_OK(file_read_at(scratch.fd, "starts", 4096, &starts, NULL, &err), &err);
        ASSERT_STR(starts, "forward\nforward-again\n");
}

static int watches_missing;

int __real_loop_add_fd(Loop *loop, int fd, uint32_t events, LoopFdHandler handler, void *data,
                       LoopSource **ret, Error *err);
int __wrap_loop_add_fd(Loop *loop, int fd, uint32_t events, LoopFdHandler handler, void *data,
                       LoopSource **ret, Error *err);
LoopSource *__real_loop_add_timer(Loop *loop, int64_t when, LoopHandler handler, void *data);
LoopSource *__wrap_loop_add_timer(Loop *loop, int64_t when, LoopHandler handler, void *data);

/* The linker puts these in the forwarder's way: the watches of the second logger on fail a while,
 * and no timer takes long. */
int __wrap_loop_add_fd(Loop *loop, int fd, uint32_t events, LoopFdHandler handler, void *data,
                       LoopSource **ret, Error *err) {
        if (watches_missing > 0 && watches_missing-- > 0)
                return error_set(err, ENOSPC, "watch a descriptor");
        return __real_loop_add_fd(loop, fd, events, handler, data, ret, err);
}

LoopSource *__wrap_loop_add_timer(Loop *loop, int64_t when, LoopHandler handler, void *data) {
        (void)when;
        return __real_loop_add_timer(loop, 0, handler, data);
}

static void on_warning(void *data, const Error *err) {
        Scratch *scratch = data;

        (void)err;
        scratch->warnings++;
        if (watches_missing == 0)
                loop_stop(scratch->loop);
}

TEST(a_logger_that_cannot_be_watched_stays_the_only_one) {
        _scratch_ Scratch scratch;
        MonitorLog options = { .forward = &scratch.logger };
        _cleanup_free_ char *starts = NULL, *text = NULL;
        LogForward *forward = NULL;
        Error err = {};

        ASSERT_OK(scratch_open(&scratch, &err), &err);
        /* The second one reads until its socket ends. */
        text = str_format("#!/bin/sh\necho \"$1\" >>%s/starts\n[ \"$1\" = forward ] || exec cat\n"
                          "printf + >&0\n",
                          scratch.directory);
        ASSERT_OK(file_replace_at(scratch.fd, "logger", text, strlen(text), 0700, false, &err),
                  &err);
        scratch.host.data = &scratch;
        scratch.host.warn = on_warning;
        ASSERT_OK(forward_open(&scratch.log, &options, &scratch.host, &forward, &err), &err);
        watches_missing = 3;
        ASSERT_OK(loop_run(scratch.loop, &err), &err);
        ASSERT_INT(scratch.warnings, 3);
        forward_free(forward);
        while (wait(NULL) > 0)
                ;
        ASSERT_OK(file_read_at(scratch.fd, "starts", 4096, &starts, NULL, &err), &err);
        ASSERT_STR(starts, "forward\nforward-again\n");
}

TEST(last_words_are_bounded_and_cleared) {
        _scratch_ Scratch scratch;
        MonitorLog options = { .forward = &scratch.logger };
        LogForward *forward = NULL;
        struct stat status;
        Error err = {};

        ASSERT_OK(scratch_open(&scratch, &err), &err);
        _cleanup_close_ int words =
                openat(scratch.fd, LOGGER_LAST_WORDS, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        ASSERT_INT(ftruncate(words, 1 << 20), 0);
        ASSERT_OK(forward_open(&scratch.log, &options, &scratch.host, &forward, &err), &err);
        ASSERT(fstat(words, &status) == 0 && status.st_size == 0);
        ASSERT_INT(write(words, "x", 1), 1);
        ASSERT_OK(forward_clear(forward, &err), &err);
        ASSERT(fstat(words, &status) == 0 && status.st_size == 0);
        forward_free(forward);
        while (wait(NULL) > 0)
                ;
}

TEST_MAIN()
