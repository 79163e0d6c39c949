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
                **no_cache_filter, **outputs, **hosts, **allow, **cache_from, **cache_to;
        char **cache_names; /* build_caches_classic's */
        char **named_args;  /* as --build-arg has them; args have what they are by then */
        JsonArray ulimits;  /* of Ulimit */
        int64_t shm_size, memory, memory_swap, cpu_shares, cpu_period, cpu_quota;
        char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
        bool no_cache, pull, quiet, load, push, check, debug, attest, ignored,
                ignore_status; /* of a check: findings do not fail it */
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

/* Opens what --secret and --ssh name. */
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
        OutputSpec spec;
        char *temporary; /* what the file is called before it is called spec.dest; NULL: it is no
                            new one */
        bool named;      /* it is called so now */
        int fd;          /* -1: it goes to the engine */
} BuildOutput;

typedef struct BuildOutputs {
        BuildOutput *list;
        size_t count;
} BuildOutputs;
/* Opens a directory, or makes it, that the daemon shall write to on behalf of a user who must be
 * one who could do it himself. what: for errors. */
int build_directory_open(const char *path, const char *what, int *ret_fd, Error *err);
/* Those of --output, --load and --push; an image where nothing is said. */
int build_outputs_open(const BuildOptions *options, BuildOutputs *ret, Error *err);
/* tags: of the build; what is pushed by digest goes to those repositories where it has no names. */
int build_outputs_add(const BuildOutputs *outputs, char *const *tags, BuildDocument *document,
                      BuildFds *fds, Error *err);
bool build_outputs_use_stdout(const BuildOutputs *outputs);
/* They were written: files get their names. */
int build_outputs_finish(BuildOutputs *outputs, Error *err);
void build_outputs_done(BuildOutputs *outputs);

/* What a build made. */
typedef struct BuildResult {
        char *image;               /* its id; NULL: none */
        char *pushed, *media_type; /* the last manifest that was pushed: its digest; NULL: none */
        int64_t size;              /* of that */
} BuildResult;
void build_result_done(BuildResult *result);
/* --iidfile and --metadata-file: before the build, that they can be written; those of an earlier
 * build go, which must not be taken for this one's. */
int build_files_prepare(const BuildOptions *options, Error *err);

/* ---- build-pump.c: a context that goes through a pipe as an archive, by a thread, for a daemon
 * that takes descriptors ---- */
typedef struct BuildPump BuildPump;
/* Sends source's directory without what is ignored and without left_out (names in it), or the
 * archive: its head and then standard input. *ret_fd is the pipe's end to read, the caller's. It is
 * added to *pumps. source must outlive it. */
int build_pump_start(const BuildSource *source, char *const *left_out, BuildPump **pumps,
                     int *ret_fd, Error *err);
/* The same of a named context, whose *source becomes the pump's, on error too. */
int build_pump_start_named(BuildSource *source, char *const *left_out, BuildPump **pumps,
                           int *ret_fd, Error *err);
/* Stops them wherever they are and frees them. What went wrong on this side, which the daemon
 * cannot know, is an error; that the daemon read no further is none. NULL is fine. */
int build_pump_end(BuildPump **pumps, Error *err);

/* ---- build-written.c ---- */
/* Files of the source's directory that are not ignored and are written while the daemon reads it;
 * names in it, the caller's. */
typedef struct BuildWritten {
        char **growing;  /* what standard output or error are appended to */
        char **left_out; /* a new file of an output that has a name already */
        bool archive;    /* the daemon cannot read it in place: something is left out, or written
                            over */
} BuildWritten;
void build_source_written(const BuildSource *source, const BuildOutputs *outputs,
                          BuildWritten *ret);
void build_written_done(BuildWritten *written);

/* What a directory's ignore file says into source, by the directory's path. build-context.c */
int build_source_read_ignore(const char *path, BuildSource *source, Error *err);

/* ---- build-send.c: the request with descriptors ---- */

/* All that a build has open on this side. */
typedef struct Build {
        Cli *cli;
        BuildOptions *options;
        BuildSource source;
        BuildOutputs outputs;
        BuildFds fds;
        BuildPump *pump; /* of contexts that go as archives */
        BuildDocument document;
        char **tags;
        BuildResult result;
} Build;
/* A daemon on a Unix socket that is brigd takes descriptors; DOCKER_BUILDKIT=0 asks for the classic
 * builder, whose output scripts read. */
bool build_takes_descriptors(const Cli *cli);
/* That what cannot be had without them, and why there are none; there are two ways out where it is
 * the daemon. ERROR_UNSUPPORTED */
int build_needs_descriptors(const char *what, const char *instead, const char *other, Error *err);
/* Sends it all. The answer is a stream of BuildProgress. */
int build_send(Build *build, HttpReply **ret, Error *err);
/* Has the daemon read the Dockerfile and the ignore file of what is no directory of ours. */
int build_fetch_texts(Build *build, Error *err);

/* ---- the rest ---- */

/* After the build: --iidfile and --metadata-file. build-output.c */
int build_files_write(const Build *build, Error *err);

/* check.c: --check. The exit code. */
int build_check(const BuildOptions *options, const BuildSource *source, Error *err);
/* build-classic.c: the build as any Docker daemon takes it: an archive, and its stream of messages.
 * *ret_image: the image's id, the caller's; NULL if it was not told. */
int build_classic(Cli *cli, BuildOptions *options, char *const *tags, BuildSource *source,
                  char **ret_image, Error *err);
/* build-tar.c: a directory as an archive; files of root, times as they are. */
typedef struct BuildTar {
        int fd;      /* where it goes */
        int stop_fd; /* once something can be read from it, the writing ends, -ECANCELED; -1: never
                      */
        int dir_fd;  /* of the directory, -1: none */
        const char *ignore; /* what it leaves out, or NULL */
        size_t ignore_length;
        char *const *left_out; /* names of files that stay out, too, or NULL */
        bool attributes;       /* with extended attributes, which are for brigd */
        const Pairs *extra;    /* files that stand in place of the directory's, name → text */
} BuildTar;
int build_tar_write(const BuildTar *tar, Error *err);
