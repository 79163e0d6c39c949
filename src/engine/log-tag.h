/* log-tag.h: the tag of a container's log, a template in which "{{.Name}}" and the like stand for
 * what a container is. A part of Go's language: fields alone. Knows no containers. */
#pragma once

#include "base/error.h"
#include "base/map.h"

/* The text with each "{{.Field}}" (blanks and trim marks as in Go: "{{- .Field -}}") replaced by
 * fields' value; the caller's. invalid: what is no field is named, with those that there are. */
int log_tag_expand(const char *text, const Pairs *fields, char **ret, Error *err);
