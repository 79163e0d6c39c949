/* logpack.c: see logpack.h. The logger writes to a file of its own; that gets its name once all of
 * it is on the disk, and only then the plain file goes. */
#include "monitor/logpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "monitor/logger.h"
#include "monitor/lognames.h"

struct LogPack {
        const LogFile *log;
        const LogHost *host;
        char *temporary;
        int64_t number; /* of the file that is being compressed; 0: it is gone, or none is */
        int done_fd;    /* -1: nothing is being compressed */
        LoopSource *source;
};

static bool exists(const LogFile *log, int64_t number, bool packed) {
        _cleanup_free_ char *name = log_name(log->path, number, packed);

        return faccessat(log->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void drop(const LogFile *log, int64_t number, bool packed) {
        _cleanup_free_ char *name = log_name(log->path, number, packed);

        (void)unlinkat(log->dir_fd, name, 0);
}

/* A file that has both names was compressed to the end, and the plain one is to go. */
static void settle(const LogPack *pack) {
        (void)unlinkat(pack->log->dir_fd, pack->temporary, 0);
        for (int64_t number = 1, gaps = 0; number < LOG_NUMBERS_MAX && gaps < 2; number++) {
                bool plain = exists(pack->log, number, false);
                bool packed = exists(pack->log, number, true);

                if (plain && packed)
                        drop(pack->log, number, false);
                gaps = plain || packed ? 0 : gaps + 1;
        }
}

LogPack *logpack_new(const LogFile *log, const LogHost *host) {
        LogPack *pack = NEW(LogPack);

        *pack = (LogPack){ .log = log, .host = host, .done_fd = -1 };
        pack->temporary = str_format("%s" LOG_PACKED ".tmp", log->path);
        settle(pack);
        logpack_start(pack);
        return pack;
}

LogPack *logpack_free(LogPack *pack) {
        if (!pack)
                return NULL;
        loop_remove(pack->source);
        /* Nobody is there to give it its name: the plain one is compressed by the next monitor. */
        if (pack->done_fd >= 0)
                (void)unlinkat(pack->log->dir_fd, pack->temporary, 0);
        close_fd(&pack->done_fd);
        free(pack->temporary);
        free(pack);
        return NULL;
}

void logpack_moved(LogPack *pack, int64_t from, int64_t to) {
        if (pack && pack->number == from)
                pack->number = to;
}

static int take_packed(const LogPack *pack, Error *err) {
        const LogFile *log = pack->log;
        _cleanup_free_ char *name = log_name(log->path, pack->number, true);

        if (renameat(log->dir_fd, pack->temporary, log->dir_fd, name) < 0)
                return error_set(err, errno, "name the compressed log '%s'", name);
        drop(log, pack->number, false);
        return 0;
}

/* One that could not be compressed stays as it is until the next rotation. */
static void on_done(void *data, int fd, uint32_t events) {
        LogPack *pack = data;
        Error err = {};
        char done;
        ssize_t n = read(fd, &done, 1);
        int r = 0;

        (void)events;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (pack->number > 0)
                r = n == 1 ? take_packed(pack, &err)
                           : error_kind(&err, ERROR_INTERNAL,
                                        "compress log '%s': the logger failed (is the disk full?)",
                                        pack->log->path);
        if (n != 1 || r < 0 || pack->number == 0)
                (void)unlinkat(pack->log->dir_fd, pack->temporary, 0);
        pack->number = 0;
        pack->source = loop_remove(pack->source);
        close_fd(&pack->done_fd);
        if (r < 0)
                pack->host->warn(pack->host->data, &err);
        else
                logpack_start(pack);
}

static int spawn(LogPack *pack, int64_t number, Error *err) {
        char *arguments[] = { (char *)"brig-logger", (char *)"compress", NULL };
        _cleanup_free_ char *name = log_name(pack->log->path, number, false);
        _cleanup_close_ int from = openat(pack->log->dir_fd, name, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int to =
                openat(pack->log->dir_fd, pack->temporary,
                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
        _cleanup_close_ int theirs = -1;
        int pipe_fds[2], r;
        pid_t pid;

        if (from < 0 || to < 0)
                return error_set(err, errno, "open log '%s' to compress it", name);
        if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_set(err, errno, "make a pipe");
        pack->done_fd = pipe_fds[0];
        theirs = pipe_fds[1];
        const SpawnFd fds[] = { { from, 0 }, { to, 1 }, { theirs, LOGGER_DONE_FD } };
        r = program_spawn(&(Spawn){ .program = pack->log->program,
                                    .argv = arguments,
                                    .environment = environ,
                                    .fds = fds,
                                    .fd_count = ELEMENTS(fds),
                                    .flags = SPAWN_SESSION },
                          &pid);
        if (r < 0)
                return error_set(err, -r, "start '%s'", pack->log->program);
        return loop_add_fd(pack->host->loop, pack->done_fd, EPOLLIN, on_done, pack, &pack->source,
                           err);
}

void logpack_start(LogPack *pack) {
        Error err = {};

        if (!pack || pack->done_fd >= 0)
                return;
        for (int64_t number = 1, gaps = 0; number < LOG_NUMBERS_MAX && gaps < 2; number++) {
                if (exists(pack->log, number, false)) {
                        pack->number = number;
                        if (spawn(pack, number, &err) == 0)
                                return;
                        pack->number = 0;
                        close_fd(&pack->done_fd);
                        (void)unlinkat(pack->log->dir_fd, pack->temporary, 0);
                        pack->host->warn(pack->host->data, &err);
                        return;
                }
                gaps = exists(pack->log, number, true) ? 0 : gaps + 1;
        }
}
