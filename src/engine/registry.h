/* registry.h: containers as they are found, counted and locked. Inside engine only. */
#pragma once

#include "engine/container.h"

/* ref: full id, name (with or without a slash before it) or unambiguous id prefix, in this order,
 * as Docker resolves. A new reference in *ret. not_found "No such container: x"; invalid "multiple
 * IDs found with provided prefix: x". */
int container_lookup(Engine *engine, const char *ref, Container **ret, Error *err);
/* Whether there is an object of that id, in the registry or not: see Engine.alive. */
bool container_is_alive(Engine *engine, const char *id);
Container *container_ref(Container *container);
Container *container_unref(Container *container); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(Container *, container_unref)
#define _cleanup_container_ _cleanup_(container_unrefp)
/* Every container, newest first: immutable, shared by all who ask until one is made or removed. */
typedef struct Roster {
        atomic_int references;
        size_t count;
        Container *items[]; /* a reference each */
} Roster;
Roster *containers_all(Engine *engine); /* a new reference */
Roster *roster_unref(Roster *roster);   /* NULL is fine; returns NULL */
DEFINE_CLEANUP(Roster *, roster_unref)
#define _cleanup_roster_ _cleanup_(roster_unrefp)
/* A container object that is in no registry yet; one reference. */
Container *container_new(Engine *engine, const char id[ID_LENGTH + 1]);
/* Takes `name` for `id` until registry_add or registry_release. conflict in Docker's words. */
int registry_reserve_name(Engine *engine, const char *name, const char *id, Error *err);
void registry_release_name(Engine *engine, const char *name);
void registry_add(Engine *engine, Container *container); /* with container->name, reserved before */
void registry_drop(Engine *engine, Container *container);
/* lock held; the name is reserved for it, and the old one until it is released. */
void registry_set_name(Container *container, const char *name);

void container_lock(Container *container);
void container_unlock(Container *container);
static inline void container_unlockp(Container **container) {
        if (*container)
                container_unlock(*container);
}
/* Scoped: CONTAINER_LOCKED(c) holds c->lock to the end of the block. */
#define CONTAINER_LOCKED(container)                                                                \
        _cleanup_(container_unlockp) UNUSED Container *locked_ = (container);                      \
        container_lock(locked_)
