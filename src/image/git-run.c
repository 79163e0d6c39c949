/* git-run.c: see git-run.h. Called by one thread. */
#include "image/git-run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"

#define TICK_MS 250
#define END_TICK_MS 2
#define CHUNK 65536
#define COMPLAINT_MAX ((size_t)64 * 1024) /* of standard error; its end is kept */
#define LINES_MAX 4
#define LINE_MAX_SHOWN 300

void git_output_done(GitOutput *output) {
        buf_done(&output->text);
        free(output->complaint);
        *output = (GitOutput){};
}

/* ---- what it says of a failure ---- */

static void add_line(Buf *buf, const char *line, size_t length) {
        if (buf->length)
                buf_add_str(buf, "; ");
        for (size_t i = 0; i < MIN(length, (size_t)LINE_MAX_SHOWN); i++)
                buf_add_char(buf, (unsigned char)line[i] < ' ' || line[i] == 127 ? '?' : line[i]);
}

/* How telling a line is: git's own words of failure, the server's, anything else. */
static unsigned rank_of(const char *line) {
        if (str_after(line, "fatal: ") || str_after(line, "error: "))
                return 0;
        return str_after(line, "remote: ") ? 1 : 2;
}

/* Appends at most LINES_MAX lines of that rank. What ends with a carriage return is progress. */
static size_t add_lines(const char *text, unsigned rank, Buf *ret) {
        size_t count = 0;

        while (*text && count < LINES_MAX) {
                size_t length = strcspn(text, "\r\n");

                if (length && text[length] != '\r' && rank_of(text) == rank) {
                        add_line(ret, text, length);
                        count++;
                }
                text += length;
                text += *text != '\0';
        }
        return count;
}

char *git_complaint(const char *text) {
        _cleanup_buf_ Buf lines = {};

        for (unsigned rank = 0; rank <= 2; rank++)
                if (add_lines(text, rank, &lines) > 0)
                        return buf_take(&lines);
        return str_copy("git failed without a word");
}

/* ---- the program ---- */

typedef struct Running {
        const GitRunner *runner;
        pid_t pid;
        int output_fd, error_fd; /* ours; -1: at its end */
        Buf output, errors, line;
        int64_t started, heard;
} Running;

static void running_done(Running *running) {
        if (running->pid > 0) {
                /* Unreaped, so that the group is still its own. */
                (void)kill(-running->pid, SIGKILL);
                while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        close_fd(&running->output_fd);
        close_fd(&running->error_fd);
        buf_done(&running->output);
        buf_done(&running->errors);
        buf_done(&running->line);
}

static int spawn(const GitRunner *runner, char *const *argv, char *const *environment, int out,
                 int errors, pid_t *ret) {
        const SpawnFd fds[] = { { out, STDOUT_FILENO }, { errors, STDERR_FILENO } };
        const Spawn spawn = { .program = runner->program,
                              .argv = argv,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds),
                              .flags = SPAWN_GROUP };

        return program_spawn(&spawn, ret);
}

