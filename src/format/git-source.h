/* git-source.h: what names a repository of git, a commit in it and a directory of that:
 * "https://host/repo.git#ref:dir", "git@host:repo?ref=v1", "ssh://…", "git://…". Text to structs:
 * asks no server. https://docs.docker.com/build/concepts/context/#git-repositories, and BuildKit's
 * rule of what is a repository and what a file to download. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* A repository. */
typedef struct GitRemote {
        char *url;    /* as git is given it: of http and https without user and password, without
                         query and fragment */
        char *user;   /* of http and https: "user:password", decoded; NULL: none */
        char *host;   /* "github.com", "127.0.0.1:8080" */
        char *origin; /* of http and https: "https://github.com/"; NULL: ssh or git */
        bool ssh;
} GitRemote;
void git_remote_done(GitRemote *remote);
/* Any URL of http, https, ssh and git, or user@host:path. invalid on everything else, on what git
 * or ssh could take for an option, and on control characters. */
int git_remote_parse(const char *text, GitRemote *ret, Error *err);
/* The URL of a submodule, which may be relative ("../other.git") to the repository's. The caller's.
 * gitsubmodules(7). */
char *git_remote_join(const char *base, const char *url);

typedef struct GitSource {
        GitRemote remote;
        char *ref;      /* branch, tag, "refs/…" or commit; NULL: the repository's own HEAD */
        char *subdir;   /* clean and relative; NULL: the root */
        char *checksum; /* the first digits of the commit or the tag's object, lower case; or NULL
                         */
        bool keep_git_dir, no_submodules;
        bool keep_given; /* the query says whether to keep */
} GitSource;
void git_source_done(GitSource *source);

#define GIT_SOURCE 1
/* GIT_SOURCE and *ret; 0: text names no repository: it may be a file to download or a path. A http
 * or https URL is one if its path ends with ".git". context: "github.com/…" is one, too. invalid on
 * a repository with a query or ref that makes no sense. */
int git_source_parse(const char *text, bool context, GitSource *ret, Error *err);
/* "https://host/repo.git#ref:dir": for people, without credentials. The caller's. */
char *git_source_text(const GitSource *source);

/* A full object name: 40 or 64 hexadecimal digits, lower case. */
bool git_is_commit(const char *text);
/* git-check-ref-format(1), for what may be short ("v1", "release/2"), and at most 1000 bytes. */
int git_ref_check(const char *ref, Error *err);
