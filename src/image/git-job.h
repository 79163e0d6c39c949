/* git-job.h: inside the confined brig-image: a repository that is fetched, checked out, and what it
 * is made of. See job-git.c. */
#pragma once

#include "image/git-answers.h"
#include "image/git-run.h"
#include "image/message.h"

typedef struct GitJob {
        GitRunner runner;
        const ImageMessage *request; /* borrowed */
        char **environment;
        char *url;           /* that "origin" is; git_remote_set */
        size_t repositories; /* that were made below GIT_WORK, so far */
        int work_fd;         /* GIT_WORK */
} GitJob;

/* git-config.c: writes the only configuration that git reads: what it may do, the repository that
 * "origin" is, and the headers, whose values are nowhere else. */
int git_config_write(const char *url, char *const *headers, Error *err);
/* The text of it. invalid on a control character in a header. */
int git_config_text(const char *url, char *const *headers, Buf *ret, Error *err);
/* The configuration of a .git that is kept. */
void git_kept_config(const char *url, bool sha256, Buf *ret);

/* git-remote.c: makes a URL the "origin" of the commands that follow, with the request's headers
 * for it. */
int git_remote_set(GitJob *job, const char *url, Error *err);
/* git_run of what asks the origin. With a header for it redirections are followed within its
 * scheme, host and port alone, and then "origin" is where they lead; forbidden on any other. */
int git_remote_run(GitJob *job, char *const *arguments, char *const *extra, GitOutput *output,
                   Error *err);

/* git-checkout.c: fetches request->object (and request->ref) of request->path into GIT_WORK "/fs".
 * *ret: the commit. *ret_time: its committer's date, seconds since 1970. */
int git_checkout(GitJob *job, char commit[GIT_OBJECT_MAX], int64_t *ret_time, Error *err);

/* git-settle.c: makes root the owner of all that lies in a directory, and of itself, and sets its
 * times. */
int git_settle(int dir_fd, int64_t time, Error *err);
