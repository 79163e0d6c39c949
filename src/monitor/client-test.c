/* client-test.c: a daemon that meets a monitor of an earlier build: one that says no version, and
 * answers what it does not know with an error. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "monitor/client-private.h"
#include "monitor/message.h"
#include "os/pidfd.h"

#define ANSWER_MAX (2 * NSEC_PER_SEC)

typedef struct Old {
        char directory[64];
        int run_fd, listen_fd;
        int64_t version;
        pthread_t thread, loop_thread;
        Loop *loop;
        Monitor *monitor;
        int pidfd;
        pthread_mutex_t lock;
        Buf heard; /* "kind exec signal\n" of each request */
} Old;

/* What monitors knew before there were versions. */
static bool knows(const char *kind) {
        static const char *const kinds[] = { "state", "resize", "signal", "seen" };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_equal(kind, kinds[i]))
                        return true;
        return false;
}

static void note(Old *old, const MonitorRequest *request) {
        (void)pthread_mutex_lock(&old->lock);
        buf_format(&old->heard, "%s %s %lld\n", request->kind, request->exec ?: "-",
                   (long long)request->signal);
        (void)pthread_mutex_unlock(&old->lock);
}

static int answer(const Old *old, int fd, const MonitorRequest *request) {
        MonitorReply reply = { .kind = (char *)"ok" };
        bool state = str_equal(request->kind, "state");

        if (state)
                reply = (MonitorReply){ .kind = (char *)"state",
                                        .pid = getpid(),
                                        .version = old->version };
        else if (!knows(request->kind) && old->version == 0)
                reply = (MonitorReply){ .kind = (char *)"error",
                                        .error_kind = ERROR_UNSUPPORTED,
                                        .message = (char *)"unknown request" };
        else if (!knows(request->kind))
                return 0;
        return message_send(fd, &monitor_reply_table, &reply, &old->pidfd, state ? 1 : 0, NULL);
}

