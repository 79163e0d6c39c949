/* config.h: the user's config.json (Docker's form and place), and what a registry is told. */
#pragma once

#include "cli/cli.h"

/* The document, borrowed; NULL if there is none. A broken one is warned of once. */
json_object *config_get(Cli *cli);
/* A string member, borrowed, or NULL. */
const char *config_string(Cli *cli, const char *name);
/* --config, DOCKER_CONFIG or ~/.docker; the caller's. */
char *config_directory(const Cli *cli);

/* The X-Registry-Auth header for the registry of that host ("docker.io", "127.0.0.1:5000"):
 * base64url JSON; "{}" where nothing is known. The caller's. Credential helpers are asked by
 * running docker-credential-<name> get. */
char *config_registry_auth(Cli *cli, const char *host);
/* The X-Registry-Config header: the same of every registry that config.json names, by its key
 * there.
 */
char *config_registries(Cli *cli);
