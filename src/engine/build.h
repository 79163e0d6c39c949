/* build.h: building images, as the API asks for it: a request with its contexts as open
 * directories, and a stream of what happens. Knows no HTTP. */
#pragma once

#include "build/lint.h"
#include "engine/engine.h"
#include "spec/build.h"

typedef struct BuildContext {
        char *name;     /* "" for the build's own, else as given with --build-context */
        int dir_fd;     /* an open directory, or -1 */
        bool unpacked;  /* that was made by engine_build_context */
        char **growing; /* files in that directory that are appended to meanwhile: they count as
                           what they were at the build's beginning */
        int tar_fd;     /* a tar stream, any compression, which the engine unpacks; or -1 */
        char *image;    /* docker-image://…: the reference; of a layout BUILD_LAYOUT and the name;
                           NULL: none */
        char *url; /* that the engine fetches: a git repository (format/git-source.h), or of http
                      and https a tar archive or a Dockerfile; NULL: none */
        int layout_fd; /* a directory that is an OCI layout, which an image is taken of; or -1 */
        char *path;    /* what its user calls that, for messages; or NULL */
        char *tag, *digest; /* in it: a digest, else a tag, NULL: "latest" */
} BuildContext;

#define BUILD_LAYOUT "oci-layout://" /* which no reference begins with */

typedef struct BuildSecret {
        char *id;
        char *data; /* any bytes */
        size_t length;
} BuildSecret;

typedef struct BuildSsh {
        char *id;      /* "default" */
        int socket_fd; /* the agent's socket, opened with O_PATH */
} BuildSsh;

/* One that results go to: "image" (one is recorded), "docker", "oci" (an archive of it), "tar" (of
 * the root), "local" (the root's files into a directory). */
typedef struct BuildOutput {
        char *type;
        int fd;         /* where it is written; -1: an image is recorded */
        bool layout;    /* docker, oci: fd is a directory, and gets an OCI layout */
        char **names;   /* references, beside the request's tags */
        bool push;      /* of an image: under its names, or the request's tags where it has none */
        bool by_digest; /* pushed without a tag: its names are repositories in full, and no names of
                           the image */
        ImageForm form;
        JsonArray annotations; /* of BuildAnnotation, beside the request's */
} BuildOutput;

/* A cache elsewhere, to read from or to write to. */
typedef enum BuildCacheKind {
        BUILD_CACHE_REGISTRY, /* reference */
        BUILD_CACHE_LOCAL,    /* dir_fd: an OCI layout; tag, digest */
        BUILD_CACHE_INLINE,   /* to: in the image's configuration */
        BUILD_CACHE_IMAGE,    /* from: an image of the store, else of a registry */
} BuildCacheKind;

typedef struct BuildCachePlace {
        BuildCacheKind kind;
        char *reference;
        int dir_fd;         /* or -1 */
        char *path;         /* what its user calls the directory, for messages; or NULL */
        char *tag, *digest; /* in the layout; NULL: "latest" */
        bool max;           /* to: with the layers of all stages, else with the result's */
        bool ignore_error;  /* to: what fails is a warning */
} BuildCachePlace;

typedef struct BuildRequest {
        char *dockerfile; /* its text; NULL: read `dockerfile_name` in the context */
        size_t dockerfile_length;
        char *dockerfile_name; /* for errors, and below the context; "Dockerfile" by default */
        char *ignore;          /* the text of the ignore file; NULL: read in the context */
        size_t ignore_length;
        char *ignore_name;      /* what its user calls it; NULL: nobody said */
        BuildContext *contexts; /* at most one with the name "" */
        size_t context_count;
        char **args, **labels, **tags, **no_cache_filter; /* NAME=value; references */
        char *target, *network;
        char **platforms;   /* of what is made, each built for; several: the outcome is an index.
                               NULL: this machine's */
        char **extra_hosts; /* "name:address" */
        char **allow;       /* what the client lets steps have: spec/build.h, BUILD_ALLOW_…. They
                               have it where the daemon's options allow it, too */
        JsonArray ulimits;  /* of Ulimit, as in HostConfig */
        int64_t shm_size, memory, memory_swap; /* bytes; 0: by default */
        int64_t cpu_shares, cpu_period, cpu_quota;
        char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
        JsonArray annotations; /* of BuildAnnotation, for every image that goes out */
        BuildSecret *secrets;
        size_t secret_count;
        BuildSsh *ssh;
        size_t ssh_count;
        RegistryAuth *auths; /* for base images, by auth_hosts[i] ("127.0.0.1:5000", "docker.io") */
        char **auth_hosts;
        bool no_cache, pull, squash;
        bool texts;           /* tell the Dockerfile and the ignore file, and build nothing */
        BuildOutput *outputs; /* none: the result is in the cache alone */
        size_t output_count;
        int64_t client_uid; /* who asks, as a user of this host; -1: nobody knows (TCP) */
        int64_t output_uid, output_gid; /* local: whose the files are; -1: as in the root */
        BuildCachePlace *cache_from, *cache_to;
        size_t cache_from_count, cache_to_count;
        bool cache_from_alone; /* where there is any, the build's own cache counts as far as those
                                  images came of it, as with Docker's classic builder */
        int64_t cache_uid, cache_gid; /* whose the files are that go to a directory; -1: the
                                         daemon's */
} BuildRequest;
/* Frees and closes all of it. */
void build_request_done(BuildRequest *request);

