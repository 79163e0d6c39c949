/* labels.c: a container's labels and their change. They are those of its creation until they are
 * changed, and then a set that is replaced as a whole, so that who reads them needs no lock.
 * Network policies select by them: a change is in force before it is recorded, so nothing that was
 * acknowledged is ever not in force, and a daemon that is killed in between goes back to what
 * was. */
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/internal.h"

static const JsonField set_fields[] = {
        JSON_FIELD(LabelSet, "labels", JSON_PAIRS, pairs, 0),
};
static const JsonTable set_table = JSON_TABLE(LabelSet, "labels", set_fields);

/* ---- the set ---- */

static LabelSet *label_set_new(void) {
        LabelSet *set = NEW(LabelSet);

        atomic_init(&set->references, 1);
        return set;
}

LabelSet *label_set_ref(LabelSet *set) {
        if (set)
                (void)atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
        return set;
}

LabelSet *label_set_unref(LabelSet *set) {
        if (set && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1) {
                pairs_done(&set->pairs);
                free(set);
        }
        return NULL;
}

const Pairs *container_labels(const Container *container) {
        return container->labels ? &container->labels->pairs : &container->spec.config.labels;
}

const Pairs *snapshot_labels(const Container *container, const ContainerSnapshot *snapshot) {
        return snapshot && snapshot->labels ? &snapshot->labels->pairs
                                            : &container->spec.config.labels;
}

/* ---- the record ---- */

void container_labels_write(const Container *container, json_object *state) {
        if (container->labels)
                json_object_object_add(state, "labels",
                                       json_write_pairs(&container->labels->pairs));
}

int container_labels_read(Container *container, json_object *state, Error *err) {
        LabelSet *set;
        int r;

        if (!json_member(state, "labels"))
                return 0;
        set = label_set_new();
        r = json_read(&set_table, state, set, err);
        if (r < 0)
                label_set_unref(set);
        else
                container->labels = set;
        return r;
}

/* ---- change ---- */

/* What the update makes of the labels; NULL: nothing changes. */
static LabelSet *updated(const Container *container, const ContainerUpdate *update) {
        const Pairs *old = container_labels(container);
        LabelSet *set = label_set_new();
        bool changed = false;

        for (size_t i = 0; i < old->count; i++) {
                if (strv_has(update->labels_removed, old->items[i].key))
                        changed = true;
                else
                        pairs_put(&set->pairs, old->items[i].key, old->items[i].value);
        }
        for (size_t i = 0; i < update->labels.count; i++) {
                const Pair *label = &update->labels.items[i];

                if (str_equal(pairs_get(&set->pairs, label->key), label->value))
                        continue;
                pairs_put(&set->pairs, label->key, label->value);
                changed = true;
        }
        return changed ? set : label_set_unref(set);
}

/* lock held. What the endpoints were lent follows the labels. */
static void exchange(Container *container, LabelSet **set) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        LabelSet *old = container->labels;

        container->labels = *set;
        *set = old;
        for (size_t i = 0; i < container->endpoints.count; i++)
                endpoint_lend_labels(container, &endpoints[i].endpoint);
}

static int put_in_force(const Container *container, Error *err) {
        const Pairs *labels = container_labels(container);

        return net_relabel(container->engine->net, container->id, labels_namespace(labels), labels,
                           err);
}

/* lock held. In force and in the record, or (set is what it was) as before. */
static int relabel(Container *container, LabelSet **set, Error *err) {
        Error why = { 0 };
        int r;

        exchange(container, set);
        r = failpoint("update.apply", err);
        if (r == 0)
                r = put_in_force(container, err);
        if (r < 0) {
                exchange(container, set);
                return r;
        }
        r = failpoint("update.record", err);
        if (r == 0)
                r = container_save(container, container_is_kept(container), err);
        if (r == 0)
                return 0;
        exchange(container, set);
        if (put_in_force(container, &why) < 0)
                log_error("take back the labels of container %s: %s", container->id, why.message);
        return r;
}

int engine_container_update(Engine *engine, const char *ref, const ContainerUpdate *update,
                            Error *err) {
        _cleanup_container_ Container *container = NULL;
        LabelSet *set;
        int r = container_lookup(engine, ref, &container, err);

        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = container_check_exists(container, "update", err);
        if (r < 0)
                return r;
        set = updated(container, update);
        if (!set)
                return 0;
        r = relabel(container, &set, err);
        label_set_unref(set);
        if (r < 0)
                return r;
        container_publish(container);
        container_event(container, "update", NULL);
        return 0;
}
