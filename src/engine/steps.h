/* steps.h: a long job as a list of named steps, each with its undo, so that a failure in the middle
 * leaves nothing. */
#pragma once

#include "base/error.h"

typedef struct JobStep {
        const char *name; /* its failpoint too: "start.network" */
        int (*run)(void *job, Error *err);
        void (*undo)(void *job); /* NULL: nothing to take back */
} JobStep;

/* Runs the steps in order. The first that fails has cleaned up after itself; those before it are
 * undone, last first. */
int steps_run(const JobStep *steps, size_t count, void *job, Error *err);
/* Takes all of them back, last first: for a job whose parts are of no use once it is done. */
void steps_undo(const JobStep *steps, size_t count, void *job);
