/* endpoint.h: where a registry is: the hosts to try for its name, in order, and how far each is
 * trusted and for what. Knows no HTTP. Part of brig-image. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What a host is asked for: containerd's capabilities. */
enum {
        HOST_PULL = 1 << 0,    /* content by digest */
        HOST_RESOLVE = 1 << 1, /* what a tag stands for, and which there are */
        HOST_PUSH = 1 << 2,
        HOST_ALL = HOST_PULL | HOST_RESOLVE | HOST_PUSH,
};

typedef struct Endpoint {
        char *url;            /* "https://registry-1.docker.io": scheme, host, port */
        char *path;           /* of the registry's API below it: "/v2" */
        bool insecure;        /* certificates are not checked */
        bool mirror;          /* what it lacks is asked of the next */
        bool trusted;         /* the user's credentials may go there: it is the registry itself */
        bool lists_namespace; /* requests say whose images are meant: "?ns=docker.io" */
        unsigned can;         /* HOST_… */
        char *authorities;    /* PEM, beside the system's; NULL: none */
        char *certificate, *key; /* files of a client's certificate, or NULL */
        char **headers;          /* "Name: value", more for each request */
        /* what registry.c found out */
        bool alive, failed;
        char *authorization; /* the header's value; for this host only */
} Endpoint;

typedef struct EndpointOptions {
        char *const *insecure;    /* host[:port] or CIDR; 127.0.0.0/8 and ::1 are implied */
        char *const *mirrors;     /* URLs for docker.io */
        char *const *directories; /* of hosts.toml and certificates, see hosts.h */
} EndpointOptions;

/* *ret: the caller's, free with endpoints_free. Errors name the file, and the line of it. */
int endpoints_of(const char *registry, const EndpointOptions *options, Endpoint **ret,
                 size_t *ret_count, Error *err);
Endpoint *endpoints_free(Endpoint *endpoints, size_t count);
bool registry_is_insecure(const char *registry, char *const *insecure);

/* The registry's own hosts, without mirrors and settings; appended. */
void endpoints_own(const char *registry, char *const *insecure, Endpoint **endpoints,
                   size_t *count);
/* "https://host:port/path/" → url and path without slashes at the end; all may be asked of it.
 * Borrowed, until the next one. */
Endpoint *endpoint_add(Endpoint **endpoints, size_t *count, const char *url);
