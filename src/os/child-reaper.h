/* child-reaper.h: children that were killed and did not end in the time that somebody had for them:
 * they are reaped when they end, by an event loop. */
#pragma once

#include "base/loop.h"

typedef struct ChildReaper ChildReaper;

/* Until child_reaper_free it takes those that pidfd_wait_or_kill gives up. One of a process. */
ChildReaper *child_reaper_new(Loop *loop);
/* Any thread: a copy of the descriptor of a child that nobody else waits for any more. */
void child_reaper_take(ChildReaper *reaper, int pidfd);
/* How many it waits for. The loop's thread. */
size_t child_reaper_count(const ChildReaper *reaper);
/* The loop's thread, once no other waits for a child. NULL is fine; returns NULL. */
ChildReaper *child_reaper_free(ChildReaper *reaper);
DEFINE_CLEANUP(ChildReaper *, child_reaper_free)
