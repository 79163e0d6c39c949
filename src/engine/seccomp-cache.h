/* seccomp-cache.h: the life of the cache; seccomp_program in internal.h uses it. */
#pragma once

typedef struct SeccompCache SeccompCache;

/* Programs are kept in "seccomp" below the data root, for the next daemon. */
SeccompCache *seccomp_cache_new(int data_root_fd);
SeccompCache *seccomp_cache_free(SeccompCache *cache);
