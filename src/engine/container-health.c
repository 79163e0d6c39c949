/* container-health.c: a container's health as others see it and as the record keeps it. It changes
 * with every check, on the loop's thread, which must not wait for a container's lock: so it is no
 * part of the snapshot, and a reader puts the two together. */
#include "engine/container-health.h"
#include "engine/locks.h"

static void health_lock(Container *container) {
        lock_take(&container->state_lock, LOCK_STATE);
}

static void health_unlock(Container *container) {
        lock_drop(&container->state_lock, LOCK_STATE);
}

void container_health_begin(Container *container) {
        if (!health_is_checked(container->spec.config.health))
                return;
        health_lock(container);
        if (!container->health)
                container->health = NEW(Health);
        health_begin(container->health, container->state.generation);
        health_unlock(container);
}

void container_health_adopt(Container *container) {
        bool known;

        health_lock(container);
        known = container->health && container->health->generation == container->state.generation;
        health_unlock(container);
        if (!known)
                container_health_begin(container);
}

static const char *constant_of(const char *status) {
        static const char *const all[] = { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (str_equal(all[i], status))
                        return all[i];
        return HEALTH_STARTING;
}

static bool runs(const ContainerSnapshot *snapshot) {
        return snapshot->state.status == CONTAINER_RUNNING ||
               snapshot->state.status == CONTAINER_PAUSED;
}

/* lock held. Of the two that the reader has, either may be the newer one. */
static const char *shown_status(const Container *container, const ContainerSnapshot *snapshot) {
        const Health *health = container->health;

        if (!health)
                return HEALTH_NONE;
        if (!runs(snapshot))
                return HEALTH_UNHEALTHY;
        return health->generation == snapshot->state.generation ? constant_of(health->status)
                                                                : HEALTH_STARTING;
}

bool container_health_judge(Container *container, int64_t generation, HealthResult *result,
                            int64_t age, const char **ret_status, bool *ret_changed) {
        HealthPolicy policy;
        bool counts;

        health_policy(container->spec.config.health, &policy);
        health_lock(container);
        counts = container->health && container->health->generation == generation &&
                 container->snapshot->state.generation == generation &&
                 container->snapshot->state.status == CONTAINER_RUNNING;
        if (counts) {
                *ret_changed = health_judge(container->health, &policy, result, age);
                *ret_status = constant_of(container->health->status);
        }
        health_unlock(container);
        return counts;
}

const char *container_health_status(Container *container, const ContainerSnapshot *snapshot) {
        const char *status;

        if (!health_is_checked(container->spec.config.health))
                return HEALTH_NONE;
        health_lock(container);
        status = shown_status(container, snapshot);
        health_unlock(container);
        return status;
}

json_object *container_health_document(Container *container, const ContainerSnapshot *snapshot) {
        json_object *document = NULL;
        const char *status;

        health_lock(container);
        status = shown_status(container, snapshot);
        if (container->health)
                document = json_write(&health_table, container->health);
        health_unlock(container);
        if (document)
                json_object_object_add(document, "Status", json_object_new_string(status));
        return document;
}

json_object *container_health_write(Container *container) {
        json_object *document = NULL;

        health_lock(container);
        if (container->health) {
                document = json_write(&health_table, container->health);
                json_object_object_add(document, "generation",
                                       json_object_new_int64(container->health->generation));
        }
        health_unlock(container);
        return document;
}

int container_health_read(Container *container, json_object *document, Error *err) {
        if (!document)
                return 0;
        container->health = NEW(Health);
        container->health->generation = json_object_get_int64(json_member(document, "generation"));
        return json_read(&health_table, document, container->health, err);
}
