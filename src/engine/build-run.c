/* build-run.c: RUN: the step as a container that no list shows. It has a monitor as others, which
 * is bound to this daemon: a build that nobody follows any more ends. Its mounts are
 * build-run-mounts.c's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/build-run.h"
#include "engine/cgroup.h"
#include "engine/create-parts.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/lifecycle.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/seccomp-cache.h"
#include "engine/steps.h"
#include "runtime/seccomp.h"

#define HOSTNAME                                                                                   \
        "buildkitsandbox" /* BuildKit's: what a step writes down of it shall not differ            \
                           */
#define OUTPUT_MAX ((size_t)64 * 1024)
#define FRAME 8
#define EXIT_TIMEOUT_MS 30000

/* The end of the step's process, as the monitor tells it on the loop's thread. */
typedef struct End {
        atomic_int references;
        int event_fd;
        atomic_bool lost;
        atomic_int exit_code;
} End;

typedef struct RunJob {
        Build *build;
        const SolveJob *job;
        Container *container;
        OciConfig config;
        SeccompProgram seccomp;
        RunMounts mounts;
        int state_fd, run_fd, netns_fd, userns_fd, pidfd;
        int ours, theirs;        /* of the output */
        MonitorProcess *process; /* until it has its container */
        Monitor *monitor;
        End *end;
        enum { MONITOR_BUSY, MONITOR_WAITS, MONITOR_RUNS, MONITOR_OVER } phase;
        bool lowers_held;
} RunJob;

static void end_unref(void *data) {
        End *end = data;

        if (atomic_fetch_sub(&end->references, 1) != 1)
                return;
        close_fd(&end->event_fd);
        free(end);
}

static void on_notice(void *data, const MonitorReply *reply) {
        End *end = data;
        uint64_t one = 1;

        if (str_equal(reply->kind, "lost"))
                atomic_store(&end->lost, true);
        else if (str_equal(reply->kind, "exited"))
                atomic_store(&end->exit_code, (int)reply->exit_code);
        else
                return;
        if (write(end->event_fd, &one, sizeof(one)) < 0)
                log_error("tell the end of a build's step: %s", strerror(errno));
}

/* ---- steps ---- */

static void take_limits(const BuildRequest *request, HostConfig *host) {
        const Ulimit *ulimits = request->ulimits.items;

        host->shm_size = request->shm_size;
        host->memory = request->memory;
        host->memory_swap = request->memory_swap;
        host->cpu_shares = request->cpu_shares;
        host->cpu_period = request->cpu_period;
        host->cpu_quota = request->cpu_quota;
        host->cpuset_cpus = str_copy(request->cpuset_cpus);
        host->cpuset_mems = str_copy(request->cpuset_mems);
        host->cgroup_parent = str_copy(request->cgroup_parent);
        host->extra_hosts = strv_copy(request->extra_hosts);
        for (size_t i = 0; i < request->ulimits.count; i++)
                json_copy(&ulimit_table, &ulimits[i], json_append(&host->ulimits, &ulimit_table));
}

static int run_describe(void *data, Error *err) {
        RunJob *job = data;
        Container *container = job->container;
        const Step *step = job->job->step;
        ContainerConfig *config = &container->spec.config;
        HostConfig *host = &container->spec.host;

        container->name = str_copy(container->id);
        config->hostname = str_copy(HOSTNAME);
        config->user = str_copy(step->user);
        config->working_dir = str_copy(step->cwd);
        /* Every container's but a step's, as BuildKit has it: a name alone takes it away. */
        strv_add(&config->env, "HOSTNAME");
        for (char *const *item = BUG("build-environment") ? environ : NULL; item && *item; item++)
                strv_add(&config->env, *item);
        for (char *const *item = step->run.env; item && *item; item++)
                strv_add(&config->env, *item);
        container->path = str_copy(step->run.argv[0]);
        container->args = strv_copy(step->run.argv + 1);
        host->network_mode = str_copy(step->run.network);
        if (step->run.insecure) {
                host->privileged = true;
                /* What the client was allowed is every privilege of the host's. */
                host->userns_mode = str_copy("host");
                /* The groups that it makes are below its own, and go with that, whatever it mounts.
                 */
                host->cgroupns_mode = str_copy("private");
        }
        host->log_config.type = str_copy("none");
        take_limits(job->build->request, host);
        return container_spec_check(job->build->engine, &container->spec, NULL, err);
}

static void run_directories_undo(void *data) {
        RunJob *job = data;
        Engine *engine = job->build->engine;
        Error error = {};

        close_fd(&job->state_fd);
        close_fd(&job->run_fd);
        if (dir_remove_at(engine->containers_fd, job->container->id, &error) < 0 ||
            dir_remove_at(engine->run_fd, job->container->id, &error) < 0)
                log_warn("remove what a build's step left: %s", error.message);
}

static int run_directories(void *data, Error *err) {
        RunJob *job = data;
        Engine *engine = job->build->engine;
        const char *id = job->container->id;

        int r = dir_open_at(engine->containers_fd, id, 0710, &job->state_fd, err);
        if (r == 0)
                r = dir_open_at(engine->run_fd, id, 0700, &job->run_fd, err);
        if (r == 0) /* where its user is looked for first */
                r = dir_make_at(job->state_fd, "upper", 0755, err);
        if (r < 0)
                run_directories_undo(job);
        return r;
}

