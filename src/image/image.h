/* image.h: images on this host: content store, snapshots, registry, archives. Knows no containers
 * and no HTTP server. Ids and digests are "sha256:<64 hex>"; names are normalised references
 * ("docker.io/library/busybox:latest"). */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "format/json.h"
#include "spec/check.h"
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
        int64_t used_at;      /* the same: when it came, was made or was last used; what is of one
                                 index was used together */
        bool variant; /* a name of it means an index that has other images here, for other platforms
                       */
        char *index;  /* digest of an index that it is of, the one that was asked for first; or NULL
                       */
} Image;
void image_done(Image *image);

/* ref: id, digest of an index, the beginning of one (≥ 1 hex), familiar or full name, name@digest.
 * not_found: "No such image: <ref as Docker prints it>". */
int image_find(ImageStore *store, const char *ref, Image *ret, Error *err);
/* The whole id (the caller's), also of an image whose configuration can't be read. */
int image_find_id(ImageStore *store, const char *ref, char **ret, Error *err);
/* The same for a platform, "os/arch[/variant]": where ref is a name of an index, the image of it
 * that fits. not_found, in the words that make clients pull, where the store has none for it.
 * platform NULL or "": image_find. */
int image_find_platform(ImageStore *store, const char *ref, const char *platform, Image *ret,
                        Error *err);
/* The same, and its layers are held for `holder` (see image_hold) from the moment on that it was
 * found. */
int image_take(ImageStore *store, const char *ref, const char *platform, const char *holder,
               Image *ret, Error *err);
/* What an index is: media type, digest, size; the caller's to json_done. */
int image_index_descriptor(ImageStore *store, const char *digest, Descriptor *ret, Error *err);
/* The digests of those that no name means, appended. */
int image_list_dangling_indexes(ImageStore *store, char ***ret, Error *err);
/* Every image, newest first; free each with image_done, then the array. */
int image_list(ImageStore *store, Image **ret, size_t *ret_count, Error *err);
/* Bytes of all layers unpacked, each once. */
int image_layers_size(ImageStore *store, int64_t *ret, Error *err);
/* The same of those that images have. */
int image_size_in_use(ImageStore *store, int64_t *ret, Error *err);
/* It was used just now, as image_hold and image_take note as well; not synced. One that is not
 * there is fine. */
int image_used(ImageStore *store, const char *image_id, Error *err);
/* Those of one, by its chain id; *ret_image: an image has it. not_found. */
int image_layer_size(ImageStore *store, const char *chain, int64_t *ret, bool *ret_image,
                     Error *err);
int image_tag(ImageStore *store, const char *source, const char *target, Error *err);

/* One line of what a removal did: untagged or deleted, as Docker's DELETE /images answers. */
typedef struct ImageRemoval {
        char *untagged, *deleted;
} ImageRemoval;
extern const JsonTable image_removal_table;

/* ref as for image_find: a name, which takes along what means nothing without it; an id, that image
 * alone; an index's digest, it and all of its images.
 * container_of(data, image_id) names a container that uses the image (a running one if there is),
 * the caller's to free, or NULL; *running tells which kind it is. Called without the store's lock.
 * Docker's conflict errors are worded here. Appends ImageRemoval to *removals. */
typedef struct ImageUse {
        char *(*container_of)(void *data, const char *image_id, bool *running);
        void *data;
        bool unused;          /* one that was used after unused_since stays: conflict */
        int64_t unused_since; /* ns since 1970; 0: before it was known */
} ImageUse;
int image_remove(ImageStore *store, const char *ref, bool force, bool no_prune, const ImageUse *use,
                 JsonArray *removals, Error *err);
/* What nothing needs any more leaves its place at once, and the disk by a thread of the store's.
 * wait: for what was given up so far, at most `patience` ns; 0: however long. hurry: from now on
 * no wait waits. on_removed: whenever nothing is left to remove, removed is called, on that thread
 * and without a lock. */
void image_removed_wait(ImageStore *store, int64_t patience);
void image_removed_hurry(ImageStore *store);
void image_on_removed(ImageStore *store, void (*removed)(void *data), void *data);

