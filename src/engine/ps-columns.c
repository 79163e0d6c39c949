/* ps-columns.c: what each column of ps(1) tells of a process, by the names that its -o takes. */
#include <pwd.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/str.h"
#include "engine/ps.h"

#define SECONDS_A_DAY 86400

static char *user_name(uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
                return str_copy(found->pw_name);
        return str_format("%u", uid);
}

static char *show_user(const PsProcess *p) {
        return user_name(p->uid);
}
static char *show_uid(const PsProcess *p) {
        return str_format("%u", p->uid);
}
static char *show_gid(const PsProcess *p) {
        return str_format("%u", p->gid);
}
static char *show_thread(const PsProcess *p) {
        return str_format("%d", p->thread);
}
static char *show_group(const PsProcess *p) {
        return str_format("%lld", (long long)p->group);
}
static char *show_session(const PsProcess *p) {
        return str_format("%lld", (long long)p->session);
}
static char *show_processor(const PsProcess *p) {
        return str_format("%lld", (long long)p->processor);
}
static char *show_pages(const PsProcess *p) {
        return str_format("%lld", (long long)(p->virtual_kib * 1024 / sysconf(_SC_PAGESIZE)));
}
static char *show_pid(const PsProcess *p) {
        return str_format("%d", p->pid);
}
static char *show_ppid(const PsProcess *p) {
        return str_format("%lld", (long long)p->ppid);
}
static char *show_cpu_whole(const PsProcess *p) {
        return str_format("%lld", (long long)(p->lived > 0 ? p->cpu * 100 / p->lived : 0));
}
static char *show_cpu(const PsProcess *p) {
        double share = p->lived > 0 ? (double)p->cpu * 100 / (double)p->lived : 0;

        return str_format("%.1f", share);
}
static char *show_memory(const PsProcess *p) {
        double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1024;

        return str_format("%.1f", (double)p->resident_kib * 100 / all);
}
static char *show_start(const PsProcess *p) {
        time_t when = (time_t)p->started, now = time(NULL);
        struct tm parts, today;
        char text[16] = "";

        (void)localtime_r(&when, &parts);
        (void)localtime_r(&now, &today);
        (void)strftime(text, sizeof(text), now - when < SECONDS_A_DAY ? "%H:%M" : "%b%d", &parts);
        return str_copy(text);
}
/* Major and minor number are packed as in proc_pid_stat(5). */
static char *show_tty(const PsProcess *p) {
        int64_t number_major = (p->tty >> 8) & 0xfff,
                number_minor = (p->tty & 0xff) | ((p->tty >> 12) & 0xfff00);

        if (number_major == 136)
                return str_format("pts/%lld", (long long)number_minor);
        return str_copy("?");
}
static char *show_time(const PsProcess *p) {
        return str_format("%02lld:%02lld:%02lld", (long long)(p->cpu / 3600),
                          (long long)(p->cpu / 60 % 60), (long long)(p->cpu % 60));
}
static char *show_time_short(const PsProcess *p) {
        return str_format("%lld:%02lld", (long long)(p->cpu / 60), (long long)(p->cpu % 60));
}
static char *show_elapsed(const PsProcess *p) {
        if (p->lived >= 3600)
                return str_format("%02lld:%02lld:%02lld", (long long)(p->lived / 3600),
                                  (long long)(p->lived / 60 % 60), (long long)(p->lived % 60));
        return str_format("%02lld:%02lld", (long long)(p->lived / 60), (long long)(p->lived % 60));
}
static char *show_elapsed_seconds(const PsProcess *p) {
        return str_format("%lld", (long long)p->lived);
}
static char *show_seconds(const PsProcess *p) {
        return str_format("%lld", (long long)p->cpu);
}
static char *show_state(const PsProcess *p) {
        return str_format("%c%s", p->state, p->threads > 1 ? "l" : "");
}
static char *show_virtual(const PsProcess *p) {
        return str_format("%lld", (long long)p->virtual_kib);
}
static char *show_resident(const PsProcess *p) {
        return str_format("%lld", (long long)p->resident_kib);
}
static char *show_nice(const PsProcess *p) {
        return str_format("%lld", (long long)p->nice);
}
static char *show_priority(const PsProcess *p) {
        return str_format("%lld", (long long)p->priority);
}
static char *show_threads(const PsProcess *p) {
        return str_format("%lld", (long long)p->threads);
}
static char *show_name(const PsProcess *p) {
        return str_format("%s%s", p->branch ?: "", p->name);
}
static char *show_command(const PsProcess *p) {
        return str_format("%s%s", p->branch ?: "", p->command);
}

static const PsColumn columns[] = {
        { "user", "USER", show_user },
        { "uname", "USER", show_user },
        { "euser", "EUSER", show_user },
        { "uid", "UID", show_uid },
        { "gid", "GID", show_gid },
        { "pid", "PID", show_pid },
        { "ppid", "PPID", show_ppid },
        { "pgid", "PGID", show_group },
        { "pgrp", "PGRP", show_group },
        { "sid", "SID", show_session },
        { "sess", "SESS", show_session },
        { "lwp", "LWP", show_thread },
        { "tid", "TID", show_thread },
        { "spid", "SPID", show_thread },
        { "c", "C", show_cpu_whole },
        { "pcpu", "%CPU", show_cpu },
        { "%cpu", "%CPU", show_cpu },
        { "pmem", "%MEM", show_memory },
        { "%mem", "%MEM", show_memory },
        { "stime", "STIME", show_start },
        { "start_time", "START", show_start },
        { "start", "START", show_start },
        { "tty", "TT", show_tty },
        { "tt", "TT", show_tty },
        { "time", "TIME", show_time },
        { "cputime", "TIME", show_time },
        { "bsdtime", "TIME", show_time_short },
        { "times", "TIME", show_seconds },
        { "etimes", "ELAPSED", show_elapsed_seconds },
        { "etime", "ELAPSED", show_elapsed },
        { "stat", "STAT", show_state },
        { "state", "S", show_state },
        { "s", "S", show_state },
        { "vsz", "VSZ", show_virtual },
        { "rss", "RSS", show_resident },
        { "vsize", "VSZ", show_virtual },
        { "sz", "SZ", show_pages },
        { "psr", "PSR", show_processor },
        { "ni", "NI", show_nice },
        { "nice", "NI", show_nice },
        { "pri", "PRI", show_priority },
        { "nlwp", "NLWP", show_threads },
        { "thcount", "THCNT", show_threads },
        { "comm", "COMMAND", show_name },
        { "ucmd", "CMD", show_name },
        { "cmd", "CMD", show_command },
        { "args", "COMMAND", show_command },
        { "command", "COMMAND", show_command },
};

const PsColumn *ps_column_find(const char *word) {
        for (size_t i = 0; i < ELEMENTS(columns); i++)
                if (str_equal(columns[i].word, word))
                        return &columns[i];
        return NULL;
}

bool ps_column_is_pid(const PsColumn *column) {
        return column->show == show_pid;
}
