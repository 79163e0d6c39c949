/* forward.c: see forward.h. A record leaves the logger's socket only once it was passed on, so that
 * at most the one that a logger died with comes twice. */
#include "monitor/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "monitor/logger.h"
#include "monitor/message.h"
#include "os/pidfd.h"

/* Longer than the logger itself tries to reach a target at first. */
#define READY_MS 30000
/* A logger that dies is started again, not more often than this. */
#define AGAIN_AFTER (NSEC_PER_SEC)
#define SAY_AGAIN (60 * NSEC_PER_SEC)
/* What waits in the socket, as the kernel counts it: a record takes most of a kilobyte at least. */
#define SOCKET_SIZE (256 * 1024)
/* A run says a few lines at most; those of many runs are dropped at once. */
#define LAST_WORDS_MAX (64 * 1024)

struct LogForward {
        const LogHost *host;
        const char *program;
        int ours, theirs, options_fd, words_fd, pidfd;
        LoopSource *socket, *end, *timer;
        bool wants_room; /* socket is watched for it, too */
        Buf waiting;     /* messages, each behind its length (uint32_t) */
        bool non_blocking;
        int64_t max_waiting, text_waiting; /* bytes */
        uint64_t dropped, said;            /* records; as many as the daemon's log says */
        int64_t said_at;                   /* clock_monotonic */
};

/* ---- the logger's life ---- */

/* last: nobody waits for its end any more. */
static int spawn(LogForward *forward, bool again, bool last, Error *err) {
        char *arguments[] = { (char *)"brig-logger",
                              again ? (char *)"forward-again" : (char *)"forward", NULL };
        const SpawnFd fds[] = { { forward->theirs, 0 },
                                { forward->options_fd, 1 },
                                { forward->words_fd, 2 } };
        const Spawn program = { .program = forward->program,
                                .argv = arguments,
                                .environment = environ,
                                .fds = fds,
                                .fd_count = ELEMENTS(fds),
                                .flags = SPAWN_SESSION };
        pid_t pid;
        int r = program_spawn(&program, &pid);

        if (r < 0)
                return error_set(err, -r, "start the logger '%s'", forward->program);
        /* That of one whose end was not heard may be watched still. */
        forward->end = loop_remove(forward->end);
        close_fd(&forward->pidfd);
        r = last ? 0 : pidfd_of(pid, &forward->pidfd, err);
        if (r < 0)
                (void)kill(pid, SIGKILL); /* unreaped, so the pid is its own: nobody would see its
                                             end, and the next one would be a second */
        return r;
}

static void warn(const LogForward *forward, const Error *err) {
        if (forward->host->warn)
                forward->host->warn(forward->host->data, err);
}

static int watch_end(LogForward *forward, Error *err);

static void on_again(void *data) {
        LogForward *forward = data;
        Error err = {};

        forward->timer = NULL;
        /* One that runs already lacks its watch only: two would read the same records. */
        if ((forward->pidfd >= 0 || spawn(forward, true, false, &err) == 0) &&
            watch_end(forward, &err) == 0)
                return;
        warn(forward, &err);
        forward->timer = loop_add_timer(forward->host->loop, clock_monotonic() + AGAIN_AFTER,
                                        on_again, forward);
}

static void on_end(void *data, int fd, uint32_t events) {
        LogForward *forward = data;

        (void)fd;
        (void)events;
        forward->end = loop_remove(forward->end);
        close_fd(&forward->pidfd);
        forward->timer = loop_add_timer(forward->host->loop, clock_monotonic() + AGAIN_AFTER,
                                        on_again, forward);
}

static int watch_end(LogForward *forward, Error *err) {
        return loop_add_fd(forward->host->loop, forward->pidfd, EPOLLIN, on_end, forward,
                           &forward->end, err);
}

static void hear(const LogForward *forward) {
        char words[sizeof((Error){}.message)];
        Error err = {};
        ssize_t n = recv(forward->ours, words, sizeof(words) - 1, MSG_DONTWAIT);

        if (n <= 1)
                return;
        words[n] = '\0';
        (void)error_kind(&err, ERROR_UNAVAILABLE, "%s", words + 1);
        warn(forward, &err);
}

/* ---- the beginning ---- */

