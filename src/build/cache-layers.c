/* cache-layers.c: the directories layers/<id>, and who holds one. Holds are of this process: after
 * its end nobody has any. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

typedef struct Hold {
        unsigned count;
        bool fresh;  /* layer_new's, which the first put takes over */
        char *moved; /* the chain id that it has now: its holds count there, too */
} Hold;

bool cache_layer_is_own(const char *layer) {
        return id_valid(layer);
}

bool cache_layer_held(const BuildCache *cache, const char *layer) {
        return map_get(&cache->holds, layer) != NULL;
}

static Hold *hold_of(BuildCache *cache, const char *layer) {
        Hold *hold = map_get(&cache->holds, layer);

        if (!hold) {
                hold = NEW(Hold);
                (void)map_put(&cache->holds, layer, hold);
        }
        return hold;
}

void cache_layer_hold(BuildCache *cache, const char *layer) {
        Hold *hold;

        if (str_empty(layer))
                return;
        hold = hold_of(cache, layer);
        if (hold->fresh)
                hold->fresh = false;
        else
                hold->count++;
}

static void hold_free(void *data) {
        Hold *hold = data;

        free(hold->moved);
        free(hold);
}

/* Old names under which nobody will release what was released under its new one. */
static void drop_old_names(BuildCache *cache, const char *chain) {
        _cleanup_strv_ char **old = NULL;
        const char *layer;
        Hold *hold;

        MAP_EACH(&cache->holds, layer, hold)
                if (str_equal(hold->moved, chain))
                        strv_add(&old, layer);
        for (size_t i = 0; old && old[i]; i++)
                hold_free(map_drop(&cache->holds, old[i]));
}

/* Takes so many holds away. */
static void holds_drop(BuildCache *cache, const char *layer, unsigned count) {
        Hold *hold = map_get(&cache->holds, layer);

        if (!hold)
                return;
        hold->count -= MIN(count, hold->count);
        _cleanup_free_ char *moved = str_copy(hold->moved);

        if (hold->count == 0)
                hold_free(map_drop(&cache->holds, layer));
        if (moved)
                holds_drop(cache, moved, count);
        else if (!map_get(&cache->holds, layer) && digest_valid(layer))
                drop_old_names(cache, layer);
}

void cache_holds_done(BuildCache *cache) {
        map_done(&cache->holds, hold_free);
}

