/* build-peer.c: what a client may do by itself: the daemon does nothing with a client's descriptor
 * that its sender could not. See build.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/build.h"

#define GROUPS_MAX 65536 /* the kernel's */

typedef struct Question {
        struct ucred peer;
        gid_t *groups;
        size_t group_count;
        int fd, mode;
} Question;

static int read_peer(int socket_fd, Question *ret, Error *err) {
        socklen_t size = sizeof(ret->peer), length = GROUPS_MAX * sizeof(gid_t);

        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &ret->peer, &size) < 0)
                return error_set(err, errno, "ask who the client is");
        ret->groups = NEW_ARRAY(gid_t, GROUPS_MAX);
        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &length) < 0)
                return error_set(err, errno, "ask for the client's groups");
        ret->group_count = length / sizeof(gid_t);
        return 0;
}

/* In a process of its own, as the daemon's threads keep who they are; by plain calls of the kernel,
 * as the C library's may wait for a lock that another thread held. 0 or an errno. */
static int answer(const Question *question) {
        if (syscall(SYS_setgroups, question->group_count, question->groups) < 0 ||
            syscall(SYS_setresgid, question->peer.gid, question->peer.gid, question->peer.gid) <
                    0 ||
            syscall(SYS_setresuid, question->peer.uid, question->peer.uid, question->peer.uid) <
                    0 ||
            syscall(SYS_faccessat2, question->fd, "", question->mode, AT_EMPTY_PATH) < 0)
                return errno;
        return 0;
}

static int ask(const Question *question, Error *err) {
        int status = 0;
        pid_t child = fork();

        if (child < 0)
                return error_set(err, errno, "ask what the client may do");
        if (child == 0)
                _exit(answer(question));
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "ask what the client may do");
        if (!WIFEXITED(status))
                return error_kind(err, ERROR_INTERNAL, "ask what the client may do: it was killed");
        return WEXITSTATUS(status) == 0
                       ? 0
                       : error_set(err, WEXITSTATUS(status),
                                   "the client (user %u) cannot write there", question->peer.uid);
}

int peer_may(int socket_fd, int fd, int mode, Error *err) {
        Question question = { .fd = fd, .mode = mode };
        int r = read_peer(socket_fd, &question, err);

        if (r == 0 && question.peer.uid != geteuid())
                r = ask(&question, err);
        free(question.groups);
        return r;
}
