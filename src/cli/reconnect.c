/* reconnect.c: what a command does whose daemon goes away while it waits for a container, which
 * runs on without the daemon. Where the daemon is, is connect.c's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"

#define RECONNECT_S 60
#define RECONNECT_PAUSE_MS 100
#define PROBE_PAUSE_MS 1000 /* after RECONNECT_S */

bool cli_lost(const Error *err) {
        if (str_after(err->message, "Error response from daemon")) /* it is there, and says no */
                return false;
        return err->kind == ERROR_UNAVAILABLE || err->number == ECONNRESET;
}

static bool is_interrupted(int signal_fd) {
        struct pollfd waiting = { signal_fd, POLLIN, 0 };
        struct signalfd_siginfo info;

        return poll(&waiting, 1, RECONNECT_PAUSE_MS) > 0 &&
               read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
               info.ssi_signo != SIGWINCH;
}

int cli_reconnect(Cli *cli, int signal_fd, Error *err) {
        int64_t end = clock_monotonic() + (RECONNECT_S * NSEC_PER_SEC);

        (void)fflush(stdout);
        (void)fprintf(stderr,
                      "%s: the connection to the daemon at %s is lost: waiting up to %d seconds "
                      "for it to come back\n",
                      cli->program, cli->host, RECONNECT_S);
        for (;;) {
                Error why = {};

                if (api_do(cli, "GET", "/_ping", &why) == 0)
                        break;
                if (clock_monotonic() >= end)
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "the daemon at %s did not come back within %d seconds: "
                                          "the container may run on",
                                          cli->host, RECONNECT_S);
                if (is_interrupted(signal_fd))
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "interrupted while the daemon at %s was away: the "
                                          "container may run on",
                                          cli->host);
        }
        (void)fprintf(stderr, "%s: connected again\n", cli->program);
        return 0;
}

/* Our connections are the parent's to speak on: it makes its own. What ssh says of each try is not
 * for the user. A daemon that breaks off each time is asked no more often than one that is away,
 * hence the pause before the first try. */
static _Noreturn void probe_until_there(Cli *cli, pid_t parent) {
        int64_t end = clock_monotonic() + (RECONNECT_S * NSEC_PER_SEC);
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        Error why = {};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        cli->no_start = true;
        cli->http = NULL;
        cli->endpoint = NULL;
        do
                (void)poll(NULL, 0, clock_monotonic() < end ? RECONNECT_PAUSE_MS : PROBE_PAUSE_MS);
        while (cli_connect(cli, &why) < 0);
        _exit(0);
}

int probe_begin(Cli *cli, Probe *ret) {
        pid_t parent = getpid();
        Probe probe = { .pid = fork(), .fd = -1 };

        if (probe.pid == 0)
                probe_until_there(cli, parent);
        if (probe.pid < 0)
                return -errno;
        probe.fd = (int)syscall(SYS_pidfd_open, probe.pid, 0);
        if (probe.fd < 0) {
                int r = -errno;

                probe_end(&probe);
                return r;
        }
        *ret = probe;
        return 0;
}

void probe_end(Probe *probe) {
        if (probe->pid <= 0)
                return;
        (void)kill(probe->pid, SIGKILL);
        (void)waitpid(probe->pid, NULL, 0);
        close_fd(&probe->fd);
        probe->pid = 0;
}
