/* exec.c: the calls that make further processes in running containers, start and show them. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/attach.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/exec-private.h"
#include "engine/execs.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/seccomp-cache.h"
#include "engine/state.h"
#include "runtime/seccomp.h"

/* ---- create ---- */

static int state_check(const Container *container, const char *ref, Error *err) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot((Container *)container);

        switch ((ContainerStatus)snapshot->state.status) {
        case CONTAINER_RUNNING:
                return 0;
        case CONTAINER_PAUSED:
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is paused, unpause the container before exec", ref);
        case CONTAINER_RESTARTING:
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is restarting, wait until the container is running",
                                  ref);
        default:
                return error_kind(err, ERROR_CONFLICT, "Container %s is not running",
                                  container->id);
        }
}

static bool is_removed(Container *container) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);

        return snapshot->state.status == CONTAINER_REMOVING;
}

int engine_exec_create(Engine *engine, const char *ref, const ExecConfig *config, char **ret_id,
                       Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0)
                r = state_check(container, ref, err);
        if (r < 0)
                return r;
        if (strv_length(config->cmd) == 0)
                return error_kind(err, ERROR_INVALID, "No exec command specified");
        if (!str_empty(config->working_dir) && config->working_dir[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "the working directory '%s' is invalid, it needs to be an "
                                  "absolute path",
                                  config->working_dir);
        if (!str_empty(config->detach_keys)) {
                r = monitor_detach_keys_check(config->detach_keys, err);
                if (r < 0)
                        return r;
        }
        r = failpoint("exec.create", err);
        if (r < 0)
                return r;
        Exec *exec = NEW(Exec);
        atomic_init(&exec->references, 2); /* the index's and ours */
        id_new(exec->id);
        json_copy(&exec_config_table, config, &exec->config);
        exec->container = container_ref(container);
        if (!exec_add(engine->execs, exec)) {
                atomic_store(&exec->references, 1);
                exec_unref(exec);
                return error_kind(err, ERROR_CONFLICT,
                                  "container %s has %d execs that were created and never started: "
                                  "start them, or remove the container",
                                  container->id, EXECS_CREATED_MAX);
        }
        /* A removal that dropped the container's execs before this one came leaves it to us. */
        if (is_removed(container)) {
                exec_container_removed(container);
                exec_unref(exec);
                return state_check(container, ref, err);
        }
        exec_event_command(exec, "exec_create");
        *ret_id = str_copy(exec->id);
        exec_unref(exec);
        return 0;
}

/* ---- start ---- */

int engine_exec_start_check(Engine *engine, const char *id, Error *err) {
        _cleanup_exec_ Exec *exec = NULL;

        int r = exec_lookup(engine, id, &exec, err);
        if (r == 0)
                r = state_check(exec->container, exec->container->id, err);
        if (r < 0)
                return r;
        execs_lock(engine);
        bool started = exec->started, running = exec->running;
        execs_unlock(engine);
        if (running)
                return error_kind(err, ERROR_CONFLICT, "exec %s is already running", id);
        if (started)
                return error_kind(err, ERROR_CONFLICT, "exec %s has already run", id);
        return 0;
}

/* Only one of several who start the same exec at once gets true. */
static bool exec_claim(Engine *engine, Exec *exec) {
        execs_lock(engine);
        bool first = !exec->started;
        exec->started = true;
        exec->running = exec->running || first;
        if (first)
                exec->started_at = clock_now();
        execs_unlock(engine);
        return first;
}

int exec_wrap_error(Error *err) {
        ErrorKind kind = err->kind;

        error_prefix(err,
                     "OCI runtime exec failed: exec failed: unable to start container process");
        size_t length = strlen(err->message);
        (void)snprintf(err->message + length, sizeof(err->message) - length, ": unknown");
        err->kind = kind == ERROR_NOT_FOUND ? ERROR_INVALID : kind;
        return error_number_of(err->kind);
}

/* [height, width], as the exec was created; what its start says comes first. */
static void size_of(const ExecConfig *config, int *width, int *height) {
        int *const sides[] = { height, width };

        if (*width || *height || !json_object_is_type(config->console_size, json_type_array) ||
            json_object_array_length(config->console_size) != ELEMENTS(sides))
                return;
        for (size_t i = 0; i < ELEMENTS(sides); i++) {
                int64_t side =
                        json_object_get_int64(json_object_array_get_idx(config->console_size, i));

                *sides[i] = side > 0 && side <= UINT16_MAX ? (int)side : 0;
        }
}

