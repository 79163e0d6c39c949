/* dial-stdio.c: system dial-stdio: standard input and output as a connection to the daemon, for a
 * client that comes over ssh. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"

#define PIECE 65536

/* Until the end of from, or until to takes no more. */
static int carry(int from, int to) {
        _cleanup_free_ char *bytes = NEW_ARRAY(char, PIECE);

        for (;;) {
                ssize_t n = read(from, bytes, PIECE);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = fd_write_full(to, bytes, (size_t)n);
                if (r < 0)
                        return r;
        }
}

/* The client's half-close is handed on: output may follow it. */
static void *carry_input(void *data) {
        const int *fd = data;

        (void)carry(STDIN_FILENO, *fd);
        (void)shutdown(*fd, SHUT_WR);
        return NULL;
}

static int run_dial(Cli *cli, const Options *options, Error *err) {
        pthread_t thread;
        static int fd; /* the thread may outlast this function, until the program's end */
        int r = cli_connect(cli, err);

        (void)options;
        if (r < 0)
                return r;
        fd = http_client_dial(cli->http, err);
        if (fd < 0)
                return fd;
        (void)signal(SIGPIPE, SIG_IGN);
        r = pthread_create(&thread, NULL, carry_input, &fd);
        if (r != 0)
                return error_set(err, r, "start a thread");
        (void)pthread_detach(thread);
        r = carry(fd, STDOUT_FILENO);
        return r < 0 && r != -EPIPE && r != -ECONNRESET ? error_set(err, -r, "carry the answer")
                                                        : 0;
}

const Command dial_stdio_command = {
        .arguments = "",
        .summary = "Proxy the stdio stream to the daemon connection",
        .run = run_dial,
};
