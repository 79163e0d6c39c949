/* store.h: the content store's inside, shared by the files of this folder: blobs, layers with their
 * snapshots, images and names, what pins them. Knows no registry and no archive. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/remover.h"
#include "format/digest.h"
#include "image/helper.h"
#include "image/image.h"
#include "image/message.h"
#include "sql/copy.h"

/* On disk below root (0710, its owner's): blobs/sha256/<hex>; snapshots/<hex of the chain id>/fs;
 * images.db; partial/<hex>, the beginnings of blobs whose download broke; tmp/ for what is being
 * made, emptied when the store is opened. */
struct ImageStore {
        int root_fd, blobs_fd, snapshots_fd, partial_fd, tmp_fd;
        char *helper; /* path of brig-image */
        ClockMark opened;
        pthread_mutex_t
                lock; /* guards db and pins; held for no work on files but renames and unlinks */
        pthread_cond_t changed;
        pthread_mutex_t restoring; /* a lost snapshot is unpacked by one thread at a time */
        sqlite3 *db;
        SqlCopier *copier; /* of images.db */
        Map pins;          /* digest of a blob or chain id → Pin: neither is collected */
        Map descriptors;   /* digest of an index → Descriptor, of those that were asked for */
        Remover remover;   /* of what lies below tmp/ */
};

void store_lock(ImageStore *store);
void store_unlock(ImageStore *store);
static inline void store_unlockp(ImageStore **store) {
        store_unlock(*store);
}
/* Holds the lock to the end of the scope. */
#define STORE_LOCKED(store)                                                                        \
        _cleanup_(store_unlockp) UNUSED ImageStore *locked_ = (store_lock(store), (store))

/* Has a file or directory removed, which leaves its place at once; on a full disk it is removed
 * before this returns. One that is not there is success. Any lock may be held. store.c */
int store_discard(ImageStore *store, int dir_fd, const char *name, Error *err);

/* ---- pins: what a job keeps from being collected until its image is recorded ---- */
typedef struct PinSet {
        ImageStore *store;
        char **keys;
} PinSet;
void pins_add(PinSet *pins, const char *key);
void pins_add_locked(PinSet *pins, const char *key); /* the lock is held */
void pins_release(PinSet *pins);

/* ---- blobs: blob.c ---- */
/* A file being made below tmp/, gone at blob_temp_done unless committed; or below partial/, where
 * it stays. */
typedef struct BlobTemp {
        ImageStore *store;
        int fd; /* for reading and writing */
        char name[72];
        bool partial;
} BlobTemp;
int blob_temp_new(ImageStore *store, BlobTemp *ret, Error *err);
/* The file for a download of digest, which has *ret_have bytes of it from an earlier one: nobody
 * has checked them. It stays for a later one unless it is committed or discarded. While another job
 * has it, this is an empty one below tmp/. */
int blob_partial_open(ImageStore *store, const char *digest, BlobTemp *ret, int64_t *ret_have,
                      Error *err);
void blob_partial_discard(BlobTemp *temp); /* its bytes are wrong: it goes */
/* Removes what lies there for longer than anybody tries again: a week. */
int blob_partial_expire(ImageStore *store, const char *name, Error *err);
void blob_temp_done(BlobTemp *temp);
/* Renames it to its digest's name (its data must be synced before the database names it). */
int blob_temp_commit(BlobTemp *temp, const char *digest, Error *err);
int blob_put(ImageStore *store, const void *data, size_t length, char digest[DIGEST_TEXT_MAX],
             Error *err);
/* not_found if it isn't there; digest is checked for its form, not against the content. */
int blob_open(ImageStore *store, const char *digest, int *ret_fd, int64_t *ret_size, Error *err);
int blob_read(ImageStore *store, const char *digest, size_t limit, char **ret, size_t *ret_length,
              Error *err);
bool blob_exists(ImageStore *store, const char *digest);
/* A row where something names the blob ?1. */
#define SQL_BLOB_IN_USE                                                                            \
        "SELECT 1 FROM images WHERE id=?1 UNION ALL SELECT 1 FROM images WHERE manifest=?1"        \
        " UNION ALL SELECT 1 FROM layers WHERE blob=?1"                                            \
        " UNION ALL SELECT 1 FROM indexes WHERE digest=?1"                                         \
        " UNION ALL SELECT 1 FROM index_images WHERE manifest=?1"
/* Makes what was written durable, blobs and snapshots alike: one syncfs(2) and both directories. */
int store_sync(ImageStore *store, Error *err);

/* A Descriptor, or NULL. index.c */
void descriptor_free(void *descriptor);

/* ---- layers: layer.c ---- */
typedef struct Layer {
        char chain[DIGEST_TEXT_MAX], parent[DIGEST_TEXT_MAX], diff[DIGEST_TEXT_MAX];
        char blob[DIGEST_TEXT_MAX]; /* the layer as it came */
        char *media_type;           /* of the blob, OCI's */
        int64_t blob_size, size;    /* bytes: of the blob; of the files when unpacked */
} Layer;
void layer_done(Layer *layer);
int layer_load(ImageStore *store, const char *chain, Layer *ret, Error *err); /* the lock is held */

/* Pins the layer and waits while another job makes it. *ret: it is there; else the caller is the
 * one to make it and must end with layer_give_up or layer_land. check may be NULL; a negative
 * result ends the wait. */
int layer_claim(PinSet *pins, const char *chain, int (*check)(void *data), void *data, bool *ret,
                Error *err);
