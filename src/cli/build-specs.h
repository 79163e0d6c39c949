/* build-specs.h: what users write for a build's secrets, agents, outputs, contexts and annotations,
 * in buildx's grammar. Opens nothing. */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

/* --secret id=…[,src=…|,env=…]: both NULL means the variable of the id's name, else that file. */
typedef struct SecretSpec {
        char *id, *path, *env;
} SecretSpec;
int secret_spec_parse(const char *text, SecretSpec *ret, Error *err);
void secret_spec_done(SecretSpec *spec);

/* --ssh ID[=SOCKET]; path NULL: the agent of SSH_AUTH_SOCK. */
typedef struct SshSpec {
        char *id, *path;
} SshSpec;
int ssh_spec_parse(const char *text, SshSpec *ret, Error *err);
void ssh_spec_done(SshSpec *spec);

/* --output type=…,dest=…, or a path alone; dest "-" is standard output. */
typedef struct OutputSpec {
        char *type;   /* "local", "tar", "oci", "docker", "image" */
        char *dest;   /* NULL: "docker" and "image", which go to the engine */
        char **names; /* name=a,b of an image: more tags */
} OutputSpec;
int output_spec_parse(const char *text, OutputSpec *ret, Error *err);
void output_spec_done(OutputSpec *spec);

/* --build-context NAME=…; one of image, url, path is set. */
typedef struct ContextSpec {
        char *name, *image, *url, *path;
} ContextSpec;
int context_spec_parse(const char *text, ContextSpec *ret, Error *err);
void context_spec_done(ContextSpec *spec);

/* --annotation [manifest:]KEY=VALUE: put into pairs. */
int annotation_parse(const char *text, Pairs *pairs, Error *err);

/* 1: a repository of git, 0: none; invalid on one that makes no sense. */
int is_git_address(const char *text, Error *err);
bool is_web_address(const char *text); /* to download from */
