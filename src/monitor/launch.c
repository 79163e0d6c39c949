/* launch.c: see launch.h, and monitor_begin of client.h. */
#include "monitor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "monitor/client-private.h"
#include "monitor/message.h"
#include "os/mount.h"
#include "os/pidfd.h"

extern char **environ;

/* ---- the program ---- */

/* The monitor's file, opened in a read-only mount of its own, and the process of it whose children
 * the monitors are. */
static struct {
        pthread_mutex_t lock;
        char *name;
        int fd;
        int spawner, spawner_fd; /* its pidfd and our end of its connection; -1: there is none */
        unsigned generation;     /* of spawners */
} program = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .spawner = -1, .spawner_fd = -1 };

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

/* What a monitor is begun with. */
typedef struct Request {
        char *name; /* the program's */
        Buf words;  /* the container's id and directory, a NUL behind each */
} Request;

/* Lock held. It holds nothing of the daemon's: not its terminal, pipes, session or signal mask. Its
 * second argument is the place that monitors' words will have: until then it says whose it is. */
static int start_spawner(const Request *request, int connection, Error *err) {
        const char *directory = request->words.data + strlen(request->words.data) + 1,
                   *end = strrchr(directory, '/') ?: directory;
        _cleanup_free_ char *path = program_path(),
                            *place = str_format("%-*.*s", (int)request->words.length - 1,
                                                (int)(end - directory), directory);
        _cleanup_strv_ char **environment = monitor_environment();
        char *arguments[] = { (char *)"brig-spawner", place, NULL };
        const SpawnFd fds[] = { { connection, MONITOR_FD } };
        const Spawn spawn = { .program = path,
                              .argv = arguments,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds),
                              .flags = SPAWN_SESSION };
        pid_t pid = -1;
        int r = program_spawn(&spawn, &pid);

        if (r < 0)
                return error_set(err, -r, "start '%s'%s", program.name, program_hint(-r));
        return pidfd_of_child(pid, &program.spawner, err);
}

/* Lock held. The caller reaps it without: see reap. */
static int take_spawner(void) {
        close_fd(&program.spawner_fd);
        return TAKE_FD(program.spawner);
}

static void reap(int pidfd) {
        int status;

        if (pidfd < 0)
                return;
        (void)pidfd_wait_or_kill(&pidfd, 0, &status, NULL); /* the keeper has what does not end */
        close_fd(&pidfd);
}

