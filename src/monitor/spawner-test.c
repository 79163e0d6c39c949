/* spawner-test.c: whose children monitors are, and what the list of processes shows of them. */
#include <signal.h>

#include "monitor/test-host.h"

/* Whether the list of processes shows all of its words, in the place of those of another. */
static bool shows_words(const Host *host, pid_t monitor) {
        _cleanup_free_ char *path = str_format("/proc/%d/cmdline", (int)monitor), *text = NULL,
                            *words = str_format("brig-monitor %s %s ", host->id, host->directory);
        size_t length;

        if (file_read_at(AT_FDCWD, path, 4096, &text, &length, NULL) < 0)
                return false;
        for (size_t i = 0; i < length; i++)
                text[i] = text[i] ?: ' ';
        return str_equal(text, words);
}

TEST(monitors_outlive_the_spawner_and_another_follows) {
        _host_ Host first;
        _host_ Host second;
        _host_ Host third;
        Host *const hosts[] = { &first, &second, &third };
        pid_t spawner = 0, monitor = 0;
        siginfo_t ended;
        Error err;

        ASSERT_OK(host_open(&first, "read a; exit 3", false, &err), &err);
        ASSERT_OK(host_open(&second, "read a; exit 3", false, &err), &err);
        ASSERT_OK(host_open(&third, "read a; exit 3", false, &err), &err);
        for (size_t i = 0; i < ELEMENTS(hosts); i++) {
                hosts[i]->start.open_stdin = true;
                if (i == 2) {
                        ASSERT_INT(kill(spawner, SIGKILL), 0);
                        ASSERT_INT(waitid(P_PID, (id_t)spawner, &ended, WEXITED | WNOWAIT), 0);
                }
                ASSERT_OK(host_start(hosts[i], &err), &err);
                monitor = monitor_pid(hosts[i]);
                ASSERT(shows_words(hosts[i], monitor));
                ASSERT_INT(getsid(monitor), monitor);
                if (i == 0)
                        spawner = parent_of(monitor);
                ASSERT((parent_of(monitor) == spawner) == (i < 2));
                ASSERT_INT(parent_of(parent_of(monitor)), getpid());
        }
        for (size_t i = 0; i < ELEMENTS(hosts); i++) {
                _cleanup_close_ int fd = -1;

                ASSERT_OK(attach(hosts[i], &raw, &fd, &err), &err);
                ASSERT_INT(write(fd, "a\n", 2), 2);
                ASSERT(wait_for(hosts[i], &hosts[i]->has_exited));
                ASSERT_INT(hosts[i]->exited.exit_code, 3);
        }
}

/* The process that makes this test's monitors from now on; a first container, which ends, is in
 * host. */
static pid_t spawner_of(Host *host) {
        Error err;
        pid_t spawner = 0;

        if (host_open(host, "exit 0", false, &err) == 0 && host_spawn(host, &err) == 0)
                spawner = parent_of(monitor_pid(host));
        if (spawner > 1 && monitor_go(host->monitor, &err) == 0 &&
            wait_for(host, &host->has_exited))
                return spawner;
        return 0;
}

TEST(a_start_in_flight_is_made_by_the_next_spawner) {
        _host_ Host first;
        _host_ Host host;
        pid_t spawner = spawner_of(&first);
        MonitorProcess *process;
        siginfo_t ended;
        Error err;

        ASSERT_OK(host_open(&host, "exit 3", false, &err), &err);
        ASSERT(spawner > 1);
        ASSERT_INT(kill(spawner, SIGSTOP), 0);
        process = host_begin(&host);
        ASSERT_INT(kill(spawner, SIGKILL), 0);
        ASSERT_INT(waitid(P_PID, (id_t)spawner, &ended, WEXITED | WNOWAIT), 0);
        ASSERT_OK(host_tell_process(&host, process, false, &err), &err);
        ASSERT_OK(monitor_created(host.monitor, &host.pid, &host.pidfd, &err), &err);
        ASSERT(parent_of(monitor_pid(&host)) != spawner);
        ASSERT_OK(monitor_go(host.monitor, &err), &err);
        ASSERT(wait_for(&host, &host.has_exited));
        ASSERT_INT(host.exited.exit_code, 3);
}

/* host's container is made by a child of that spawner, and ends with 3. */
static bool is_made_by(pid_t spawner, Host *host) {
        Error err;

        return host_spawn(host, &err) == 0 && parent_of(monitor_pid(host)) == spawner &&
               monitor_go(host->monitor, &err) == 0 && wait_for(host, &host->has_exited) &&
               host->exited.exit_code == 3;
}

TEST(a_request_that_was_given_up_is_in_nobodys_way) {
        _host_ Host first;
        _host_ Host host;
        pid_t spawner = spawner_of(&first);
        Error err;

        ASSERT_OK(host_open(&host, "exit 3", false, &err), &err);
        ASSERT(spawner > 1);
        ASSERT_INT(kill(spawner, SIGSTOP), 0);
        monitor_process_free(host_begin(&host));
        ASSERT_INT(kill(spawner, SIGCONT), 0);
        ASSERT(is_made_by(spawner, &host)); /* behind it */
        ASSERT(monitor_ends(&host));
}

TEST(the_spawner_ends_when_it_is_told_and_not_with_a_daemons_signals) {
        _host_ Host first;
        _host_ Host host;
        pid_t spawner = spawner_of(&first);
        Error err;

        ASSERT_OK(host_open(&host, "exit 3", false, &err), &err);
        ASSERT(spawner > 1);
        ASSERT_INT(kill(spawner, SIGHUP), 0);
        ASSERT_INT(kill(spawner, SIGINT), 0);
        ASSERT_INT(kill(spawner, SIGTERM), 0);
        ASSERT(is_made_by(spawner, &host));
        monitor_spawner_end();
        ASSERT_INT(kill(spawner, 0), -1);
}

TEST_MAIN()