/* ---- progress: called from the job's threads, serialised; return negative to cancel ---- */
typedef struct ImageProgress {
        const char *id;     /* short layer id or tag, may be NULL */
        const char *status; /* "Pulling fs layer", "Downloading", "Extracting", "Pull complete", …
                               Docker's words */
        int64_t current, total; /* bytes; total 0: unknown, both 0: no bar */
        const char *aux; /* a JSON document in place of all that: Docker's "aux"; NULL: none */
} ImageProgress;
typedef int (*ImageProgressFn)(void *data, const ImageProgress *progress);

typedef struct RegistryAuth {
        char *username, *password, *identity_token, *registry_token;
} RegistryAuth;

/* Settings of brigd's. */
typedef struct RegistryOptions {
        char **insecure;            /* host[:port] or CIDR; 127.0.0.0/8 is implied */
        char **mirrors;             /* URLs for docker.io */
        char **host_directories;    /* with a directory for each registry, which may hold hosts.toml
                                       and certificates */
        int64_t downloads, uploads; /* layers at a time, of one pull or push; 0: as usual */
        int64_t attempts;           /* at a download; 0: as usual */
} RegistryOptions;

/* name: familiar reference with tag or digest; platform "os/arch[/variant]" or NULL for this host.
 * Of an index the store keeps the document and that platform's image; those of other platforms that
 * are here stay, and the name stands for this host's. *ret_id: the image's id. */
int image_pull(ImageStore *store, const char *name, const char *platform, const RegistryAuth *auth,
               const RegistryOptions *options, ImageProgressFn progress, void *data, char **ret_id,
               Error *err);

/* Every tag of the repository, one after the other; the first that fails ends it. */
int image_pull_tags(ImageStore *store, const char *repository, const char *platform,
                    const RegistryAuth *auth, const RegistryOptions *options,
                    ImageProgressFn progress, void *data, Error *err);

/* What a registry has under a name, as its manifest and configuration tell, which are all that is
 * transferred, and checked as a pull does. Nothing is recorded. An image that the registry has for
 * one platform only is told of whatever platform is asked for. */
typedef struct ImageRemote {
        char *digest; /* of what the name stands for: an index or a manifest */
        char *id;
        ImageConfig config;
        char **chain_ids; /* base first */
} ImageRemote;
int image_remote(ImageStore *store, const char *name, const char *platform,
                 const RegistryAuth *auth, const RegistryOptions *options, ImageRemote *ret,
                 Error *err);
void image_remote_done(ImageRemote *remote);
/* Pulls, as image_pull does, what image_remote told of with that digest, whatever the name stands
 * for by now. Its layers are held for `holder`. */
int image_pull_remote(ImageStore *store, const char *name, const char *digest, const char *platform,
                      const char *holder, const RegistryAuth *auth, const RegistryOptions *options,
                      ImageProgressFn progress, void *data, char **ret_id, Error *err);

/* ---- an image in a directory that is an OCI layout: layout-image.c ---- */
typedef struct ImageLayout {
        int dir_fd;       /* the directory, which may be anybody's: no link in it is followed */
        const char *path; /* what its user calls it, for errors; or NULL */
        const char *tag,
                *digest; /* a manifest's or an index's digest; else a tag, NULL: "latest" */
} ImageLayout;
/* As image_remote of what the layout has: its documents are read and their digests checked, and
 * nothing is recorded. Of an index the platform's. IMAGE_LAYOUT_OTHER: it has no such tag, and one
 * image alone, which is told of. not_found; invalid where it is damaged. */
#define IMAGE_LAYOUT_OTHER 1
int image_layout_find(ImageStore *store, const ImageLayout *layout, const char *platform,
                      ImageRemote *ret, Error *err);
/* Brings the layers that the store lacks of an image that image_layout_find told of: its digest is
 * the layout's. All of them are held for `holder`; no image is recorded. */
int image_layout_bring(ImageStore *store, const ImageLayout *layout, const char *holder,
                       ImageProgressFn progress, void *data, Error *err);

/* ---- the form in which an image leaves: form.c ---- */
typedef enum LayerCompression {
        LAYERS_AS_KEPT, /* to a registry plain ones go as gzip */
        LAYERS_GZIP,
        LAYERS_ZSTD,
        LAYERS_UNCOMPRESSED,
} LayerCompression;

