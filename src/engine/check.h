/* check.h: what the parts of a check of the whole engine share. Inside engine only. */
#pragma once

#include "engine/internal.h"
#include "spec/check.h"

typedef struct EngineChecking {
        Engine *engine;
        CheckSink sink; /* found: counts, and passes on */
} EngineChecking;

typedef int (*CheckRepair)(EngineChecking *checking, const char *name, Error *err);
/* Repairs, if that is asked for and repair is not NULL, and tells. Negative: nobody listens. */
int check_tell(EngineChecking *checking, CheckFinding *finding, CheckRepair repair);

/* check-kernel.c */
int check_control_groups(EngineChecking *checking, Error *err);
int check_processes(EngineChecking *checking, Error *err);
int check_mounts(EngineChecking *checking, Error *err);
int check_links(EngineChecking *checking, Error *err);