static int wait_ready(LogForward *forward, Error *err) {
        struct pollfd fds[] = { { .fd = forward->ours, .events = POLLIN },
                                { .fd = forward->pidfd, .events = POLLIN } };
        char words[sizeof((Error){}.message)];
        int64_t deadline = clock_monotonic() + READY_MS * NSEC_PER_MSEC;
        int64_t left;
        ssize_t n;

        while ((left = deadline - clock_monotonic()) > 0) {
                if (poll(fds, 2, (int)(left / NSEC_PER_MSEC) + 1) < 0)
                        continue; /* SIGCHLD */
                n = recv(forward->ours, words, sizeof(words) - 1, MSG_DONTWAIT);
                if (n > 0) {
                        words[n] = '\0';
                        return words[0] == LOGGER_READY
                                       ? 0
                                       : error_kind(err, ERROR_INTERNAL, "%s", words + 1);
                }
                if (fds[1].revents)
                        return error_kind(err, ERROR_INTERNAL, "the logger ended at once");
        }
        return error_kind(err, ERROR_UNAVAILABLE, "the logger did not reach its target in time");
}

static int open_fds(LogForward *forward, int dir_fd, const MonitorLog *options, Error *err) {
        _cleanup_free_ char *text = json_text(&logger_options_table, options->forward);
        int pair[2], size = SOCKET_SIZE;
        struct stat status;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        forward->ours = pair[0];
        forward->theirs = pair[1];
        (void)setsockopt(forward->ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        forward->words_fd = openat(dir_fd, LOGGER_LAST_WORDS,
                                   O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (forward->words_fd < 0)
                return error_set(err, errno, "open '%s'", LOGGER_LAST_WORDS);
        if (fstat(forward->words_fd, &status) == 0 && status.st_size > LAST_WORDS_MAX &&
            ftruncate(forward->words_fd, 0) < 0)
                return error_set(err, errno, "empty '%s'", LOGGER_LAST_WORDS);
        return memfd_with("logger-options", text, strlen(text), &forward->options_fd, err);
}

static void on_socket(void *data, int fd, uint32_t events);

static LogForward *forward_release(LogForward *forward) {
        loop_remove(forward->socket);
        loop_remove(forward->end);
        loop_remove(forward->timer);
        close_fd(&forward->ours);
        close_fd(&forward->theirs);
        close_fd(&forward->options_fd);
        close_fd(&forward->words_fd);
        close_fd(&forward->pidfd);
        buf_done(&forward->waiting);
        free(forward);
        return NULL;
}

int forward_open(const LogFile *log, const MonitorLog *options, const LogHost *host,
                 LogForward **ret, Error *err) {
        LogForward *forward = NEW(LogForward);
        int r;

        *forward = (LogForward){ .host = host,
                                 .program = log->program,
                                 .ours = -1,
                                 .theirs = -1,
                                 .options_fd = -1,
                                 .words_fd = -1,
                                 .pidfd = -1,
                                 .non_blocking = options->non_blocking,
                                 .max_waiting = options->max_buffer };
        r = open_fds(forward, log->dir_fd, options, err);
        if (r == 0)
                r = spawn(forward, false, false, err);
        if (r == 0)
                r = wait_ready(forward, err);
        if (r == 0)
                r = watch_end(forward, err);
        if (r == 0)
                r = loop_add_fd(host->loop, forward->ours, EPOLLIN, on_socket, forward,
                                &forward->socket, err);
        if (r < 0) {
                (void)error_prefix(err, "failed to initialize logging driver");
                if (forward->pidfd >= 0)
                        (void)pidfd_signal(forward->pidfd, SIGKILL, NULL);
                forward_release(forward);
                return r;
        }
        *ret = forward;
        return 0;
}

/* ---- records ---- */

/* The first time, then not more often than once in SAY_AGAIN, and at the end. */
static void say_dropped(LogForward *forward, bool end) {
        Error err = {};

        if (forward->dropped == forward->said ||
            (!end && forward->said > 0 && clock_monotonic() - forward->said_at < SAY_AGAIN))
                return;
        forward->said = forward->dropped;
        forward->said_at = clock_monotonic();
        (void)error_kind(&err, ERROR_UNAVAILABLE,
                         "%llu log records were dropped so far, as their target was away or slow "
                         "for longer than max-buffer-size holds (mode=non-blocking)",
                         (unsigned long long)forward->dropped);
        warn(forward, &err);
}

/* Sends what waits, as far as the socket takes it. */
static void send_waiting(LogForward *forward) {
        size_t at = 0;

        while (at < forward->waiting.length) {
                const char *message = forward->waiting.data + at + sizeof(uint32_t);
                uint32_t length;

                memcpy(&length, forward->waiting.data + at, sizeof(length));
                if (send(forward->ours, message, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                        break;
                forward->text_waiting -= (int64_t)(length - sizeof(LoggerHead));
                at += sizeof(length) + length;
        }
        if (at == forward->waiting.length)
                buf_done(&forward->waiting);
        else
                buf_drop_front(&forward->waiting, at);
}

static void watch_room(LogForward *forward, bool wanted) {
        Error err = {};
        int r;

        if (wanted == forward->wants_room)
                return;
        r = loop_change_fd(forward->socket, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
        if (r == 0) {
                forward->wants_room = wanted;
                return;
        }
        (void)error_set(&err, -r, "watch the logger's socket");
        warn(forward, &err);
}

static void on_socket(void *data, int fd, uint32_t events) {
        LogForward *forward = data;

        (void)fd;
        if (events & EPOLLIN)
                hear(forward);
        if (!(events & EPOLLOUT))
                return;
        send_waiting(forward);
        if (forward->waiting.length > 0)
                return;
        watch_room(forward, false);
        say_dropped(forward, false);
        forward->host->ready(forward->host->data);
}

static void add_waiting(LogForward *forward, const LoggerHead *head, const LogEntry *entry) {
        uint32_t length = (uint32_t)(sizeof(*head) + entry->length);

        buf_add(&forward->waiting, &length, sizeof(length));
        buf_add(&forward->waiting, head, sizeof(*head));
        buf_add(&forward->waiting, entry->text, entry->length);
        forward->text_waiting += (int64_t)entry->length;
        watch_room(forward, true);
}

void forward_add(LogForward *forward, const LogEntry *entry) {
        LoggerHead head = { .when = entry->when,
                            .stream = (uint8_t)entry->stream,
                            .partial = entry->partial };
        struct iovec parts[] = { { &head, sizeof(head) }, { (void *)entry->text, entry->length } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTS(parts) };

        if (forward->waiting.length == 0 &&
            sendmsg(forward->ours, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                return;
        if (forward->non_blocking &&
            forward->text_waiting + (int64_t)entry->length > forward->max_waiting) {
                forward->dropped++;
                if (forward->said == 0)
                        say_dropped(forward, false);
                return;
        }
        add_waiting(forward, &head, entry);
}

bool forward_waits(const LogForward *forward) {
        return !forward->non_blocking && forward->waiting.length > 0;
}

bool forward_timed(const LogForward *forward) {
        return forward->timer != NULL;
}

/* ---- the end ---- */

/* The socket becomes large enough for what waits: its reader has all the time it needs. */
static void leave_waiting(LogForward *forward) {
        size_t size = SOCKET_SIZE + forward->waiting.length * 4;
        int wanted = (int)MIN(size, (size_t)INT32_MAX / 2);
        size_t left = 0;

        if (forward->waiting.length == 0)
                return;
        (void)setsockopt(forward->ours, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted));
        send_waiting(forward);
        for (size_t at = 0; at < forward->waiting.length; left++) {
                uint32_t length;

                memcpy(&length, forward->waiting.data + at, sizeof(length));
                at += sizeof(length) + length;
        }
        forward->dropped += left;
}

/* Its end may not have been heard yet. */
static bool has_died(const LogForward *forward) {
        struct pollfd end = { .fd = forward->pidfd, .events = POLLIN };

        return forward->pidfd < 0 || poll(&end, 1, 0) > 0;
}

int forward_clear(LogForward *forward, Error *err) {
        if (forward && ftruncate(forward->words_fd, 0) < 0)
                return error_set(err, errno, "empty '%s'", LOGGER_LAST_WORDS);
        return 0;
}

LogForward *forward_free(LogForward *forward) {
        if (!forward)
                return NULL;
        leave_waiting(forward);
        if (forward->dropped > 0)
                (void)dprintf(forward->words_fd,
                              "%llu log records were dropped: their target was away or slow\n",
                              (unsigned long long)forward->dropped);
        say_dropped(forward, true);
        if (has_died(forward)) /* and the next one is still to come */
                (void)spawn(forward, true, true, NULL);
        return forward_release(forward);
}
