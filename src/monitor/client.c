/* client.c: the connection of client.h; what is asked is client-calls.c's. Until the container was
 * let go the connection belongs to the thread that starts it, which reads the answers itself: a
 * start is not slowed by turns of the loop. From then on the loop's thread reads, and hands each
 * answer to the thread that waits for it. */
#include "monitor/client-private.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/message.h"

void monitor_client_answer_done(Answer *answer) {
        json_done(&monitor_reply_table, &answer->reply);
        close_fd(&answer->fd);
}

Monitor *monitor_client_new(Loop *loop, int fd, MonitorNotice notice, void *data) {
        Monitor *monitor = NEW(Monitor);
        pthread_condattr_t attributes;

        monitor->loop = loop;
        monitor->fd = fd;
        monitor->notice = notice;
        monitor->data = data;
        monitor->answer_max = MONITOR_ANSWER_MAX;
        monitor->answer.fd = -1;
        (void)pthread_mutex_init(&monitor->call, NULL);
        (void)pthread_mutex_init(&monitor->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&monitor->changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        (void)fd_set_nonblocking(fd, true);
        return monitor;
}

static void probe_free(Probe *probe) {
        if (probe)
                free(probe->exec);
        free(probe);
}

/* lock held. NULL: the request of that number was another. */
static Probe *probe_take(Monitor *monitor, uint64_t number) {
        for (Probe **at = &monitor->probes; *at; at = &(*at)->next) {
                Probe *probe = *at;

                if (probe->number != number)
                        continue;
                *at = probe->next;
                return probe;
        }
        return NULL;
}

static void free_now(void *data) {
        Monitor *monitor = data;

        loop_remove(monitor->source);
        close_fd(&monitor->fd);
        monitor_client_answer_done(&monitor->answer);
        while (monitor->probes)
                probe_free(probe_take(monitor, monitor->probes->number));
        (void)pthread_cond_destroy(&monitor->changed);
        (void)pthread_mutex_destroy(&monitor->lock);
        (void)pthread_mutex_destroy(&monitor->call);
        free(monitor);
}

Monitor *monitor_free(Monitor *monitor) {
        if (!monitor)
                return NULL;
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->freed = true;
        (void)pthread_cond_broadcast(&monitor->changed);
        while (monitor->callers > 0)
                (void)pthread_cond_wait(&monitor->changed, &monitor->lock);
        (void)pthread_mutex_unlock(&monitor->lock);
        if (monitor->watched)
                loop_post(monitor->loop, free_now, monitor);
        else
                free_now(monitor);
        return NULL;
}

void monitor_answer_within(Monitor *monitor, int64_t nanoseconds) {
        (void)pthread_mutex_lock(&monitor->call);
        monitor->answer_max = nanoseconds;
        (void)pthread_mutex_unlock(&monitor->call);
}

/* ---- reading ---- */

int monitor_client_receive(int socket_fd, Answer *ret, Error *err) {
        int fds[MESSAGE_FDS_MAX];
        size_t count = 0;
        int r;

        do
                r = message_receive(socket_fd, &monitor_reply_table, &ret->reply, fds, &count, err);
        while (r == -ECONNRESET);
        ret->fd = -1;
        if (r <= 0)
                return r;
        for (size_t i = 1; i < count; i++)
                close_fd(&fds[i]);
        ret->fd = count > 0 ? fds[0] : -1;
        return 1;
}

static bool is_exit(const MonitorReply *reply) {
        return str_equal(reply->kind, "exited") || str_equal(reply->kind, "exec-exited");
}

static bool is_notice(const MonitorReply *reply) {
        return is_exit(reply) || str_equal(reply->kind, "ending") ||
               str_equal(reply->kind, "detached") || str_equal(reply->kind, "warning");
}

/* On the loop's thread. */
static void deliver(Monitor *monitor, const MonitorReply *reply) {
        MonitorRequest seen = { .kind = (char *)"seen", .exec = reply->exec };
        bool freed;

        if (str_equal(reply->kind, "warning")) {
                log_warn("monitor: %s", reply->message ?: "");
                return;
        }
        (void)pthread_mutex_lock(&monitor->lock);
        freed = monitor->freed;
        monitor->over |= str_equal(reply->kind, "exited");
        (void)pthread_mutex_unlock(&monitor->lock);
        if (!freed)
                monitor->notice(monitor->data, reply);
        /* The monitor keeps clients waiting for it: the daemon knows of an end before they do. */
        if (is_exit(reply))
                (void)message_send(monitor->fd, &monitor_request_table, &seen, NULL, 0, NULL);
}

static void lose_monitor(Monitor *monitor) {
        MonitorReply lost = { .kind = (char *)"lost" };
        bool surprise;

        monitor->source = loop_remove(monitor->source);
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->ended = true;
        surprise = !monitor->over && !monitor->freed;
        (void)pthread_cond_broadcast(&monitor->changed);
        (void)pthread_mutex_unlock(&monitor->lock);
        if (surprise)
                monitor->notice(monitor->data, &lost);
}

static void tell_of_probe(Monitor *monitor, Probe *probe, MonitorReply *reply) {
        bool failed = !str_equal(reply->kind, "exec-started");

        str_replace(&reply->kind, failed ? "probe-failed" : "probe-started");
        str_replace(&reply->exec, probe->exec);
        probe_free(probe);
        monitor->notice(monitor->data, reply);
}

static void hand_over(Monitor *monitor, Answer *answer) {
        Probe *probe;
        bool freed;

        (void)pthread_mutex_lock(&monitor->lock);
        probe = probe_take(monitor, ++monitor->received);
        freed = monitor->freed;
        if (!probe && monitor->received == monitor->wanted) {
                monitor->answer = *answer;
                monitor->answered = true;
                *answer = (Answer){ .fd = -1 };
                (void)pthread_cond_broadcast(&monitor->changed);
        }
        (void)pthread_mutex_unlock(&monitor->lock);
        if (probe && !freed)
                tell_of_probe(monitor, probe, &answer->reply);
        else
                probe_free(probe);
}

static void on_message(void *data, int fd, uint32_t events) {
        Monitor *monitor = data;
        Answer answer = { .fd = -1 };
        int r = monitor_client_receive(monitor->fd, &answer, NULL);

        (void)fd;
        (void)events;
        if (r == -EAGAIN || r == -EINTR)
                return;
        if (r <= 0)
                lose_monitor(monitor);
        else if (is_notice(&answer.reply))
                deliver(monitor, &answer.reply);
        else
                hand_over(monitor, &answer);
        monitor_client_answer_done(&answer);
}

void monitor_client_watch(void *data) {
        Monitor *monitor = data;
        Error err = {};

        if (loop_add_fd(monitor->loop, monitor->fd, EPOLLIN, on_message, monitor, &monitor->source,
                        &err) < 0) {
                log_error("monitor: %s", err.message);
                lose_monitor(monitor);
        }
}

/* ---- asking ---- */

static int monitor_gone(Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE, "the container's monitor has ended");
}

