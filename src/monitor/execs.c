/* execs.c: what a monitor remembers of execs for daemons that did not start them: which run, and
 * how the newest of those that have ended did. process.c tells of ends; the note is the daemon's.
 */
#include "monitor/supervisor.h"

/* Bytes of all notes that are kept of execs that have ended, and of all that one list takes: it has
 * to fit into a message and an exit record. */
#define NOTES_ENDED_MAX 65536
#define NOTES_MAX (1 << 20)

static size_t note_length(const char *note) {
        return note ? strlen(note) : 0;
}

static void drop_at(JsonArray *array, size_t index) {
        MonitorExec *items = array->items;

        json_done(&monitor_exec_table, &items[index]);
        array->count--;
        memmove(items + index, items + index + 1, (array->count - index) * sizeof(*items));
}

static void drop_oldest(JsonArray *array) {
        drop_at(array, 0);
}

static size_t notes_length(const JsonArray *array) {
        const MonitorExec *items = array->items;
        size_t length = 0;

        for (size_t i = 0; i < array->count; i++)
                length += note_length(items[i].note);
        return length;
}

static void add(JsonArray *array, const MonitorExec *exec) {
        json_copy(&monitor_exec_table, exec, json_append(array, &monitor_exec_table));
}

void exec_remember(const Process *process) {
        JsonArray *ended = &process->supervisor->ended_execs;

        add(ended, &(MonitorExec){ .id = process->exec,
                                   .note = process->note,
                                   .exit_code = process->exit_code,
                                   .started_at = process->started_at,
                                   .probe = process->probe });
        while (ended->count > MONITOR_EXECS_ENDED_MAX ||
               (ended->count > 1 && notes_length(ended) > NOTES_ENDED_MAX))
                drop_oldest(ended);
}

void exec_seen(Supervisor *supervisor, const char *id) {
        MonitorExec *items = supervisor->ended_execs.items;

        for (size_t i = 0; i < supervisor->ended_execs.count; i++) {
                if (!str_equal(items[i].id, id))
                        continue;
                items[i].seen = true;
                /* They come by the thousand, and nobody asks for the exit code of one. */
                if (items[i].probe)
                        drop_at(&supervisor->ended_execs, i);
                return;
        }
}

void execs_list(const Supervisor *supervisor, JsonArray *ret) {
        const MonitorExec *ended = supervisor->ended_execs.items;
        size_t left = NOTES_MAX;

        for (size_t i = 0; i < supervisor->ended_execs.count; i++) {
                add(ret, &ended[i]);
                left -= MIN(left, note_length(ended[i].note));
        }
        for (const Process *process = supervisor->execs; process; process = process->next) {
                size_t length = note_length(process->note);

                if (process->phase != PROCESS_RUNNING)
                        continue;
                add(ret, &(MonitorExec){ .id = process->exec,
                                         .note = length <= left ? process->note : NULL,
                                         .running = true,
                                         .started_at = process->started_at,
                                         .probe = process->probe,
                                         .pid = process->pid });
                left -= MIN(left, length);
        }
}

void execs_forget(Supervisor *supervisor) {
        while (supervisor->ended_execs.count > 0)
                drop_oldest(&supervisor->ended_execs);
        free(TAKE_PTR(supervisor->ended_execs.items));
}
