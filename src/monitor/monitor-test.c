/* monitor-test.c: a monitor's life from brigd's side: started, attached to, exec'd in, ended, and
 * what happens when either side is killed. */
#include <signal.h>
#include <sys/wait.h>

#include "monitor/frame.h"
#include "monitor/test-host.h"

TEST(output_log_and_exit) {
        _host_ Host host;
        MonitorRequest request = { .want_stdout = true, .want_stderr = true, .multiplex = true };
        ExitRecord record;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *log = NULL;
        char frames[64];

        ASSERT_OK(host_open(&host, "echo 'a<b'; exec >&-; echo err >&2; exit 7", false, &err),
                  &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &request, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT(host.ending); /* came before */
        ASSERT_INT(host.exited.exit_code, 7);
        ASSERT(!host.exited.oom_killed);
        ASSERT_INT(fd_read_full(fd, frames, sizeof(frames)), 8 + 4 + 8 + 4);
        ASSERT(memcmp(frames, "\1\0\0\0\0\0\0\4a<b\n\2\0\0\0\0\0\0\4err\n", 24) == 0 ||
               memcmp(frames, "\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\4a<b\n", 24) == 0);
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 7);
        ASSERT(record.started_at > 0 && record.exited_at >= record.started_at && !record.error);
        ASSERT_OK(file_read_at(host.state_fd, "log", 4096, &log, NULL, &err), &err);
        ASSERT(strstr(log, "{\"log\":\"a\\u003cb\\n\",\"stream\":\"stdout\",\"time\":\"20"));
        ASSERT(strstr(log, "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"time\":\"20"));
        ASSERT(faccessat(host.run_fd, MONITOR_SOCKET, F_OK, 0) < 0);
}

TEST(half_close_ends_stdin_once) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(host_open(&host, "cat; echo end", false, &err), &err);
        host.start.open_stdin = host.start.stdin_once = true;
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_OK(fd_write_full(fd, "hello\n", 6), &err);
        ASSERT_INT(shutdown(fd, SHUT_WR), 0);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "hello\nend\n");
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 0);
}