typedef enum BuildEventKind {
        BUILD_PLANNED, /* total: how many steps there are, before any begins; text: the ARGs
                          before the first FROM, a line each, or NULL */
        BUILD_STARTED, /* a step begins to run. why: what its cache missed */
        BUILD_CACHED,  /* a step was found in the cache, and has ended by that. layer: as in DONE */
        BUILD_OUTPUT,  /* text of a step's program; stream 1 or 2 */
        BUILD_STATUS,  /* bytes of a pull, download or export: status, current, total; layer: of
                          which (short), or NULL */
        BUILD_DONE,    /* a step has ended well. layer: what it made (short), or "" */
        BUILD_FAILED,  /* a step has failed: text says how; exit_code */
        BUILD_WARNING, /* text; a finding of the checks where `at.line` is not 0 */
        BUILD_IMAGE,   /* the image was made: text is its id */
        BUILD_TAGGED,  /* text: "docker.io/library/x:latest", familiar */
        BUILD_PUSHING, /* bytes of a push: status in Docker's words, current, total; layer: of
                          which, or NULL; text: the name */
        BUILD_PUSHED,  /* text: the name; layer: the manifest's digest; status: its media type;
                          total: its size */
        BUILD_READING, /* files of a context are read: name; current: bytes so far; total: as many
                          at the end, else 0. step: which reading, in numbers of its own */
        BUILD_DOCKERFILE, /* the file of that name: text, length */
        BUILD_IGNORE,
        BUILD_RESOLVED, /* a base image was asked for at its registry (pull). name: familiar, with
                           its tag; layer: digest; current: 1 where the store has it by that name */
} BuildEventKind;

typedef struct BuildEvent {
        BuildEventKind kind;
        size_t step;     /* number of the step in the build, from 0; see BUILD_PLANNED. Steps of
                            stages that are not needed have none */
        size_t written;  /* the same without ONBUILD triggers, which the Dockerfile has not */
        bool trigger;    /* it is one */
        size_t triggers; /* of FROM and of a trigger: how many follow; PLANNED: how many of total */
        const char *name;        /* BUILD_STARTED, CACHED: "[build 2/5] RUN make" */
        const char *instruction; /* "RUN make", as classic clients show it */
        const char *why, *text, *status, *layer;
        size_t length;        /* of text where it is output */
        const size_t *inputs; /* STARTED, CACHED: the steps that it stands upon */
        size_t input_count;
        int stream;
        int64_t current, total;
        const char *container; /* STARTED: id of what its program runs in; NULL: it runs none */
        int exit_code;         /* FAILED: of its program; 0: not a program failed */
        const char *command;   /* FAILED: the program and its arguments, where one failed */
        int64_t time;          /* ns since 1970 */
        SourceRange at;        /* in the Dockerfile; line 0: nowhere */
} BuildEvent;
/* Called from the build's threads, one at a time. Negative ends the build. */
typedef int (*BuildSink)(void *data, const BuildEvent *event);

/* Builds. The request stays the caller's. cancel_fd: see engine.h. *ret_id: the image's id, or the
 * index's digest, the caller's; NULL where output alone was asked for. An error's message is what a
 * client shows; those of the Dockerfile have its place and line. */
int engine_build(Engine *engine, const BuildRequest *request, BuildSink sink, void *data,
                 int cancel_fd, char **ret_id, Error *err);

/* Unpacks the tar archive that tar_fd yields, plain or compressed, into a new directory, reading
 * tar_fd (the caller's) to its end. *ret_dir_fd: the directory, to be given to
 * engine_build_context_done, which closes and removes it. invalid where it is no archive. */
int engine_build_context(Engine *engine, int tar_fd, int *ret_dir_fd, Error *err);
void engine_build_context_done(Engine *engine, int dir_fd);

/* GET /system/df's BuildCache: an array of Docker's documents. */
int engine_build_cache_list(Engine *engine, Buf *json, Error *err);
/* POST /build/prune: {"CachesDeleted":[…],"SpaceReclaimed":n}. keep: bytes; filters: as Docker has
 * them (until, id, …), not checked yet. */
int engine_build_prune(Engine *engine, bool all, int64_t keep, const Filters *filters, Buf *json,
                       Error *err);

/* Writes what cache mounts of those ids hold (NULL: all) as a tar archive: one of its own for each,
 * and "mounts.json" with their ids. not_found; conflict where a step has one. */
int engine_build_mounts_export(Engine *engine, char *const *ids, int fd, Error *err);
/* Reads such an archive from tar_fd (the caller's) and puts each mount in the place of the one of
 * its id. Of a mount all is replaced or nothing. Appends {"Mounts": [id, …]}. */
int engine_build_mounts_import(Engine *engine, int tar_fd, Buf *json, Error *err);
