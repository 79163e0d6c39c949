/* spawner.c: see spawner.h. A child of this small process is there in a third of the time that the
 * exec of a monitor takes (of which a static C library, asking the processor for its features, has
 * the half on a virtual machine), and does not begin with all of the daemon's descriptors. */
#include "monitor/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
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

/* Every child would have the spawner's: who learns one monitor's knows no other's. In a function
 * without one, as it would be found changed. */
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

/* The spawner's own connection goes with its number. */
static int prepare_child(int connection) {
        if (setsid() < 0 || dup3(connection, MONITOR_FD, O_CLOEXEC) < 0)
                return -errno;
        close_fd(&connection);
        return 0;
}

static void refuse(int connection, const Error *why) {
        const MonitorReply reply = { .kind = (char *)"error",
                                     .error_kind = why->kind,
                                     .message = (char *)why->message };

        (void)message_send(connection, &monitor_reply_table, &reply, NULL, 0, NULL);
}

/* 0: the request is done with, in the spawner; 1: this is the child. */
static int make_child(int connection, const Error *unfit) {
        Error err = {};
        pid_t pid;

        if (unfit) {
                refuse(connection, unfit);
                return 0;
        }
        pid = fork();
        if (pid == 0)
                return 1;
        if (pid < 0) {
                int number = errno;

                error_set(&err, number, "start a monitor%s", program_hint(number));
                refuse(connection, &err);
        }
        return 0;
}

_Noreturn void spawner_serve(char **argv, int (*monitor)(void), const Error *unfit) {
        const struct sigaction collected = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
        char words[SPAWNER_REQUEST_MAX];

        (void)prctl(PR_SET_NAME, "brig-spawner");
        (void)sigaction(SIGCHLD, &collected, NULL); /* by the kernel */
        for (;;) {
                int connection = -1;
                size_t count;
                ssize_t length =
                        fd_receive(MONITOR_FD, words, sizeof(words), &connection, 1, &count);

                if (length == -EMFILE || length == -EINTR)
                        continue;
                if (length <= 0)
                        exit(0);
                if (count == 1 && make_child(connection, unfit) == 1) {
                        show_words(argv, words, (size_t)length);
                        if (prepare_child(connection) < 0)
                                _exit(1);
                        be_monitor(monitor);
                }
                close_fd(&connection);
        }
}
