/* reconnect.c: what a command does whose daemon goes away while it waits for a container, which
 * runs on without the daemon. Where the daemon is, is connect.c's. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

#define RECONNECT_S 60
#define RECONNECT_PAUSE_MS 100

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
