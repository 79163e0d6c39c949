/* confine.h: what brig-image takes from itself before it looks at untrusted input. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/* The end of the two around it, once the root is what it shall be: `files` descriptors at most, the
 * capabilities that writing files needs, and the system calls of reading and writing them. */
int confine_to_files(rlim_t files, Error *err);
/* Those system calls only, and no new privileges: what a user's own program can take from itself.
 */
int confine_calls(Error *err);

/* ---- a container's root: confine-root.c ---- */
typedef struct ConfineMount {
        int fd;            /* a detached mount */
        char *destination; /* where it belongs, resolved inside the root; made if it is missing */
} ConfineMount;

typedef struct ConfineRoot {
        bool live; /* fd is a pidfd, whose mount namespace has the root; else a detached mount */
        bool remapped; /* live: the process is in a user namespace of its own, which is joined, so
                          that owners are those that it sees */
        int fd;        /* that becomes the root, and gets the mounts, in their order */
        const ConfineMount *mounts;
        size_t mount_count;
        bool read_only;      /* the root itself, once the places of the mounts are there */
        char *const *hidden; /* mounts of this root that are taken off: "/proc" */
} ConfineRoot;

/* The calling process, which has one thread, sees a private copy of a container's mounts and
 * nothing else from now on; no device of it can be opened. Follows no link of the container's out
 * of it. The descriptors of the mounts are closed. *ret_fd: the root, as "/" is; the caller's. What
 * is left is confine_to_files. */
int confine_to_root(const ConfineRoot *root, int *ret_fd, Error *err);
/* Resolves a path inside root_fd, as if that were "/": openat2(2) with RESOLVE_IN_ROOT and
 * RESOLVE_NO_MAGICLINKS, and O_CLOEXEC. A descriptor, or a negative errno. */
int root_open(int root_fd, const char *path, uint64_t flags);

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
