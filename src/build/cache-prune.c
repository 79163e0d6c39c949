/* cache-prune.c: what the cache has, and taking some of it away: rows first, in one transaction,
 * then directories, by a remover. A kill in between leaves directories without a row, which
 * the next start removes. */
#include <errno.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

/* An entry and what it is here. */
typedef struct Item {
        CacheEntry entry;
        char *place;  /* of a record: its layer; of a mount: its directory's name */
        bool mount;   /* else a record */
        bool taken;   /* its row is deleted */
        char *remove; /* the directory to remove, or the chain id to release; NULL: another record
                         has it */
} Item;

typedef struct Items {
        Item *items;
        size_t count;
} Items;

static void entry_done(CacheEntry *entry) {
        free(entry->id);
        free(entry->type);
        free(entry->description);
        free(entry->chain);
}

static void items_done(Items *items) {
        for (size_t i = 0; i < items->count; i++) {
                entry_done(&items->items[i].entry);
                free(items->items[i].place);
                free(items->items[i].remove);
        }
        free(items->items);
        *items = (Items){};
}

void cache_entries_free(CacheEntry *entries, size_t count) {
        for (size_t i = 0; i < count; i++)
                entry_done(&entries[i]);
        free(entries);
}

/* ---- listing ---- */

static void add_row(BuildCache *cache, sqlite3_stmt *row, bool mount, Items *items) {
        Item *item;

        GROW(items->items, items->count);
        item = &items->items[items->count++];
        *item = (Item){
                .place = sql_text(row, 0),
                .mount = mount,
                .entry = { .description = sql_text(row, 2),
                           .size = sqlite3_column_int64(row, 3),
                           .created_at = sqlite3_column_int64(row, 4),
                           .used_at = sqlite3_column_int64(row, 5),
                           .uses = sqlite3_column_int64(row, 6) },
        };
        item->entry.type = str_copy(mount ? "exec.cachemount" : "regular");
        /* A mount's name is a digest and "-N": half of it is enough to name it by. */
        item->entry.id = mount ? str_format("%.24s%s", item->place, strrchr(item->place, '-'))
                               : sql_text(row, 1);
        item->entry.in_use = mount ? cache_mount_in_use(cache, item->place)
                                   : cache_layer_held(cache, item->place);
        item->entry.shared = !mount && digest_valid(item->place);
        item->entry.chain = item->entry.shared ? str_copy(item->place) : NULL;
}

static int add_rows(BuildCache *cache, const char *sql, bool mount, Items *items, Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(cache->db, &row, err, sql, "");

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                add_row(cache, row, mount, items);
                r = 0;
        }
        return r;
}

/* Mounts that were used since they were counted. What is in use changes: it stays to be counted. */
static int count_sizes(BuildCache *cache, Items *items, Error *err) {
        for (size_t i = 0; i < items->count; i++) {
                Item *item = &items->items[i];
                _cleanup_free_ char *path = NULL;
                int r;

                if (item->entry.size >= 0)
                        continue;
                path = str_format("%s/fs", item->place);
                r = cache_tree_size(cache->mounts_fd, path, &item->entry.size, err);
                if (r == -ENOENT) { /* collected meanwhile */
                        item->entry.size = 0;
                        continue;
                }
                if (r < 0)
                        return r;
                CACHE_LOCKED(cache);
                if (cache_mount_in_use(cache, item->place))
                        continue;
                r = sql_run(cache->db, err,
                            "UPDATE mounts SET size=?3 WHERE name=?1 AND used_at=?2", "tii",
                            item->place, item->entry.used_at, item->entry.size);
                if (cache_note(cache, r) < 0)
                        return r;
        }
        return 0;
}

static int newer_first(const void *left, const void *right) {
        const Item *a = left, *b = right;

        if (a->entry.used_at != b->entry.used_at)
                return a->entry.used_at < b->entry.used_at ? 1 : -1;
        return a->entry.created_at < b->entry.created_at ? 1 : -1;
}

