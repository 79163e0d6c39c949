/* context-archive.h: reads docker's archive of a context, a tar or a zip in memory: its meta.json
 * and tls/ENDPOINT/FILE. Knows no store. Archives come from anywhere: what is not of that form is
 * refused. */
#pragma once

#include "base/error.h"

#define CONTEXT_ARCHIVE_MAX                                                                        \
        ((size_t)10 << 20) /* bytes, of it and of each file in it, as docker's */

/* One file; path is "meta.json" or "tls/ENDPOINT/FILE", whose two names are plain ones. bytes are
 * borrowed. Negative ends the reading. */
typedef int (*ContextFileFn)(void *data, const char *path, const void *bytes, size_t length,
                             Error *err);

/* Calls file for each in its order. invalid where it is no such archive. */
int context_archive_read(const void *bytes, size_t length, ContextFileFn file, void *data,
                         Error *err);
