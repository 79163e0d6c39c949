/* container-health.h: health checks as a container's life and its documents see them. Inside engine
 * only. */
#pragma once

#include "engine/engine-private.h"
#include "engine/health.h"
#include "engine/snapshot.h"

/* ---- container-health.c: State.Health; takes state_lock ---- */
/* lock held, before the run of this generation is published. Nothing where it has no check. */
void container_health_begin(Container *container);
/* The same for what runs already: what is recorded of this run stays. */
void container_health_adopt(Container *container);
/* Takes the output of a check in the run of this generation; age as in health_judge. Nothing, and
 * false, where that run is over or stands still. *ret_status: the status, which has changed where
 * *ret_changed says so. */
bool container_health_judge(Container *container, int64_t generation, HealthResult *result,
                            int64_t age, const char **ret_status, bool *ret_changed);
/* As of the snapshot: one of HEALTH_…; what does not run is unhealthy, as with Docker. */
const char *container_health_status(Container *container, const ContainerSnapshot *snapshot);
/* State.Health, the caller's; NULL: it has none. */
json_object *container_health_document(Container *container, const ContainerSnapshot *snapshot);
/* For the record; NULL: it has none. */
json_object *container_health_write(Container *container);
int container_health_read(Container *container, json_object *document, Error *err);

/* ---- prober.c: health checks ---- */
int probers_new(Engine *engine, Probers **ret, Error *err);
/* On the loop's thread, once no worker is left: no check is begun any more. */
void probers_stop(Engine *engine);
Probers *probers_free(Probers *probers); /* after what was posted has run */
/* lock held, published, its monitor is there: from now on it is checked, if it has a check. */
void prober_begin(Container *container);
/* The same for one that an earlier daemon started, and that may be paused. */
void prober_adopt(Container *container);
/* lock held: what is paused is not checked. */
void prober_pause(Container *container, bool paused);
/* lock held, before its monitor is dropped. */
void prober_end(Container *container);
/* On the loop's thread: what its monitor tells. */
void prober_notice(Container *container, const MonitorReply *reply);

/* unhealthy.c: on the loop's thread. A check has found the run of this generation unhealthy, again
 * or for the first time, or healthy. Never blocks. */
void unhealthy_notice(Container *container, int64_t generation, bool healthy);
