/* registry.c: the containers of an engine by id and by name, and their life as objects. Knows no
 * record and no kernel. */
#include <errno.h>

#include "engine/attach.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/labels.h"
#include "engine/locks.h"
#include "engine/mounts-change.h"
#include "engine/publish.h"
#include "engine/registry.h"

__thread unsigned locks_held;

/* What by_name holds: the id that has the name, be its container in by_id already or still being
 * made. */
typedef struct Reservation {
        char id[ID_LENGTH + 1];
} Reservation;

/* ---- objects ---- */

Container *container_new(Engine *engine, const char id[ID_LENGTH + 1]) {
        Container *container = NEW(Container);

        container->engine = engine;
        atomic_init(&container->references, 1);
        memcpy(container->id, id, ID_LENGTH + 1);
        pthread_mutex_init(&container->lock, NULL);
        pthread_mutex_init(&container->state_lock, NULL);
        pthread_mutex_init(&container->kill_lock, NULL);
        pthread_mutex_init(&container->stats_lock, NULL);
        container->pidfd = container->netns_fd = -1;
        pthread_mutex_lock(&engine->alive_lock);
        (void)map_put(&engine->alive, container->id, container);
        pthread_mutex_unlock(&engine->alive_lock);
        return container;
}

Container *container_ref(Container *container) {
        (void)atomic_fetch_add_explicit(&container->references, 1, memory_order_relaxed);
        return container;
}

static void array_done(JsonArray *array, const JsonTable *table) {
        for (size_t i = 0; i < array->count; i++)
                json_done(table, (char *)array->items + i * table->size);
        free(array->items);
        *array = (JsonArray){ 0 };
}

static void alive_drop(const Container *container) {
        Engine *engine = container->engine;

        pthread_mutex_lock(&engine->alive_lock);
        if (map_get(&engine->alive, container->id) == container)
                (void)map_drop(&engine->alive, container->id);
        pthread_mutex_unlock(&engine->alive_lock);
}

bool container_is_alive(Engine *engine, const char *id) {
        pthread_mutex_lock(&engine->alive_lock);
        bool alive = map_get(&engine->alive, id) != NULL;
        pthread_mutex_unlock(&engine->alive_lock);
        return alive;
}

static void container_destroy_object(Container *container) {
        alive_drop(container);
        attach_drop_pending(container);
        exec_container_removed(container);
        monitor_free(container->monitor);
        close_fd(&container->pidfd);
        close_fd(&container->netns_fd);
        snapshot_unref(container->snapshot);
        json_free(&health_table, container->health);
        label_set_unref(container->labels);
        limit_set_unref(container->limits);
        publish_set_unref(container->published);
        mount_set_unref(container->mounted);
        container_create_done(&container->spec);
        json_done(&container_state_table, &container->state);
        array_done(&container->mounts, &mount_point_table);
        array_done(&container->endpoints, &container_endpoint_table);
        strv_free(container->lowers);
        strv_free(container->args);
        free(container->image_id);
        free(container->path);
        free(container->platform);
        free(container->name);
        pthread_mutex_destroy(&container->lock);
        pthread_mutex_destroy(&container->state_lock);
        pthread_mutex_destroy(&container->kill_lock);
        pthread_mutex_destroy(&container->stats_lock);
        free(container);
}

Container *container_unref(Container *container) {
        if (container &&
            atomic_fetch_sub_explicit(&container->references, 1, memory_order_acq_rel) == 1)
                container_destroy_object(container);
        return NULL;
}

void container_lock(Container *container) {
        lock_take(&container->lock, LOCK_CONTAINER);
}

void container_unlock(Container *container) {
        lock_drop(&container->lock, LOCK_CONTAINER);
}

/* ---- the index ---- */

static void registry_lock(Engine *engine) {
        lock_take(&engine->registry_lock, LOCK_REGISTRY);
}

static void registry_unlock(Engine *engine) {
        lock_drop(&engine->registry_lock, LOCK_REGISTRY);
}

/* Lock held. *ret borrowed, NULL where none or several match. */
static bool find_by_prefix(Engine *engine, const char *prefix, Container **ret) {
        const char *id;
        Container *container, *found = NULL;

        *ret = NULL;
        if (!id_prefix_valid(prefix))
                return true;
        MAP_EACH(&engine->by_id, id, container) {
                if (!str_after(id, prefix))
                        continue;
                if (found)
                        return false;
                found = container;
        }
        *ret = found;
        return true;
}

