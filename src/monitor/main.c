/* main.c: brig-monitor: one a container, alive as long as its container, a child of the spawner
 * that brigd starts (spawner.h). Sets the process up, takes "start" from descriptor 3, then waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/spawner.h"
#include "monitor/supervisor.h"

static int child_fd = -1; /* counts SIGCHLDs */

static void on_child_signal(int signal) {
        int saved = errno;
        uint64_t one = 1;

        (void)signal;
        if (write(child_fd, &one, sizeof(one)) < 0)
                _exit(1); /* an eventfd of our own: only a bug gets here */
        errno = saved;
}

static void on_other_signal(int signal) {
        (void)signal;
}

/* Handlers, not SIG_IGN or a mask: those would be inherited by the container. What asks a daemon to
 * end does not end a monitor: it ends with its container. */
static int catch_signals(Error *err) {
        static const int others[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM };
        struct sigaction action = { .sa_handler = on_other_signal, .sa_flags = SA_RESTART };

        child_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (child_fd < 0)
                return error_set(err, errno, "eventfd");
        for (size_t i = 0; i < ELEMENTS(others); i++)
                (void)sigaction(others[i], &action, NULL);
        action.sa_handler = on_child_signal;
        action.sa_flags |= SA_NOCLDSTOP;
        (void)sigaction(SIGCHLD, &action, NULL);
        return 0;
}

static void on_children(void *data, int fd, uint32_t events) {
        Supervisor *supervisor = data;
        uint64_t count;

        (void)events;
        if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                return;
        processes_reap(supervisor);
        if (supervisor->started && !supervisor->ended && supervisor->init->phase == PROCESS_REAPED)
                supervisor_finish(supervisor);
        processes_settle(supervisor);
}

static int prepare(Supervisor *supervisor, Error *err) {
        int r;

        (void)umask(022);
        (void)prctl(PR_SET_NAME, "brig-monitor"); /* it has the spawner's */
        if (chdir("/") < 0)
                return error_set(err, errno, "change to /");
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return error_set(err, errno, "become a child subreaper");
        r = catch_signals(err);
        if (r == 0)
                r = loop_new(&supervisor->loop, err);
        if (r == 0)
                r = loop_add_fd(supervisor->loop, child_fd, EPOLLIN, on_children, supervisor, NULL,
                                err);
        return r;
}

/* Answers "start" on the first connection. */
static int say_started(const Supervisor *supervisor, int result, const Error *err) {
        const Process *init = result < 0 ? NULL : supervisor->init;
        MonitorReply reply = { .kind = (char *)"error",
                               .error_kind = err->kind,
                               .message = (char *)err->message };

        if (init)
                reply = (MonitorReply){ .kind = (char *)"created",
                                        .pid = init->pid,
                                        .version = MONITOR_VERSION };
        return message_send(MONITOR_FD, &monitor_reply_table, &reply, init ? &init->pidfd : NULL,
                            init ? 1 : 0, NULL);
}

static int take_start(Supervisor *supervisor, Error *err) {
        int fds[MESSAGE_FDS_MAX], r;
        MonitorStart start = {};
        size_t fd_count;

        r = message_receive(MONITOR_FD, &monitor_start_table, &start, fds, &fd_count, err);
        if (r == 0)
                return error_kind(err, ERROR_INVALID, "nobody sent a start message");
        if (r > 0)
                r = supervisor_start(supervisor, &start, fds, fd_count, err);
        json_done(&monitor_start_table, &start);
        return r;
}

static bool started_by_daemon(void) {
        int type;
        socklen_t length = sizeof(type);

        return getsockopt(MONITOR_FD, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
               type == SOCK_SEQPACKET;
}

static int run(Supervisor *supervisor, Error *err) {
        int r = prepare(supervisor, err);

        if (r == 0)
                r = take_start(supervisor, err);
        if (say_started(supervisor, r, err) < 0 && r == 0) {
                r = error_kind(err, ERROR_UNAVAILABLE,
                               "the daemon ended before the container was made");
                supervisor_give_up(supervisor, err);
        }
        if (r == 0)
                r = connection_add(supervisor, MONITOR_FD, err);
        if (r == 0)
                r = loop_run(supervisor->loop, err);
        return r;
}

static int keep_container(void) {
        Supervisor supervisor = { .data_root_fd = -1,
                                  .state_fd = -1,
                                  .run_fd = -1,
                                  .listen_fd = -1,
                                  .images_fd = -1,
                                  .gate_fd = -1,
                                  .root_fd = -1,
                                  .upper_fd = -1,
                                  .record_fd = -1,
                                  .log = { .fd = -1, .program_fd = -1 } };
        Error err = {};
        int r = run(&supervisor, &err);

        processes_free(&supervisor);
        execs_forget(&supervisor);
        logfile_done(&supervisor.log); /* which may have something to say to daemons */
        connections_free(&supervisor);
        runtime_container_done(&supervisor.container);
        json_free(&oci_config_table, supervisor.config);
        free(supervisor.id);
        strv_free(supervisor.runtime_words);
        supervisor_drop_root(&supervisor);
        close_fd(&supervisor.state_fd);
        close_fd(&supervisor.run_fd);
        close_fd(&supervisor.record_fd);
        loop_free(supervisor.loop);
        close_fd(&child_fd);
        return r < 0 ? 1 : 0;
}

int main(int argc, char **argv) {
        static const char misuse[] =
                "brig-monitor: this program keeps containers and is started by brigd only\n";
        Error err = {};
        int r;

        (void)argc;
        if (!started_by_daemon()) {
                (void)!write(STDERR_FILENO, misuse, sizeof(misuse) - 1);
                return 2;
        }
        r = runtime_protect_program(argv, &err);
        if (str_equal(getenv(MONITOR_TUNABLES), MONITOR_TUNED))
                (void)unsetenv(MONITOR_TUNABLES); /* this program's: nobody's that it starts */
        spawner_serve(argv, keep_container, r < 0 ? &err : NULL);
}
