/* seccomp-cache.h: compiled seccomp profiles. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"
#include "runtime/runtime.h"

/* Programs are kept in "seccomp" below the data root, for the next daemon. */
SeccompCache *seccomp_cache_new(int data_root_fd);
SeccompCache *seccomp_cache_free(SeccompCache *cache);

/* The compiled program of the container's profile: *ret is NULL where it runs unconfined; else
 * valid until engine_free. `privileged`: as a privileged exec. */
int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    const SeccompProgram **ret, Error *err);