int container_lookup(Engine *engine, const char *ref, Container **ret, Error *err) {
        const char *name = ref && ref[0] == '/' ? ref + 1 : ref;
        Container *found = NULL;
        bool unambiguous = true;

        if (str_empty(name))
                return error_kind(err, ERROR_INVALID, "No container name or ID supplied");
        registry_lock(engine);
        found = map_get(&engine->by_id, ref);
        if (!found) {
                const Reservation *entry = map_get(&engine->by_name, name);
                if (entry)
                        found = map_get(&engine->by_id, entry->id);
        }
        if (!found)
                unambiguous = find_by_prefix(engine, ref, &found);
        if (found)
                container_ref(found);
        registry_unlock(engine);
        if (!unambiguous)
                return error_kind(err, ERROR_INVALID, "multiple IDs found with provided prefix: %s",
                                  ref);
        if (!found)
                return error_kind(err, ERROR_NOT_FOUND, "No such container: %s", ref);
        *ret = found;
        return 0;
}

static int newer_first(const void *left, const void *right) {
        const Container *a = *(Container *const *)left, *b = *(Container *const *)right;
        return a->created < b->created ? 1 : a->created > b->created ? -1 : 0;
}

static Roster *roster_ref(Roster *roster) {
        (void)atomic_fetch_add_explicit(&roster->references, 1, memory_order_relaxed);
        return roster;
}

Roster *roster_unref(Roster *roster) {
        if (!roster || atomic_fetch_sub_explicit(&roster->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        for (size_t i = 0; i < roster->count; i++)
                container_unref(roster->items[i]);
        free(roster);
        return NULL;
}

/* Lock held; in no order. */
static Roster *roster_new(Engine *engine) {
        Roster *roster = alloc_zero(1, sizeof(Roster) + engine->by_id.count * sizeof(Container *));
        const char *id;
        Container *container;

        atomic_init(&roster->references, 1);
        MAP_EACH(&engine->by_id, id, container)
                roster->items[roster->count++] = container_ref(container);
        return roster;
}

/* Lock held. What it returns is the caller's to unref without the lock. */
static Roster *roster_outdated(Engine *engine) {
        Roster *outdated = engine->roster;

        engine->roster = NULL;
        engine->roster_changes++;
        return outdated;
}

/* Sorted without the lock, and kept if none was made or removed meanwhile. */
static void roster_sort(Engine *engine, Roster *roster, uint64_t changes) {
        if (roster->count > 1)
                qsort(roster->items, roster->count, sizeof(Container *), newer_first);
        registry_lock(engine);
        if (!engine->roster && engine->roster_changes == changes)
                engine->roster = roster_ref(roster);
        registry_unlock(engine);
}

Roster *containers_all(Engine *engine) {
        registry_lock(engine);
        bool is_new = !engine->roster;
        uint64_t changes = engine->roster_changes;
        Roster *roster = is_new ? roster_new(engine) : roster_ref(engine->roster);
        registry_unlock(engine);
        if (is_new)
                roster_sort(engine, roster, changes);
        return roster;
}

static int reserve_locked(Engine *engine, const char *name, const char *id, Error *err) {
        const Reservation *taken = map_get(&engine->by_name, name);

        if (taken)
                return error_kind(
                        err, ERROR_CONFLICT,
                        "Conflict. The container name \"/%s\" is already in use by container "
                        "\"%s\". You have to remove (or rename) that container to be able "
                        "to reuse that name.",
                        name, taken->id);
        Reservation *entry = NEW(Reservation);
        memcpy(entry->id, id, ID_LENGTH + 1);
        map_put(&engine->by_name, name, entry);
        return 0;
}

int registry_reserve_name(Engine *engine, const char *name, const char *id, Error *err) {
        registry_lock(engine);
        int r = reserve_locked(engine, name, id, err);
        registry_unlock(engine);
        return r;
}

void registry_release_name(Engine *engine, const char *name) {
        registry_lock(engine);
        free(map_drop(&engine->by_name, name));
        registry_unlock(engine);
}

void registry_add(Engine *engine, Container *container) {
        registry_lock(engine);
        map_put(&engine->by_id, container->id, container_ref(container));
        Roster *outdated = roster_outdated(engine);
        registry_unlock(engine);
        roster_unref(outdated);
}

void registry_drop(Engine *engine, Container *container) {
        registry_lock(engine);
        Container *had = map_drop(&engine->by_id, container->id);
        free(map_drop(&engine->by_name, container->name));
        Roster *outdated = roster_outdated(engine);
        registry_unlock(engine);
        roster_unref(outdated);
        container_unref(had);
}

void registry_set_name(Container *container, const char *name) {
        registry_lock(container->engine);
        str_replace(&container->name, name);
        registry_unlock(container->engine);
}
