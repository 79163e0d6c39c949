/* exec-list.c: the execs that are known as a list, and signals to them. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "engine/documents.h"
#include "engine/exec-private.h"
#include "engine/registry.h"
#include "engine/stop.h"

/* ---- list ---- */

/* NULL: it is not to be shown. */
static json_object *list_row(Engine *engine, const Exec *exec, bool all) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(exec->container);
        _cleanup_free_ char *command = strv_join(exec->config.cmd, " ");
        json_object *row;

        execs_lock(engine);
        const bool running = exec->running, ended = exec->ended;
        const int64_t exit_code = exec->exit_code, pid = exec->pid, started = exec->started_at;
        execs_unlock(engine);
        if (!running && !all)
                return NULL;
        row = json_object_new_object();
        json_put_text(row, "ID", exec->id);
        json_put_text(row, "ContainerID", exec->container->id);
        json_put_text(row, "ContainerName", snapshot->name);
        json_put_text(row, "Command", command);
        json_put_text(row, "User", exec->config.user);
        json_put_bool(row, "Tty", exec->config.tty);
        json_put_bool(row, "Privileged", exec->config.privileged);
        json_put_bool(row, "Running", running);
        json_put(row, "ExitCode", ended ? json_object_new_int64(exit_code) : NULL);
        json_put_int(row, "Pid", pid);
        json_put_int(row, "Started", started / NSEC_PER_SEC);
        return row;
}

int engine_exec_list(Engine *engine, const char *ref, bool all, Buf *json, Error *err) {
        _cleanup_container_ Container *container = NULL;
        json_object *array;
        size_t count;
        Exec **execs;
        int r = ref ? container_lookup(engine, ref, &container, err) : 0;

        if (r < 0)
                return r;
        array = json_object_new_array();
        execs = execs_of(engine, container, &count);
        for (size_t i = 0; i < count; i++) {
                json_object *row = list_row(engine, execs[i], all);

                if (row)
                        (void)json_object_array_add(array, row);
                exec_unref(execs[i]);
        }
        free(execs);
        json_add_object(json, array);
        return 0;
}

/* ---- kill ---- */

/* 0: it runs; ENGINE_UNCHANGED: it has ended. */
static int running_check(Engine *engine, const Exec *exec, Error *err) {
        execs_lock(engine);
        const bool running = exec->running, ended = exec->ended;
        execs_unlock(engine);
        if (running)
                return 0;
        return ended ? ENGINE_UNCHANGED
                     : error_kind(err, ERROR_CONFLICT, "exec %s was not started", exec->id);
}

int engine_exec_kill(Engine *engine, const char *ref, const char *signal, Error *err) {
        _cleanup_exec_ Exec *exec = NULL;
        Error ours = { 0 };
        int number = SIGKILL, r;

        err = err ?: &ours;
        r = str_empty(signal) ? 0 : signal_parse(signal, &number, err);

        if (r == 0)
                r = exec_find(engine, ref, &exec, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(exec->container); /* one that is being started is started by then */
        r = running_check(engine, exec, err);
        if (r != 0)
                return r;
        if (!exec->container->monitor)
                return ENGINE_UNCHANGED; /* it ended with its container */
        r = monitor_exec_signal(exec->container->monitor, exec->id, number, err);
        /* Its end is on its way here. */
        if (r < 0 && (err->kind == ERROR_CONFLICT || err->kind == ERROR_NOT_FOUND))
                return ENGINE_UNCHANGED;
        if (r < 0)
                return error_prefix(err, "send signal %d to exec %s", number, exec->id);
        exec_event_signal(exec, number);
        return 0;
}
