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

TEST_MAIN()
