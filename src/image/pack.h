/* pack.h: directories become tar streams: a layer in overlayfs's form, or a whole root. Knows no
 * store. Entries are those that Docker writes: sorted by path, PAX records only where ustar has no
 * room (long names, large ids, extended attributes), times in whole seconds, so that the same files
 * always give the same bytes; holes of a file are written as zeros for the same reason. image-spec
 * layer.md: whiteouts are ".wh.NAME", opaque directories ".wh..wh..opq"; they have no owner and no
 * time. */
#pragma once

#include "base/error.h"
#include "format/digest.h"

typedef struct PackOptions {
        bool overlay;  /* devices 0:0 and trusted.overlay.opaque are whiteouts; else plain files */
        int64_t epoch; /* times are at most this many seconds since 1970; -1: as they are */
        const char *base; /* only this path, clean and relative, with what is below it, under the
                             names that it has in the whole; NULL: all but the root itself */
        const char *name; /* what `base` itself is called in the archive; NULL: as it is */
        bool mounts;      /* other file systems are entered */
        bool no_devices; /* dir_fd is on a mount where none can be opened: files are opened by name,
                            as /proc is none of this program's */
        bool (*cancelled)(void *data); /* may be NULL; true ends it with -ECANCELED */
        void *data;
        int64_t *files; /* may be NULL; set to the bytes of the regular files, each once */
} PackOptions;

/* Writes everything below dir_fd to out_fd, which may be a pipe or socket; -1: only the digest is
 * wanted. Sockets are left out, as Docker does; nothing of another file system is entered. Files
 * that go meanwhile are left out, too; one that shrinks while it is read is an error. Extended
 * attributes are those that a layer may have (layer-form.h). ret_digest and ret_size (bytes of the
 * stream) may be NULL. */
int pack_directory(int dir_fd, int out_fd, const PackOptions *options,
                   char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err);

/* Several directories as one stream, each below a directory of its name ("" is the root). No file
 * of one is told as a link to a file of another. */
typedef struct PackPart {
        int dir_fd;
        char *name;
} PackPart;
int pack_parts(const PackPart *parts, size_t count, int out_fd, const PackOptions *options,
               Error *err);
