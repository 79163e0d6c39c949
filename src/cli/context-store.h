/* context-store.h: contexts as docker keeps them below its folder, so that both see each other's:
 * contexts/meta/SHA256(name)/meta.json and contexts/tls/SHA256(name)/docker/{ca,cert,key}.pem. */
#pragma once

#include "cli/cli.h"

typedef struct Context {
        char *name, *description;
        char *host;
        bool skip_verify;
        char *ca, *cert, *key; /* files in the store; NULL: none */
        json_object *document; /* meta.json, with what brig does not know */
} Context;

void context_done(Context *context);
/* invalid unless it is [a-zA-Z0-9][a-zA-Z0-9_.+-]*. "default" is valid. */
int context_name_check(const char *name, Error *err);
bool context_exists(const Cli *cli, const char *name);
/* *ret must be zeroed. not_found in docker's words. */
int context_read(const Cli *cli, const char *name, Context *ret, Error *err);
/* Names in their order, without "default"; the caller's. */
char **context_names(const Cli *cli);
/* Makes it, or replaces it, from name, description, host and skip_verify; ca, cert and key are
 * copied into the store from where they are (NULL: there is none). */
int context_write(const Cli *cli, const Context *context, Error *err);
/* context.c: that of name, "default" too, which is made of flags and the environment. *ret must be
 * zeroed. */
int context_find(Cli *cli, const char *name, Context *ret, Error *err);
/* context.c: invalid, or conflict where there is one. */
int context_new_check(const Cli *cli, const char *name, Error *err);
/* meta.json of it; the caller's. */
json_object *context_document(const Context *context);
/* For what was checked: writes meta.json, but for its Name, which is changed to name. */
int context_write_document(const Cli *cli, const char *name, json_object *document, Error *err);
/* names: "ENDPOINT/FILE", both plain. */
int context_write_tls(const Cli *cli, const char *name, const char *names, const void *bytes,
                      size_t length, Error *err);
/* What docker calls its metadata and its endpoints; the caller's. */
json_object *context_metadata(const Context *context);
json_object *context_endpoints(const Context *context);
int context_remove(const Cli *cli, const char *name, Error *err);
/* The folders of its files; the caller's. */
char *context_meta_folder(const Cli *cli, const char *name);
char *context_tls_folder(const Cli *cli, const char *name);
