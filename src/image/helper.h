/* helper.h: starts brig-image for one job and ends it. Knows nothing of what the job does. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct Helper {
        pid_t pid;  /* 0: none */
        int socket; /* ours: message.h */
} Helper;

typedef struct HelperFd {
        int ours, theirs; /* theirs: the number that it has in the program; ours < 0: skipped */
} HelperFd;

/* The descriptors stay the caller's. */
int helper_start(const char *program, const char *job, const HelperFd *fds, size_t fd_count,
                 Helper *ret, Error *err);
/* Closes the socket, ends the program if it is not done, and reaps it. Idempotent. */
void helper_end(Helper *helper);