/* Zeroed: as the image was made to be (ImageMake), or as it is kept. */
typedef struct ImageForm {
        LayerCompression compression; /* of layers that are plain */
        int level;                    /* see has_level; gzip: 0 to 9, zstd: 0 to 22 */
        bool has_level, force;        /* force: of layers that have another compression, too */
        bool docker; /* Docker's media types; OCI's all the same where Docker has none: zstd,
                        annotations */
} ImageForm;
/* "gzip", "zstd", "uncompressed". */
int layer_compression_parse(const char *text, LayerCompression *ret, Error *err);
/* Whether the level is one of that compression's. */
int image_form_check(const ImageForm *form, Error *err);

/* ---- annotations: image-spec annotations.md ---- */
typedef struct ManifestAnnotations {
        Pairs manifest, descriptor; /* descriptor: of what names it, in an index or a layout */
} ManifestAnnotations;

/* Of one image, or of an index. */
typedef struct ImageAnnotations {
        ManifestAnnotations *manifests; /* of the one, or of the entries in their order */
        size_t count;
        Pairs index, index_descriptor;
} ImageAnnotations;
void image_annotations_done(ImageAnnotations *annotations);

/* Uploads the image of that name: repository and tag, or without a tag all tags of the repository.
 * Layers that were compressed when they came go up as they are; plain ones are compressed. The
 * image is known by the pushed manifest's digest afterwards. progress gets an aux of Tag, Digest
 * and Size for each tag. */
int image_push(ImageStore *store, const char *name, const RegistryAuth *auth,
               const RegistryOptions *options, ImageProgressFn progress, void *data, Error *err);
/* The same of one platform's image, "os/arch[/variant]"; NULL: as image_push, which uploads an
 * index whole, under the same digest, where every image of it is here, and else the image of the
 * name. */
int image_push_platform(ImageStore *store, const char *name, const char *platform,
                        const RegistryAuth *auth, const RegistryOptions *options,
                        ImageProgressFn progress, void *data, Error *err);
/* The same in a form. */
typedef struct ImagePushed {
        char digest[80], media_type[80];
        int64_t size;
} ImagePushed;
typedef struct ImagePush {
        const char *platform; /* may be NULL, as may all that follows */
        const char *source; /* an image's id or an index's digest, to push under the name, whatever
                               that means here */
        bool by_digest;     /* of a source: by its digest alone; the name is a repository */
        const char *adopt;  /* a holder: the index that went up is the store's, too, from then on,
                               and  leased for it (see IndexMake) */
        const RegistryAuth *auth;
        const RegistryOptions *options;
        const ImageForm *form;
        const ImageAnnotations *annotations; /* NULL: the image's and the index's own */
        ImageProgressFn progress;
        void *data;
        ImagePushed *pushed; /* gets what the last tag's manifest is */
} ImagePush;
int image_push_as(ImageStore *store, const char *name, const ImagePush *push, Error *err);
/* Asks the registry of that host ("docker.io", "127.0.0.1:5000") whether it takes the credentials.
 * *ret_token: an identity token in place of the password, or NULL; the caller's. */
int image_registry_login(ImageStore *store, const char *registry, const RegistryAuth *auth,
                         const RegistryOptions *options, char **ret_token, Error *err);
/* What a registry says about a name, as GET /distribution/{name}/json answers. */
int image_distribution(ImageStore *store, const char *name, const RegistryAuth *auth,
                       const RegistryOptions *options, Buf *json, Error *err);
/* The manifest or index of that name at its registry: {"Ref", "Descriptor", "Raw"}; Raw is its
 * text, a manifest's descriptor has the platform of its configuration. */
int image_manifest_get(ImageStore *store, const char *name, const RegistryAuth *auth,
                       const RegistryOptions *options, Buf *json, Error *err);
typedef struct ManifestPush {
        const char *text, *media_type; /* of an index */
        char *const *sources; /* "repository@digest" of manifests that it names and which the list's
                                 repository may lack: mounted from theirs, of the same registry */
} ManifestPush;
/* Pushes an index of manifests that the registry has, to the tag of name. */
int image_manifest_push(ImageStore *store, const char *name, const ManifestPush *index,
                        const RegistryAuth *auth, const RegistryOptions *options, char ret_digest[],
                        Error *err);
/* Searches the registry that the term names ("127.0.0.1:5000/word"), or Docker Hub. limit: of
 * results, 0 for the registry's own. *ret: the registry's "results", an array; the caller's. */
int image_search(ImageStore *store, const char *term, int limit, const RegistryAuth *auth,
                 const RegistryOptions *options, json_object **ret, Error *err);

