/* snapshot.h: what list and inspect read of a container without its lock: an immutable copy of all
 * that changes. What never changes (id, created, spec, path, args, image_id) they read from
 * the Container itself, on which they hold a reference. */
#pragma once

#include "engine/container.h"

/* A container's entry in the list, rendered once; list.c's. */
typedef struct ListFragment {
        size_t length;
        char text[];
} ListFragment;

typedef struct ContainerSnapshot {
        atomic_int references;
        _Atomic(ListFragment *) list_fragment; /* made by the first reader; freed with the snapshot
                                                */
        char *name;                            /* without the slash */
        ContainerState state;
        LabelSet *labels;      /* see snapshot_labels */
        LimitSet *limits;      /* see snapshot_host */
        PublishSet *published; /* the same */
        MountSet *mounted;     /* see snapshot_mounts */
        JsonArray endpoints;   /* of ContainerEndpoint */
} ContainerSnapshot;

/* A reference to the newest snapshot; never NULL for a container of the registry. Takes state_lock
 * shortly. */
ContainerSnapshot *container_snapshot(Container *container);
ContainerSnapshot *snapshot_unref(ContainerSnapshot *snapshot);
DEFINE_CLEANUP(ContainerSnapshot *, snapshot_unref)
#define _cleanup_snapshot_ _cleanup_(snapshot_unrefp)

/* For a reader of many, whose memory no cache holds: what container_snapshot will want of this one,
 * and, once that is there, the head of its snapshot. Neither waits. */
void container_prefetch(const Container *container);
void snapshot_prefetch(const Container *container);

/* lock held: makes a new snapshot the one that readers get. */
void container_publish(Container *container);
