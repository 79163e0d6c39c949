/* route.h: the table of routes and the matching of paths. Inside api only. */
#pragma once

#include "api/request.h"

typedef struct Route {
        HttpMethod method;
        const char *pattern; /* {id}: one segment; {name*}: any number of them */
        ApiHandler handler;
        const char *what; /* of a route that is not served yet: what its answer calls it */
} Route;

/* The route of method and path (without version), its captures (the caller's) in captures; NULL if
 * there is none. HEAD is answered by GET's routes unless it has its own. */
const Route *route_find(HttpMethod method, const char *path, char *captures[API_CAPTURES]);
/* For the fuzzer and tests: one pattern. */
bool route_match(const char *pattern, const char *path, char *captures[API_CAPTURES]);
/* Splits "/v1.41/containers/json": *path moves behind the version; *minor is -1 without one. False
 * if the version is not a number. */
bool route_version(const char **path, int *major, int *minor);
