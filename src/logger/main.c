/* main.c: brig-logger: what a container's log needs beyond writing a file: compressing one that was
 * rotated, and passing records on to syslog or journald. Started by the container's monitor, see
 * monitor/logger.h. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "format/deflate.h"
#include "logger/relay.h"
#include "monitor/logger.h"
#include "monitor/lognames.h"

#define BLOCK 65536

static int write_packed(void *data, const void *bytes, size_t length, Error *err) {
        int r = fd_write_full(STDOUT_FILENO, bytes, length);

        (void)data;
        return r < 0 ? error_set(err, -r, "write the compressed log") : 0;
}

static int stamp(Error *err) {
        struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
        struct stat status;

        if (fstat(STDIN_FILENO, &status) < 0)
                return error_set(err, errno, "look at the log");
        times[1].tv_sec = status.st_mtim.tv_sec;
        times[1].tv_nsec = LOG_STAMP(status.st_ino);
        if (futimens(STDOUT_FILENO, times) < 0)
                return error_set(err, errno, "date the compressed log");
        return 0;
}

/* The word that it is done comes when all of it is on the disk: the plain file goes then. */
static int run_compress(Error *err) {
        const Deflate deflate = { .to = COMPRESSION_GZIP,
                                  .level = DEFLATE_LEVEL_DEFAULT,
                                  .packed = write_packed };
        int r = deflate_stream(STDIN_FILENO, &deflate, err);

        if (r == 0)
                r = stamp(err);
        if (r == 0 && fsync(STDOUT_FILENO) < 0)
                r = error_set(err, errno, "sync the compressed log");
        if (r == 0)
                r = failpoint("logger.compressed", err);
        if (r == 0)
                r = fd_write_full(LOGGER_DONE_FD, "+", 1);
        return r;
}

/* For the engine, which links no library that inflates. */
static int run_inflate(Error *err) {
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        static char block[BLOCK];
        ssize_t n = 0;
        int r = inflater_new(STDIN_FILENO, &inflater, err);

        while (r == 0 && (n = inflater_read(inflater, block, sizeof(block), err)) > 0) {
                r = fd_write_full(STDOUT_FILENO, block, (size_t)n);
                if (r < 0)
                        r = error_set(err, -r, "write the log");
        }
        return r < 0 ? r : (int)n;
}

int main(int argc, char **argv) {
        static const char misuse[] =
                "brig-logger: this program is started by brigd and its monitors only\n";
        Error err = {};
        int r;

        (void)prctl(PR_SET_NAME, "brig-logger");
        (void)signal(SIGPIPE, SIG_IGN);
        if (chdir("/") < 0)
                return 1;
        if (argc == 2 && str_equal(argv[1], "compress"))
                r = run_compress(&err);
        else if (argc == 2 && str_equal(argv[1], "inflate"))
                r = run_inflate(&err);
        else if (argc == 2 && str_equal(argv[1], "forward"))
                r = relay_run(false, &err);
        else if (argc == 2 && str_equal(argv[1], "forward-again"))
                r = relay_run(true, &err);
        else {
                (void)!write(STDERR_FILENO, misuse, sizeof(misuse) - 1);
                return 2;
        }
        if (r == -ENOSPC || r == -EDQUOT)
                return LOGGER_NO_ROOM;
        return r < 0 ? 1 : 0;
}
