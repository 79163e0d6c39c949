/* pack-entry.h: one entry of an archive that is packed: a ustar header and, where that has no room
 * for something, PAX records before it. Knows no files. */
#pragma once

#include "base/str.h"
#include "image/pack-stream.h"

typedef struct PackEntry {
        const char *name, *link; /* a directory's name ends with '/'; link may be NULL */
        char type;               /* '0' file, '1' hard link, '2' symbolic link, '3' and '4'
                                    character and block device, '5' directory, '6' FIFO */
        unsigned mode, major, minor, uid, gid;
        int64_t size, mtime; /* size: of the data that follows */
        const Buf *xattrs;   /* pack_xattr's records, or NULL */
} PackEntry;

/* Appends the record of an extended attribute. Attributes are sorted by the caller. */
int pack_xattr(Buf *records, const char *name, const void *value, size_t length, Error *err);
int pack_entry(PackStream *stream, const PackEntry *entry, Error *err);
/* Fills the last block of an entry's data. */
int pack_padding(PackStream *stream, int64_t size, Error *err);
/* The archive's end. */
int pack_end(PackStream *stream, Error *err);
