/* supervisor.h: what the files of brig-monitor share: one container, its execs, and the daemons
 * that are connected. */
#pragma once

#include "base/loop.h"
#include "monitor/logfile.h"
#include "monitor/message.h"
#include "monitor/protocol.h"
#include "monitor/streams.h"
#include "runtime/runtime.h"

typedef struct Supervisor Supervisor;

/* A daemon. */
typedef struct Connection {
        struct Connection *next;
        Supervisor *supervisor;
        int fd;
        LoopSource *source;
        size_t unseen; /* notices of exits that it has not said "seen" to */
        bool endings;  /* see MonitorRequest */
        bool dead;
} Connection;

typedef enum ProcessPhase {
        PROCESS_CREATED, /* not let go yet */
        PROCESS_RUNNING,
        PROCESS_REAPED, /* it has ended and nobody was told yet */
        PROCESS_TOLD,   /* the daemons were told; its clients see the end after they have seen it */
        PROCESS_ENDED,  /* it is there for clients only that still read what waits for them */
} ProcessPhase;

/* The container's own process or an exec. */
typedef struct Process {
        struct Process *next;
        Supervisor *supervisor;
        char *exec; /* NULL: the container's own */
        char *note; /* exec: see MonitorRequest */
        bool probe; /* an exec of the daemon's own */
        pid_t pid;
        int pidfd;
        ProcessPhase phase;
        int exit_code;
        int64_t started_at; /* ns since 1970; an exec's */
        int64_t exited_at;
        Streams streams;
        LoopSource *timer; /* bounds the present phase */
        bool overdue;      /* that bound is over */
} Process;

/* Who makes the container's processes. */
typedef struct RuntimeKind {
        /* On error nothing is left. */
        int (*create)(Supervisor *supervisor, const RuntimeOptions *options, const ProcessIo *io,
                      RuntimeContainer *ret, Error *err);
        int (*release)(Supervisor *supervisor, Error *err);
        int (*exec)(Supervisor *supervisor, const OciProcess *process,
                    const SeccompProgram *seccomp, const ProcessIo *io, pid_t *ret_pid,
                    int *ret_pidfd, Error *err);
        int (*destroy)(Supervisor *supervisor, Error *err);
} RuntimeKind;
extern const RuntimeKind own_runtime;     /* container.c: the library */
extern const RuntimeKind foreign_runtime; /* foreign.c: another program */

struct Supervisor {
        Loop *loop;
        Connection *connections;
        int data_root_fd, state_fd, run_fd;
        int listen_fd;
        LoopSource *listen_source;
        LoopSource *listen_timer; /* no descriptor was free: until it may listen again */

        char *id;
        bool open_stdin, stdin_once, bound;
        const RuntimeKind *runtime;
        char **runtime_words;                   /* foreign_runtime: the program and its arguments */
        int foreign_pidns_fd, foreign_ipcns_fd; /* and another container's, during create; -1 */
        uid_t root_uid;                         /* who is root in its user namespace: owns pipes */
        gid_t root_gid;
        bool own_pids;     /* its own process takes all others with it */
        OciConfig *config; /* kept for poststop hooks only, once the container runs; or NULL */
        RuntimeContainer container;
        bool has_container;
        int root_fd, upper_fd;   /* until the monitor ends: see hold_layer of container.c; -1 */
        int gate_fd;             /* init waits at the other end; -1: let go */
        int images_fd;           /* of the checkpoint that it is made from; -1 */
        RuntimeRestore *restore; /* while it is being made from that and was not let go */
        bool started;
        int64_t started_at;

        LogFile log;
        LogHost log_host;
        int record_fd;         /* the file that becomes the exit record, its room taken; -1: none */
        Process *init;         /* NULL before it was made */
        Process *execs;        /* running, or with clients */
        JsonArray ended_execs; /* of MonitorExec, oldest first */
        bool busy;             /* something was done since the last tick */
        bool settling;         /* processes_settle is posted */
        bool ended;            /* the record is written, nothing more is accepted */
};

/* A request and its answer. */
typedef struct Exchange {
        Connection *connection;
        MonitorRequest request;
        int fds[MESSAGE_FDS_MAX];
        size_t fd_count;
        MonitorReply reply; /* kind NULL: "ok"; strings are the reply's */
        int reply_fd;       /* borrowed; -1: none */
        bool silent;        /* no answer */
} Exchange;

/* ---- container.c: making the container, letting it go, giving it up ---- */

/* Makes the container as "start" and its descriptors say, which are taken. On error nothing of it
 * is left. */
int supervisor_start(Supervisor *supervisor, const MonitorStart *start, int *fds, size_t fd_count,
                     Error *err);
/* On error the container is gone and the failure recorded. */
int supervisor_go(Supervisor *supervisor, Error *err);
/* A container that was not let go: destroys it and records why. */
void supervisor_give_up(Supervisor *supervisor, const Error *why);
/* Unmounts what the container has written, which may take as long as all that the file system below
 * has to write: once everybody has been told of the end. */
void supervisor_drop_root(Supervisor *supervisor);
/* Its own process has ended: kills what is left, drains, records, destroys, tells. */
void supervisor_finish(Supervisor *supervisor);

/* ---- process.c: beginnings and ends of processes ---- */

Process *process_new(Supervisor *supervisor, const char *exec);
/* The one that a request names; NULL if it is not there or has ended: see *err. */
Process *process_find(Supervisor *supervisor, const char *exec, Error *err);
/* Makes what the request describes, with its client. */
int supervisor_exec(Supervisor *supervisor, Exchange *exchange, Error *err);
/* To all of an exec's process group; the container's own gets it alone. */
int process_signal_group(const Process *process, int signal, Error *err);
/* Kills an exec and what it has started and that is still in its process group. */
int supervisor_exec_kill(Supervisor *supervisor, Exchange *exchange, Error *err);
/* Collects every child that has ended. */
void processes_reap(Supervisor *supervisor);
/* Moves each process on to the phase that it is due for; the loop ends with the last. */
void processes_settle(Supervisor *supervisor);
void process_tell(Process *process, bool oom_killed);
void processes_free(Supervisor *supervisor);
/* From a memfd, with SECCOMP_FILTER_FLAG_*; the caller's to seccomp_done. */
int seccomp_read(int fd, int64_t flags, SeccompProgram *ret, Error *err);
void seccomp_done(SeccompProgram *program);

/* ---- execs.c: what later daemons learn of execs ---- */

/* It has just ended. */
void exec_remember(const Process *process);
/* A daemon has taken note of its end. */
void exec_seen(Supervisor *supervisor, const char *id);
/* All that is known, into *ret, which is empty. */
void execs_list(const Supervisor *supervisor, JsonArray *ret);
void execs_forget(Supervisor *supervisor);

/* ---- connection.c: daemons ---- */

int connection_add(Supervisor *supervisor, int fd, Error *err); /* takes fd */
int connections_listen(Supervisor *supervisor, Error *err);
void connections_unlisten(Supervisor *supervisor);
void connections_notice(Supervisor *supervisor, const MonitorReply *reply, bool wants_seen);
/* To those that want it: the record is written, the groups are about to go. */
void connections_ending(Supervisor *supervisor);
void connections_warn(Supervisor *supervisor, const Error *err);
bool connections_seen(const Supervisor *supervisor);
void connections_free(Supervisor *supervisor);

/* ---- request.c ---- */

/* Fills the exchange's reply. Negative: *err is the answer. */
int request_handle(Supervisor *supervisor, Exchange *exchange, Error *err);
