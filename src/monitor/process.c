/* process.c: the container's own process and its execs, from their making to the end of their last
 * client. container.c makes the container; streams.c moves the bytes. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "monitor/detach.h"
#include "monitor/supervisor.h"
#include "os/pidfd.h"

/* How long a process that has ended waits for daemons to see it, and for whoever still has its
 * outputs open. */
#define TOLD_MAX (2 * NSEC_PER_SEC)
/* How long a client may take for what it has not read when the process ends. */
#define CLIENT_MAX (600 * NSEC_PER_SEC)
/* The largest program that the kernel takes is 4096 instructions of 8 bytes; libseccomp's are
 * below.
 */
#define SECCOMP_MAX (1 << 20)

static void on_settle(void *data) {
        Supervisor *supervisor = data;

        supervisor->settling = false;
        processes_settle(supervisor);
}

/* Called from within the streams, which processes_settle may free: so later. */
static void on_change(void *data) {
        Process *process = data;
        Supervisor *supervisor = process->supervisor;

        supervisor->busy = true;
        if (process->phase < PROCESS_TOLD || supervisor->settling)
                return;
        supervisor->settling = true;
        loop_post(supervisor->loop, on_settle, supervisor);
}

static void on_detach(void *data) {
        Process *process = data;
        MonitorReply reply = { .kind = (char *)"detached", .exec = process->exec };

        connections_notice(process->supervisor, &reply, false);
}

static void on_warning(void *data, const Error *err) {
        Process *process = data;

        connections_warn(process->supervisor, err);
}

Process *process_new(Supervisor *supervisor, const char *exec) {
        Process *process = NEW(Process);

        process->supervisor = supervisor;
        process->exec = str_copy(exec);
        process->pidfd = -1;
        streams_init(&process->streams, supervisor->loop);
        process->streams.on_change = on_change;
        process->streams.on_detach = on_detach;
        process->streams.on_warning = on_warning;
        process->streams.data = process;
        return process;
}

static Process *process_free(Process *process) {
        if (!process)
                return NULL;
        loop_remove(process->timer);
        streams_done(&process->streams);
        close_fd(&process->pidfd);
        free(process->exec);
        free(process->note);
        free(process);
        return NULL;
}
DEFINE_CLEANUP(Process *, process_free)

void processes_free(Supervisor *supervisor) {
        supervisor->init = process_free(supervisor->init);
        while (supervisor->execs) {
                Process *process = supervisor->execs;

                supervisor->execs = process->next;
                process_free(process);
        }
}

Process *process_find(Supervisor *supervisor, const char *exec, Error *err) {
        Process *process = exec ? supervisor->execs : supervisor->init;

        while (exec && process && !str_equal(process->exec, exec))
                process = process->next;
        if (process && process->phase < PROCESS_REAPED)
                return process;
        if (exec)
                (void)error_kind(err, process ? ERROR_CONFLICT : ERROR_NOT_FOUND,
                                 process ? "exec %s has ended" : "no such exec instance: %s", exec);
        else
                (void)error_kind(err, ERROR_CONFLICT, "container %s is not running",
                                 supervisor->id);
        return NULL;
}

int seccomp_read(int fd, int64_t flags, SeccompProgram *ret, Error *err) {
        char *filter;
        size_t length;
        int r = memfd_read(fd, SECCOMP_MAX, &filter, &length, err);

        if (r < 0)
                return error_prefix(err, "seccomp program");
        *ret = (SeccompProgram){ .filter = filter, .length = length, .flags = (unsigned)flags };
        return 0;
}

void seccomp_done(SeccompProgram *program) {
        free(program->filter);
}

/* ---- exec ---- */

