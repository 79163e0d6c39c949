/* shortage-test.c: what a monitor and its daemon do where descriptors, room on the disk or time are
 * missing. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "monitor/test-host.h"
#include "os/mount.h"

/* Of the monitor's process; the limit is the soft one. */
static int limit_descriptors(Host *host, rlim_t limit) {
        struct rlimit old, new;
        pid_t monitor = monitor_pid(host);

        if (monitor <= 1 || prlimit(monitor, RLIMIT_NOFILE, NULL, &old) < 0)
                return -1;
        new = (struct rlimit){ .rlim_cur = limit, .rlim_max = old.rlim_max };
        return prlimit(monitor, RLIMIT_NOFILE, &new, NULL);
}

/* Nanoseconds of processor time that the monitor has taken; 0 where the kernel does not tell. */
static int64_t monitor_time(Host *host) {
        _cleanup_free_ char *path = str_format("/proc/%d/schedstat", (int)monitor_pid(host));
        _cleanup_free_ char *text = NULL;

        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL, NULL) < 0)
                return 0;
        return (int64_t)strtoull(text, NULL, 10);
}

/* A daemon that cannot be let in waits, and the monitor does not turn meanwhile. */
TEST(daemon_without_a_descriptor_waits) {
        _host_ Host host;
        Error err;
        MonitorReply state = {};
        int pidfd = -1;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        int64_t before;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_INT(limit_descriptors(&host, 3), 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                       host.run_fd, MONITOR_SOCKET);
        before = monitor_time(&host);
        ASSERT_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ASSERT_INT(pidfd_wait_end(host.pidfd, 600 * NSEC_PER_MSEC), -ETIMEDOUT);
        ASSERT(monitor_time(&host) - before < 60 * NSEC_PER_MSEC);
        ASSERT_INT(limit_descriptors(&host, 1024), 0);
        host.monitor = monitor_free(host.monitor);
        ASSERT_OK(monitor_connect(host.loop, host.run_fd, on_notice, &host, &host.monitor, &state,
                                  &pidfd, &err),
                  &err);
        ASSERT_INT(state.pid, host.pid);
        json_done(&monitor_reply_table, &state);
        close_fd(&pidfd);
}

/* Whatever descriptor is the one too many: the error is the answer, the connection goes on, and the
 * client's socket is the daemon's still. */
TEST(exec_without_descriptors) {
        _host_ Host host;
        Error err;
        int done = 0;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        for (rlim_t limit = 3; limit < 64 && done < 2; limit++) {
                _cleanup_close_ int fd = -1;
                _cleanup_free_ char *id = str_format("e%d", (int)limit);
                _cleanup_free_ char *script = alloc_zero(1, 20000);
                OciProcess process = { .terminal = true, .cwd = (char *)"/" };
                int pair[2], r;
                char byte = 0;

                memset(script, ' ', limit % 2 ? 100 : 19000); /* a document with a descriptor */
                strv_add(&process.args, "/bin/sh");
                strv_add(&process.args, "-c");
                strv_add(&process.args, script);
                ASSERT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
                fd = pair[0];
                ASSERT_INT(limit_descriptors(&host, limit), 0);
                const MonitorExecution execution = {
                        .id = id, .process = &process, .request = &raw, .client_fd = pair[1]
                };
                r = monitor_exec(host.monitor, &execution, NULL, &err);
                strv_free(process.args);
                if (r < 0) {
                        ASSERT(err.kind != ERROR_UNAVAILABLE);
                        ASSERT_INT(send(pair[1], "e", 1, MSG_NOSIGNAL), 1);
                        ASSERT_INT(read(fd, &byte, 1), 1);
                } else
                        done++;
                (void)close(pair[1]);
        }
        ASSERT_INT(done, 2);
        ASSERT(!take(&host, &host.lost));
}

/* The room of the exit record is taken at the start. */
TEST(full_disk_keeps_the_exit) {
        _host_ Host host;
        _cleanup_close_ int disk = -1;
        _cleanup_close_ int filler = -1;
        char *const options[] = { (char *)"size=64k", NULL };
        char data[4096] = {}, note[6000] = {};
        MonitorRequest noted = { .note = note };
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "read a; exit 9", false, &err), &err);
        if (mount_new("tmpfs", NULL, options, 0, &disk, &err) < 0)
                return; /* not root */
        close_fd(&host.state_fd);
        ASSERT_OK(dir_open_at(disk, ".", 0, &host.state_fd, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        filler = openat(host.state_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ASSERT(filler >= 0);
        /* More than there is room for: of the two the end is kept. */
        memset(note, 'n', sizeof(note) - 1);
        ASSERT_OK(exec(&host, "e", "true", false, noted, NULL, &err), &err);
        ASSERT(wait_for(&host, &host.has_exec_exited));
        while (write(filler, data, sizeof(data)) > 0)
                ;
        ASSERT_INT(errno, ENOSPC);
        ASSERT_OK(monitor_signal(host.monitor, NULL, SIGKILL, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 137);
        ASSERT_INT(record.exited_at, host.exited.at);
        ASSERT_INT(record.execs.count, 0);
        ASSERT(faccessat(host.state_fd, MONITOR_EXIT_FILE ".new", F_OK, 0) < 0);
}

/* An answer that came too late is not the next request's. */
TEST(late_answer_before_go) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        str_replace(&host.config.process->args[0], "/no/such/program");
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_INT(kill(monitor_pid(&host), SIGSTOP), 0);
        monitor_answer_within(host.monitor, 50 * NSEC_PER_MSEC);
        ASSERT(attach(&host, &raw, &fd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
        monitor_answer_within(host.monitor, WAIT_MAX);
        ASSERT_INT(kill(monitor_pid(&host), SIGCONT), 0);
        ASSERT(monitor_go(host.monitor, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
}

TEST_MAIN()
