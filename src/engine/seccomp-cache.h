/* seccomp-cache.h: compiled seccomp profiles. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"
#include "runtime/runtime.h"

/* Programs are kept in "seccomp" below the data root, for the next daemon. */
SeccompCache *seccomp_cache_new(int data_root_fd);
SeccompCache *seccomp_cache_free(SeccompCache *cache);

/* The compiled program of the container's profile, the caller's; of length 0 where it runs
 * unconfined. `privileged`: as a privileged exec. An unknown one waits for others that are being
 * compiled, 30 s at most: ERROR_UNAVAILABLE. */
int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    SeccompProgram *ret, Error *err);
