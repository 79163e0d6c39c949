/* top.c: the processes of a container, as the host sees them, in the columns of ps(1): those of
 * `ps -ef`, `ps aux` and `ps -o …`. Read from procfs, as running ps would depend on a program that
 * a host may lack. proc(5). */
#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/cgroup.h"
#include "engine/documents.h"
#include "engine/registry.h"
#include "os/cgroup.h"

#define FILE_MAX_SIZE 65536
#define SECONDS_A_DAY 86400

typedef struct Process {
        pid_t pid;
        char *name, *command; /* comm; the whole command line */
        char state;
        int64_t ppid, tty, threads, priority, nice, virtual_kib, resident_kib;
        int64_t started; /* seconds since 1970 */
        int64_t cpu;     /* seconds used */
        int64_t lived;   /* seconds */
        uid_t uid;
        gid_t gid;
} Process;

static void process_done(Process *process) {
        free(process->name);
        free(process->command);
}

/* ---- reading procfs ---- */

static int64_t boot_time(void) {
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
static bool parse_stat(const char *text, int64_t booted, Process *ret) {
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
        ret->tty = values[3];
        ret->cpu = (values[10] + values[11]) / ticks;
        ret->priority = values[14];
        ret->nice = values[15];
        ret->threads = values[16];
        ret->started = booted + values[18] / ticks;
        ret->virtual_kib = values[19] / 1024;
        ret->resident_kib = values[20] * (page / 1024);
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

static bool process_read(pid_t pid, int64_t booted, Process *ret) {
        _cleanup_free_ char *path = str_format("/proc/%d", pid), *text = NULL;
        struct stat status;
        size_t length;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &status) < 0 ||
            file_read_at(fd, "stat", FILE_MAX_SIZE, &text, &length, NULL) < 0)
                return false;
        *ret = (Process){ .pid = pid, .uid = status.st_uid, .gid = status.st_gid };
        if (!parse_stat(text, booted, ret))
                return false;
        ret->command = command_line(fd, ret->name);
        return true;
}

/* ---- columns ---- */

static char *user_name(uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
                return str_copy(found->pw_name);
        return str_format("%u", uid);
}

static char *show_user(const Process *p) {
        return user_name(p->uid);
}
static char *show_uid(const Process *p) {
        return str_format("%u", p->uid);
}
static char *show_gid(const Process *p) {
        return str_format("%u", p->gid);
}
static char *show_pid(const Process *p) {
        return str_format("%d", p->pid);
}
static char *show_ppid(const Process *p) {
        return str_format("%lld", (long long)p->ppid);
}
static char *show_cpu_whole(const Process *p) {
        return str_format("%lld", (long long)(p->lived > 0 ? p->cpu * 100 / p->lived : 0));
}
static char *show_cpu(const Process *p) {
        double share = p->lived > 0 ? (double)p->cpu * 100 / (double)p->lived : 0;

        return str_format("%.1f", share);
}
static char *show_memory(const Process *p) {
        double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1024;

        return str_format("%.1f", (double)p->resident_kib * 100 / all);
}
static char *show_start(const Process *p) {
        time_t when = (time_t)p->started, now = time(NULL);
        struct tm parts, today;
        char text[16] = "";

        (void)localtime_r(&when, &parts);
        (void)localtime_r(&now, &today);
        (void)strftime(text, sizeof(text), now - when < SECONDS_A_DAY ? "%H:%M" : "%b%d", &parts);
        return str_copy(text);
}
/* Major and minor number are packed as in proc_pid_stat(5). */
static char *show_tty(const Process *p) {
        int64_t number_major = (p->tty >> 8) & 0xfff,
                number_minor = (p->tty & 0xff) | ((p->tty >> 12) & 0xfff00);

        if (number_major == 136)
                return str_format("pts/%lld", (long long)number_minor);
        return str_copy("?");
}
static char *show_time(const Process *p) {
        return str_format("%02lld:%02lld:%02lld", (long long)(p->cpu / 3600),
                          (long long)(p->cpu / 60 % 60), (long long)(p->cpu % 60));
}
static char *show_time_short(const Process *p) {
        return str_format("%lld:%02lld", (long long)(p->cpu / 60), (long long)(p->cpu % 60));
}
static char *show_elapsed(const Process *p) {
        if (p->lived >= 3600)
                return str_format("%02lld:%02lld:%02lld", (long long)(p->lived / 3600),
                                  (long long)(p->lived / 60 % 60), (long long)(p->lived % 60));
        return str_format("%02lld:%02lld", (long long)(p->lived / 60), (long long)(p->lived % 60));
}
static char *show_state(const Process *p) {
        return str_format("%c%s", p->state, p->threads > 1 ? "l" : "");
}
static char *show_virtual(const Process *p) {
        return str_format("%lld", (long long)p->virtual_kib);
}
static char *show_resident(const Process *p) {
        return str_format("%lld", (long long)p->resident_kib);
}
static char *show_nice(const Process *p) {
        return str_format("%lld", (long long)p->nice);
}
static char *show_priority(const Process *p) {
        return str_format("%lld", (long long)p->priority);
}
static char *show_threads(const Process *p) {
        return str_format("%lld", (long long)p->threads);
}
static char *show_name(const Process *p) {
        return str_copy(p->name);
}
static char *show_command(const Process *p) {
        return str_copy(p->command);
}

