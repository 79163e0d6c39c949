/* pidfd.c: pidfd_open(2), pidfd_send_signal(2), waitid(2) with P_PIDFD, and start times from
 * procfs. */
#include "os/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define KILL_TIMEOUT (10 * NSEC_PER_SEC)

static PidfdKeeper keeper; /* of what pidfd_wait_or_kill gives up; NULL: nobody */
static void *keeper_data;

int pidfd_of(pid_t pid, int *ret_fd, Error *err) {
        int fd = pidfd_open(pid, 0);

        if (fd < 0)
                return error_set(err, errno == ESRCH ? ENOENT : errno, "process %d", (int)pid);
        *ret_fd = fd;
        return 0;
}

int pidfd_of_child(pid_t pid, int *ret_fd, Error *err) {
        int r = pidfd_of(pid, ret_fd, err);

        if (r == 0)
                return 0;
        (void)kill(pid, SIGKILL); /* unreaped, so the number is its own */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

int pidfd_signal(int pidfd, int signal, Error *err) {
        if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
                return 0;
        if (errno == ESRCH)
                return error_kind(err, ERROR_NOT_FOUND, "process already finished");
        return error_set(err, errno, "send signal %d", signal);
}

/* siginfo's code and status as waitpid(2) would have put them. */
static int status_of(const siginfo_t *info) {
        if (info->si_code == CLD_EXITED)
                return (info->si_status & 0xff) << 8;
        return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

int pidfd_wait(int pidfd, int *ret_status, Error *err) {
        siginfo_t info = {};
        int r;

        do
                r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return error_set(err, errno, "wait for a process");
        if (ret_status)
                *ret_status = status_of(&info);
        return 0;
}

int pidfd_wait_end(int pidfd, int64_t timeout) {
        int64_t end = timeout < 0 ? -1 : clock_monotonic() + timeout;
        struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

        for (;;) {
                int64_t left = end < 0 ? -1 : MAX(end - clock_monotonic(), 0);
                struct timespec limit = { .tv_sec = left / NSEC_PER_SEC,
                                          .tv_nsec = left % NSEC_PER_SEC };
                int r = ppoll(&poll_fd, 1, left < 0 ? NULL : &limit, NULL);

                if (r > 0)
                        return 0;
                if (r == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

/* Of one that has ended. Whom another process traces is reaped by that one first. */
static int reap_ended(int pidfd, int *ret_status, Error *err) {
        siginfo_t info = {};

        if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
                return error_set(err, errno, "wait for a process");
        if (info.si_pid == 0)
                return error_set(err, ETIMEDOUT,
                                 "a process has ended and is held by another that traces it: end "
                                 "that one");
        *ret_status = status_of(&info);
        return 0;
}

bool pidfd_reap(int pidfd) {
        siginfo_t info = {};

        return waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 ||
               info.si_pid != 0;
}

void pidfd_set_keeper(PidfdKeeper new_keeper, void *data) {
        keeper = new_keeper;
        keeper_data = data;
}

static void give_to_keeper(int *pidfd) {
        if (keeper)
                keeper(keeper_data, TAKE_FD(*pidfd));
}

static int give_up(int *pidfd, Error *err) {
        give_to_keeper(pidfd);
        return error_set(err, ETIMEDOUT,
                         "a process does not end, though it was killed: it is stuck in the kernel, "
                         "as on a disk that does not answer");
}

int pidfd_wait_or_kill(int *pidfd, int64_t timeout, int *ret_status, Error *err) {
        int late = pidfd_wait_end(*pidfd, timeout), r;

        if (late < 0) {
                (void)pidfd_signal(*pidfd, SIGKILL, NULL);
                if (pidfd_wait_end(*pidfd, KILL_TIMEOUT) < 0)
                        return give_up(pidfd, err);
        }
        r = reap_ended(*pidfd, ret_status, err);
        if (r == -ETIMEDOUT)
                give_to_keeper(pidfd);
        return r < 0 || late == 0 ? r
                                  : error_set(err, -late, "a process did not end in %lld seconds",
                                              (long long)(timeout / NSEC_PER_SEC));
}

int process_start_time(pid_t pid, uint64_t *ret, Error *err) {
        _cleanup_free_ char *text = NULL, *number = NULL;
        char path[40], *field;
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        r = file_read_at(AT_FDCWD, path, 4096, &text, NULL, err);
        if (r < 0)
                return r;
        /* Field 2 is the command in parentheses and may hold anything; what follows the last ')'
         * starts with field 3. */
        field = strrchr(text, ')');
        for (int i = 2; field && i < 22; i++) {
                field = strchr(field, ' ');
                if (field)
                        field++;
        }
        if (!field)
                return error_kind(err, ERROR_INTERNAL, "%s: has no start time", path);
        number = str_copy_n(field, strcspn(field, " "));
        r = str_to_uint64(number, ret);
        return r < 0 ? error_set(err, -r, "%s: start time", path) : 0;
}
