/* files.h: what a command leaves in a file that the user names. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* Replaces a file, or makes it; writes into what is none: a device or a pipe, which a file must not
 * take the place of (/dev/null). */
int output_file_write(const char *path, const void *data, size_t length, mode_t mode, Error *err);