TEST(half_close_leaves_stdin_open) {
        _host_ Host host;
        MonitorRequest early = raw;
        Error err;
        _cleanup_close_ int first = -1;
        _cleanup_close_ int second = -1;
        _cleanup_free_ char *one = NULL;
        _cleanup_free_ char *two = NULL;
        _cleanup_free_ char *bytes = monitor_early("one\n", 4);

        early.early = bytes;
        ASSERT_OK(host_open(&host, "read a; echo got $a; read b; echo got $b", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_OK(attach(&host, &early, &first, &err), &err);
        one = read_text(first, "got one\n");
        ASSERT_STR(one, "got one\n");
        ASSERT_INT(shutdown(first, SHUT_WR), 0);
        ASSERT_OK(attach(&host, &raw, &second, &err), &err);
        ASSERT_OK(fd_write_full(second, "two\n", 4), &err);
        two = read_text(second, NULL);
        ASSERT_STR(two, "got two\n");
        ASSERT(wait_for(&host, &host.has_exited));
}

TEST(terminal_resize_and_detach) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_close_ int again = -1;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ char *more = NULL;
        _cleanup_free_ char *rest = NULL;

        ASSERT_OK(
                host_open(&host, "stty -echo; read a; stty size; read b; echo bye $b", true, &err),
                &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_OK(monitor_resize(host.monitor, NULL, 123, 45, &err), &err);
        ASSERT_OK(fd_write_full(fd, "x\n", 2), &err);
        text = read_text(fd, "45 123\r\n");
        ASSERT(strstr(text, "45 123\r\n"));
        ASSERT_OK(fd_write_full(fd, "q\x10\x11", 3), &err);
        more = read_text(fd, NULL);
        ASSERT(!strstr(more, "bye"));
        ASSERT(wait_for(&host, &host.detached));
        ASSERT_OK(attach(&host, &raw, &again, &err), &err);
        ASSERT_OK(fd_write_full(again, "\n", 1), &err);
        rest = read_text(again, NULL);
        ASSERT(strstr(rest, "bye q\r\n"));
        ASSERT(wait_for(&host, &host.has_exited));
}

TEST(exec_with_and_without_client) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_close_ int terminal = -1;
        _cleanup_close_ int missing = -1;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ char *size = NULL;
        MonitorRequest sized = raw;

        sized.width = 99;
        sized.height = 33;
        ASSERT_OK(host_open(&host, "read forever", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_OK(exec(&host, "e1", "read x; echo $x; exit 5", false, raw, &fd, &err), &err);
        ASSERT_OK(fd_write_full(fd, "in\n", 3), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "in\n");
        ASSERT(take(&host, &host.has_exec_exited)); /* known before the client saw the end */
        ASSERT_STR(host.exec_exited.exec, "e1");
        ASSERT_INT(host.exec_exited.exit_code, 5);
        ASSERT_OK(exec(&host, "e2", "stty size", true, sized, &terminal, &err), &err);
        size = read_text(terminal, NULL);
        ASSERT_STR(size, "33 99\r\n");
        ASSERT(wait_for(&host, &host.has_exec_exited));
        ASSERT(take(&host, &host.has_exec_exited));
        ASSERT_OK(exec(&host, "e3", "kill -9 $$", false, raw, NULL, &err), &err);
        ASSERT(wait_for(&host, &host.has_exec_exited));
        ASSERT_INT(host.exec_exited.exit_code, 137);
        ASSERT_OK(monitor_signal(host.monitor, NULL, SIGKILL, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 137);
        ASSERT(exec(&host, "e4", "true", false, raw, &missing, &err) < 0);
}

/* The fake runtime says them. */
TEST(a_filter_has_its_flags) {
        static char instructions[16];
        SeccompProgram plain = { .filter = instructions, .length = sizeof(instructions) },
                       flagged = plain;
        Error err;

        if (getenv("BRIG_TEST_BUSYBOX"))
                return;
        _host_ Host host, refused;
        flagged.flags = 2;
        ASSERT_OK(host_open(&host, "read forever", false, &err), &err);
        ASSERT_OK(host_open(&refused, "read forever", false, &err), &err);
        refused.seccomp = &flagged;
        ASSERT(host_start(&refused, &err) < 0);
        ASSERT(strstr(err.message, "a filter of 16 bytes with flags 0x2"));
        host.seccomp = &plain;
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        host.seccomp = &flagged;
        ASSERT(exec(&host, "e1", "true", false, raw, NULL, &err) < 0);
        ASSERT(strstr(err.message, "a filter of 16 bytes with flags 0x2"));
}

TEST(release_failure_is_recorded) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        str_replace(&host.config.process->args[0], "/no/such/program");
        ASSERT(host_start(&host, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 127);
        ASSERT(record.error && record.started_at == 0);
        json_done(&exit_record_table, &record);
        ASSERT(!take(&host, &host.has_exited) && !take(&host, &host.lost));
}

TEST(cancel_leaves_a_record) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        monitor_cancel(host.monitor);
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 128);
        json_done(&exit_record_table, &record);
}

TEST(daemon_ends_before_go) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        host.monitor = monitor_free(host.monitor);
        ASSERT_INT(pidfd_wait_end(host.pidfd, WAIT_MAX), 0);
        for (int i = 0; record_of(&host, &record) < 0 && i < 1000; i++)
                (void)poll(NULL, 0, 5);
        ASSERT_INT(record.exit_code, 128);
        ASSERT(record.error);
        json_done(&exit_record_table, &record);
}

/* That of the test, as the container may have any. */
TEST(network_namespace_that_comes_later) {
        _host_ Host host;
        _cleanup_close_ int netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        Error err;

        ASSERT_OK(host_open(&host, "exit 7", false, &err), &err);
        ASSERT_OK(host_tell(&host, true, &err), &err);
        monitor_answer_within(host.monitor, 50 * NSEC_PER_MSEC);
        ASSERT(monitor_created(host.monitor, &host.pid, &host.pidfd, &err) < 0); /* it waits */
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
        monitor_answer_within(host.monitor, WAIT_MAX);
        ASSERT_OK(monitor_give_netns(host.monitor, netns_fd, &err), &err);
        ASSERT_OK(monitor_created(host.monitor, &host.pid, &host.pidfd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 7);
}

TEST(network_namespace_that_does_not_come) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        ASSERT_OK(host_tell(&host, true, &err), &err);
        ASSERT_OK(monitor_give_netns(host.monitor, -1, &err), &err);
        ASSERT(monitor_created(host.monitor, &host.pid, &host.pidfd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
        ASSERT(strstr(err.message, "gave no network namespace"));
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 128);
        json_done(&exit_record_table, &record);
        /* One that has gone is told by monitor_created alone. */
        ASSERT_OK(monitor_give_netns(host.monitor, -1, &err), &err);
}

TEST(daemon_ends_before_the_network_namespace) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "true", false, &err), &err);
        ASSERT_OK(host_tell(&host, true, &err), &err);
        host.monitor = monitor_free(host.monitor);
        for (int i = 0; record_of(&host, &record) < 0 && i < 1000; i++)
                (void)poll(NULL, 0, 5);
        ASSERT_INT(record.exit_code, 128);
        ASSERT(record.error);
        json_done(&exit_record_table, &record);
}

