/* seccomp-cache.c: compiled seccomp programs by the key of their profile: a profile is compiled
 * once a daemon's life, which takes some 10 ms, and used at every start. One is compiled at a time:
 * a client's own may take seconds. */
#include "engine/seccomp-cache.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "runtime/seccomp.h"

struct SeccompCache {
        pthread_mutex_t compiling; /* held while compiling, before lock */
        pthread_mutex_t lock;      /* of what follows */
        Map programs;              /* key → SeccompProgram */
        int directory_fd;          /* compiled programs of earlier daemons; -1: none */
};

SeccompCache *seccomp_cache_new(int data_root_fd) {
        SeccompCache *cache = NEW(SeccompCache);
        Error error = { 0 };

        pthread_mutex_init(&cache->compiling, NULL);
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
        pthread_mutex_destroy(&cache->compiling);
        free(cache);
        return NULL;
}

static int program_make(const SeccompCache *cache, const Container *container, bool privileged,
                        SeccompProgram **ret, Error *err) {
        OciSeccomp *profile = NULL;
        SeccompProgram *program = NEW(SeccompProgram);

        int r = seccomp_profile_build(container, privileged, &profile, err);
        if (r == 0)
                r = seccomp_compile(profile, SECCOMP_SELF, cache->directory_fd, program, err);
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

static void keep_program(SeccompCache *cache, const char *key, SeccompProgram *program) {
        pthread_mutex_lock(&cache->lock);
        map_put(&cache->programs, key, program);
        pthread_mutex_unlock(&cache->lock);
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
        pthread_mutex_lock(&cache->compiling);
        *ret = find_program(cache, key); /* another start may have compiled it meanwhile */
        if (!*ret)
                r = program_make(cache, container, privileged, &program, err);
        if (!*ret && r == 0) {
                keep_program(cache, key, program);
                *ret = program;
        }
        pthread_mutex_unlock(&cache->compiling);
        return r;
}
