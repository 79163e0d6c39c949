/* launch.c: see launch.h, and monitor_begin of client.h. */
#include "monitor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/program.h"
#include "monitor/message.h"
#include "os/mount.h"
#include "os/pidfd.h"

extern char **environ;

/* Collects the monitor's process once it has ended, whatever became of the connection. */
typedef struct Reaper {
        struct Reaper *previous, *next; /* in reapers */
        Loop *loop;
        LoopSource *source;
        pid_t pid;
        int pidfd; /* -1: there was no descriptor for it yet */
} Reaper;

/* When what could not be watched is tried again. */
#define WATCH_AGAIN NSEC_PER_SEC

/* All of them: a daemon that ends leaves them behind with its running containers. */
static Reaper *reapers;
static pthread_mutex_t reapers_lock = PTHREAD_MUTEX_INITIALIZER;

static Reaper *reaper_new(Loop *loop, pid_t pid) {
        Reaper *reaper = NEW(Reaper);

        reaper->loop = loop;
        reaper->pid = pid;
        reaper->pidfd = -1;
        (void)pthread_mutex_lock(&reapers_lock);
        reaper->next = reapers;
        if (reapers)
                reapers->previous = reaper;
        reapers = reaper;
        (void)pthread_mutex_unlock(&reapers_lock);
        return reaper;
}

static void reaper_free(Reaper *reaper) {
        (void)pthread_mutex_lock(&reapers_lock);
        if (reaper->previous)
                reaper->previous->next = reaper->next;
        else
                reapers = reaper->next;
        if (reaper->next)
                reaper->next->previous = reaper->previous;
        (void)pthread_mutex_unlock(&reapers_lock);
        loop_remove(reaper->source);
        close_fd(&reaper->pidfd);
        free(reaper);
}

static void on_monitor_end(void *data, int fd, uint32_t events) {
        Reaper *reaper = data;
        Error err = {};
        int status;

        (void)events;
        if (pidfd_wait(fd, &status, &err) < 0)
                log_warn("monitor: %s", err.message);
        reaper_free(reaper);
}

/* The number stays the monitor's until it was reaped, which is done here only: the descriptor may
 * come late. */
static void watch_monitor(void *data) {
        Reaper *reaper = data;
        Error err = {};
        int r = reaper->pidfd < 0 ? pidfd_of(reaper->pid, &reaper->pidfd, &err) : 0;

        reaper->source = NULL;
        if (r == 0)
                r = loop_add_fd(reaper->loop, reaper->pidfd, EPOLLIN, on_monitor_end, reaper,
                                &reaper->source, &err);
        if (r == 0)
                return;
        log_warn("monitor: %s", err.message);
        reaper->source = loop_add_timer(reaper->loop, clock_monotonic() + WATCH_AGAIN,
                                        watch_monitor, reaper);
}

/* ---- the program ---- */

/* The monitor's file, opened in a read-only mount of its own. */
static struct {
        pthread_mutex_t lock;
        char *name;
        int fd;
} protected_program = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static int open_protected(const char *name, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = open(name, O_PATH | O_CLOEXEC);
        _cleanup_close_ int mount_fd = -1;
        int r;

        if (fd < 0)
                return error_set(err, errno, "open '%s'", name);
        r = mount_clone(fd, false, &mount_fd, err);
        if (r == 0)
                r = mount_change(mount_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
        if (r == 0)
                *ret_fd = TAKE_FD(mount_fd);
        return r;
}

/* The path by which a monitor is started: one that no container can open for writing, made once, as
 * each monitor would otherwise have to execute itself again to get there (CVE-2019-5736; it still
 * does where a daemon without the right to mount cannot). Through this process's descriptors,
 * because the child has closed its own. The caller frees it. */
static char *program_path(const char *name) {
        char *path;

        if (BUG("runtime-program"))
                return str_copy(name);
        (void)pthread_mutex_lock(&protected_program.lock);
        if (!str_equal(protected_program.name, name)) {
                close_fd(&protected_program.fd);
                str_replace(&protected_program.name, name);
                (void)open_protected(name, &protected_program.fd, NULL);
        }
        path = protected_program.fd < 0
                       ? str_copy(name)
                       : str_format("/proc/%d/fd/%d", (int)getpid(), protected_program.fd);
        (void)pthread_mutex_unlock(&protected_program.lock);
        return path;
}

/* Ours, and what keeps the monitor small, unless who runs the daemon tunes the C library himself.
 * The caller's. */
static char **monitor_environment(void) {
        char **environment = strv_copy(environ);

        if (!env_get(environment, MONITOR_TUNABLES))
                env_put(&environment, MONITOR_TUNABLES, MONITOR_TUNED);
        return environment;
}

struct MonitorProcess {
        Loop *loop;
        char *program, *id, *directory;
        int ours, theirs; /* the connection's ends */
        pthread_t thread;
        bool has_thread; /* that is to be waited for before what follows is read */
        int r;
        Error error;
};

/* The monitor holds nothing of the daemon's: not its terminal, pipes, session or signal mask. */
static int spawn_program(const MonitorProcess *process, pid_t *ret, Error *err) {
        char *arguments[] = { (char *)"brig-monitor", process->id, process->directory, NULL };
        _cleanup_free_ char *path = program_path(process->program);
        _cleanup_strv_ char **environment = monitor_environment();
        const SpawnFd fds[] = { { process->theirs, MONITOR_FD } };
        const Spawn program = { .program = path,
                                .argv = arguments,
                                .environment = environment,
                                .fds = fds,
                                .fd_count = ELEMENTS(fds),
                                .flags = SPAWN_SESSION };
        int r = program_spawn(&program, ret);

        return r < 0 ? error_set(err, -r, "start '%s'%s", process->program, program_hint(-r)) : 0;
}

static void *spawn_thread(void *data) {
        MonitorProcess *process = data;
        pid_t pid = -1;

        process->r = spawn_program(process, &pid, &process->error);
        /* Nobody holds this end but the monitor: a daemon that is killed from here on is seen. */
        close_fd(&process->theirs);
        if (process->r == 0)
                loop_post(process->loop, watch_monitor, reaper_new(process->loop, pid));
        return NULL;
}

MonitorProcess *monitor_begin(Loop *loop, const char *program, const char *id,
                              const char *directory) {
        MonitorProcess *process = NEW(MonitorProcess);
        int pair[2];

        *process = (MonitorProcess){ .loop = loop, .ours = -1, .theirs = -1 };
        process->program = str_copy(program);
        process->id = str_copy(id);
        process->directory = str_copy(directory);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                process->r = error_set(&process->error, errno, "make a socket pair");
                return process;
        }
        process->ours = pair[0];
        process->theirs = pair[1];
        process->has_thread = pthread_create(&process->thread, NULL, spawn_thread, process) == 0;
        if (!process->has_thread)
                (void)spawn_thread(process);
        return process;
}

