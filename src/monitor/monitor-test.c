/* monitor-test.c: a monitor's life from brigd's side: started, attached to, exec'd in, ended, and
 * what happens when either side is killed. BRIG_TEST_MONITOR names the monitor; with
 * BRIG_TEST_ROOT, a root directory with busybox, it makes real containers, else its runtime is
 * fake-runtime.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/test.h"
#include "monitor/client.h"
#include "monitor/frame.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

#define WAIT_MAX (20 * NSEC_PER_SEC)

/* A daemon with one container. */
typedef struct Host {
        char directory[64], id[ID_LENGTH + 1];
        int directory_fd, state_fd, run_fd;
        OciConfig config;
        MonitorStart start;
        Loop *loop;
        pthread_t thread;
        Monitor *monitor;
        pid_t pid;
        int pidfd;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        MonitorReply exited, exec_exited;
        bool has_exited, has_exec_exited, lost, detached;
} Host;

static void on_notice(void *data, const MonitorReply *reply) {
        Host *host = data;

        (void)pthread_mutex_lock(&host->lock);
        if (str_equal(reply->kind, "exited")) {
                json_copy(&monitor_reply_table, reply, &host->exited);
                host->has_exited = true;
        } else if (str_equal(reply->kind, "exec-exited")) {
                json_done(&monitor_reply_table, &host->exec_exited);
                json_copy(&monitor_reply_table, reply, &host->exec_exited);
                host->has_exec_exited = true;
        } else if (str_equal(reply->kind, "lost"))
                host->lost = true;
        else if (str_equal(reply->kind, "detached"))
                host->detached = true;
        (void)pthread_cond_broadcast(&host->changed);
        (void)pthread_mutex_unlock(&host->lock);
}

static bool wait_for(Host *host, const bool *flag) {
        int64_t deadline = clock_now() + WAIT_MAX;
        struct timespec until = { .tv_sec = deadline / NSEC_PER_SEC };
        bool result;
        int r = 0;

        (void)pthread_mutex_lock(&host->lock);
        while (!*flag && r == 0)
                r = pthread_cond_timedwait(&host->changed, &host->lock, &until);
        result = *flag;
        (void)pthread_mutex_unlock(&host->lock);
        return result;
}

/* The flag, which is false afterwards. */
static bool take(Host *host, bool *flag) {
        bool result;

        (void)pthread_mutex_lock(&host->lock);
        result = *flag;
        *flag = false;
        (void)pthread_mutex_unlock(&host->lock);
        return result;
}

static void *run_loop(void *data) {
        (void)loop_run(data, NULL);
        return NULL;
}

static void add_namespace(OciLinux *linux_, const char *type) {
        OciNamespace *namespace = json_append(&linux_->namespaces, &oci_namespace_table);

        namespace->type = str_copy(type);
}

static void add_mount(OciConfig *config, const char *type, const char *destination) {
        OciMount *mount = json_append(&config->mounts, &oci_mount_table);

        mount->type = str_copy(type);
        mount->source = str_copy(type);
        mount->destination = str_copy(destination);
}