TEST(daemon_ends_after_go) {
        _host_ Host host;
        ExitRecord record;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        MonitorReply state = {};
        int pidfd = -1;

        ASSERT_OK(host_open(&host, "read a; echo $a; exit 3", false, &err), &err);
        host.start.open_stdin = host.start.stdin_once = true;
        ASSERT_OK(host_start(&host, &err), &err);
        host.monitor = monitor_free(host.monitor);
        ASSERT_OK(monitor_connect(host.loop, host.run_fd, on_notice, &host, &host.monitor, &state,
                                  &pidfd, &err),
                  &err);
        ASSERT_INT(state.pid, host.pid);
        ASSERT_INT(state.execs.count, 0);
        json_done(&monitor_reply_table, &state);
        close_fd(&pidfd);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(fd_write_full(fd, "still\n", 6), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "still\n");
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 3);
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.exit_code, 3);
        json_done(&exit_record_table, &record);
        host.monitor = monitor_free(host.monitor);
        ASSERT(monitor_connect(host.loop, host.run_fd, on_notice, &host, &host.monitor, &state,
                               &pidfd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
}

TEST(a_bound_container_ends_with_its_daemon) {
        _host_ Host host;
        ExitRecord record;
        Error err;

        ASSERT_OK(host_open(&host, "exec sleep 1000", false, &err), &err);
        host.start.bound = true;
        ASSERT_OK(host_start(&host, &err), &err);
        host.monitor = monitor_free(host.monitor);
        ASSERT_INT(pidfd_wait_end(host.pidfd, WAIT_MAX), 0);
        for (int i = 0; record_of(&host, &record) < 0 && i < 1000; i++)
                (void)poll(NULL, 0, 5);
        ASSERT_INT(record.exit_code, 128 + SIGKILL);
        json_done(&exit_record_table, &record);
}

/* A new daemon in the place of the one there was. */
static int reconnect(Host *host, MonitorReply *ret_state, Error *err) {
        int pidfd = -1;
        int r;

        host->monitor = monitor_free(host->monitor);
        r = monitor_connect(host->loop, host->run_fd, on_notice, host, &host->monitor, ret_state,
                            &pidfd, err);
        close_fd(&pidfd);
        return r;
}

/* What a later daemon is told of this exec; NULL: it is not known. */
static const MonitorExec *exec_in(const JsonArray *execs, const char *id) {
        const MonitorExec *items = execs->items;

        for (size_t i = 0; i < execs->count; i++)
                if (str_equal(items[i].id, id))
                        return &items[i];
        return NULL;
}

static bool exec_has_ended(Host *host, const char *id, MonitorReply *ret_state) {
        int64_t deadline = clock_monotonic() + WAIT_MAX;

        while (clock_monotonic() < deadline && reconnect(host, ret_state, NULL) == 0) {
                const MonitorExec *exec = exec_in(&ret_state->execs, id);

                if (exec && !exec->running)
                        return true;
                json_done(&monitor_reply_table, ret_state);
        }
        return false;
}

/* The connection that was let go may be read after the new one: what it said at last comes then. */
static bool has_forgotten_execs(Host *host) {
        int64_t deadline = clock_monotonic() + WAIT_MAX;
        size_t count = 1;

        while (count > 0 && clock_monotonic() < deadline) {
                MonitorReply state = {};

                if (reconnect(host, &state, NULL) < 0)
                        return false;
                count = state.execs.count;
                json_done(&monitor_reply_table, &state);
        }
        return count == 0;
}

TEST(execs_are_known_to_a_later_daemon) {
        _host_ Host host;
        MonitorRequest request = raw;
        MonitorReply state = {};
        const MonitorExec *known;
        ExitRecord record;
        Error err;
        _cleanup_close_ int runs = -1;
        _cleanup_close_ int ends = -1;

        ASSERT_OK(host_open(&host, "read a; exit 4", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        request.note = (char *)"what \"runs\" is";
        ASSERT_OK(exec(&host, "runs", "read a; exit 5", false, request, &runs, &err), &err);
        request.note = (char *)"what ends";
        ASSERT_OK(exec(&host, "ends", "read a; exit 6", false, request, &ends, &err), &err);
        ASSERT_OK(reconnect(&host, &state, &err), &err);
        ASSERT_INT(state.execs.count, 2);
        known = exec_in(&state.execs, "runs");
        ASSERT(known && known->running && known->pid > 0);
        ASSERT_STR(known->note, "what \"runs\" is");
        json_done(&monitor_reply_table, &state);
        /* No daemon is there when it ends. */
        host.monitor = monitor_free(host.monitor);
        ASSERT_OK(fd_write_full(ends, "\n", 1), &err);
        ASSERT(exec_has_ended(&host, "ends", &state));
        known = exec_in(&state.execs, "ends");
        ASSERT(known && !known->running); /* seen, if it ended while we asked */
        ASSERT_INT(known->exit_code, 6);
        ASSERT_STR(known->note, "what ends");
        monitor_exec_seen(host.monitor, "ends");
        json_done(&monitor_reply_table, &state);
        ASSERT_OK(reconnect(&host, &state, &err), &err);
        known = exec_in(&state.execs, "ends");
        ASSERT(known && known->seen);
        json_done(&monitor_reply_table, &state);
        /* The record has those that ended with the container too. */
        ASSERT_OK(pidfd_signal(host.pidfd, SIGKILL, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(record_of(&host, &record), 0);
        ASSERT_INT(record.execs.count, 2);
        ASSERT(exec_in(&record.execs, "ends") && exec_in(&record.execs, "runs"));
        json_done(&exit_record_table, &record);
}

TEST(killed_monitor_is_lost) {
        _host_ Host host;
        Error err;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT(monitor_pid(&host) > 1);
        ASSERT_INT(kill(monitor_pid(&host), SIGKILL), 0);
        ASSERT(wait_for(&host, &host.lost));
        ASSERT(!take(&host, &host.has_exited));
        ASSERT(monitor_signal(host.monitor, NULL, SIGTERM, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
}

/* A client that does not read stops the container, and then gets every byte. */
TEST(slow_client_loses_nothing) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        size_t total = 0;
        char data[65536];
        ssize_t n;

        ASSERT_OK(host_open(&host, "head -c 3000000 /dev/zero", false, &err), &err);
        str_replace(&host.start.log.driver, "none");
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_INT(pidfd_wait_end(host.pidfd, 300 * NSEC_PER_MSEC), -ETIMEDOUT);
        while ((n = read(fd, data, sizeof(data))) > 0)
                total += (size_t)n;
        ASSERT_INT(total, 3000000);
        ASSERT(wait_for(&host, &host.has_exited));
}

/* One that vanishes is dropped. */
TEST(vanished_client_is_dropped) {
        _host_ Host host;
        Error err;
        int fd = -1;

        ASSERT_OK(host_open(&host, "head -c 3000000 /dev/zero; exit 4", false, &err), &err);
        str_replace(&host.start.log.driver, "none");
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_INT(pidfd_wait_end(host.pidfd, 100 * NSEC_PER_MSEC), -ETIMEDOUT);
        (void)close(fd);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 4);
}

TEST(large_documents) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ char *variable = NULL;
        _cleanup_free_ char *value = alloc_zero(20001, 1);

        memset(value, 'v', 20000);
        variable = str_format("x=%s; echo ${#x}", value);
        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_OK(exec(&host, "large", variable, false, raw, &fd, &err), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "20000\n");
}

/* Who stays behind with an exec's outputs open does not hold its client for long. */
TEST(exec_leaves_a_process_behind) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        int64_t before;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        before = clock_monotonic();
        ASSERT_OK(exec(&host, "e", "sleep 30 & echo here", false, raw, &fd, &err), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "here\n");
        ASSERT(clock_monotonic() - before < 10 * NSEC_PER_SEC);
        ASSERT_OK(exec(&host, "e", "exit 1", false, raw, NULL, &err), &err); /* the id is free */
}

/* Nobody waits for a probe, and its answer is taken for no other's. */
TEST(probes) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int first = -1;
        _cleanup_close_ int second = -1;
        _cleanup_close_ int third = -1;
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_OK(probe(&host, "p1", "/bin/sh", "echo out; echo err >&2; exit 3", &first, &err),
                  &err);
        ASSERT(monitor_signal(host.monitor, "nobody", 9, &err) < 0);
        ASSERT_STR(err.message, "no such exec instance: nobody");
        ASSERT(wait_for(&host, &host.has_exec_exited));
        ASSERT_STR(host.exec_exited.exec, "p1");
        ASSERT_INT(host.exec_exited.exit_code, 3);
        ASSERT(take(&host, &host.has_exec_exited) && take(&host, &host.has_probe));
        ASSERT_STR(host.probe.kind, "probe-started");
        ASSERT_STR(host.probe.exec, "p1");
        ASSERT(host.probe.pid > 0);
        text = read_text(first, NULL);
        ASSERT(str_equal(text, "out\nerr\n") || str_equal(text, "err\nout\n"));
        ASSERT_OK(probe(&host, "p2", "/not/there", "", &second, &err), &err);
        ASSERT(wait_for(&host, &host.has_probe));
        ASSERT(take(&host, &host.has_probe));
        ASSERT_STR(host.probe.kind, "probe-failed");
        ASSERT_STR(host.probe.exec, "p2");
        ASSERT(strstr(host.probe.message, "/not/there"));
        /* The shell goes, and what it waits for. */
        ASSERT_OK(probe(&host, "p3", "/bin/sh", "sleep 1000; true", &third, &err), &err);
        ASSERT(wait_for(&host, &host.has_probe));
        monitor_exec_kill(host.monitor, "p3");
        ASSERT(wait_for(&host, &host.has_exec_exited));
        ASSERT_STR(host.exec_exited.exec, "p3");
        ASSERT_INT(host.exec_exited.exit_code, 128 + SIGKILL);
        /* Their ends were seen: the next daemon hears nothing of them. */
        ASSERT(has_forgotten_execs(&host));
}

/* A probe that a daemon left is told to the next one as what it is. */
TEST(probe_of_an_earlier_daemon) {
        _host_ Host host;
        MonitorReply state = {};
        const MonitorExec *known;
        Error err;
        _cleanup_close_ int fd = -1;

        ASSERT_OK(host_open(&host, "read a", false, &err), &err);
        host.start.open_stdin = true;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT_OK(probe(&host, "left", "/bin/sh", "sleep 1000", &fd, &err), &err);
        ASSERT(wait_for(&host, &host.has_probe));
        ASSERT_OK(reconnect(&host, &state, &err), &err);
        known = exec_in(&state.execs, "left");
        ASSERT(known && known->running && known->probe);
        json_done(&monitor_reply_table, &state);
        monitor_exec_kill(host.monitor, "left");
        ASSERT(wait_for(&host, &host.has_exec_exited));
        ASSERT_STR(host.exec_exited.exec, "left");
}

/* Two clients, one of which reads nothing: the other waits for it, and both get everything. */
TEST(two_clients) {
        _host_ Host host;
        MonitorRequest output = { .want_stdout = true };
        Error err;
        _cleanup_close_ int first = -1;
        _cleanup_close_ int second = -1;
        _cleanup_free_ char *one = NULL;
        _cleanup_free_ char *two = NULL;

        ASSERT_OK(host_open(&host, "echo a; echo b >&2; echo c", false, &err), &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &output, &first, &err), &err);
        ASSERT_OK(attach(&host, &output, &second, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        one = read_text(first, NULL);
        two = read_text(second, NULL);
        ASSERT_STR(one, "a\nc\n");
        ASSERT_STR(two, "a\nc\n");
}

/* The input of a client that went away at once is not lost. */
TEST(input_of_a_vanished_client) {
        _host_ Host host;
        MonitorRequest input = { .want_stdin = true };
        Error err;
        _cleanup_free_ char *log = NULL;
        _cleanup_free_ char *data = alloc_zero(150000, 1);
        int fd = -1;

        memset(data, '\n', 150000);
        ASSERT_OK(host_open(&host, "head -c 150000 | grep -c ''", false, &err), &err);
        host.start.open_stdin = host.start.stdin_once = true;
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &input, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_OK(fd_write_full(fd, data, 150000), &err);
        (void)close(fd);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_OK(file_read_at(host.state_fd, "log", 4096, &log, NULL, &err), &err);
        ASSERT(strstr(log, "{\"log\":\"150000\\n\""));
}

/* With the host's process ids nothing ends with the container's own process: the monitor kills it.
 */
TEST(processes_left_behind) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ pid_t *left = NULL;
        size_t kept = 0, count = 0;

        ASSERT_OK(host_open(&host, "sleep 1000 & exit 3", false, &err), &err);
        if (!host.config.linux_)
                return; /* needs a cgroup */
        for (size_t i = 0; i < host.config.linux_->namespaces.count; i++) {
                OciNamespace *namespaces = host.config.linux_->namespaces.items;

                if (str_equal(namespaces[i].type, "pid"))
                        free(namespaces[i].type);
                else
                        namespaces[kept++] = namespaces[i];
        }
        host.config.linux_->namespaces.count = kept;
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "");
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 3);
        ASSERT_OK(cgroup_pids(host.start.cgroup, &left, &count, &err), &err);
        ASSERT_INT(count, 0);
}

