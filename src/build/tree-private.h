/* tree-private.h: what the files behind tree.h share: names resolved below a root, a walk in order,
 * and an entry's attributes. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "build/tree.h"

#define PERMISSION_BITS 07777u
#define TREE_DEPTH_MAX 256 /* directories in each other; each holds a descriptor */

/* ---- tree-place.c: names ---- */

/* Opens a path below a root in which no component is a symbolic link (the last may be one with
 * O_PATH | O_NOFOLLOW); "" is the root. The descriptor, or a negative errno: ELOOP, EXDEV for a
 * path that would need a link or lead out. */
int tree_open(int root_fd, const char *path, int flags);
/* "directory/name", "name" for an empty directory. */
char *tree_path(const char *directory, const char *name);
/* The part after the last slash, borrowed; and all before it, the caller's. */
const char *tree_base_name(const char *path);
char *tree_parent(const char *path);
/* Refuses what a cancelled job must not go on with. */
int tree_check_cancelled(const TreeJob *job, Error *err);

/* How symbolic links are followed within a root, each step by descriptor. */
#define LINKS_MAX 40 /* as the kernel follows */

typedef struct Resolver {
        int root_fd;
        const IgnorePatterns *hidden; /* a link that it matches is not there; or NULL */
        bool make;                    /* missing directories are made 0755, owned by uid:gid */
        bool replace;                 /* with make: a link on the way gives way to a directory */
        int64_t uid, gid;             /* -1: 0 */
        char **made;                  /* paths of what was made, in order */
        Buf done;                     /* the path without links */
} Resolver;
void resolver_done(Resolver *resolver);
/* path may be absolute. 0 and resolver->done, or a negative errno. */
int resolver_run(Resolver *resolver, const char *path);

/* ---- tree-walk.c: entries in order ---- */

typedef struct WalkEntry {
        int dir_fd; /* where base is looked up; base "": it itself */
        const char *base;
        const char *path; /* below the tree's root */
        const char *name; /* below the destination; "": the directory whose content is copied */
        const struct stat *status;
        bool parent; /* with parents: a directory above what was selected */
        bool chosen; /* no directory, and selected itself: ADD unpacks such an archive */
        bool socket; /* it is one, and counts as an empty file, as BuildKit has it: so says status
                      */
} WalkEntry;

/* A directory comes before its entries (bytewise by name) and is left after them. One that ignore
 * patterns hide comes only if something below it does. */
typedef struct WalkVisitor {
        int (*enter)(void *data, const WalkEntry *entry, Error *err);
        int (*leave)(void *data, const WalkEntry *entry, Error *err);
        int (*other)(void *data, const WalkEntry *entry, Error *err);
} WalkVisitor;

typedef struct WalkFrame WalkFrame;
typedef struct Walk {
        const Tree *tree;
        const IgnorePatterns *excludes; /* relative to the destination */
        const TreeJob *job;             /* for cancelling, or NULL */
        const WalkVisitor *visitor;
        void *data;
        bool parents; /* names are paths, whose directories come too, once for items in order */
        /* its own: */
        int base_fd;
        char *base_path;
        Buf path, name;
        WalkFrame *frames;
        size_t frame_count;
        unsigned visited;
} Walk;

/* The walk's first members are set by the caller, the others zero, base_fd -1. */
int walk_item(Walk *walk, const Selected *item, Error *err);
/* Leaves the directories that parents kept entered. */
int walk_end(Walk *walk, Error *err);
void walk_done(Walk *walk);
/* All items of a selection. */
int walk_selection(Walk *walk, const Selection *selection, Error *err);

/* The names in a directory, sorted bytewise, without "." and "..". */
typedef struct DirectoryNames {
        Buf text;
        const char **items;
        size_t count;
} DirectoryNames;
int directory_names(int dir_fd, DirectoryNames *ret, Error *err);
void directory_names_done(DirectoryNames *names);

/* ---- tree-attributes.c ---- */

FileStamp stamp_of(const struct stat *status);
bool stamp_equal(const FileStamp *a, const FileStamp *b);
/* Whether it is one of those that grow; *status is then what it counts as. */
bool tree_grows(const Tree *tree, struct stat *status);
int changed_during(const char *path, Error *err);
/* The target of the link base in dir_fd; base "": dir_fd itself, opened with O_PATH. The caller's.
 */
int link_target(int dir_fd, const char *base, const char *path, char **ret, Error *err);

typedef struct Attribute {
        char *name;
        void *value;
        size_t size;
} Attribute;
typedef struct Attributes {
        Attribute *items; /* sorted by name */
        size_t count;
} Attributes;
/* The extended attributes that belong to the content of an image: user.* but for overlayfs's own,
 * and security.capability. dir_fd is readable; base "" or ".": dir_fd itself. */
int attributes_read(int dir_fd, const char *base, Attributes *ret, Error *err);
/* Of base in the directory fd; base NULL: of fd, which may be a file's. */
int attributes_write(int fd, const char *base, const Attributes *attributes, Error *err);
void attributes_done(Attributes *attributes);
