/* origin.h: what the store remembers of registries: which repository has which blob, and what a
 * layer is in another compression. Hints: a registry is asked again in any case. */
#pragma once

#include "format/reference.h"
#include "image/store.h"

/* The reference's repository has the blobs. */
int origins_record(ImageStore *store, const Reference *reference, char *const *blobs, Error *err);
/* Appends up to three other repositories of the reference's registry that have the blob, the latest
 * known first. */
int origins_of(ImageStore *store, const Reference *reference, const char *blob, char ***ret,
               Error *err);

/* 1 and digest and size of the blob in the form of that key (form.h), or 0: not known. */
int packed_find(ImageStore *store, const char *blob, const char *form,
                char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err);
int packed_record(ImageStore *store, const char *blob, const char *form, const char *digest,
                  int64_t size, Error *err);

/* Forgets what is about layers that are gone. */
int origins_expire(ImageStore *store, Error *err);
