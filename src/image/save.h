/* save.h: images on their way into an archive: shared by save.c and save-archive.c. Inside image
 * only. */
#pragma once

#include "image/index.h"

typedef struct SavedImage {
        Image image;
        char **names;                   /* full; those that were asked for */
        bool indexed;                   /* an index that is saved leads to it */
        char manifest[DIGEST_TEXT_MAX]; /* its digest */
        char *manifest_text;
        size_t manifest_length;
        const char *manifest_type;
        JsonArray layers; /* of Descriptor, base first */
} SavedImage;

typedef struct SavedIndex {
        StoredIndex stored;
        char **names; /* full; those that were asked for */
} SavedIndex;

typedef struct Saver {
        ImageStore *store;
        int fd;
        SavedImage *images;
        size_t count;
        SavedIndex *indexes;
        size_t index_count;
        char **written; /* digests */
} Saver;

int save_archive(Saver *saver, Error *err);
