/* monitors.c: a container's connection to its monitor, and what the monitor tells. Notices come on
 * the loop's thread, which must not block: ends are handled on a worker. */
#include <limits.h>

#include "engine/attach.h"
#include "engine/container-health.h"
#include "engine/engine-private.h"
#include "engine/execs.h"
#include "engine/lifecycle.h"
#include "engine/registry.h"

char *engine_run_directory(const Engine *engine) {
        char link[32], path[PATH_MAX] = "";

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", engine->run_fd);
        (void)!readlink(link, path, sizeof(path) - 1);
        return str_copy(path);
}

MonitorProcess *container_begin_monitor(const Container *container) {
        const Engine *engine = container->engine;
        _cleanup_free_ char *run = engine_run_directory(engine),
                            *directory = str_format("%s/%s", run, container->id);

        return monitor_begin(engine->loop, engine->options.monitor_program, container->id,
                             directory);
}

typedef struct EndJob {
        Container *container; /* a reference */
        enum { ENDING, EXITED, LOST } what;
        ExitRecord record;
} EndJob;

static void end_run(void *data) {
        EndJob *job = data;

        if (job->what == ENDING)
                exit_begin(job->container);
        else if (job->what == LOST)
                exit_handle_lost(job->container);
        else
                exit_handle(job->container, &job->record);
        container_unref(job->container);
        free(job);
}

void monitor_notice(void *data, const MonitorReply *reply) {
        Container *container = data;
        bool lost = str_equal(reply->kind, "lost"), ending = str_equal(reply->kind, "ending");

        if (str_equal(reply->kind, "exec-exited")) {
                exec_notice(container, reply);
                prober_notice(container, reply);
        } else if (str_after(reply->kind, "probe-")) {
                if (str_equal(reply->kind, "probe-failed"))
                        exec_probe_failed(container->engine, reply->exec);
                prober_notice(container, reply);
        } else if (str_equal(reply->kind, "detached")) {
                attach_detached(container, reply);
        } else if (lost || ending || str_equal(reply->kind, "exited")) {
                EndJob *job = NEW(EndJob);
                job->container = container_ref(container);
                job->what = lost ? LOST : ending ? ENDING : EXITED;
                job->record.exit_code = reply->exit_code;
                job->record.oom_killed = reply->oom_killed;
                job->record.exited_at = reply->at;
                workers_post(container->engine->workers, end_run, job);
        }
}

static void unref_posted(void *data) {
        container_unref(data);
}

void container_drop_monitor(Container *container, bool watched) {
        if (!container->monitor)
                return;
        container->monitor = monitor_free(container->monitor);
        /* A notice may be running on the loop's thread: what is posted now runs after it. */
        if (watched)
                loop_post(container->engine->loop, unref_posted, container);
        else
                container_unref(container);
}