TEST(out_of_memory) {
        _host_ Host host;
        OciResources *resources;
        Error err;

        ASSERT_OK(host_open(&host, "head -c 100000000 /dev/zero | tail", false, &err), &err);
        if (!host.config.linux_)
                return; /* needs a cgroup */
        host.config.linux_->resources = resources = NEW(OciResources);
        resources->memory = NEW(OciMemory);
        resources->memory->limit = NEW(int64_t);
        *resources->memory->limit = 10 << 20;
        resources->memory->swap = NEW(int64_t);
        *resources->memory->swap = 10 << 20;
        ASSERT_OK(host_start(&host, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 137);
        ASSERT(host.exited.oom_killed);
}

/* A terminal's output that nobody has read when its process ends reaches client and log. */
TEST(terminal_rest_is_read) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ char *log = NULL;

        ASSERT_OK(host_open(&host, "echo first; echo last", true, &err), &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "first\r\nlast\r\n");
        ASSERT_OK(file_read_at(host.state_fd, "log", 4096, &log, NULL, &err), &err);
        ASSERT(strstr(log, "{\"log\":\"last\\r\\n\",\"stream\":\"stdout\""));
}

/* A terminal that nobody has open for a while is not at its end: its process may open it again. */
TEST(terminal_is_opened_again) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(
                host_open(
                        &host,
                        "i=0; while [ $i -lt 30 ]; do exec </dev/null >/dev/null 2>&1; /bin/true; "
                        "exec </dev/tty >/dev/tty 2>&1; i=$((i+1)); done; echo back",
                        true, &err),
                &err);
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        text = read_text(fd, NULL);
        ASSERT_STR(text, "back\r\n");
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 0);
}

