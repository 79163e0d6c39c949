/* plan.h: what a Dockerfile means: its stages, what each needs, and the steps of a stage once the
 * configuration of its base is known. Text to structs: knows no files, images, cache or processes.
 * Dockerfile reference; moby/buildkit's dockerfile2llb is the behaviour that users have. */
#pragma once

#include "build/dockerfile.h"
#include "spec/image.h"

/* What a step may have beyond others where its build was granted it: BuildKit's entitlements. */
typedef enum Entitlement {
        ENTITLEMENT_INSECURE,     /* RUN --security=insecure: every privilege of the host */
        ENTITLEMENT_HOST_NETWORK, /* a RUN in the host's network */
        ENTITLEMENTS
} Entitlement;

typedef struct PlanGrant {
        bool granted;        /* else a step that asks for it is an error, with its place */
        const char *why_not; /* and what helps, for that error; NULL: nothing to say */
} PlanGrant;

typedef struct PlanOptions {
        char *const *args;            /* --build-arg: NAME=value */
        const char *target;           /* name or number of a stage; NULL or "": the last */
        const char *build_platform;   /* this machine's, "linux/amd64" */
        const char *target_platform;  /* --platform; NULL: as build_platform */
        char *const *contexts;        /* names of --build-context, which stand before stages and
                                         images of that name; compared as BuildKit does */
        char *const *no_cache_filter; /* names of stages whose steps are all run */
        const char *network;          /* of RUN steps that name none: "default", "none", "host" */
        char *const *labels;          /* --label: NAME=value, on the target's image */
        const char *hostname;         /* BUILDKIT's `hostname` option; NULL: none. No step depends
                                         on it: it is for who runs them */
        int64_t source_date_epoch;    /* seconds; -1: none. The build argument SOURCE_DATE_EPOCH is
                                         read by plan_new and wins */
        PlanGrant grants[ENTITLEMENTS];
        bool no_cache;
} PlanOptions;

/* Where files come from. */
typedef enum InputKind {
        INPUT_SCRATCH, /* nothing: an empty root */
        INPUT_CONTEXT, /* name "": the build's context; else the named context */
        INPUT_STAGE,   /* `stage` */
        INPUT_IMAGE, /* name: a reference as written, "busybox"; platform: or NULL, the target's */
} InputKind;

typedef struct Input {
        InputKind kind;
        size_t stage;
        char *name, *platform;
        SourceRange at; /* of an image or a named context: the instruction that names it */
} Input;

typedef enum StepKind {
        STEP_META,    /* changes the configuration only: ENV, CMD, LABEL … */
        STEP_RUN,     /* .run */
        STEP_COPY,    /* .copy: COPY and ADD */
        STEP_WORKDIR, /* makes .workdir, with its parents, where it isn't; owner .user (NULL: 0:0),
                         as BuildKit has it, mode 0755. WORKDIR / is a STEP_META */
} StepKind;

typedef enum MountKind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH } MountKind;
typedef enum CacheSharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED } CacheSharing;

/* RUN --mount=…, defaults filled in, variables replaced where the reference allows them. */
typedef struct RunMount {
        MountKind kind;
        Input from;    /* bind; cache: what it begins with (INPUT_SCRATCH: nothing) */
        char *source;  /* bind, cache: path in `from`, clean and absolute, "/" by default */
        char *target;  /* absolute and clean; secret: NULL where only `env` is wanted */
        char *env;     /* secret: the variable that gets the value, or NULL */
        char *id;      /* cache (default: the target), secret, ssh */
        bool readonly; /* bind: unless rw; cache: ro */
        bool required; /* secret, ssh: absence is an error */
        CacheSharing sharing;
        int64_t size;           /* tmpfs: bytes, 0: no limit */
        int64_t uid, gid, mode; /* cache, secret, ssh; of a cache that begins with something -1: as
                                   that has it */
} RunMount;

typedef struct RunStep {
        char **argv;         /* the shell and its argument, or the exec form */
        char **env;          /* what the process gets: ENV and the ARGs in scope, of one name the
                                later; PATH by default, proxies, SSH_AUTH_SOCK of a mount */
        char **volatile_env; /* NAMEs among env that are no part of the cache key: proxy arguments
                              */
        char *network;       /* "default", "none", "host" */
        bool insecure;       /* --security=insecure, and granted: it runs with every privilege */
        RunMount *mounts;
        size_t mount_count;
        /* A script out of a heredoc with a shebang, which the shell of argv is told to run: its
         * path in the container ("/dev/pipes/EOF", mode 0755) and its content; NULL: none. */
        char *script_path, *script;
} RunStep;

typedef enum CopySourceKind {
        COPY_FILES,  /* path: a pattern below the input, clean, relative to its root, "." for it */
        COPY_INLINE, /* a heredoc: path is its file's name, content its text */
        COPY_URL,    /* ADD: path is the URL */
        COPY_GIT,    /* ADD: path is the URL with its #fragment or ?query; content: what it is
                        called, without credentials */
} CopySourceKind;

