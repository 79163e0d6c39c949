/* listener.c: seccomp's user notifications: the listener of a filter that was just loaded goes to
 * the agent that the document names. seccomp_unotify(2); runtime-spec config-linux.md "Seccomp". */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/private.h"

#define AGENT_WAIT_MS 10000

int listener_connect(const char *path, int ms, int *ret_fd, Error *err) {
        const struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp.listenerPath '%s': the path is too long", path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return error_set(err, errno, "make a socket for the seccomp agent");
        /* One that accepts nobody lets the caller wait once its queue is full. */
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno == EAGAIN ? ETIMEDOUT : errno,
                                 "failed to connect with seccomp agent at '%s'", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static char *process_state(const SeccompProgram *program, pid_t pid, const char *state,
                           const char *version) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, "{\"ociVersion\":");
        json_add_quoted(&text, version ?: "1.0.2");
        buf_format(&text, ",\"fds\":[\"seccompFd\"],\"pid\":%d", (int)pid);
        if (program->listener_metadata) {
                buf_add_str(&text, ",\"metadata\":");
                json_add_quoted(&text, program->listener_metadata);
        }
        buf_format(&text, ",\"state\":%s}", state);
        return buf_take(&text);
}

int listener_deliver(const SeccompProgram *program, int pidfd, pid_t pid, int number,
                     const char *state, const char *version, int sync_fd, Error *err) {
        _cleanup_close_ int agent_fd = -1, listener_fd = -1;
        _cleanup_free_ char *text = process_state(program, pid, state, version);
        int r;

        listener_fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
        if (listener_fd < 0)
                return error_set(err, errno, "take the seccomp listener");
        r = listener_connect(program->listener_path, AGENT_WAIT_MS, &agent_fd, err);
        if (r < 0)
                return r;
        r = fd_send(agent_fd, text, strlen(text), &listener_fd, 1);
        if (r == 0)
                r = sync_send(sync_fd, SYNC_GO, -1);
        return r < 0 ? error_set(err, -r, "send the listener to the seccomp agent") : 0;
}