/* Before the layers: what it waits for, a cache mount that another has, may take as long as a step.
 */
static int run_mount(void *data, Error *err) {
        RunJob *job = data;

        return run_mounts_make(&job->mounts, job->build, job->job, job->container, err);
}

static void run_mount_undo(void *data) {
        run_mounts_drop(&((RunJob *)data)->mounts);
}

static void run_layers_undo(void *data) {
        RunJob *job = data;

        if (job->lowers_held)
                (void)pthread_rwlock_unlock(&job->build->builder->moving);
        job->lowers_held = false;
}

/* Paths of layers must not change until the monitor has them open. */
static int run_layers(void *data, Error *err) {
        RunJob *job = data;
        Builder *builder = job->build->builder;

        (void)pthread_rwlock_rdlock(&builder->moving);
        job->lowers_held = true;
        int r = builder_layer_prepare(builder, job->job->layers, job->job->layer_fd, err);
        if (r == 0)
                r = run_lowers(job->build, job->job, &job->container->lowers, err);
        if (r == 0)
                r = run_mounts_stubs(&job->mounts, job->container, err);
        if (r < 0)
                run_layers_undo(job);
        return r;
}

static int run_reserve(void *data, Error *err) {
        RunJob *job = data;

        job->process = container_begin_monitor(job->container); /* ready when it is told */
        int r = endpoints_plan(job->container, err);
        return r < 0 ? r : endpoints_reserve(job->container, err);
}

static void run_reserve_undo(void *data) {
        endpoints_leave(((RunJob *)data)->container);
}

static int run_document(void *data, Error *err) {
        RunJob *job = data;
        Engine *engine = job->build->engine;
        _cleanup_free_ char *cgroup = container_cgroups_path(job->container);
        bool own = !str_equal(job->job->step->run.network, "host");
        const OcispecContext context = { .cgroup = cgroup,
                                         .netfiles_id = job->container->id,
                                         .own_netns = own };

        int r = container_plan_cgroup(job->container, err);
        if (r == 0)
                r = netfiles_write(job->container, err);
        if (r == 0 && own)
                r = userns_make(job->container, &job->userns_fd, &job->netns_fd, err);
        if (r == 0)
                r = ocispec_build(job->container, &context, &job->config, err);
        return r < 0 ? r : seccomp_program(engine, job->container, false, &job->seccomp, err);
}

static int run_spawn(void *data, Error *err) {
        RunJob *job = data;
        Engine *engine = job->build->engine;
        _cleanup_free_ char *upper = str_format("build/layers/%s/fs", job->job->layer);
        _cleanup_free_ char *work = str_format("build/layers/%s/work", job->job->layer);
        _cleanup_free_ char *cgroup = container_cgroup(job->container);
        MonitorStart start = { .id = job->container->id,
                               .lowers = job->container->lowers,
                               .upper = upper,
                               .work = work,
                               .volatile_root = true,
                               .bound = true,
                               .log = { .driver = (char *)"none" },
                               .cgroup = cgroup,
                               .systemd_cgroup = engine->options.systemd_cgroup };
        const MonitorSpawn spawn = { .start = &start,
                                     .config = &job->config,
                                     .data_root_fd = engine->data_root_fd,
                                     .state_fd = job->state_fd,
                                     .run_fd = job->run_fd,
                                     .netns_fd = job->netns_fd,
                                     .pidns_fd = -1,
                                     .ipcns_fd = -1,
                                     .userns_fd = job->userns_fd,
                                     .seccomp = job->seccomp.length ? &job->seccomp : NULL,
                                     .images_fd = -1 };

        int r = monitor_spawn(job->process, &spawn, on_notice, job->end, &job->monitor, err);
        if (r == 0)
                (void)atomic_fetch_add(&job->end->references, 1); /* the notices' */
        return r;
}

static void run_spawn_undo(void *data) {
        RunJob *job = data;
        pid_t pid;

        if (job->phase == MONITOR_BUSY &&
            monitor_created(job->monitor, &pid, &job->pidfd, NULL) == 0)
                job->phase = MONITOR_WAITS;
        if (job->phase == MONITOR_WAITS)
                monitor_cancel(job->monitor);
        job->monitor = monitor_free(job->monitor);
        /* A notice may be running on the loop's thread: what is posted now runs after it. */
        loop_post(job->build->engine->loop, end_unref, job->end);
        /* A monitor that was killed could not take its container with it. */
        if (job->phase != MONITOR_OVER)
                container_kill_orphan(job->container);
}

static int run_network(void *data, Error *err) {
        RunJob *job = data;

        return endpoints_join(job->container, job->netns_fd, err);
}

static int run_created(void *data, Error *err) {
        RunJob *job = data;
        pid_t pid;

        int r = monitor_created(job->monitor, &pid, &job->pidfd, err);
        job->phase = r < 0 ? MONITOR_OVER : MONITOR_WAITS;
        run_layers_undo(job);
        return r;
}

