/* foreground.c: a container or exec that its caller waits for: signals go to it, and with a
 * terminal, bytes go both ways. Also the small things that create, run and exec share. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/pidfd.h"
#include "runtime/cli.h"

int write_pid_file(const char *path, pid_t pid, Error *err) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        return file_replace_at(AT_FDCWD, path, text, strlen(text), 0644, false, err);
}

int connect_console(const char *path, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return error_kind(err, ERROR_INVALID, "console socket '%s': the path is too long",
                                  path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno, "connect to the console socket '%s'", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int check_preserved(const Options *options, int *ret_count, Error *err) {
        if (options->preserve_fds < 0 || options->preserve_fds > 1024)
                return error_kind(err, ERROR_INVALID, "--preserve-fds: must be between 0 and 1024");
        for (int i = 0; i < (int)options->preserve_fds; i++)
                if (fd_set_cloexec(3 + i, false) < 0)
                        return error_kind(err, ERROR_INVALID,
                                          "--preserve-fds: descriptor %d is not open", 3 + i);
        *ret_count = (int)options->preserve_fds;
        return 0;
}

/* ---- waiting ---- */

static int make_signal_set(sigset_t *set) {
        static const int passed[] = { SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                      SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP };

        (void)sigemptyset(set);
        for (size_t i = 0; i < ELEMENTS(passed); i++)
                (void)sigaddset(set, passed[i]);
        return 0;
}

int foreground_prepare(void) {
        sigset_t set;

        (void)make_signal_set(&set);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static void copy_size(int master_fd) {
        struct winsize size;

        if (ioctl(0, TIOCGWINSZ, &size) == 0)
                (void)ioctl(master_fd, TIOCSWINSZ,
                            &size); /* a terminal that has gone needs no size */
}

static int on_signal(int signal_fd, int pidfd, int master_fd) {
        struct signalfd_siginfo info;

        if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
                return 0;
        if (info.ssi_signo == SIGWINCH) {
                if (master_fd >= 0)
                        copy_size(master_fd);
                return 0;
        }
        return pidfd_signal(pidfd, (int)info.ssi_signo, NULL);
}

/* One piece from one to the other; false at the end. */
static bool copy_piece(int from, int to) {
        char data[32768];
        ssize_t n = read(from, data, sizeof(data));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return true;
        return n > 0 && fd_write_full(to, data, (size_t)n) == 0;
}

static int wait_loop(int pidfd, int signal_fd, int master_fd, Error *err) {
        struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
                                { .fd = signal_fd, .events = POLLIN },
                                { .fd = master_fd, .events = POLLIN },
                                { .fd = master_fd >= 0 ? 0 : -1, .events = POLLIN } };

        for (;;) {
                if (poll(fds, ELEMENTS(fds), -1) < 0 && errno != EINTR)
                        return error_set(err, errno, "poll");
                if (fds[2].revents && !copy_piece(master_fd, 1))
                        fds[2].fd = -1;
                if (fds[3].revents && !copy_piece(0, master_fd))
                        fds[3].fd = -1;
                if (fds[1].revents)
                        (void)on_signal(signal_fd, pidfd,
                                        master_fd); /* a process that has ended takes none */
                /* What the terminal still holds is shown before the end. */
                if (fds[0].revents && (fds[2].fd < 0 || !fds[2].revents))
                        return 0;
        }
}

static int exit_code(int status) {
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int foreground_wait(int pidfd, int master_fd, Error *err) {
        _cleanup_close_ int signal_fd = -1;
        struct termios before, raw;
        bool is_terminal = master_fd >= 0 && tcgetattr(0, &before) == 0;
        sigset_t set;
        int status = 0, r;

        (void)make_signal_set(&set);
        signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        if (signal_fd < 0)
                return error_set(err, errno, "signalfd");
        if (is_terminal) {
                raw = before;
                cfmakeraw(&raw);
                (void)tcsetattr(0, TCSANOW, &raw);
                copy_size(master_fd);
        }
        r = wait_loop(pidfd, signal_fd, master_fd, err);
        if (is_terminal)
                (void)tcsetattr(0, TCSANOW, &before);
        if (r == 0)
                r = pidfd_wait(pidfd, &status, err);
        return r < 0 ? r : exit_code(status);
}
