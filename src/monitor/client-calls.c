/* client-calls.c: what a daemon asks of a monitor, or tells it; see client.h. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/client-private.h"
#include "monitor/detach.h"
#include "monitor/launch.h"
#include "monitor/message.h"

#define EXIT_RECORD_MAX (4 << 20)
#define EXEC_KINDS_SINCE 1 /* the version that knows exec-kill and exec-seen */
#define NETNS_LATER_SINCE 3

/* ---- a monitor's life ---- */

int monitor_spawn(MonitorProcess *process, const MonitorSpawn *spawn, MonitorNotice notice,
                  void *data, Monitor **ret, Error *err) {
        Loop *loop;
        int fd = -1, r = monitor_process_start(process, spawn, &loop, &fd, err);

        if (r < 0)
                return r;
        *ret = monitor_client_new(loop, fd, notice, data);
        (*ret)->sent = (*ret)->wanted = 1; /* "start", which "created" answers */
        (*ret)->netns_later = spawn->netns_later;
        return 0;
}

int monitor_give_netns(Monitor *monitor, int netns_fd, Error *err) {
        const MonitorRequest network = { .kind = (char *)"network" };
        int r = message_send(monitor->fd, &monitor_request_table, &network, &netns_fd,
                             netns_fd >= 0 ? 1 : 0, err);

        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static void set_over(Monitor *monitor) {
        (void)pthread_mutex_lock(&monitor->lock);
        monitor->over = true;
        (void)pthread_mutex_unlock(&monitor->lock);
}

/* One of before would have made a network namespace itself, into which nothing leads. */
static int check_netns_later(const Monitor *monitor, const MonitorReply *state, Error *err) {
        if (!monitor->netns_later || state->version >= NETNS_LATER_SINCE)
                return 0;
        return error_kind(err, ERROR_UNAVAILABLE,
                          "brig-monitor is of an earlier brig than the daemon: install both of one "
                          "version and start the container again");
}

static int take_state(Monitor *monitor, Answer *answer, MonitorReply *ret, int *ret_pidfd,
                      Error *err) {
        int r = 0;

        (void)pthread_mutex_lock(&monitor->lock);
        monitor->version = answer->reply.version;
        (void)pthread_mutex_unlock(&monitor->lock);

        if (answer->fd < 0)
                r = error_kind(err, ERROR_INTERNAL, "the monitor's answer '%s' lacks a descriptor",
                               answer->reply.kind);
        else {
                *ret = answer->reply;
                answer->reply = (MonitorReply){};
                *ret_pidfd = TAKE_FD(answer->fd);
        }
        monitor_client_answer_done(answer);
        return r;
}

int monitor_created(Monitor *monitor, pid_t *ret_pid, int *ret_pidfd, Error *err) {
        Answer answer = { .fd = -1 };
        MonitorReply state = {};
        int r;

        monitor_client_enter(monitor);
        r = monitor_client_wait_answer(monitor, &answer, err);
        monitor_client_leave(monitor);
        if (r < 0) {
                set_over(monitor);
                return r;
        }
        r = check_netns_later(monitor, &answer.reply, err);
        if (r < 0) {
                set_over(monitor);
                monitor_client_answer_done(&answer);
                return r;
        }
        r = take_state(monitor, &answer, &state, ret_pidfd, err);
        if (r == 0)
                *ret_pid = (pid_t)state.pid;
        json_done(&monitor_reply_table, &state);
        return r;
}

int monitor_go(Monitor *monitor, Error *err) {
        MonitorRequest request = { .kind = (char *)"go", .endings = true };
        Answer answer = { .fd = -1 };
        int r;

        monitor_client_enter(monitor);
        r = monitor_client_ask_locked(monitor, &request, NULL, 0, &answer, err);
        if (r == 0)
                monitor->watched = true;
        monitor_client_leave(monitor);
        monitor_client_answer_done(&answer);
        if (r < 0)
                set_over(monitor);
        else
                loop_post(monitor->loop, monitor_client_watch, monitor);
        return r;
}

void monitor_cancel(Monitor *monitor) {
        MonitorRequest request = { .kind = (char *)"cancel" };
        Error err = {};

        /* Without an answer the monitor is gone, and the container with it or lost: nothing to add.
         */
        if (monitor_client_ask_plain(monitor, &request, NULL, 0, &err) < 0)
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
        MonitorRequest request = { .kind = (char *)"state", .endings = true };
        Monitor *monitor;
        Answer answer;
        int fd = -1, r = connect_socket(run_fd, &fd, err);

        if (r < 0)
                return r;
        monitor = monitor_client_new(loop, fd, notice, data);
        r = monitor_client_ask(monitor, &request, NULL, 0, &answer, err);
        if (r == 0)
                r = take_state(monitor, &answer, ret_state, ret_pidfd, err);
        if (r < 0) {
                monitor_free(monitor);
                return r;
        }
        monitor->watched = true;
        loop_post(loop, monitor_client_watch, monitor);
        *ret = monitor;
        return 0;
}

/* ---- its processes ---- */

/* A request about an exec that nobody waits for. Of those that a monitor of before does not know
 * one is worth another that it does; its answer is counted, and dropped. */
static void tell_of_exec(Monitor *monitor, const MonitorRequest *request,
                         const MonitorRequest *earlier) {
        Error err = {};
        int r = 0;

        (void)pthread_mutex_lock(&monitor->lock);
        if (monitor->version >= EXEC_KINDS_SINCE)
                r = message_send(monitor->fd, &monitor_request_table, request, NULL, 0, &err);
        else if (earlier)
                r = monitor_client_send(monitor, earlier, NULL, 0, &err);
        (void)pthread_mutex_unlock(&monitor->lock);
        if (r < 0)
                log_debug("monitor: %s", err.message);
}

void monitor_exec_seen(Monitor *monitor, const char *exec_id) {
        const MonitorRequest seen = { .kind = (char *)"exec-seen", .exec = (char *)exec_id };

        tell_of_exec(monitor, &seen, NULL);
}

void monitor_exec_kill(Monitor *monitor, const char *exec_id) {
        const MonitorRequest kill = { .kind = (char *)"exec-kill", .exec = (char *)exec_id };
        const MonitorRequest signal = { .kind = (char *)"signal",
                                        .exec = (char *)exec_id,
                                        .signal = SIGKILL };

        tell_of_exec(monitor, &kill, &signal);
}

int monitor_attach(Monitor *monitor, int client_fd, const MonitorRequest *request, Error *err) {
        MonitorRequest attach = *request;

        attach.kind = (char *)"attach";
        return monitor_client_ask_plain(monitor, &attach, &client_fd, 1, err);
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
                int r = memfd_with("seccomp", execution->seccomp->filter,
                                   execution->seccomp->length, &ret->seccomp_fd, err);

                request->seccomp_flags = execution->seccomp->flags;

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
                r = monitor_client_ask(monitor, &call.request, call.fds, call.fd_count, &answer,
                                       err);
        if (r < 0)
                return r;
        if (ret_pid)
                *ret_pid = (pid_t)answer.reply.pid;
        monitor_client_answer_done(&answer);
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
        r = monitor_client_send(monitor, &call.request, call.fds, call.fd_count, err);
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

        return monitor_client_ask_plain(monitor, &request, NULL, 0, err);
}

int monitor_clear_log(Monitor *monitor, Error *err) {
        MonitorRequest request = { .kind = (char *)"clear-log" };

        return monitor_client_ask_plain(monitor, &request, NULL, 0, err);
}

int monitor_signal(Monitor *monitor, const char *exec_id, int signal, Error *err) {
        MonitorRequest request = { .kind = (char *)"signal",
                                   .exec = (char *)exec_id,
                                   .signal = signal };

        return monitor_client_ask_plain(monitor, &request, NULL, 0, err);
}

int monitor_exec_signal(Monitor *monitor, const char *exec_id, int signal, Error *err) {
        MonitorRequest request = {
                .kind = (char *)"signal", .exec = (char *)exec_id, .signal = signal, .group = true
        };

        return monitor_client_ask_plain(monitor, &request, NULL, 0, err);
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
