/* stages.h: what the checks and the plan both know of a build as a whole: its platforms, the
 * arguments before the first FROM, and names that were meant. Knows no stage's instructions. */
#pragma once

#include "build/dockerfile.h"

/* PATH where neither the image nor ENV sets it. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The nearest of the names (or of NAME=value) at a distance below 3; NULL: none, or equal. The
 * caller's. */
char *name_nearest(const char *name, char *const *names);
/* " (did you mean NAME?)" of it, or "". The caller's. */
char *name_hint(const char *name, char *const *names);

/* "linux/amd64" of the machine that this runs on. The caller's. */
char *platform_machine(void);
/* "os/architecture[/variant]" under the names that images have: "x86_64" is "linux/amd64",
 * "linux/arm64/v8" is "linux/arm64", "linux/arm" is "linux/arm/v7". Errors are of the kind invalid.
 * The caller's. */
int platform_normal(const char *text, char **ret, Error *err);

/* Puts what FROM and ARG know without a definition: BUILDPLATFORM, BUILDOS, TARGETARCH …; stage
 * "": "default". What `given` (NAME=value, the build's arguments) sets of them wins. */
void platform_args_put(char ***env, const char *build, const char *target, const char *stage,
                       char *const *given);
/* Puts what ARG before the first FROM gives; given NULL: by their defaults alone. */
int global_args_put(const Dockerfile *file, char *const *given, char ***env, Error *err);
/* 'target stage "x" could not be found (did you mean y?)'. */
int target_error(const char *target, char *const *names, Error *err);
