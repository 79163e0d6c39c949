/* unpack.h: applies a tar archive to a directory: a layer's in overlayfs's form, or as it is.
 * Trusts nothing in the archive; every name is resolved below the directory by openat2(2). Part of
 * brig-image. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "image/tarstream.h"

typedef struct UnpackLimits {
        int64_t entries, bytes; /* of one layer */
        int64_t stream;         /* bytes of its archive: headers and skipped entries count, too */
} UnpackLimits;
extern const UnpackLimits unpack_limits;

typedef void (*UnpackProgressFn)(void *data, int64_t consumed);

/* *ret_size: bytes of the regular files. progress may be NULL. Kind invalid: the archive is damaged
 * or hostile. */
int unpack_layer(TarStream *stream, int target_fd, const UnpackLimits *limits,
                 UnpackProgressFn progress, void *data, int64_t *ret_size, Error *err);

/* As they are: a name that would mark a deletion in a layer is a name like others, and devices are
 * refused unless `devices`. 1 when unpacked; 0, where `detect`, if the stream is no archive at all:
 * nothing was written then. The other members are copy's, job-copy.c. */
typedef struct UnpackTree {
        bool devices, detect, probe; /* probe: 1 without anything written, as soon as it is known */
        int64_t *ret_bytes;          /* may be NULL: of the regular files */
        bool into;   /* the directory is in use: it keeps its owner, mode and time, and mounts in
                        it are entered */
        bool inside; /* links lead to where they do for this process, whose root is a container's
                        (confine-root.c) */
        bool keep_types; /* no directory is replaced by something else, nor the other way round */
        bool own;        /* what is made is its maker's, whoever owns it in the archive */
        const int64_t *uid, *gid; /* or theirs; NULL: as the archive says */
        const char *shown;        /* what errors call the directory; may be NULL */
        const char *from, *to;    /* `from` and what is below it is called `to`; "" and "." are the
                                     whole; NULL: names stay */
} UnpackTree;
int unpack_tree(TarStream *stream, int target_fd, const UnpackLimits *limits,
                const UnpackTree *options, UnpackProgressFn progress, void *data, Error *err);
