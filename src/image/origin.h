/* origin.h: what the store remembers of registries: which repository has which blob, and what a
 * plain layer is when compressed. Hints: a registry is asked again in any case. */
#pragma once

#include "format/reference.h"
#include "image/store.h"

/* The reference's repository has the blobs. */
int origins_record(ImageStore *store, const Reference *reference, char *const *blobs, Error *err);
/* Appends up to three other repositories of the reference's registry that have the blob, the latest
 * known first. */
int origins_of(ImageStore *store, const Reference *reference, const char *blob, char ***ret,
               Error *err);

/* 1 and the compressed form's digest and size, or 0: not known. */
int packed_find(ImageStore *store, const char *plain, char ret_digest[DIGEST_TEXT_MAX],
                int64_t *ret_size, Error *err);
int packed_record(ImageStore *store, const char *plain, const char *digest, int64_t size,
                  Error *err);

/* Forgets what is about layers that are gone. */
int origins_expire(ImageStore *store, Error *err);
