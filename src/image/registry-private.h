/* registry-private.h: a session with a registry, as registry.c and registry-auth.c share it. */
#pragma once

#include "image/endpoint.h"
#include "image/registry.h"

struct Registry {
        CURL *curl;
        char *name, *repository, *user_password, *identity_token;
        Endpoint *endpoints;
        size_t endpoint_count, current;
        char *refresh_token; /* where offline is set and the realm gave one */
        char **scopes;       /* NULL: what the challenge says, or pulling */
        int attempts;        /* at a download; 0: as usual */
        bool offline;        /* ask for a token that stands for the password */
};

/* The host that is asked now. */
static inline Endpoint *registry_host(const Registry *registry) {
        return &registry->endpoints[registry->current];
}
/* What of TLS is said for it. */
void registry_trust(const Registry *registry, HttpGet *get);
/* After its 401: gets what it asks for. */
int registry_authenticate(Registry *registry, const HttpGet *get, Error *err);