static int monitor_silent(Monitor *monitor, Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE,
                          "the container's monitor did not answer within %lld seconds",
                          (long long)(monitor->answer_max / NSEC_PER_SEC));
}

/* Whether the answer that has come is the one that is waited for: that of an earlier request may
 * have been given up. */
static bool is_wanted(Monitor *monitor) {
        bool wanted;

        (void)pthread_mutex_lock(&monitor->lock);
        wanted = ++monitor->received == monitor->wanted;
        (void)pthread_mutex_unlock(&monitor->lock);
        return wanted;
}

/* On the thread that starts the container. */
static int wait_direct(Monitor *monitor, Answer *ret, Error *err) {
        int64_t deadline = clock_monotonic() + monitor->answer_max;

        for (;;) {
                int64_t left = (deadline - clock_monotonic()) / NSEC_PER_MSEC;
                struct pollfd poll_fd = { .fd = monitor->fd, .events = POLLIN };
                int r;

                if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
                        return monitor_silent(monitor, err);
                r = monitor_client_receive(monitor->fd, ret, err);
                if (r == -EAGAIN || r == -EINTR)
                        continue;
                if (r <= 0)
                        return r < 0 ? r : monitor_gone(err);
                if (!is_notice(&ret->reply) && is_wanted(monitor))
                        return 0;
                if (str_equal(ret->reply.kind, "warning"))
                        log_warn("monitor: %s", ret->reply.message ?: "");
                monitor_client_answer_done(ret);
        }
}

