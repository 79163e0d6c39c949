/* ps-process.c: one process, read from procfs, and a forest of them. proc(5). */
#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/ps.h"

#define FILE_MAX_SIZE 65536

void ps_process_done(PsProcess *process) {
        free(process->name);
        free(process->command);
        free(process->branch);
}

int64_t ps_boot_time(void) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int64_t when = 0;

        if (file_read_at(AT_FDCWD, "/proc/stat", FILE_MAX_SIZE * 16, &text, &length, NULL) < 0)
                return 0;
        const char *line = strstr(text, "btime ");
        if (line) {
                _cleanup_free_ char *digits = str_copy_n(line + 6, strspn(line + 6, "0123456789"));
                (void)str_to_int64(digits, &when);
        }
        return when;
}

/* proc_pid_stat(5): the name may hold spaces and parentheses, so what follows the last one counts.
 */
static bool parse_stat(const char *text, int64_t booted, PsProcess *ret) {
        const char *open = strchr(text, '('), *close = strrchr(text, ')');
        int64_t values[50] = { 0 };
        size_t count = 0;
        int64_t ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);

        if (!open || !close || close < open || strlen(close) < 4)
                return false;
        _cleanup_free_ char *rest = str_copy(close + 4);
        _cleanup_strv_ char **words = str_split(str_trim(rest), ' ');
        for (; words && words[count] && count < ELEMENTS(values); count++)
                if (str_to_int64(words[count], &values[count]) < 0)
                        values[count] = 0;
        if (count < 21)
                return false;
        ret->name = str_copy_n(open + 1, (size_t)(close - open - 1));
        ret->state = close[2];
        /* values[i] is field i + 4 */
        ret->ppid = values[0];
        ret->group = values[1];
        ret->session = values[2];
        ret->tty = values[3];
        ret->cpu = (values[10] + values[11]) / ticks;
        ret->priority = values[14];
        ret->nice = values[15];
        ret->threads = values[16];
        ret->ticks = values[18];
        ret->started = booted + values[18] / ticks;
        ret->virtual_kib = values[19] / 1024;
        ret->resident_kib = values[20] * (page / 1024);
        ret->processor = values[35];
        ret->lived = MAX(clock_now() / NSEC_PER_SEC - ret->started, 0);
        return true;
}

/* Arguments are separated by NULs; a kernel's thread has none and shows its name. */
static char *command_line(int fd, const char *name) {
        _cleanup_buf_ Buf text = { 0 };
        _cleanup_close_ int file = openat(fd, "cmdline", O_RDONLY | O_CLOEXEC);

        if (file >= 0)
                (void)fd_read_all(file, FILE_MAX_SIZE * 2, &text);
        while (text.length > 0 && text.data[text.length - 1] == '\0')
                text.length--;
        if (text.length == 0)
                return str_format("[%s]", name);
        for (size_t i = 0; i < text.length; i++)
                if (iscntrl((unsigned char)text.data[i]))
                        text.data[i] = ' ';
        return str_copy_n(text.data, text.length);
}

bool ps_process_read(pid_t pid, pid_t thread, int64_t booted, PsProcess *ret) {
        _cleanup_free_ char *text = NULL,
                            *path = pid == thread ? str_format("/proc/%d", pid)
                                                  : str_format("/proc/%d/task/%d", pid, thread);
        struct stat status;
        size_t length;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &status) < 0 ||
            file_read_at(fd, "stat", FILE_MAX_SIZE, &text, &length, NULL) < 0)
                return false;
        *ret = (PsProcess){
                .pid = pid, .thread = thread, .uid = status.st_uid, .gid = status.st_gid
        };
        if (!parse_stat(text, booted, ret))
                return false;
        ret->command = command_line(fd, ret->name);
        return true;
}

/* ---- the forest ---- */

#define NOBODY SIZE_MAX
#define BRANCH_DEPTH 32 /* what lies deeper is drawn as if it lay there */

typedef struct Kin {
        size_t parent, child, sibling; /* child: the first; sibling: the next */
} Kin;

static int pid_compare(const void *a, const void *b) {
        const PsProcess *left = a, *right = b;

        return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Who started later is no parent: the number was given anew while we read. */
static size_t parent_of(const PsProcess *processes, size_t count, const PsProcess *child) {
        const PsProcess key = { .pid = (pid_t)child->ppid };
        const PsProcess *parent = bsearch(&key, processes, count, sizeof(key), pid_compare);

        return !parent || parent == child || parent->ticks > child->ticks
                       ? NOBODY
                       : (size_t)(parent - processes);
}

/* As ps draws it: an angle before each that has a parent here, and a line where its elders have
 * siblings to come. */
static char *branch_of(const Kin *kin, size_t index) {
        char text[BRANCH_DEPTH * 4 + 1];
        size_t left = sizeof(text) - 1;

        text[left] = '\0';
        for (size_t at = index; kin[at].parent != NOBODY && left > 0; at = kin[at].parent) {
                bool goes_on = kin[at].sibling != NOBODY;

                left -= 4;
                memcpy(text + left, at == index ? " \\_ " : goes_on ? " |  " : "    ", 4);
        }
        return str_copy(text + left);
}

/* Who comes after it, depth first. */
static size_t next_of(const Kin *kin, size_t index) {
        if (kin[index].child != NOBODY)
                return kin[index].child;
        while (index != NOBODY && kin[index].sibling == NOBODY)
                index = kin[index].parent;
        return index == NOBODY ? NOBODY : kin[index].sibling;
}

/* From the last to the first, so that each list is in order. Returns the first that has no parent
 * here; the others of those are its siblings. */
static size_t find_kin(const PsProcess *processes, size_t count, Kin *kin) {
        size_t first = NOBODY;

        for (size_t i = 0; i < count; i++)
                kin[i] = (Kin){ parent_of(processes, count, &processes[i]), NOBODY, NOBODY };
        for (size_t i = count; i-- > 0;) {
                size_t *list = kin[i].parent == NOBODY ? &first : &kin[kin[i].parent].child;

                kin[i].sibling = *list;
                *list = i;
        }
        return first;
}

void ps_forest(PsProcess *processes, size_t count) {
        _cleanup_free_ Kin *kin = NEW_ARRAY(Kin, count);
        _cleanup_free_ PsProcess *ordered = NEW_ARRAY(PsProcess, count);
        size_t done = 0;

        for (size_t at = find_kin(processes, count, kin); at != NOBODY; at = next_of(kin, at)) {
                processes[at].branch = branch_of(kin, at);
                ordered[done++] = processes[at];
        }
        for (size_t i = 0; i < done; i++)
                processes[i] = ordered[i];
}
