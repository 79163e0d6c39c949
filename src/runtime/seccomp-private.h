/* seccomp-private.h: the compiler of seccomp documents, for seccomp.c and its process. */
#pragma once

#include "runtime/seccomp.h"

/* SECCOMP_FILTER_FLAG_*, or'd. */
int seccomp_flags_of(char *const *names, unsigned *ret, Error *err);
/* Bytes of whole instructions, no fewer than one and no more than the kernel takes. */
bool seccomp_program_fits(size_t length);
/* In this process, where there are documents that libseccomp never comes to an end with. *ret is
 * the caller's. */
int seccomp_compile_here(const OciSeccomp *document, SeccompProgram *ret, Error *err);
/* In a process of its own, of that program; see seccomp.h. */
int seccomp_compile_apart(const OciSeccomp *document, const char *compiler, SeccompProgram *ret,
                          Error *err);
