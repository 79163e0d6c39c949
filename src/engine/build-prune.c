/* build-prune.c: what the build cache holds, as documents, and its collection. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/build-private.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/prune.h"
#include "engine/room.h"

/* Whose image was removed is the cache's alone again. */
static bool is_shared(void *data, const char *chain) {
        Engine *engine = data;
        int64_t size;
        bool shared;

        return image_layer_size(engine->images, chain, &size, &shared, NULL) == 0 && shared;
}

static json_object *entry_document(Engine *engine, const CacheEntry *entry) {
        json_object *object = json_object_new_object();

        json_put_text(object, "ID", entry->id);
        json_put_text(object, "Type", entry->type);
        json_put_text(object, "Description", entry->description);
        json_put_bool(object, "InUse", entry->in_use);
        json_put_bool(object, "Shared", entry->shared && is_shared(engine, entry->chain));
        json_put_int(object, "Size", entry->size);
        json_put_time(object, "CreatedAt", entry->created_at);
        json_put_time(object, "LastUsedAt", entry->used_at);
        json_put_int(object, "UsageCount", entry->uses);
        return object;
}

int engine_build_cache_list(Engine *engine, Buf *json, Error *err) {
        json_object *list = json_object_new_array();
        CacheEntry *entries = NULL;
        size_t count = 0;
        int r = build_cache_list(engine->builder->cache, &entries, &count, err);

        for (size_t i = 0; r == 0 && i < count; i++)
                (void)json_object_array_add(list, entry_document(engine, &entries[i]));
        cache_entries_free(entries, count);
        if (r == 0)
                json_add_object(json, list);
        else
                (void)json_object_put(list);
        return r;
}

/* What is held for a build's cache is gone once neither an image nor a container has it. */
static int64_t release_chain(void *data, const char *chain) {
        Engine *engine = data;
        _cleanup_free_ char *holder = str_format("build:%s", chain);
        int64_t size = 0, left;
        bool shared;
        Error error = {};

        (void)image_layer_size(engine->images, chain, &size, &shared, NULL);
        if (image_release(engine->images, holder, &error) < 0)
                log_error("let go of layer %s: %s", chain, error.message);
        return image_layer_size(engine->images, chain, &left, &shared, NULL) == -ENOENT ? size : 0;
}

static void hold_chain(void *data, const char *chain) {
        Engine *engine = data;
        _cleanup_free_ char *holder = str_format("build:%s", chain);
        Error error = {};

        if (image_hold_layer(engine->images, chain, holder, &error) < 0)
                log_error("hold layer %s: %s", chain, error.message);
}

void builder_prune_owner(Engine *engine, CachePrune *prune) {
        prune->shared = is_shared;
        prune->release = release_chain;
        prune->hold = hold_chain;
        prune->data = engine;
}

/* Nothing in the cache has labels: label lets nothing through, and label! everything. *ret_none:
 * nothing fits. */
static int read_filters(const Filters *filters, CachePrune *ret, bool *ret_none, Error *err) {
        static const char *const accepted[] = {
                "id", "label", "label!", "until", "unused-for", NULL
        };
        static const Pairs no_labels;
        int64_t until = 0, unused = 0;
        int r = filters_check(filters, accepted, err);

        if (r == 0)
                r = filter_time(filters, "until", &until, err);
        if (r == 0)
                r = filter_time(filters, "unused-for", &unused, err);
        if (r < 0)
                return r;
        ret->until = until && unused ? MIN(until, unused) : MAX(until, unused);
        ret->ids = filters_get(filters, "id");
        *ret_none = !labels_match(&no_labels, filters_get(filters, "label"));
        return 0;
}

static void tell_pruned(Engine *engine, int64_t bytes) {
        _cleanup_free_ char *reclaimed = str_format("%lld", (long long)bytes);
        Pairs attributes = {};

        pairs_put(&attributes, "reclaimed", reclaimed);
        engine_event_emit(engine, "builder", "prune", "", &attributes);
        pairs_done(&attributes);
}

int engine_build_prune(Engine *engine, bool all, int64_t keep, const Filters *filters, Buf *json,
                       Error *err) {
        CachePrune prune = { .all = all, .keep = keep, .patience = PRUNE_PATIENCE };
        json_object *answer, *list = NULL;
        _cleanup_strv_ char **ids = NULL;
        int64_t bytes = 0;
        int64_t until = clock_monotonic() + PRUNE_PATIENCE;
        bool none;

        ROOM_TO_REMOVE(engine);
        builder_prune_owner(engine, &prune);
        int r = read_filters(filters, &prune, &none, err);

        if (r == 0 && !none)
                r = build_cache_prune(engine->builder->cache, &prune, &ids, &bytes, err);
        if (r < 0)
                return r;
        image_removed_wait(engine->images, MAX(until - clock_monotonic(), 1));
        tell_pruned(engine, bytes);
        if (ids)
                list = json_object_new_array();
        for (char **id = ids; id && *id; id++)
                (void)json_object_array_add(list, json_object_new_string(*id));
        answer = json_object_new_object();
        json_put(answer, "CachesDeleted", list);
        json_put_int(answer, "SpaceReclaimed", bytes);
        json_add_object(json, answer);
        return 0;
}