typedef struct Column {
        const char *word, *title; /* as -o names it; the header */
        char *(*show)(const Process *process);
} Column;

static const Column columns[] = {
        { "user", "USER", show_user },
        { "uid", "UID", show_uid },
        { "gid", "GID", show_gid },
        { "pid", "PID", show_pid },
        { "ppid", "PPID", show_ppid },
        { "c", "C", show_cpu_whole },
        { "pcpu", "%CPU", show_cpu },
        { "%cpu", "%CPU", show_cpu },
        { "pmem", "%MEM", show_memory },
        { "%mem", "%MEM", show_memory },
        { "stime", "STIME", show_start },
        { "start", "START", show_start },
        { "tty", "TT", show_tty },
        { "tt", "TT", show_tty },
        { "time", "TIME", show_time },
        { "cputime", "TIME", show_time },
        { "etime", "ELAPSED", show_elapsed },
        { "stat", "STAT", show_state },
        { "state", "S", show_state },
        { "s", "S", show_state },
        { "vsz", "VSZ", show_virtual },
        { "rss", "RSS", show_resident },
        { "ni", "NI", show_nice },
        { "nice", "NI", show_nice },
        { "pri", "PRI", show_priority },
        { "nlwp", "NLWP", show_threads },
        { "comm", "COMMAND", show_name },
        { "ucmd", "CMD", show_name },
        { "cmd", "CMD", show_command },
        { "args", "COMMAND", show_command },
        { "command", "COMMAND", show_command },
};

static const Column full[] = {
        { NULL, "UID", show_user },    { NULL, "PID", show_pid },     { NULL, "PPID", show_ppid },
        { NULL, "C", show_cpu_whole }, { NULL, "STIME", show_start }, { NULL, "TTY", show_tty },
        { NULL, "TIME", show_time },   { NULL, "CMD", show_command },
};

static const Column bsd[] = {
        { NULL, "USER", show_user },       { NULL, "PID", show_pid },
        { NULL, "%CPU", show_cpu },        { NULL, "%MEM", show_memory },
        { NULL, "VSZ", show_virtual },     { NULL, "RSS", show_resident },
        { NULL, "TTY", show_tty },         { NULL, "STAT", show_state },
        { NULL, "START", show_start },     { NULL, "TIME", show_time_short },
        { NULL, "COMMAND", show_command },
};

/* ---- ps's arguments ---- */

typedef struct Layout {
        Column *columns;
        size_t count;
} Layout;

static void layout_add(Layout *layout, const Column *column) {
        GROW(layout->columns, layout->count);
        layout->columns[layout->count++] = *column;
}

static void layout_set(Layout *layout, const Column *list, size_t count) {
        for (size_t i = 0; i < count; i++)
                layout_add(layout, &list[i]);
}

