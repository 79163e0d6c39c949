/* yaml.h: YAML documents as JSON, for files that users write. Knows no document of its own. */
#pragma once

#include <json-c/json_object.h>

#include "base/error.h"

/* What a file may be at most: a reader of untrusted text must not be made to grow. */
#define YAML_BYTES_MAX ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 32
#define YAML_DOCUMENTS_MAX 1024

/* Reads every document of text (a stream, parted by "---") into a new array, the caller's
 * reference; empty documents are left out. Scalars without quotes are what YAML 1.1 makes of them:
 * null, booleans ("yes" and "on" are some), whole and decimal numbers, else strings. Anchors,
 * aliases, tags, merge keys, keys that are no strings and keys that come twice are refused. Errors
 * are of the kind invalid and begin with "line N: ". */
int yaml_parse(const char *text, size_t length, json_object **ret, Error *err);
