/* fake-runtime.c: the runtime library's calls for tests of the monitor: processes without
 * namespaces, root or cgroup, so that they run anywhere and under sanitizers. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/pidfd.h"
#include "runtime/runtime.h"

void runtime_container_done(RuntimeContainer *container) {
        if (container->pid > 0)
                close_fd(&container->pidfd);
        free(container->cgroup);
        *container = (RuntimeContainer){ .pidfd = -1 };
}

int runtime_protect_program(char **argv, Error *err) {
        return 0;
}

static void set_stream(int fd, int number) {
        int source = fd >= 0 ? fd : open("/dev/null", O_RDWR);

        if (dup2(source, number) < 0)
                _exit(125);
}

/* In the child: the streams, then the gate, then the program; says why over the gate if it cannot.
 */
static void become(const OciProcess *process, const ProcessIo *io, int slave, int gate_fd) {
        char byte = 0;

        (void)setsid();
        if (slave >= 0)
                (void)ioctl(slave, TIOCSCTTY, 0);
        set_stream(slave >= 0 ? slave : io->stdin_fd, 0);
        set_stream(slave >= 0 ? slave : io->stdout_fd, 1);
        set_stream(slave >= 0 ? slave : io->stderr_fd, 2);
        if (gate_fd >= 0 && read(gate_fd, &byte, 1) != 1)
                _exit(125);
        (void)execvp(process->args[0], process->args);
        byte = (char)errno;
        if (gate_fd >= 0)
                (void)!write(gate_fd, &byte, 1);
        _exit(127);
}

static int spawn(const OciProcess *process, const ProcessIo *io, int gate_fd, pid_t *ret_pid,
                 int *ret_pidfd, Error *err) {
        struct winsize size = { .ws_row = 24, .ws_col = 80 };
        _cleanup_close_ int slave = -1;

        if (process->console_size) {
                size.ws_row = (unsigned short)process->console_size->height;
                size.ws_col = (unsigned short)process->console_size->width;
        }
        if (process->terminal) {
                int master;

                if (openpty(&master, &slave, NULL, NULL, &size) < 0)
                        return error_set(err, errno, "openpty");
                *io->ret_console = master;
                (void)fcntl(master, F_SETFD, FD_CLOEXEC);
                (void)fcntl(slave, F_SETFD, FD_CLOEXEC);
        }
        *ret_pid = fork();
        if (*ret_pid == 0)
                become(process, io, slave, gate_fd);
        return pidfd_of(*ret_pid, ret_pidfd, err);
}

/* Says which flags a filter came with by refusing them. */
static int check_filter(const SeccompProgram *seccomp, Error *err) {
        return seccomp && seccomp->flags
                       ? error_kind(err, ERROR_UNSUPPORTED, "a filter of %zu bytes with flags %#x",
                                    seccomp->length, seccomp->flags)
                       : 0;
}

int container_create(const OciConfig *config, const RuntimeOptions *options, const ProcessIo *io,
                     RuntimeContainer *ret, Error *err) {
        int r = check_filter(options->seccomp, err);

        return r < 0 ? r
                     : spawn(config->process, io, options->gate_fd, &ret->pid, &ret->pidfd, err);
}

int container_release(int gate_fd, Error *err) {
        char byte = 0;

        if (write(gate_fd, &byte, 1) != 1)
                return error_set(err, errno, "open the gate");
        if (read(gate_fd, &byte, 1) == 1)
                return error_set(err, byte, "exec");
        return 0;
}

int container_exec(const OciProcess *process, pid_t init_pid, const char *cgroup,
                   const SeccompProgram *seccomp, const ProcessIo *io, bool join, pid_t *ret_pid,
                   int *ret_pidfd, Error *err) {
        if (access(process->args[0], X_OK) < 0)
                return error_set(err, errno, "exec '%s'", process->args[0]);
        if (check_filter(seccomp, err) < 0)
                return -ENOTSUP;
        return spawn(process, io, -1, ret_pid, ret_pidfd, err);
}

int container_restore(const OciConfig *config, const RuntimeOptions *options,
                      const CheckpointOptions *checkpoint, const ProcessIo *io,
                      RuntimeContainer *ret, RuntimeRestore **ret_restore, Error *err) {
        return error_kind(err, ERROR_UNSUPPORTED, "the fake runtime restores nothing");
}

int runtime_restore_finish(RuntimeRestore *restore, Error *err) {
        return error_kind(err, ERROR_UNSUPPORTED, "the fake runtime restores nothing");
}

RuntimeRestore *runtime_restore_free(RuntimeRestore *restore) {
        return NULL;
}

int container_destroy(const OciConfig *config, const RuntimeContainer *container, const char *id,
                      Error *err) {
        (void)pidfd_signal(container->pidfd, SIGKILL, NULL);
        return 0;
}
