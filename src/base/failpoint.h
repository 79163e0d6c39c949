/* failpoint.h: places where the crash tests kill or fail a program.
 * BRIG_FAILPOINT="name=action[,name=action…]", where action is kill (SIGKILL to itself), error (the
 * step fails), kill@N (at the N-th pass) or hold (it waits until somebody opens the FIFO
 * BRIG_FAILPOINT_GATE to write). BRIG_FAILPOINT=@FILE reads the same from a file at each pass, so
 * that a daemon that runs can be told; who kills itself renames it to FILE.passed first. Compiled
 * in by -Dfailpoints=true only. */
#pragma once

#include "base/error.h"

#ifdef BRIG_FAILPOINTS
#define FAILPOINTS_MARK " (with failpoints)" /* for --version: such a build is no user's */
/* 0, or a negative errno if this point is set to fail. Names read module.step: "start.network". */
int failpoint(const char *name, Error *err);
#else
#define FAILPOINTS_MARK ""
static inline int failpoint(const char *name, Error *err) {
        (void)name;
        (void)err;
        return 0;
}
#endif