void layer_give_up(ImageStore *store, const char *chain);

/* A layer being unpacked: a directory below tmp/ and the program that fills it. */
typedef struct Unpack {
        ImageStore *store;
        Helper helper;
        char name[48];
        int64_t size;               /* when done: bytes of its files */
        char diff[DIGEST_TEXT_MAX]; /* when done */
        char *media_type; /* when done: OCI's, of the stream; NULL: no layer may be compressed so */
} Unpack;
/* Unpacks the tar stream input_fd (any compression); copy_fd ≥ 0 receives it plain. */
int unpack_start(ImageStore *store, int input_fd, int copy_fd, Unpack *ret, Error *err);
/* Takes one report. 1 when it is done, 0 before; *ret_consumed: compressed bytes read so far. */
int unpack_step(Unpack *unpack, int64_t *ret_consumed, Error *err);
int unpack_finish(Unpack *unpack, Error *err); /* all steps */
void unpack_done(Unpack *unpack);              /* ends the program, removes the directory */
/* Moves snapshot and blob (temp may be NULL: it is there) to their places, durably, and records the
 * layer. Ends the claim in either case. layer->chain, parent, diff, blob and blob_size are the
 * caller's to set; diff is checked. */
int layer_land(Layer *layer, Unpack *unpack, BlobTemp *temp, Error *err);
/* Where a layer that is made comes from, and who wants it. */
typedef struct LayerPlace {
        int from_fd;
        const char *name;   /* below from_fd: the directory that holds "fs" */
        const char *holder; /* or NULL */
        bool unsynced;      /* nothing is made durable; see store_settle */
        bool unkept;        /* its blob is not there: layer_blob_open makes it, with this epoch */
        int64_t epoch;
} LayerPlace;
/* The moving and recording of layer_land, without the claim. */
int layer_place(ImageStore *store, const Layer *layer, const LayerPlace *place, BlobTemp *temp,
                Error *err);
/* A layer's blob, made of its snapshot where it is not kept; see blob_open. layer-blob.c */
int layer_blob_open(ImageStore *store, const char *digest, int *ret_fd, int64_t *ret_size,
                    Error *err);
/* Unpacks the layer's snapshot from its blob if it is lost. */
int layer_ensure(ImageStore *store, const char *chain, Error *err);

/* ---- images: record.c ---- */
typedef struct ImageRecord {
        char id[DIGEST_TEXT_MAX];
        char *manifest; /* digest or NULL */
        char **chains;  /* base first */
        char **names;   /* full references that shall point at it */
        char *index;    /* digest of the index by which it came and which names shall mean, or NULL;
                           its blob is there */
        bool host;      /* it is the image of the index that this host chooses */
        char *holder;   /* for whom its layers are held from the same moment on, or NULL */
        char *lease;    /* who has the image itself until image_release, or NULL */
} ImageRecord;
void image_record_done(ImageRecord *record);
/* One transaction, durable, and all unsynced layers with it. What names pointed at before loses
 * them. */
int image_record(ImageStore *store, const ImageRecord *record, Error *err);
/* Deletes layers that no image, holder or pin needs, their snapshots, and those of the given blobs
 * that nothing names. ret_chains (may be NULL): appends the deleted layers, topmost first. */
int store_collect(ImageStore *store, char *const *blobs, char ***ret_chains, Error *err);
/* The same when the store is opened: unused layers are those of a pull that a dead daemon began,
 * and their blobs go to partial/, where the next pull finds them. */
int store_set_aside(ImageStore *store, Error *err);

/* ---- layers that are not durable yet: unsynced.c. A row may reach the disk before the files that
 * it is about, so that it is marked until a sync; a mark that is there when the store is opened
 * tells of a daemon that died meanwhile. ---- */
int store_settle(ImageStore *store, Error *err); /* syncs if there are any, and unmarks them */
int store_drop_unsynced(ImageStore *store, Error *err);

/* The full name, with a tag, that an image may be given. */
int image_target_name(const char *target, char **ret, Error *err);
/* What a reference means. The lock is held. */
typedef struct Resolved {
        char *id;    /* of the image; of an index that where nobody asks for a platform */
        char *name;  /* the full name by which it was found; NULL: by an id or a digest */
        char *index; /* digest of the index that is meant, or NULL */
} Resolved;
int image_resolve(ImageStore *store, const char *ref, Resolved *ret, Error *err);
void resolved_done(Resolved *resolved);
/* What it stands for on that platform: id, and no index. The lock is held. */
int image_resolve_platform(ImageStore *store, const char *ref, const char *platform, Resolved *ret,
                           Error *err);
int image_read(ImageStore *store, const char *id, Image *ret, Error *err); /* the lock is held */
/* images.used_at, as Image has it: of image ?1. */
#define SQL_USED_AT                                                                                \
        "(SELECT max(max(tagged_at, coalesce(at, 0))) FROM images AS those LEFT JOIN uses ON "     \
        "image=those.id WHERE those.id=?1 OR those.id IN (SELECT image FROM index_images WHERE "   \
        "index_digest IN (SELECT index_digest FROM index_images WHERE image=?1)))"

/* As image_hold. The lock is held, as in the two that follow. */
int image_hold_locked(ImageStore *store, const char *image_id, const char *holder, Error *err);
/* A lease keeps an image, or an index, from being removed, until image_release of its holder. */
int lease_put(ImageStore *store, const char *holder, const char *digest, Error *err);
int lease_find(ImageStore *store, const char *digest, bool *ret, Error *err);
