/* confine.h: what brig-image takes from itself before it looks at untrusted input. */
#pragma once

#include <stddef.h>

#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"

/* For archives (directory_fd is of the new root after): a mount namespace whose root is
 * directory_fd, no network, no IPC, only the capabilities that writing a layer needs, bounded
 * memory, and only the system calls that it makes. */
int confine_to_directory(int directory_fd, Error *err);
/* Becomes that user and its group for good, without a capability, also for programs that are
 * started later; no_new_privs. For a process of one thread. */
int confine_to_user(uid_t user, Error *err);
/* No abstract socket of a process outside is reached, and none signalled, where the kernel knows
 * how: from Linux 6.12 on. */
int confine_scope(Error *err);
/* No more of each resource (RLIMIT_…, setrlimit(2)) than that, nor than before. Sanitizers reserve
 * address space, so their builds have no RLIMIT_AS. */
typedef struct ConfineLimit {
        int resource;
        rlim_t value;
} ConfineLimit;
int confine_limits(const ConfineLimit *limits, size_t count, Error *err);
/* For the registry, and for compressing a layer: no capability, read-only files, bounded memory. */
int confine_to_network(Error *err);

/* ---- git: confine-git.c ---- */
/* Where git finds what it is given. */
#define GIT_WORK "/work"
#define GIT_TEMPORARY "/tmp"
#define GIT_AGENT "/run/agent"

/* For git and ssh, whose programs are the host's, and which meet hostile servers and repositories:
 * the calling process, pid 1 of a pid namespace and alone in it, gets a root of its own in memory,
 * in which the host's programs, libraries, certificates and name service can be read, a directory
 * for temporary files, and GIT_WORK is directory_fd (-1: there is none), where nothing can be
 * executed and no device opened. It becomes GIT_USER, and has the network, no capability, no other
 * process, no Unix socket (with an agent: no abstract one of the host's, where the kernel knows
 * how), and none of the system calls that change mounts, namespaces, keys or the kernel. agent_fd:
 * the socket, opened with O_PATH, which becomes GIT_AGENT and must let GIT_USER in, or -1. */
int confine_for_git(int directory_fd, int agent_fd, Error *err);