static int start(Running *running, char *const *arguments, char *const *extra, Error *err) {
        _cleanup_strv_ char **argv = NULL, **environment = strv_copy(running->runner->environment);
        int out[2], errors[2], r;

        strv_add(&argv, "git");
        for (; arguments && *arguments; arguments++)
                strv_add(&argv, *arguments);
        for (; extra && *extra; extra++)
                strv_add(&environment, *extra);
        if (pipe2(out, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe for git");
        running->output_fd = out[0];
        if (pipe2(errors, O_CLOEXEC) < 0) {
                (void)close(out[1]);
                return error_set(err, errno, "make a pipe for git");
        }
        running->error_fd = errors[0];
        r = spawn(running->runner, argv, environment, out[1], errors[1], &running->pid);
        (void)close(out[1]);
        (void)close(errors[1]);
        running->started = running->heard = clock_monotonic();
        return r < 0 ? error_set(err, -r, "start '%s'", running->runner->program) : 0;
}

/* ---- listening ---- */

/* 1: there may be more; 0: the end. */
static int take(int *fd, size_t limit, Buf *ret, Error *err) {
        ssize_t n;

        buf_reserve(ret, CHUNK);
        ret->data[ret->length] = '\0';
        n = read(*fd, ret->data + ret->length, CHUNK);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 1;
        if (n < 0)
                return error_set(err, errno, "read what git says");
        if (n == 0) {
                close_fd(fd);
                return 0;
        }
        ret->length += (size_t)n;
        ret->data[ret->length] = '\0';
        if (ret->length > limit)
                return error_kind(err, ERROR_INVALID,
                                  "git gave more than the %zu MiB that are read of it: the "
                                  "repository is too large",
                                  limit >> 20);
        return 1;
}

/* The last whole line, for whoever waits; of what is old, the end is enough. */
static void note_line(Running *running) {
        const char *text = running->errors.data;
        size_t end = running->errors.length, start;

        while (end > 0 && text[end - 1] != '\r' && text[end - 1] != '\n')
                end--;
        while (end > 0 && (text[end - 1] == '\r' || text[end - 1] == '\n'))
                end--;
        for (start = end; start > 0 && text[start - 1] != '\r' && text[start - 1] != '\n';)
                start--;
        buf_clear(&running->line);
        if (end > start)
                add_line(&running->line, text + start, end - start);
        if (running->errors.length > COMPLAINT_MAX)
                buf_drop_front(&running->errors, running->errors.length - COMPLAINT_MAX / 2);
}

static int check_time(const Running *running, Error *err) {
        int64_t now = clock_monotonic();
        const GitRunner *runner = running->runner;

        if (now - running->heard > runner->idle)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "git was silent for %lld seconds: the server does not answer",
                                  (long long)(runner->idle / NSEC_PER_SEC));
        if (now - running->started > runner->total)
                return error_kind(err, ERROR_UNAVAILABLE, "git took more than %lld seconds",
                                  (long long)(runner->total / NSEC_PER_SEC));
        return 0;
}

static int listen_once(Running *running, Error *err) {
        struct pollfd fds[] = { { .fd = running->output_fd, .events = POLLIN },
                                { .fd = running->error_fd, .events = POLLIN } };
        const GitRunner *runner = running->runner;
        int r = poll(fds, ELEMENTS(fds), TICK_MS);

        if (r < 0 && errno != EINTR)
                return error_set(err, errno, "wait for git");
        if (r > 0)
                running->heard = clock_monotonic();
        r = fds[0].revents ? take(&running->output_fd, runner->output_max, &running->output, err)
                           : 0;
        if (r >= 0 && fds[1].revents) {
                r = take(&running->error_fd, SIZE_MAX, &running->errors, err);
                if (r > 0)
                        note_line(running);
        }
        if (r >= 0 && runner->alive && runner->alive(runner->data, running->line.data) < 0)
                return error_set(err, ECANCELED, "stopped");
        return r < 0 ? r : check_time(running, err);
}

static int wait_end(Running *running, int *ret_status, Error *err) {
        siginfo_t info = {};
        int r = 0;

        /* It has closed what it writes to, so it is about to end, or means no good. */
        while (r == 0 && info.si_pid == 0) {
                if (waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 &&
                    errno != EINTR)
                        return error_set(err, errno, "wait for git");
                if (info.si_pid == 0) {
                        (void)poll(NULL, 0, END_TICK_MS);
                        r = check_time(running, err);
                }
        }
        if (r < 0)
                return r;
        /* Its group goes first: the number stays its own until it is reaped. */
        (void)kill(-running->pid, SIGKILL);
        while (waitpid(running->pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for git");
        running->pid = 0;
        return 0;
}

int git_run(const GitRunner *runner, char *const *arguments, char *const *extra, GitOutput *output,
            Error *err) {
        _cleanup_(running_done)
                Running running = { .runner = runner, .output_fd = -1, .error_fd = -1 };
        int status = 0, r = start(&running, arguments, extra, err);

        while (r == 0 && (running.output_fd >= 0 || running.error_fd >= 0))
                r = listen_once(&running, err);
        if (r == 0)
                r = wait_end(&running, &status, err);
        if (r < 0)
                return r;
        if (status != 0) {
                _cleanup_free_ char *complaint = git_complaint(running.errors.data ?: "");

                if (output)
                        output->complaint = str_copy(complaint);
                return error_kind(err, ERROR_UNAVAILABLE, "%s", complaint);
        }
        if (output) {
                output->text = running.output;
                running.output = (Buf){};
        }
        return 0;
}
