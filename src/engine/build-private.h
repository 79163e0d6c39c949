/* build-private.h: what the engine's files of building share: the builder, which lasts as long as
 * the daemon, and one build. docs/build.md. */
#pragma once

#include <semaphore.h>

#include "base/remover.h"
#include "build/cache-document.h"
#include "build/solve.h"
#include "engine/build.h"
#include "engine/engine-private.h"
#include "image/cache.h"

/* build-collect.c's. */
typedef struct Collector {
        int64_t cap; /* bytes; 0: there is none, and no thread */
        bool started;
        pthread_t thread;
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        bool wanted, stop;
} Collector;

/* Below <data root>/build: cache.db, layers/<id>, mounts/, scratch/ (an empty layer),
 * contexts/<id>, removed/<id> (contexts that nobody needs). Below <exec root>/build/<id>: the
 * mounts of a RUN step. */
struct Builder {
        Engine *engine;
        BuildCache *cache;
        Flights *flights;
        int dir_fd, layers_fd, contexts_fd, removed_fd, run_fd;
        Remover remover; /* of what is in removed/ */
        /* Held for reading while paths of layers are in use, for writing while one moves. */
        pthread_rwlock_t moving;
        sem_t slots; /* steps that may run at once, of all builds */
        Collector collector;
        Map moved; /* id of a layer → the chain id that it became; guarded by moving */
};

typedef struct BuildTree {
        char *name;
        Tree tree;
        IgnorePatterns *ignored;
        FileMemo memo;
        struct stat *growing; /* the tree's */
        int fd;               /* of a context that the engine fetched; -1: the request's */
        bool is_layer;        /* the directory is the build cache's */
        bool unpacked;        /* it was made for this build */
} BuildTree;

/* What ADD fetched, until the build ends. */
typedef struct Download {
        struct Download *next;
        char *url, *name;
        char digest[DIGEST_TEXT_MAX];
        int fd;
        int64_t time; /* seconds since 1970; 0: unknown */
} Download;

/* A cache from elsewhere that was read. */
typedef struct BuildImport {
        const BuildCachePlace *place;
        CacheDocument document;
        ImageManifest manifest; /* its layers: what the document's are in the registry; none: they
                                   are the store's */
} BuildImport;

typedef struct Build {
        Engine *engine;
        Builder *builder;
        const BuildRequest *request;
        BuildSink sink;
        void *data;
        int cancel_fd;
        bool delivering;        /* the result is being written to the client's files */
        char **platforms;       /* the request's, normal, each once; NULL: this machine's */
        ImagePushed pushed;     /* what went to a registry last; its digest "": nothing did */
        char **mismatches;      /* bases of another platform that were told of */
        char **layouts_told;    /* contexts whose layout has another tag; guarded by lock */
        char holder[48];        /* of the images that it reads, in the image store */
        const Dockerfile *file; /* once it is read */
        char *dockerfile;       /* that a URL gave in place of a context, or NULL */
        size_t dockerfile_length;
        BuildTree *trees;
        size_t tree_count;
        pthread_mutex_t event_lock;
        pthread_mutex_t lock; /* guards what follows */
        Download *downloads;
        int64_t added;           /* bytes that ADD downloaded and unpacked so far */
        struct GitRef *git_refs; /* what was asked for, and */
        char **git_layers;       /* the layers that are held for it; guarded by lock */
        Map answered;            /* keys that an import had an answer to; guarded by lock */
        BuildImport *imports;
        size_t import_count;
        Map trusted; /* chain ids of the layers of cache_from's images that are here */
} Build;

/* ---- build.c ---- */
/* One at a time; negative once the client wants no more. */
int build_event(Build *build, const BuildEvent *event);
/* Warns of each; an error where the Dockerfile says that findings are errors. */
int build_findings(Build *build, const LintOptions *options, const Findings *findings, Error *err);

/* ---- build-allow.c ---- */
/* The texts of what is not granted. */
typedef struct BuildGrants {
        char *text[ENTITLEMENTS];
} BuildGrants;
/* Fills grants in, whose texts are *texts', the caller's to build_grants_done. */
void build_grant(const Build *build, BuildGrants *texts, PlanGrant grants[ENTITLEMENTS]);
void build_grants_done(BuildGrants *texts);
/* That the network of its steps is there, and none of the predefined under another name. */
int build_network_find(const Build *build, Error *err);

