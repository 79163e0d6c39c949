/* cp-path.h: what the two paths of `cp` mean together: what is packed under which name, and in
 * which directory it is unpacked. Docker's rules, for which see docs/cli.md. Knows no container. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* "CONTAINER:PATH" or a local path, which begins with '/' or '.', or has no ':'. Both are the
 * caller's; *ret_container is NULL for a local path. */
void cp_argument_split(const char *argument, char **ret_container, char **ret_path);

/* The path without ".", ".." and doubled slashes, as far as that goes by the text. The caller's. */
char *cp_path_clean(const char *path);
/* The same of a path on this host, absolute, and with its ending ("/", "/."), which says something.
 * The caller's; NULL, and errno: there is no working directory. */
char *cp_path_absolute(const char *path);
/* Its directory and last name, which is "." behind "/.": both the caller's. */
void cp_path_split(const char *path, char **ret_directory, char **ret_name);
/* A link's target as a path, seen from the link's place. The caller's. */
char *cp_path_join_link(const char *link, const char *target);

/* One end of a copy. */
typedef struct CpEnd {
        char *path;
        bool exists, directory;
        char *name; /* source: what it is called in the copy, where that is not its own; or NULL */
} CpEnd;
void cp_end_done(CpEnd *end);

/* Follows the link that `path` is to `target`, which becomes the path, with the ending of the other
 * ("/", "/."); end->name is set where the last name changes. */
void cp_end_follow(CpEnd *end, const char *path, const char *target);

/* A source on this host. Follows links on the way to it, and the last one if `follow`. */
int cp_local_source(const char *path, bool follow, CpEnd *ret, Error *err);
/* A destination on this host, which need not exist, but its directory must. Links are followed. */
int cp_local_destination(const char *path, CpEnd *ret, Error *err);

/* Where the archive of source is unpacked: *ret_directory; and what its topmost entry is called
 * there: *ret_name, NULL where it keeps what it has, source->name or its own. Both are the
 * caller's. */
int cp_plan(const CpEnd *source, const CpEnd *destination, char **ret_directory, char **ret_name,
            Error *err);