static int wait_for_process(MonitorProcess *process, Error *err) {
        if (process->has_thread)
                (void)pthread_join(process->thread, NULL);
        process->has_thread = false;
        if (process->r < 0 && err)
                *err = process->error;
        return process->r;
}

MonitorProcess *monitor_process_free(MonitorProcess *process) {
        if (!process)
                return NULL;
        (void)wait_for_process(process, NULL);
        close_fd(&process->ours);
        close_fd(&process->theirs);
        free(process->program);
        free(process->id);
        free(process->directory);
        free(process);
        return NULL;
}

static int send_start(int fd, const MonitorSpawn *spawn, Error *err) {
        _cleanup_free_ char *config = json_text(&oci_config_table, spawn->config);
        _cleanup_close_ int config_fd = -1;
        _cleanup_close_ int seccomp_fd = -1;
        MonitorStart start = *spawn->start;
        int fds[MESSAGE_FDS_MAX] = { spawn->data_root_fd, spawn->state_fd, spawn->run_fd };
        size_t count = 4;
        int r = memfd_with("config.json", config, strlen(config), &config_fd, err);

        start.has_netns = spawn->netns_fd >= 0;
        start.netns_later = spawn->netns_later;
        start.has_pidns = spawn->pidns_fd >= 0;
        start.has_ipcns = spawn->ipcns_fd >= 0;
        start.has_userns = spawn->userns_fd >= 0;
        start.has_seccomp = spawn->seccomp != NULL;
        start.has_images = spawn->images_fd >= 0;
        start.seccomp_flags = spawn->seccomp ? spawn->seccomp->flags : 0;
        if (r == 0 && start.has_seccomp)
                r = memfd_with("seccomp", spawn->seccomp->filter, spawn->seccomp->length,
                               &seccomp_fd, err);
        if (r < 0)
                return r;
        fds[3] = config_fd;
        if (start.has_netns)
                fds[count++] = spawn->netns_fd;
        if (start.has_pidns)
                fds[count++] = spawn->pidns_fd;
        if (start.has_ipcns)
                fds[count++] = spawn->ipcns_fd;
        if (start.has_userns)
                fds[count++] = spawn->userns_fd;
        if (start.has_seccomp)
                fds[count++] = seccomp_fd;
        if (start.has_images)
                fds[count++] = spawn->images_fd;
        return message_send(fd, &monitor_start_table, &start, fds, count, err);
}

int monitor_process_start(MonitorProcess *process, const MonitorSpawn *spawn, Loop **ret_loop,
                          int *ret_fd, Error *err) {
        Error unsent = {};
        int sent, r;

        /* First, as the monitor may be waiting for it. */
        sent = process->ours < 0 ? 0 : send_start(process->ours, spawn, &unsent);
        r = wait_for_process(process, err);
        if (r == 0 && sent < 0) {
                if (err)
                        *err = unsent;
                r = sent;
        }
        if (r < 0)
                return r;
        *ret_loop = process->loop;
        *ret_fd = TAKE_FD(process->ours);
        return 0;
}
