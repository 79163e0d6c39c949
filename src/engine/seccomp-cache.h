/* seccomp-cache.h: the life of the cache; seccomp_program in internal.h uses it. */
#pragma once

typedef struct SeccompCache SeccompCache;

SeccompCache *seccomp_cache_new(void);
SeccompCache *seccomp_cache_free(SeccompCache *cache);
