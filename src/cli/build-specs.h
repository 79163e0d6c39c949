/* build-specs.h: what users write for a build's secrets, agents, outputs, contexts and annotations,
 * in buildx's grammar. Opens nothing. */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "spec/build.h"

/* Fields of "key=value" with commas between; set is called with each, the key in lower case. */
typedef int (*SpecSetField)(void *spec, const char *key, const char *value, Error *err);
int spec_fields(void *spec, const char *text, SpecSetField set, Error *err);

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

/* --output type=…,dest=…, or a path alone; dest "-" is standard output. build-output-spec.c */
typedef struct OutputSpec {
        char *type;   /* "local", "tar", "oci", "docker", "image", "cacheonly"; of "registry" it is
                         "image" with push, of "docker" without dest "image" */
        char *dest;   /* NULL: it goes to the engine */
        bool layout;  /* tar=false of an archive: dest is a directory, and gets an OCI layout */
        char **names; /* name=a,b of an image: more tags */
        bool push;
        bool by_digest;    /* push-by-digest: what is pushed has no tag; names are repositories */
        bool canonical;    /* name-canonical: it has its names with the digest */
        char *compression; /* "gzip", "zstd", "uncompressed", or NULL */
        int64_t level;     /* see has_level */
        bool has_level, force_compression, docker_media_types;
        JsonArray annotations; /* of BuildAnnotation */
} OutputSpec;
int output_spec_parse(const char *text, OutputSpec *ret, Error *err);
void output_spec_done(OutputSpec *spec);

/* --cache-from, --cache-to: type=…,…, or an image's name alone. */
typedef struct CacheSpec {
        char *type;                      /* "registry", "local", "inline" */
        char *ref, *path, *tag, *digest; /* path: src of a cache that is read, dest of one that is
                                            written */
        bool max, ignore_error;
} CacheSpec;
int cache_spec_parse(const char *text, bool to, CacheSpec *ret, Error *err);
void cache_spec_done(CacheSpec *spec);

/* --build-context NAME=…; one of image, url, path, layout is set. */
typedef struct ContextSpec {
        char *name, *image, *url, *path;
        char *layout, *tag, *digest; /* oci-layout://: the directory, and what is meant of it; both
                                        NULL: nobody said */
} ContextSpec;
int context_spec_parse(const char *text, ContextSpec *ret, Error *err);
void context_spec_done(ContextSpec *spec);

/* --annotation [OF[PLATFORM],…:]KEY=VALUE, appended to a list of BuildAnnotation.
 * build-annotation.c */
int annotation_parse(const char *text, JsonArray *list, Error *err);
/* An output's annotation[-OF][[PLATFORM]].KEY: 1; 0: the attribute is another. */
int annotation_attribute(const char *name, const char *value, JsonArray *list, Error *err);

/* 1: a repository of git, 0: none; invalid on one that makes no sense. */
int is_git_address(const char *text, Error *err);
bool is_web_address(const char *text); /* to download from */
