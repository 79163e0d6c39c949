/* pidfd.h: processes by descriptor, so that a number that the kernel gives out again never hits a
 * stranger. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

int pidfd_of(pid_t pid, int *ret_fd, Error *err); /* close-on-exec, the caller's */
/* The same of a child that was just made: where it has none, it is killed and reaped. */
int pidfd_of_child(pid_t pid, int *ret_fd, Error *err);
int pidfd_signal(int pidfd, int signal, Error *err); /* not_found if it has ended */
int pidfd_wait(int pidfd, int *ret_status,
               Error *err); /* a child: reaps it; status as waitpid(2) gives it */
/* The same of a child that must not be waited for longer than timeout (ns): then it is killed, and
 * reaped, and the answer -ETIMEDOUT with *ret_status. One that does not end within 10 s of its kill
 * (uninterruptible sleep), or that a tracer holds, is not reaped: -ETIMEDOUT, *ret_status is left
 * alone, and the keeper has it and its descriptor (below): *pidfd is -1 then. */
int pidfd_wait_or_kill(int *pidfd, int64_t timeout, int *ret_status, Error *err);
/* Who reaps from then on those that pidfd_wait_or_kill gives up, as they have not ended after
 * SIGKILL, or are traced: called on whatever thread waited, with a descriptor that is the
 * keeper's then. NULL: nobody; they stay until this process ends. Not while others wait for a
 * child. */
typedef void (*PidfdKeeper)(void *data, int pidfd);
void pidfd_set_keeper(PidfdKeeper keeper, void *data);
/* Reaps a child that has ended. False: it has not, or is another's that traces it. */
bool pidfd_reap(int pidfd);
/* Waits until the process has ended (any process, not reaped); timeout in ns, negative: without
 * bound. -ETIMEDOUT. */
int pidfd_wait_end(int pidfd, int64_t timeout);
/* The process's start time in clock ticks since boot (proc_pid_stat(5) field 22): with the number
 * it names one process for good. */
int process_start_time(pid_t pid, uint64_t *ret, Error *err);
