/* top.c: the processes of a container, as the host sees them, in the columns of ps(1). Read from
 * procfs, as running ps would depend on a program that a host may lack. */
#include <dirent.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/cgroup.h"
#include "engine/documents.h"
#include "engine/ps.h"
#include "engine/registry.h"
#include "os/cgroup.h"

static int by_number(const void *a, const void *b) {
        return *(const pid_t *)a < *(const pid_t *)b ? -1 : 1;
}

/* ---- the document ---- */

static json_object *row(const PsLayout *layout, const PsProcess *process) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < layout->count; i++) {
                _cleanup_free_ char *text = layout->items[i].column->show(process);

                (void)json_object_array_add(array, json_object_new_string(text));
        }
        return array;
}

/* In no order; none where it has ended. */
static pid_t *threads_of(pid_t pid, size_t *ret) {
        _cleanup_free_ char *path = str_format("/proc/%d/task", pid);
        _cleanup_closedir_ DIR *dir = opendir(path);
        const struct dirent *entry;
        pid_t *threads = NULL;
        int number;

        *ret = 0;
        while (dir && (entry = readdir(dir))) {
                if (str_to_int_in(entry->d_name, 1, INT32_MAX, &number) < 0)
                        continue;
                GROW(threads, *ret);
                threads[(*ret)++] = number;
        }
        return threads;
}

static void add_threads(const PsLayout *layout, const PsProcess *process, int64_t booted,
                        json_object *rows) {
        size_t count;
        _cleanup_free_ pid_t *threads = threads_of(process->pid, &count);

        if (count > 1)
                qsort(threads, count, sizeof(*threads), by_number);
        for (size_t i = 0; i < count; i++) {
                PsProcess thread;

                if (!ps_process_read(process->pid, threads[i], booted, &thread))
                        continue;
                thread.branch = str_copy(process->branch);
                (void)json_object_array_add(rows, row(layout, &thread));
                ps_process_done(&thread);
        }
}

/* Those that are still there; the caller's. */
static PsProcess *read_all(const pid_t *pids, size_t count, int64_t booted, size_t *ret) {
        PsProcess *processes = NEW_ARRAY(PsProcess, count);

        *ret = 0;
        for (size_t i = 0; i < count; i++)
                *ret += ps_process_read(pids[i], pids[i], booted, &processes[*ret]);
        return processes;
}

static void add_document(const PsLayout *layout, const pid_t *pids, size_t count, Buf *json) {
        json_object *object = json_object_new_object();
        json_object *rows = json_object_new_array(), *titles = json_object_new_array();
        const int64_t booted = ps_boot_time();
        _cleanup_free_ PsProcess *processes = read_all(pids, count, booted, &count);

        if (layout->forest)
                ps_forest(processes, count);
        for (size_t i = 0; i < count; i++) {
                if (layout->threads)
                        add_threads(layout, &processes[i], booted, rows);
                else
                        (void)json_object_array_add(rows, row(layout, &processes[i]));
                ps_process_done(&processes[i]);
        }
        for (size_t i = 0; i < layout->count; i++)
                (void)json_object_array_add(titles, json_object_new_string(layout->items[i].title));
        json_put(object, "Processes", rows);
        json_put(object, "Titles", titles);
        json_add_object(json, object);
}

static int running_check(const Container *container, Error *err) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot((Container *)container);

        if (snapshot->state.status == CONTAINER_RUNNING ||
            snapshot->state.status == CONTAINER_PAUSED)
                return 0;
        if (snapshot->state.status == CONTAINER_RESTARTING)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is restarting, wait until the container is running",
                                  container->id);
        return error_kind(err, ERROR_CONFLICT, "Container %s is not running", container->id);
}

int engine_container_top(Engine *engine, const char *ref, const char *ps_args, Buf *json,
                         Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        PsLayout layout = { 0 };
        size_t count = 0;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0)
                r = running_check(container, err);
        if (r < 0)
                return r;
        _cleanup_free_ char *cgroup = container_cgroup(container);
        r = ps_layout_parse(ps_args, &layout, err);
        if (r == 0)
                r = cgroup_pids(cgroup, &pids, &count, err);
        if (r == 0) {
                if (count > 1)
                        qsort(pids, count, sizeof(*pids), by_number);
                add_document(&layout, pids, count, json);
        }
        ps_layout_done(&layout);
        return r;
}
