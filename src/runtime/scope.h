/* scope.h: making a container's scope; runtime.h has what it is called. */
#pragma once

#include "os/cgroup.h"
#include "runtime/private.h"

/* The first process of a scope; pidfd -1: there is none. */
typedef struct ScopeHolder {
        pid_t pid;
        int pidfd;
} ScopeHolder;

/* Makes the scope, and in the unified hierarchy the container's group with the holder in it; end it
 * once init is there. On error nothing is left but what systemd removes. */
int scope_enter(const RuntimeScope *scope, const char *id, ScopeHolder *ret, Error *err);
void scope_holder_end(ScopeHolder *holder); /* once or more */
