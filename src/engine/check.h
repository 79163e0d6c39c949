/* check.h: what the parts of a check of the whole engine share. Inside engine only. */
#pragma once

#include "engine/engine.h"
#include "spec/check.h"

typedef struct EngineChecking {
        Engine *engine;
        CheckSink sink;
} EngineChecking;

/* Whether the record has a container of that id, though it may be one that cannot be read, which is
 * no object then. A record that cannot be asked has all. */
bool check_has_row(const EngineChecking *checking, const char *id);

typedef int (*CheckRepair)(EngineChecking *checking, const char *name, Error *err);
/* Repairs, if that is asked for and repair is not NULL, and tells. Negative: nobody listens. */
int check_tell(EngineChecking *checking, CheckFinding *finding, CheckRepair repair);

/* check-kernel.c */
int check_control_groups(EngineChecking *checking, Error *err);
int check_processes(EngineChecking *checking, Error *err);
int check_mounts(EngineChecking *checking, Error *err);
int check_links(EngineChecking *checking, Error *err);