/* Who left by the keys and does not read holds nobody up. */
TEST(detached_client_does_not_stop_the_process) {
        _host_ Host host;
        Error err;
        _cleanup_close_ int fd = -1;

        ASSERT_OK(host_open(&host, "head -c 3000000 /dev/zero", true, &err), &err);
        str_replace(&host.start.log.driver, "none");
        ASSERT_OK(host_spawn(&host, &err), &err);
        ASSERT_OK(attach(&host, &raw, &fd, &err), &err);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT_INT(pidfd_wait_end(host.pidfd, 300 * NSEC_PER_MSEC), -ETIMEDOUT);
        ASSERT_INT(write(fd, "\x10\x11", 2), 2);
        ASSERT(wait_for(&host, &host.detached));
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 0);
}

/* kB; negative where it has gone. */
static long own_memory(pid_t pid) {
        _cleanup_free_ char *path = str_format("/proc/%d/smaps_rollup", (int)pid);
        _cleanup_free_ char *text = NULL;
        const char *line;

        if (file_read_at(AT_FDCWD, path, 65536, &text, NULL, NULL) < 0)
                return -1;
        line = strstr(text, "\nPss:");
        return line ? strtol(line + 5, NULL, 10) : -1;
}

/* What its start needed is given back. Of the monitor that is installed: the others link more, and
 * what a sanitizer takes. */
TEST(an_idle_monitor_is_small) {
        const char *installed = getenv("BRIG_TEST_SMALL");

        if (!installed)
                return;
        monitor_spawner_end();
        (void)setenv("BRIG_TEST_MONITOR", installed, true);
        (void)setenv("BRIG_TEST_BUSYBOX", "/bin/busybox", false); /* Debian's busybox-static */

        _host_ Host host;
        Error err;
        int64_t end = clock_monotonic() + WAIT_MAX;
        long found = 0;

        ASSERT_OK(host_open(&host, "sleep 1000", false, &err), &err);
        ASSERT_OK(host_start(&host, &err), &err);
        while ((found = own_memory(parent_of(host.pid))) > 100 && clock_monotonic() < end)
                (void)poll(NULL, 0, 20);
        ASSERT(found > 0);
        ASSERT(found <= 100);
}

TEST_MAIN()
