/* registry.h: a session with a registry: distribution-spec 1.1 "pull" and "push", with token and
 * basic authentication. Part of brig-image; knows no store. */
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
/* How often a download is tried; 0: as usual. */
int registry_attempts(const Registry *registry);
/* The endpoint with its path, by which another session is told of it; the caller's. */
char *registry_known(const Registry *registry);
const char *
registry_authorization(const Registry *registry); /* borrowed; NULL: none was asked for */

/* GETs path ("manifests/latest") of the repository; get has the sink and offset, and receives the
 * answer. Authenticates, and asks the next endpoint where a mirror lacks it. An answer of 400 and
 * more is an error: *ret_code (may be "") is the registry's own code for it. */
int registry_get(Registry *registry, const char *path, char *const *accept, HttpGet *get,
                 char ret_code[64], Error *err);

/* Any other request of the repository: path as above, or a whole URL, as an upload's Location is.
 * Authenticates, where the registry itself asks for it; a URL that leads to another server gets no
 * credentials. get->headers are sent beside those of the session. 0: there is an answer, whatever
 * its status. Never asks a mirror. */
int registry_send(Registry *registry, const char *path, HttpGet *get, Error *err);
/* The error that get's answer stands for. */
int registry_answer_error(const HttpGet *get, char ret_code[64], Error *err);
/* The answer's Location, resolved and checked: refused are those without TLS where the registry has
 * it. The caller's. */
int registry_location(const Registry *registry, const HttpGet *get, char **ret, Error *err);

/* Whether the registry takes the credentials: GET /v2/ with them. *ret_token, the caller's, is a
 * token that stands for the password, or NULL where the registry gives none. */
int registry_check(Registry *registry, char **ret_token, Error *err);
/* GET of a path below the registry's root ("v1/search?q=…"), an error where its status is one. */
int registry_get_root(Registry *registry, const char *path, HttpGet *get, char ret_code[64],
                      Error *err);