/* Reads an archive from fd: docker-archive of both ages, OCI archive; plain, gzip or zstd. Appends
 * "Loaded image: name" or "Loaded image ID: sha256:…" lines to *loaded. */
int image_load(ImageStore *store, int fd, ImageProgressFn progress, void *data, char ***loaded,
               Error *err);
/* The same of what is for that platform, "os/arch[/variant]", alone; of an index, the image of it
 * that fits best. not_found where the archive has none. platform NULL or "": image_load. */
int image_load_platform(ImageStore *store, int fd, const char *platform, ImageProgressFn progress,
                        void *data, char ***loaded, Error *err);
/* Writes the named images as a docker-archive that is an OCI layout too. */
int image_save(ImageStore *store, char *const *refs, int fd, Error *err);
/* The same in a form. An index goes as it is where each of its manifests does; else one of the
 * manifests that go. */
typedef struct ImageSave {
        char *const *refs;
        const char *platform;  /* "os/arch[/variant]": of each ref that platform's image alone,
                                  not_found where there is none; NULL or "": all there is */
        const ImageForm *form; /* may be NULL */
        const ImageAnnotations *annotations; /* NULL: the images' and the index's own */
        char *const *names; /* of the one ref, which is an id or a digest: what it is called in the
                               archive; NULL: as asked for */
} ImageSave;
int image_save_as(ImageStore *store, const ImageSave *save, int fd, Error *err);
/* The same as an OCI layout into a directory, which may be one: what is there stays, but for
 * entries of the same names in its index. Where it fails nothing comes to it. */
typedef struct ImageLayoutPlace {
        int dir_fd;
        int64_t uid, gid;              /* whose the files are; -1: the daemon's */
        bool (*cancelled)(void *data); /* may be NULL */
        void *data;
} ImageLayoutPlace;
int image_save_layout(ImageStore *store, const ImageSave *save, const ImageLayoutPlace *place,
                      Error *err);
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
/* Holds image's snapshots for a container (by container id), so that removal of the image leaves
 * them; idempotent. not_found: there is no such image. */
int image_hold(ImageStore *store, const char *image_id, const char *holder, Error *err);
/* Ends the hold of one layer, a path as image_layers has it; it goes with the next collection. */
int image_release_layer(ImageStore *store, const char *holder, const char *lower, Error *err);
/* And ends the leases of images that were made for the holder. */
int image_release(ImageStore *store, const char *holder, Error *err);
/* What holders of that pattern (GLOB) held when the last daemon was killed; collects nothing: those
 * that are still there hold again first. */
int image_forget_holders(ImageStore *store, const char *pattern, Error *err);

/* ---- whether all is as recorded: check.c ---- */
/* Tells of files that nothing names, of what is named and not there, and (contents) of blobs whose
 * content is not what their digest says. What jobs that run are making is left alone. */
int image_check(ImageStore *store, const CheckSink *sink, bool contents, Error *err);

/* ---- making images of directories: make.c ---- */
/* The directory `name` below from_fd, which holds "fs" in overlayfs's form, becomes the layer upon
 * parent_chain (NULL: the first): packed for its digest (its blob is made when somebody saves or
 * pushes it), moved to its snapshot's place, recorded, and held for `holder` (as image_hold does
 * for an image: several layers may have one holder; NULL: nobody's, gone with the next collection
 * unless an image is made of it). Where the store has such a layer already, the directory is
 * removed in its place. epoch: see PackOptions; the snapshot keeps its times. Durable when it
 * returns if `durable`, else with the next durable call (of this one and image_make_as) or when the
 * store is closed; a layer that is not when the daemon dies is gone. *ret_size: bytes of the
 * regular files. */
typedef struct LayerAdd {
        int from_fd;
        const char *name, *parent_chain, *holder;
        int64_t epoch;
        bool durable;
        bool keep; /* where the store has it: the directory stays, somebody may have it mounted */
        bool (*cancelled)(void *data);
        /* Called once the directory is packed, before it moves: who has paths to it takes its lock
         * here. Not on an error before that. May be NULL. */
        void (*moving)(void *data);
        void *data;
} LayerAdd;
int image_layer_add(ImageStore *store, const LayerAdd *add, char ret_diff[], char ret_chain[],
                    int64_t *ret_size, Error *err);
