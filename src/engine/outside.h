/* outside.h: looks at paths that a client names and that are not the engine's own: a bind's source,
 * a directory of checkpoints. The server of their files may never answer. Inside engine only. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Runs run(data) on a thread of its own. 0: it is over, and data is the caller's still. Negative:
 * data is not, drop(data) is called; unavailable where there is no answer within five seconds, or
 * where eight others have had none yet and have not ended. No lock should be held that others
 * wait for. */
int outside_look(const char *path, void (*run)(void *data), void *data, void (*drop)(void *data),
                 Error *err);
/* 1: there is something at that path; 0: there is nothing. make: a directory is made there. */
int outside_exists(const char *path, bool make, Error *err);
