/* manifest-store.h: manifest lists that are being put together, below manifests/ of the directory
 * of config.json, in the files of Docker's command, which can go on with them. */
#pragma once

#include "cli/cli.h"
#include "format/reference.h"

/* "x" → docker.io/library/x:latest; the caller's. *ret (may be NULL): its parts. */
int manifest_name(const char *text, char **ret_name, Reference *ret, Error *err);

/* One manifest of a list: {"Ref", "Descriptor", "Raw" (base64), "SchemaV2Manifest" or
 * "OCIManifest"}. not_found: "No such manifest: …". */
int manifest_load(const Cli *cli, const char *list, const char *name, json_object **ret,
                  Error *err);
int manifest_save(const Cli *cli, const char *list, const char *name, json_object *manifest,
                  Error *err);
/* All of a list, in the order of their files' names: an array. */
int manifest_load_all(const Cli *cli, const char *list, json_object **ret, Error *err);
bool manifest_list_exists(const Cli *cli, const char *list);
int manifest_drop(const Cli *cli, const char *list, Error *err);

/* What brigd answers ({"Ref", "Descriptor", "Raw"}) in the form of the store; the caller's. */
json_object *manifest_of_answer(json_object *answer);
/* A JSON text as Go's json.Indent writes it. */
void json_add_reindented(Buf *out, const char *text, const char *unit);
