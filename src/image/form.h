/* form.h: the form in which an image leaves the store: what is done to each layer, and the manifest
 * that names what came of it. image-spec manifest.md, and Docker's image manifest version 2, schema
 * 2. Knows no registry and no archive. */
#pragma once

#include "format/compress.h"
#include "image/store.h"

#define FORM_TEXT_MAX 64

/* What a layer of that media type (OCI's) becomes; COMPRESSION_XZ stands for: it stays as it is.
 * registry: plain layers do not go there unless asked for. */
#define FORM_KEEP COMPRESSION_XZ
Compression form_of_layer(const ImageForm *form, const char *media_type, bool registry);
/* OCI's media type of a layer of that compression, and what its compressed form is remembered by:
 * "gzip", "zstd:19". */
const char *form_media_type(Compression compression);
void form_key(const ImageForm *form, Compression compression, char ret[FORM_TEXT_MAX]);

/* As text in the database, and back; a text that cannot be read is the zeroed form. */
void form_text(const ImageForm *form, char ret[FORM_TEXT_MAX]);
ImageForm form_read(const char *text);
bool form_is_default(const ImageForm *form);
/* That an image was made to have; the lock is held. */
int form_of_image(ImageStore *store, const char *id, ImageForm *ret, Error *err);

/* A manifest of an image's configuration and layers; media types of layers are OCI's, and become
 * Docker's where the form is and can be. */
typedef struct FormManifest {
        const char *id;
        int64_t config_size;
        const char *config_type; /* media type of what stands in a configuration's place, or NULL */
        const Descriptor *layers;
        size_t count;
        const Pairs *annotations; /* may be NULL */
        bool docker;
} FormManifest;
char *form_manifest(const FormManifest *manifest, const char **ret_type);
/* Of the i-th; NULL: there are none, borrowed. */
const ManifestAnnotations *annotations_of(const ImageAnnotations *annotations, size_t i);
/* Puts what is asked for in the place of an index's own and of its entries'; NULL: nothing. */
void form_annotate_index(ImageIndex *index, const ImageAnnotations *annotations);
/* The text of an index whose descriptors were changed; the caller's. One of nothing but Docker's
 * manifests is Docker's list, unless it has annotations. */
char *form_index(ImageIndex *index);

/* ---- repack.c: a layer in another compression ---- */
typedef struct Repack {
        const Layer *layer;
        Compression to;
        const ImageForm *form;
        int (*report)(void *data, int64_t current, int64_t total, Error *err); /* may be NULL */
        void *data;
} Repack;
/* Writes it into *temp, which blob_temp_done ends, and remembers digest and size. */
int layer_repack(ImageStore *store, const Repack *repack, BlobTemp *temp,
                 char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err);
