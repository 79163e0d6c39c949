/* seccomp-cache.c: compiled seccomp programs by the key of their profile: one that no daemon knows
 * yet is compiled, which takes some 10 ms, and used at every start. One is compiled at a time: a
 * client's own may take seconds. */
#include "engine/seccomp-cache.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "runtime/seccomp.h"

/* In memory: profiles that are made for each container would fill it. */
#define PROGRAMS_MAX 256
/* For others' compilations, of which each is bounded. */
#define TURN_TIMEOUT (30 * NSEC_PER_SEC)

struct SeccompCache {
        pthread_mutex_t lock; /* of what follows */
        pthread_cond_t compiled;
        bool compiling;
        Map programs;     /* key → SeccompProgram */
        int directory_fd; /* compiled programs, also of earlier daemons; -1: none */
};

SeccompCache *seccomp_cache_new(int data_root_fd) {
        SeccompCache *cache = NEW(SeccompCache);
        pthread_condattr_t attributes;
        Error error = { 0 };

        pthread_mutex_init(&cache->lock, NULL);
        pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&cache->compiled, &attributes);
        pthread_condattr_destroy(&attributes);
        cache->directory_fd = -1;
        if (dir_open_at(data_root_fd, "seccomp", 0700, &cache->directory_fd, &error) < 0)
                log_warn("keep compiled seccomp programs: %s", error.message);
        return cache;
}

static void program_free(void *data) {
        SeccompProgram *program = data;

        if (program)
                seccomp_program_done(program);
        free(program);
}

SeccompCache *seccomp_cache_free(SeccompCache *cache) {
        if (!cache)
                return NULL;
        map_done(&cache->programs, program_free);
        close_fd(&cache->directory_fd);
        pthread_cond_destroy(&cache->compiled);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
        return NULL;
}

/* ---- known ones ---- */

/* None has an agent: the profiles of containers name none (seccomp-document.c). */
static SeccompProgram copy_of(const SeccompProgram *program) {
        return (SeccompProgram){ .filter = alloc_copy(program->filter, program->length),
                                 .length = program->length,
                                 .flags = program->flags };
}

/* The program of that key, if it is known: a copy. Under the lock. */
static bool find_program(const SeccompCache *cache, const char *key, SeccompProgram *ret) {
        const SeccompProgram *program = map_get(&cache->programs, key);

        if (program)
                *ret = copy_of(program);
        return program != NULL;
}

static bool find_program_now(SeccompCache *cache, const char *key, SeccompProgram *ret) {
        bool found;

        pthread_mutex_lock(&cache->lock);
        found = find_program(cache, key, ret);
        pthread_mutex_unlock(&cache->lock);
        return found;
}

static void keep_program(SeccompCache *cache, const char *key, const SeccompProgram *program) {
        SeccompProgram *copy = NEW(SeccompProgram);

        *copy = copy_of(program);
        pthread_mutex_lock(&cache->lock);
        if (cache->programs.count >= PROGRAMS_MAX)
                map_done(&cache->programs, program_free);
        program_free(map_put(&cache->programs, key, copy));
        pthread_mutex_unlock(&cache->lock);
}

/* ---- compiling ---- */

/* Waits until nobody compiles, and is the one then. 1: *ret is what another has compiled meanwhile,
 * and it is nobody's turn; 0: end_turn follows. */
static int take_turn(SeccompCache *cache, const char *key, SeccompProgram *ret, Error *err) {
        const int64_t end = clock_monotonic() + TURN_TIMEOUT;
        const struct timespec until = { end / NSEC_PER_SEC, end % NSEC_PER_SEC };
        bool found;
        int r = 0;

        pthread_mutex_lock(&cache->lock);
        found = find_program(cache, key, ret);
        while (!found && cache->compiling && r == 0) {
                r = -pthread_cond_timedwait(&cache->compiled, &cache->lock, &until);
                found = find_program(cache, key, ret);
        }
        if (!found && r == 0)
                cache->compiling = true;
        pthread_mutex_unlock(&cache->lock);
        if (found)
                return 1;
        return r < 0 ? error_kind(err, ERROR_UNAVAILABLE,
                                  "seccomp: other profiles are being compiled: try again")
                     : 0;
}

static void end_turn(SeccompCache *cache) {
        pthread_mutex_lock(&cache->lock);
        cache->compiling = false;
        pthread_cond_broadcast(&cache->compiled);
        pthread_mutex_unlock(&cache->lock);
}

static int compile(SeccompCache *cache, const char *key, const OciSeccomp *profile,
                   SeccompProgram *ret, Error *err) {
        int r = take_turn(cache, key, ret, err);

        if (r != 0)
                return MIN(r, 0);
        r = seccomp_compile(profile, SECCOMP_SELF, cache->directory_fd, ret, err);
        if (r == 0)
                keep_program(cache, key, ret);
        end_turn(cache);
        return r;
}

/* One that an earlier daemon has compiled waits for nobody. */
static int make_program(SeccompCache *cache, const char *key, const OciSeccomp *profile,
                        SeccompProgram *ret, Error *err) {
        int r = seccomp_recall(profile, cache->directory_fd, ret, err);

        if (r == 1)
                keep_program(cache, key, ret);
        return r == 0 ? compile(cache, key, profile, ret, err) : MIN(r, 0);
}

int seccomp_program(Engine *engine, const Container *container, bool privileged,
                    SeccompProgram *ret, Error *err) {
        SeccompCache *cache = engine->seccomp;
        _cleanup_free_ char *key = NULL;
        OciSeccomp *profile = NULL;

        *ret = (SeccompProgram){};
        int r = seccomp_profile_key(container, privileged, &key, err);
        if (r < 0 || !key || find_program_now(cache, key, ret))
                return r;
        r = seccomp_profile_build(container, privileged, &profile, err);
        if (r == 0)
                r = make_program(cache, key, profile, ret, err);
        json_free(&oci_seccomp_table, profile);
        return r;
}
