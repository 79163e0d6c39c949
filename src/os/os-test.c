/* os-test.c: control groups' paths, procfs, processes by descriptor. What needs mounts is tested by
 * tests/runtime.bats. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"
#include "os/cgroup.h"
#include "os/child-reaper.h"
#include "os/layer-lock.h"
#include "os/pidfd.h"
#include "os/procfs.h"

/* It does nothing until it is killed, and ends with this process. */
static pid_t idle_child(void) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)pause();
        _exit(0);
}

TEST(cgroup_paths_are_checked) {
        static const char *const bad[] = { "relative", "/a/../b", "/..", "/a/./b", "" };
        Error err = {};
        CgroupMode mode;

        if (cgroup_mode(&mode, &err) < 0)
                return; /* a root without control groups: nothing to check paths against */
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                ASSERT_INT(cgroup_create(bad[i], &err), -EINVAL);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
        ASSERT(cgroup_remove("/", &err) < 0);
}

TEST(a_missing_cgroup_is_removed_and_killed) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 1;
        Error err = {};
        CgroupMode mode;

        if (cgroup_mode(&mode, &err) < 0)
                return; /* as above */
        ASSERT_OK(cgroup_kill("/brig-os-test-nonesuch", 0, &err), &err);
        ASSERT_OK(cgroup_remove("/brig-os-test-nonesuch", &err), &err);
        ASSERT_OK(cgroup_pids("/brig-os-test-nonesuch", &pids, &count, &err), &err);
        ASSERT_INT(count, 0);
        ASSERT(!cgroup_has("/brig-os-test-nonesuch", "memory"));
}

TEST(procfs_is_read_below_its_root_only) {
        _cleanup_close_ int proc_fd = -1;
        _cleanup_free_ char *text = NULL;
        Error err = {};

        ASSERT_OK(procfs_open(&proc_fd, &err), &err);
        ASSERT_OK(procfs_read(proc_fd, "self/oom_score_adj", &text, &err), &err);
        ASSERT(procfs_read(proc_fd, "self/cwd/x", &text, &err) < 0);
        ASSERT(procfs_read(proc_fd, "../etc/passwd", &text, &err) < 0);
        ASSERT(procfs_write(proc_fd, "self/exe", "x", &err) < 0);
}

TEST(a_child_is_waited_for_by_descriptor) {
        int pidfd = -1, status = -1;
        uint64_t start = 0;
        Error err = {};
        pid_t pid = idle_child();

        ASSERT_OK(pidfd_of(pid, &pidfd, &err), &err);
        ASSERT_OK(process_start_time(pid, &start, &err), &err);
        ASSERT(start > 0);
        ASSERT_INT(pidfd_wait_end(pidfd, 0), -ETIMEDOUT);
        ASSERT_OK(pidfd_signal(pidfd, SIGKILL, &err), &err);
        ASSERT_INT(pidfd_wait_end(pidfd, -1), 0);
        ASSERT_OK(pidfd_wait(pidfd, &status, &err), &err);
        ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        ASSERT_INT(pidfd_signal(pidfd, SIGKILL, &err), -ENOENT);
        close_fd(&pidfd);
}

TEST(a_child_that_does_not_end_is_killed_and_reaped) {
        int pidfd = -1, status = -1;
        Error err = {};
        pid_t pid = idle_child();

        ASSERT_OK(pidfd_of(pid, &pidfd, &err), &err);
        ASSERT_INT(pidfd_wait_or_kill(&pidfd, 1000000, &status, &err), -ETIMEDOUT);
        ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        ASSERT_INT(waitpid(pid, NULL, WNOHANG), -1);
        close_fd(&pidfd);
}

TEST(a_child_without_a_descriptor_is_killed_and_reaped) {
        struct rlimit limit, none;
        int pidfd = -1, r;
        Error err = {};
        pid_t pid = idle_child();

        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = pidfd_of_child(pid, &pidfd, &err);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ASSERT_INT(r, -EMFILE);
        ASSERT_INT(pidfd, -1);
        ASSERT_INT(waitpid(pid, NULL, WNOHANG), -1);
}

/* Holds a process by tracing it, never waits for it; says so by a byte. */
static pid_t start_tracer(pid_t traced, int write_fd) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        if (ptrace(PTRACE_SEIZE, traced, NULL, NULL) == 0)
                (void)!write(write_fd, "x", 1);
        close_fd(&write_fd);
        (void)pause();
        _exit(0);
}

TEST(who_cannot_be_reaped_is_not_waited_for) {
        int pidfd = -1, status = -1, ends[2];
        Error err = {};
        pid_t pid = idle_child(), tracer;
        char byte;

        ASSERT_OK(pidfd_of(pid, &pidfd, &err), &err);
        ASSERT_INT(pipe2(ends, O_CLOEXEC), 0);
        tracer = start_tracer(pid, ends[1]);
        close_fd(&ends[1]);
        ASSERT_INT(read(ends[0], &byte, 1), 1);
        ASSERT_INT(pidfd_wait_or_kill(&pidfd, 1000000, &status, &err), -ETIMEDOUT);
        ASSERT_INT(status, -1);
        ASSERT(strstr(err.message, "held by another that traces it"));
        ASSERT_INT(kill(tracer, SIGKILL), 0);
        ASSERT_INT(waitpid(tracer, NULL, 0), tracer);
        ASSERT_INT(waitpid(pid, &status, 0), pid);
        ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close_fd(&pidfd);
        close_fd(&ends[0]);
}

