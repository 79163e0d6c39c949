/* protocol.h: what brigd and a container's monitor say to each other, over SOCK_SEQPACKET: one JSON
 * document a message, with descriptors beside it. The first connection is the socketpair on which
 * the monitor was started (descriptor 3 of the monitor); later daemons connect to "monitor.sock" in
 * the container's run directory. Every connection gets the notices. */
#pragma once

#include "format/json.h"
#include "monitor/logger.h"

/* What a monitor understands: it says its version in "created" and "state"; one of before there
 * were versions says none, 0. Containers outlive the daemon's upgrades, so a daemon meets monitors
 * of earlier ones, and must not send what they do not know: they answer it with an error, which
 * where no answer is due would be taken for that of another request. Raised with each new kind of
 * request; what is done for monitors without it is client-calls.c's. */
#define MONITOR_VERSION 3

/* What a monitor is started with, glibc's "tunables": no small pieces are kept for the next use, as
 * each of them would keep a page of its start. */
#define MONITOR_TUNABLES "GLIBC_TUNABLES"
#define MONITOR_TUNED "glibc.malloc.tcache_count=0"

#define MONITOR_FD 3                  /* the monitor's end of the first connection */
#define MONITOR_SOCKET "monitor.sock" /* below the container's run directory */
#define MONITOR_EXIT_FILE                                                                          \
        "exit.json" /* an ExitRecord, below the container's state directory; replaced atomically   \
                     */
#define MONITOR_MESSAGE_MAX (4 << 20) /* bytes; larger documents travel in a memfd, see below */

/* ---- daemon → monitor ---- */
typedef struct MonitorLog {
        char *driver;           /* of the file: json-file, local, none */
        char *path;             /* below the container's state directory */
        int64_t max_size;       /* bytes a file; 0: unlimited */
        int64_t max_files;      /* files kept, the current one too; at least 1 */
        bool compress;          /* those that are not written any more */
        Pairs attributes;       /* "attrs" of each line; usually empty */
        LoggerOptions *forward; /* where the output goes besides; NULL: nowhere */
        bool non_blocking;      /* forward: what finds no room is dropped and counted */
        int64_t max_buffer;     /* non_blocking: bytes that may wait */
        char *logger;           /* the program for compress and forward */
} MonitorLog;

/* "start", the first message. Its descriptors, in this order: the data root, the container's state
 * directory, its run directory, the OCI document (a memfd), then, where the flag says so, the
 * network namespace, the process namespace (for the document's entry "pid"), the IPC namespace (for
 * "ipc"), the user namespace (for "user"; the root's owners are then shifted as it maps them), the
 * seccomp program (a memfd of sock_filters) and the images of a checkpoint (a directory), from
 * which the container is made; its processes go on at "go".
 *
 * A network namespace of its own may also come later, while the monitor mounts (netns_later): in a
 * request "network" with that descriptor, which has no answer of its own and comes before any
 * other. Without a descriptor there is none, and the start has failed: "created" is then an error.
 */
typedef struct MonitorStart {
        char *id;
        char **lowers;      /* overlay lower directories, topmost first, below the data root; none:
                               config.root.path is used */
        char *upper, *work; /* below the data root */
        bool volatile_root; /* upper goes with the container's end: see OVERLAY_VOLATILE */
        bool bound;         /* it ends with the last daemon that is connected: a step of a build */
        bool has_netns, has_pidns, has_ipcns, has_userns, has_seccomp, has_images;
        int64_t seccomp_flags; /* SECCOMP_FILTER_FLAG_*, or'd; an earlier monitor loads without */
        bool netns_later;
        bool open_stdin, stdin_once;
        MonitorLog log;
        bool systemd_cgroup; /* the document's cgroupsPath is a scope's, see RuntimeScope */
        char *cgroup;        /* "/brig/<id>" */
        char **runtime; /* another runtime's program, a path, and its arguments; NULL: the library
                         */
} MonitorStart;

