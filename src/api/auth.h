/* auth.h: the registry credentials that clients send with a request. Inside api only. */
#pragma once

#include "api/request.h"

/* X-Registry-Auth: base64url of a JSON document. One that cannot be read counts as none, as Docker
 * has it: *ret stays zeroed. */
void api_registry_auth(const ApiRequest *request, RegistryAuth *ret);
void api_registry_auth_done(RegistryAuth *auth);
/* X-Registry-Config: base64url of a JSON object, registry → credentials. hosts and auths go by
 * position, "docker.io" stands for the Hub; both are the caller's. What cannot be read counts as
 * none. */
void api_registry_auths(const ApiRequest *request, RegistryAuth **auths, char ***hosts);
/* A registry that refuses the credentials is no 401 of ours, in Docker neither: its clients would
 * ask for a password, even where there is nobody to answer. */
void api_registry_refused(Error *err);
