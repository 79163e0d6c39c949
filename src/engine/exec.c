/* exec.c: further processes in running containers. An exec is known by its id from its creation
 * until its container is removed or many newer ones have ended. What was started is known to the
 * container's monitor too, from which the next daemon learns it. */
#include "base/log.h"
#include "engine/attach.h"
#include "engine/documents.h"
#include "engine/locks.h"

/* Ended execs kept a container, for those who ask for the exit code late. */
#define ENDED_MAX MONITOR_EXECS_ENDED_MAX
/* Execs a container that were created and not started: each holds its whole request. */
#define CREATED_MAX 256
#define EXIT_CANNOT_START 126

typedef struct Exec {
        atomic_int references;
        /* Never change. */
        char id[ID_LENGTH + 1];
        Container *container; /* a reference */
        ExecConfig config;

        /* Guarded by the index's lock. */
        bool started, running, ended;
        int64_t exit_code, pid;
        struct Exec *next; /* older */
} Exec;

struct Execs {
        pthread_mutex_t lock; /* short; below all others */
        Map by_id;            /* one reference each */
        Exec *newest;
};

static Exec *exec_unref(Exec *exec) {
        if (!exec || atomic_fetch_sub(&exec->references, 1) != 1)
                return NULL;
        json_done(&exec_config_table, &exec->config);
        container_unref(exec->container);
        free(exec);
        return NULL;
}
DEFINE_CLEANUP(Exec *, exec_unref)
#define _cleanup_exec_ _cleanup_(exec_unrefp)

int execs_new(Engine *engine, Execs **ret, Error *err) {
        Execs *execs = NEW(Execs);

        pthread_mutex_init(&execs->lock, NULL);
        *ret = execs;
        return 0;
}

Execs *execs_free(Execs *execs) {
        if (!execs)
                return NULL;
        Exec *exec = TAKE_PTR(execs->newest);
        map_done(&execs->by_id, NULL);
        /* The last reference to a container may go with one, and it asks for its execs then. */
        while (exec) {
                Exec *next = exec->next;

                exec_unref(exec);
                exec = next;
        }
        pthread_mutex_destroy(&execs->lock);
        free(execs);
        return NULL;
}

/* ---- the index ---- */

/* A new reference. */
static int exec_lookup(Engine *engine, const char *id, Exec **ret, Error *err) {
        pthread_mutex_lock(&engine->execs->lock);
        *ret = id_valid(id) ? map_get(&engine->execs->by_id, id) : NULL;
        if (*ret)
                (void)atomic_fetch_add(&(*ret)->references, 1);
        pthread_mutex_unlock(&engine->execs->lock);
        return *ret ? 0 : error_kind(err, ERROR_NOT_FOUND, "No such exec instance: %s", id);
}

typedef bool (*DropFn)(const Exec *exec, const Container *container, size_t *count);

/* Drops those for which wanted says so; they are freed after the lock is given back, as the last
 * reference to a container may go with them. */
static void execs_drop(Execs *execs, const Container *container, DropFn wanted) {
        Exec *dropped = NULL;
        size_t count = 0;

        pthread_mutex_lock(&execs->lock);
        for (Exec **slot = &execs->newest; *slot;) {
                Exec *exec = *slot;

                if (!wanted(exec, container, &count)) {
                        slot = &exec->next;
                        continue;
                }
                *slot = exec->next;
                (void)map_drop(&execs->by_id, exec->id);
                exec->next = dropped;
                dropped = exec;
        }
        pthread_mutex_unlock(&execs->lock);
        while (dropped) {
                Exec *next = dropped->next;

                exec_unref(dropped);
                dropped = next;
        }
}

static bool is_of(const Exec *exec, const Container *container, size_t *count) {
        return exec->container == container;
}

static bool is_stale(const Exec *exec, const Container *container, size_t *count) {
        return exec->container == container && exec->ended && ++*count > ENDED_MAX;
}

/* lock held. */
static bool is_full(const Execs *execs, const Container *container) {
        size_t count = 0;

        for (const Exec *exec = execs->newest; exec; exec = exec->next)
                count += exec->container == container && !exec->started;
        return count >= CREATED_MAX;
}