/* "pid,comm=NAME": one header may be given, at the end. */
static int layout_words(Layout *layout, const char *text, Error *err) {
        _cleanup_strv_ char **words = str_split(text, ',');

        for (char **word = words; word && *word; word++) {
                bool known = false;

                for (size_t i = 0; i < ELEMENTS(columns) && !known; i++) {
                        known = str_equal(columns[i].word, *word);
                        if (known)
                                layout_add(layout, &columns[i]);
                }
                if (!known)
                        return error_kind(err, ERROR_INVALID,
                                          "top: ps's column '%s' is not supported", *word);
        }
        return 0;
}

static int layout_parse(const char *args, Layout *ret, Error *err) {
        static const char *const full_words[] = { "-ef", "-f", "ef", "-Af", "-fe" };
        static const char *const bsd_words[] = { "aux", "-aux", "u", "axu" };
        _cleanup_strv_ char **words = str_split(str_empty(args) ? "-ef" : args, ' ');

        for (char **word = words; word && *word; word++) {
                const char *list = str_after(*word, "-o") ?: str_after(*word, "o");
                bool known = !**word || str_equal(*word, "-e") || str_equal(*word, "-A");

                for (size_t i = 0; i < ELEMENTS(full_words) && !known; i++)
                        if ((known = str_equal(full_words[i], *word)))
                                layout_set(ret, full, ELEMENTS(full));
                for (size_t i = 0; i < ELEMENTS(bsd_words) && !known; i++)
                        if ((known = str_equal(bsd_words[i], *word)))
                                layout_set(ret, bsd, ELEMENTS(bsd));
                if (known)
                        continue;
                if (list && !*list && word[1])
                        list = *++word;
                if (!list || !*list)
                        return error_kind(err, ERROR_INVALID,
                                          "top: ps's option '%s' is not supported: use -ef, aux or "
                                          "-o with a list of columns",
                                          *word);
                int r = layout_words(ret, list, err);
                if (r < 0)
                        return r;
        }
        if (ret->count == 0)
                layout_set(ret, full, ELEMENTS(full));
        for (size_t i = 0; i < ret->count; i++)
                if (str_equal(ret->columns[i].title, "PID"))
                        return 0;
        return error_kind(err, ERROR_INTERNAL, "Couldn't find PID field in ps output");
}

/* ---- the document ---- */

static json_object *row(const Layout *layout, const Process *process) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < layout->count; i++) {
                _cleanup_free_ char *text = layout->columns[i].show(process);

                (void)json_object_array_add(array, json_object_new_string(text));
        }
        return array;
}

static void add_document(const Layout *layout, const pid_t *pids, size_t count, Buf *json) {
        json_object *object = json_object_new_object();
        json_object *processes = json_object_new_array(), *titles = json_object_new_array();
        int64_t booted = boot_time();

        for (size_t i = 0; i < count; i++) {
                Process process;

                if (!process_read(pids[i], booted, &process))
                        continue; /* it has ended */
                (void)json_object_array_add(processes, row(layout, &process));
                process_done(&process);
        }
        for (size_t i = 0; i < layout->count; i++)
                (void)json_object_array_add(titles,
                                            json_object_new_string(layout->columns[i].title));
        json_put(object, "Processes", processes);
        json_put(object, "Titles", titles);
        json_add_object(json, object);
}

static int by_number(const void *a, const void *b) {
        return *(const pid_t *)a < *(const pid_t *)b ? -1 : 1;
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
        Layout layout = { 0 };
        size_t count = 0;

        int r = container_lookup(engine, ref, &container, err);
        if (r == 0)
                r = running_check(container, err);
        if (r < 0)
                return r;
        _cleanup_free_ char *cgroup = container_cgroup(container);
        r = layout_parse(ps_args, &layout, err);
        if (r == 0)
                r = cgroup_pids(cgroup, &pids, &count, err);
        if (r == 0) {
                if (count > 1)
                        qsort(pids, count, sizeof(*pids), by_number);
                add_document(&layout, pids, count, json);
        }
        free(layout.columns);
        return r;
}
