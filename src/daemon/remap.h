/* remap.h: userns-remap: whose subordinate ids containers run with. dockerd's words and files:
 * subuid(5), subgid(5). */
#pragma once

#include "os/userns.h"

typedef struct Remap {
        IdRange *uids, *gids;
        size_t uid_count, gid_count;
} Remap;
void remap_done(Remap *remap);

/* "default" (the user dockremap, which is made where it is missing), USER, USER:GROUP, ids in place
 * of names. root is nobody to be remapped to: *ret stays empty. invalid, with the remedy. */
int remap_resolve(const char *text, Remap *ret, Error *err);

/* The ranges of a file's text that are the user's, by name or id, as one run of ids from 0 on.
 * file: for errors. invalid: a line that is none, ranges that overlap or hold the host's root;
 * not_found: none is his. *ret is the caller's. */
int subid_read(const char *file, const char *text, const char *name, int64_t id, IdRange **ret,
               size_t *ret_count, Error *err);

/* Whether this kernel can do it with the data root's file system. unsupported. */
int remap_check(const Remap *remap, const char *data_root, Error *err);
