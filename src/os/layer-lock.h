/* layer-lock.h: the lock that says that a run has a container's layer mounted, or is still
 * unmounting it: flock(2) on its directory. */
#pragma once

#include "base/error.h"

/* How long whoever is next waits for the one before. */
#define LAYER_LOCK_MAX_MS 10000

/* Takes it for as long as the open directory upper_fd (not O_PATH) is open. After max_ms, and where
 * the file system knows no locks, it goes on without: the one before has no users any more, so a
 * second mount does no harm (overlay_mount has "index=off"), but the kernel's log warns of it.
 * watch_fd: a socket (-1: none); once its other end is closed: -ECANCELED. */
int layer_lock(int upper_fd, int watch_fd, int max_ms, Error *err);
