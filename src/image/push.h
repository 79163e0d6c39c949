/* push.h: one image on its way to a registry: shared by push.c (documents, names) and push-layer.c.
 * Inside image only. */
#pragma once

#include "image/crew.h"
#include "image/origin.h"

typedef struct Push {
        Assembly assembly; /* its store, pins and progress */
        SessionOptions options;
        Reference reference; /* with the tag */
        Image image;
        Layer *layers; /* of the image, base first */
        size_t count;
        Document document; /* the image's manifest, where it is kept */
        char *manifest;    /* its bytes, where it goes up as it came; NULL: one is made */
        size_t manifest_length;
        char *manifest_type;
        Descriptor *descriptors; /* what the new manifest names, base first */
        char **scopes;
        const char *config_type; /* media type of what stands in a configuration's place; NULL: it
                                    is an image */
        const bool *there;       /* of a cache: these layers are in the repository; or NULL */
} Push;

void push_done(Push *push);
/* Sends the layers, the configuration and the manifest: what `load` has set, or its like. */
int push_upload(Push *push, Error *err);

/* Sends one request for a blob and waits; file_fd -1: only ask. id: whose progress is shown, NULL:
 * none. *ret: PUSH_EXISTS and the like; *ret_source: where it was mounted from. Both the caller's.
 */
int push_blob(Push *push, Session *session, const ImageMessage *request, int file_fd,
              const char *id, char **ret, char **ret_source, Error *err);
/* A Crew's work. position 0 is the topmost layer, as Docker counts. */
int push_layer(void *data, Session *session, size_t position, Error *err);
/* push->manifest, of push->descriptors. */
void push_make_manifest(Push *push);
/* Compresses a plain layer into temp, which is made; id: for the progress. */
int push_pack(Push *push, const Layer *layer, const char *id, BlobTemp *temp,
              char digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err);
/* The layer's name in messages. */
void push_layer_id(const Layer *layer, char id[13]);
#define GZIP_LAYER MEDIA_OCI_LAYER "+gzip"
/* A layer that has to be compressed. */
bool push_packs(const Push *push, const Layer *layer);
/* Docker's words for what a registry answered. */
int push_word_error(const Session *session, Error *err);