/* Steps of the loop until it waits for none. */
static void run_to_the_last(Loop *loop, const ChildReaper *reaper) {
        int64_t end = clock_monotonic() + 30 * NSEC_PER_SEC;
        Error err = {};

        while (child_reaper_count(reaper) > 0 && clock_monotonic() < end)
                ASSERT_OK(loop_step(loop, 1000, &err), &err);
        ASSERT_INT(child_reaper_count(reaper), 0);
}

/* This process gets no other. */
static void limit_descriptors(bool on) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                abort();
        limit.rlim_cur = on ? 1 : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                abort();
}

TEST(who_could_not_be_reaped_is_reaped_later) {
        _cleanup_(loop_freep) Loop *loop = NULL;
        int pidfd = -1, status = -1, ends[2];
        _cleanup_(child_reaper_freep) ChildReaper *reaper = NULL;
        Error err = {};
        pid_t pid = idle_child(), tracer;
        char byte;

        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(child_reaper_new(loop, &reaper, &err), &err);
        ASSERT_OK(pidfd_of(pid, &pidfd, &err), &err);
        ASSERT_INT(pipe2(ends, O_CLOEXEC), 0);
        tracer = start_tracer(pid, ends[1]);
        close_fd(&ends[1]);
        ASSERT_INT(read(ends[0], &byte, 1), 1);
        close_fd(&ends[0]);
        limit_descriptors(true);
        ASSERT_INT(pidfd_wait_or_kill(&pidfd, 1000000, &status, &err), -ETIMEDOUT);
        limit_descriptors(false);
        ASSERT_INT(pidfd, -1);
        /* The tracer has it still. */
        ASSERT_OK(loop_step(loop, 0, &err), &err);
        ASSERT_INT(child_reaper_count(reaper), 1);
        ASSERT_INT(kill(tracer, SIGKILL), 0);
        ASSERT_INT(waitpid(tracer, NULL, 0), tracer);
        run_to_the_last(loop, reaper);
        ASSERT_INT(waitpid(pid, NULL, WNOHANG), -1);
        ASSERT_INT(errno, ECHILD);
}

TEST(who_has_not_ended_is_reaped_when_it_does) {
        _cleanup_(loop_freep) Loop *loop = NULL;
        _cleanup_(child_reaper_freep) ChildReaper *reaper = NULL;
        int pidfd = -1;
        Error err = {};
        pid_t pid = idle_child();

        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(child_reaper_new(loop, &reaper, &err), &err);
        ASSERT_OK(pidfd_of(pid, &pidfd, &err), &err);
        child_reaper_take(reaper, TAKE_FD(pidfd));
        ASSERT_OK(loop_step(loop, 0, &err), &err);
        ASSERT_OK(loop_step(loop, 0, &err), &err);
        ASSERT_INT(child_reaper_count(reaper), 1);
        ASSERT_INT(kill(pid, SIGKILL), 0);
        run_to_the_last(loop, reaper);
        ASSERT_INT(waitpid(pid, NULL, WNOHANG), -1);
        ASSERT_INT(errno, ECHILD);
}

static void count_step(void *data, int fd, uint32_t events) {
        (void)fd;
        (void)events;
        ++*(int *)data;
}

/* What else is in the loop may need what is gone by then. */
TEST(a_reaper_ends_without_a_step) {
        _cleanup_(loop_freep) Loop *loop = NULL;
        _cleanup_(child_reaper_freep) ChildReaper *reaper = NULL;
        int pidfds[2] = { -1, -1 }, steps = 0;
        Error err = {};
        pid_t pid = idle_child();

        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(child_reaper_new(loop, &reaper, &err), &err);
        for (size_t i = 0; i < ELEMENTS(pidfds); i++) {
                ASSERT_OK(pidfd_of(pid, &pidfds[i], &err), &err);
                child_reaper_take(reaper, pidfds[i]);
                if (i == 0) /* the other was only given */
                        ASSERT_OK(loop_step(loop, 0, &err), &err);
        }
        ASSERT_INT(kill(pid, SIGKILL), 0);
        ASSERT_INT(waitpid(pid, NULL, 0), pid);
        ASSERT_OK(loop_add_fd(loop, pidfds[1], EPOLLIN, count_step, &steps, NULL, &err), &err);
        reaper = child_reaper_free(reaper);
        ASSERT_INT(steps, 0);
        for (size_t i = 0; i < ELEMENTS(pidfds); i++)
                ASSERT_INT(fcntl(pidfds[i], F_GETFD), -1);
}

TEST(mount_points_of_the_kernels_table) {
        static const char *const rows[][2] = {
                { "/a\\040b\\134c\\011", "/a b\\c\t" },
                { "/plain", "/plain" },
                { "/\\04", "/\\04" },
                { "/\\9990\\", "/\\9990\\" },
                { "/\\303\\244", "/\303\244" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text = str_copy(rows[i][0]);

                mountinfo_unescape(text);
                ASSERT_STR(text, rows[i][1]);
        }
}

TEST_MAIN()

TEST(a_layer_is_waited_for_within_bounds) {
        char path[] = "/tmp/brig-layer-test.XXXXXX";
        _cleanup_close_ int one = -1, other = -1;
        int pair[2];
        Error err;

        ASSERT(mkdtemp(path));
        one = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_INT(rmdir(path), 0);
        ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        ASSERT_OK(layer_lock(one, -1, 0, &err), &err);
        ASSERT_OK(layer_lock(other, pair[0], 20, &err), &err); /* goes on without */
        ASSERT_INT(flock(other, LOCK_SH | LOCK_NB), -1);
        ASSERT_INT(close(pair[1]), 0);
        ASSERT_INT(layer_lock(other, pair[0], 60000, &err), -ECANCELED);
        close_fd(&one);
        ASSERT_OK(layer_lock(other, pair[0], 0, &err), &err);
        ASSERT_INT(close(pair[0]), 0);
}
