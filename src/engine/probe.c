/* probe.c: one health check: an exec of the daemon's own. A worker reads who it runs as; all else
 * happens on the loop's thread, where nothing waits for a monitor: the request is sent, and notices
 * tell what becomes of it. When checks are due is prober.c's. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "engine/engine-private.h"
#include "engine/exec-private.h"
#include "engine/execs.h"
#include "engine/ocispec.h"
#include "engine/prober.h"
#include "engine/registry.h"
#include "engine/seccomp-cache.h"
#include "runtime/seccomp.h"

/* How long a check may take to start (Docker's bound), and how long others wait for it to. */
#define START_MAX (30 * NSEC_PER_SEC)
#define START_PATIENCE NSEC_PER_SEC
/* The monitor closes the outputs of what has ended within two seconds. */
#define OUTPUT_MAX_WAIT (5 * NSEC_PER_SEC)

typedef enum ProbePhase {
        PROBE_PREPARED, /* on a worker */
        PROBE_SENT,     /* the monitor starts it */
        PROBE_SLOW,     /* the same, and it takes its time */
        PROBE_RUNNING,
        PROBE_EXITED, /* its output has not ended */
        PROBE_JUDGED, /* it was killed, or never started; its end has not come */
} ProbePhase;

struct Probe {
        Prober *prober;       /* NULL: abandoned on its worker */
        Container *container; /* a reference */
        char id[ID_LENGTH + 1];
        ProbePhase phase;
        int64_t start, age; /* ns since 1970; ns since the container's start */
        int64_t exit_code;

        ExecConfig config;
        OciProcess process;
        SeccompProgram seccomp;
        Error error; /* of its preparation, where it failed */
        bool failed;

        int fd; /* our end of its output, -1 */
        LoopSource *source, *timer;
        Buf output;
        bool truncated;
};

static void close_output(Probe *probe) {
        probe->source = loop_remove(probe->source);
        close_fd(&probe->fd);
}

static void probe_free(Probe *probe) {
        close_output(probe);
        loop_remove(probe->timer);
        json_done(&exec_config_table, &probe->config);
        json_done(&oci_process_table, &probe->process);
        seccomp_program_done(&probe->seccomp);
        buf_done(&probe->output);
        container_unref(probe->container);
        free(probe);
}

/* ---- results ---- */

/* output: taken. over: nothing of it is left. */
static void give(Probe *probe, int64_t exit_code, char *output, bool over) {
        Prober *prober = probe->prober;
        int64_t age = probe->age;
        HealthResult result = {
                .start = probe->start, .end = clock_now(), .exit_code = exit_code, .output = output
        };

        if (over) {
                prober->probe = NULL;
                probe_free(probe);
        } else {
                probe->phase = PROBE_JUDGED;
                close_output(probe);
        }
        prober_result(prober, &result, age);
        free(result.output);
}

/* The caller's. */
static char *output_of(const Probe *probe) {
        _cleanup_free_ char *text = utf8_clean(probe->output.data, probe->output.length);

        return str_format("%s%s", text, probe->truncated ? "..." : "");
}

static void complete(Probe *probe) {
        give(probe, probe->exit_code, output_of(probe), true);
}

/* ---- output ---- */

/* More than is kept is not read: the monitor drops what nobody takes, and the check goes on. */
static void on_output(void *data, int fd, uint32_t events) {
        Probe *probe = data;
        char chunk[HEALTH_OUTPUT_MAX];
        ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        size_t room = HEALTH_OUTPUT_MAX - probe->output.length;

        (void)events;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0) {
                buf_add(&probe->output, chunk, MIN((size_t)n, room));
                probe->truncated = (size_t)n > room;
                if (!probe->truncated)
                        return;
        }
        close_output(probe);
        if (probe->phase == PROBE_EXITED)
                complete(probe);
}

/* ---- time ---- */

static void on_overdue(void *data);

static void set_timer(Probe *probe, int64_t wait) {
        loop_remove(probe->timer);
        probe->timer = loop_add_timer(probe->container->engine->loop, clock_monotonic() + wait,
                                      on_overdue, probe);
}

static void time_out(Probe *probe) {
        _cleanup_free_ char *output = output_of(probe);

        monitor_exec_kill(probe->prober->monitor, probe->id);
        give(probe, -1, health_timeout_text(&probe->prober->policy, output), false);
}

static void on_overdue(void *data) {
        Probe *probe = data;

        probe->timer = NULL;
        switch (probe->phase) {
        case PROBE_SENT:
                probe->phase = PROBE_SLOW;
                set_timer(probe, START_MAX - START_PATIENCE);
                prober_started(probe->prober);
                break;
        case PROBE_SLOW:
                give(probe, -1,
                     str_format("timed out starting health check for container %s",
                                probe->container->id),
                     false);
                break;
        case PROBE_RUNNING:
                time_out(probe);
                break;
        case PROBE_EXITED:
                complete(probe);
                break;
        case PROBE_PREPARED:
        case PROBE_JUDGED:
                break;
        }
}

/* ---- the start ---- */

