/* layout.h: a directory that is an OCI image layout (image-spec, image-layout.md), read: its index,
 * documents, layers. The directory is a client's and what lies in it may be anybody's: files are
 * opened by names that are made here of checked digests, links are not followed, and what is read
 * is summed before it is used. Inside image only. */
#pragma once

#include "image/assembly.h"

#define LAYOUT_REF_NAME "org.opencontainers.image.ref.name"

typedef struct Layout {
        int dir_fd;
        const char *what; /* for errors: "the cache's directory" */
} Layout;

/* Each a descriptor, or a negative errno. */
int layout_open_below(const Layout *layout, int dir_fd, const char *name, Error *err);
int layout_open_blobs(const Layout *layout, Error *err);
/* A regular file, and nothing but. */
int layout_open_regular(const Layout *layout, int dir_fd, const char *name, int *ret_fd,
                        Error *err);

int layout_read_index(const Layout *layout, ImageIndex *ret, Error *err);
void image_index_done(ImageIndex *index);
/* The blob of that digest, which is checked; at most DOCUMENT_MAX bytes. */
int layout_read_document(const Layout *layout, const char *digest, Buf *text, Error *err);

/* The entry of a tag, as buildx finds it: by either annotation (OCI's, containerd's), as it is or
 * as the tag of a whole name; the first of them. Where there is no such tag, the index's one entry,
 * if it has but one: *ret_other. NULL: neither. Borrowed. */
const Descriptor *layout_find_tag(const ImageIndex *index, const char *tag, bool *ret_other);
/* The tags that it has, with commas between; what is no tag is left out. The caller's. */
char *layout_list_tags(const ImageIndex *index);

typedef struct LayoutCopy {
        int from_fd, to_fd; /* to_fd -1: nowhere, it is summed alone */
        int64_t limit;      /* bytes that there may be */
        Assembly *assembly; /* that is told how far it is, and may end it; or NULL */
        const char *id;     /* for that: what is copied, short */
} LayoutCopy;
int layout_copy(const Layout *layout, const LayoutCopy *copy, char ret_digest[DIGEST_TEXT_MAX],
                Error *err);

/* Brings a layer, its blob and blob_size set, into the store, unless it is there. Its pins are the
 * assembly's. */
int layout_bring(const Layout *layout, Assembly *assembly, Layer *layer, Error *err);
