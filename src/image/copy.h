/* copy.h: archives of what a container's root has, and into it: brigd's end of job-copy.c. Knows no
 * container: a root is mounts and a path in them. */
#pragma once

#include "base/cleanup.h"
#include "image/image.h"

/* A detached mount and where in the root it belongs. */
typedef struct CopyMount {
        int fd;
        char *destination;
} CopyMount;

/* All stays the caller's. */
typedef struct CopyRoot {
        bool live; /* fd is the pidfd of a process whose mounts are looked at; else a detached mount
                    */
        bool remapped; /* live: in a user namespace, whose ids are meant */
        int fd;
        const CopyMount *mounts; /* what a root that is not live has mounted, parents first */
        size_t mount_count;
        bool read_only;      /* but for its mounts */
        char *const *hidden; /* of a live one: mounts that are not looked at, "/proc" */
} CopyRoot;

/* What is at a path. */
typedef struct CopyStat {
        char *name, *link; /* its last name; where a link leads in the end, NULL for no link */
        int64_t size, mode, time; /* bytes; st_mode; ns since 1970 */
} CopyStat;
void copy_stat_done(CopyStat *stat);

typedef enum CopyAction {
        COPY_STAT,
        COPY_OUT,   /* an archive of what is at the path */
        COPY_IN,    /* an archive into the directory at the path */
        COPY_PLACES /* only makes the places of the mounts */
} CopyAction;

typedef struct CopyRequest {
        CopyAction action;
        const char *path;
        int input_fd;    /* COPY_IN: the archive, compressed or not; stays the caller's */
        bool keep_types; /* COPY_IN: no directory takes the place of a file, nor a file its */
        const int64_t *uid, *gid; /* COPY_IN: whose it is; NULL: as the archive says */
} CopyRequest;

typedef struct ImageCopy ImageCopy;

/* Starts the confined program. COPY_STAT, COPY_OUT: image_copy_found comes next. */
int image_copy_start(ImageStore *store, const CopyRoot *root, const CopyRequest *request,
                     ImageCopy **ret, Error *err);
/* How long an answer is waited for: the file system below a root may give none (FUSE, NFS). */
typedef struct CopyPatience {
        int cancel_fd;   /* ECANCELED once its peer has closed; -1: none */
        int64_t timeout; /* ns, then ETIMEDOUT; negative: without bound */
} CopyPatience;

/* What is there; copy_stat_done it. not_found (number ENOENT); invalid. */
int image_copy_found(ImageCopy *copy, const CopyPatience *patience, CopyStat *ret, Error *err);
/* COPY_OUT, then: the archive begins. The descriptor to read it from is the caller's; closing it
 * ends the copy. */
int image_copy_read(ImageCopy *copy, int *ret_fd, Error *err);
/* Waits for the end of a COPY_OUT that was read, a COPY_IN or a COPY_PLACES. */
int image_copy_finish(ImageCopy *copy, const CopyPatience *patience, Error *err);
/* A pidfd of the confined program, the copy's own: readable once it has ended, its mounts with it.
 * Killing it ends the copy. */
int image_copy_process(const ImageCopy *copy);
/* Ends it if it is not over: its mounts are gone when this returns. */
ImageCopy *image_copy_free(ImageCopy *copy);
DEFINE_CLEANUP(ImageCopy *, image_copy_free)
