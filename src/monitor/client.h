/* client.h: brigd's side of a monitor. Blocking calls for request threads; notices go to a handler on the loop's thread. */
#pragma once

#include "base/loop.h"
#include "monitor/protocol.h"
#include "spec/oci.h"

typedef struct Monitor Monitor;

/* Notices: exited (then the connection ends) and exec-exited; ended_without_record when the monitor was killed: the container is then
 * judged by its exit file and its pidfd. Called on the loop's thread. */
typedef void (*MonitorNotice)(void *data, const MonitorReply *reply);

typedef struct MonitorSpawn {
        const char *program;     /* brig-monitor's path */
        const MonitorStart *start;
        const OciConfig *config;
        int data_root_fd, state_fd, run_fd; /* directories */
        int netns_fd;            /* -1: none */
        const void *seccomp;     /* sock_filters, or NULL */
        size_t seccomp_length;
} MonitorSpawn;

/* Starts a monitor (posix_spawn, never fork) and returns once it was sent its start message; monitor_created waits for the container. So
 * the caller sets up the network meanwhile. The monitor is in a session of its own and no child that must be waited for matters: brigd
 * reaps it from the loop by pidfd. */
int monitor_spawn(Loop *loop, const MonitorSpawn *spawn, MonitorNotice notice, void *data, Monitor **ret, Error *err);
/* Waits (bounded, 30 s) for "created". *ret_pidfd is the caller's. */
int monitor_created(Monitor *monitor, pid_t *ret_pid, int *ret_pidfd, Error *err);
/* Lets the program run; error as the runtime words it. */
int monitor_go(Monitor *monitor, Error *err);
void monitor_cancel(Monitor *monitor); /* instead of go */

/* Connects to a monitor that an earlier daemon started. not_found where nobody listens. */
int monitor_connect(Loop *loop, int run_fd, MonitorNotice notice, void *data, Monitor **ret, pid_t *ret_pid, int *ret_pidfd, Error *err);
Monitor *monitor_free(Monitor *monitor); /* closes the connection; the monitor lives on */

/* Hands the client's socket over; the monitor then owns the stream (client_fd is still the caller's to close). May be called before
 * monitor_go, so that no output is missed. */
int monitor_attach(Monitor *monitor, int client_fd, const MonitorRequest *request, Error *err);
int monitor_exec(Monitor *monitor, const char *exec_id, const OciProcess *process, int client_fd, const MonitorRequest *request,
                 const void *seccomp, size_t seccomp_length, pid_t *ret_pid, Error *err);
int monitor_resize(Monitor *monitor, const char *exec_id, int width, int height, Error *err);
int monitor_signal(Monitor *monitor, const char *exec_id, int signal, Error *err);

/* The exit file in a container's state directory; not_found where there is none. */
int exit_record_read(int state_fd, ExitRecord *ret, Error *err);
