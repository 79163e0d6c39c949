/* copy-path.h: the paths of `cp` inside a container, as Docker reads them. Knows no archive. */
#pragma once

#include <sys/stat.h>

#include "base/error.h"

/* What a path names. */
typedef struct CopyPlace {
        int parent_fd; /* the directory of the last name, its links followed; O_PATH */
        char *name;    /* in it, not followed if it is a link; "." where the path ends with a slash:
                          then the directory itself is meant */
        char *shown;   /* what it is called: the path's last name, "." behind "/.", "/" */
        struct stat st; /* of it */
        char *link;     /* of a link: where it leads in the end, as a path in the root, whether that
                           is there or not; else NULL */
} CopyPlace;
void copy_place_done(CopyPlace *place);

/* Resolves `path`, absolute or as if it were, inside root_fd. "..", "." and doubled slashes go
 * before any link is followed, as with Docker. -ENOENT: there is no such thing; invalid: the way to
 * it is none. */
int copy_place_find(int root_fd, const char *path, CopyPlace *ret, Error *err);
/* The path as it is looked for: absolute, without "..", "." and doubled slashes. The caller's. */
char *copy_path_clean(const char *path);
/* Where the links of `path` lead in the end: an absolute path, the caller's. What is not there is
 * taken for no link. */
char *copy_path_follow(int root_fd, const char *path);
