/* fake-engine.h: what the fake engine was asked for last; tests only. */
#pragma once

#include "engine/engine.h"

extern char fake_asked[1024];

/* fake-build.c: what the last build was asked for, in lines; and how many unpacked contexts are
 * there. A build's `target` chooses what happens in it. */
extern char fake_build[8192];
extern int fake_contexts;
extern int fake_cancelled; /* builds that ended because their client left */
