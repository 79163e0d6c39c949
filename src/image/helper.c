/* helper.c: see helper.h. */
#include "image/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "image/message.h"

/* Descriptors are copied to numbers that no target has, so that one dup2 can't take another's
 * source. */
#define SOURCE_MIN 16

static void actions_donep(posix_spawn_file_actions_t *actions) {
        (void)posix_spawn_file_actions_destroy(actions);
}

static void attributes_donep(posix_spawnattr_t *attributes) {
        (void)posix_spawnattr_destroy(attributes);
}

static int set_attributes(posix_spawnattr_t *attributes) {
        sigset_t none, all;

        (void)sigemptyset(&none);
        (void)sigfillset(&all);
        if (posix_spawnattr_setsigmask(attributes, &none) != 0 ||
            posix_spawnattr_setsigdefault(attributes, &all) != 0)
                return -EINVAL;
        return -posix_spawnattr_setflags(attributes,
                                         POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Nothing else that the daemon has open: who started it may have left it more than it knows of. */
static int add_closes(posix_spawn_file_actions_t *actions, const HelperFd *fds, size_t fd_count) {
        int r = 0;

        for (int fd = IMAGE_FD_SOCKET; r == 0 && fd <= IMAGE_FD_LAST; fd++) {
                bool taken = false;

                for (size_t i = 0; i < fd_count; i++)
                        taken |= fds[i].theirs == fd;
                if (!taken)
                        r = -posix_spawn_file_actions_addclose(actions, fd);
        }
        return r < 0 ? r : -posix_spawn_file_actions_addclosefrom_np(actions, IMAGE_FD_LAST + 1);
}

static int spawn(const char *program, const char *job, const HelperFd *fds, size_t fd_count,
                 pid_t *ret) {
        char *argv[] = { (char *)"brig-image", (char *)job, NULL };
        char *environment[] = { (char *)"LC_CTYPE=C.UTF-8", NULL };
        _cleanup_(actions_donep) posix_spawn_file_actions_t actions;
        _cleanup_(attributes_donep) posix_spawnattr_t attributes;
        int r;

        if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
                abort();
        r = set_attributes(&attributes);
        for (size_t i = 0; r == 0 && i < fd_count; i++)
                r = -posix_spawn_file_actions_adddup2(&actions, fds[i].ours, fds[i].theirs);
        if (r == 0)
                r = add_closes(&actions, fds, fd_count);
        if (r < 0)
                return r;
        return -posix_spawn(ret, program, &actions, &attributes, argv, environment);
}

int helper_start(const char *program, const char *job, const HelperFd *fds, size_t fd_count,
                 Helper *ret, Error *err) {
        HelperFd copies[8];
        size_t count = 0;
        int pair[2], r = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        copies[count++] = (HelperFd){ pair[1], IMAGE_FD_SOCKET };
        for (size_t i = 0; i < fd_count && count < ELEMENTS(copies); i++)
                if (fds[i].ours >= 0)
                        copies[count++] = fds[i];
        for (size_t i = 0; i < count; i++) {
                copies[i].ours = fcntl(copies[i].ours, F_DUPFD_CLOEXEC, SOURCE_MIN);
                if (copies[i].ours < 0)
                        r = -errno;
        }
        if (r == 0)
                r = spawn(program, job, copies, count, &ret->pid);
        for (size_t i = 0; i < count; i++)
                close_fd(&copies[i].ours);
        (void)close(pair[1]);
        if (r < 0) {
                (void)close(pair[0]);
                return error_set(err, -r, "start '%s %s'", program, job);
        }
        ret->socket = pair[0];
        return 0;
}

void helper_end(Helper *helper) {
        if (helper->pid <= 0)
                return;
        close_fd(&helper->socket);
        (void)kill(helper->pid, SIGKILL); /* it has said all that is wanted; unreaped, so the pid is
                                             still its own */
        while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        *helper = (Helper){ .socket = -1 };
}
