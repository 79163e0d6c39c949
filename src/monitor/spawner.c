/* spawner.c: see spawner.h. A child of this small process is there in a third of the time that the
 * exec of a monitor takes (of which a static C library, asking the processor for its features, has
 * the half on a virtual machine), and does not begin with all of the daemon's descriptors. */
#include "monitor/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/program.h"
#include "monitor/message.h"
#include "monitor/protocol.h"

/* The words of argv lie one behind the other; what does not fit is cut off. */
static void show_words(char **argv, const char *words, size_t length) {
        static const char name[] = "brig-monitor";
        char *last = argv[0], *end;

        for (char **word = argv; *word; word++)
                last = *word;
        end = last + strlen(last);
        memset(argv[0], 0, (size_t)(end - argv[0]));
        for (size_t i = 0; i < sizeof(name) + length && argv[0] + i < end; i++)
                argv[0][i] = i < sizeof(name) ? name[i] : words[i - sizeof(name)];
}

/* Every child would have the spawner's, and who learns one monitor's know all. (Where the kernel
 * puts stack and heap they share.) In a function without one, as it would be found changed. */
__attribute__((no_stack_protector)) static void change_stack_canary(void) {
#ifdef __x86_64__
        uintptr_t canary;

        if (getrandom(&canary, sizeof(canary), GRND_NONBLOCK) != sizeof(canary))
                return;
        canary &= ~(uintptr_t)0xff; /* a string ends before it, as glibc has it */
        __asm__ volatile("movq %0, %%fs:0x28" : : "r"(canary) : "memory");
#endif
}

/* No function that is under way returns any more. */
_Noreturn __attribute__((no_stack_protector)) static void be_monitor(int (*monitor)(void)) {
        change_stack_canary();
        exit(monitor());
}

/* The spawner's own connection goes with its number. A daemon that waits no more has given the
 * start up, and may have gone on to another. */
static int prepare_child(int connection) {
        const MonitorReply begun = { .kind = (char *)"begun" };

        if (setsid() < 0 || dup3(connection, MONITOR_FD, O_CLOEXEC) < 0)
                return -errno;
        close_fd(&connection);
        return message_send(MONITOR_FD, &monitor_reply_table, &begun, NULL, 0, NULL);
}

static void refuse(int connection, const Error *why) {
        const MonitorReply reply = { .kind = (char *)"error",
                                     .error_kind = why->kind,
                                     .message = (char *)why->message };

        (void)message_send(connection, &monitor_reply_table, &reply, NULL, 0, NULL);
}

/* True in the child. The call itself, as the runtime makes it: with fork(3) TSan begins a thread in
 * the child, whose locks the container's init would find taken. */
static bool make_child(int connection) {
        struct clone_args plain = { .exit_signal = SIGCHLD };
        Error err = {};
        long pid = syscall(SYS_clone3, &plain, sizeof(plain));

        if (pid < 0) {
                int number = errno;

                error_set(&err, number, "start a monitor%s", program_hint(number));
                refuse(connection, &err);
        }
        return pid == 0;
}

/* What asks a daemon to end, or to read its settings, does not end its monitors, nor what is to
 * become one. */
static void set_signals(void) {
        static const int ignored[] = { SIGHUP, SIGINT, SIGTERM };
        const struct sigaction collected = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

        (void)sigaction(SIGCHLD, &collected, NULL); /* by the kernel */
        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                (void)signal(ignored[i], SIG_IGN); /* until a monitor catches them */
}

/* A daemon of before there were spawners has sent a monitor's start message: it can be told. */
static void refuse_other_version(int *fds, size_t count) {
        Error err = {};

        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        error_kind(&err, ERROR_UNAVAILABLE,
                   "brig-monitor is of another brig than the daemon: restart brigd");
        refuse(MONITOR_FD, &err);
}

_Noreturn void spawner_serve(char **argv, int (*monitor)(void), const Error *unfit) {
        static char words[SPAWNER_REQUEST_MAX];
        int fds[2];
        size_t count;
        ssize_t length;

        (void)prctl(PR_SET_NAME, "brig-spawner");
        set_signals();
        while ((length = fd_receive(MONITOR_FD, words, sizeof(words), fds, ELEMENTS(fds), &count)) >
                       0 ||
               length == -EMFILE) {
                if (length < 0)
                        continue; /* that connection is closed */
                if (count != 1) {
                        refuse_other_version(fds, count);
                        break;
                }
                if (unfit) {
                        refuse(fds[0], unfit);
                        (void)fd_set_nonblocking(MONITOR_FD, true); /* the next one may be fit */
                } else if (make_child(fds[0])) {
                        show_words(argv, words, (size_t)length);
                        if (prepare_child(fds[0]) < 0)
                                _exit(1);
                        be_monitor(monitor);
                }
                close_fd(&fds[0]);
        }
        exit(0);
}
