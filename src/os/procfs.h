/* procfs.h: writes to procfs through a descriptor of its root that was checked to be procfs, so
 * that no mount over a part of it can redirect them (CVE-2019-19921, CVE-2025-52881). */
#pragma once

#include "base/error.h"

int procfs_open(int *ret_fd, Error *err); /* /proc as it is where the caller runs; the caller's */
/* A procfs that is mounted nowhere, or where none can be made, /proc. What a procfs was asked for
 * in each network namespace it keeps in one chain, and walks through it at each question: after so
 * many callers there is a new one. Any thread; the caller's. */
int procfs_open_young(int *ret_fd, Error *err);
/* path below the root, no links, no other mount on the way, as "sys/net/ipv4/ip_forward" or
 * "self/attr/exec". */
int procfs_write(int proc_fd, const char *path, const char *text, Error *err);
int procfs_read(int proc_fd, const char *path, char **ret, Error *err);
/* Opens anew, with flags of open(2), what fd has open (O_PATH): the caller's, close-on-exec. */
int procfs_reopen(int proc_fd, int fd, int flags, int *ret_fd, Error *err);

/* A mount point as /proc/self/mountinfo has it: "\040" and the like become their bytes, in place
 * (proc_pid_mountinfo(5)). */
void mountinfo_unescape(char *text);