static void drop(Probe *probe) {
        Prober *prober = probe->prober;

        prober->probe = NULL;
        probe_free(probe);
        prober_result(prober, NULL, 0);
}

static int watch_output(Probe *probe, int *ret_theirs, Error *err) {
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket for a health check's output");
        probe->fd = pair[0];
        *ret_theirs = pair[1];
        r = loop_add_fd(probe->container->engine->loop, probe->fd, EPOLLIN, on_output, probe,
                        &probe->source, err);
        if (r < 0)
                close_fd(ret_theirs);
        return r;
}

static int send_request(Probe *probe, Error *err) {
        _cleanup_close_ int theirs = -1;
        _cleanup_free_ char *note = exec_note(&probe->config);
        const MonitorRequest request = { .want_stdout = true, .want_stderr = true, .note = note };

        int r = watch_output(probe, &theirs, err);
        if (r < 0)
                return r;
        const MonitorExecution execution = {
                .id = probe->id,
                .process = &probe->process,
                .request = &request,
                .client_fd = theirs,
                .seccomp = probe->seccomp.length ? &probe->seccomp : NULL,
        };
        exec_probe_begin(probe->container, probe->id, &probe->config);
        r = monitor_probe(probe->prober->monitor, &execution, err);
        if (r < 0)
                exec_probe_failed(probe->container->engine, probe->id);
        return r;
}

/* On the loop's thread again. */
static void on_prepared(void *data) {
        Probe *probe = data;
        Error error = { 0 };

        if (!probe->prober) {
                probe_free(probe);
                return;
        }
        if (probe->failed) {
                give(probe, -1, str_copy(probe->error.message), true);
                return;
        }
        if (send_request(probe, &error) == 0) {
                probe->phase = PROBE_SENT;
                set_timer(probe, START_PATIENCE);
                /* What has been sent is the monitor's. */
                json_done(&oci_process_table, &probe->process);
                seccomp_program_done(&probe->seccomp);
                return;
        }
        /* Without a monitor the container has ended, and its prober is about to be told. */
        if (error.kind == ERROR_UNAVAILABLE)
                drop(probe);
        else
                give(probe, -1, str_copy(error.message), true);
}

/* On a worker. */
static void prepare(void *data) {
        Probe *probe = data;
        Container *container = probe->container;

        int r = ocispec_exec_process(container, &probe->config, &probe->process, &probe->error);
        if (r == 0)
                r = seccomp_program(container->engine, container, false, &probe->seccomp,
                                    &probe->error);
        probe->failed = r < 0;
        loop_post(container->engine->loop, on_prepared, probe);
}

Probe *probe_begin(Prober *prober) {
        Probe *probe = NEW(Probe);
        const ContainerConfig *config = &prober->container->spec.config;

        probe->prober = prober;
        probe->container = container_ref(prober->container);
        id_new(probe->id);
        probe->start = clock_now();
        probe->age = clock_monotonic() - prober->started;
        probe->fd = -1;
        probe->config.cmd = health_command(config->health, config->shell);
        probe->config.attach_stdout = probe->config.attach_stderr = true;
        workers_post(prober->container->engine->workers, prepare, probe);
        return probe;
}

void probe_abandon(Probe *probe, bool kill) {
        if (probe->phase == PROBE_PREPARED) {
                probe->prober = NULL; /* it is freed when it comes back */
                return;
        }
        if (kill)
                monitor_exec_kill(probe->prober->monitor, probe->id);
        probe_free(probe);
}

/* ---- notices ---- */

static void on_started(Probe *probe, const MonitorReply *reply) {
        exec_probe_started(probe->container->engine, probe->id, reply->pid);
        if (probe->phase == PROBE_JUDGED) {
                monitor_exec_kill(probe->prober->monitor, probe->id);
                return;
        }
        probe->phase = PROBE_RUNNING;
        set_timer(probe, probe->prober->policy.timeout);
        prober_started(probe->prober);
}

static void on_failed(Probe *probe, const MonitorReply *reply) {
        Error error = { 0 };

        if (probe->phase == PROBE_JUDGED) {
                drop(probe);
                return;
        }
        (void)error_kind(&error, (ErrorKind)reply->error_kind, "%s", reply->message ?: "");
        (void)exec_wrap_error(&error);
        give(probe, -1, str_copy(error.message), true);
}

static void on_exited(Probe *probe, const MonitorReply *reply) {
        if (probe->phase == PROBE_JUDGED) {
                drop(probe);
                return;
        }
        probe->phase = PROBE_EXITED;
        probe->exit_code = reply->exit_code;
        if (probe->fd < 0)
                complete(probe);
        else
                set_timer(probe, OUTPUT_MAX_WAIT);
}

void probe_notice(Probe *probe, const MonitorReply *reply) {
        if (probe->phase == PROBE_PREPARED || !str_equal(reply->exec, probe->id))
                return;
        if (str_equal(reply->kind, "probe-started"))
                on_started(probe, reply);
        else if (str_equal(reply->kind, "probe-failed"))
                on_failed(probe, reply);
        else if (str_equal(reply->kind, "exec-exited"))
                on_exited(probe, reply);
}
