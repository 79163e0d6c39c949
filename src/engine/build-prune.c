/* build-prune.c: what the build cache holds, as documents, and its collection. */
#include "base/clock.h"
#include "base/log.h"
#include "engine/build-private.h"
#include "engine/documents.h"
#include "engine/filters.h"

static json_object *entry_document(const CacheEntry *entry) {
        json_object *object = json_object_new_object();

        json_put_text(object, "ID", entry->id);
        json_put_text(object, "Type", entry->type);
        json_put_text(object, "Description", entry->description);
        json_put_bool(object, "InUse", entry->in_use);
        json_put_bool(object, "Shared", entry->shared);
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
                (void)json_object_array_add(list, entry_document(&entries[i]));
        cache_entries_free(entries, count);
        if (r == 0)
                json_add_object(json, list);
        else
                (void)json_object_put(list);
        return r;
}

/* "24h", or a time. */
static int read_until(const Filters *filters, int64_t *ret, Error *err) {
        char *const *until = filters_get(filters, "until");
        int64_t ago;

        *ret = 0;
        if (!until)
                return 0;
        if (duration_parse(until[0], &ago) == 0)
                *ret = clock_now() - ago;
        else if (clock_parse(until[0], ret) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "filter until=%s: give a duration such as 24h, or a time as in "
                                  "2026-01-02T15:04:05Z",
                                  until[0]);
        return 0;
}

static void release_chain(void *data, const char *chain) {
        Engine *engine = data;
        _cleanup_free_ char *holder = str_format("build:%s", chain);
        Error error = {};

        if (image_release(engine->images, holder, &error) < 0)
                log_error("let go of layer %s: %s", chain, error.message);
}

int engine_build_prune(Engine *engine, bool all, int64_t keep, const Filters *filters, Buf *json,
                       Error *err) {
        static const char *const accepted[] = { "until", "id", "unused-for", NULL };
        CachePrune prune = { .all = all, .keep = keep, .ids = filters_get(filters, "id") };
        json_object *answer, *list;
        _cleanup_strv_ char **ids = NULL;
        int64_t bytes = 0;
        int r = filters_check(filters, accepted, err);

        if (r == 0)
                r = read_until(filters, &prune.until, err);
        if (r == 0)
                r = build_cache_prune(engine->builder->cache, &prune, release_chain, engine, &ids,
                                      &bytes, err);
        if (r < 0)
                return r;
        answer = json_object_new_object();
        list = json_object_new_array();
        for (char **id = ids; id && *id; id++)
                (void)json_object_array_add(list, json_object_new_string(*id));
        json_put(answer, "CachesDeleted", ids ? list : NULL);
        if (!ids)
                (void)json_object_put(list);
        json_put_int(answer, "SpaceReclaimed", bytes);
        json_add_object(json, answer);
        return 0;
}