static int run_go(void *data, Error *err) {
        static const MonitorRequest request = { .want_stdout = true,
                                                .want_stderr = true,
                                                .multiplex = true };
        RunJob *job = data;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket for the step's output");
        job->ours = pair[0];
        job->theirs = pair[1];
        int r = monitor_attach(job->monitor, job->theirs, &request, err);
        close_fd(&job->theirs);
        if (r == 0)
                r = monitor_go(job->monitor, err);
        if (r < 0)
                job->phase = MONITOR_OVER;
        return r;
}

/* ---- output and end ---- */

/* Complete frames at the front of held. */
static void pass_frames(const SolveJob *job, Buf *held) {
        while (held->length >= FRAME) {
                const unsigned char *head = (const unsigned char *)held->data;
                size_t length = (size_t)head[4] << 24 | (size_t)head[5] << 16 |
                                (size_t)head[6] << 8 | head[7];

                if (held->length - FRAME < length)
                        return;
                job->output(job->data, head[0], held->data + FRAME, length);
                buf_drop_front(held, FRAME + length);
        }
}

/* 1: there is more to come, 0: the end. */
static int read_output(RunJob *job, Buf *held) {
        buf_reserve(held, OUTPUT_MAX);
        ssize_t n = recv(job->ours, held->data + held->length, OUTPUT_MAX, MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return 0;
        held->length += (size_t)n;
        pass_frames(job->job, held);
        return 1;
}

static int kill_step(RunJob *job, Error *err) {
        Error error = {};

        if (monitor_signal(job->monitor, NULL, SIGKILL, &error) < 0)
                log_debug("end a build's step: %s", error.message);
        return error_set(err, ECANCELED, "the build was cancelled");
}

static int follow(RunJob *job, Error *err) {
        _cleanup_buf_ Buf held = {};
        struct pollfd fds[] = { { .fd = job->ours, .events = POLLIN },
                                { .fd = job->end->event_fd, .events = POLLIN } };
        int r = 0;

        while (fds[0].fd >= 0 || !fds[1].revents) {
                if (poll(fds, ELEMENTS(fds), 100) < 0 && errno != EINTR)
                        return error_set(err, errno, "wait for a build's step");
                if (fds[0].fd >= 0 && fds[0].revents && !read_output(job, &held))
                        fds[0].fd = -1;
                if (r == 0 && job->job->cancelled(job->job->data))
                        r = kill_step(job, err);
        }
        return r;
}

static int run_follow(void *data, Error *err) {
        RunJob *job = data;
        _cleanup_free_ char *words = strv_join(job->job->step->run.argv, " ");
        int code;

        job->phase = MONITOR_RUNS;
        int r = follow(job, err);
        if (atomic_load(&job->end->lost))
                return error_kind(err, ERROR_UNAVAILABLE, "the step's monitor was killed");
        job->phase = MONITOR_OVER;
        if (r < 0)
                return r;
        code = atomic_load(&job->end->exit_code);
        if (code == 0)
                return 0;
        error_kind(err, ERROR_INVALID,
                   "process \"%.800s\" did not complete successfully: exit code: %d", words, code);
        *job->job->ret_exit_code = code;
        return -EINVAL;
}

static const JobStep run_steps[] = {
        { "run.describe", run_describe, NULL },
        { "run.directories", run_directories, run_directories_undo },
        { "run.mounts", run_mount, run_mount_undo },
        { "run.layers", run_layers, run_layers_undo },
        { "run.reserve", run_reserve, run_reserve_undo },
        { "run.document", run_document, NULL },
        { "run.spawn", run_spawn, run_spawn_undo },
        { "run.network", run_network, NULL },
        { "run.created", run_created, NULL },
        { "run.go", run_go, NULL },
        { "run.follow", run_follow, NULL },
};

static void run_job_done(RunJob *job) {
        json_done(&oci_config_table, &job->config);
        seccomp_program_done(&job->seccomp);
        close_fd(&job->netns_fd);
        close_fd(&job->userns_fd);
        close_fd(&job->pidfd);
        monitor_process_free(job->process);
        close_fd(&job->ours);
        close_fd(&job->theirs);
        end_unref(job->end);
        container_unref(job->container);
}

int build_run(Build *build, const SolveJob *step, Error *err) {
        _cleanup_(run_job_done) RunJob job = { .build = build,
                                               .job = step,
                                               .state_fd = -1,
                                               .run_fd = -1,
                                               .netns_fd = -1,
                                               .userns_fd = -1,
                                               .pidfd = -1,
                                               .ours = -1,
                                               .theirs = -1,
                                               .end = NEW(End) };

        job.container = container_new(build->engine, step->layer);
        atomic_init(&job.end->references, 1);
        job.end->event_fd = eventfd(0, EFD_CLOEXEC);
        if (job.end->event_fd < 0)
                return error_set(err, errno, "make an event descriptor");
        int r = steps_run(run_steps, ELEMENTS(run_steps), &job, err);
        if (r == 0)
                steps_undo(run_steps, ELEMENTS(run_steps), &job);
        return r;
}
