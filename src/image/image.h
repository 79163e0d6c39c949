/* image.h: images on this host: content store, snapshots, registry, archives. Knows no containers
 * and no HTTP server. Ids and digests are "sha256:<64 hex>"; names are normalised references
 * ("docker.io/library/busybox:latest"). */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "format/json.h"
#include "spec/image.h"

typedef struct ImageStore ImageStore;

/* Opens (creating) the store below root: blobs/sha256, snapshots/<chain id>, images.db. unpacker is
 * the path of brig-image, the program that is started, confined, for registries and archives.
 * Reconciles: half-written blobs and snapshots of a killed daemon go. Thread-safe. */
int image_store_open(int root_fd, const char *unpacker, ImageStore **ret, Error *err);
ImageStore *image_store_free(ImageStore *store);
DEFINE_CLEANUP(ImageStore *, image_store_free)

/* ---- what is there ---- */
typedef struct Image {
        char *id;             /* digest of the config document */
        char **names;         /* references that point at it: RepoTags, in Docker's familiar form
                                 ("busybox:latest") */
        char **digests;       /* RepoDigests, familiar ("127.0.0.1:5000/busybox@sha256:…") */
        ImageConfig config;   /* the parsed OCI / Docker config document */
        char *config_text;    /* the document as it was, for inspect */
        char **chain_ids;     /* of each layer, base first */
        int64_t size;         /* bytes unpacked */
        int64_t *layer_sizes; /* one a layer */
        int64_t tagged_at;    /* ns since 1970; 0 unknown */
} Image;
void image_done(Image *image);

/* ref: id, id prefix (≥ 1 hex), familiar or full name, name@digest. not_found: "No such image: <ref
 * as Docker prints it>". */
int image_find(ImageStore *store, const char *ref, Image *ret, Error *err);
/* Every image, newest first; free each with image_done, then the array. */
int image_list(ImageStore *store, Image **ret, size_t *ret_count, Error *err);
int image_tag(ImageStore *store, const char *source, const char *target, Error *err);

/* One line of what a removal did: untagged or deleted, as Docker's DELETE /images answers. */
typedef struct ImageRemoval {
        char *untagged, *deleted;
} ImageRemoval;
extern const JsonTable image_removal_table;

/* container_of(data, image_id) names a container that uses the image (a running one if there is),
 * the caller's to free, or NULL; *running tells which kind it is. Called without the store's lock.
 * Docker's conflict errors are worded here. Appends ImageRemoval to *removals. */
typedef struct ImageUse {
        char *(*container_of)(void *data, const char *image_id, bool *running);
        void *data;
} ImageUse;
int image_remove(ImageStore *store, const char *ref, bool force, bool no_prune, const ImageUse *use,
                 JsonArray *removals, Error *err);

/* ---- progress: called from the job's threads, serialised; return negative to cancel ---- */
typedef struct ImageProgress {
        const char *id;     /* short layer id or tag, may be NULL */
        const char *status; /* "Pulling fs layer", "Downloading", "Extracting", "Pull complete", …
                               Docker's words */
        int64_t current, total; /* bytes; total 0: unknown, both 0: no bar */
} ImageProgress;
typedef int (*ImageProgressFn)(void *data, const ImageProgress *progress);

typedef struct RegistryAuth {
        char *username, *password, *identity_token, *registry_token;
} RegistryAuth;

/* Settings that brigd was started with. */
typedef struct RegistryOptions {
        char **insecure; /* host[:port] or CIDR; 127.0.0.0/8 is implied */
        char **mirrors;  /* URLs for docker.io */
} RegistryOptions;

/* name: familiar reference with tag or digest; platform "os/arch[/variant]" or NULL for this host.
 * *ret_id: the image's id. */
int image_pull(ImageStore *store, const char *name, const char *platform, const RegistryAuth *auth,
               const RegistryOptions *options, ImageProgressFn progress, void *data, char **ret_id,
               Error *err);

/* Reads an archive from fd: docker-archive of both ages, OCI archive; plain, gzip or zstd. Appends
 * "Loaded image: name" or "Loaded image ID: sha256:…" lines to *loaded. */
int image_load(ImageStore *store, int fd, ImageProgressFn progress, void *data, char ***loaded,
               Error *err);
/* Writes the named images as a docker-archive that is an OCI layout too. */
int image_save(ImageStore *store, char *const *refs, int fd, Error *err);
/* A root file system as tar (plain, gzip, zstd, xz) from fd becomes an image; changes are
 * Dockerfile instructions CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR, STOPSIGNAL,
 * HEALTHCHECK, ONBUILD. name may be NULL. */
int image_import(ImageStore *store, int fd, const char *name, const char *message,
                 char *const *changes, char **ret_id, Error *err);

/* ---- root file systems ---- */
/* The overlay lower directories of image, topmost first, as paths below root
 * ("snapshots/<hex>/fs"); unpacks what is missing. The caller joins them with its own upper
 * directory. */
int image_layers(ImageStore *store, const Image *image, char ***ret_lowers, Error *err);
/* Holds image's snapshots for a container (a lease by container id), so that removal of the image
 * leaves them; idempotent. */
int image_hold(ImageStore *store, const char *image_id, const char *holder, Error *err);
int image_release(ImageStore *store, const char *holder, Error *err);