/* A root with busybox and what the tests' scripts call. */
static int make_root(Host *host, const char *busybox, Error *err) {
        static const char *const tools[] = { "sh",   "cat",   "stty", "head",
                                             "tail", "sleep", "true", "grep" };
        _cleanup_close_ int from = open(busybox, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int to = -1;
        struct stat st;
        int r = dir_make_at(host->directory_fd, "root/bin", 0755, err);

        if (from < 0 || fstat(from, &st) < 0)
                return error_set(err, errno, "open '%s'", busybox);
        if (r < 0)
                return r;
        to = openat(host->directory_fd, "root/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        if (to < 0 || sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size)
                return error_set(err, errno, "copy '%s'", busybox);
        for (size_t i = 0; i < ELEMENTS(tools); i++) {
                _cleanup_free_ char *path = str_format("root/bin/%s", tools[i]);

                if (symlinkat("busybox", host->directory_fd, path) < 0)
                        return error_set(err, errno, "make '%s'", path);
        }
        return 0;
}

/* What a real container needs besides its process. */
static int fill_real(Host *host, const char *busybox, Error *err) {
        static const char *const namespaces[] = { "pid", "mount", "ipc", "uts", "network" };
        OciConfig *config = &host->config;

        host->start.cgroup = str_format("/brig-test-%s", host->id);
        config->linux_ = NEW(OciLinux);
        for (size_t i = 0; i < ELEMENTS(namespaces); i++)
                add_namespace(config->linux_, namespaces[i]);
        config->linux_->cgroups_path = str_copy(host->start.cgroup);
        add_mount(config, "proc", "/proc");
        add_mount(config, "tmpfs", "/dev");
        add_mount(config, "devpts", "/dev/pts");
        strv_add(&host->start.lowers, "root");
        host->start.upper = str_copy("upper");
        host->start.work = str_copy("work");
        return make_root(host, busybox, err);
}

static int fill(Host *host, const char *script, bool terminal, Error *err) {
        const char *busybox = getenv("BRIG_TEST_BUSYBOX");
        OciProcess *process = NEW(OciProcess);

        id_new(host->id);
        host->config.version = str_copy("1.0.2");
        host->config.process = process;
        host->config.root = NEW(OciRoot);
        host->config.root->path = str_copy("rootfs");
        process->terminal = terminal;
        process->cwd = str_copy("/");
        strv_add(&process->env, "PATH=/bin:/usr/bin");
        strv_add(&process->args, "/bin/sh");
        strv_add(&process->args, "-c");
        strv_add(&process->args, script);
        host->start.id = str_copy(host->id);
        host->start.log.driver = str_copy("json-file");
        host->start.log.path = str_copy("log");
        return busybox ? fill_real(host, busybox, err) : 0;
}

static int host_open(Host *host, const char *script, bool terminal, Error *err) {
        int r;

        *host = (Host){ .pidfd = -1 };
        (void)pthread_mutex_init(&host->lock, NULL);
        (void)pthread_cond_init(&host->changed, NULL);
        (void)snprintf(host->directory, sizeof(host->directory), "/tmp/brig-monitor-test.XXXXXX");
        if (!mkdtemp(host->directory))
                return error_set(err, errno, "mkdtemp");
        r = dir_open_at(AT_FDCWD, host->directory, 0, &host->directory_fd, err);
        for (int i = 0; r == 0 && i < 2; i++)
                r = dir_make_at(host->directory_fd, i ? "upper" : "work", 0755, err);
        if (r == 0)
                r = dir_open_at(host->directory_fd, "state", 0700, &host->state_fd, err);
        if (r == 0)
                r = dir_open_at(host->directory_fd, "run", 0700, &host->run_fd, err);
        if (r == 0)
                r = loop_new(&host->loop, err);
        if (r == 0)
                r = -pthread_create(&host->thread, NULL, run_loop, host->loop);
        return r < 0 ? r : fill(host, script, terminal, err);
}

static int host_spawn(Host *host, Error *err) {
        MonitorSpawn spawn = { .program = getenv("BRIG_TEST_MONITOR"),
                               .start = &host->start,
                               .config = &host->config,
                               .data_root_fd = host->directory_fd,
                               .state_fd = host->state_fd,
                               .run_fd = host->run_fd,
                               .netns_fd = -1 };
        int r = monitor_spawn(host->loop, &spawn, on_notice, host, &host->monitor, err);

        return r < 0 ? r : monitor_created(host->monitor, &host->pid, &host->pidfd, err);
}

static int host_start(Host *host, Error *err) {
        int r = host_spawn(host, err);

        return r < 0 ? r : monitor_go(host->monitor, err);
}

static void host_done(Host *host) {
        if (host->pidfd >= 0)
                (void)pidfd_signal(host->pidfd, SIGKILL, NULL);
        if (host->lost && host->start.cgroup) { /* the daemon's work, as the monitor cannot */
                (void)cgroup_kill(host->start.cgroup, WAIT_MAX, NULL);
                (void)cgroup_remove(host->start.cgroup, NULL);
        }
        host->monitor = monitor_free(host->monitor);
        loop_stop(host->loop);
        (void)pthread_join(host->thread, NULL);
        (void)loop_step(host->loop, 0, NULL); /* what was posted last */
        host->loop = loop_free(host->loop);
        (void)dir_remove_at(AT_FDCWD, host->directory, NULL);
        close_fd(&host->directory_fd);
        close_fd(&host->state_fd);
        close_fd(&host->run_fd);
        close_fd(&host->pidfd);
        json_done(&oci_config_table, &host->config);
        json_done(&monitor_start_table, &host->start);
        json_done(&monitor_reply_table, &host->exited);
        json_done(&monitor_reply_table, &host->exec_exited);
}
#define _host_ _cleanup_(host_done)

/* Our end of a client's connection; the other is with the monitor. */
static int attach(Host *host, const MonitorRequest *request, int *ret_fd, Error *err) {
        _cleanup_close_ int theirs = -1;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        theirs = pair[1];
        r = monitor_attach(host->monitor, theirs, request, err);
        if (r < 0)
                (void)close(pair[0]);
        else
                *ret_fd = pair[0];
        return r;
}

static int exec(Host *host, const char *id, const char *script, bool terminal,
                MonitorRequest request, int *ret_fd, Error *err) {
        OciProcess process = { .terminal = terminal, .cwd = (char *)"/" };
        _cleanup_close_ int theirs = -1;
        int pair[2] = { -1, -1 }, r;

        strv_add(&process.args, "/bin/sh");
        strv_add(&process.args, "-c");
        strv_add(&process.args, script);
        strv_add(&process.env, "PATH=/bin:/usr/bin");
        if (ret_fd && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        theirs = pair[1];
        r = monitor_exec(host->monitor, id, &process, theirs, &request, NULL, 0, NULL, err);
        strv_free(process.args);
        strv_free(process.env);
        if (ret_fd)
                *ret_fd = pair[0];
        return r;
}

/* Reads until the end or `until` was seen; the text is the caller's. */
static char *read_text(int fd, const char *until) {
        Buf buf = {};

        buf_add(&buf, "", 0);
        for (;;) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                char data[4096];
                ssize_t n;

                if (poll(&poll_fd, 1, (int)(WAIT_MAX / NSEC_PER_MSEC)) <= 0)
                        break;
                n = read(fd, data, sizeof(data));
                if (n <= 0)
                        break;
                buf_add(&buf, data, (size_t)n);
                if (until && strstr(buf.data, until))
                        break;
        }
        return buf_take(&buf);
}

static const MonitorRequest raw = { .want_stdin = true, .want_stdout = true, .want_stderr = true };

static int record_of(Host *host, ExitRecord *ret) {
        *ret = (ExitRecord){};
        return exit_record_read(host->state_fd, ret, NULL);
}

/* ---- tests ---- */

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
        ASSERT(known && !known->running && !known->seen);
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

/* The monitor's process: the parent of init. 0 if it cannot be told. */
static pid_t monitor_pid(Host *host) {
        _cleanup_free_ char *path = str_format("/proc/%d/stat", (int)host->pid);
        _cleanup_free_ char *stat = NULL;
        int parent = 0;

        if (file_read_at(AT_FDCWD, path, 4096, &stat, NULL, NULL) < 0 ||
            sscanf(strrchr(stat, ')'), ") %*c %d", &parent) != 1)
                return 0;
        return parent;
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

TEST_MAIN()
