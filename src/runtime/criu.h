/* criu.h: one call of criu, which is spoken to as `criu swrk` offers it: requests and answers of
 * its rpc.proto over a socket (criu.org/RPC). Knows no container. */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

/* A dump or a restore that takes longer has come to a stop: it holds the container's processes. */
#define CRIU_TIMEOUT (15 * 60 * NSEC_PER_SEC)

/* Members of criu_opts, by their numbers; what this program sends, criu 3.17 knows. */
enum {
        CRIU_IMAGES_FD = 1, /* of this process */
        CRIU_PID = 2,
        CRIU_LEAVE_RUNNING = 3,
        CRIU_EXT_UNIX_SK = 4,
        CRIU_TCP_ESTABLISHED = 5,
        CRIU_EVASIVE_DEVICES = 6,
        CRIU_SHELL_JOB = 7,
        CRIU_FILE_LOCKS = 8,
        CRIU_LOG_LEVEL = 9,
        CRIU_LOG_FILE = 10,
        CRIU_NOTIFY = 12,
        CRIU_ROOT = 13,
        CRIU_PARENT = 14,
        CRIU_TRACK_MEMORY = 15,
        CRIU_AUTO_DEDUP = 16,
        CRIU_WORK_FD = 17, /* of this process */
        CRIU_LINK_REMAP = 18,
        CRIU_SIBLING = 26, /* the restored one is a child of criu's parent */
        CRIU_INHERIT = 27, /* {1: key, 2: descriptor of criu's} */
        CRIU_EXT_SHARING = 29,
        CRIU_EXT_MASTERS = 30,
        CRIU_CGROUP_MODE = 34,
        CRIU_EXTERNAL = 37,
        CRIU_FREEZE_CGROUP = 44,
        CRIU_TCP_SKIP_IN_FLIGHT = 46,
        CRIU_ORPHAN_TERMINAL = 50,
        CRIU_CONFIG_FILE = 51, /* what it says is stronger */
        CRIU_LSM_PROFILE = 53,
        CRIU_NETWORK_LOCK = 64,
};
enum { CRIU_CGROUP_IGNORE = 0 };
enum { CRIU_LOCK_NFTABLES = 2 };

typedef enum CriuRequest {
        CRIU_DUMP = 1,
        CRIU_RESTORE = 2,
        CRIU_PRE_DUMP = 4,
        CRIU_NOTIFIED = 6, /* also the answer's type */
} CriuRequest;

typedef struct CriuAnswer {
        CriuRequest type;
        bool success;
        int number;    /* errno, 0: none */
        char *message; /* of a failure, or NULL */
        char *script;  /* a notice's name: "setup-namespaces" … */
        pid_t pid;     /* a notice's and a restore's: init's; 0: none */
        int fd;        /* a notice's, -1: none */
} CriuAnswer;
void criu_answer_done(CriuAnswer *answer);

/* The program's path, the caller's: name (NULL: "criu") as a path or in PATH; unavailable, with the
 * package's name, where there is none. */
int criu_find(const char *name, char **ret, Error *err);
int criu_send(int fd, CriuRequest type, const Buf *opts, Error *err);
/* Answers a notice: criu goes on, or gives up. */
int criu_answer_notice(int fd, bool success, Error *err);
/* unavailable where criu has gone without a word, -ETIMEDOUT where there is none until deadline
 * (clock_monotonic). */
int criu_receive(int fd, int64_t deadline, CriuAnswer *ret, Error *err);
/* A descriptor of a child, which is killed and reaped where there can be none. */
int criu_pidfd(pid_t pid, int *ret, Error *err);
/* Before criu starts: an earlier one's log would be taken for its own. */
int criu_remove_log(int work_fd, const char *log, Error *err);
/* What went wrong, from the answer (NULL: there was none) and the first line of its log that is an
 * error. */
int criu_failure(const CriuAnswer *answer, int work_fd, const char *log, Error *err);
