/* snapshot.c: immutable copies of what changes in a container, so that readers never wait for a
 * start or a stop. */
#include "engine/container-limits.h"
#include "engine/labels.h"
#include "engine/locks.h"
#include "engine/mounts-change.h"
#include "engine/publish.h"

static void array_copy(const JsonArray *from, const JsonTable *table, JsonArray *to) {
        for (size_t i = 0; i < from->count; i++)
                json_copy(table, (const char *)from->items + i * table->size,
                          json_append(to, table));
}

static ContainerSnapshot *snapshot_new(const Container *container) {
        ContainerSnapshot *snapshot = NEW(ContainerSnapshot);

        atomic_init(&snapshot->references, 1);
        snapshot->name = str_copy(container->name);
        snapshot->labels = label_set_ref(container->labels);
        snapshot->limits = limit_set_ref(container->limits);
        snapshot->published = publish_set_ref(container->published);
        snapshot->mounted = mount_set_ref(container->mounted);
        json_copy(&container_state_table, &container->state, &snapshot->state);
        array_copy(&container->endpoints, &container_endpoint_table, &snapshot->endpoints);
        return snapshot;
}

ContainerSnapshot *snapshot_unref(ContainerSnapshot *snapshot) {
        if (!snapshot ||
            atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        ContainerEndpoint *endpoints = snapshot->endpoints.items;
        for (size_t i = 0; i < snapshot->endpoints.count; i++)
                json_done(&container_endpoint_table, &endpoints[i]);
        free(endpoints);
        label_set_unref(snapshot->labels);
        limit_set_unref(snapshot->limits);
        publish_set_unref(snapshot->published);
        mount_set_unref(snapshot->mounted);
        json_done(&container_state_table, &snapshot->state);
        free(atomic_load(&snapshot->list_fragment));
        free(snapshot->name);
        free(snapshot);
        return NULL;
}

ContainerSnapshot *container_snapshot(Container *container) {
        lock_take(&container->state_lock, LOCK_STATE);
        ContainerSnapshot *snapshot = container->snapshot;
        if (snapshot)
                (void)atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
        lock_drop(&container->state_lock, LOCK_STATE);
        return snapshot;
}

void container_prefetch(const Container *container) {
        __builtin_prefetch(&container->state_lock);
        __builtin_prefetch(&container->snapshot);
        __builtin_prefetch(&container->spec.config.health);
}

/* It need not be the newest, nor be there any more: nothing of it is read. */
void snapshot_prefetch(const Container *container) {
        const char *snapshot =
                (const char *)atomic_load_explicit(&container->snapshot, memory_order_relaxed);

        __builtin_prefetch(snapshot);
        __builtin_prefetch(snapshot + 64);
        __builtin_prefetch(snapshot + 128);
}

void container_publish(Container *container) {
        ContainerSnapshot *snapshot = snapshot_new(container);

        lock_take(&container->state_lock, LOCK_STATE);
        ContainerSnapshot *old = container->snapshot;
        container->snapshot = snapshot;
        lock_drop(&container->state_lock, LOCK_STATE);
        snapshot_unref(old);
}