/* Newest use first. */
static int load(BuildCache *cache, Items *ret, Error *err) {
        int r;

        {
                CACHE_LOCKED(cache);
                r = add_rows(
                        cache,
                        "SELECT layer, name, description, size, created_at, used_at, uses FROM "
                        "records",
                        false, ret, err);
                if (r == 0)
                        r = add_rows(cache,
                                     "SELECT name, NULL, 'cache mount ' || id, size, created_at, "
                                     "used_at, uses FROM mounts",
                                     true, ret, err);
                if (cache_note(cache, r) < 0)
                        return r;
        }
        r = count_sizes(cache, ret, err);
        if (r == 0 && ret->count > 0)
                qsort(ret->items, ret->count, sizeof(*ret->items), newer_first);
        return r;
}

int build_cache_list(BuildCache *cache, CacheEntry **ret, size_t *ret_count, Error *err) {
        _cleanup_(items_done) Items items = {};
        int r = load(cache, &items, err);

        if (r < 0)
                return r;
        *ret = NEW_ARRAY(CacheEntry, items.count ? items.count : 1);
        *ret_count = items.count;
        for (size_t i = 0; i < items.count; i++) {
                (*ret)[i] = items.items[i].entry;
                items.items[i].entry = (CacheEntry){};
        }
        return 0;
}

/* ---- taking away ---- */

static bool wanted(const CachePrune *prune, const Item *item) {
        const CacheEntry *entry = &item->entry;

        if (entry->in_use || (prune->until && entry->used_at >= prune->until))
                return false;
        if (!prune->all && entry->shared)
                return false;
        return !prune->ids || strv_has(prune->ids, entry->id);
}

/* What takes room below the cap, whether it may go or not. */
static bool counts(const CachePrune *prune, const Item *item) {
        return prune->cap && item->entry.in_use && !item->entry.shared;
}

static int64_t total(const CachePrune *prune, const Items *items) {
        int64_t sum = 0;

        for (size_t i = 0; i < items->count; i++)
                if (wanted(prune, &items->items[i]) || counts(prune, &items->items[i]))
                        sum += items->items[i].entry.size;
        return sum;
}

/* Deletes the row, unless it was used since it was read. *left: bytes that stay. */
static int take(BuildCache *cache, Item *item, int64_t *left, Error *err) {
        bool busy = item->mount ? cache_mount_in_use(cache, item->place)
                                : cache_layer_held(cache, item->place);
        int r;

        if (busy)
                return 0;
        r = sql_run(cache->db, err,
                    item->mount ? "DELETE FROM mounts WHERE name=?1 AND used_at=?2"
                                : "DELETE FROM records WHERE name=?1 AND used_at=?2",
                    "ti", item->mount ? item->place : item->entry.id, item->entry.used_at);
        if (r == 0)
                item->taken = sqlite3_changes(cache->db) > 0;
        if (item->taken)
                *left -= item->entry.size;
        return r;
}

static int take_all(BuildCache *cache, const CachePrune *prune, Items *items, Error *err) {
        int64_t left = total(prune, items);
        int r = 0;

        /* What is larger than all may be goes in any case: no other has to make room for it. */
        for (size_t i = 0; r == 0 && prune->cap && i < items->count; i++)
                if (wanted(prune, &items->items[i]) && items->items[i].entry.size > prune->keep)
                        r = take(cache, &items->items[i], &left, err);
        for (size_t i = items->count; r == 0 && i-- > 0;) {
                Item *item = &items->items[i];

                if (item->taken || !wanted(prune, item))
                        continue;
                if (prune->keep > 0 && left <= prune->keep)
                        break;
                r = take(cache, item, &left, err);
        }
        return r;
}

/* What is to be removed for an item now that its row is gone: the last record of a layer has it. */
static int plan_one(BuildCache *cache, Item *item, Map *seen, Error *err) {
        bool recorded = false;
        int r;

        if (item->mount) {
                (void)cache_set_aside(cache->mounts_fd, item->place, &item->remove);
                return 0;
        }
        if (str_empty(item->place) || map_get(seen, item->place))
                return 0;
        r = cache_layer_recorded(cache, item->place, &recorded, err);
        if (r < 0 || recorded)
                return r;
        (void)map_put(seen, item->place, item);
        item->remove = str_copy(item->place);
        return 0;
}

