/* worker.h: threads for what must not run on the loop's thread nor keep a request waiting: exits,
 * restarts, tear-down. */
#pragma once

#include "base/error.h"
#include "base/loop.h"

typedef struct Workers Workers;
typedef void (*WorkerFn)(void *data);

/* The loop, borrowed, tries again where no thread could be started. */
int workers_new(Loop *loop, Workers **ret, Error *err);
/* Finishes what is queued, then ends the threads. The loop's thread. */
void workers_stop(Workers *workers);
/* Of those that were stopped, once the loop has handled what was posted to it. */
Workers *workers_free(Workers *workers);
/* Runs fn soon on a thread of the pool, which grows with the load (bounded). Any thread; never
 * blocks. */
void workers_post(Workers *workers, WorkerFn fn, void *data);
