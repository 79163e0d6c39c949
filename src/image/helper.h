/* helper.h: starts brig-image for one job and ends it. Knows nothing of what the job does. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/program.h"
#include "image/message.h"

typedef struct Helper {
        pid_t pid;       /* 0: none */
        int socket;      /* ours: message.h */
        const char *job; /* its name, for errors */
} Helper;

/* The descriptors stay the caller's, and are at most HELPER_FDS_MAX; job lasts; the program writes
 * its standard error where brigd does. */
#define HELPER_FDS_MAX 4
int helper_start(const char *program, const char *job, const SpawnFd *fds, size_t fd_count,
                 Helper *ret, Error *err);
/* The same, with the job's first message. */
int helper_ask(const char *program, const char *job, const SpawnFd *fds, size_t fd_count,
               const ImageMessage *request, Helper *ret, Error *err);
/* The next report, which the caller frees: 1 "done", 0 "progress" or "entry". An "error" is one
 * here, and so are anything else and an end without an answer. */
int helper_report(const Helper *helper, ImageMessage *ret, Error *err);
/* Closes the socket, ends the program if it is not done, and reaps it. Idempotent. */
void helper_end(Helper *helper);