/* The same of dir_fd, which stays as it is: its files are copied. add's from_fd and name are not
 * looked at. */
int image_layer_copy(ImageStore *store, int dir_fd, const LayerAdd *add, char ret_diff[],
                     char ret_chain[], int64_t *ret_size, Error *err);
/* A layer of the store upon another parent: hard links of its files where that can be. Durable with
 * the image that is made of it. Of add parent_chain, holder and cancelled count. not_found. */
int image_layer_rebase(ImageStore *store, const char *chain, const LayerAdd *add, char ret_chain[],
                       Error *err);
/* Records an image of the store's layers. config: complete but for rootfs, which is filled in from
 * chains (base first). names: familiar or full references with tags. annotations go into its
 * manifest. Durable. *ret_id is the caller's. */
typedef struct ImageMake {
        ImageConfig *config;
        char *const *chains, *const *names;
        const Pairs *annotations; /* may be NULL */
        const ImageForm *form; /* in which it is pushed and saved where nobody says another; NULL:
                                  an earlier image of the same content keeps its own */
        const char *lease; /* a holder: nothing removes the image until image_release; or NULL */
} ImageMake;
int image_make_as(ImageStore *store, const ImageMake *make, char **ret_id, Error *err);
/* Records a multi-platform index of images that the store has (ids; each made by image_make_as,
 * pulled, or loaded with a manifest), with an entry for each, in that order, also where two are the
 * same; the names mean the index from now on, and this host's image of it where no platform is
 * asked for, else the first. What a name meant before loses it. Durable, in one transaction.
 * ret_digest: DIGEST_TEXT_MAX bytes, the index's; *ret_new: it was not there. not_found: an image
 * is gone, or has no manifest. */
typedef struct IndexMake {
        char *const *ids;
        char *const *platforms; /* "os/arch[/variant]" of each; NULL: as the images say */
        char *const *names;     /* NULL: it is known by its digest */
        const ImageAnnotations *annotations; /* of the index and its entries; NULL: none */
        const char *lease;                   /* see ImageMake */
} IndexMake;
int image_index_make(ImageStore *store, const IndexMake *make, char ret_digest[], bool *ret_new,
                     Error *err);
/* Those of the (full) names that mean the one index mean the other from now on. holder: the first
 * goes if no name means it then and nobody but this holder has a lease of it; NULL: it stays. */
int image_index_replace(ImageStore *store, const char *from, const char *to, char *const *names,
                        const char *holder, Error *err);
/* The overlay lower directory of one layer, below root, unpacked again where it is lost; not_found
 * where the store does not have the layer. */
int image_layer_path(ImageStore *store, const char *chain, char **ret_path, Error *err);
/* Holds one layer, by its chain id, until image_release(holder); idempotent. */
int image_hold_layer(ImageStore *store, const char *chain, const char *holder, Error *err);

/* ---- files from outside, read in the confined program: tree.c ---- */
/* Unpacks a tar stream (any compression) below target_fd as plain files, no whiteouts: a build's
 * context, an archive of ADD. Owners and modes are kept; devices only where `devices`. Entries
 * cannot leave target_fd. detect: 0 in place of an error where input_fd is no archive at all; then
 * nothing was written and input_fd, if it can be, is where it was. probe: nothing is written in any
 * case, only whether it is an archive is told, of its beginning. limit: bytes of its files at most;
 * 0: a layer's. Returns 1 when unpacked; *ret_bytes (may be NULL): what its files hold. */
typedef struct TreeUnpack {
        bool devices, detect, probe;
        int64_t limit;
        int64_t *ret_bytes;
        ImageProgressFn progress; /* current: bytes of the stream; or NULL */
        void *data;
} TreeUnpack;
int image_unpack_tree(ImageStore *store, int input_fd, int target_fd, const TreeUnpack *options,
                      Error *err);
/* GET of an http or https URL into fd, at most `limit` bytes. *ret_time: Last-Modified, seconds
 * since 1970, or 0; *ret_name: the file's name as the URL or Content-Disposition gives it, "" where
 * there is none; the caller's. Redirections are followed, never from https to http. */
int image_download(ImageStore *store, const char *url, int fd, int64_t limit,
                   ImageProgressFn progress, void *data, int64_t *ret_time, char **ret_name,
                   char ret_digest[], Error *err);
