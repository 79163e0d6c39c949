/* bounded.h: a call that another machine may never answer (a name that is looked up, a server's
 * file system that is mounted), on a thread of its own, so that its caller waits no longer than it
 * wants to. Knows nothing of what is called. */
#pragma once

#include <stdint.h>

/* Runs run(data) and waits for its end, at most timeout ns. 0: it is over, and data is the
 * caller's again. -ETIMEDOUT: it goes on, owns data from now on, and calls drop(data) at its end.
 * -EBUSY, without a call: BOUNDED_LEFT_MAX calls, the most that there are at once, have not ended,
 * and none did within timeout; where all of them were left alone it is said at once. Otherwise a
 * negative errno of pthread_create, without a call. */
#define BOUNDED_LEFT_MAX 32
int bounded_run(void (*run)(void *data), void *data, void (*drop)(void *data), int64_t timeout);
