/* push.h: one image on its way to a registry: shared by push.c (documents, names) and push-layer.c.
 * Inside image only. */
#pragma once

#include "image/crew.h"
#include "image/form.h"
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
        ImageForm form;
        const Pairs *annotations; /* of a new manifest; NULL: the kept one's */
        ImagePushed *pushed;      /* or NULL */
        char **scopes;
} Push;

/* Sends one request for a blob and waits; file_fd -1: only ask. id: whose progress is shown, NULL:
 * none. *ret: PUSH_EXISTS and the like; *ret_source: where it was mounted from. Both the caller's.
 */
int push_blob(Push *push, Session *session, const ImageMessage *request, int file_fd,
              const char *id, char **ret, char **ret_source, Error *err);
/* A Crew's work. position 0 is the topmost layer, as Docker counts. */
int push_layer(void *data, Session *session, size_t position, Error *err);
/* The layer's name in messages. */
void push_layer_id(const Layer *layer, char id[13]);
/* What the layer goes up as; FORM_KEEP: as it came. */
Compression push_form(const Push *push, const Layer *layer);
/* Docker's words for what a registry answered. */
int push_word_error(const Session *session, Error *err);
