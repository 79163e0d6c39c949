/* seccomp.h: compiles an OCI seccomp document with libseccomp, and keeps compiled programs: a
 * compilation takes 12 ms, a look-up a tenth of one. For callers that may link libseccomp; loading
 * a program needs none of this. */
#pragma once

#include "runtime/runtime.h"

/* document NULL: an empty program. cache_fd: a directory that only root may write; programs are
 * found there by their document, compared in full, and by libseccomp's version; -1: always compile.
 * compiler: a program whose main does as below; SIGCHLD must not be ignored. A document that takes
 * libseccomp more than two seconds of a processor, as a few rules of many conditions can, is
 * ERROR_INVALID. *ret is the caller's. Errors name the field. */
int seccomp_compile(const OciSeccomp *document, const char *compiler, int cache_fd,
                    SeccompProgram *ret, Error *err);
#define SECCOMP_SELF "/proc/self/exe" /* the compiler that the calling program is itself */
/* Of what seccomp_compile does, what takes no compiler: 1, found in the cache; 0, it is not there.
 */
int seccomp_recall(const OciSeccomp *document, int cache_fd, SeccompProgram *ret, Error *err);
/* The first thing of a compiler's main: whether it was started by seccomp_compile, and then what it
 * does: it confines itself, compiles, and returns the process's exit status. */
bool seccomp_compiler_is_meant(char *const *argv);
int seccomp_compiler_run(void);
/* The words that are understood, for `features`; the caller's. */
char **seccomp_action_list(void);
char **seccomp_operator_list(void);
char **seccomp_flag_list(void);
char **seccomp_arch_list(void);
void seccomp_program_done(SeccompProgram *program);