/* Lock held. */
static int have_spawner(const Request *request, Error *err) {
        const struct timeval patience = { .tv_sec = MONITOR_ANSWER_MAX / NSEC_PER_SEC };
        int pair[2], r;

        if (program.spawner >= 0)
                return 0;
        if (!program.name)
                program.name = str_copy(request->name);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        r = start_spawner(request, pair[1], err);
        (void)close(pair[1]);
        program.spawner_fd = pair[0];
        program.generation++;
        if (r < 0)
                close_fd(&program.spawner_fd);
        else
                (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        return r;
}

/* Lock held. *ret_old: one that takes no requests any more. */
static int ask_locked(const Request *request, int connection, int *ret_old, Error *err) {
        int r = have_spawner(request, err);

        if (r < 0)
                return r;
        r = fd_send(program.spawner_fd, request->words.data, request->words.length, &connection, 1);
        if (r == 0)
                return 0;
        if (r == -EPIPE || r == -ECONNRESET || r == -EAGAIN)
                *ret_old = take_spawner();
        return error_set(err, -r, "ask for a monitor of '%s'", request->name);
}

/* One that was killed is followed by another. */
static int ask_spawner(const Request *request, int connection, unsigned *ret_generation,
                       Error *err) {
        int r = 0, old = -1;

        for (int tries = 0; tries < 2; tries++) {
                old = -1;
                (void)pthread_mutex_lock(&program.lock);
                r = ask_locked(request, connection, &old, err);
                *ret_generation = program.generation;
                (void)pthread_mutex_unlock(&program.lock);
                reap(old);
                if (r == 0 || old < 0)
                        break;
        }
        return r;
}

/* It did not answer: what it has not done by now it shall not do later. */
static void distrust_spawner(unsigned generation) {
        int old = -1;

        (void)pthread_mutex_lock(&program.lock);
        if (program.generation == generation)
                old = take_spawner();
        (void)pthread_mutex_unlock(&program.lock);
        reap(old);
}

void monitor_spawner_end(void) {
        int old;

        (void)pthread_mutex_lock(&program.lock);
        old = take_spawner();
        close_fd(&program.fd);
        free(TAKE_PTR(program.name));
        (void)pthread_mutex_unlock(&program.lock);
        reap(old);
}

struct MonitorProcess {
        Loop *loop;
        Request request;
        int fd; /* our end of its connection */
        unsigned generation;
        int r;
        Error error;
};

static int begin(MonitorProcess *process, Error *err) {
        int pair[2], r;

        close_fd(&process->fd);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        process->fd = pair[0];
        r = ask_spawner(&process->request, pair[1], &process->generation, err);
        /* Nobody holds this end but the monitor: a daemon that is killed from here on is seen. */
        (void)close(pair[1]);
        return r;
}

MonitorProcess *monitor_begin(Loop *loop, const char *name, const char *id, const char *directory) {
        MonitorProcess *process = NEW(MonitorProcess);

        *process = (MonitorProcess){ .loop = loop, .fd = -1 };
        process->request.name = str_copy(name);
        buf_add(&process->request.words, id, strlen(id) + 1);
        buf_add(&process->request.words, directory, strlen(directory) + 1);
        process->r = begin(process, &process->error);
        return process;
}

MonitorProcess *monitor_process_free(MonitorProcess *process) {
        if (!process)
                return NULL;
        close_fd(&process->fd);
        free(process->request.name);
        buf_done(&process->request.words);
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

/* 0 once there is something to read. */
static int wait_readable(int fd) {
        struct pollfd item = { .fd = fd, .events = POLLIN };
        int64_t left, end = clock_monotonic() + MONITOR_ANSWER_MAX;

        while ((left = (end - clock_monotonic()) / NSEC_PER_MSEC) > 0) {
                int n = poll(&item, 1, (int)left);

                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
        }
        return -ETIMEDOUT;
}

/* The monitor, should it come after all, finds that nobody is there. */
static int give_up(const MonitorProcess *process, Error *err) {
        (void)shutdown(process->fd, SHUT_RDWR);
        distrust_spawner(process->generation);
        return error_kind(
                err, ERROR_UNAVAILABLE,
                "brig-spawner, which makes monitors, did not answer and was killed: start "
                "the container again");
}

/* Until the monitor is there. 1: it is not, and nobody tells why. */
static int wait_begun(const MonitorProcess *process, Error *err) {
        Answer answer = { .fd = -1 };
        int r;

        if (wait_readable(process->fd) < 0)
                return give_up(process, err);
        r = monitor_client_receive(process->fd, &answer, err);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = str_equal(answer.reply.kind, "begun")
                    ? 0
                    : error_kind(err, (ErrorKind)answer.reply.error_kind, "%s",
                                 answer.reply.message ?: "");
        monitor_client_answer_done(&answer);
        return r;
}

/* The start message first, as the monitor may be waiting for it. */
static int tell(MonitorProcess *process, const MonitorSpawn *spawn, Error *err) {
        int r = process->r;

        if (r < 0) {
                if (err)
                        *err = process->error;
                return r;
        }
        r = send_start(process->fd, spawn, err);
        return r < 0 && r != -EPIPE && r != -ECONNRESET ? r : wait_begun(process, err);
}

int monitor_process_start(MonitorProcess *process, const MonitorSpawn *spawn, Loop **ret_loop,
                          int *ret_fd, Error *err) {
        int r = tell(process, spawn, err);

        if (r == 1) { /* the spawner was killed */
                process->r = begin(process, &process->error);
                r = tell(process, spawn, err);
        }
        if (r == 1)
                r = error_kind(err, ERROR_UNAVAILABLE,
                               "'%s' ended before it made a monitor (is it of the daemon's "
                               "version?)",
                               process->request.name);
        if (r < 0)
                return r;
        *ret_loop = process->loop;
        *ret_fd = TAKE_FD(process->fd);
        return 0;
}
