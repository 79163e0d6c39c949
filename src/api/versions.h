/* versions.h: answers' documents as older versions of the API have them. Knows no engine. */
#pragma once

#include "base/str.h"
#include "format/json.h"

/* A member that came or went. path: names with '/' between, "*" for each element or member. Minor
 * versions; one of since and until is 0. */
typedef struct VersionRule {
        const char *path;
        int since;        /* older documents do not have it */
        int until;        /* newer ones do not; with put or copy: up to it, the member is that */
        const char *put;  /* JSON */
        const char *copy; /* what its neighbour of that name is */
} VersionRule;

/* What no row says. */
typedef void (*VersionChange)(json_object *document);

/* Rewrites the document where a rule applies, or with a change; else it stays as it is. */
int version_edit(const VersionRule *rules, size_t count, int version, VersionChange change,
                 Buf *json, Error *err);
/* Of a container's inspect, for clients before 1.45: its short id and host name among its aliases.
 */
void version_aliases(json_object *container);
