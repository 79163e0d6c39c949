/* state.h: the record of a container, and what its state allows. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/db.h"

/* lock held. Writes state and endpoints to the database, one transaction. The caller publishes. */
int container_save(Container *container, bool durable, Error *err);
/* The same with the name, where that is another than the record's; where it fails, each
 * container_save tries again. */
int container_save_name(Container *container, bool durable, Error *err);
/* The whole record, at create; synced unless the container is an --rm one. */
int container_save_new(Container *container, Error *err);
/* lock held: the record says that it is going, and its name is free. */
int container_save_removing(Container *container, Error *err);
/* The name that its row has from then on; the caller's. */
char *container_removed_name(const Container *container);
/* Whether what is written of it is synced: what --rm made needs no more than a killed daemon
 * leaves, as it does not outlive a power cut anyway. */
bool container_is_kept(const Container *container);
/* A row of the record as an object that is in no registry yet. */
int container_load(Engine *engine, const DbRecord *record, Container **ret, Error *err);
bool container_is_running(const Container *container); /* running or paused; lock held */
/* lock held. conflict "Container <id> is not running", and for a paused one where allow_paused is
 * false "Container <id> is paused, unpause the container before exec" is the caller's. */
int container_require_running(const Container *container, Error *err);

/* ---- changes.c ---- */
/* conflict "You cannot <doing> container <id> which is being removed". */
int container_check_exists(const Container *container, const char *doing, Error *err);
/* The container's own layer, in overlayfs's form. */
int container_open_upper(const Container *container, int *ret_fd, Error *err);
