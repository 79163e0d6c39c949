/* idmap-spec.h: the option idmap of binds and volumes, in Podman's words: "idmap", or
 * "idmap=uids=1000-0-1#2000-1-10;gids=1000-0-1": ids on the disk, ids on the mount, how many. */
#pragma once

#include "engine/container.h"

typedef struct IdmapSpec {
        JsonArray uids, gids; /* of OciIdMapping; none: the container's own */
} IdmapSpec;

/* *ret must be zeroed; idmap_done it. invalid names the word. */
int idmap_parse(const char *text, IdmapSpec *ret, Error *err);
void idmap_done(IdmapSpec *spec);
#define _cleanup_idmap_ _cleanup_(idmap_done)

/* Maps the owners of a detached mount, outside of the container that it belongs to: nothing to do
 * for "idmap" alone. */
int idmap_apply(const char *text, int mount_fd, Error *err);
