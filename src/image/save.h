/* save.h: images on their way into an archive: shared by save*.c. Inside image
 * only. */
#pragma once

#include "image/form.h"
#include "image/index.h"

typedef struct SavedImage {
        Image image;
        char **names;                   /* full; those that were asked for */
        bool chosen;                    /* it is what something that was asked for stands for */
        bool indexed;                   /* an index that is saved leads to it */
        char manifest[DIGEST_TEXT_MAX]; /* its digest */
        char *manifest_text;
        size_t manifest_length;
        const char *manifest_type;
        JsonArray layers; /* of Descriptor, base first */
        Layer *kept;      /* the same as the store has them */
        Pairs annotations;
        const ManifestAnnotations *asked; /* or NULL: it goes with its own */
        ImageForm form;
} SavedImage;

/* A layer in another form, until it is written. */
typedef struct Repacked {
        char digest[DIGEST_TEXT_MAX];
        int64_t size;
        BlobTemp temp;
} Repacked;

typedef struct SavedIndex {
        StoredIndex stored;
        char **names; /* full; those that were asked for */
} SavedIndex;

typedef struct Saver {
        ImageStore *store;
        const ImageSave *save;
        int fd;
        SavedImage *images;
        size_t count;
        SavedIndex *indexes;
        size_t index_count;
        Repacked *repacked;
        size_t repacked_count;
        char **written; /* digests */
        void *out;      /* the sink's */
} Saver;

/* Where blobs go. */
typedef struct SaveSink {
        bool (*has)(Saver *saver, const char *digest, int64_t size); /* that layer; may be NULL */
        int (*text)(Saver *saver, const char *digest, const char *text, int64_t time, Error *err);
        int (*file)(Saver *saver, const char *digest, int fd, int64_t size, int64_t time,
                    Error *err);
} SaveSink;
/* Each once; time: s since 1970. save-content.c */
int save_blobs(Saver *saver, const SaveSink *sink, Error *err);
/* An index of what was asked for; json_done it. */
void save_list(const Saver *saver, ImageIndex *ret);

int save_archive(Saver *saver, Error *err);
int save_layout(Saver *saver, const ImageLayoutPlace *place, Error *err);
/* Those of an image's layers that shall have another form, and the manifest that names them.
 * save-form.c */
int save_repack(Saver *saver, SavedImage *saved, Error *err);
const Repacked *save_repacked_of(const Saver *saver, const char *digest); /* or NULL */
/* Once all images are in their form: indexes name the manifests that go. save-index.c */
void save_make_indexes(Saver *saver);
SavedImage *save_image_of(const Saver *saver, const char *id); /* or NULL */
/* An image's manifest, made anew. save.c */
void save_make_manifest(SavedImage *saved);
