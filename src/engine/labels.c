/* labels.c: a container's labels and their change. They are those of its creation until they are
 * changed, and then a set that is replaced as a whole, so that who reads them needs no lock. */
#include "engine/labels.h"

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

LabelSet *labels_change(const Container *container, const ContainerUpdate *update) {
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
