/* solve.h: builds the targets of plans: finds in the cache what is there, runs what is not, stages
 * side by side. Knows no images and no containers: a SolveWorker gives it the first and runs steps
 * in the second. docs/build.md says how keys are made. */
#pragma once

#include "build/cache.h"
#include "build/flight.h"
#include "build/plan.h"
#include "build/tree.h"

/* An image as a base or a source of files. */
typedef struct SolveImage {
        ImageConfig config;
        char **layers;             /* chain ids, base first */
        char key[DIGEST_TEXT_MAX]; /* equal for equal files: its topmost chain id; "": no layers */
        char *digest; /* the worker's: where its layers come from; NULL: they are here */
} SolveImage;
void solve_image_done(SolveImage *image);

/* What a step reads beside the root that it changes: of COPY one, of RUN one a mount. */
typedef struct SolveInput {
        char **layers;    /* base first; NULL: tree, or nothing */
        const Tree *tree; /* of a context */
} SolveInput;

/* A step that must be run. */
typedef struct SolveJob {
        const Step *step;
        char *const *layers;      /* of the root that it changes, base first */
        const SolveInput *inputs; /* see SolveInput; of mounts in their order */
        const char *layer;        /* the cache's id of the layer to fill */
        int layer_fd;             /* its directory: "fs" is made there, in overlayfs's form */
        int64_t epoch;            /* times are at most this; -1: as they are */
        void (*output)(void *data, int stream, const char *text, size_t length);
        void (*status)(void *data, const char *what, int64_t current, int64_t total);
        bool (*cancelled)(void *data);
        void *data;         /* of these three */
        int *ret_exit_code; /* of a program that failed; 0 where it was not that */
} SolveJob;

/* What a cache from elsewhere knows of a step. */
typedef struct SolveRecall {
        char result[DIGEST_TEXT_MAX];
        char *layer;  /* chain id of what `bring` can bring; NULL: the result is known, no more */
        char *parent; /* the layer that it lies upon; NULL: none */
        int64_t created_at;
} SolveRecall;
void solve_recall_done(SolveRecall *recall);

typedef struct SolveGit {
        char *files; /* what they depend on: the commit, the directory in it … */
        char *whose; /* for whom they were fetched; "": for anybody */
} SolveGit;

/* All may be called from several threads at once. */
typedef struct SolveWorker {
        /* What the image is, for which its layers need not be here; ret is zeroed. */
        int (*image)(void *data, const char *name, const char *platform, SolveImage *ret,
                     Error *err);
        /* Brings the layers of such an image, for as long as the build lasts. Once a build. */
        int (*bring_image)(void *data, const char *name, const char *platform,
                           const SolveImage *image, Error *err);
        /* A stage's base is another platform's than the stage is for: may be refused. */
        int (*mismatch)(void *data, const Stage *stage, const ImageConfig *base, Error *err);
        /* Whether programs of a platform ("linux/arm64") can be run here. */
        bool (*can_run)(void *data, const char *platform);
        /* The image that a named context stands for (docker-image://…), borrowed; NULL: it is a
         * tree. */
        const char *(*alias)(void *data, const char *name);
        /* The context of that name; the worker's, as long as the build lasts. */
        int (*context)(void *data, const char *name, const Tree **ret, Error *err);
        /* The digest of what a URL gives, for a key; it is kept for the job that follows. */
        int (*fetch)(void *data, const char *url, const char *checksum,
                     char digest[DIGEST_TEXT_MAX], Error *err);
        /* What the files of a git repository's ref are, for a key; the same all through a build.
         * *ret, empty before, is the caller's to free, also after an error. checksum may be NULL.
         */
        int (*git)(void *data, const char *url, const char *checksum, bool keep_git_dir,
                   SolveGit *ret, Error *err);
        /* The root of these layers, to read from; the caller's to close. */
        int (*open)(void *data, char *const *layers, int *ret_fd, Error *err);
        int (*execute)(void *data, const SolveJob *job, Error *err);
        /* What the caches have that the build reads from beside its own; NULL: there are none.
         * SOLVE_RECALLED and *ret, or 0. */
        int (*recall)(void *data, const char *key, SolveRecall *ret, Error *err);
        /* Whether a result of the build cache may be used whose layer this is ("": it has none),
         * and that this build did not make; NULL: each may. */
        bool (*trusts)(void *data, const char *layer);
        /* Brings layers that recall named, base first. sizes: of each how large it is, -1: it can't
         * be had, which was told as a warning. They stay as long as the build lasts; `keep` holds
         * one for the cache. */
        int (*bring)(void *data, char *const *chains, int64_t *sizes, Error *err);
        int (*keep)(void *data, const char *chain, Error *err);
        void *data;
} SolveWorker;
#define SOLVE_RECALLED 1

