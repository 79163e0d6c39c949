/* layout-write.h: what is written to a directory that is an OCI layout (layout.h): a file appears
 * whole or not at all, and the index is changed by one writer at a time. The directory is a
 * client's: links are not followed. Inside image only. */
#pragma once

#include "image/layout.h"

#define LAYOUT_IMAGE_NAME "io.containerd.image.name"

typedef struct LayoutWriter {
        Layout layout;
        int64_t uid, gid; /* whose new files are; -1: the daemon's */
        bool renew;       /* an index that makes no sense is begun anew */
        /* Told while the index is another writer's, and where it cannot be locked; negative ends
         * it. May be NULL. */
        int (*report)(void *data, const char *status, Error *err);
        void *data;
} LayoutWriter;

/* Opens a directory, which is made where it is not there; the descriptor, or a negative errno. */
int layout_make_below(const LayoutWriter *writer, int dir_fd, const char *name, Error *err);
int layout_make_blobs(const LayoutWriter *writer, Error *err);
/* from_fd, else text. */
int layout_write(const LayoutWriter *writer, int dir_fd, const char *name, const char *text,
                 int from_fd, Error *err);
/* Whole: one that is damaged is none. */
bool layout_has_blob(const LayoutWriter *writer, int blobs_fd, const char *digest, int64_t size);
/* Puts entries into the index, in the place of those of the same names, and writes what says that
 * it is a layout. settle, which may be NULL, is called first, under the index's lock. */
int layout_put_entries(const LayoutWriter *writer, const ImageIndex *entries,
                       int (*settle)(void *data, Error *err), void *data, Error *err);
