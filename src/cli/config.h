/* config.h: the user's config.json, in Docker's form and place. What it says of registries is
 * credentials.h's. */
#pragma once

#include "cli/cli.h"

/* The document, borrowed; NULL if there is none. A broken one is warned of once. */
json_object *config_get(Cli *cli);
/* A string member, borrowed, or NULL. */
const char *config_string(Cli *cli, const char *name);
/* The proxies that `proxies` has for the daemon that cli is connected to, else for "default": adds
 * NAME=value to *list, names in capitals and not, of those that neither *list nor `given` (words of
 * NAME or NAME=value; may be NULL) has. */
void config_proxies(Cli *cli, char *const *given, char ***list);
/* --config, DOCKER_CONFIG or ~/.docker; the caller's. */
char *config_directory(const Cli *cli);
char *config_path(const Cli *cli); /* of config.json in it */

/* The document to be changed, borrowed; an error where there is one that cannot be read. */
int config_edit(Cli *cli, json_object **ret, Error *err);
/* Writes it with all its members, known or not; whole or not at all, for the user's eyes only. */
int config_write(Cli *cli, Error *err);
