/* loop.h: an epoll event loop: descriptors, timers, and work posted from other threads. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct Loop Loop;
typedef struct LoopSource LoopSource;

/* events are EPOLLIN and the like. A handler may remove any source, its own too. */
typedef void (*LoopFdHandler)(void *data, int fd, uint32_t events);
typedef void (*LoopHandler)(void *data);

int loop_new(Loop **ret, Error *err);
Loop *loop_free(Loop *loop); /* frees its sources; descriptors stay open */
DEFINE_CLEANUP(Loop *, loop_free)

/* Runs until loop_stop. */
int loop_run(Loop *loop, Error *err);
/* One wait of at most timeout_ms (-1: without bound) and its handlers. */
int loop_step(Loop *loop, int timeout_ms, Error *err);
void loop_stop(Loop *loop); /* any thread */
/* Readable when there is something to handle; timers do not show. The loop's. */
int loop_fd(const Loop *loop);

/* The following are the loop thread's alone, but for loop_post. The source is the loop's; fd stays
 * the caller's. */
int loop_add_fd(Loop *loop, int fd, uint32_t events, LoopFdHandler handler, void *data,
                LoopSource **ret, Error *err);
int loop_change_fd(LoopSource *source, uint32_t events);
/* Once, at `when` (clock_monotonic). Never NULL. */
LoopSource *loop_add_timer(Loop *loop, int64_t when, LoopHandler handler, void *data);
LoopSource *loop_remove(LoopSource *source); /* NULL is fine; returns NULL */
/* Runs handler on the loop's thread soon, in the order of posting. Any thread. */
void loop_post(Loop *loop, LoopHandler handler, void *data);
