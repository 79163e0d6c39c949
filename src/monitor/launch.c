/* launch.c: see launch.h, and monitor_begin of client.h. */
#include "monitor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "monitor/message.h"
#include "os/mount.h"

extern char **environ;

/* ---- the program ---- */

/* The monitor's file, opened in a read-only mount of its own, and the process of it whose children
 * the monitors are. */
static struct {
        pthread_mutex_t lock;
        char *name;
        int fd;
        pid_t spawner; /* 0: none yet */
        int spawner_fd;
} program = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .spawner_fd = -1 };

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

/* The path by which the program is started: one that no container can open for writing, made once,
 * as it would otherwise have to execute itself again to get there (CVE-2019-5736; it still does
 * where a daemon without the right to mount cannot). Through this process's descriptors, because
 * the child has closed its own. Lock held; the caller frees it. */
static char *program_path(void) {
        if (BUG("runtime-program"))
                return str_copy(program.name);
        if (program.fd < 0)
                (void)open_protected(program.name, &program.fd, NULL);
        return program.fd < 0 ? str_copy(program.name)
                              : str_format("/proc/%d/fd/%d", (int)getpid(), program.fd);
}

/* Ours, and what keeps the monitor small, unless who runs the daemon tunes the C library himself.
 * The caller's. */
static char **monitor_environment(void) {
        char **environment = strv_copy(environ);

        if (!env_get(environment, MONITOR_TUNABLES))
                env_put(&environment, MONITOR_TUNABLES, MONITOR_TUNED);
        return environment;
}

/* ---- the spawner ---- */

/* Lock held. It holds nothing of the daemon's: not its terminal, pipes, session or signal mask. Of
 * its arguments the second is the place that monitors' words will have. */
static int start_spawner(size_t room, int connection, Error *err) {
        _cleanup_free_ char *path = program_path(), *place = str_format("%*s", (int)room, "");
        _cleanup_strv_ char **environment = monitor_environment();
        char *arguments[] = { (char *)"brig-spawner", place, NULL };
        const SpawnFd fds[] = { { connection, MONITOR_FD } };
        const Spawn spawn = { .program = path,
                              .argv = arguments,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds),
                              .flags = SPAWN_SESSION };
        int r = program_spawn(&spawn, &program.spawner);

        return r < 0 ? error_set(err, -r, "start '%s'%s", program.name, program_hint(-r)) : 0;
}

/* Lock held. */
static void end_spawner(void) {
        close_fd(&program.spawner_fd);
        if (program.spawner > 0) {
                (void)kill(program.spawner, SIGKILL);
                (void)waitpid(program.spawner, NULL, 0);
        }
        program.spawner = 0;
}

/* Lock held. */
static int have_spawner(const char *name, size_t room, Error *err) {
        const struct timeval patience = { .tv_sec = MONITOR_ANSWER_MAX / NSEC_PER_SEC };
        int pair[2], r;

        if (!str_equal(program.name, name)) {
                end_spawner();
                close_fd(&program.fd);
                str_replace(&program.name, name);
        }
        if (program.spawner > 0)
                return 0;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        r = start_spawner(room, pair[1], err);
        (void)close(pair[1]);
        program.spawner_fd = pair[0];
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (r < 0)
                end_spawner();
        return r;
}

/* Lock held. One that was killed is followed by another. */
static int ask_spawner(const char *name, const Buf *words, int connection, Error *err) {
        int r = 0;

        for (int tries = 0; tries < 2; tries++) {
                r = have_spawner(name, words->length - 1, err); /* a NUL ends it */
                if (r < 0)
                        return r;
                r = fd_send(program.spawner_fd, words->data, words->length, &connection, 1);
                if (r == 0)
                        return 0;
                end_spawner();
        }
        return error_set(err, -r, "ask for a monitor of '%s'", name);
}

struct MonitorProcess {
        Loop *loop;
        int fd; /* our end of its connection */
        int r;
        Error error;
};

MonitorProcess *monitor_begin(Loop *loop, const char *name, const char *id, const char *directory) {
        MonitorProcess *process = NEW(MonitorProcess);
        _cleanup_buf_ Buf words = {};
        int pair[2];

        *process = (MonitorProcess){ .loop = loop, .fd = -1 };
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                process->r = error_set(&process->error, errno, "make a socket pair");
                return process;
        }
        process->fd = pair[0];
        buf_add(&words, id, strlen(id) + 1);
        buf_add(&words, directory, strlen(directory) + 1);
        (void)pthread_mutex_lock(&program.lock);
        process->r = ask_spawner(name, &words, pair[1], &process->error);
        (void)pthread_mutex_unlock(&program.lock);
        /* Nobody holds this end but the monitor: a daemon that is killed from here on is seen. */
        (void)close(pair[1]);
        return process;
}

MonitorProcess *monitor_process_free(MonitorProcess *process) {
        if (!process)
                return NULL;
        close_fd(&process->fd);
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

/* Why the spawner made no monitor, where that is what there is to read. */
static int read_refusal(int fd, Error *err) {
        int fds[MESSAGE_FDS_MAX], r;
        MonitorReply reply = {};
        size_t count;

        r = message_receive(fd, &monitor_reply_table, &reply, fds, &count, NULL);
        if (r > 0)
                r = error_kind(err, (ErrorKind)reply.error_kind, "%s", reply.message ?: "");
        else
                r = error_kind(err, ERROR_UNAVAILABLE, "the container's monitor has ended");
        json_done(&monitor_reply_table, &reply);
        return r;
}

int monitor_process_start(MonitorProcess *process, const MonitorSpawn *spawn, Loop **ret_loop,
                          int *ret_fd, Error *err) {
        int r = process->r;

        if (r < 0) {
                if (err)
                        *err = process->error;
                return r;
        }
        r = send_start(process->fd, spawn, err);
        if (r == -EPIPE || r == -ECONNRESET)
                r = read_refusal(process->fd, err);
        if (r < 0)
                return r;
        *ret_loop = process->loop;
        *ret_fd = TAKE_FD(process->fd);
        return 0;
}
