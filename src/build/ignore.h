/* ignore.h: .dockerignore files and COPY --exclude: patterns of moby/patternmatcher (Go's
 * filepath.Match and "**"), the last that matches decides, '!' takes back. Knows no files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct IgnorePatterns IgnorePatterns;

/* The lines of an ignore file: comments, blank lines and a BOM are dropped, white space around a
 * pattern goes, a leading slash too, paths are cleaned. Errors name the line. */
int ignore_parse(const char *text, size_t length, IgnorePatterns **ret, Error *err);
/* A NULL-terminated list of patterns as moby/patternmatcher takes them: trimmed and cleaned, blank
 * ones dropped; a leading slash stays. */
int ignore_from_list(char *const *patterns, IgnorePatterns **ret, Error *err);
IgnorePatterns *ignore_free(IgnorePatterns *patterns);

/* path is relative, '/'-separated, clean. A directory that matches excludes what is in it unless a
 * later '!' pattern could match below: then *ret_descend (may be NULL) says that it must be walked.
 * NULL patterns exclude nothing. */
bool ignore_matches(const IgnorePatterns *patterns, const char *path, bool *ret_descend);
/* Whether any pattern begins with '!'. */
bool ignore_has_exceptions(const IgnorePatterns *patterns);
/* Whether one pattern alone ("*", "**" or a "*" behind "**" and a slash) excludes everything. */
bool ignore_covers_all(const IgnorePatterns *patterns);
/* One pattern against one path (COPY's wildcards): filepath.Match with "**". */
int ignore_match_one(const char *pattern, const char *path, bool *ret, Error *err);

/* The shortest equal path, as Go's filepath.Clean gives it: "a//b/../c/" is "a/c", "" is ".". The
 * caller's. */
char *ignore_clean_path(const char *path);