static int check_exec(Supervisor *supervisor, Exchange *exchange, Error *err) {
        const MonitorRequest *request = &exchange->request;
        DetachKeys keys;

        if (!supervisor->started || !process_find(supervisor, NULL, err))
                return error_kind(err, ERROR_CONFLICT, "container %s is not running",
                                  supervisor->id);
        if (str_empty(request->exec) || !request->process)
                return error_kind(err, ERROR_INVALID, "exec needs an id and a process");
        for (const Process *process = supervisor->execs; process; process = process->next)
                if (str_equal(process->exec, request->exec))
                        return error_kind(err, ERROR_CONFLICT, "exec %s runs already",
                                          request->exec);
        if (exchange->fd_count != (size_t)request->has_client + request->has_seccomp)
                return error_kind(err, ERROR_INVALID, "exec came with %zu descriptors",
                                  exchange->fd_count);
        return detach_keys_parse(request->detach_keys, &keys, err);
}

/* A terminal begins with the size that the client asked for. */
static void size_console(OciProcess *process, const MonitorRequest *request) {
        if (!process->terminal || request->width <= 0 || request->height <= 0)
                return;
        if (!process->console_size)
                process->console_size = NEW(OciBox);
        *process->console_size = (OciBox){ .height = request->height, .width = request->width };
}

static int spawn_exec(Process *process, const OciProcess *document, const Exchange *exchange,
                      Error *err) {
        Supervisor *supervisor = process->supervisor;
        const MonitorRequest *request = &exchange->request;
        bool client = request->has_client;
        StreamsWants wants = { .terminal = document->terminal,
                               .stdin_ = client && request->want_stdin,
                               .stdout_ = client && request->want_stdout,
                               .stderr_ = client && request->want_stderr,
                               .owner = supervisor->root_uid,
                               .group = supervisor->root_gid };
        _cleanup_(seccomp_done) SeccompProgram seccomp = {};
        StreamsChild child;
        ProcessIo io;
        int r;

        if (request->has_seccomp) {
                r = seccomp_read(exchange->fds[client], request->seccomp_flags, &seccomp, err);
                if (r < 0)
                        return r;
        }
        r = streams_open(&process->streams, wants, &io, &child, err);
        if (r < 0)
                return r;
        r = supervisor->runtime->exec(supervisor, document, request->has_seccomp ? &seccomp : NULL,
                                      &io, &process->pid, &process->pidfd, err);
        streams_child_done(&child);
        return r;
}

/* The client comes last: until then the socket is the daemon's to say on it why there is no
 * process. */
static int connect_exec(Process *process, const Exchange *exchange, Error *err) {
        int r;

        process->streams.stdin_once = true;
        r = streams_prepare(&process->streams, err);
        if (r == 0 && exchange->request.has_client)
                r = streams_attach(&process->streams, exchange->fds[0], &exchange->request, err);
        if (r < 0)
                (void)pidfd_signal(process->pidfd, SIGKILL, NULL);
        else
                streams_run(&process->streams);
        return r;
}

int supervisor_exec(Supervisor *supervisor, Exchange *exchange, Error *err) {
        _cleanup_(process_freep) Process *process = NULL;
        OciProcess document = {};
        int r = check_exec(supervisor, exchange, err);

        if (r < 0)
                return r;
        r = failpoint("monitor.exec", err);
        if (r < 0)
                return r;
        r = json_read(&oci_process_table, exchange->request.process, &document, err);
        size_console(&document, &exchange->request);
        process = process_new(supervisor, exchange->request.exec);
        process->note = str_copy(exchange->request.note);
        process->probe = exchange->request.probe;
        if (r == 0)
                r = spawn_exec(process, &document, exchange, err);
        json_done(&oci_process_table, &document);
        if (r == 0)
                r = connect_exec(process, exchange, err);
        if (r == 0)
                r = failpoint("monitor.exec-started", err);
        if (r < 0)
                return r;
        process->phase = PROCESS_RUNNING;
        process->started_at = clock_now();
        exchange->reply.kind = str_copy("exec-started");
        exchange->reply.pid = process->pid;
        process->next = supervisor->execs;
        supervisor->execs = TAKE_PTR(process);
        return 0;
}

