/* apparmor.h: which AppArmor profiles the kernel has, and which one a process runs under. Knows no
 * profile's text. Kernel: Documentation/admin-guide/LSM/apparmor.rst. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define APPARMOR_UNCONFINED "unconfined"

/* Whether the kernel confines by AppArmor. */
bool apparmor_enabled(void);

/* Whether text, the kernel's list ("NAME (MODE)" a line), has the profile. */
bool apparmor_lists(const char *text, const char *profile);
/* Whether the kernel has it; an error where the list is not to be read (root's, in securityfs). */
int apparmor_has(const char *profile, bool *ret, Error *err);

/* The programs that the caller executes from now on run under the profile, which may be
 * "unconfined". proc_fd: procfs_open's, as a write to another file would say that it worked
 * (CVE-2019-19921). not_found: the kernel has no such profile. */
int apparmor_on_exec(int proc_fd, const char *profile, Error *err);

/* The profile of a process without its mode, "unconfined" where it has none; the caller's. */
int apparmor_of(pid_t pid, char **ret, Error *err);
