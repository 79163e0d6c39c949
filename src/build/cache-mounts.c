/* cache-mounts.c: directories of RUN --mount=type=cache. An id has one, mounts/<digest>-0, and more
 * where users that share nothing want it at once. Who has one is of this process. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

#define POLL_INTERVAL (100 * NSEC_PER_MSEC)

typedef struct MountState {
        unsigned users;
        bool exclusive; /* its user's alone */
        bool filling;   /* its first user makes what it begins with */
} MountState;

struct CacheMount {
        BuildCache *cache;
        char *name, *path;
};

const char *cache_mount_path(const CacheMount *mount) {
        return mount->path;
}

static CacheMount *mount_free(CacheMount *mount) {
        if (mount) {
                free(mount->name);
                free(mount->path);
                free(mount);
        }
        return NULL;
}
DEFINE_CLEANUP(CacheMount *, mount_free)

bool cache_mount_in_use(const BuildCache *cache, const char *name) {
        return map_get(&cache->mounts, name) != NULL;
}

/* ---- choosing ---- */

typedef enum Choice { CHOICE_TAKEN, CHOICE_NEW, CHOICE_WAIT } Choice;

/* Whether a directory in that state will do now; NULL: nobody has it. */
static bool usable(const MountState *state, MountSharing sharing) {
        return !state || (sharing == MOUNT_SHARED && !state->exclusive && !state->filling);
}

/* A directory that others share comes before one that nobody has: all sharers have the same. */
static int choose(BuildCache *cache, const char *id, MountSharing sharing, char **ret_name,
                  Choice *ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        _cleanup_free_ char *found = NULL;
        bool any = false, filling = false, shared = false;
        int r = sql_prepare(cache->db, &row, err,
                            "SELECT name, ready FROM mounts WHERE id=? ORDER BY number", "t", id);

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                const char *name = (const char *)sqlite3_column_text(row, 0);
                const MountState *state = map_get(&cache->mounts, name);

                r = 0;
                if (!state && !sqlite3_column_int(row, 1))
                        continue; /* given back unfinished, and could not be removed */
                any = true;
                filling = filling || (state && state->filling && !state->exclusive);
                if (!usable(state, sharing) || (found && (shared || !state)))
                        continue;
                shared = state != NULL;
                str_replace(&found, name);
        }
        if (r < 0)
                return r;
        *ret = found                                ? CHOICE_TAKEN
               : sharing == MOUNT_SHARED && filling ? CHOICE_WAIT
               : sharing == MOUNT_LOCKED && any     ? CHOICE_WAIT
                                                    : CHOICE_NEW;
        *ret_name = TAKE_PTR(found);
        return 0;
}

static int make_directory(BuildCache *cache, const char *name, Error *err) {
        _cleanup_close_ int fd = -1;
        int r;

        if (mkdirat(cache->mounts_fd, name, 0710) < 0)
                return -errno; /* the caller's to look at: it may exist */
        r = dir_open_at(cache->mounts_fd, name, 0, &fd, err);
        if (r < 0)
                return r;
        if (mkdirat(fd, "fs", 0755) < 0 || fchmodat(fd, "fs", 0755, 0) < 0) /* whatever the umask */
                return error_set(err, errno, "make the cache mount '%s'", name);
        return 0;
}

static int make(BuildCache *cache, const char *id, char **ret_name, Error *err) {
        char digest[DIGEST_TEXT_MAX];
        _cleanup_free_ char *name = NULL;
        int64_t now = clock_now(), number = -1;
        int r;

        digest_of(id, strlen(id), digest);
        do { /* a directory whose row was lost has its number until the next start */
                free(name);
                name = str_format("%s-%lld", digest_hex(digest), (long long)++number);
                r = make_directory(cache, name, err);
        } while (r == -EEXIST);
        if (r < 0)
                return error_set(err, r, "make the directory of the cache mount '%s'", id);
        r = sql_run(cache->db, err,
                    "INSERT OR REPLACE INTO mounts(name, id, number, ready, size, created_at, "
                    "used_at, uses) "
                    "VALUES(?,?,?,0,-1,?,?,0)",
                    "ttiii", name, id, number, now, now);
        if (r == 0)
                *ret_name = TAKE_PTR(name);
        else if (dir_remove_at(cache->mounts_fd, name, NULL) < 0)
                log_warn("build cache: '%.24s' stays until the next start", name);
        return r;
}

/* ---- taking ---- */

static void use(BuildCache *cache, const char *name, MountSharing sharing, bool is_new) {
        MountState *state = map_get(&cache->mounts, name);

        if (!state) {
                state = NEW(MountState);
                state->exclusive = sharing != MOUNT_SHARED;
                state->filling = is_new;
                (void)map_put(&cache->mounts, name, state);
        }
        state->users++;
}

