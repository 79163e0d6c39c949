/* files.h: what a command leaves in a file that the user names. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Whether a file appears under that name, or in the place of one. Not where there is a device or a
 * pipe, whose place a file must not take (/dev/null), or a link, which may lead to one
 * (/dev/stdout). */
bool output_file_is_new(const char *path);
/* What is written into otherwise: its descriptor, or -1 and errno. */
int output_file_open(const char *path);
/* That output_file_write can, as far as that can be known before: the directory is there, and it or
 * what is written into may be written to. */
int output_file_check(const char *path, Error *err);
/* Replaces a file, or makes it, or writes into what is there. */
int output_file_write(const char *path, const void *data, size_t length, mode_t mode, Error *err);