/* False: too many of its container wait to be started, and nothing was done. */
static bool exec_add(Execs *execs, Exec *exec) {
        execs_drop(execs, exec->container, is_stale);
        pthread_mutex_lock(&execs->lock);
        bool has_room = exec->started || !is_full(execs, exec->container);
        if (has_room) {
                exec->next = execs->newest;
                execs->newest = exec;
                (void)map_put(&execs->by_id, exec->id, exec);
        }
        pthread_mutex_unlock(&execs->lock);
        return has_room;
}

/* ---- ends ---- */

static void exec_event(Exec *exec, const char *action, const int64_t *exit_code) {
        Pairs attributes = { 0 };

        pairs_put(&attributes, "execID", exec->id);
        if (exit_code) {
                _cleanup_free_ char *code = str_format("%lld", (long long)*exit_code);
                pairs_put(&attributes, "exitCode", code);
        }
        container_event(exec->container, action, &attributes);
        pairs_done(&attributes);
}

/* "exec_create: sh -c …" */
static void exec_event_command(Exec *exec, const char *action) {
        _cleanup_free_ char *command = strv_join(exec->config.cmd, " ");
        _cleanup_free_ char *text = str_format("%s: %s", action, command ?: "");

        exec_event(exec, text, NULL);
}

static bool exec_end(Execs *execs, Exec *exec, int64_t exit_code) {
        pthread_mutex_lock(&execs->lock);
        bool first = exec->running;
        if (first) {
                exec->running = false;
                exec->ended = true;
                exec->exit_code = exit_code;
                exec->pid = 0;
        }
        pthread_mutex_unlock(&execs->lock);
        return first;
}

void exec_notice(Container *container, const MonitorReply *reply) {
        _cleanup_exec_ Exec *exec = NULL;

        if (!reply->exec || exec_lookup(container->engine, reply->exec, &exec, NULL) < 0)
                return;
        if (exec_end(container->engine->execs, exec, reply->exit_code))
                exec_event(exec, "exec_die", &reply->exit_code);
}

void exec_container_ended(Container *container) {
        Execs *execs = container->engine->execs;

        pthread_mutex_lock(&execs->lock);
        for (Exec *exec = execs->newest; exec; exec = exec->next) {
                if (exec->container != container || !exec->running)
                        continue;
                exec->running = false;
                exec->ended = true;
                exec->exit_code = 128 + 9; /* with its pid namespace it was killed */
                exec->pid = 0;
        }
        pthread_mutex_unlock(&execs->lock);
}

void exec_container_removed(Container *container) {
        execs_drop(container->engine->execs, container, is_of);
}

json_object *exec_ids(const Container *container) {
        Execs *execs = container->engine->execs;
        json_object *array = NULL;

        pthread_mutex_lock(&execs->lock);
        for (const Exec *exec = execs->newest; exec; exec = exec->next) {
                if (exec->container != container || exec->ended)
                        continue;
                if (!array)
                        array = json_object_new_array();
                (void)json_object_array_add(array, json_object_new_string(exec->id));
        }
        pthread_mutex_unlock(&execs->lock);
        return array;
}

/* ---- what an earlier daemon started ---- */

/* What inspect shows of a started exec; its environment is of no use any more. The caller's. */
static char *exec_note(const ExecConfig *config) {
        ExecConfig shown = *config;

        shown.env = NULL;
        shown.working_dir = NULL;
        return json_text(&exec_config_table, &shown);
}

static Exec *exec_known(Container *container, const MonitorExec *known) {
        Exec *exec = NEW(Exec);
        Error error = { 0 };

        atomic_init(&exec->references, 1);
        (void)snprintf(exec->id, sizeof(exec->id), "%s", known->id);
        exec->container = container_ref(container);
        if (known->note && json_parse(&exec_config_table, known->note, strlen(known->note),
                                      &exec->config, &error) < 0)
                log_warn("exec %s: %s", known->id, error.message);
        exec->started = true;
        exec->running = known->running;
        exec->ended = !known->running;
        exec->pid = known->running ? known->pid : 0;
        exec->exit_code = known->exit_code;
        return exec;
}

