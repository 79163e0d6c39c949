/* program-test.c: what a program that was started has of ours. */
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"

static char *const no_environment[] = { NULL };

/* What the script writes to the descriptor that is `theirs` in it; the caller's. */
static char *said(const char *script, SpawnFd *fds, size_t fd_count, size_t writer,
                  unsigned flags) {
        char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
        const Spawn spawn = { .program = "/bin/sh",
                              .argv = argv,
                              .environment = no_environment,
                              .fds = fds,
                              .fd_count = fd_count,
                              .flags = flags };
        _cleanup_buf_ Buf text = {};
        int pipe_fds[2], status = -1, r;
        pid_t pid;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                abort();
        fds[writer].ours = pipe_fds[1];
        r = program_spawn(&spawn, &pid);
        (void)close(pipe_fds[1]);
        buf_add(&text, "", 0);
        if (r == 0 && fd_read_all(pipe_fds[0], 4096, &text) == 0)
                (void)waitpid(pid, &status, 0);
        (void)close(pipe_fds[0]);
        return status == 0 ? buf_take(&text) : str_format("error %d, status %d", r, status);
}

TEST(descriptors_are_those_that_are_given) {
        _cleanup_close_ int leaked = open("/dev/zero", O_RDONLY); /* survives an exec */
        SpawnFd fds[] = { { -1, 1 }, { leaked, 5 }, { -1, 6 } };
        _cleanup_free_ char *text =
                said("cd /proc/self/fd; for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13; do "
                     "[ -e $i ] && echo $i $(readlink $i | sed s/:.*//); done; exit 0",
                     fds, 3, 0, 0);

        ASSERT(leaked >= 0);
        ASSERT_STR(text, "0 /dev/null\n1 pipe\n2 /dev/null\n5 /dev/zero\n");
}

/* The numbers of one are the sources of another. */
TEST(descriptors_change_places) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_close_ int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
        SpawnFd fds[] = { { -1, 1 }, { null, zero }, { zero, null } };
        _cleanup_free_ char *script =
                str_format("readlink /proc/self/fd/%d /proc/self/fd/%d", zero, null);
        _cleanup_free_ char *text = said(script, fds, 3, 0, 0);

        ASSERT(null > 1 && zero > 1);
        ASSERT_STR(text, "/dev/null\n/dev/zero\n");
}

TEST(signals_are_as_for_a_new_program) {
        SpawnFd fds[] = { { -1, 1 } };
        _cleanup_free_ char *text = NULL;
        sigset_t all, before;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, &before);
        (void)signal(SIGPIPE, SIG_IGN);
        /* Of what is ignored the C library keeps two for itself. */
        text = said("set -- $(grep -E '^Sig(Blk|Ign)' /proc/self/status); "
                    "echo $2 $((0x$4 & 0x7fffffff))",
                    fds, 1, 0, 0);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        ASSERT_STR(text, "0000000000000000 0\n");
}

TEST(groups_and_sessions) {
        static const struct {
                unsigned flags;
                const char *said;
        } cases[] = { { 0, "no no\n" },
                      { SPAWN_GROUP, "yes no\n" },
                      { SPAWN_SESSION, "yes yes\n" } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                SpawnFd fds[] = { { -1, 1 } };
                _cleanup_free_ char *text =
                        said("set -- $(cat /proc/$$/stat); g=no; s=no; [ $5 = $1 ] && g=yes; "
                             "[ $6 = $1 ] && s=yes; echo $g $s",
                             fds, 1, 0, cases[i].flags);

                ASSERT_STR(text, cases[i].said);
        }
}

TEST(what_cannot_be_started) {
        char *argv[] = { (char *)"none", NULL };
        SpawnFd fds[SPAWN_FDS_MAX + 1] = {};
        Spawn spawn = { .program = "/none", .argv = argv, .environment = no_environment };
        pid_t pid;

        ASSERT_INT(program_spawn(&spawn, &pid), -ENOENT);
        spawn.fds = fds;
        spawn.fd_count = ELEMENTS(fds);
        ASSERT_INT(program_spawn(&spawn, &pid), -E2BIG);
        fds[0] = (SpawnFd){ 1000000, 1 };
        spawn.fd_count = 1;
        ASSERT_INT(program_spawn(&spawn, &pid), -EBADF);
}

static atomic_bool over;

static void *start_many(void *data) {
        char *argv[] = { (char *)"true", NULL };
        const Spawn spawn = { .program = "/bin/true", .argv = argv, .environment = no_environment };
        pid_t pid;

        (void)data;
        while (!atomic_load(&over))
                if (program_spawn(&spawn, &pid) == 0)
                        (void)waitpid(pid, NULL, 0);
        return NULL;
}

static int bind_name(int *ret_fd) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        (void)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "brig-program-%d", getpid());
        *ret_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return bind(*ret_fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
}

/* A name that was given back is free, whatever is being started meanwhile. */
TEST(what_was_closed_is_closed) {
        pthread_t threads[3];
        int fd, refused = 0;

        for (size_t i = 0; i < ELEMENTS(threads); i++)
                ASSERT_INT(pthread_create(&threads[i], NULL, start_many, NULL), 0);
        for (int i = 0; i < 3000; i++) {
                if (bind_name(&fd) < 0)
                        refused++;
                close_fd(&fd);
                program_settle();
        }
        atomic_store(&over, true);
        for (size_t i = 0; i < ELEMENTS(threads); i++)
                (void)pthread_join(threads[i], NULL);
        ASSERT_INT(refused, 0);
}

TEST_MAIN()
