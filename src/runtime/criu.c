/* criu.c: see criu.h. */
#include "runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "format/protobuf.h"
#include "os/pidfd.h"

#define ANSWER_MAX 65536
#define LOG_MAX (64 << 20)
#define LINE_MAX_LENGTH 4096

/* criu_req and criu_resp. */
enum { REQUEST_TYPE = 1, REQUEST_OPTS = 2, REQUEST_NOTICE_SUCCESS = 3 };
enum {
        ANSWER_TYPE = 1,
        ANSWER_SUCCESS = 2,
        ANSWER_RESTORE = 4,
        ANSWER_NOTICE = 5,
        ANSWER_ERRNO = 7,
        ANSWER_MESSAGE = 9
};

void criu_answer_done(CriuAnswer *answer) {
        free(answer->message);
        free(answer->script);
        close_fd(&answer->fd);
        *answer = (CriuAnswer){ .fd = -1 };
}

int criu_find(const char *name, char **ret, Error *err) {
        char *path = program_find(name ?: "criu");

        if (!path)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "checkpoints are made and restored by '%s', which is not here: "
                                  "install the package criu",
                                  name ?: "criu");
        *ret = path;
        return 0;
}

static int send_request(int fd, const Buf *request, Error *err) {
        int r = fd_send(fd, request->data, request->length, NULL, 0);

        return r < 0 ? error_set(err, -r, "ask criu") : 0;
}

int criu_send(int fd, CriuRequest type, const Buf *opts, Error *err) {
        _cleanup_buf_ Buf request = {};

        protobuf_add_number(&request, REQUEST_TYPE, type);
        protobuf_add_message(&request, REQUEST_OPTS, opts);
        return send_request(fd, &request, err);
}

int criu_answer_notice(int fd, bool success, Error *err) {
        _cleanup_buf_ Buf request = {};

        protobuf_add_number(&request, REQUEST_TYPE, CRIU_NOTIFIED);
        protobuf_add_number(&request, REQUEST_NOTICE_SUCCESS, success);
        return send_request(fd, &request, err);
}

/* criu_notify {1: script, 2: pid}, criu_restore_resp {1: pid}. */
static int read_inner(const ProtobufField *outer, CriuAnswer *ret) {
        ProtobufReader reader = { outer->data, outer->length };
        unsigned pid = outer->number == ANSWER_NOTICE ? 2 : 1;
        ProtobufField field;
        int r;

        while ((r = protobuf_next(&reader, &field)) > 0) {
                if (field.number == pid && !field.data)
                        ret->pid = (pid_t)field.value;
                else if (field.number == 1 && field.data) {
                        free(ret->script);
                        ret->script = str_copy_n(field.data, field.length);
                }
        }
        return r;
}

static int read_answer(const char *data, size_t length, CriuAnswer *ret) {
        ProtobufReader reader = { data, length };
        ProtobufField field;
        int r;

        while ((r = protobuf_next(&reader, &field)) > 0) {
                if (field.number == ANSWER_TYPE)
                        ret->type = (CriuRequest)field.value;
                else if (field.number == ANSWER_SUCCESS)
                        ret->success = field.value;
                else if (field.number == ANSWER_ERRNO)
                        ret->number = (int)field.value;
                else if (field.number == ANSWER_MESSAGE && field.data) {
                        free(ret->message);
                        ret->message = str_copy_n(field.data, field.length);
                } else if ((field.number == ANSWER_NOTICE || field.number == ANSWER_RESTORE) &&
                           field.data && read_inner(&field, ret) < 0)
                        return -EBADMSG;
        }
        return r;
}

static int await(int fd, int64_t deadline, Error *err) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        for (;;) {
                const int64_t left = MAX(deadline - clock_monotonic(), 0);
                const struct timespec limit = { .tv_sec = left / NSEC_PER_SEC,
                                                .tv_nsec = left % NSEC_PER_SEC };
                int r = ppoll(&poll_fd, 1, &limit, NULL);

                if (r > 0)
                        return 0;
                if (r == 0)
                        return error_set(err, ETIMEDOUT,
                                         "criu has not answered in time and is ended: its log says "
                                         "how far it came");
                if (errno != EINTR)
                        return error_set(err, errno, "hear from criu");
        }
}

int criu_receive(int fd, int64_t deadline, CriuAnswer *ret, Error *err) {
        _cleanup_free_ char *data = NEW_ARRAY(char, ANSWER_MAX);
        CriuAnswer answer = { .fd = -1 };
        size_t count = 0;
        int r = await(fd, deadline, err);
        ssize_t n;

        if (r < 0)
                return r;
        n = fd_receive(fd, data, ANSWER_MAX, &answer.fd, 1, &count);
        if (n < 0)
                return error_set(err, (int)-n, "hear from criu");
        if (n == 0)
                return error_kind(err, ERROR_UNAVAILABLE, "criu has gone without an answer");
        if (read_answer(data, (size_t)n, &answer) < 0) {
                criu_answer_done(&answer);
                return error_kind(err, ERROR_INTERNAL, "criu's answer of %zd bytes is damaged", n);
        }
        *ret = answer;
        return 0;
}

int criu_pidfd(pid_t pid, int *ret, Error *err) {
        int r = pidfd_of(pid, ret, err);

        if (r < 0) { /* it is a child: its number is its own until it is waited for */
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
        }
        return r;
}

int criu_remove_log(int work_fd, const char *log, Error *err) {
        if (unlinkat(work_fd, log, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove an earlier '%s'", log);
        return 0;
}

/* A line's error without its time and its place in criu's source; NULL: it is none. */
static char *error_words(const char *line) {
        const char *at = strstr(line, "Error ("), *words = at ? strstr(at, "): ") : NULL;
        _cleanup_free_ char *text = NULL;

        /* This is none: criu wants more descriptors than there may be. */
        if (!words || str_after(words + 3, "rlimit: "))
                return NULL;
        text = str_copy(words + 3);
        return str_copy(str_trim(text));
}

/* What fails after the first failure is no reason. */
static char *first_error(int work_fd, const char *log) {
        int fd = openat(work_fd, log, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        char line[LINE_MAX_LENGTH], *words = NULL;
        size_t read = 0;

        if (!file) {
                close_fd(&fd);
                return NULL;
        }
        while (!words && read < LOG_MAX && fgets(line, sizeof(line), file)) {
                read += MAX(strlen(line), 1);
                words = error_words(line);
        }
        (void)fclose(file);
        return words;
}

int criu_failure(const CriuAnswer *answer, int work_fd, const char *log, Error *err) {
        _cleanup_free_ char *logged = first_error(work_fd, log);
        const char *words = logged ?: answer ? answer->message : NULL;

        if (!words && answer && answer->number)
                words = strerrordesc_np(answer->number);
        return error_kind(err, ERROR_INTERNAL, "criu: %s (see %s)", words ?: "it failed", log);
}
