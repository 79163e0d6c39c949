/* test-host.h: a daemon with one container, for the tests of monitors. BRIG_TEST_MONITOR names the
 * monitor; with BRIG_TEST_BUSYBOX, a static busybox, it makes real containers, else its runtime is
 * fake-runtime.c. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
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
#include "os/cgroup.h"
#include "os/pidfd.h"

#define WAIT_MAX (20 * NSEC_PER_SEC)

/* A daemon with one container. */
typedef struct Host {
        char directory[64], id[ID_LENGTH + 1];
        int directory_fd, state_fd, run_fd;
        OciConfig config;
        MonitorStart start;
        const SeccompProgram *seccomp; /* of the container and its execs; NULL: none */
        Loop *loop;
        pthread_t thread;
        Monitor *monitor;
        pid_t pid;
        int pidfd;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        MonitorReply exited, exec_exited, probe;
        bool has_exited, has_exec_exited, has_probe, lost, detached, ending;
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
        } else if (str_after(reply->kind, "probe-")) {
                json_done(&monitor_reply_table, &host->probe);
                json_copy(&monitor_reply_table, reply, &host->probe);
                host->has_probe = true;
        } else if (str_equal(reply->kind, "lost"))
                host->lost = true;
        else if (str_equal(reply->kind, "detached"))
                host->detached = true;
        else if (str_equal(reply->kind, "ending"))
                host->ending = !host->has_exited;
        (void)pthread_cond_broadcast(&host->changed);
        (void)pthread_mutex_unlock(&host->lock);
}

static UNUSED bool wait_for(Host *host, const bool *flag) {
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
static UNUSED bool take(Host *host, bool *flag) {
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

static MonitorProcess *host_begin(Host *host) {
        return monitor_begin(host->loop, getenv("BRIG_TEST_MONITOR"), host->start.id,
                             host->directory);
}

/* process is told what for, and freed; netns_later: see MonitorSpawn. */
static int host_tell_process(Host *host, MonitorProcess *process, bool netns_later, Error *err) {
        MonitorSpawn spawn = { .start = &host->start,
                               .config = &host->config,
                               .data_root_fd = host->directory_fd,
                               .state_fd = host->state_fd,
                               .run_fd = host->run_fd,
                               .netns_fd = -1,
                               .netns_later = netns_later,
                               .pidns_fd = -1,
                               .ipcns_fd = -1,
                               .userns_fd = -1,
                               .seccomp = host->seccomp,
                               .images_fd = -1 };
        int r = monitor_spawn(process, &spawn, on_notice, host, &host->monitor, err);

        monitor_process_free(process);
        return r;
}

static int host_tell(Host *host, bool netns_later, Error *err) {
        return host_tell_process(host, host_begin(host), netns_later, err);
}

static int host_spawn(Host *host, Error *err) {
        int r = host_tell(host, false, err);

        return r < 0 ? r : monitor_created(host->monitor, &host->pid, &host->pidfd, err);
}

static UNUSED int host_start(Host *host, Error *err) {
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
        json_done(&monitor_reply_table, &host->probe);
}
#define _host_ _cleanup_(host_done)

/* Our end of a client's connection; the other is with the monitor. */
static UNUSED int attach(Host *host, const MonitorRequest *request, int *ret_fd, Error *err) {
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

static UNUSED int exec(Host *host, const char *id, const char *script, bool terminal,
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
        const MonitorExecution execution = { .id = id,
                                             .process = &process,
                                             .request = &request,
                                             .client_fd = theirs,
                                             .seccomp = host->seccomp };
        r = monitor_exec(host->monitor, &execution, NULL, err);
        strv_free(process.args);
        strv_free(process.env);
        if (ret_fd)
                *ret_fd = pair[0];
        return r;
}

/* An exec of the daemon's own; *ret_fd has its output. */
static UNUSED int probe(Host *host, const char *id, const char *program, const char *script,
                        int *ret_fd, Error *err) {
        const MonitorRequest request = { .want_stdout = true, .want_stderr = true };
        OciProcess process = { .cwd = (char *)"/" };
        _cleanup_close_ int theirs = -1;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        *ret_fd = pair[0];
        theirs = pair[1];
        strv_add(&process.args, program);
        strv_add(&process.args, "-c");
        strv_add(&process.args, script);
        strv_add(&process.env, "PATH=/bin:/usr/bin");
        const MonitorExecution execution = {
                .id = id, .process = &process, .request = &request, .client_fd = theirs
        };
        r = monitor_probe(host->monitor, &execution, err);
        strv_free(process.args);
        strv_free(process.env);
        return r;
}

/* Reads until the end or `until` was seen; the text is the caller's. */
static UNUSED char *read_text(int fd, const char *until) {
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

static const MonitorRequest raw UNUSED = { .want_stdin = true,
                                           .want_stdout = true,
                                           .want_stderr = true };

static UNUSED int record_of(Host *host, ExitRecord *ret) {
        *ret = (ExitRecord){};
        return exit_record_read(host->state_fd, ret, NULL);
}

/* 0 if it cannot be told. */
static UNUSED pid_t parent_of(pid_t pid) {
        _cleanup_free_ char *path = str_format("/proc/%d/stat", (int)pid), *stat = NULL;
        const char *name_end = NULL;
        int parent = 0;

        if (file_read_at(AT_FDCWD, path, 4096, &stat, NULL, NULL) == 0)
                name_end = strrchr(stat, ')');
        return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* The monitor's process: the parent of init. */
static UNUSED pid_t monitor_pid(Host *host) {
        return parent_of(host->pid);
}

/* Whether the list of processes shows no monitor of this container, or soon no more. */
static UNUSED bool monitor_ends(const Host *host) {
        _cleanup_free_ char *pattern = str_format("^brig-monitor %s %s", host->id, host->directory);
        const char *arguments[] = { "pkill", "-0", "-f", pattern, NULL };
        int64_t deadline = clock_monotonic() + WAIT_MAX;
        int status;
        pid_t pid;

        while (posix_spawnp(&pid, "pkill", NULL, NULL, (char **)arguments, environ) == 0 &&
               waitpid(pid, &status, 0) == pid && clock_monotonic() < deadline) {
                if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
                        return true;
                (void)poll(NULL, 0, 5);
        }
        return false;
}
