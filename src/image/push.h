/* push.h: one image on its way to a registry: shared by push.c (documents, names) and push-layer.c.
 * Inside image only. */
#pragma once

#include "image/crew.h"
#include "image/form.h"
#include "image/origin.h"

typedef struct Push {
        Assembly assembly; /* its store, pins and progress */
        SessionOptions options;
        Reference reference; /* the repository; where it goes, with the tag; a manifest of an index
                                goes by its digest */
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
        char **scopes;
        const char *config_type; /* media type of what stands in a configuration's place; NULL: it
                                    is an image */
        const bool *there;       /* of a cache: these layers are in the repository; or NULL */
} Push;

/* What a push was asked for. */
typedef struct PushRequest {
        ImageStore *store;
        const Reference *reference;
        const char *platform; /* or NULL */
        const RegistryAuth *auth;
        const RegistryOptions *options;
        ImageProgressFn progress;
        void *data;
        ImageForm form;
        const ImageAnnotations *annotations; /* or NULL */
        const char *source;  /* an id, or an index's digest; NULL: what the name means */
        const char *adopt;   /* see ImagePush; or NULL */
        bool by_digest;      /* the source, without a tag */
        ImagePushed *pushed; /* or NULL */
} PushRequest;

/* A manifest that is at the registry. */
typedef struct Pushed {
        char digest[DIGEST_TEXT_MAX];
        int64_t size;
        char *media_type;
        char *text; /* its bytes, `size` of them; of an image */
} Pushed;
void pushed_done(Pushed *pushed);

/* What goes up. */
typedef struct PushSource {
        const char *id, *manifest; /* digests; manifest NULL: none is kept */
        bool came;                 /* the manifest is a registry's: plain layers stay so */
        size_t entry;              /* of an index: which */
} PushSource;

/* Pushes one image, with its manifest as it came where that can be; to the tag, or by digest where
 * tag is NULL. push.c */
int push_image(const PushRequest *request, const PushSource *source, const char *tag, Pushed *ret,
               Error *err);
/* What the name means, at that tag (NULL: by its digest): an index whole where every image of it is
 * here. push-index.c */
int push_tag(const PushRequest *request, const char *tag, Error *err);
/* PUTs a document at manifests/<place>. */
int push_manifest(ImageStore *store, Session *session, const char *place, const char *text,
                  size_t length, const char *media_type, Error *err);

void push_done(Push *push);
/* Sends layers, configuration and manifest of a push whose layers are loaded and pinned. */
int push_upload(Push *push, Pushed *ret, Error *err);
/* push->manifest, of push->descriptors. */
void push_make_manifest(Push *push);
/* The layer in the form that push_form says, into temp, which is made; id: for the progress. */
int push_pack(Push *push, const Layer *layer, const char *id, BlobTemp *temp,
              char digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err);
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
/* Whether it goes up in another form than it came in; push_pack makes that. */
bool push_packs(const Push *push, const Layer *layer);
/* Docker's words for what a registry answered. */
int push_word_error(const Session *session, Error *err);
