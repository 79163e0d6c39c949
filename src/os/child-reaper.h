/* child-reaper.h: children that were killed and did not end in the time that somebody had for them:
 * they are reaped when they end, by an event loop. */
#pragma once

#include "base/loop.h"

typedef struct ChildReaper ChildReaper;

/* Until child_reaper_free it takes those that pidfd_wait_or_kill gives up. One of a process. */
int child_reaper_new(Loop *loop, ChildReaper **ret, Error *err);
/* Any thread: a child that nobody else waits for any more. The descriptor is the reaper's from then
 * on, so that it needs none where none is left. */
void child_reaper_take(ChildReaper *reaper, int pidfd);
/* How many it waits for: what it was given since the loop's last step does not count yet. The
 * loop's thread. */
size_t child_reaper_count(const ChildReaper *reaper);
/* The loop's thread, once no other waits for a child; the loop makes no step. NULL is fine; returns
 * NULL. */
ChildReaper *child_reaper_free(ChildReaper *reaper);
DEFINE_CLEANUP(ChildReaper *, child_reaper_free)
