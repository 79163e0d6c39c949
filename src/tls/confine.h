/* confine.h: what the process of one client may do: read and write the sockets that it has. */
#pragma once

#include <seccomp.h>

#include "base/cleanup.h"
#include "base/error.h"

DEFINE_CLEANUP(scmp_filter_ctx, seccomp_release)

/* The filter, made once for all of them; the caller's. NULL in a sanitized build, whose library
 * makes calls of its own. */
int tls_filter_new(scmp_filter_ctx *ret, Error *err);
/* From here on, and for good, this process has those calls, 256 MiB of memory, 64 descriptors, no
 * process of its own, and leaves no core (seccomp(2), setrlimit(2)). It may gain no privileges
 * before (PR_SET_NO_NEW_PRIVS). */
int tls_confine_client(scmp_filter_ctx filter, Error *err);
