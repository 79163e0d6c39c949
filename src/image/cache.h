/* cache.h: build caches as others keep them: a manifest with a document in its configuration's
 * place, or an image that has the document in its configuration; and layers. In a registry, or in a
 * directory that is an OCI layout. What the document says is the builder's. Nothing that comes from
 * there is believed but by its digest, and no path of it is used. */
#pragma once

#include "image/image.h"

typedef struct CachePlace {
        const char *reference; /* in a registry, with or without a tag; NULL: in dir_fd */
        const RegistryAuth *auth;
        const RegistryOptions *options;
        int dir_fd;               /* the layout's directory, which may be anybody's */
        const char *tag, *digest; /* in the layout; NULL: "latest" */
        int64_t uid, gid;         /* whose the files are that are written to it; -1: the daemon's */
        const char *platform;     /* whose image is meant where the reference is of several; NULL:
                                     this host's */
} CachePlace;

typedef struct CacheFound {
        ImageManifest manifest;
        char *config; /* the document, or an image's configuration: manifest.config.media_type */
        size_t length;
        bool of_index; /* the reference is of several platforms; on error, too */
} CacheFound;
/* The manifest and the document; no layer. not_found. */
int image_cache_fetch(ImageStore *store, const CachePlace *place, ImageProgressFn progress,
                      void *data, CacheFound *ret, Error *err);
void cache_found_done(CacheFound *found);

typedef struct CacheLayer {
        const char *chain, *parent, *diff; /* parent NULL: nothing lies below */
        const Descriptor *blob;            /* as the manifest has it */
        bool there;                        /* set by image_cache_bring */
} CacheLayer;
/* Brings layers into the store, several at once, and holds for `holder` those that are there then.
 * An error is the last one's that could not be had; the others are there nevertheless. */
int image_cache_bring(ImageStore *store, const CachePlace *place, CacheLayer *layers, size_t count,
                      const char *holder, ImageProgressFn progress, void *data, Error *err);

typedef struct CacheSend {
        const char *document, *media_type;
        /* blob NULL: the store's layer of that chain; else the repository has it already. */
        const CacheLayer *layers;
        size_t count;
} CacheSend;
/* Plain layers go compressed, as image_push has it. A registry's tag, or the layout's entry of that
 * tag, is replaced last. */
int image_cache_send(ImageStore *store, const CachePlace *place, const CacheSend *send,
                     ImageProgressFn progress, void *data, Error *err);
/* What a layer of the store lies upon ("" : nothing), and its diff id. not_found. */
int image_layer_ids(ImageStore *store, const char *chain, char ret_parent[], char ret_diff[],
                    Error *err);
