/* git.h: repositories of git, asked and fetched by a confined brig-image: brigd's end. Knows no
 * Dockerfile. docs/image.md, "git". */
#pragma once

#include "image/git-answers.h"
#include "image/image.h"

/* Who git is: a user of nobody's; 65520 to 65533 are unused by systemd's and Debian's rules. */
#define GIT_USER 65523

typedef struct GitRequest {
        const char *url;          /* GitRemote.url */
        char *const *headers;     /* "https://host/ Authorization: basic …": an origin with its
                                     slash, a space, a header for what lies below it */
        char *const *environment; /* http_proxy=…, or NULL */
        int agent_fd;             /* the ssh agent's socket, opened with O_PATH, which lets GIT_USER
                                     in; -1: none */
        ImageProgressFn progress; /* called several times a second; status may be NULL: nothing
                                     new; may be NULL */
        void *data;
} GitRequest;

/* Asks for what a ref points at; see git_refs_find. forbidden where the server wants to know who
 * asks; unavailable where git is not installed. */
int image_git_find(ImageStore *store, const GitRequest *request, const char *ref, GitFound *ret,
                   Error *err);

typedef struct GitWanted {
        const char *object; /* full: a commit, or a tag's object */
        const char *ref;    /* full, where it was named by one, or NULL */
        bool keep_git_dir;  /* the repository itself, too, shallow, as .git */
        bool no_submodules;
} GitWanted;
/* Fetches it into dir_fd, an empty directory of root's: the files are "fs" there, owned by 0:0,
 * with the times of their commit. What else lies in dir_fd after an error is the caller's to
 * remove. */
int image_git_checkout(ImageStore *store, const GitRequest *request, const GitWanted *wanted,
                       int dir_fd, Error *err);