typedef struct CopySource {
        CopySourceKind kind;
        char *path;    /* patterns keep, with --parents, a "/./" in the middle; no "/." at the end:
                          of a directory the content is copied in any case */
        char *content; /* COPY_INLINE, COPY_GIT */
} CopySource;

typedef struct CopyStep {
        bool add;   /* ADD: local archives are unpacked by content, URLs fetched */
        Input from; /* of COPY_FILES */
        CopySource *sources;
        size_t source_count;
        char *dest;  /* absolute and clean; ends with '/' where it was written so (or as "." ): a
                        directory is meant */
        char *chown; /* "user[:group]", names or numbers, or NULL: 0:0 */
        char *chmod; /* octal or symbolic, or NULL */
        char **excludes;
        char *checksum; /* "sha256:…"; of git the first digits of the commit, lower case; or NULL */
        bool link, parents, keep_git_dir;
        bool *unpack; /* --unpack, or NULL: by default */
} CopyStep;

/* Whether its layer is made upon nothing and fits upon whatever lies below: --link. With --chmod
 * BuildKit does without; and the name of an owner is looked up in what lies below. */
bool copy_is_linked(const CopyStep *copy);

/* ONBUILD is none: it has no place in the history either. */
typedef struct Step {
        StepKind kind;
        InstructionKind instruction;
        SourceRange at;   /* of ONBUILD triggers: FROM's */
        char *text;       /* as progress shows it, variables replaced: "RUN go build" */
        char *created_by; /* as BuildKit writes it into the history: "RUN /bin/sh -c go build #
                             buildkit" */
        bool no_cache;    /* run it, whatever the cache has */
        bool trigger;     /* an ONBUILD of the base */
        char *user, *cwd; /* in force before it; cwd absolute, "/" by default */
        char *target;     /* what its arguments in scope say that it is built for, where that is not
                             the stage's own platform: "arm64", "arm/v7", "windows/amd64"; or NULL */
        RunStep run;
        CopyStep copy;
        char *workdir;
} Step;

/* A stage, as far as it is known before its base is. */
typedef struct Stage {
        char *name; /* lower case; "stage-N" where it has none, as BuildKit shows it */
        Input base;
        char *platform; /* of its base, "linux/amd64" */
        size_t *needs;  /* stages that its base, COPY --from and mounts name, each once, directly */
        size_t need_count;
        Input *inputs; /* every image and context that it names beside those, each once */
        size_t input_count;
        bool reachable; /* the target needs it, directly or not, or is it; not for what
                           plan_dispatch adds to needs */
        SourceRange at;
} Stage;

typedef struct Plan Plan;

/* file must outlive the plan. Errors are dockerfile_error's: an unknown target or stage, a circle,
 * a bad substitution, an undefined --from … */
int plan_new(const Dockerfile *file, const PlanOptions *options, Plan **ret, Error *err);
Plan *plan_free(Plan *plan);
DEFINE_CLEANUP(Plan *, plan_free)

size_t plan_stage_count(const Plan *plan);
const Stage *plan_stage(const Plan *plan, size_t index); /* borrowed */
size_t plan_target(const Plan *plan);
int64_t plan_source_date_epoch(const Plan *plan);   /* -1: none */
const char *plan_target_platform(const Plan *plan); /* "linux/amd64", borrowed */
/* An error about a place in the Dockerfile; returns its number. */
int plan_error(const Plan *plan, SourceRange at, Error *err, const char *format, ...)
        PRINTF_LIKE(4, 5);
/* " (did you mean builder?)" of a name that nothing was found for: of the stages' names and of
 * images that many Dockerfiles name; or "". The caller's. */
char *plan_name_hint(const Plan *plan, const char *name);
/* --build-arg names that no ARG asked for: "One or more build-args [x] were not consumed". The
 * caller's. Complete once every reachable stage was dispatched. */
char **plan_unused_args(const Plan *plan);

/* What a stage does and what its image's configuration is. */
typedef struct StagePlan {
        Step *steps; /* ONBUILD triggers of the base first */
        size_t step_count;
        ImageConfig config;  /* config and history of the finished stage; os, architecture, variant;
                                created and rootfs are the exporter's, as are the times of the
                                history's entries: one a step, in order, after the base's */
        size_t base_history; /* how many of config.history are the base's */
} StagePlan;

/* Dispatches the instructions of a stage upon its base's configuration (of the image, or of the
 * stage it is built from; NULL: scratch). ONBUILD of the base may add needs: *ret is right only
 * with the stages in plan_stage(plan, index)->needs, which it extends. Thread-safe for different
 * stages, except that a base must be done before. */
int plan_dispatch(Plan *plan, size_t index, const ImageConfig *base, StagePlan *ret, Error *err);
void stage_plan_done(StagePlan *plan);