/* lock held. */
static int exec_run(Exec *exec, const AttachOptions *options, int client_fd, int width, int height,
                    Error *err) {
        Container *container = exec->container;
        OciProcess process = { 0 };
        MonitorRequest request;
        _cleanup_(seccomp_program_done) SeccompProgram seccomp = {};
        pid_t pid = 0;

        int r = container_require_running(container, err);
        if (r == 0)
                r = failpoint("exec.start", err);
        if (r == 0)
                r = ocispec_exec_process(container, &exec->config, &process, err);
        if (r == 0)
                r = seccomp_program(container->engine, container, exec->config.privileged, &seccomp,
                                    err);
        if (r == 0) {
                /* As in Docker, who starts it says how its output comes, whatever it was made with.
                 */
                attach_request(options, options->raw, exec->config.attach_stdin, &request);
                request.want_stdin = exec->config.attach_stdin;
                request.want_stdout = exec->config.attach_stdout;
                request.want_stderr = exec->config.attach_stderr;
                if (!request.detach_keys)
                        request.detach_keys = str_copy(exec->config.detach_keys);
                size_of(&exec->config, &width, &height);
                request.width = width;
                request.height = height;
                request.note = exec_note(&exec->config);
                const MonitorExecution execution = {
                        .id = exec->id,
                        .process = &process,
                        .request = &request,
                        .client_fd = client_fd,
                        .seccomp = seccomp.length ? &seccomp : NULL,
                };
                r = monitor_exec(container->monitor, &execution, &pid, err);
                attach_request_done(&request);
                if (r < 0)
                        r = exec_wrap_error(err);
        }
        json_done(&oci_process_table, &process);
        if (r < 0)
                return r;
        execs_lock(container->engine);
        if (exec->running) /* it may have ended already */
                exec->pid = pid;
        execs_unlock(container->engine);
        return 0;
}

int engine_exec_start(Engine *engine, const char *id, const AttachOptions *options, int client_fd,
                      int width, int height, Error *err) {
        _cleanup_exec_ Exec *exec = NULL;
        Error ours = { 0 };

        err = err ?: &ours;
        int r = exec_lookup(engine, id, &exec, err);
        if (r < 0)
                return r;
        if (!exec_claim(engine, exec))
                return error_kind(err, ERROR_CONFLICT, "exec %s has already run", id);
        if (client_fd >= 0)
                attach_let_head_be_read(client_fd);
        container_lock(exec->container);
        exec_event_command(exec, "exec_start");
        r = exec_run(exec, options, client_fd, width, height, err);
        container_unlock(exec->container);
        if (r < 0)
                (void)exec_end(engine->execs, exec, EXIT_CANNOT_START);
        return r < 0 ? r : failpoint("exec.started", err);
}

/* ---- inspect and resize ---- */

static json_object *process_config(const ExecConfig *config) {
        json_object *object = json_object_new_object(), *arguments = json_object_new_array();

        json_put_bool(object, "tty", config->tty);
        json_put_text(object, "entrypoint", config->cmd ? config->cmd[0] : "");
        for (size_t i = 1; i < strv_length(config->cmd); i++)
                (void)json_object_array_add(arguments, json_object_new_string(config->cmd[i]));
        json_put(object, "arguments", arguments);
        json_put_bool(object, "privileged", config->privileged);
        if (!str_empty(config->user))
                json_put_text(object, "user", config->user);
        return object;
}

int engine_exec_inspect(Engine *engine, const char *id, Buf *json, Error *err) {
        _cleanup_exec_ Exec *exec = NULL;

        int r = exec_lookup(engine, id, &exec, err);
        if (r < 0)
                return r;
        execs_lock(engine);
        bool running = exec->running, ended = exec->ended;
        int64_t exit_code = exec->exit_code, pid = exec->pid;
        execs_unlock(engine);
        json_object *object = json_object_new_object();
        json_put_text(object, "ID", exec->id);
        json_put_bool(object, "Running", running);
        json_put(object, "ExitCode", ended ? json_object_new_int64(exit_code) : NULL);
        json_put(object, "ProcessConfig", process_config(&exec->config));
        json_put_bool(object, "OpenStdin", exec->config.attach_stdin);
        json_put_bool(object, "OpenStderr", exec->config.attach_stderr);
        json_put_bool(object, "OpenStdout", exec->config.attach_stdout);
        json_put_bool(object, "CanRemove", ended);
        json_put_text(object, "ContainerID", exec->container->id);
        json_put_text(object, "DetachKeys", exec->config.detach_keys);
        json_put_int(object, "Pid", pid);
        json_add_object(json, object);
        return 0;
}

int engine_exec_resize(Engine *engine, const char *id, int width, int height, Error *err) {
        _cleanup_exec_ Exec *exec = NULL;

        int r = exec_lookup(engine, id, &exec, err);
        if (r < 0)
                return r;
        execs_lock(engine);
        bool running = exec->running;
        execs_unlock(engine);
        if (!running)
                return error_kind(err, ERROR_CONFLICT, "exec process is not started");
        CONTAINER_LOCKED(exec->container);
        r = container_require_running(exec->container, err);
        return r < 0 ? r : monitor_resize(exec->container->monitor, exec->id, width, height, err);
}
