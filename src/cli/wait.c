/* wait.c: see wait.h. How a daemon that is away is waited for is reconnect.c's. */
#include "cli/wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/stream.h"

#define EXIT_DAEMON 125

static int ask(Waiting *waiting, const char *condition, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/wait", waiting->id);

        if (api_at_least(waiting->cli, 30))
                path_query(&path, "condition", condition);
        return api_call(waiting->cli, "POST", path, NULL, &waiting->reply, err);
}

int waiting_open(Waiting *waiting, Cli *cli, const char *id, const char *condition, Error *err) {
        *waiting = (Waiting){ .cli = cli, .id = id, .condition = condition };
        return ask(waiting, condition, err);
}

/* It may have ended meanwhile: the next exit would never come. */
static int ask_again(Waiting *waiting, Error *err) {
        bool removes = str_equal(waiting->condition, "removed");
        int r = ask(waiting, removes ? "removed" : "not-running", err);

        if (r < 0 && err->kind == ERROR_NOT_FOUND)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the container ended and was removed while the daemon was away: "
                                  "its exit code is not known");
        return r;
}

static int read_answer(Waiting *waiting, Error *err) {
        _cleanup_buf_ Buf held = {};
        int r = api_next_json(waiting->reply, &held, &waiting->answer, err);

        waiting->reply = http_reply_free(waiting->reply);
        if (r == 0)
                return error_kind(err, ERROR_UNAVAILABLE, "the daemon did not tell the exit code");
        return r < 0 ? r : 0;
}

/* ---- beside something else ---- */

/* Other failures are met again, and told, at the end: which asks where no reply is left. So it does
 * where no probe could be made. */
static void follow_loss(Waiting *waiting, int r, const Error *why) {
        if (r < 0 && cli_lost(why))
                (void)probe_begin(waiting->cli, &waiting->probe);
}

static void take_answer(Waiting *waiting) {
        Error why = {};
        int r = read_answer(waiting, &why);

        follow_loss(waiting, r, &why);
}

static int watched(const Probe *probe) {
        return probe->pid > 0 ? probe->fd : -1;
}

int waiting_watch(Waiting *waiting) {
        if (waiting->reply && http_reply_poll_fd(waiting->reply) < 0)
                take_answer(waiting);
        return waiting->reply ? http_reply_poll_fd(waiting->reply) : watched(&waiting->probe);
}

void waiting_look(Waiting *waiting) {
        Error why = {};

        if (waiting->reply) {
                take_answer(waiting);
                return;
        }
        probe_end(&waiting->probe);
        follow_loss(waiting, ask_again(waiting, &why), &why);
}

/* ---- and for nothing else ---- */

/* A signal is the container's as long as that takes any, then our own. */
static int pass_or_end(Waiting *waiting, int signal_fd, Error *err) {
        struct signalfd_siginfo info;
        Error why = {};

        if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) ||
            info.ssi_signo == SIGWINCH)
                return 0;
        if (signal_send(waiting->cli, waiting->id, (int)info.ssi_signo, &why) == 0)
                return 0;
        return error_kind(err, ERROR_INTERNAL,
                          "interrupted while waiting for the end of container %s: %s", waiting->id,
                          why.message);
}

/* Until there is something to read. */
static int wait_readable(Waiting *waiting, int signal_fd, Error *err) {
        struct pollfd fds[] = { { http_reply_poll_fd(waiting->reply), POLLIN, 0 },
                                { signal_fd, POLLIN, 0 } };
        int r = 0;

        while (r == 0 && fds[0].fd >= 0 && !fds[0].revents) {
                if (poll(fds, ELEMENTS(fds), -1) < 0 && errno != EINTR)
                        return error_set(err, errno, "poll");
                if (fds[1].revents)
                        r = pass_or_end(waiting, signal_fd, err);
        }
        return r;
}

static int await_answer(Waiting *waiting, int signal_fd, Error *err) {
        int r = wait_readable(waiting, signal_fd, err);

        return r < 0 ? r : read_answer(waiting, err);
}

int waiting_end(Waiting *waiting, int signal_fd, Error *err) {
        int r = 0;

        probe_end(&waiting->probe);
        if (waiting->answer)
                return 0;
        if (!waiting->reply)
                r = ask_again(waiting, err);
        if (r == 0)
                r = await_answer(waiting, signal_fd, err);
        while (r < 0 && cli_lost(err)) {
                r = cli_reconnect(waiting->cli, signal_fd, err);
                if (r < 0)
                        return r;
                r = ask_again(waiting, err);
                if (r == 0)
                        r = await_answer(waiting, signal_fd, err);
        }
        return r;
}

int waiting_code(const Waiting *waiting) {
        const char *message = json_member_string(json_member(waiting->answer, "Error"), "Message");

        if (str_empty(message))
                return (int)json_number(waiting->answer, "StatusCode") & 0xFF;
        (void)fprintf(stderr, "Error waiting for container: %s\n", message);
        return EXIT_DAEMON;
}

void waiting_done(Waiting *waiting) {
        probe_end(&waiting->probe);
        waiting->reply = http_reply_free(waiting->reply);
        (void)json_object_put(waiting->answer);
        waiting->answer = NULL;
}
