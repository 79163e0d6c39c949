/* build-options.h: what `brig build` is told, and what it opens for a build: shared by the command,
 * its check, its two requests and its progress. */
#pragma once

#include "cli/build-specs.h"
#include "cli/cli.h"
#include "spec/build.h"

typedef struct BuildOptions {
        char *file, *target, *format, *call, *progress, *iid_file, *metadata_file, *network,
                *builder;
        char **tags, **args, **secrets, **ssh, **contexts, **labels, **annotations, **platforms,
                **no_cache_filter, **outputs, **hosts, **cache_from, **cache_to;
        char **cache_names; /* build_caches_classic's */
        JsonArray ulimits;  /* of Ulimit */
        int64_t shm_size;
        bool no_cache, pull, quiet, load, check, debug, attest, ignored;
} BuildOptions;

/* ---- build-context.c: what is read and opened here ---- */

typedef enum BuildSourceKind {
        SOURCE_DIRECTORY,  /* dir_fd */
        SOURCE_URL,        /* the daemon fetches it */
        SOURCE_ARCHIVE,    /* a tar archive on standard input, of which `head` was read already */
        SOURCE_DOCKERFILE, /* standard input was a Dockerfile; there are no files */
} BuildSourceKind;

typedef struct BuildSource {
        BuildSourceKind kind;
        int dir_fd;
        const char *url; /* borrowed */
        Buf head;
        char *name;       /* the Dockerfile, as errors and the daemon call it */
        char *below;      /* its path below the context, or NULL: it is elsewhere */
        char *dockerfile; /* its text, or NULL: it is in what the daemon has */
        char *ignore;     /* the ignore file's text, or NULL: there is none */
        char *ignore_name;
        size_t dockerfile_length, ignore_length;
} BuildSource;
/* *ret is the caller's to build_source_done, on error too. */
int build_source_open(const BuildOptions *options, const char *context, BuildSource *ret,
                      Error *err);
void build_source_done(BuildSource *source);

/* Descriptors that go along with a request; a position in it is what the document names. */
typedef struct BuildFds {
        int *fds; /* owned */
        size_t count;
} BuildFds;
int64_t build_fds_add(BuildFds *fds, int fd); /* fd becomes theirs; returns its position */
void build_fds_done(BuildFds *fds);

/* Opens what --build-context, --secret and --ssh name. */
int build_contexts_add(char *const *specs, BuildDocument *document, BuildFds *fds, Error *err);
int build_secrets_add(char *const *specs, BuildDocument *document, Error *err);
int build_ssh_add(char *const *specs, BuildDocument *document, BuildFds *fds, Error *err);

/* build-cache.c: what --cache-from and --cache-to name. */
int build_caches_check(const BuildOptions *options, Error *err);
int build_caches_add(const BuildOptions *options, BuildDocument *document, BuildFds *fds,
                     Error *err);
/* The same as far as Docker's API has it: options->cache_names, and BuildKit's argument that asks
 * for a cache in the image. */
int build_caches_classic(BuildOptions *options, Error *err);

/* ---- build-output.c: where a build's output goes ---- */

/* A file appears whole or not at all. */
typedef struct BuildOutput {
        char *type, *path;
        char *temporary; /* what the file is called before it is called path; NULL: it is no new
                            one */
        bool named;      /* it is called so now */
        int fd;          /* -1: there is none but the image */
        bool image;      /* an image is recorded */
        char **names;    /* more tags */
} BuildOutput;
int build_output_open(const BuildOptions *options, BuildOutput *ret, Error *err);
/* It was written: the file gets its name. */
int build_output_finish(BuildOutput *output, Error *err);
void build_output_done(BuildOutput *output);
/* --iidfile and --metadata-file. image may be NULL: there is none. */
int build_files_clear(const BuildOptions *options, Error *err);
int build_files_write(const BuildOptions *options, char *const *tags, const char *image,
                      Error *err);

/* ---- the rest ---- */

/* check.c: --check. The exit code. */
int build_check(const BuildOptions *options, const BuildSource *source, Error *err);
/* build-classic.c: the build as any Docker daemon takes it: an archive, and its stream of messages.
 * *ret_image: the image's id, the caller's; NULL if it was not told. */
int build_classic(Cli *cli, BuildOptions *options, char *const *tags, BuildSource *source,
                  char **ret_image, Error *err);
/* build-tar.c: writes the directory as an archive without what is ignored; files of root, times as
 * they are. extra: files that stand in place of the directory's, name → text. */
int build_tar_write(int fd, int dir_fd, const char *ignore, size_t ignore_length,
                    const Pairs *extra, Error *err);
