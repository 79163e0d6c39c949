/* volumes.h: volumes as mounts.c uses them. Inside engine only; the API's calls are in engine.h. */
#pragma once

#include "engine/internal.h"

/* Takes volume `name` into use for a container, making it where it is missing (*ret_made). NULL: an
 * anonymous one gets a name. *ret_name is the caller's. durable: what is made survives a power cut.
 */
int volume_use(Engine *engine, const char *name, const char *container_id, const Pairs *labels,
               bool durable, char **ret_name, bool *ret_made, Error *err);
/* Ends the use; a missing volume or use is fine. */
void volume_unuse(Engine *engine, const char *name, const char *container_id);
/* The same and removes it if nobody else uses it. */
void volume_unuse_and_remove(Engine *engine, const char *name, const char *container_id);
/* At daemon start: a use that the record tells of. The volume need not exist. */
void volume_adopt_use(Engine *engine, const char *name, const char *container_id);
/* Its directory, made if missing: *ret_fd is the caller's. */
int volume_open(Engine *engine, const char *name, int *ret_fd, Error *err);
char *volume_mountpoint(const Engine *engine, const char *name); /* the caller's */
/* Fills an empty volume with what the container's image has at `path`. */
int volume_fill(Container *container, const char *name, const char *path, Error *err);

/* tree-copy.c: copies what is in directory from_fd into directory to_fd, with owners, modes, times
 * and extended attributes, and gives to_fd those of from_fd. Follows no link. */
int directory_copy(int from_fd, int to_fd, Error *err);
