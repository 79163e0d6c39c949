/* explore-tui.c: the terminal around explore-view.c: raw mode, the alternate screen, keys as they
 * come, the window's size. */
#include "cli/explore-tui.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/explore-view.h"
#include "cli/terminal.h"

#define ENTER "\033[?1049h\033[?25l" /* the alternate screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define ESCAPE_WAIT_MS 50 /* within which what follows an escape of a key comes */

typedef struct Tui {
        View view;
        int signal_fd;
        char held[256];
        size_t length;
        bool quit;
} Tui;

static int draw(const Tui *tui, Error *err) {
        _cleanup_buf_ Buf out = {};
        int r;

        view_draw(&tui->view, &out);
        r = fd_write_full(STDOUT_FILENO, out.data, out.length);
        return r < 0 ? error_set(err, r, "write to the terminal") : 0;
}

static void take_size(Tui *tui) {
        unsigned rows, columns;

        if (terminal_size(STDOUT_FILENO, &rows, &columns) && rows > 0 && columns > 0)
                view_resize(&tui->view, rows, columns);
}

static void take_keys(Tui *tui, bool flush) {
        size_t used;
        int key;

        while (!tui->quit && (used = view_key_read(tui->held, tui->length, flush, &key)) > 0) {
                tui->length -= used;
                memmove(tui->held, tui->held + used, tui->length);
                if (key != KEY_NONE)
                        tui->quit = view_key(&tui->view, key);
        }
        if (tui->length == sizeof(tui->held)) /* a sequence without end is none */
                tui->length = 0;
}

static int read_keys(Tui *tui, Error *err) {
        ssize_t n = read(STDIN_FILENO, tui->held + tui->length, sizeof(tui->held) - tui->length);

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0
                                                         : error_set(err, errno, "read the keys");
        if (n == 0) /* the terminal is gone */
                tui->quit = true;
        tui->length += (size_t)n;
        take_keys(tui, false);
        return 0;
}

static void read_signal(Tui *tui) {
        struct signalfd_siginfo info;

        if (read(tui->signal_fd, &info, sizeof(info)) != sizeof(info))
                return;
        if (info.ssi_signo == SIGWINCH)
                take_size(tui);
        else
                tui->quit = true;
}

static int run(Tui *tui, Error *err) {
        struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { tui->signal_fd, POLLIN, 0 } };
        int r = 0;

        while (r == 0 && !tui->quit) {
                r = draw(tui, err);
                if (r < 0)
                        return r;
                int n = poll(fds, ELEMENTS(fds), tui->length > 0 ? ESCAPE_WAIT_MS : -1);
                if (n < 0 && errno != EINTR)
                        return error_set(err, errno, "wait for keys");
                if (n == 0)
                        take_keys(tui, true);
                if (n > 0 && fds[1].revents)
                        read_signal(tui);
                if (n > 0 && fds[0].revents)
                        r = read_keys(tui, err);
        }
        return r;
}

static int signals(sigset_t *before, int *ret_fd, Error *err) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGWINCH);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &set, before);
        *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return *ret_fd < 0 ? error_set(err, errno, "make a signalfd") : 0;
}

int explore_tui(const Report *report, Error *err) {
        Tui tui = { .signal_fd = -1 };
        sigset_t before;
        int r = signals(&before, &tui.signal_fd, err);

        if (r == 0)
                r = terminal_raw(STDIN_FILENO, err);
        if (r == 0) {
                view_init(&tui.view, report);
                take_size(&tui);
                (void)fd_write_full(STDOUT_FILENO, ENTER, strlen(ENTER));
                r = run(&tui, err);
                (void)fd_write_full(STDOUT_FILENO, LEAVE, strlen(LEAVE));
                view_done(&tui.view);
        }
        terminal_restore();
        close_fd(&tui.signal_fd);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}