static void *be_monitor(void *data) {
        Old *old = data;
        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
        _cleanup_close_ int fd = accept4(old->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        int r = 1;

        while (r > 0) {
                MonitorRequest request = {};
                int fds[MESSAGE_FDS_MAX];
                size_t count = 0;

                r = message_receive(fd, &monitor_request_table, &request, fds, &count, NULL);
                for (size_t i = 0; r > 0 && i < count; i++)
                        close_fd(&fds[i]);
                if (r > 0) {
                        note(old, &request);
                        r = answer(old, fd, &request) < 0 ? -1 : 1;
                        json_done(&monitor_request_table, &request);
                }
        }
        return NULL;
}

static void *run_loop(void *data) {
        (void)loop_run(data, NULL);
        return NULL;
}

static void on_notice(void *data, const MonitorReply *reply) {
        (void)data;
        (void)reply;
}

static int listen_at(Old *old, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        old->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                       old->run_fd, MONITOR_SOCKET);
        if (bind(old->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(old->listen_fd, 1) < 0)
                return error_set(err, errno, "listen");
        return 0;
}

static int old_open(Old *old, int64_t version, Error *err) {
        MonitorReply state = {};
        int state_fd = -1, r;

        *old = (Old){ .directory = "/tmp/brig-old-XXXXXX", .version = version, .pidfd = -1 };
        (void)pthread_mutex_init(&old->lock, NULL);
        if (!mkdtemp(old->directory))
                return error_set(err, errno, "mkdtemp");
        r = dir_open_at(AT_FDCWD, old->directory, 0, &old->run_fd, err);
        if (r == 0)
                r = pidfd_of(getpid(), &old->pidfd, err);
        if (r == 0)
                r = listen_at(old, err);
        if (r == 0)
                r = loop_new(&old->loop, err);
        if (r < 0)
                return r;
        if (pthread_create(&old->thread, NULL, be_monitor, old) != 0 ||
            pthread_create(&old->loop_thread, NULL, run_loop, old->loop) != 0)
                abort();
        r = monitor_connect(old->loop, old->run_fd, on_notice, NULL, &old->monitor, &state,
                            &state_fd, err);
        close_fd(&state_fd);
        json_done(&monitor_reply_table, &state);
        if (r == 0)
                monitor_answer_within(old->monitor, ANSWER_MAX);
        return r;
}

static void old_done(Old *old) {
        old->monitor = monitor_free(old->monitor);
        loop_stop(old->loop);
        (void)pthread_join(old->loop_thread, NULL);
        (void)loop_step(old->loop, 0, NULL); /* the connection is closed there */
        (void)pthread_join(old->thread, NULL);
        old->loop = loop_free(old->loop);
        (void)dir_remove_at(AT_FDCWD, old->directory, NULL);
        close_fd(&old->listen_fd);
        close_fd(&old->run_fd);
        close_fd(&old->pidfd);
        buf_done(&old->heard);
}
#define _old_ _cleanup_(old_done)

static char *heard(Old *old) {
        char *text;

        (void)pthread_mutex_lock(&old->lock);
        text = str_copy(old->heard.data ?: "");
        (void)pthread_mutex_unlock(&old->lock);
        return text;
}

/* An error that answers no question would be taken for the next one's answer, and each after it
 * would come too late for good. */
TEST(monitor_without_a_version_is_asked_what_it_knows) {
        _old_ Old old;
        Error err = {};
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(old_open(&old, 0, &err), &err);
        monitor_exec_kill(old.monitor, "e1");
        monitor_exec_seen(old.monitor, "e2");
        for (int i = 0; i < 3; i++)
                ASSERT_OK(monitor_resize(old.monitor, "e3", 80, 24, &err), &err);
        text = heard(&old);
        ASSERT_STR(text, "state - 0\nsignal e1 9\nresize e3 0\nresize e3 0\nresize e3 0\n");
}

TEST(monitor_of_this_version) {
        _old_ Old old;
        Error err = {};
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(old_open(&old, MONITOR_VERSION, &err), &err);
        monitor_exec_kill(old.monitor, "e1");
        monitor_exec_seen(old.monitor, "e2");
        ASSERT_OK(monitor_resize(old.monitor, "e3", 80, 24, &err), &err);
        text = heard(&old);
        ASSERT_STR(text, "state - 0\nexec-kill e1 0\nexec-seen e2 0\nresize e3 0\n");
}

/* What a monitor of that version would make is a container that nothing reaches. */
static int created_by(int64_t version, int *ret_pidfd, Error *err) {
        MonitorReply created = { .kind = (char *)"created", .pid = getpid(), .version = version };
        int pair[2], pidfd = -1, r = pidfd_of(getpid(), &pidfd, err);
        Monitor *monitor;
        pid_t pid;

        if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                r = error_set(err, errno, "make a socket pair");
        if (r < 0)
                return r;
        monitor = monitor_client_new(NULL, pair[0], on_notice, NULL);
        monitor->sent = monitor->wanted = 1;
        monitor->netns_later = true;
        r = message_send(pair[1], &monitor_reply_table, &created, &pidfd, 1, err);
        if (r == 0)
                r = monitor_created(monitor, &pid, ret_pidfd, err);
        monitor_free(monitor);
        close_fd(&pair[1]);
        close_fd(&pidfd);
        return r;
}

TEST(monitor_that_does_not_wait_for_its_network_namespace) {
        Error err = {};
        int pidfd = -1;

        ASSERT(created_by(MONITOR_VERSION - 1, &pidfd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNAVAILABLE);
        ASSERT(strstr(err.message, "earlier brig"));
        ASSERT_INT(pidfd, -1);
        ASSERT_OK(created_by(MONITOR_VERSION, &pidfd, &err), &err);
        close_fd(&pidfd);
}

/* It failed before it read all that was sent to it, which the kernel reports as an error first. */
TEST(last_words_of_a_monitor_are_read) {
        MonitorReply reply = { .kind = (char *)"error",
                               .error_kind = ERROR_INVALID,
                               .message = (char *)"no such log driver" };
        Error err = {};
        int pair[2], pidfd = -1;
        pid_t pid;

        ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        Monitor *monitor = monitor_client_new(NULL, pair[0], on_notice, NULL);
        monitor->sent = monitor->wanted = 1;
        ASSERT_OK(monitor_give_netns(monitor, -1, &err), &err);
        ASSERT_OK(message_send(pair[1], &monitor_reply_table, &reply, NULL, 0, &err), &err);
        close_fd(&pair[1]);
        ASSERT(monitor_created(monitor, &pid, &pidfd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "no such log driver"));
        monitor_free(monitor);
}

/* What is unknown and has an answer is an error at once, and says so. */
TEST(unknown_request_is_an_error) {
        _old_ Old old;
        Error err = {};
        int pair[2];
        int64_t before = clock_monotonic();

        ASSERT_OK(old_open(&old, 0, &err), &err);
        ASSERT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ASSERT(monitor_attach(old.monitor, pair[1], &(MonitorRequest){ .want_stdout = true },
                              &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNSUPPORTED);
        ASSERT(strstr(err.message, "unknown request"));
        ASSERT(clock_monotonic() - before < ANSWER_MAX);
        ASSERT_OK(monitor_resize(old.monitor, "e", 80, 24, &err), &err);
        close_fd(&pair[0]);
        close_fd(&pair[1]);
}

TEST_MAIN()
