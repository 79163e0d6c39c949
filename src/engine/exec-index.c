/* exec-index.c: the execs that are known, and their ends. An exec is known by its id from its
 * creation until its container is removed or many newer ones have ended; a health check's until it
 * has ended. What was started is known to the container's monitor too, from which the next daemon
 * learns it. */
#include "base/log.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/exec-private.h"
#include "engine/execs.h"
#include "engine/registry.h"

/* Ended execs kept a container, for those who ask for the exit code late. */
#define ENDED_MAX MONITOR_EXECS_ENDED_MAX

struct Execs {
        pthread_mutex_t lock; /* short; below all others */
        Map by_id;            /* one reference each */
        Exec *newest;
};

Exec *exec_unref(Exec *exec) {
        if (!exec || atomic_fetch_sub(&exec->references, 1) != 1)
                return NULL;
        json_done(&exec_config_table, &exec->config);
        container_unref(exec->container);
        free(exec);
        return NULL;
}

void execs_lock(Engine *engine) {
        pthread_mutex_lock(&engine->execs->lock);
}

void execs_unlock(Engine *engine) {
        pthread_mutex_unlock(&engine->execs->lock);
}

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

int exec_lookup(Engine *engine, const char *id, Exec **ret, Error *err) {
        pthread_mutex_lock(&engine->execs->lock);
        *ret = id_valid(id) ? map_get(&engine->execs->by_id, id) : NULL;
        if (*ret)
                (void)atomic_fetch_add(&(*ret)->references, 1);
        pthread_mutex_unlock(&engine->execs->lock);
        return *ret ? 0 : error_kind(err, ERROR_NOT_FOUND, "No such exec instance: %s", id);
}

int exec_find(Engine *engine, const char *ref, Exec **ret, Error *err) {
        Exec *found = NULL;
        size_t matches = 0;

        if (id_valid(ref) || str_empty(ref))
                return exec_lookup(engine, ref, ret, err);
        pthread_mutex_lock(&engine->execs->lock);
        for (Exec *exec = engine->execs->newest; exec; exec = exec->next) {
                if (exec->probe || !str_after(exec->id, ref))
                        continue;
                matches++;
                found = exec;
        }
        if (matches == 1)
                (void)atomic_fetch_add(&found->references, 1);
        pthread_mutex_unlock(&engine->execs->lock);
        if (matches > 1)
                return error_kind(err, ERROR_INVALID, "multiple IDs found with provided prefix: %s",
                                  ref);
        if (matches == 0)
                return error_kind(err, ERROR_NOT_FOUND, "No such exec instance: %s", ref);
        *ret = found;
        return 0;
}

Exec **execs_of(Engine *engine, const Container *container, size_t *ret_count) {
        Execs *execs = engine->execs;
        Exec **list;
        size_t count = 0;

        pthread_mutex_lock(&execs->lock);
        for (const Exec *exec = execs->newest; exec; exec = exec->next)
                count++;
        list = NEW_ARRAY(Exec *, count + 1);
        count = 0;
        for (Exec *exec = execs->newest; exec; exec = exec->next) {
                if (exec->probe || (container && exec->container != container))
                        continue;
                (void)atomic_fetch_add(&exec->references, 1);
                list[count++] = exec;
        }
        pthread_mutex_unlock(&execs->lock);
        *ret_count = count;
        return list;
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
        return count >= EXECS_CREATED_MAX;
}