/* Requests after it. "kind" is one of: go (run the user's program), cancel (give up a container
 * that has not been let go), attach (1 descriptor: the client's socket), exec (descriptors: [client
 * socket] [seccomp memfd], as the flags say), resize, stdin-close, signal, state, reopen-log,
 * clear-log; and those without an answer: network (see MonitorStart), exec-kill, ends an exec with
 * all of its process group; seen, this daemon has taken note of one exited or exec-exited (exec
 * says of which); exec-seen, the same of an exec whose end it has learnt from state. */
typedef struct MonitorRequest {
        char *kind;
        char *exec;           /* exec id; NULL: the container's own process */
        json_object *process; /* exec: an OCI process document */
        bool has_client, has_seccomp;
        int64_t seccomp_flags;                     /* as in MonitorStart */
        bool want_stdin, want_stdout, want_stderr; /* attach, exec */
        bool multiplex;    /* frames of eight bytes' header; else raw (terminal) */
        char *early;       /* base64 of bytes that the client sent behind its request */
        char *detach_keys; /* "ctrl-p,ctrl-q" */
        bool probe;        /* exec: the daemon's own, forgotten once a daemon has seen its end */
        char *note;        /* exec: kept for later daemons, which get it in MonitorExec */
        int64_t signal;    /* signal */
        bool endings; /* go, state: the daemon wants notices of "ending" on this connection, which
                         an earlier one would take for answers */
        bool group;   /* signal: to all of an exec's process group; an earlier monitor reads over it
                         and signals the first process alone */
        int64_t width, height; /* resize, in characters; exec with a terminal: first size */
} MonitorRequest;

/* ---- monitor → daemon ---- */
/* An exec as a daemon learns of it that did not start it. */
typedef struct MonitorExec {
        char *id;
        char *note; /* as its request had it; NULL where those of all execs are too long together */
        bool running;
        bool seen;          /* a daemon has taken note of its end */
        int64_t started_at; /* ns since 1970; 0: from a monitor of before it was told */
        int64_t pid;        /* while it runs */
        int64_t exit_code;  /* of one that has ended */
        bool probe;         /* as its request had it */
} MonitorExec;

/* Ended execs that a monitor remembers, the newest ones. */
#define MONITOR_EXECS_ENDED_MAX 64

/* "kind": begun (the first of a monitor that its spawner made; no answer), created and state (1
 * descriptor: init's pidfd), started, error, ending, exited, exec-started, exec-error, exec-exited,
 * ok, detached, warning. Each request is answered on its connection in order (go → started or
 * error; attach, resize, signal … → ok or error; exec → exec-started or exec-error); exited,
 * exec-exited, detached (a client left by its keys) and warning (message: for the daemon's log) are
 * notices on all connections, and so is, where it is wanted, ending: all processes have ended and
 * the record is written, exited follows once the control groups are gone. A process's clients see
 * its end once every daemon has sent "seen", or after two seconds. */
typedef struct MonitorReply {
        char *kind;
        char *exec;
        int64_t pid;       /* in the daemon's pid namespace */
        int64_t exit_code; /* 128+n for signal n */
        bool oom_killed;
        int64_t at;         /* ns since 1970 */
        int64_t error_kind; /* ErrorKind */
        char *message;
        int64_t version; /* created, state: MONITOR_VERSION */
        JsonArray execs; /* state: of MonitorExec, oldest end first, then those that run */
} MonitorReply;

/* What outlives everything: written, then the notice is sent. */
typedef struct ExitRecord {
        int64_t exit_code;
        bool oom_killed;
        int64_t started_at, exited_at; /* ns since 1970 */
        char *error;                   /* why it never started, or NULL */
        int64_t error_kind;
        JsonArray execs; /* of MonitorExec */
} ExitRecord;

extern const JsonTable monitor_log_table, monitor_start_table, monitor_request_table,
        monitor_exec_table, monitor_reply_table, exit_record_table;