static int take(BuildCache *cache, const char *id, MountSharing sharing, char **ret_name,
                Choice *ret, Error *err) {
        _cleanup_free_ char *name = NULL;
        Choice choice = CHOICE_WAIT;
        int r;

        cache_flush_locked(cache); /* a kill loses what that transaction holds */
        r = choose(cache, id, sharing, &name, &choice, err);

        if (r == 0 && choice == CHOICE_NEW)
                r = make(cache, id, &name, err);
        if (r == 0 && name)
                r = sql_run(cache->db, err,
                            "UPDATE mounts SET used_at=?2, uses=uses+1, size=-1 WHERE name=?1",
                            "ti", name, clock_now());
        if (r < 0)
                return r;
        if (name)
                use(cache, name, sharing, choice == CHOICE_NEW);
        *ret_name = TAKE_PTR(name);
        *ret = choice;
        return 0;
}

static void wait_a_moment(BuildCache *cache) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += POLL_INTERVAL;
        until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
        until.tv_nsec %= NSEC_PER_SEC;
        (void)pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
}

/* cancelled is asked without the lock: whose it is may be held by a caller of ours. */
static int acquire(BuildCache *cache, const char *id, MountSharing sharing,
                   bool (*cancelled)(void *data), void *data, char **ret_name, bool *ret_new,
                   Error *err) {
        for (;;) {
                Choice choice = CHOICE_WAIT;

                {
                        CACHE_LOCKED(cache);
                        int r = cache_note(cache, take(cache, id, sharing, ret_name, &choice, err));

                        if (r < 0)
                                return r;
                        if (choice != CHOICE_WAIT) {
                                *ret_new = choice == CHOICE_NEW;
                                return 0;
                        }
                        wait_a_moment(cache);
                }
                if (cancelled && cancelled(data))
                        return error_set(err, ECANCELED, "wait for the cache mount '%s'", id);
        }
}

int build_cache_mount(BuildCache *cache, const char *id, MountSharing sharing,
                      bool (*cancelled)(void *data), void *data, CacheMount **ret, int *ret_fd,
                      bool *ret_new, Error *err) {
        _cleanup_(mount_freep) CacheMount *mount = NEW(CacheMount);
        _cleanup_free_ char *place = NULL;
        bool is_new = false;
        int fd = -1, r;

        *mount = (CacheMount){ .cache = cache };
        r = acquire(cache, id, sharing, cancelled, data, &mount->name, &is_new, err);
        if (r < 0)
                return r;
        mount->path = str_format("build/mounts/%s/fs", mount->name);
        place = BUG("build-cache-ids") ? str_copy(id) : str_format("%s/fs", mount->name);
        r = dir_open_at(cache->mounts_fd, place, 0, &fd, err);
        if (r < 0) {
                (void)cache_mount_release(TAKE_PTR(mount));
                return error_prefix(err, "open the cache mount '%s'", id);
        }
        *ret = TAKE_PTR(mount);
        *ret_fd = fd;
        *ret_new = is_new;
        return 0;
}

int cache_mount_ready(CacheMount *mount, Error *err) {
        BuildCache *cache = mount->cache;
        CACHE_LOCKED(cache);
        MountState *state = map_get(&cache->mounts, mount->name);
        int r;

        if (!state->filling)
                return 0;
        cache_flush_locked(cache);
        r = cache_note(cache, sql_run(cache->db, err, "UPDATE mounts SET ready=1 WHERE name=?", "t",
                                      mount->name));
        if (r < 0)
                return r;
        state->filling = false;
        (void)pthread_cond_broadcast(&cache->changed);
        return 0;
}

/* The last user's end. */
static int give_back(CacheMount *mount, bool unfinished, Error *err) {
        BuildCache *cache = mount->cache;
        _cleanup_free_ char *aside = NULL;
        int r;

        if (!unfinished)
                return sql_run(cache->db, err, "UPDATE mounts SET used_at=?2 WHERE name=?1", "ti",
                               mount->name, clock_now());
        r = sql_run(cache->db, err, "DELETE FROM mounts WHERE name=?", "t", mount->name);
        if (r == 0 && cache_set_aside(cache->mounts_fd, mount->name, &aside))
                remover_add(&cache->remover, cache->mounts_fd, aside);
        return r;
}

CacheMount *cache_mount_release(CacheMount *mount) {
        BuildCache *cache;
        Error err = {};
        int r = 0;

        if (!mount)
                return NULL;
        cache = mount->cache;
        {
                CACHE_LOCKED(cache);
                MountState *state = map_get(&cache->mounts, mount->name);
                bool unfinished = state->filling;

                if (--state->users == 0) {
                        free(map_drop(&cache->mounts, mount->name));
                        r = cache_note(cache, give_back(mount, unfinished, &err));
                        (void)pthread_cond_broadcast(&cache->changed);
                }
        }
        if (r < 0)
                log_warn("build cache: give back a cache mount: %s", err.message);
        return mount_free(mount);
}

int build_cache_mount_ids(BuildCache *cache, char ***ret, Error *err) {
        CACHE_LOCKED(cache); /* first, so that it ends last */
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        _cleanup_strv_ char **ids = NULL;
        int r = sql_prepare(cache->db, &row, err,
                            "SELECT DISTINCT id FROM mounts WHERE ready ORDER BY id", "");

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                strv_take(&ids, sql_text(row, 0));
                r = 0;
        }
        if (cache_note(cache, r) < 0)
                return r;
        *ret = TAKE_PTR(ids);
        return 0;
}
