/* worker.h: threads for what must not run on the loop's thread nor keep a request waiting: exits,
 * restarts, tear-down. */
#pragma once

#include "base/error.h"

typedef struct Workers Workers;
typedef void (*WorkerFn)(void *data);

int workers_new(Workers **ret, Error *err);
/* Finishes what is queued, then ends the threads. */
Workers *workers_free(Workers *workers);
/* Runs fn soon on a thread of the pool, which grows with the load (bounded). Any thread; never
 * blocks. */
void workers_post(Workers *workers, WorkerFn fn, void *data);
