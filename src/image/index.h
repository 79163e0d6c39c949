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
/* Sets *id (the caller's, freed and replaced) to the image of the index that fits best, and
 * *ret_fits; as it is where none does. */
int index_prefer(ImageStore *store, const char *digest, const ImagePlatform *platform, char **id,
                 bool *ret_fits, Error *err);
/* The image that is used where nobody asks for a platform: 1 and *ret, the caller's; 0: none is
 * here. */
int index_default(ImageStore *store, const char *digest, char **ret, Error *err);
/* The index that the image is of, one with a name first, the newest first; *ret is left alone where
 * there is none. */
int index_of_image(ImageStore *store, const char *id, char **ret, Error *err);
/* Images that share an index with it, appended to *ret. */
int index_others(ImageStore *store, const char *id, char ***ret, Error *err);

/* Within a transaction that has put the names' rows, with an image that they stand for if the
 * host's is not here: they mean the index from now on. */
int index_record(ImageStore *store, const char *digest, const Variant *variants, size_t count,
                 char *const *names, Error *err);
/* Puts the document and records it with its images and names in one transaction. The lock is not
 * held. index-make.c */
typedef struct IndexPut {
        const char *text;
        size_t length;
        const Variant *variants;
        size_t count;
        char *const *names; /* full; or NULL */
        const char *lease;  /* a holder, or NULL */
        bool *ret_new;      /* it was not there; may be NULL */
} IndexPut;
int index_store(PinSet *pins, const IndexPut *put, char digest[DIGEST_TEXT_MAX], Error *err);
/* The name, which is in `names`, means the index from now on. */
int index_put_name(ImageStore *store, const char *digest, const char *name, Error *err);
/* The name stands for another image of its index, as the one it stands for goes. *ret: there is
 * another. */
int index_move_name(ImageStore *store, const char *name, const char *id, bool *ret, Error *err);
/* An index that lost its last name (no name means it): its images are its no more. What its
 * manifests were goes to *blobs. The next collection sweeps it. */
int index_forget(ImageStore *store, const char *digest, char ***blobs, Error *err);
int index_any_unused(ImageStore *store, Error *err); /* 1: index_sweep has something to do */
/* Those that no name means and that have no image here, appended. */
int index_list_unused(ImageStore *store, char ***ret, Error *err);
/* Forgets these; what they were goes to *blobs. */
int index_sweep(ImageStore *store, char ***blobs, Error *err);