/* ---- build-images.c: see SolveWorker ---- */
int build_image(void *build, const char *name, const char *platform, SolveImage *ret, Error *err);
int build_image_bring(void *build, const char *name, const char *platform, const SolveImage *image,
                      Error *err);
int build_mismatch(void *build, const Stage *stage, const ImageConfig *base, Error *err);
bool build_can_run(void *build, const char *platform);
char *build_host_platform(void); /* "linux/amd64"; the caller's */

/* ---- build-layers.c ---- */
/* A detached overlay of layers (base first; none: an empty root), read-only, or with the cache's
 * layer whose directory is layer_fd on top: "fs" and "work" are made in it. */
int builder_mount(Builder *builder, char *const *layers, int layer_fd, int *ret_fd, Error *err);
/* The same as a remapped container sees it; layer: the layer's path below the data root, or NULL.
 */
int builder_mount_remapped(Builder *builder, char *const *layers, const char *layer, int *ret_fd,
                           Error *err);
/* The same as paths below the data root, topmost first; the caller holds `moving` for reading as
 * long as it uses them. */
int builder_lowers(Builder *builder, char *const *layers, char ***ret, Error *err);
/* The directory "fs" of a new layer, with the owner of the root below it and mode 0755, as Docker
 * has it for every container, and "work". */
int builder_layer_prepare(Builder *builder, char *const *layers, int layer_fd, Error *err);
/* The layers, all of them in the image store: those of the cache move there. The caller's. */
int builder_store_layers(Build *build, char *const *layers, int64_t epoch, char ***ret_chains,
                         Error *err);
/* Whether some client is gone, or the daemon ends. */
bool build_cancelled(void *build);

/* Takes the mounts of a RUN step off and removes their directory below <exec root>/build. */
int builder_detach(Builder *builder, const char *name, Error *err);

/* ---- build-worker.c, build-copy.c, build-run.c: what steps do ---- */
extern const SolveWorker build_worker; /* data: a Build */
int build_copy(Build *build, const SolveJob *job, Error *err);
int build_workdir(Build *build, const SolveJob *job, Error *err);
int build_run(Build *build, const SolveJob *job, Error *err);
/* The client's credentials for the registry that the name is of, or NULL. */
const RegistryAuth *build_auth(const Build *build, const char *name);
const Download *build_download(Build *build, const char *url);
void download_free(Download *download);
/* How many bytes ADD may still download or unpack in this build; at least 1. */
int64_t build_add_left(Build *build);
/* It did so; an error where it was more than a build may have. */
int build_add_count(Build *build, int64_t bytes, Error *err);
/* Says what the limit is where r is the error of a file that was too large. */
int build_add_explain(int r, Error *err);
/* The user of --chown or a mount in a root: numbers, or names of its passwd and group. */
int build_owner(int root_fd, const char *text, int64_t *ret_uid, int64_t *ret_gid, Error *err);

/* ---- build-git.c ---- */
typedef struct GitAsk {
        const char *url;      /* with its fragment or query; format/git-source.h */
        const char *checksum; /* in place of the URL's, or NULL */
        bool keep_git_dir;    /* beside what the URL says */
        bool context;         /* "github.com/…" is a repository, too */
} GitAsk;
/* What the files depend on: the commit that the ref points at now, the directory …; and who finds
 * them again. The caller's. Asks the server once a build. */
int build_git_state(Build *build, const GitAsk *ask, SolveGit *ret, Error *err);
/* The directory, which does not change and stays until the build's end; the caller's to close. */
int build_git_open(Build *build, const GitAsk *ask, int *ret_fd, Error *err);
void build_git_done(Build *build);

/* ---- build-collect.c: the cache's cap ---- */
int collector_start(Builder *builder, Error *err);
void collector_stop(Builder *builder);
/* The cache may have grown. */
void builder_collect(Builder *builder);
/* What the collector is told of images; build-prune.c. */
void builder_prune_owner(Engine *engine, CachePrune *prune);

