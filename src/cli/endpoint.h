/* endpoint.h: which daemon a command talks to: by flags, environment and context, as docker has it;
 * and how it is reached. */
#pragma once

#include "cli/cli.h"

typedef struct Endpoint {
        char *context; /* "default", or the one that the rest is of */
        char *host;    /* "unix:///…", "tcp://…", "ssh://…" */
        bool tls;
        bool verify;           /* the daemon's certificate must be of the authority and the host */
        char *ca, *cert, *key; /* files; NULL: none */
} Endpoint;

#define ENDPOINT_DEFAULT_HOST "unix:///run/brig/brig.sock"

/* The name of the context that counts: --context, then "default" where -H or DOCKER_HOST is there,
 * DOCKER_CONTEXT, config.json's currentContext, "default". Borrowed. */
const char *endpoint_context(Cli *cli);
/* *ret must be zeroed; endpoint_done it. */
int endpoint_find(Cli *cli, Endpoint *ret, Error *err);
void endpoint_done(Endpoint *endpoint);
/* Whether another program makes its connections, which has said itself what is wrong. */
bool endpoint_is_dialed(const Endpoint *endpoint);
/* A client of it, the caller's. The endpoint must outlive it. */
int endpoint_client(const Endpoint *endpoint, HttpClient **ret, Error *err);
