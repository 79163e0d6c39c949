/* credentials.h: who the user is to registries: config.json's auths, credsStore and credHelpers, in
 * Docker's form; credential helpers speak docker-credential-helpers' protocol. */
#pragma once

#include "cli/cli.h"

#define HUB_KEY "https://index.docker.io/v1/" /* Docker Hub's name in config.json */

typedef struct Credentials {
        char *username, *password, *identity_token, *registry_token;
} Credentials;
void credentials_done(Credentials *credentials);
bool credentials_empty(const Credentials *credentials);

/* host: "docker.io", "127.0.0.1:5000". Zeroed where nothing is known; a helper that fails is warned
 * of. */
void credentials_load(Cli *cli, const char *host, Credentials *ret);
/* Where the host's credentials go: the helper's name, borrowed, or NULL: config.json. */
const char *credentials_helper(Cli *cli, const char *host);
int credentials_store(Cli *cli, const char *host, const Credentials *credentials, Error *err);
int credentials_erase(Cli *cli, const char *host, Error *err);

/* The X-Registry-Auth header for the registry of that host: base64url JSON; "{}" where nothing is
 * known. The caller's. */
char *credentials_header(Cli *cli, const char *host);
/* The X-Registry-Config header: the same of every registry that config.json names, by its key
 * there. The caller's. */
char *credentials_all_header(Cli *cli);

/* ---- the parts: credentials-read.c ---- */
/* A helper's answer to get. False: it is none. */
bool credentials_from_helper(const char *text, size_t length, Credentials *ret);
/* The entry of config.json's auths for the server (HUB_KEY or host). */
void credentials_from_auths(json_object *auths, const char *server, Credentials *ret);
/* The entry that config.json's auths get; the caller's reference. */
json_object *credentials_entry(const Credentials *credentials);
/* Whether a key of auths, which may have a scheme and a path, means the server. */
bool credentials_same_server(const char *key, const char *server);
/* Base64, RFC 4648, of both alphabets; NULL: it is none, or not of a text. The caller's. */
char *credentials_decode(const char *text);
char *credentials_encode(const char *text, bool url);
