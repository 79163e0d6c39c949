/* ignore.h: .dockerignore files and COPY --exclude: patterns of moby/patternmatcher (Go's
 * filepath.Match and "**"), the last that matches decides, '!' takes back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct IgnorePatterns IgnorePatterns;

/* The lines of an ignore file: comments, blank lines and a BOM are dropped, white space around a
 * pattern goes, a leading slash too, paths are cleaned. Errors name the line. */
int ignore_parse(const char *text, size_t length, IgnorePatterns **ret, Error *err);
int ignore_from_list(char *const *patterns, IgnorePatterns **ret, Error *err);
IgnorePatterns *ignore_free(IgnorePatterns *patterns);

/* path is relative, '/'-separated, clean. A directory that matches excludes what is in it unless a
 * later '!' pattern could match below: then *ret_descend (may be NULL) says that it must be walked.
 */
bool ignore_matches(const IgnorePatterns *patterns, const char *path, bool *ret_descend);
/* One pattern against one path (COPY's wildcards): filepath.Match with "**". */
int ignore_match_one(const char *pattern, const char *path, bool *ret, Error *err);
