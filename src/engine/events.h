/* events.h: what happens, told to those who watch. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"

int events_new(Engine *engine, Events **ret, Error *err);
Events *events_free(Events *events); /* ends its readers */
/* type "container", "network", "volume", "image"; attributes may be NULL and are copied. Never
 * blocks: may be called with any lock held. */
void engine_event_emit(Engine *engine, const char *type, const char *action, const char *actor,
                       const Pairs *attributes);
/* The same with Docker's attributes of a container: image, name, its labels; `more` may be NULL.
 * lock or the only reference held. */
void container_event(Container *container, const char *action, const Pairs *more);
