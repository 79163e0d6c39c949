/* seccomp.h: what the files about seccomp profiles share. Inside engine only. */
#pragma once

#include <errno.h>

#include "engine/ocispec.h"
#include "format/digest.h"

/* seccomp-calls.c: names that every container may call; NULL-terminated. */
extern const char *const seccomp_always_allowed[];

/* seccomp-document.c: a profile document as `docker run --security-opt seccomp=FILE` sends it, for
 * a container with these capabilities. The caller frees *ret with json_free(&oci_seccomp_table). */
int seccomp_document_read(const char *text, char *const *capabilities, OciSeccomp **ret,
                          Error *err);
