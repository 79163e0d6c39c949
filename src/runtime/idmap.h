/* idmap.h: maps of ids as a document has them, made a user namespace. Knows no container. */
#pragma once

#include "base/error.h"
#include "format/json.h"

/* A user namespace with the ranges of two arrays of OciIdMapping (runtime-spec config-linux.md,
 * "User namespace mappings"); *ret_fd is the caller's. Errors as userns_new. */
int idmap_userns(const JsonArray *uids, const JsonArray *gids, int *ret_fd, Error *err);
