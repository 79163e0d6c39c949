/* tree-target.h: the writing half of tree.h: where a copy goes by Docker's rules, and how bytes and
 * attributes get there. */
#pragma once

#include "build/tree-private.h"

/* ---- tree-target.c ---- */

typedef struct Target {
        int root_fd; /* borrowed */
        int dir_fd;  /* the directory that is copied into; -1 */
        char *dir;   /* its path without links */
        char *name;  /* what the one file is called there; NULL: as it is */
} Target;
void target_done(Target *target);

/* Directories that were made on the way; their times are set once all is in them. */
typedef struct MadeDirectories {
        char **paths;
        size_t count;
} MadeDirectories;
void made_directories_done(MadeDirectories *made);
/* It has its times already. */
void made_directories_drop(MadeDirectories *made, const char *path);
int made_directories_finish(const MadeDirectories *made, int root_fd, int64_t epoch, Error *err);

/* dest is, or becomes, a directory. */
int target_directory(Target *target, const CopyOptions *options, MadeDirectories *made, Error *err);
/* dest is the file, or a directory that a file of that name goes into. */
int target_file(Target *target, const CopyOptions *options, const char *name, MadeDirectories *made,
                Error *err);
/* Several things need a directory: dest ends with '/' or is one. */
int target_require_directory(int root_fd, const CopyOptions *options, Error *err);
int not_directory(const char *path, Error *err);
/* Removes what has the name, if it is no directory; path is for the error. */
int clear_target(int dir_fd, const char *name, const char *path, Error *err);

/* ---- tree-write.c ---- */

typedef struct Metadata {
        unsigned mode;
        uid_t uid;
        gid_t gid;
        struct timespec times[2];
} Metadata;

/* At most epoch seconds, unless that is -1. */
struct timespec clamped(struct timespec time, int64_t epoch);
int metadata_set(int fd, const Metadata *metadata, const Attributes *attributes, Error *err);
/* The same for what is not to be opened. A link has no mode. */
int metadata_set_at(int dir_fd, const char *name, bool link, const Metadata *metadata,
                    const Attributes *attributes, Error *err);
/* From the offsets on to the end, or `left` bytes; a clone has all of the file. *no_clone: FICLONE
 * need not be tried (again). */
int copy_bytes(int from_fd, int to_fd, uint64_t left, bool *no_clone, const TreeJob *job,
               Error *err);
