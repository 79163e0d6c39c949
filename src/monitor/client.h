/* client.h: brigd's side of a monitor. Blocking calls for request threads; notices go to a handler
 * on the loop's thread. */
#pragma once

#include "base/loop.h"
#include "monitor/protocol.h"
#include "runtime/runtime.h"
#include "spec/oci.h"

typedef struct Monitor Monitor;

/* Notices, by reply->kind:
 *   ending       the container's processes have ended and its record is written: its place on
 * networks can be given up while the monitor removes its cgroup; not from every monitor
 *   exited       the container's process has ended, its record is written, its cgroup gone
 *   exec-exited  reply->exec has ended
 *   probe-started, probe-failed (error_kind, message)  what became of a monitor_probe
 *   detached     a client left a terminal by its keys (reply->exec, or NULL for the container's
 * own) lost         the monitor was killed: the container is judged by its exit file and its pidfd,
 * and what is left of it is the caller's to destroy Nothing comes after exited or lost but an
 * exec's end. Called on the loop's thread, which must not make the blocking calls below. The
 * clients of a process see their stream's end after the handler has returned (or two seconds
 * later), so what they ask then finds the state that it has set. */
typedef void (*MonitorNotice)(void *data, const MonitorReply *reply);

/* A monitor's process that has not been told what for. */
typedef struct MonitorProcess MonitorProcess;

/* Begins to start one, as a child of a process of program, brig-monitor's path, that is started
 * with the first (by posix_spawn; it makes the monitors by fork: see spawner.h): the caller makes
 * ready what the monitor will be told meanwhile. id and directory, the container's and of its run
 * directory, are for whoever looks at the list of processes. All three are copied; program is the
 * same for all until monitor_spawner_end. */
MonitorProcess *monitor_begin(Loop *loop, const char *program, const char *id,
                              const char *directory);
/* One that was told nothing ends by itself, also where this daemon is killed. */
MonitorProcess *monitor_process_free(MonitorProcess *process);
/* Ends the process whose children monitors are; they live on. It would end with this one, too. */
void monitor_spawner_end(void);

typedef struct MonitorSpawn {
        const MonitorStart *start; /* its has_… are set from what follows */
        const OciConfig *config;
        int data_root_fd, state_fd, run_fd; /* directories */
        int netns_fd;                       /* -1: none, or not yet */
        bool netns_later;                   /* monitor_give_netns follows */
        int pidns_fd, ipcns_fd;             /* another container's, or -1 */
        int userns_fd;                      /* its own or another container's, or -1: the host's */
        const SeccompProgram *seccomp;      /* NULL: none */
        int images_fd;                      /* of a checkpoint that it is made from, or -1 */
} MonitorSpawn;

/* Sends a monitor that was begun, which is still the caller's, its start message; monitor_created
 * waits for the container. So the caller sets up the network meanwhile. Until monitor_go has
 * returned, one thread only may call. */
int monitor_spawn(MonitorProcess *process, const MonitorSpawn *spawn, MonitorNotice notice,
                  void *data, Monitor **ret, Error *err);
/* What netns_later announced: without it monitor_created has nothing to wait for. netns_fd is still
 * the caller's; -1: there is none, and monitor_created tells that the start has failed. A monitor
 * that has gone by now is monitor_created's to tell, too. */
int monitor_give_netns(Monitor *monitor, int netns_fd, Error *err);
/* Bounds the wait for each answer from now on; without it MONITOR_ANSWER_MAX. */
#define MONITOR_ANSWER_MAX (30 * NSEC_PER_SEC)
void monitor_answer_within(Monitor *monitor, int64_t nanoseconds);
/* Waits (bounded) for "created". *ret_pidfd is the caller's. After an error nothing is left
 * but the exit record, no notice comes, and monitor_free is the only call. Only if the monitor was
 * killed meanwhile (unavailable) there is no record, and a cgroup may be left, which is the
 * caller's to destroy; its processes end by themselves. */
int monitor_created(Monitor *monitor, pid_t *ret_pid, int *ret_pidfd, Error *err);
/* Lets the program run; error as the runtime words it (not found: the program is not there,
 * forbidden: it may not be run), and then as after monitor_created's. Notices may come from here
 * on. */
int monitor_go(Monitor *monitor, Error *err);
/* Instead of go: returns once the container is gone. */
void monitor_cancel(Monitor *monitor);

/* Connects to a monitor that an earlier daemon started. not_found where nobody listens; conflict
 * where the container has just ended: then its exit record is there. *ret_state: pid, when it
 * started (at) and its execs, of which the notices that come tell what has changed since; the
 * caller frees it with json_done(&monitor_reply_table). */
int monitor_connect(Loop *loop, int run_fd, MonitorNotice notice, void *data, Monitor **ret,
                    MonitorReply *ret_state, int *ret_pidfd, Error *err);
/* An end that the daemon has learnt from ret_state; without an answer. */
void monitor_exec_seen(Monitor *monitor, const char *exec_id);
/* Closes the connection; the monitor lives on, or gives up a container that was not let go. Calls
 * that other threads are in end with unavailable. No notice begins after it, but on another thread
 * than the loop's one that has begun may still be running. A daemon that ends runs its loop once
 * more (loop_step) after its last monitor_free, as what is left is freed there. */
Monitor *monitor_free(Monitor *monitor);

/* Hands the client's socket over; the monitor then owns the stream (client_fd is still the caller's
 * to close). request: want_*, multiplex, early, detach_keys, and exec for an exec's. May be called
 * between monitor_created and monitor_go, so that no output is missed. */
int monitor_attach(Monitor *monitor, int client_fd, const MonitorRequest *request, Error *err);
typedef struct MonitorExecution {
        const char *id;
        const OciProcess *process;
        const MonitorRequest *request; /* as for attach, and width, height and note */
        int client_fd;                 /* -1: none, the exec's streams are /dev/null */
        const SeccompProgram *seccomp; /* NULL: none */
} MonitorExecution;
/* On error the client's socket is as it was. */
int monitor_exec(Monitor *monitor, const MonitorExecution *execution, pid_t *ret_pid, Error *err);
/* An exec of the daemon's own: waits for nothing, so that the loop's thread may call it, too.
 * What becomes of it notices tell. */
int monitor_probe(Monitor *monitor, const MonitorExecution *execution, Error *err);
/* Ends an exec with its process group (with a monitor of an earlier build: its first process);
 * without an answer, as monitor_probe. */
void monitor_exec_kill(Monitor *monitor, const char *exec_id);
int monitor_resize(Monitor *monitor, const char *exec_id, int width, int height, Error *err);
int monitor_signal(Monitor *monitor, const char *exec_id, int signal, Error *err);
/* The same to all of an exec's process group (with a monitor of an earlier build: to its first
 * process). conflict, not_found: it has ended. */
int monitor_exec_signal(Monitor *monitor, const char *exec_id, int signal, Error *err);
/* Forgets what the container has written so far. A monitor of an earlier build refuses. */
int monitor_clear_log(Monitor *monitor, Error *err);

/* What MonitorRequest.early takes; NULL for no bytes; the caller's. */
char *monitor_early(const void *data, size_t length);
/* Whether a monitor will understand these detach keys: invalid "Unknown character: '…'". */
int monitor_detach_keys_check(const char *keys, Error *err);

/* The exit file in a container's state directory; not_found where there is none. The caller frees
 * it with json_done(&exit_record_table). */
int exit_record_read(int state_fd, ExitRecord *ret, Error *err);
