/* load.h: an image archive that is spread out below tmp/, and images taken from it: shared by
 * load.c and load-oci.c. Inside image only. */
#pragma once

#include "format/reference.h"
#include "image/index.h"

typedef struct StagedFile {
        int64_t number, size; /* number 0: a link */
        char digest[DIGEST_TEXT_MAX];
        char *link; /* the name, in the archive, that it stands for */
} StagedFile;

typedef struct Staging {
        ImageStore *store;
        char name[32]; /* below tmp/ */
        Map files;     /* name → StagedFile */
} Staging;

/* Reads an archive, whatever its form. */
typedef struct Loader {
        Staging *staging;
        ImageProgressFn progress;
        void *data;
        char ***loaded;
        const ImagePlatform *platform; /* of what is taken; NULL: all */
        bool *matched;                 /* there was something of it */
} Loader;

/* Whether the image of that configuration is one of those that are taken. */
int load_fits(const Loader *loader, const Buf *config, size_t layer_count, bool *ret, Error *err);

const StagedFile *load_find(const Staging *staging, const char *name); /* NULL: there is none */
int load_need(const Staging *staging, const char *name, const StagedFile **ret, Error *err);
int load_read(const Staging *staging, const char *name, Buf *buf, Error *err);
/* A layer, which is claimed, unpacked and recorded unless it is there. */
int load_layer(const Loader *loader, Assembly *assembly, size_t position, const StagedFile *file,
               Error *err);
/* A full name for the image; digests are no names here. */
int load_add_name(char ***names, const char *name, Error *err);
/* "Loaded image: …" for each name, or by its id where there is none. */
int load_say(const Loader *loader, const char *id, char *const *names, Error *err);

/* The archive is an OCI layout that has a named index below its index.json: manifest.json, if it
 * has one, too, says less. load-oci.c */
bool load_has_index(const Loader *loader);
int load_oci_archive(const Loader *loader, Error *err);
