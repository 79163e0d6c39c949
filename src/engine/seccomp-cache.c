/* seccomp-cache.c: compiled seccomp programs by the key of their profile: a profile is compiled
 * once a daemon's life, which takes some 10 ms, and used at every start. */
#include "engine/seccomp-cache.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "runtime/seccomp.h"

struct SeccompCache {
        pthread_mutex_t
                lock;     /* not held while compiling: a client's own profile may take seconds */
        Map programs;     /* key → SeccompProgram */
        int directory_fd; /* compiled programs of earlier daemons; -1: none */
};

SeccompCache *seccomp_cache_new(int data_root_fd) {
        SeccompCache *cache = NEW(SeccompCache);
        Error error = { 0 };

        pthread_mutex_init(&cache->lock, NULL);
        cache->directory_fd = -1;
        if (dir_open_at(data_root_fd, "seccomp", 0700, &cache->directory_fd, &error) < 0)
                log_warn("keep compiled seccomp programs: %s", error.message);
        return cache;
}

static void program_free(void *data) {
        SeccompProgram *program = data;

        seccomp_program_done(program);
        free(program);
}

SeccompCache *seccomp_cache_free(SeccompCache *cache) {
        if (!cache)
                return NULL;
        map_done(&cache->programs, program_free);
        close_fd(&cache->directory_fd);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
        return NULL;
}

static int program_make(const SeccompCache *cache, const Container *container, bool privileged,
                        SeccompProgram **ret, Error *err) {
        OciSeccomp *profile = NULL;
        SeccompProgram *program = NEW(SeccompProgram);

        int r = seccomp_profile_build(container, privileged, &profile, err);
        if (r == 0)
                r = seccomp_compile(profile, cache->directory_fd, program, err);
        json_free(&oci_seccomp_table, profile);
        if (r < 0) {
                free(program);
                return r;
        }
        *ret = program;
        return 0;
}

/* The program of that key, if there is one. */
static const SeccompProgram *find_program(SeccompCache *cache, const char *key) {
        const SeccompProgram *program;

        pthread_mutex_lock(&cache->lock);
        program = map_get(&cache->programs, key);
        pthread_mutex_unlock(&cache->lock);
        return program;
}

/* Keeps it, unless another start has compiled the same profile meanwhile; the one that is kept. */
static const SeccompProgram *keep_program(SeccompCache *cache, const char *key,
                                          SeccompProgram *program) {
        SeccompProgram *kept;

        pthread_mutex_lock(&cache->lock);
        kept = map_get(&cache->programs, key);
        if (!kept)
                map_put(&cache->programs, key, program);
        pthread_mutex_unlock(&cache->lock);
        if (!kept)
                return program;
        program_free(program);
        return kept;
}

int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    const SeccompProgram **ret, Error *err) {
        SeccompCache *cache = engine->seccomp;
        _cleanup_free_ char *key = NULL;

        *ret = NULL;
        int r = seccomp_profile_key(container, privileged, &key, err);
        if (r < 0 || !key)
                return r;
        *ret = find_program(cache, key);
        if (*ret)
                return 0;
        SeccompProgram *program;
        r = program_make(cache, container, privileged, &program, err);
        if (r == 0)
                *ret = keep_program(cache, key, program);
        return r;
}
