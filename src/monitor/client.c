/* client.c: see client.h. Until the container was let go the connection belongs to the thread that
 * starts it, which reads the answers itself: a start is not slowed by turns of the loop. From then
 * on the loop's thread reads, and hands each answer to the thread that waits for it. */
#include "monitor/client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/detach.h"
#include "monitor/launch.h"
#include "monitor/message.h"

#define ANSWER_MAX (30 * NSEC_PER_SEC)
#define EXIT_RECORD_MAX (4 << 20)

/* An answer with the descriptor that came beside it, -1: none. */
typedef struct Answer {
        MonitorReply reply;
        int fd;
} Answer;

/* An exec for which nobody waits. */
typedef struct Probe {
        struct Probe *next;
        uint64_t number; /* of its request */
        char *exec;
} Probe;

struct Monitor {
        Loop *loop;
        int fd;
        LoopSource *source;
        MonitorNotice notice;
        void *data;
        int64_t answer_max;

        pthread_mutex_t call; /* held from a request to its answer */
        bool watched;         /* guarded by call: the loop's thread reads */

        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        uint64_t sent,
                received; /* requests that have an answer, and answers: they keep the order */
        uint64_t wanted;  /* the number of that which a thread waits for, 0: none does */
        bool answered;    /* answer is there */
        Answer answer;
        Probe *probes; /* whose beginning is not known yet */
        bool ended;    /* the monitor is gone */
        bool over;     /* and that is no surprise: it has said so, or the start failed */
        bool freed;    /* by its owner: no notices any more */
        int callers;   /* threads within a call; freeing waits for them */
};

static void answer_done(Answer *answer) {
        json_done(&monitor_reply_table, &answer->reply);
        close_fd(&answer->fd);
}