bool exec_add(Execs *execs, Exec *exec) {
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

void exec_event_signal(Exec *exec, int signal) {
        Pairs attributes = { 0 };
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", signal);
        pairs_put(&attributes, "execID", exec->id);
        pairs_put(&attributes, "signal", number);
        container_event(exec->container, "exec_kill", &attributes);
        pairs_done(&attributes);
}

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

void exec_event_command(Exec *exec, const char *action) {
        _cleanup_free_ char *command = strv_join(exec->config.cmd, " ");
        _cleanup_free_ char *text = str_format("%s: %s", action, command ?: "");

        exec_event(exec, text, NULL);
}

bool exec_end(Execs *execs, Exec *exec, int64_t exit_code) {
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

/* Nobody asks for the exit code of a health check, and there is one every few seconds. */
static void exec_forget(Exec *exec) {
        Execs *execs = exec->container->engine->execs;
        bool found = false;

        pthread_mutex_lock(&execs->lock);
        for (Exec **slot = &execs->newest; *slot && !found; slot = found ? slot : &(*slot)->next) {
                found = *slot == exec;
                if (found)
                        *slot = exec->next;
        }
        if (found)
                (void)map_drop(&execs->by_id, exec->id);
        pthread_mutex_unlock(&execs->lock);
        if (found)
                exec_unref(exec); /* the index's */
}

void exec_notice(Container *container, const MonitorReply *reply) {
        _cleanup_exec_ Exec *exec = NULL;

        if (!reply->exec || exec_lookup(container->engine, reply->exec, &exec, NULL) < 0)
                return;
        if (exec_end(container->engine->execs, exec, reply->exit_code))
                exec_event(exec, "exec_die", &reply->exit_code);
        if (exec->probe)
                exec_forget(exec);
}

static bool is_probe_of(const Exec *exec, const Container *container, size_t *count) {
        return exec->container == container && exec->probe;
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
        execs_drop(execs, container, is_probe_of);
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

char *exec_note(const ExecConfig *config) {
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
        exec->started_at = known->started_at;
        exec->exit_code = known->exit_code;
        exec->probe = known->probe;
        return exec;
}

static void adopt(Container *container, const MonitorExec *known) {
        _cleanup_exec_ Exec *exec = exec_known(container, known);

        (void)atomic_fetch_add(&exec->references, 1);
        (void)exec_add(container->engine->execs, exec);
        /* A health check of the daemon that was killed: nobody ends it in time, or waits for it. */
        if (exec->probe && exec->running && container->monitor)
                monitor_exec_kill(container->monitor, known->id);
        if (!known->running && !known->seen) {
                exec_event(exec, "exec_die", &known->exit_code);
                if (container->monitor)
                        monitor_exec_seen(container->monitor, known->id);
        }
        if (exec->probe && !known->running)
                exec_forget(exec);
}

void execs_adopt(Container *container, const JsonArray *known) {
        const MonitorExec *items = known->items;

        for (size_t i = 0; i < known->count; i++)
                if (id_valid(items[i].id))
                        adopt(container, &items[i]);
}

/* ---- health checks ---- */

void exec_probe_begin(Container *container, const char *id, const ExecConfig *config) {
        _cleanup_exec_ Exec *exec = NEW(Exec);

        atomic_init(&exec->references, 2); /* the index's and ours */
        (void)snprintf(exec->id, sizeof(exec->id), "%s", id);
        json_copy(&exec_config_table, config, &exec->config);
        exec->container = container_ref(container);
        exec->probe = exec->started = exec->running = true;
        (void)exec_add(container->engine->execs, exec);
        exec_event_command(exec, "exec_create");
        exec_event_command(exec, "exec_start");
}

void exec_probe_started(Engine *engine, const char *id, int64_t pid) {
        _cleanup_exec_ Exec *exec = NULL;

        if (exec_lookup(engine, id, &exec, NULL) < 0)
                return;
        pthread_mutex_lock(&engine->execs->lock);
        if (exec->running)
                exec->pid = pid;
        pthread_mutex_unlock(&engine->execs->lock);
}

void exec_probe_failed(Engine *engine, const char *id) {
        _cleanup_exec_ Exec *exec = NULL;

        if (exec_lookup(engine, id, &exec, NULL) < 0)
                return;
        (void)exec_end(engine->execs, exec, EXIT_CANNOT_START);
        exec_forget(exec);
}
