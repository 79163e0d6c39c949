/* helper.c: see helper.h. */
#include "image/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "image/message.h"
#include "os/pidfd.h"

/* A killed process ends in milliseconds, or does not (see reap). */
#define END_TIMEOUT (5 * NSEC_PER_SEC)

/* Registries and downloads are reached by the daemon's proxies, as libcurl takes them (the name in
 * capitals is not read for plain HTTP); this host is not, as in Go's clients. */
static char **environment_of(void) {
        static const struct {
                const char *name, *capitals;
        } proxies[] = { { "http_proxy", "HTTP_PROXY" }, { "https_proxy", "HTTPS_PROXY" } };
        const char *none = getenv("NO_PROXY") ?: getenv("no_proxy");
        char **list = NULL;

        strv_add(&list, "LC_CTYPE=C.UTF-8");
        for (size_t i = 0; i < ELEMENTS(proxies); i++) {
                const char *value = getenv(proxies[i].capitals) ?: getenv(proxies[i].name);

                if (!str_empty(value))
                        strv_format(&list, "%s=%s", proxies[i].name, value);
        }
        strv_format(&list, "no_proxy=localhost,127.0.0.0/8,::1%s%s", str_empty(none) ? "" : ",",
                    none ?: "");
        return list;
}

static int spawn(const char *program, const char *job, const SpawnFd *fds, size_t fd_count,
                 pid_t *ret) {
        char *argv[] = { (char *)"brig-image", (char *)job, NULL };
        _cleanup_strv_ char **environment = environment_of();
        const Spawn spawn = { .program = program,
                              .argv = argv,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = fd_count };

        return program_spawn(&spawn, ret);
}

int helper_start(const char *program, const char *job, const SpawnFd *fds, size_t fd_count,
                 Helper *ret, Error *err) {
        SpawnFd all[HELPER_FDS_MAX + 3];
        size_t count = 0;
        int pair[2], r;

        if (fd_count > HELPER_FDS_MAX)
                return error_kind(err, ERROR_INTERNAL, "%zu descriptors for brig-image", fd_count);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "make a socket pair");
        all[count++] = (SpawnFd){ pair[1], IMAGE_FD_SOCKET };
        for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
                all[count++] = (SpawnFd){ fcntl(fd, F_GETFD) < 0 ? -1 : fd, fd };
        for (size_t i = 0; i < fd_count; i++)
                all[count++] = fds[i];
        r = spawn(program, job, all, count, &ret->pid);
        (void)close(pair[1]);
        if (r < 0) {
                (void)close(pair[0]);
                return error_set(err, -r, "start '%s %s'%s", program, job, program_hint(-r));
        }
        ret->socket = pair[0];
        ret->job = job;
        return 0;
}

int helper_ask(const char *program, const char *job, const SpawnFd *fds, size_t fd_count,
               const ImageMessage *request, Helper *ret, Error *err) {
        int r = helper_start(program, job, fds, fd_count, ret, err);

        if (r < 0)
                return r;
        r = image_message_send(ret->socket, request, NULL, 0);
        /* An end before the question has its reason in the socket still. */
        return r < 0 && r != -EPIPE ? error_set(err, -r, "ask brig-image") : 0;
}

int helper_report(const Helper *helper, ImageMessage *ret, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = image_message_receive(helper->socket, &message, NULL, 0, NULL, err);

        if (r < 0)
                return r;
        if (r == 0)
                return error_kind(err, ERROR_INTERNAL, "%s: brig-image ended without an answer",
                                  helper->job);
        if (str_equal(message.kind, "error"))
                return image_message_to_error(&message, err);
        r = str_equal(message.kind, "done");
        if (!r && !str_equal(message.kind, "progress") && !str_equal(message.kind, "entry"))
                return error_kind(err, ERROR_INTERNAL, "%s: brig-image answered '%s'", helper->job,
                                  message.kind);
        *ret = message;
        message = (ImageMessage){};
        return r;
}

/* ---- the end ---- */

/* Those that were killed and had not ended in time: a server of files that is away keeps even a
 * killed process (it sleeps uninterruptibly). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of left */
static struct {
        pid_t *pids;
        size_t count;
} left;

/* Whether it is over and collected, or cannot be waited for at all. */
static bool has_ended(pid_t pid) {
        pid_t r;

        do
                r = waitpid(pid, NULL, WNOHANG);
        while (r < 0 && errno == EINTR);
        return r != 0;
}

/* Under the lock: those that have ended since. */
static void reap_left(void) {
        size_t kept = 0;

        for (size_t i = 0; i < left.count; i++)
                if (!has_ended(left.pids[i]))
                        left.pids[kept++] = left.pids[i];
        left.count = kept;
}

/* A killed child; one that does not end is left for a later call. */
static void reap(pid_t pid) {
        _cleanup_close_ int pidfd = -1;

        if (pidfd_of(pid, &pidfd, NULL) == 0)
                (void)pidfd_wait_end(pidfd, END_TIMEOUT);
        pthread_mutex_lock(&lock);
        reap_left();
        if (!has_ended(pid)) {
                GROW(left.pids, left.count);
                left.pids[left.count++] = pid;
        }
        pthread_mutex_unlock(&lock);
}

void helper_end(Helper *helper) {
        if (helper->pid <= 0)
                return;
        close_fd(&helper->socket);
        (void)kill(helper->pid, SIGKILL); /* it has said all that is wanted; unreaped, so the pid is
                                             still its own */
        reap(helper->pid);
        *helper = (Helper){ .socket = -1 };
}