void execs_adopt(Container *container, const JsonArray *known) {
        const MonitorExec *items = known->items;

        for (size_t i = 0; i < known->count; i++) {
                if (!id_valid(items[i].id))
                        continue;
                Exec *exec = exec_known(container, &items[i]);
                (void)exec_add(container->engine->execs, exec);
                if (items[i].running || items[i].seen)
                        continue;
                exec_event(exec, "exec_die", &items[i].exit_code);
                if (container->monitor)
                        monitor_exec_seen(container->monitor, items[i].id);
        }
}

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
                                  container->id, CREATED_MAX);
        }
        /* A removal that dropped the container's execs before this one came leaves it to us. */
        if (is_removed(container)) {
                execs_drop(engine->execs, container, is_of);
                exec_unref(exec);
                return state_check(container, ref, err);
        }
        exec_event_command(exec, "exec_create");
        *ret_id = str_copy(exec->id);
        exec_unref(exec);
        return 0;
}

/* ---- start ---- */

int engine_exec_start_check(Engine *engine, const char *id, bool detach, bool *ret_tty,
                            Error *err) {
        _cleanup_exec_ Exec *exec = NULL;

        int r = exec_lookup(engine, id, &exec, err);
        if (r == 0)
                r = state_check(exec->container, exec->container->id, err);
        if (r < 0)
                return r;
        pthread_mutex_lock(&engine->execs->lock);
        bool started = exec->started, running = exec->running;
        pthread_mutex_unlock(&engine->execs->lock);
        if (running)
                return error_kind(err, ERROR_CONFLICT, "exec %s is already running", id);
        if (started)
                return error_kind(err, ERROR_CONFLICT, "exec %s has already run", id);
        *ret_tty = exec->config.tty;
        return 0;
}

/* Only one of several who start the same exec at once gets true. */
static bool exec_claim(Execs *execs, Exec *exec) {
        pthread_mutex_lock(&execs->lock);
        bool first = !exec->started;
        exec->started = true;
        exec->running = exec->running || first;
        pthread_mutex_unlock(&execs->lock);
        return first;
}

/* What runc would have said around the runtime's words; those of the document stay as they are. */
static int wrap_error(Error *err) {
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
        const SeccompProgram *seccomp = NULL;
        pid_t pid = 0;

        int r = container_require_running(container, err);
        if (r == 0)
                r = ocispec_exec_process(container, &exec->config, &process, err);
        if (r == 0)
                r = seccomp_program(container->engine, container, exec->config.privileged, &seccomp,
                                    err);
        if (r == 0) {
                attach_request(options, exec->config.tty, exec->config.attach_stdin, &request);
                request.want_stdin = exec->config.attach_stdin;
                request.want_stdout = exec->config.attach_stdout;
                request.want_stderr = exec->config.attach_stderr;
                if (!request.detach_keys)
                        request.detach_keys = str_copy(exec->config.detach_keys);
                size_of(&exec->config, &width, &height);
                request.width = width;
                request.height = height;
                request.note = exec_note(&exec->config);
                r = monitor_exec(container->monitor, exec->id, &process, client_fd, &request,
                                 seccomp ? seccomp->filter : NULL, seccomp ? seccomp->length : 0,
                                 &pid, err);
                attach_request_done(&request);
                if (r < 0)
                        r = wrap_error(err);
        }
        json_done(&oci_process_table, &process);
        if (r < 0)
                return r;
        pthread_mutex_lock(&container->engine->execs->lock);
        if (exec->running) /* it may have ended already */
                exec->pid = pid;
        pthread_mutex_unlock(&container->engine->execs->lock);
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
        if (!exec_claim(engine->execs, exec))
                return error_kind(err, ERROR_CONFLICT, "exec %s has already run", id);
        container_lock(exec->container);
        exec_event_command(exec, "exec_start");
        r = exec_run(exec, options, client_fd, width, height, err);
        container_unlock(exec->container);
        if (r < 0)
                (void)exec_end(engine->execs, exec, EXIT_CANNOT_START);
        return r;
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
        pthread_mutex_lock(&engine->execs->lock);
        bool running = exec->running, ended = exec->ended;
        int64_t exit_code = exec->exit_code, pid = exec->pid;
        pthread_mutex_unlock(&engine->execs->lock);
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
        pthread_mutex_lock(&engine->execs->lock);
        bool running = exec->running;
        pthread_mutex_unlock(&engine->execs->lock);
        if (!running)
                return error_kind(err, ERROR_CONFLICT, "exec process is not started");
        CONTAINER_LOCKED(exec->container);
        r = container_require_running(exec->container, err);
        return r < 0 ? r : monitor_resize(exec->container->monitor, exec->id, width, height, err);
}