/* ---- build-context.c ---- */
/* contexts/ and removed/; those of builds that were cut short go. */
int build_contexts_open(Builder *builder, Error *err);
/* The request's contexts as trees, fetched where they are URLs. */
int build_open_contexts(Build *build, Error *err);
void build_close_contexts(Build *build);
const BuildTree *build_tree(const Build *build, const char *name); /* NULL: no such context */
/* An empty directory, which goes by engine_build_context_done. */
int build_scratch_directory(Builder *builder, int *ret_fd, Error *err);
/* The text of the Dockerfile and the ignore file, the request's or the context's. */
int build_read_dockerfile(const Build *build, char **ret, size_t *ret_length, Error *err);
int build_read_ignore(Build *build, Error *err);
/* Tells the client both. */
int build_tell_texts(Build *build, const char *dockerfile, size_t length, Error *err);

/* ---- build-import.c: caches from elsewhere ---- */
/* Reads those that the request names; one that can't be read is a warning. */
int build_open_imports(Build *build, Error *err);
void build_close_imports(Build *build);
bool build_trusts(void *build, const char *layer);
int build_recall(void *build, const char *key, SolveRecall *ret, Error *err);
int build_bring(void *build, char *const *chains, int64_t *sizes, Error *err);
int build_keep(void *build, const char *chain, Error *err);
/* What an import knows of a layer: its place in the document; NULL: none does. */
const BuildImport *build_import_of(const Build *build, const char *chain, size_t *ret_layer);
/* What messages call it; the caller's. */
char *build_cache_name(const BuildCachePlace *place);
void build_cache_place(const Build *build, const BuildCachePlace *place, CachePlace *ret);
int build_warn(Build *build, Error *err, const char *format, ...) PRINTF_LIKE(3, 4);
/* Data: a CacheReport. */
typedef struct CacheReport {
        Build *build;
        const char *what; /* "importing cache" */
} CacheReport;
int build_report_cache(void *report, const ImageProgress *progress);

/* ---- build-cache-to.c ---- */
/* Whether the image gets its cache along. */
bool build_wants_inline(const Build *build);
/* The document for an image of the result's layers, into its configuration. */
int build_add_inline(Build *build, SolveResult *result, Error *err);
/* Writes the caches that the request names, of a result for each platform. */
int build_send_caches(Build *build, const SolveResult *results, size_t count, int64_t epoch,
                      Error *err);

/* ---- build-export.c ---- */
int build_export(Build *build, Plan *plan, SolveResult *result, char **ret_id, Error *err);
/* ---- the parts of it ---- */
bool build_is_image(const BuildOutput *output);
bool build_wants_image(const BuildRequest *request);
/* Those of the request and of its outputs, full, each once; NULL: none. The caller's. */
int build_names(const Build *build, char ***ret, Error *err);
int build_make_image(Build *build, const Plan *plan, size_t number, SolveResult *result,
                     char *const *names, char **ret_id, Error *err);
int build_tell_image(Build *build, const char *id, char *const *names, Error *err);
/* The root, to read from. */
int build_open_root(Build *build, const SolveResult *result, int *ret_fd, Error *err);
int build_write_files(Build *build, const Plan *plan, int root_fd, int dir_fd, Error *err);
/* Of an image's id or an index's digest; with the output's names, and the request's. */
int build_write_archive(Build *build, const BuildOutput *output, const char *source, Error *err);
/* The same, under the output's own names, or the request's where it has none. */
int build_push_output(Build *build, const BuildOutput *output, const char *source, Error *err);

/* ---- build-annotations.c ---- */
/* Before anything runs: whether what is annotated will be there. */
int build_check_annotations(const Build *build, Error *err);
/* The request's and the output's own, or those of all outputs; the caller's to
 * image_annotations_done. */
ImageAnnotations build_annotations_of(const Build *build, const BuildOutput *output);
ImageAnnotations build_annotations_of_all(const Build *build);

/* ---- build-platforms.c: what several platforms give together ---- */
int build_export_platforms(Build *build, Plan *const *plans, SolveResult *results, char **ret_id,
                           Error *err);
