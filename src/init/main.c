/* brig-init: what `--init` puts at pid 1 of a container, at /sbin/docker-init: it starts the user's
 * program, passes every signal on to it, reaps what is orphaned, and ends as the program ended. It
 * is the whole of this folder and uses nothing of the others. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_CANNOT_EXEC = 126, EXIT_NOT_FOUND = 127 };

/* Signals that a fault of init's own raises: never blocked, never passed on. */
static const int own_faults[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS };

static void block_signals(sigset_t *blocked, sigset_t *old) {
        (void)sigfillset(blocked);
        for (size_t i = 0; i < sizeof(own_faults) / sizeof(own_faults[0]); i++)
                (void)sigdelset(blocked, own_faults[i]);
        (void)sigprocmask(SIG_SETMASK, blocked, old);
        /* A write to the terminal from a background group must not stop init. */
        (void)signal(SIGTTIN, SIG_IGN);
        (void)signal(SIGTTOU, SIG_IGN);
}

/* The program leads a group of its own, in the terminal's foreground if there is a terminal, so
 * that Ctrl-C reaches it once. */
static _Noreturn void run_program(char **argv, const sigset_t *mask) {
        int number;

        (void)setpgid(0, 0);
        if (tcsetpgrp(STDIN_FILENO, getpid()) < 0 && errno != ENOTTY && errno != ENXIO &&
            errno != EBADF)
                (void)fprintf(stderr, "brig-init: cannot take the terminal: %s\n", strerror(errno));
        (void)signal(SIGTTIN, SIG_DFL);
        (void)signal(SIGTTOU, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(argv[0], argv);
        number = errno;
        (void)fprintf(stderr, "brig-init: exec %s: %s\n", argv[0], strerror(number));
        _exit(number == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC);
}

/* Reaps all that have ended; returns the program's exit code, or -1 while it runs. */
static int reap(pid_t program) {
        int status;

        for (;;) {
                pid_t pid = waitpid(-1, &status, WNOHANG);

                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid <= 0)
                        return -1;
                if (pid != program)
                        continue;
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
}

int main(int argc, char **argv) {
        sigset_t blocked, old;
        pid_t program;
        int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;

        if (argc <= first) {
                (void)fputs("usage: brig-init [--] PROGRAM [ARGUMENT...]\n", stderr);
                return EXIT_USAGE;
        }
        block_signals(&blocked, &old);
        program = fork();
        if (program < 0) {
                (void)fprintf(stderr, "brig-init: fork: %s\n", strerror(errno));
                return EXIT_CANNOT_EXEC;
        }
        if (program == 0)
                run_program(argv + first, &old);
        for (;;) {
                siginfo_t info;
                int code;

                if (sigwaitinfo(&blocked, &info) < 0)
                        continue; /* EINTR: stopped and continued */
                if (info.si_signo != SIGCHLD) {
                        (void)kill(program, info.si_signo);
                        continue;
                }
                code = reap(program);
                if (code >= 0)
                        return code;
        }
}
