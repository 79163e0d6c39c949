/* container-limits.h: the limits of a container, which an update changes. Inside engine only. */
#pragma once

#include "engine/snapshot.h"

LimitSet *limit_set_ref(LimitSet *set);   /* NULL is fine, here and below */
LimitSet *limit_set_unref(LimitSet *set); /* returns NULL */
/* lock or the only reference held. HostConfig as it is now; borrowed, nobody frees it. */
HostConfig container_host(const Container *container);
/* As of the snapshot, which holds it. */
HostConfig snapshot_host(const Container *container, const ContainerSnapshot *snapshot);
void container_limits_write(const Container *container, json_object *state);
int container_limits_read(Container *container, json_object *state, Error *err);
/* lock held. The limits with those that are given changed; invalid and conflict in Docker's words
 * and order. */
int container_limits_change(const Container *container, const HostLimits *given, LimitSet **ret,
                            Error *err);
/* lock held, it runs: its limits in force in its group, all of them or as it was before. */
int container_limits_apply(const Container *container, Error *err);
