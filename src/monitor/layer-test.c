/* layer-test.c: what a container wrote is unmounted by its monitor, after its end was told and
 * before its next run. */
#include <sys/file.h>

#include "monitor/test-host.h"

/* Whether the lock comes free in time; it is the caller's then. */
static bool comes_free(int fd) {
        int64_t deadline = clock_monotonic() + WAIT_MAX;

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (clock_monotonic() > deadline)
                        return false;
                (void)poll(NULL, 0, 5);
        }
        return true;
}

/* Until it has the layer a monitor touches nothing that the run before may still have. */
static bool has_begun(const Host *host) {
        return faccessat(host->state_fd, MONITOR_EXIT_FILE ".new", F_OK, 0) == 0 ||
               faccessat(host->run_fd, MONITOR_SOCKET, F_OK, 0) == 0;
}

TEST(a_run_waits_until_the_last_ones_layer_is_unmounted) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int upper = -1;

        ASSERT_OK(host_open(&host, "exit 3", false, &err), &err);
        str_replace(&host.start.upper, "upper");
        ASSERT_OK(dir_open_at(host.directory_fd, "upper", 0, &upper, &err), &err);
        ASSERT_INT(flock(upper, LOCK_EX), 0); /* as the last run's monitor has it */
        ASSERT_OK(host_tell(&host, false, &err), &err);
        (void)poll(NULL, 0, 100);
        ASSERT(!has_begun(&host));
        ASSERT_INT(flock(upper, LOCK_UN), 0);
        ASSERT_OK(monitor_created(host.monitor, &host.pid, &host.pidfd, &err), &err);
        ASSERT_INT(flock(upper, LOCK_EX | LOCK_NB), -1);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 3);
        ASSERT(comes_free(upper));
}

TEST(a_run_whose_daemon_ends_while_it_waits_leaves_nothing) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int upper = -1;

        ASSERT_OK(host_open(&host, "exit 3", false, &err), &err);
        str_replace(&host.start.upper, "upper");
        ASSERT_OK(dir_open_at(host.directory_fd, "upper", 0, &upper, &err), &err);
        ASSERT_INT(flock(upper, LOCK_EX), 0);
        ASSERT_OK(host_tell(&host, false, &err), &err);
        host.monitor = monitor_free(host.monitor);
        ASSERT(monitor_ends(&host));
        ASSERT(!has_begun(&host));
        ASSERT(faccessat(host.state_fd, MONITOR_EXIT_FILE, F_OK, 0) < 0);
}

/* More than a socket holds, less than a pipe and the monitor's chunk hold besides: one that does
 * not read keeps the monitor then, but not the layer from its next run. */
TEST(a_layer_is_unmounted_before_slow_clients_have_read) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1, upper = -1;
        size_t total = 0;
        char data[65536];
        ssize_t n;

        ASSERT_OK(host_open(&host, "head -c 240000 /dev/zero", false, &err), &err);
        str_replace(&host.start.log.driver, "none");
        str_replace(&host.start.upper, "upper");
        ASSERT_OK(dir_open_at(host.directory_fd, "upper", 0, &upper, &err), &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        pid_t monitor = monitor_pid(&host);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT(comes_free(upper));
        ASSERT_INT(kill(monitor, 0), 0);
        while ((n = read(fd, data, sizeof(data))) > 0)
                total += (size_t)n;
        ASSERT_INT(total, 240000);
}

TEST_MAIN()
