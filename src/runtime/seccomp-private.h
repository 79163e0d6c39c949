/* seccomp-private.h: the compiler of seccomp documents, for seccomp.c alone. */
#pragma once

#include "runtime/seccomp.h"

/* The kernel's value of an OCI action; errno_ret NULL: EPERM. Errors name the action. */
int seccomp_action_of(const char *name, const int64_t *errno_ret, uint32_t *ret, Error *err);
/* SECCOMP_FILTER_FLAG_*, or'd. */
int seccomp_flags_of(char *const *names, unsigned *ret, Error *err);
/* In this process, where there are documents that libseccomp never comes to an end with. standard:
 * the value of the document's default action. *ret is the caller's. */
int seccomp_compile_here(const OciSeccomp *document, uint32_t standard, SeccompProgram *ret,
                         Error *err);
