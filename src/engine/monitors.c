/* monitors.c: a container's connection to its monitor, and what the monitor tells. Notices come on
 * the loop's thread, which must not block: ends are handled on a worker. */
#include "engine/internal.h"

typedef struct EndJob {
        Container *container; /* a reference */
        bool lost;
        ExitRecord record;
} EndJob;

static void end_run(void *data) {
        EndJob *job = data;

        if (job->lost)
                exit_handle_lost(job->container);
        else
                exit_handle(job->container, &job->record);
        container_unref(job->container);
        free(job);
}

void monitor_notice(void *data, const MonitorReply *reply) {
        Container *container = data;
        bool lost = str_equal(reply->kind, "lost");

        if (str_equal(reply->kind, "exec-exited")) {
                exec_notice(container, reply);
                prober_notice(container, reply);
        } else if (str_after(reply->kind, "probe-")) {
                if (str_equal(reply->kind, "probe-failed"))
                        exec_probe_failed(container->engine, reply->exec);
                prober_notice(container, reply);
        } else if (str_equal(reply->kind, "detached")) {
                attach_detached(container, reply);
        } else if (lost || str_equal(reply->kind, "exited")) {
                EndJob *job = NEW(EndJob);
                job->container = container_ref(container);
                job->lost = lost;
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
