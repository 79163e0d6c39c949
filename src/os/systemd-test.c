/* systemd-test.c: slices' places, and what a scope's making says and understands; the test plays
 * systemd. tests/package/inside has the real one. */
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"
#include "os/systemd.h"
#include "os/test-bus.h"

#define MANAGER "org.freedesktop.systemd1.Manager"

TEST(where_slices_lie) {
        static const char *const good[][2] = { { "a.slice", "/a.slice" },
                                               { "a-b.slice", "/a.slice/a-b.slice" },
                                               { "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice" },
                                               { "-.slice", "" } };
        static const char *const bad[] = { "",         "a",         ".slice",     "a.scope",
                                           "/a.slice", "a/b.slice", "-a.slice",   "a-.slice",
                                           "a.slice/", "--.slice",  "a--b.slice", "/" };
        Error err = { 0 };

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                _cleanup_free_ char *path = NULL;

                ASSERT_OK(systemd_slice_path(good[i][0], &path, &err), &err);
                ASSERT_STR(path, good[i][1]);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                char *path = NULL;

                ASSERT_INT(systemd_slice_path(bad[i], &path, &err), -EINVAL);
                ASSERT(strstr(err.message, "is no name of a slice"));
        }
}

static const SystemdScope scope = { "x.scope", "a-b.slice", "a container", 4711 };
static const Saying job_comes = {
        .type = 2, .reply_serial = 1, .signature = "o", .texts = { "/job/7" }
};
static const Saying anothers_job = { .type = 4,
                                     .interface = MANAGER,
                                     .member = "JobRemoved",
                                     .signature = "uoss",
                                     .texts = { "6", "/job/6", "y.scope", "failed" } };
static const Saying job_is_done = { .type = 4,
                                    .interface = MANAGER,
                                    .member = "JobRemoved",
                                    .signature = "uoss",
                                    .texts = { "7", "/job/7", "x.scope", "done" } };
static const Saying there_already = { .type = 3,
                                      .reply_serial = 1,
                                      .error = "org.freedesktop.systemd1.UnitExists",
                                      .signature = "s",
                                      .texts = { "Unit x.scope already exists." } };
/* To ResetFailedUnit, of one that has not failed. */
static const Saying not_loaded = { .type = 3,
                                   .reply_serial = 2,
                                   .error = "org.freedesktop.systemd1.NoSuchUnit",
                                   .signature = "s",
                                   .texts = { "Unit x.scope not loaded." } };

static int start(const Stage *stage, int64_t timeout, Error *err) {
        return systemd_start_scope(stage->bus, &scope, timeout, err);
}

TEST(a_scope_is_made_once_its_own_job_is_done) {
        _cleanup_stage_ Stage stage = { 0 };
        char data[1024];
        ssize_t length;
        Error err = { 0 };

        stage_open(&stage, true);
        ASSERT(say(&stage, &job_comes, 0) && say(&stage, &anothers_job, 0) &&
               say(&stage, &job_is_done, 0));
        ASSERT_OK(start(&stage, NSEC_PER_SEC, &err), &err);
        length = recv(stage.other, data, sizeof(data), 0);
        ASSERT(length > 0);
        ASSERT(memmem(data, (size_t)length, "\20ssa(sv)a(sa(sv))", 18));
        ASSERT(memmem(data, (size_t)length, "PIDs\0\2au\0\0\0\0\4\0\0\0\147\22\0\0", 20));
        ASSERT(memmem(data, (size_t)length, "Slice\0\1s\0", 9));
        ASSERT(memmem(data, (size_t)length, "Delegate\0\1b\0", 12));
}

TEST(a_job_that_ends_otherwise_is_named) {
        Saying failed = job_is_done;
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        stage_open(&stage, true);
        failed.texts[3] = "failed";
        ASSERT(say(&stage, &job_comes, 0) && say(&stage, &failed, 0));
        ASSERT(start(&stage, NSEC_PER_SEC, &err) < 0);
        ASSERT_STR(err.message, "systemd: make scope 'x.scope': its job ended as 'failed'");
}

TEST(systemd_that_refuses_or_says_nothing) {
        const Saying refused = { .type = 3,
                                 .reply_serial = 1,
                                 .error = "org.freedesktop.DBus.Error.InvalidArgs",
                                 .signature = "s",
                                 .texts = { "Unit name is not valid." } };
        _cleanup_stage_ Stage stage = { 0 }, silent = { 0 }, gone = { 0 };
        Saying its = job_comes;
        Error err = { 0 };

        stage_open(&stage, true);
        ASSERT(say(&stage, &refused, 0));
        ASSERT(start(&stage, NSEC_PER_SEC, &err) < 0);
        ASSERT_STR(err.message, "systemd: make scope 'x.scope': "
                                "org.freedesktop.DBus.Error.InvalidArgs: Unit name is not valid.");
        its.reply_serial = 2;
        ASSERT(say(&stage, &its, 0));
        ASSERT_INT(start(&stage, NSEC_PER_MSEC, &err), -ETIMEDOUT); /* its job is never done */
        stage_open(&silent, true);
        ASSERT_INT(start(&silent, NSEC_PER_SEC, &err), -ETIMEDOUT);
        stage_open(&gone, true);
        close_fd(&gone.other);
        ASSERT(start(&gone, NSEC_PER_SEC, &err) < 0);
}

/* Another process that answers the calls in turn, each with what stands up to the next NULL. */
static pid_t play(const Stage *stage, const Saying *const *sayings, size_t calls) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        for (; calls > 0; calls--) {
                struct pollfd item = { .fd = stage->other, .events = POLLIN };
                char data[1024];

                if (poll(&item, 1, 5000) != 1 || recv(stage->other, data, sizeof(data), 0) <= 0)
                        _exit(1);
                for (; *sayings; sayings++)
                        if (!say(stage, *sayings, 0))
                                _exit(1);
                sayings++;
        }
        _exit(0);
}

static bool has_played(pid_t pid) {
        int status = -1;

        return waitpid(pid, &status, 0) == pid && status == 0;
}

TEST(a_scope_that_systemd_has_not_removed_yet_is_waited_for) {
        static const Saying gone = { .type = 4,
                                     .interface = MANAGER,
                                     .member = "UnitRemoved",
                                     .signature = "so",
                                     .texts = { "x.scope", "/unit/x" } };
        Saying again = job_comes;
        const Saying *const sayings[] = { &there_already, NULL,          &not_loaded,  &gone, NULL,
                                          &again,         &anothers_job, &job_is_done, NULL };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        pid_t player;

        stage_open(&stage, true);
        again.reply_serial = 3;
        player = play(&stage, sayings, 3);
        ASSERT_OK(start(&stage, NSEC_PER_SEC, &err), &err);
        ASSERT(has_played(player));
}

TEST(a_scope_that_stays_is_a_conflict) {
        const Saying *const sayings[] = { &there_already, NULL, &not_loaded, NULL };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        pid_t player;

        stage_open(&stage, true);
        player = play(&stage, sayings, 2);
        ASSERT(start(&stage, 50 * NSEC_PER_MSEC, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT_STR(err.message,
                   "systemd: make scope 'x.scope': it is there already: systemctl stop x.scope");
        ASSERT(has_played(player));
}

TEST_MAIN()