bool cache_layer_exists(BuildCache *cache, const char *layer) {
        _cleanup_free_ char *path = str_format("%s/fs", layer);
        struct stat st;

        return fstatat(cache->layers_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(st.st_mode);
}

int cache_layer_recorded(BuildCache *cache, const char *layer, bool *ret, Error *err) {
        int64_t known = 0;
        int r = sql_number(cache->db, &known, err, "SELECT 1 FROM records WHERE layer=? LIMIT 1",
                           "t", layer);

        if (r == 0)
                *ret = known != 0;
        return r;
}

int cache_layer_unused(BuildCache *cache, const char *layer, bool *ret, Error *err) {
        bool recorded = true;
        int r = 0;

        if (cache_layer_is_own(layer) && !cache_layer_held(cache, layer))
                r = cache_layer_recorded(cache, layer, &recorded, err);
        if (r == 0)
                *ret = !recorded;
        return r;
}

void cache_layer_remove(BuildCache *cache, const char *layer) {
        Error err = {};

        if (dir_remove_at(cache->layers_fd, layer, &err) < 0)
                log_warn("build cache: %s; it is tried again at the next start", err.message);
}

bool cache_set_aside(int dir_fd, const char *name, char **ret_aside) {
        char id[ID_LENGTH + 1];
        _cleanup_free_ char *aside = NULL;

        id_new(id);
        aside = str_format(GONE_PREFIX "%s", id);
        if (renameat(dir_fd, name, dir_fd, aside) == 0) {
                *ret_aside = TAKE_PTR(aside);
                return true;
        }
        if (errno == ENOENT)
                return false;
        /* A full disk may have no room for another name: a mount that is made meanwhile has the
           next number. */
        *ret_aside = str_copy(name);
        return true;
}

int build_cache_layer_new(BuildCache *cache, char **ret_id, int *ret_fd, Error *err) {
        _cleanup_free_ char *id = alloc_zero(1, ID_LENGTH + 1);
        int r;

        id_new(id);
        {
                /* Held before it is there: a database begun anew meanwhile takes nothing away. */
                CACHE_LOCKED(cache);
                *hold_of(cache, id) = (Hold){ .count = 1, .fresh = true };
        }
        r = dir_open_at(cache->layers_fd, id, 0710, ret_fd, err);
        if (r < 0) {
                build_cache_release(cache, id);
                return error_prefix(err, "make a layer of the build cache");
        }
        *ret_id = TAKE_PTR(id);
        return 0;
}

void build_cache_release(BuildCache *cache, const char *layer) {
        bool unused = false;
        Error err = {};
        int r = 0;

        if (str_empty(layer))
                return;
        {
                CACHE_LOCKED(cache);
                holds_drop(cache, layer, 1);
                r = cache_note(cache, cache_layer_unused(cache, layer, &unused, &err));
        }
        if (r < 0)
                log_warn("build cache: %s", err.message);
        else if (unused)
                cache_layer_remove(cache, layer);
}

/* The name of the layer's records. */
static const char *name_now(const BuildCache *cache, const char *layer) {
        const Hold *hold = map_get(&cache->holds, layer);

        return hold && hold->moved ? hold->moved : layer;
}

static int use(BuildCache *cache, char *const *layers, int64_t since, Error *err) {
        int64_t now = clock_now();
        int r = 0;

        for (; r == 0 && layers && *layers; layers++)
                if (**layers)
                        r = sql_run(cache->db, err, "UPDATE records SET used_at=?2 WHERE layer=?1",
                                    "ti", name_now(cache, *layers), now);
        return r < 0 ? r
                     : sql_run(cache->db, err, "UPDATE mounts SET used_at=?2 WHERE used_at>=?1",
                               "ii", since, now);
}

void build_cache_used(BuildCache *cache, char *const *layers, int64_t since) {
        if (!layers)
                return;
        CACHE_LOCKED(cache);
        Error err = {};
        int r = cache_begin(cache, &err);

        if (r == 0)
                r = cache_end(cache, use(cache, layers, since, &err), &err);
        if (r < 0)
                log_warn("build cache: note what a build used: %s", err.message);
}

/* What had it under its old name has it under the new one. */
static void holds_move(BuildCache *cache, const char *id, const char *chain) {
        Hold *hold = map_get(&cache->holds, id);

        if (!hold || hold->moved)
                return;
        hold->fresh = false;
        hold->moved = str_copy(chain);
        hold_of(cache, chain)->count += hold->count;
}

int build_cache_layer_moved(BuildCache *cache, const char *id, const char *chain, Error *err) {
        if (!cache_layer_is_own(id) || !digest_valid(chain))
                return error_kind(err, ERROR_INVALID,
                                  "a layer '%s' of the build cache can't become '%s': an id and a "
                                  "chain id are needed",
                                  id, chain);
        CACHE_LOCKED(cache);
        int r = cache_begin(cache, err);

        if (r == 0)
                r = cache_end(cache,
                              sql_run(cache->db, err, "UPDATE records SET layer=?2 WHERE layer=?1",
                                      "tt", id, chain),
                              err);
        if (r == 0)
                holds_move(cache, id, chain);
        return r;
}

int build_cache_chain_lost(BuildCache *cache, const char *chain, Error *err) {
        CACHE_LOCKED(cache);
        int r = cache_begin(cache, err);

        return r < 0 ? r
                     : cache_end(cache,
                                 sql_run(cache->db, err, "DELETE FROM records WHERE layer=?", "t",
                                         chain),
                                 err);
}
