/* spec/build.h: what brig and brigd say to each other about a build: POST /build with the content
 * type BUILD_DOCUMENT_TYPE on a Unix socket. Descriptors come along with the request's first byte
 * (SCM_RIGHTS) and are named by their position. The answer is a stream of BuildProgress, one JSON
 * object a line, behind status 200; an error before the first is a plain answer. */
#pragma once

#include "format/json.h"
#include "spec/container.h"

#define BUILD_DOCUMENT_TYPE "application/vnd.brig.build+json"

/* What `allow` may name: BuildKit's entitlements. */
#define BUILD_ALLOW_INSECURE "security.insecure"
#define BUILD_ALLOW_HOST_NETWORK "network.host"
/* That each of the names is one of them; invalid, or unsupported where BuildKit knows it. */
int build_allow_check(char *const *names, Error *err);

typedef struct BuildContextDocument {
        char *name;   /* "" for the build's own */
        int64_t *fd;  /* position of an open directory; NULL: none */
        int64_t *tar; /* position of a tar stream that the daemon unpacks; NULL: none */
        char *image, *url;
        int64_t *layout; /* position of an open directory that is an OCI layout; NULL: none */
        char *path, *tag, *digest; /* of `layout`: what its user calls it, for messages; in it a
                                      digest, else a tag, "latest" */
        char **growing;            /* of `fd`: files that the client's own output goes to */
} BuildContextDocument;

typedef struct BuildSecretDocument {
        char *id, *value; /* value: base64 */
} BuildSecretDocument;

typedef struct BuildSshDocument {
        char *id;
        int64_t fd; /* position of the agent's socket, opened with O_PATH */
} BuildSshDocument;

/* One for a document of an image, or for the descriptor that names it. */
typedef struct BuildAnnotation {
        char *of;       /* "manifest", "manifest-descriptor", "index", "index-descriptor" */
        char *platform; /* of a manifest: whose, "linux/arm64"; NULL: each one's */
        char *key, *value;
} BuildAnnotation;
/* Of a JsonArray of them. */
void build_annotations_done(JsonArray *annotations);
void build_annotations_copy(JsonArray *to, const JsonArray *from); /* appends */

/* One that results go to. "image": an image is recorded; "local": files into the directory `fd`;
 * "tar", "docker", "oci": written to `fd`. */
typedef struct BuildOutputDocument {
        char *type;
        int64_t *fd;
        char **names;   /* beside the build's tags */
        bool layout;    /* docker, oci: `fd` is a directory, and gets an OCI layout */
        bool push;      /* image: under its names, or the build's tags where it has none */
        bool by_digest; /* of a push: without a tag; `names`, which it needs then, are repositories,
                           and no names of the image */
        char *compression;
        int64_t *compression_level;
        bool force_compression, docker_media_types;
        JsonArray annotations; /* of BuildAnnotation */
} BuildOutputDocument;

typedef struct BuildCacheDocument {
        char *type; /* "registry": ref; "local": fd, tag, digest; "inline": of cacheTo */
        char *ref, *tag, *digest;
        int64_t *fd; /* position of an open directory */
        char *path;  /* what its user calls that, for messages; may be absent */
        bool max, ignore_error;
} BuildCacheDocument;

typedef struct BuildDocument {
        char *dockerfile; /* text; NULL: `dockerfileName` is read below the context */
        char *dockerfile_name;
        char *ignore;       /* text of the ignore file; NULL: read below the context */
        char *ignore_name;  /* what its user calls that file, for errors */
        JsonArray contexts; /* of BuildContextDocument */
        char **args, **labels, **tags, **no_cache_filter, **extra_hosts;
        char **allow; /* what steps may have that ask for it: BUILD_ALLOW_… */
        char *target, *platform, *network;
        JsonArray ulimits;                     /* of Ulimit */
        int64_t shm_size, memory, memory_swap; /* bytes; 0: by default */
        int64_t cpu_shares, cpu_period, cpu_quota;
        char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
        JsonArray annotations; /* of BuildAnnotation */
        JsonArray secrets;     /* of BuildSecretDocument */
        JsonArray ssh;         /* of BuildSshDocument */
        bool no_cache, pull;
        bool texts;        /* nothing is built: the answer has the Dockerfile and the ignore file */
        JsonArray outputs; /* of BuildOutputDocument; none: nothing but the cache */
        JsonArray cache_from, cache_to; /* of BuildCacheDocument */
} BuildDocument;
extern const JsonTable build_document_table, build_context_document_table,
        build_secret_document_table, build_ssh_document_table, build_output_document_table,
        build_cache_document_table, build_annotation_table;

/* Names as in engine/build.h's BuildEvent; kind: "planned", "started", "cached", "output",
 * "status", "done", "failed", "warning", "image", "tagged", "pushing", "pushed", "reading",
 * "dockerfile", "ignore"; last "end" (error NULL: it went well). */
typedef struct BuildProgress {
        char *kind;
        int64_t step, total, current, stream, time, line, end_line;
        char *name, *why, *text, *status, *layer; /* text of output and of files: base64 where it is
                                                     no UTF-8, and then `encoded` */
        bool encoded;
        JsonArray inputs; /* of int64_t; started, cached: the steps that it stands upon */
        char *error;      /* end */
        char *image;      /* end: its id */
} BuildProgress;
extern const JsonTable build_progress_table;