/* As an exec begins a session, its group is its own, and the number is not given out again before
 * it is reaped here; after that it may be anybody's. What is stuck in the kernel ends when it
 * leaves it. */
int process_signal_group(const Process *process, int signal, Error *err) {
        if (process->exec && process->phase == PROCESS_RUNNING && kill(-process->pid, signal) == 0)
                return 0;
        return pidfd_signal(process->pidfd, signal, err);
}

int supervisor_exec_kill(Supervisor *supervisor, Exchange *exchange, Error *err) {
        const Process *process = exchange->request.exec
                                         ? process_find(supervisor, exchange->request.exec, err)
                                         : NULL;

        exchange->silent = true;
        if (process)
                (void)process_signal_group(process, SIGKILL, NULL);
        return 0;
}

/* ---- ends ---- */

static void on_overdue(void *data) {
        Process *process = data;

        process->timer = NULL;
        process->overdue = true;
        processes_settle(process->supervisor);
}

static void enter(Process *process, ProcessPhase phase, int64_t bound) {
        process->phase = phase;
        process->overdue = false;
        loop_remove(process->timer);
        process->timer = loop_add_timer(process->supervisor->loop, clock_monotonic() + bound,
                                        on_overdue, process);
}

void process_tell(Process *process, bool oom_killed) {
        MonitorReply reply = {
                .kind = (char *)(process->exec ? "exec-exited" : "exited"),
                .exec = process->exec,
                .pid = process->pid,
                .exit_code = process->exit_code,
                .oom_killed = oom_killed,
                .at = process->exited_at,
        };

        connections_notice(process->supervisor, &reply, true);
        enter(process, PROCESS_TOLD, TOLD_MAX);
}

static void note_end(Supervisor *supervisor, const siginfo_t *info) {
        Process *process = supervisor->init;

        if (!process || process->pid != info->si_pid)
                for (process = supervisor->execs; process && process->pid != info->si_pid;)
                        process = process->next;
        /* Else an orphan that the kernel gave to this subreaper, or a process told already whose
         * number the kernel has given out again. */
        if (!process || process->phase > PROCESS_RUNNING)
                return;
        process->exit_code = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
        process->exited_at = clock_now();
        process->phase = PROCESS_REAPED;
        streams_process_ended(&process->streams);
        if (process->exec) {
                Error err = {};

                if (failpoint("monitor.exec-end", &err) < 0)
                        connections_warn(supervisor, &err);
                exec_remember(process);
                process_tell(process, false);
        }
}

void processes_reap(Supervisor *supervisor) {
        for (;;) {
                siginfo_t info = {};
                int r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0 || info.si_pid == 0)
                        return;
                note_end(supervisor, &info);
        }
}

static void settle(Process *process) {
        Streams *streams = &process->streams;

        if (process->phase == PROCESS_TOLD &&
            (process->overdue ||
             (streams_outputs_ended(streams) && connections_seen(process->supervisor)))) {
                streams_drain(streams, 0);
                enter(process, PROCESS_ENDED, CLIENT_MAX);
                streams_end(streams);
        }
        if (process->phase == PROCESS_ENDED && process->overdue)
                streams_drop_clients(streams);
}

static bool is_over(const Process *process) {
        return process->phase == PROCESS_ENDED && !process->streams.attachments;
}

void processes_settle(Supervisor *supervisor) {
        Process *init = supervisor->init;

        if (init)
                settle(init);
        for (Process **at = &supervisor->execs; *at;) {
                Process *process = *at;

                settle(process);
                if (!is_over(process)) {
                        at = &process->next;
                        continue;
                }
                *at = process->next;
                process_free(process);
        }
        if (!supervisor->ended || (init && init->phase != PROCESS_ENDED))
                return;
        if (!supervisor->execs && (!init || is_over(init)))
                loop_stop(supervisor->loop);
        else /* clients may stay for long, and the next run waits for its layer */
                supervisor_drop_root(supervisor);
}
