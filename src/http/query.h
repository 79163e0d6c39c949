/* query.h: the parameters behind a request's '?'. Knows their form, not their meaning. */
#pragma once

#include "base/error.h"
#include "base/map.h"

typedef struct HttpQuery {
        Pair *items; /* in the order that they came; names may repeat */
        size_t count;
} HttpQuery;

/* "a=1&b=x%20y". invalid on a malformed escape. */
int http_query_parse(const char *text, HttpQuery *ret, Error *err);
void http_query_done(HttpQuery *query);
const char *http_query_get(const HttpQuery *query, const char *name); /* the first, or NULL */
char **http_query_all(const HttpQuery *query, const char *name);      /* the caller's list */
/* Docker's rule: empty, 0, no, false and none are false, everything else is true; fallback where it
 * is absent. */
bool http_query_bool(const HttpQuery *query, const char *name, bool fallback);
/* *ret keeps its value where the parameter is absent or empty. invalid, naming it, unless it is a
 * whole number. */
int http_query_int(const HttpQuery *query, const char *name, int64_t *ret, Error *err);
