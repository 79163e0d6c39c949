/* registry.h: a session with a registry: distribution-spec 1.1 "pull", with token and basic
 * authentication. Part of brig-image; knows no store. */
#pragma once

#include "image/http-get.h"
#include "image/message.h"

typedef struct Registry Registry;

/* request's registry, repository, credentials, insecure, mirrors; its endpoint and authorization,
 * where another session found them out. Asks /v2/ which of the endpoints answers. */
int registry_open(const ImageMessage *request, Registry **ret, Error *err);
Registry *registry_free(Registry *registry);
DEFINE_CLEANUP(Registry *, registry_free)

const char *registry_endpoint(const Registry *registry); /* borrowed */
const char *
registry_authorization(const Registry *registry); /* borrowed; NULL: none was asked for */

/* GETs path ("manifests/latest") of the repository; get has the sink and offset, and receives the
 * answer. Authenticates, and asks the next endpoint where a mirror lacks it. An answer of 400 and
 * more is an error: *ret_code (may be "") is the registry's own code for it. */
int registry_get(Registry *registry, const char *path, char *const *accept, HttpGet *get,
                 char ret_code[64], Error *err);
