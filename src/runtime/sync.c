/* sync.c: the few words that the runtime and the process it makes say to each other, over a
 * SOCK_SEQPACKET pair. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/private.h"

typedef struct Message {
        SyncKind kind;
        int number;  /* SYNC_LISTENER's */
        Error error; /* SYNC_ERROR's */
} Message;

/* Only an error carries its text. */
static size_t length_of(SyncKind kind) {
        return kind == SYNC_ERROR ? sizeof(Message) : offsetof(Message, error);
}

int sync_send_fds(int fd, SyncKind kind, const int *fds, size_t count) {
        Message message = { .kind = kind };

        return fd_send(fd, &message, length_of(kind), fds, count);
}

int sync_send(int fd, SyncKind kind, int passed_fd) {
        return sync_send_fds(fd, kind, &passed_fd, passed_fd >= 0 ? 1 : 0);
}

int sync_send_error(int fd, const Error *error) {
        Message message = { .kind = SYNC_ERROR, .error = *error };

        return fd_send(fd, &message, sizeof(message), NULL, 0);
}

static int check_message(const Message *message, ssize_t n, const char *who, Error *err) {
        if (n < 0 && n != -ECONNRESET)
                return error_set(err, (int)-n, "hear from %s", who);
        if (n <= 0)
                return error_kind(
                        err, ERROR_INTERNAL,
                        "%s ended without a word: it was killed, perhaps for want of memory", who);
        if ((size_t)n != length_of(message->kind))
                return error_kind(err, ERROR_INTERNAL, "%s sent a message of %zd bytes", who, n);
        if (message->kind != SYNC_ERROR)
                return 0;
        if (err) {
                *err = message->error;
                err->message[sizeof(err->message) - 1] = '\0';
        }
        return message->error.number > 0 ? -message->error.number : -EIO;
}

int sync_write_listener(int fd, int listener_fd) {
        Message message = { .kind = SYNC_LISTENER, .number = listener_fd };
        size_t length = length_of(SYNC_LISTENER);

        return write(fd, &message, length) != (ssize_t)length ? -errno : 0;
}

static int receive(int fd, Message *ret, int *fds, size_t max, size_t *ret_count, const char *who,
                   Error *err) {
        Message message = {};
        int passed[FDS_MAX], r;
        size_t count = 0;
        ssize_t n = fd_receive(fd, &message, sizeof(message), passed, FDS_MAX, &count);

        /* The other side ended with something of ours unread: the kernel says so once, before what
         * it still had to tell. */
        if (n == -ECONNRESET)
                n = fd_receive(fd, &message, sizeof(message), passed, FDS_MAX, &count);
        r = check_message(&message, n, who, err);
        for (size_t i = r < 0 ? 0 : max; i < count; i++)
                close_fd(&passed[i]);
        if (r < 0)
                return r;
        *ret = message;
        *ret_count = MIN(count, max);
        for (size_t i = 0; i < *ret_count; i++)
                fds[i] = passed[i];
        return 0;
}

int sync_receive_fds(int fd, SyncKind *ret, int *fds, size_t max, size_t *ret_count,
                     const char *who, Error *err) {
        Message message = {};
        int r = receive(fd, &message, fds, max, ret_count, who, err);

        if (r == 0)
                *ret = message.kind;
        return r;
}

int sync_receive_listener(int fd, SyncKind *ret, int *ret_fd, int *ret_number, const char *who,
                          Error *err) {
        Message message = {};
        size_t count = 0;
        int passed = -1, r = receive(fd, &message, &passed, 1, &count, who, err);

        if (r < 0)
                return r;
        *ret = message.kind;
        *ret_number = message.number;
        *ret_fd = passed;
        return 0;
}

int sync_receive(int fd, SyncKind *ret, int *ret_fd, const char *who, Error *err) {
        size_t count = 0;
        int passed = -1, r = sync_receive_fds(fd, ret, &passed, ret_fd ? 1 : 0, &count, who, err);

        if (r == 0 && ret_fd)
                *ret_fd = passed;
        return r;
}

int sync_expect(int fd, SyncKind kind, int *ret_fd, const char *who, Error *err) {
        SyncKind got;
        int r = sync_receive(fd, &got, ret_fd, who, err);

        if (r == 0 && got != kind)
                return error_kind(err, ERROR_INTERNAL, "%s said %d, not %d", who, (int)got,
                                  (int)kind);
        return r;
}

int sync_expect_exec(int fd, const char *who, Error *err) {
        SyncKind kind = 0;
        char byte;
        int r;

        if (recv(fd, &byte, 1, MSG_PEEK) == 0)
                return 0;
        r = sync_receive(fd, &kind, NULL, who, err);
        return r < 0 ? r : error_kind(err, ERROR_INTERNAL, "%s said %d", who, (int)kind);
}