static Monitor *monitor_new(Loop *loop, int fd, MonitorNotice notice, void *data) {
        Monitor *monitor = NEW(Monitor);
        pthread_condattr_t attributes;

        monitor->loop = loop;
        monitor->fd = fd;
        monitor->notice = notice;
        monitor->data = data;
        monitor->answer_max = ANSWER_MAX;
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
        answer_done(&monitor->answer);
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

/* As message_receive, with at most one descriptor. */
static int receive(Monitor *monitor, Answer *ret, Error *err) {
        int fds[MESSAGE_FDS_MAX];
        size_t count = 0;
        int r = message_receive(monitor->fd, &monitor_reply_table, &ret->reply, fds, &count, err);

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
        return is_exit(reply) || str_equal(reply->kind, "detached") ||
               str_equal(reply->kind, "warning");
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
        int r = receive(monitor, &answer, NULL);

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
        answer_done(&answer);
}

static void watch(void *data) {
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
                r = receive(monitor, ret, err);
                if (r == -EAGAIN || r == -EINTR)
                        continue;
                if (r <= 0)
                        return r < 0 && r != -ECONNRESET ? r : monitor_gone(err);
                if (!is_notice(&ret->reply) && is_wanted(monitor))
                        return 0;
                if (str_equal(ret->reply.kind, "warning"))
                        log_warn("monitor: %s", ret->reply.message ?: "");
                answer_done(ret);
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

static int wait_answer(Monitor *monitor, Answer *ret, Error *err) {
        int r = monitor->watched ? wait_handed(monitor, ret, err) : wait_direct(monitor, ret, err);
        const char *message = ret->reply.message;

        if (r < 0)
                return r;
        if (!str_equal(ret->reply.kind, "error") && !str_equal(ret->reply.kind, "exec-error"))
                return 0;
        r = error_kind(err, (ErrorKind)ret->reply.error_kind, "%s", message ?: "unknown error");
        answer_done(ret);
        return r;
}

/* With the lock held, so that numbers are in the order of the requests. */
static int send_request(Monitor *monitor, const MonitorRequest *request, const int *fds,
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

static int ask_locked(Monitor *monitor, const MonitorRequest *request, const int *fds,
                      size_t fd_count, Answer *ret, Error *err) {
        int r;

        (void)pthread_mutex_lock(&monitor->lock);
        r = send_request(monitor, request, fds, fd_count, err);
        if (r >= 0)
                monitor->wanted = monitor->sent;
        (void)pthread_mutex_unlock(&monitor->lock);
        return r < 0 ? r : wait_answer(monitor, ret, err);
}

static void enter_call(Monitor *monitor) {
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->callers++;
        (void)pthread_mutex_unlock(&monitor->lock);
        (void)pthread_mutex_lock(&monitor->call);
}

static void leave_call(Monitor *monitor) {
        (void)pthread_mutex_unlock(&monitor->call);
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->callers--;
        (void)pthread_cond_broadcast(&monitor->changed);
        (void)pthread_mutex_unlock(&monitor->lock);
}

/* Sends a request and waits for its answer; an error answer is an error here. */
static int ask(Monitor *monitor, const MonitorRequest *request, const int *fds, size_t fd_count,
               Answer *ret, Error *err) {
        int r;

        *ret = (Answer){ .fd = -1 };
        enter_call(monitor);
        r = ask_locked(monitor, request, fds, fd_count, ret, err);
        leave_call(monitor);
        return r;
}

static int ask_plain(Monitor *monitor, const MonitorRequest *request, const int *fds,
                     size_t fd_count, Error *err) {
        Answer answer;
        int r = ask(monitor, request, fds, fd_count, &answer, err);

        if (r == 0)
                answer_done(&answer);
        return r;
}

/* ---- the calls ---- */

int monitor_spawn(Loop *loop, const MonitorSpawn *spawn, MonitorNotice notice, void *data,
                  Monitor **ret, Error *err) {
        int fd = -1, r = monitor_spawn_process(loop, spawn, &fd, err);

        if (r < 0)
                return r;
        *ret = monitor_new(loop, fd, notice, data);
        (*ret)->sent = (*ret)->wanted = 1; /* "start", which "created" answers */
        return 0;
}

static void set_over(Monitor *monitor) {
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->over = true;
        (void)pthread_mutex_unlock(&monitor->lock);
}

static int take_state(Answer *answer, MonitorReply *ret, int *ret_pidfd, Error *err) {
        int r = 0;

        if (answer->fd < 0)
                r = error_kind(err, ERROR_INTERNAL, "the monitor's answer '%s' lacks a descriptor",
                               answer->reply.kind);
        else {
                *ret = answer->reply;
                answer->reply = (MonitorReply){};
                *ret_pidfd = TAKE_FD(answer->fd);
        }
        answer_done(answer);
        return r;
}

int monitor_created(Monitor *monitor, pid_t *ret_pid, int *ret_pidfd, Error *err) {
        Answer answer = { .fd = -1 };
        MonitorReply state = {};
        int r;

        enter_call(monitor);
        r = wait_answer(monitor, &answer, err);
        leave_call(monitor);
        if (r < 0) {
                set_over(monitor);
                return r;
        }
        r = take_state(&answer, &state, ret_pidfd, err);
        if (r == 0)
                *ret_pid = (pid_t)state.pid;
        json_done(&monitor_reply_table, &state);
        return r;
}

int monitor_go(Monitor *monitor, Error *err) {
        MonitorRequest request = { .kind = (char *)"go" };
        Answer answer = { .fd = -1 };
        int r;

        enter_call(monitor);
        r = ask_locked(monitor, &request, NULL, 0, &answer, err);
        if (r == 0)
                monitor->watched = true;
        leave_call(monitor);
        answer_done(&answer);
        if (r < 0)
                set_over(monitor);
        else
                loop_post(monitor->loop, watch, monitor);
        return r;
}

void monitor_cancel(Monitor *monitor) {
        MonitorRequest request = { .kind = (char *)"cancel" };
        Error err = {};

        /* Without an answer the monitor is gone, and the container with it or lost: nothing to add.
         */
        if (ask_plain(monitor, &request, NULL, 0, &err) < 0)
                log_debug("monitor: %s", err.message);
        set_over(monitor);
}

static int connect_socket(int run_fd, int *ret_fd, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return error_set(err, errno, "make a socket");
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", run_fd,
                       MONITOR_SOCKET);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                if (errno == ENOENT || errno == ECONNREFUSED)
                        return error_kind(err, ERROR_NOT_FOUND, "the container has no monitor");
                return error_set(err, errno, "connect to '%s'", MONITOR_SOCKET);
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int monitor_connect(Loop *loop, int run_fd, MonitorNotice notice, void *data, Monitor **ret,
                    MonitorReply *ret_state, int *ret_pidfd, Error *err) {
        MonitorRequest request = { .kind = (char *)"state" };
        Monitor *monitor;
        Answer answer;
        int fd = -1, r = connect_socket(run_fd, &fd, err);

        if (r < 0)
                return r;
        monitor = monitor_new(loop, fd, notice, data);
        r = ask(monitor, &request, NULL, 0, &answer, err);
        if (r == 0)
                r = take_state(&answer, ret_state, ret_pidfd, err);
        if (r < 0) {
                monitor_free(monitor);
                return r;
        }
        monitor->watched = true;
        loop_post(loop, watch, monitor);
        *ret = monitor;
        return 0;
}

/* For requests that have no answer. */
static void tell_of_exec(Monitor *monitor, const char *kind, const char *exec_id) {
        MonitorRequest request = { .kind = (char *)kind, .exec = (char *)exec_id };
        Error err = {};

        if (message_send(monitor->fd, &monitor_request_table, &request, NULL, 0, &err) < 0)
                log_debug("monitor: %s", err.message);
}

void monitor_exec_seen(Monitor *monitor, const char *exec_id) {
        tell_of_exec(monitor, "exec-seen", exec_id);
}

void monitor_exec_kill(Monitor *monitor, const char *exec_id) {
        tell_of_exec(monitor, "exec-kill", exec_id);
}

int monitor_attach(Monitor *monitor, int client_fd, const MonitorRequest *request, Error *err) {
        MonitorRequest attach = *request;

        attach.kind = (char *)"attach";
        return ask_plain(monitor, &attach, &client_fd, 1, err);
}

/* An exec's request with its descriptors, of which the second is ours to close. */
typedef struct ExecCall {
        MonitorRequest request;
        json_object *document;
        int fds[2];
        size_t fd_count;
        int seccomp_fd;
} ExecCall;

static void exec_call_done(ExecCall *call) {
        json_putp(&call->document);
        close_fd(&call->seccomp_fd);
}

static int exec_call(const MonitorExecution *execution, ExecCall *ret, Error *err) {
        MonitorRequest *request = &ret->request;

        *request = *execution->request;
        request->exec = (char *)execution->id;
        request->process = ret->document = json_write(&oci_process_table, execution->process);
        request->has_client = execution->client_fd >= 0;
        request->has_seccomp = execution->seccomp != NULL;
        if (request->has_client)
                ret->fds[ret->fd_count++] = execution->client_fd;
        if (request->has_seccomp) {
                int r = memfd_with("seccomp", execution->seccomp, execution->seccomp_length,
                                   &ret->seccomp_fd, err);

                if (r < 0)
                        return r;
                ret->fds[ret->fd_count++] = ret->seccomp_fd;
        }
        return 0;
}

int monitor_exec(Monitor *monitor, const MonitorExecution *execution, pid_t *ret_pid, Error *err) {
        _cleanup_(exec_call_done) ExecCall call = { .seccomp_fd = -1 };
        Answer answer;
        int r = exec_call(execution, &call, err);

        call.request.kind = (char *)"exec";
        if (r == 0)
                r = ask(monitor, &call.request, call.fds, call.fd_count, &answer, err);
        if (r < 0)
                return r;
        if (ret_pid)
                *ret_pid = (pid_t)answer.reply.pid;
        answer_done(&answer);
        return 0;
}

int monitor_probe(Monitor *monitor, const MonitorExecution *execution, Error *err) {
        _cleanup_(exec_call_done) ExecCall call = { .seccomp_fd = -1 };
        int r = exec_call(execution, &call, err);

        if (r < 0)
                return r;
        call.request.kind = (char *)"exec";
        call.request.probe = true;
        (void)pthread_mutex_lock(&monitor->lock);
        r = send_request(monitor, &call.request, call.fds, call.fd_count, err);
        if (r >= 0) {
                Probe *probe = NEW(Probe);

                probe->number = monitor->sent;
                probe->exec = str_copy(execution->id);
                probe->next = monitor->probes;
                monitor->probes = probe;
        }
        (void)pthread_mutex_unlock(&monitor->lock);
        return r;
}

int monitor_resize(Monitor *monitor, const char *exec_id, int width, int height, Error *err) {
        MonitorRequest request = {
                .kind = (char *)"resize", .exec = (char *)exec_id, .width = width, .height = height
        };

        return ask_plain(monitor, &request, NULL, 0, err);
}

int monitor_signal(Monitor *monitor, const char *exec_id, int signal, Error *err) {
        MonitorRequest request = { .kind = (char *)"signal",
                                   .exec = (char *)exec_id,
                                   .signal = signal };

        return ask_plain(monitor, &request, NULL, 0, err);
}

int exit_record_read(int state_fd, ExitRecord *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        ExitRecord record = {};
        size_t length;
        int r = file_read_at(state_fd, MONITOR_EXIT_FILE, EXIT_RECORD_MAX, &text, &length, err);

        if (r == 0)
                r = json_parse(&exit_record_table, text, length, &record, err);
        if (r < 0) {
                json_done(&exit_record_table, &record);
                return r;
        }
        *ret = record;
        return 0;
}

char *monitor_early(const void *data, size_t length) {
        return length > 0 ? base64_encode(data, length) : NULL;
}

int monitor_detach_keys_check(const char *keys, Error *err) {
        DetachKeys parsed;

        return detach_keys_parse(keys, &parsed, err);
}