/* For the loop's thread to hand an answer over. */
static int wait_handed(Monitor *monitor, Answer *ret, Error *err) {
        int64_t deadline = clock_monotonic() + monitor->answer_max;
        struct timespec until = { .tv_sec = deadline / NSEC_PER_SEC,
                                  .tv_nsec = deadline % NSEC_PER_SEC };
        int r = 0;

        (void)pthread_mutex_lock(&monitor->lock);
        while (!monitor->answered && !monitor->ended && !monitor->freed && r == 0)
                r = pthread_cond_timedwait(&monitor->changed, &monitor->lock, &until);
        monitor->wanted = 0;
        if (monitor->answered) {
                *ret = monitor->answer;
                monitor->answer = (Answer){ .fd = -1 };
                monitor->answered = false;
                r = 0;
        } else if (monitor->ended || monitor->freed)
                r = monitor_gone(err);
        else
                r = monitor_silent(monitor, err);
        (void)pthread_mutex_unlock(&monitor->lock);
        return r;
}

int monitor_client_wait_answer(Monitor *monitor, Answer *ret, Error *err) {
        int r = monitor->watched ? wait_handed(monitor, ret, err) : wait_direct(monitor, ret, err);
        const char *message = ret->reply.message;

        if (r < 0)
                return r;
        if (!str_equal(ret->reply.kind, "error") && !str_equal(ret->reply.kind, "exec-error"))
                return 0;
        r = error_kind(err, (ErrorKind)ret->reply.error_kind, "%s", message ?: "unknown error");
        monitor_client_answer_done(ret);
        return r;
}

int monitor_client_send(Monitor *monitor, const MonitorRequest *request, const int *fds,
                        size_t fd_count, Error *err) {
        int r;

        if (monitor->ended || monitor->freed)
                return monitor_gone(err);
        r = message_send(monitor->fd, &monitor_request_table, request, fds, fd_count, err);
        if (r == -EPIPE || r == -ECONNRESET)
                return monitor_gone(err);
        monitor->sent += r >= 0;
        return r;
}

int monitor_client_ask_locked(Monitor *monitor, const MonitorRequest *request, const int *fds,
                              size_t fd_count, Answer *ret, Error *err) {
        int r;

        (void)pthread_mutex_lock(&monitor->lock);
        r = monitor_client_send(monitor, request, fds, fd_count, err);
        if (r >= 0)
                monitor->wanted = monitor->sent;
        (void)pthread_mutex_unlock(&monitor->lock);
        return r < 0 ? r : monitor_client_wait_answer(monitor, ret, err);
}

void monitor_client_enter(Monitor *monitor) {
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->callers++;
        (void)pthread_mutex_unlock(&monitor->lock);
        (void)pthread_mutex_lock(&monitor->call);
}

void monitor_client_leave(Monitor *monitor) {
        (void)pthread_mutex_unlock(&monitor->call);
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->callers--;
        (void)pthread_cond_broadcast(&monitor->changed);
        (void)pthread_mutex_unlock(&monitor->lock);
}

int monitor_client_ask(Monitor *monitor, const MonitorRequest *request, const int *fds,
                       size_t fd_count, Answer *ret, Error *err) {
        int r;

        *ret = (Answer){ .fd = -1 };
        monitor_client_enter(monitor);
        r = monitor_client_ask_locked(monitor, request, fds, fd_count, ret, err);
        monitor_client_leave(monitor);
        return r;
}

int monitor_client_ask_plain(Monitor *monitor, const MonitorRequest *request, const int *fds,
                             size_t fd_count, Error *err) {
        Answer answer;
        int r = monitor_client_ask(monitor, request, fds, fd_count, &answer, err);

        if (r == 0)
                monitor_client_answer_done(&answer);
        return r;
}
