/* labels.h: the labels of a container, which an update changes. Inside engine only. */
#pragma once

#include "engine/snapshot.h"

LabelSet *label_set_ref(LabelSet *set);   /* NULL is fine, here and below */
LabelSet *label_set_unref(LabelSet *set); /* returns NULL */
/* lock or the only reference held; borrowed. */
const Pairs *container_labels(const Container *container);
/* As of the snapshot, which holds them; NULL: those of its creation. */
const Pairs *snapshot_labels(const Container *container, const ContainerSnapshot *snapshot);
/* What the update makes of the labels; NULL: nothing changes. */
LabelSet *labels_change(const Container *container, const ContainerUpdate *update);
/* A member of the column that changes, there once they were changed. */
void container_labels_write(const Container *container, json_object *state);
int container_labels_read(Container *container, json_object *state, Error *err);
