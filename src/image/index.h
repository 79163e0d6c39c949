/* index.h: multi-platform indexes as the store keeps them: the document whole, and which of its
 * images are here. A name that was pulled, built or loaded as an index means the index, and its row
 * in `names` the image that is used where nobody asks for a platform: this host's, if it is here.
 * Inside image only. */
#pragma once

#include "image/assembly.h"

/* One image of an index that is in the store. */
typedef struct Variant {
        char manifest[DIGEST_TEXT_MAX], image[DIGEST_TEXT_MAX];
        bool host; /* it is the one that this host would choose */
} Variant;

typedef struct StoredIndex {
        char digest[DIGEST_TEXT_MAX];
        char *text; /* the document as it came */
        size_t length;
        Document document;
        Variant *variants;
        size_t count;
} StoredIndex;
void stored_index_done(StoredIndex *index);

/* Of names: those that mean the image ?1, be it as one of an index. */
#define SQL_NAMES_OF_IMAGE                                                                         \
        "WHERE image=?1 OR name IN (SELECT name_indexes.name FROM name_indexes JOIN index_images " \
        "ON index_digest=digest WHERE index_images.image=?1) ORDER BY rowid"

/* The lock is held in all that follow. */

/* The index that the full name means: 1 and *ret, the caller's; 0: it means none. */
int index_of_name(ImageStore *store, const char *name, char **ret, Error *err);
int index_load(ImageStore *store, const char *digest, StoredIndex *ret, Error *err);
/* The best of those that are here; NULL: none runs on platform. */
const Variant *index_variant(const StoredIndex *index, const ImagePlatform *platform);
/* Every manifest of the document is here. */
bool index_is_whole(const StoredIndex *index);
/* Sets *id (the caller's, freed and replaced) to the image of the name's index that fits best; as
 * it is where the name means no index or none of it fits. */
int index_prefer(ImageStore *store, const char *name, const ImagePlatform *platform, char **id,
                 Error *err);
/* The other images of the name's index, appended to *ret. */
int index_others(ImageStore *store, const char *name, const char *id, char ***ret, Error *err);

/* Within a transaction that has put the names' rows, with an image that they stand for if the
 * host's is not here: they mean the index from now on. */
int index_record(ImageStore *store, const char *digest, const Variant *variants, size_t count,
                 char *const *names, Error *err);
/* Puts the document and records it with its images and names (full ones) in one transaction. The
 * lock is not held. index-make.c */
int index_store(PinSet *pins, const char *text, size_t length, const Variant *variants,
                size_t count, char *const *names, char digest[DIGEST_TEXT_MAX], Error *err);
/* target means the index that source does, if it does; both are in `names`. */
int index_copy_name(ImageStore *store, const char *source, const char *target, Error *err);
/* The name stands for another image of its index, as the one it stands for goes. *ret: there is
 * another. */
int index_move_name(ImageStore *store, const char *name, const char *id, bool *ret, Error *err);
int index_any_unused(ImageStore *store, Error *err); /* 1: index_sweep has something to do */
/* Forgets the indexes that no name means; what they and their manifests were goes to *blobs. */
int index_sweep(ImageStore *store, char ***blobs, Error *err);