typedef enum SolveEventKind {
        SOLVE_PLANNED, /* total */
        SOLVE_STARTED, /* name, why */
        SOLVE_CACHED,
        SOLVE_OUTPUT,
        SOLVE_STATUS,
        SOLVE_DONE,
        SOLVE_FAILED,
        SOLVE_READING, /* files of a context are read, so many that it takes a while: name; current:
                          bytes so far; total: as many at the end, else 0. step: a number of its
                          own, from 0 */
} SolveEventKind;

typedef struct SolveEvent {
        SolveEventKind kind;
        size_t step;      /* number: each reachable stage's FROM and instructions, in their order */
        size_t written;   /* the same, of what the Dockerfile has: triggers are not counted */
        bool trigger;     /* an ONBUILD of the base: it comes right after FROM */
        size_t triggers;  /* of FROM and of a trigger: how many follow; PLANNED: all */
        const char *name; /* "[build 2/5] RUN make", of several platforms "[linux/arm64 build 2/5]
                             RUN make"; NULL: it makes no layer */
        const char *instruction; /* "RUN make" */
        const char *why, *text, *status, *layer;
        size_t length;
        const size_t *inputs; /* STARTED, CACHED: the steps that it stands upon, of those that have
                                 names */
        size_t input_count;
        int stream;
        int64_t current, total;
        const char *container; /* STARTED of RUN */
        int exit_code;         /* FAILED */
        const char *command;   /* FAILED of RUN: its words */
        SourceRange at;
} SolveEvent;

typedef struct SolveOptions {
        BuildCache *cache;
        Flights *flights;
        SolveWorker worker;
        const char *project; /* what tells this Dockerfile from others: for explaining misses */
        char *const *given;  /* what the request gives every RUN and its program can see: "host a",
                                "ulimit nofile=1:2", "shm 64"; part of their keys. May be NULL */
        bool no_cache;
        /* Called one at a time; negative ends the build. */
        int (*event)(void *data, const SolveEvent *event);
        bool (*cancelled)(void *data);
        void *data;
} SolveOptions;

/* What is known of a step, for other caches. */
typedef struct SolveRecord {
        char result[DIGEST_TEXT_MAX];
        int64_t created_at;
        size_t depth; /* how many of its stage's layers there are with its own; 0: its own is not
                         at hand */
} SolveRecord;

typedef struct SolveStage {
        char **layers; /* base first, as far as they are at hand */
        SolveRecord *records;
        size_t count;
        bool exported; /* its layers are the result's */
} SolveStage;

/* The target, finished: its layers are held in the cache until solve_result_done. */
typedef struct SolveResult {
        ImageConfig config; /* with times; rootfs is the exporter's */
        char **layers;      /* base first: chain ids, and ids of the cache's layers */
        SolveStage *stages; /* those that were looked at */
        size_t stage_count;
        BuildCache *cache; /* internal: what is held, since the build began */
        char **held;
        int64_t began;
} SolveResult;
/* Several plans are of one Dockerfile for several platforms: what is the same in them is done once.
 * ret has room for a result of each. */
int solve(Plan *const *plans, size_t count, const SolveOptions *options, SolveResult *ret,
          Error *err);
void solve_result_done(SolveResult *result);
