/* git-answers.h: what git prints of a repository that nobody trusts: refs, submodules. Text to
 * structs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

#define GIT_OBJECT_MAX 65 /* 64 hexadecimal digits and a NUL */

typedef struct GitFound {
        char *name;                  /* "refs/tags/v1"; NULL: HEAD of a server that does not say */
        char object[GIT_OBJECT_MAX]; /* what it points at: a commit, or the object of a tag */
        char commit[GIT_OBJECT_MAX]; /* the commit, as far as the server says */
} GitFound;
void git_found_done(GitFound *found);
/* What `ls-remote --symref` printed, and the ref that is looked for as in git_source_parse (NULL:
 * HEAD): "refs/…", then a branch, then a tag; then, of at least seven digits, what one ref alone
 * points at. not_found. */
int git_refs_find(const char *listing, const char *ref, GitFound *ret, Error *err);

typedef struct GitModule {
        char *path, *url;            /* as .gitmodules has them */
        char commit[GIT_OBJECT_MAX]; /* "": the tree has nothing there */
} GitModule;
typedef struct GitModules {
        GitModule *items;
        size_t count;
} GitModules;
void git_modules_done(GitModules *modules);
/* config: `config -z --list` of .gitmodules; tree: `ls-tree -r -z`. Those that have a path, a URL
 * and a commit. invalid on more than 1000, and on a path that could lead anywhere else. */
int git_modules_read(const Buf *config, const Buf *tree, GitModules *ret, Error *err);
