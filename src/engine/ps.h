/* ps.h: what ps(1) would show: its options read into columns, processes read from procfs. Knows
 * neither containers nor documents. Inside engine only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct PsProcess {
        pid_t pid, thread;    /* the same for a process as a whole */
        char *name, *command; /* comm; the whole command line */
        char *branch;         /* of the forest, before the command; may be NULL */
        char state;
        int64_t ppid, group, session, tty, threads, priority, nice, virtual_kib, resident_kib;
        int64_t processor;
        int64_t ticks;   /* the start, in the clock's ticks since the boot */
        int64_t started; /* seconds since 1970 */
        int64_t cpu;     /* seconds used */
        int64_t lived;   /* seconds */
        uid_t uid;
        gid_t gid;
} PsProcess;
void ps_process_done(PsProcess *process);
/* When the host was booted, in seconds since 1970, which ps_process_read wants. */
int64_t ps_boot_time(void);
/* A thread of it, or with its own number all of it. False: it has ended. */
bool ps_process_read(pid_t pid, pid_t thread, int64_t booted, PsProcess *ret);
/* Orders them as a forest and gives them their branches; they are in the order of their numbers. */
void ps_forest(PsProcess *processes, size_t count);

typedef char *(*PsShow)(const PsProcess *process); /* the caller's */
typedef struct PsColumn {
        const char *word, *title; /* as -o names it; the header */
        PsShow show;
} PsColumn;
/* NULL: there is none of that name. */
const PsColumn *ps_column_find(const char *word);
bool ps_column_is_pid(const PsColumn *column);

typedef struct PsLayout {
        struct {
                const PsColumn *column;
                char *title;
        } * items;
        size_t count;
        bool forest, threads; /* drawn as one; a row for each thread */
} PsLayout;
void ps_layout_done(PsLayout *layout);
/* From the words of ps's command line, parted by blanks; none: those of -ef. invalid: one that is
 * not supported, by its name. */
int ps_layout_parse(const char *args, PsLayout *ret, Error *err);
