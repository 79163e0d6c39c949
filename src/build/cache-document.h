/* cache-document.h: a build cache as it travels: which keys gave which result, and which layer
 * holds it. Text to structs and back; what is read is from anybody. docs/build.md, "The cache
 * elsewhere". */
#pragma once

#include "base/error.h"
#include "format/digest.h"
#include "format/json.h"

#define MEDIA_BRIG_CACHE "application/vnd.brig.buildcache.v1+json"
#define CACHE_DOCUMENT_MAX ((size_t)4 << 20) /* bytes; what a registry takes as a manifest, too */

/* A layer: the one at its place in the list of the manifest that the document came with. */
typedef struct DocumentLayer {
        char *parent; /* chain id of what it lies upon, or NULL: nothing */
        char *diff;
        char chain[DIGEST_TEXT_MAX]; /* follows from both */
} DocumentLayer;

typedef struct DocumentRecord {
        char **keys;
        char *result;
        int64_t *layer;     /* its place in `layers`; NULL: no layer of it came along */
        int64_t created_at; /* ns since 1970 */
} DocumentRecord;

typedef struct CacheDocument {
        int64_t version;
        JsonArray layers;  /* of DocumentLayer */
        JsonArray records; /* of DocumentRecord */
        Map by_key; /* key → DocumentRecord, after cache_document_read; the first one wins */
} CacheDocument;

/* Reads and checks. diffs: of an image that has the document in its configuration, whose layers are
 * all there are; else NULL. layer_count: of the manifest. invalid. */
int cache_document_read(const char *text, size_t length, char *const *diffs, size_t layer_count,
                        CacheDocument *ret, Error *err);
/* Appended; NULL: nothing lies below. */
void cache_document_add_layer(CacheDocument *document, const char *parent, const char *diff);
/* keys are copied. layer: -1: none. */
void cache_document_add_record(CacheDocument *document, char *const *keys, const char *result,
                               int64_t layer, int64_t created_at);
json_object *cache_document_write(CacheDocument *document); /* the caller's reference */
void cache_document_done(CacheDocument *document);

const DocumentLayer *cache_document_layer(const CacheDocument *document, size_t index);
