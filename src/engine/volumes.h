/* volumes.h: volumes as mounts.c, the documents and prune.c use them. Inside engine only; the API's
 * calls are in engine.h. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"

/* Docker's mark of a volume that got its name from the engine. */
#define VOLUME_ANONYMOUS "com.docker.volume.anonymous"

typedef struct VolumeInfo {
        char *name;
        int64_t created;       /* ns since 1970 */
        Pairs labels, options; /* options: of the local driver */
        size_t users;          /* containers; counted in a copy */
} VolumeInfo;
void volume_info_done(VolumeInfo *info);
/* A copy; volume_info_done it. not_found. */
int volume_info(Engine *engine, const char *name, VolumeInfo *ret, Error *err);
/* Copies of all but those that are being removed, by name; volumes_free_all it. */
void volumes_all(Engine *engine, VolumeInfo **ret, size_t *ret_count);
void volumes_free_all(VolumeInfo *volumes, size_t count);
/* volume-documents.c: as the API shows it, without UsageData. */
json_object *volume_document(const Engine *engine, const VolumeInfo *info);
/* Bytes of its files; -1: not measured, as what its options mount may be a server's that is away.
 */
int64_t volume_size(const Engine *engine, const VolumeInfo *info);

/* Takes volume `name` into use for a container, making it where it is missing (*ret_made), with the
 * labels and options of create. NULL: an
 * anonymous one gets a name. *ret_name is the caller's. durable: what is made survives a power cut.
 */
int volume_use(Engine *engine, const char *name, const char *container_id,
               const VolumeCreate *create, bool durable, char **ret_name, bool *ret_made,
               Error *err);
/* Ends the use; a missing volume or use is fine. */
void volume_unuse(Engine *engine, const char *name, const char *container_id);
/* The same and removes it if nobody else uses it. */
void volume_unuse_and_remove(Engine *engine, const char *name, const char *container_id);
/* At daemon start: a use that the record tells of. The volume need not exist. */
void volume_adopt_use(Engine *engine, const char *name, const char *container_id);
/* Where its files are, made if missing: *ret_fd is the caller's. Not of one that is mounted, whose
 * server may never answer. */
int volume_open(Engine *engine, const char *name, int *ret_fd, Error *err);
/* The same of the directory in which that is, "_data": this machine's own. */
int volume_open_place(Engine *engine, const char *name, int *ret_fd, Error *err);
char *volume_mountpoint(const Engine *engine, const char *name); /* the caller's */
/* ---- volume-mount.c: volumes with options ---- */

/* invalid or unsupported, in Docker's words. None at all are fine. */
int volume_options_check(const Pairs *options, Error *err);
/* What is mounted while a container runs. Guarded by its lock, which is taken after a container's.
 */
typedef struct VolumeMount {
        pthread_mutex_t lock;
        char **active;        /* ids of containers that run */
        const Pairs *options; /* never change */

        pthread_mutex_t call_lock;  /* short; of what follows */
        struct VolumeCall *hanging; /* asks a server that does not answer; nobody waits for it */
} VolumeMount;
/* volume-call.c */
void volume_mount_init(VolumeMount *mount, const Pairs *options);
void volume_mount_done(VolumeMount *mount);
/* volumes.c: NULL: there is no such volume, or it has no options. It lasts as long as the volume is
 * in use. */
VolumeMount *volume_mount_of(Engine *engine, const char *name);
/* Mounts what the volume's options name, unless it is, and sees that it answers. Without options
 * its directory is made, if it is missing. internal. */
int volume_activate(Engine *engine, const char *name, const char *container_id, Error *err);
/* The container does not run any more; the last one's unmounts. One that did not is fine. */
void volume_deactivate(Engine *engine, const char *name, const char *container_id);
/* At daemon start: a container that runs has it mounted. */
void volume_adopt_mount(Engine *engine, const char *name, const char *container_id);
/* After that: unmounts what a killed daemon left and nobody uses. */
void volumes_settle(Engine *engine);
/* Takes every mount off the volume's directory. */
int volume_unmount(Engine *engine, const char *name, Error *err);

/* ---- volume-call.c ---- */
/* What is at `subpath` below its root (O_PATH), once it is mounted. invalid, forbidden. */
int volume_open_subpath(Engine *engine, const char *name, const char *subpath, int *ret_fd,
                        Error *err);
/* Its root if it is empty, else -1. */
int volume_open_empty(Engine *engine, const char *name, int *ret_fd, Error *err);

/* Fills an empty volume with what the container's image has at `path`. */
int volume_fill(Container *container, const char *name, const char *path, Error *err);

/* tree-copy.c: copies what is in directory from_fd into directory to_fd, with owners, modes, times
 * and extended attributes, and gives to_fd those of from_fd. Follows no link. */
int directory_copy(int from_fd, int to_fd, Error *err);

int volumes_new(Engine *engine, Volumes **ret, Error *err); /* reads the record */
/* At daemon start, once it is known what containers use: what a removal that was cut short has left
 * goes; not where a container has the volume, or may (all_known is false). */
void volumes_finish_removals(Engine *engine, bool all_known);
Volumes *volumes_free(Volumes *volumes);
