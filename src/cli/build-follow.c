/* build-follow.c: follows a build: one poll loop between the daemon's stream, the clock, the
 * signals and the view on standard error. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "cli/build-follow.h"
#include "cli/terminal.h"

#define READ_SIZE 65536
#define STREAM_MAX ((size_t)64 << 20) /* bytes of one object */

typedef struct Follow {
        BuildDisplay *display;
        HttpReply *reply;
        Buf held; /* a line that is not whole yet */
        int signal_fd, signal;
        bool ended;
} Follow;

/* ---- the view ---- */

static const struct {
        const char *name;
        const BuildView *view; /* NULL: by what standard error is */
} views[] = {
        { "auto", NULL },
        { "plain", &build_view_plain },
        { "tty", &build_view_terminal },
        { "rawjson", &build_view_raw },
        { "quiet", &build_view_quiet },
};

int build_view_choose(const BuildOptions *options, const BuildView **ret, Error *err) {
        const char *given =
                str_empty(options->progress) ? getenv("BUILDKIT_PROGRESS") : options->progress;
        const char *name = str_empty(given) ? "auto" : given, *term = getenv("TERM");
        bool terminal = isatty(STDERR_FILENO);

        for (size_t i = 0; i < ELEMENTS(views); i++) {
                if (!str_equal(views[i].name, name))
                        continue;
                if (views[i].view == &build_view_terminal && !terminal)
                        return error_kind(err, ERROR_INVALID,
                                          "--progress tty: standard error is no terminal: plain "
                                          "shows lines");
                *ret = options->quiet                         ? &build_view_quiet
                       : views[i].view                        ? views[i].view
                       : !terminal || str_equal(term, "dumb") ? &build_view_plain
                                                              : &build_view_terminal;
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "invalid progress \"%s\": auto, plain, tty, rawjson or quiet", name);
}

static void measure(BuildDisplay *display) {
        unsigned rows, columns;

        if (!terminal_size(STDERR_FILENO, &rows, &columns) || rows == 0 || columns == 0)
                return;
        display->rows = rows;
        display->columns = columns;
}

static int write_out(BuildDisplay *display, Error *err) {
        int r = display->out.length
                        ? fd_write_full(STDERR_FILENO, display->out.data, display->out.length)
                        : 0;

        buf_clear(&display->out);
        return r < 0 ? error_set(err, r, "write progress") : 0;
}

/* ---- the stream ---- */

static int take_object(Follow *follow, const char *text, size_t length, Error *err) {
        BuildProgress event = {};
        int r;

        if (length == 0)
                return 0;
        r = json_parse(&build_progress_table, text, length, &event, err);
        if (r == 0) {
                build_display_event(follow->display, &event);
                follow->ended = str_equal(event.kind, "end");
        }
        json_done(&build_progress_table, &event);
        return r < 0 ? error_prefix(err, "read the build's progress") : 0;
}

static int take_objects(Follow *follow, Error *err) {
        Buf *held = &follow->held;
        size_t begin = 0;
        int r = 0;

        for (char *end; r == 0 && begin < held->length &&
                        (end = memchr(held->data + begin, '\n', held->length - begin));
             begin = (size_t)(end - held->data) + 1)
                r = take_object(follow, held->data + begin, (size_t)(end - held->data) - begin,
                                err);
        buf_drop_front(held, begin);
        return r;
}

/* 1 at the end of the stream. */
static int read_stream(Follow *follow, Error *err) {
        Buf *held = &follow->held;
        ssize_t got;
        int r;

        buf_reserve(held, READ_SIZE);
        got = http_reply_read(follow->reply, held->data + held->length, READ_SIZE, err);
        if (got < 0)
                return (int)got;
        held->length += (size_t)got;
        held->data[held->length] = '\0';
        if (held->length > STREAM_MAX)
                return error_kind(err, ERROR_INTERNAL, "the daemon's progress has no end of line");
        r = take_objects(follow, err);
        if (r == 0 && got == 0)
                r = take_object(follow, held->data, held->length, err);
        return r < 0 ? r : got == 0;
}

/* ---- signals ---- */

static int block_signals(Follow *follow, sigset_t *ret_before, Error *err) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGWINCH);
        (void)sigprocmask(SIG_BLOCK, &set, ret_before);
        follow->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return follow->signal_fd < 0 ? error_set(err, errno, "signalfd") : 0;
}

static void read_signals(Follow *follow) {
        struct signalfd_siginfo info;

        while (read(follow->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                if (info.ssi_signo == SIGWINCH)
                        measure(follow->display);
                else
                        follow->signal = (int)info.ssi_signo;
        }
}

/* ---- the loop ---- */

/* Until the stream's end, or a signal. */
static int follow_stream(Follow *follow, Error *err) {
        int r = 0;

        while (r == 0 && !follow->signal) {
                int wait = build_display_tick(follow->display, clock_now());
                int fd = http_reply_poll_fd(follow->reply);
                struct pollfd fds[] = { { follow->signal_fd, POLLIN, 0 }, { fd, POLLIN, 0 } };

                r = write_out(follow->display, err);
                if (r == 0 && poll(fds, ELEMENTS(fds), fd < 0 ? 0 : wait) < 0 && errno != EINTR)
                        r = error_set(err, errno, "poll");
                if (r == 0 && fds[0].revents)
                        read_signals(follow);
                if (r == 0 && !follow->signal && (fd < 0 || fds[1].revents))
                        r = read_stream(follow, err);
        }
        if (r < 0)
                return r;
        if (!follow->signal && !follow->ended)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the daemon closed the connection before the build's end");
        return 0;
}

int build_follow(HttpReply *reply, BuildDisplay *display, BuildPump **pump, Error *err) {
        Follow follow = { .display = display, .reply = reply, .signal_fd = -1 };
        Error sent = {};
        sigset_t before;
        int r = block_signals(&follow, &before, err), code;

        measure(display);
        if (r == 0)
                r = follow_stream(&follow, err);
        if (r < 0 && !display->error)
                display->error = str_copy(err->message);
        if (build_pump_end(pump, &sent) < 0)
                str_replace(&display->error, sent.message);
        if (follow.signal)
                str_replace(&display->error, "interrupted: the daemon cancels the build");
        build_display_end(display, clock_now());
        code = write_out(display, err);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        close_fd(&follow.signal_fd);
        buf_done(&follow.held);
        if (follow.signal)
                return 128 + follow.signal;
        return code < 0 ? code : display->error ? 1 : 0;
}