static void seen_done(Map *map) {
        map_done(map, NULL);
}

static int plan_removal(BuildCache *cache, Items *items, Error *err) {
        _cleanup_(seen_done) Map seen = {};
        int r = 0;

        for (size_t i = 0; r == 0 && i < items->count; i++)
                if (items->items[i].taken)
                        r = plan_one(cache, &items->items[i], &seen, err);
        return r;
}

static int take_rows(BuildCache *cache, const CachePrune *prune, Items *items, Error *err) {
        CACHE_LOCKED(cache);
        int r = cache_begin(cache, err);

        if (r == 0)
                r = cache_end(cache, take_all(cache, prune, items, err), err);
        return r < 0 ? r : cache_note(cache, plan_removal(cache, items, err));
}

/* Whose image is gone again is the cache's alone. */
static void ask_for_images(const CachePrune *prune, Items *items) {
        for (size_t i = 0; prune->shared && i < items->count; i++) {
                CacheEntry *entry = &items->items[i].entry;

                if (entry->shared)
                        entry->shared = prune->shared(prune->data, entry->chain);
        }
}

/* A build may have recorded the chain again since its row went, and have held it before it was
 * released. */
static int64_t release_chain(BuildCache *cache, const CachePrune *prune, const char *chain) {
        int64_t bytes = prune->release ? prune->release(prune->data, chain) : 0;
        bool recorded = false;
        Error err = {};
        int r;

        {
                CACHE_LOCKED(cache);
                r = cache_note(cache, cache_layer_recorded(cache, chain, &recorded, &err));
        }
        if (r < 0)
                log_warn("build cache: %s", err.message);
        if (recorded && prune->hold)
                prune->hold(prune->data, chain);
        return bytes;
}

static int64_t remove_item(BuildCache *cache, const CachePrune *prune, const Item *item) {
        if (!item->remove)
                return 0;
        if (digest_valid(item->remove))
                return release_chain(cache, prune, item->remove);
        remover_add(&cache->remover, item->mount ? cache->mounts_fd : cache->layers_fd,
                    item->remove);
        return item->entry.size;
}

/* What goes last comes first: what was used last. All that a build used has one time: of that a
 * cache mount is worth most, which the next step may want; then the layer that was made first, as
 * others stand upon it and are of no use without it; then the smaller one. */
static int worth_more_first(const void *left, const void *right) {
        const Item *a = left, *b = right;

        if (a->entry.used_at != b->entry.used_at)
                return a->entry.used_at < b->entry.used_at ? 1 : -1;
        if (a->mount != b->mount)
                return a->mount ? -1 : 1;
        if (a->entry.created_at != b->entry.created_at)
                return a->entry.created_at < b->entry.created_at ? -1 : 1;
        return (a->entry.size > b->entry.size) - (a->entry.size < b->entry.size);
}

static bool is_any_taken(const Items *items) {
        for (size_t i = 0; i < items->count; i++)
                if (items->items[i].taken)
                        return true;
        return false;
}

int build_cache_prune(BuildCache *cache, const CachePrune *prune, char ***ret_ids,
                      int64_t *ret_bytes, Error *err) {
        _cleanup_(items_done) Items items = {};
        _cleanup_strv_ char **ids = NULL;
        int64_t bytes = 0;
        int r = load(cache, &items, err);

        if (r == 0 && items.count > 0)
                qsort(items.items, items.count, sizeof(*items.items), worth_more_first);
        ask_for_images(prune, &items);
        if (r == 0)
                r = take_rows(cache, prune, &items, err);
        if (r == 0 && is_any_taken(&items))
                r = failpoint("build.pruned-rows", err);
        if (r < 0)
                return error_prefix(err, "prune the build cache");
        for (size_t i = items.count; i-- > 0;) {
                const Item *item = &items.items[i];

                if (!item->taken)
                        continue;
                bytes += remove_item(cache, prune, item);
                strv_add(&ids, item->entry.id);
        }
        remover_wait(&cache->remover, prune->patience);
        *ret_ids = TAKE_PTR(ids);
        *ret_bytes = bytes;
        return 0;
}
