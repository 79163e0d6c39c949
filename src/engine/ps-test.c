/* ps-test.c: ps(1)'s command lines, the columns that they stand for, and forests. */
#include "base/test.h"
#include "engine/ps.h"

/* "PID:COMMAND", and what else is asked for. */
static char *titles(const PsLayout *layout) {
        Buf text = { 0 };

        for (size_t i = 0; i < layout->count; i++)
                buf_format(&text, "%s%s", i > 0 ? ":" : "", layout->items[i].title);
        buf_add_str(&text, layout->forest ? " forest" : "");
        buf_add_str(&text, layout->threads ? " threads" : "");
        return buf_take(&text);
}

#define FULL "UID:PID:PPID:C:STIME:TTY:TIME:CMD"
#define BSD "USER:PID:%CPU:%MEM:VSZ:RSS:TTY:STAT:START:TIME:COMMAND"

TEST(what_is_taken) {
        static const struct {
                const char *args, *titles;
        } cases[] = {
                { NULL, FULL },
                { "", FULL },
                { "-ef", FULL },
                { "-e  -f", FULL },
                { "-efww", FULL },
                { "ef", FULL },
                { "-ef f", FULL " forest" },
                { "-ef --forest", FULL " forest" },
                { "-e", "PID:TTY:TIME:CMD" },
                { "-ej", "PID:PGID:SID:TTY:TIME:CMD" },
                { "-ejf", "UID:PID:PPID:PGID:SID:C:STIME:TTY:TIME:CMD" },
                { "-AF", "UID:PID:PPID:C:SZ:RSS:PSR:STIME:TTY:TIME:CMD" },
                { "-eL", "PID:LWP:TTY:TIME:CMD threads" },
                { "-eLf", "UID:PID:PPID:LWP:C:NLWP:STIME:TTY:TIME:CMD threads" },
                { "aux", BSD },
                { "-aux", BSD },
                { "u", BSD },
                { "auxf", BSD " forest" },
                { "faux", BSD " forest" },
                { "-auxf", BSD " forest" },
                { "x", "PID:TTY:STAT:TIME:COMMAND" },
                { "-x", "PID:TTY:STAT:TIME:COMMAND" },
                { "ax", "PID:TTY:STAT:TIME:COMMAND" },
                { "-o pid,comm", "PID:COMMAND" },
                { "-opid,comm", "PID:COMMAND" },
                { "o pid,comm", "PID:COMMAND" },
                { "-eo pid,comm", "PID:COMMAND" },
                { "-efo pid,comm", "PID:COMMAND" },
                { "axo pid,comm", "PID:COMMAND" },
                { "-axopid,comm", "PID:COMMAND" },
                { "-o pid -o comm", "PID:COMMAND" },
                { "-eLo pid,lwp", "PID:LWP threads" },
                { "--format pid,args --forest", "PID:COMMAND forest" },
                { "--format=pid,user:20", "PID:USER" },
                { "-o pid=,comm=NAME,user:9=WHO", ":NAME:WHO" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                PsLayout layout = { 0 };
                Error err = { 0 };

                ASSERT_OK(ps_layout_parse(cases[i].args, &layout, &err), &err);
                _cleanup_free_ char *text = titles(&layout);
                ASSERT_STR(text, cases[i].titles);
                ps_layout_done(&layout);
        }
}

TEST(what_is_refused) {
        static const struct {
                const char *args, *message;
        } cases[] = {
                { "-efZ", "option '-Z' (of '-efZ')" },
                { "-u root", "option '-u' (of '-u')" },
                { "-C sh", "option '-C'" },
                { "auxe", "option 'e' (of 'auxe')" },
                { "-auxe", "option 'e' (of '-auxe')" },
                { "--sort=pid", "option '--sort=pid'" },
                { "--", "option '--'" },
                { "-o", "'-o' wants a list of columns" },
                { "-eo", "'-o' wants a list of columns" },
                { "--format=", "'-o' wants a list of columns" },
                { "-o pid,nonsense", "column 'nonsense'" },
                { "-o pid,user:x", "column 'user:x'" },
                { "-o pid,,comm", "column ''" },
                { "-o pid args", "option 'r' (of 'args')" },
                { "-o comm", "Couldn't find PID field in ps output" },
                { "aux -o pid", "conflicting format options" },
                { "aux -f", "conflicting format options" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                PsLayout layout = { 0 };
                Error err = { 0 };

                ASSERT(ps_layout_parse(cases[i].args, &layout, &err) < 0);
                ASSERT(strstr(err.message, cases[i].message));
                ASSERT_INT(layout.count, 0);
        }
}

TEST(a_forest) {
        PsProcess processes[] = {
                { .pid = 2, .ppid = 99, .ticks = 1 },
                { .pid = 3, .ppid = 2, .ticks = 2 },
                { .pid = 4, .ppid = 7, .ticks = 3 } /* later */,
                { .pid = 5, .ppid = 3, .ticks = 4 },
                { .pid = 6, .ppid = 2, .ticks = 5 },
                { .pid = 7, .ppid = 6, .ticks = 6 },
        };
        static const struct {
                pid_t pid;
                const char *branch;
        } wanted[] = {
                { 2, "" },      { 3, " \\_ " },     { 5, " |   \\_ " },
                { 6, " \\_ " }, { 7, "     \\_ " }, { 4, "" },
        };

        ps_forest(processes, ELEMENTS(processes));
        for (size_t i = 0; i < ELEMENTS(wanted); i++) {
                ASSERT_INT(processes[i].pid, wanted[i].pid);
                ASSERT_STR(processes[i].branch, wanted[i].branch);
        }
        for (size_t i = 0; i < ELEMENTS(processes); i++)
                ps_process_done(&processes[i]);
        ps_forest(NULL, 0);
}

TEST(ourselves) {
        PsProcess process;

        ASSERT(ps_process_read(getpid(), getpid(), ps_boot_time(), &process));
        ASSERT_INT(process.ppid, getppid());
        ASSERT_INT(process.group, getpgrp());
        ASSERT_INT(process.session, getsid(0));
        ASSERT_INT(process.threads, 1);
        ASSERT_STR(process.name, "ps-test");
        ps_process_done(&process);
}

TEST_MAIN()
