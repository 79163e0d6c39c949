/* logs.c: a container's output of earlier, and, followed, of now until its end. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/engine-private.h"
#include "engine/logconfig.h"
#include "engine/logfile.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"

#define NOTICES_MAX 4096

typedef struct LogJob {
        const LogOptions *options;
        LogSink sink;
        void *data;
        LogReader reader;
        int64_t deadline; /* clock_boot, of `until`; 0: none */
        bool reached;     /* a record of `since` or later was met: what follows it is wanted */
        bool over;        /* a record of after `until` was met */
} LogJob;

/* ---- one record ---- */

static void add_escaped(Buf *buf, const char *text) {
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (isalnum(c) || strchr("-_.~", c))
                        buf_add_char(buf, (char)c);
                else if (c == ' ')
                        buf_add_char(buf, '+');
                else
                        buf_format(buf, "%%%02X", c);
        }
}

static void add_details(Buf *buf, const Pairs *attributes) {
        for (size_t i = 0; i < attributes->count; i++) {
                buf_add_str(buf, i > 0 ? "," : "");
                add_escaped(buf, attributes->items[i].key);
                buf_add_char(buf, '=');
                add_escaped(buf, attributes->items[i].value);
        }
        buf_add_char(buf, ' ');
}

static int send_record(const LogJob *job, const LogRecord *record) {
        const LogOptions *options = job->options;
        _cleanup_buf_ Buf line = { 0 };

        if (!options->timestamps && !options->details)
                return job->sink(job->data, record->stream, record->text, record->length);
        if (options->timestamps) {
                char when[CLOCK_TEXT_MAX];

                buf_format(&line, "%s ", clock_format_fixed(record->when, when));
        }
        if (options->details)
                add_details(&line, &record->attributes);
        buf_add(&line, record->text, record->length);
        return job->sink(job->data, record->stream, line.data, line.length);
}

/* Times need not rise: the clock may have been set back since. */
static bool is_reached(LogJob *job, const LogRecord *record) {
        job->reached = job->reached || record->when >= job->options->since;
        return job->reached;
}

/* Sends all that is there. */
static int send_all(LogJob *job, Error *err) {
        const LogOptions *options = job->options;
        int r = 0;

        while (r >= 0 && !job->over) {
                LogRecord record;
                int more = log_reader_next(&job->reader, &record, err);

                if (more <= 0)
                        return more;
                bool wanted = record.stream == 1 ? options->stdout_ : options->stderr_;
                if (options->until && record.when > options->until && clock_boot() >= job->deadline)
                        job->over = true;
                else if (is_reached(job, &record) && wanted)
                        r = send_record(job, &record);
                log_record_done(&record);
        }
        return r < 0 ? error_set(err, -r, "send the log") : 0;
}

/* ---- following ---- */

typedef struct Follow {
        int watch_fd;
        EngineWait *wait;
} Follow;

static void follow_done(Follow *follow) {
        close_fd(&follow->watch_fd);
        wait_free(follow->wait);
}

static int follow_begin(Container *container, int dir_fd, Follow *ret, Error *err) {
        _cleanup_free_ char *path = str_format("/proc/self/fd/%d", dir_fd);

        ret->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (ret->watch_fd < 0 ||
            inotify_add_watch(ret->watch_fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
                return error_set(err, errno, "watch the log (fs.inotify limits may be too low)");
        CONTAINER_LOCKED(container);
        ret->wait = wait_register(container, WAIT_NOT_RUNNING);
        return wait_fd(ret->wait) >= 0 ? 0 : error_set(err, EMFILE, "watch for the end");
}

/* 1: something was written; 0: the container has ended, or `until` is over; -ECANCELED. */
static int follow_wait(const Follow *follow, int64_t deadline, int cancel_fd) {
        struct pollfd fds[] = { { .fd = follow->watch_fd, .events = POLLIN },
                                { .fd = wait_fd(follow->wait), .events = POLLIN },
                                { .fd = cancel_fd, .events = POLLRDHUP } };
        char notices[NOTICES_MAX];
        int timeout = -1;

        if (deadline) {
                int64_t left = deadline - clock_boot();

                if (left <= 0)
                        return 0;
                timeout = (int)MIN(left / NSEC_PER_MSEC + 1, INT32_MAX);
        }
        int r = poll(fds, cancel_fd >= 0 ? 3 : 2, timeout);
        if (r < 0)
                return errno == EINTR ? 1 : -errno;
        if (cancel_fd >= 0 && fds[2].revents)
                return -ECANCELED;
        if (fds[1].revents || r == 0)
                return 0;
        while (read(follow->watch_fd, notices, sizeof(notices)) > 0)
                ;
        return 1;
}

static int follow(LogJob *job, const Follow *follow_, int cancel_fd, Error *err) {
        for (;;) {
                int r = send_all(job, err);

                if (r < 0 || job->over)
                        return r;
                r = follow_wait(follow_, job->deadline, cancel_fd);
                if (r == -ECANCELED)
                        return 0;
                if (r < 0)
                        return error_set(err, -r, "follow the log");
                if (r == 0) /* what was written up to its end */
                        return send_all(job, err);
        }
}

/* ---- the API's calls ---- */

static int readable_check(const Container *container, Error *err) {
        if (container_log_form(container))
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "configured logging driver does not support reading");
}

int engine_container_logs_check(Engine *engine, const char *ref, bool *ret_tty, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        *ret_tty = container->spec.config.tty;
        return readable_check(container, err);
}

static void job_done(LogJob *job) {
        log_reader_done(&job->reader);
}

int engine_container_logs(Engine *engine, const char *ref, const LogOptions *options, LogSink sink,
                          void *data, int cancel_fd, Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_(follow_done) Follow watch = { .watch_fd = -1 };
        _cleanup_(job_done) LogJob job = { .options = options, .sink = sink, .data = data };
        _cleanup_close_ int dir_fd = -1;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0)
                r = readable_check(container, err);
        if (r == 0)
                r = dir_open_at(engine->containers_fd, container->id, 0, &dir_fd, err);
        if (options->until)
                job.deadline = MAX(options->until - clock_now(), 0) + clock_boot();
        if (r == 0 && options->follow)
                r = follow_begin(container, dir_fd, &watch, err);
        if (r < 0)
                return r;
        _cleanup_free_ char *path = container_log_path(container);
        const LogSource source = { dir_fd, path, container_log_form(container),
                                   engine->options.logger_program, !options->follow };
        r = log_reader_open(&source, options->tail, &job.reader, err);
        if (r < 0)
                return r;
        return options->follow ? follow(&job, &watch, cancel_fd, err) : send_all(&job, err);
}

/* The files of a container that does not run, its monitor's when it does. */
static int clear_files(const Container *container, Error *err) {
        _cleanup_free_ char *path = container_log_path(container);
        _cleanup_close_ int dir_fd = -1;
        int r = dir_open_at(container->engine->containers_fd, container->id, 0, &dir_fd, err);

        return r < 0 ? r : log_remove(dir_fd, path, err);
}

int engine_container_logs_clear(Engine *engine, const char *ref, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0)
                r = readable_check(container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = failpoint("logs.clear", err);
        if (r < 0)
                return r;
        return container_is_running(container) ? monitor_clear_log(container->monitor, err)
                                               : clear_files(container, err);
}
