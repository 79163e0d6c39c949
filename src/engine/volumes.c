/* volumes.c: the index of volumes, and the API's calls that change it. A volume is a directory
 * below <data root>/volumes and a row of the record; the row is there first and goes last, so that
 * a killed daemon leaves no directory that nobody knows of. Who mounts them is mounts.c's, what
 * they look like volume-documents.c's. */
#include "engine/volumes.h"
#include "engine/engine-private.h"
#include "engine/events.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/documents.h"
#include "engine/ocispec.h"
#include "engine/room.h"

typedef struct Volume {
        VolumeInfo info;
        /* Guarded by the index's lock. */
        char **users; /* container ids */
        bool removing;
        bool stuck; /* its removal failed, and the record cannot be told: nobody may use it, as the
                       next daemon would finish the removal; it can be removed again */
        VolumeMount mount;
        pthread_mutex_t fill_lock; /* taken after a container's; held while it is filled */
} Volume;

struct Volumes {
        pthread_mutex_t lock; /* taken after those of containers and of one volume; only the
                                 record's inside it */
        Map by_name;
};

static const JsonField volume_fields[] = {
        JSON_FIELD(Volume, "created", JSON_INT, info.created, 0),
        JSON_FIELD(Volume, "labels", JSON_PAIRS, info.labels, JSON_OMIT_EMPTY),
        JSON_FIELD(Volume, "options", JSON_PAIRS, info.options, JSON_OMIT_EMPTY),
};
static const JsonTable volume_table = JSON_TABLE(Volume, "volume", volume_fields);

/* A row's state from before its directory is touched until the row is gone. */
#define STATE_REMOVING "{\"removing\":true}"

static void lock_dropp(pthread_mutex_t **lock) {
        pthread_mutex_unlock(*lock);
}
#define HOLD(mutex)                                                                                \
        _cleanup_(lock_dropp) UNUSED pthread_mutex_t *held_ = (mutex);                             \
        pthread_mutex_lock(held_)

static Volume *volume_new(const char *name) {
        Volume *volume = NEW(Volume);

        volume->info.name = str_copy(name);
        volume_mount_init(&volume->mount, &volume->info.options);
        pthread_mutex_init(&volume->fill_lock, NULL);
        return volume;
}

static Volume *volume_free(Volume *volume) {
        if (!volume)
                return NULL;
        volume_mount_done(&volume->mount);
        pthread_mutex_destroy(&volume->fill_lock);
        free(volume->info.name);
        json_done(&volume_table, volume);
        strv_free(volume->users);
        free(volume);
        return NULL;
}

/* ---- directories ---- */

char *volume_mountpoint(const Engine *engine, const char *name) {
        return str_format("%s/volumes/%s/_data", engine->options.data_root, name);
}

int volume_open_place(Engine *engine, const char *name, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("volumes/%s", name);

        return dir_open_at(engine->data_root_fd, path, 0710, ret_fd, err);
}

int volume_open(Engine *engine, const char *name, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = volume_open_place(engine, name, &fd, err);

        return r < 0 ? r : dir_open_at(fd, "_data", 0755, ret_fd, err);
}

static int volume_remove_directory(Engine *engine, const char *name, Error *err) {
        _cleanup_free_ char *path = str_format("volumes/%s", name);

        return dir_remove_at(engine->data_root_fd, path, err);
}

/* ---- the index; lock held ---- */

static int name_check(const char *name, Error *err) {
        if (strlen(name) == 1)
                return error_kind(err, ERROR_INVALID,
                                  "create %s: volume name is too short, names should be at least "
                                  "two alphanumeric characters",
                                  name);
        if (strlen(name) > NAME_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "create %.40s…: volume name is too long, names should be at most "
                                  "%d characters",
                                  name, NAME_MAX);
        if (!name_valid(name) && !BUG("names"))
                return error_kind(err, ERROR_INVALID,
                                  "create %s: \"%s\" includes invalid characters for a local "
                                  "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If "
                                  "you intended to pass a host directory, use absolute path",
                                  name, name);
        return 0;
}

static int volume_make(Engine *engine, const char *name, const VolumeCreate *create, bool durable,
                       Volume **ret, Error *err) {
        Volume *volume = volume_new(name);
        _cleanup_close_ int fd = -1;

        volume->info.created = clock_now();
        pairs_copy(&volume->info.labels, &create->labels);
        pairs_copy(&volume->info.options, &create->driver_opts);
        _cleanup_free_ char *document = json_text(&volume_table, volume);
        const DbRecord record = { .id = name, .name = name, .document = document };
        int r = failpoint("volume.record", err);
        if (r == 0)
                r = db_insert(engine->db, DB_VOLUMES, &record, durable, err);
        if (r == 0) {
                r = failpoint("volume.directory", err);
                if (r == 0)
                        r = volume_open(engine, name, &fd, err);
                if (r < 0)
                        (void)db_delete(engine->db, DB_VOLUMES, name, false, NULL);
        }
        if (r < 0) {
                volume_free(volume);
                return error_prefix(err, "create %s", name);
        }
        (void)map_put(&engine->volumes->by_name, name, volume);
        *ret = volume;
        return 0;
}

static int volume_get(Engine *engine, const char *name, Volume **ret, Error *err) {
        *ret = map_get(&engine->volumes->by_name, name);
        if (*ret && (*ret)->removing)
                return error_kind(err, ERROR_CONFLICT, "volume %s is being removed: try again",
                                  name);
        return 0;
}

static void emit(Engine *engine, const char *action, const char *name) {
        Pairs attributes = { 0 };

        pairs_put(&attributes, "driver", "local");
        engine_event_emit(engine, "volume", action, name, &attributes);
        pairs_done(&attributes);
}

/* ---- uses ---- */

int volume_use(Engine *engine, const char *name, const char *container_id,
               const VolumeCreate *create, bool durable, char **ret_name, bool *ret_made,
               Error *err) {
        char random[ID_LENGTH + 1];
        Volume *volume;

        if (!name)
                id_new(random);
        else if (name_check(name, err) < 0)
                return -EINVAL;
        const char *wanted = name ?: random;
        HOLD(&engine->volumes->lock);
        int r = volume_get(engine, wanted, &volume, err);
        if (r < 0)
                return r;
        *ret_made = !volume;
        if (!volume) {
                r = volume_make(engine, wanted, create, durable, &volume, err);
                if (r < 0)
                        return r;
                emit(engine, "create", wanted);
        }
        if (!strv_has(volume->users, container_id))
                strv_add(&volume->users, container_id);
        *ret_name = str_copy(wanted);
        return 0;
}

void volume_adopt_use(Engine *engine, const char *name, const char *container_id) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);

        if (volume && !strv_has(volume->users, container_id))
                strv_add(&volume->users, container_id);
}

void volume_unuse(Engine *engine, const char *name, const char *container_id) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);

        if (volume && volume->users)
                (void)strv_drop(volume->users, container_id);
}

/* ---- removal ---- */

/* Marks it, so that nobody takes it into use while its files go. */
static int removal_begin(Engine *engine, const char *name, Error *err) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);
        int r = volume && volume->stuck ? 0 : volume_get(engine, name, &volume, err);

        if (r < 0)
                return r;
        if (!volume)
                return error_kind(err, ERROR_NOT_FOUND, "get %s: no such volume", name);
        if (strv_length(volume->users) > 0) {
                _cleanup_free_ char *users = strv_join(volume->users, ", ");
                return error_kind(err, ERROR_CONFLICT, "remove %s: volume is in use - [%s]", name,
                                  users);
        }
        const DbRecord record = { .id = name, .state = STATE_REMOVING };
        /* Synced: files go next, and no volume, nor the container whose removal this is part of, is
         * to be back after a power cut without them. */
        r = db_update(engine->db, DB_VOLUMES, &record, true, err);
        if (r < 0)
                return r;
        volume->removing = true;
        volume->stuck = false;
        return 0;
}

/* Lock held. It can be used, and its removal be tried again, once the record says so: what that
 * still has as being removed, the next daemon removes. */
static void removal_undo(Engine *engine, Volume *volume) {
        const DbRecord record = { .id = volume->info.name, .state = "{}" };
        Error error = { 0 };

        volume->stuck = db_update(engine->db, DB_VOLUMES, &record, true, &error) < 0;
        volume->removing = volume->stuck;
        if (volume->stuck)
                log_error("volume %s, which could not be removed, cannot be used before it is: %s",
                          volume->info.name, error.message);
}

static int removal_end(Engine *engine, const char *name, Error *err) {
        /* What is mounted there is no volume's to remove. */
        int r = failpoint("volume.unmount", err);

        if (r == 0)
                r = volume_unmount(engine, name, err);
        if (r == 0)
                r = failpoint("volume.remove", err);
        if (r == 0)
                r = volume_remove_directory(engine, name, err);
        HOLD(&engine->volumes->lock);
        if (r == 0)
                r = failpoint("volume.forget", err);
        if (r == 0)
                r = db_delete(engine->db, DB_VOLUMES, name, true, err);
        if (r < 0) {
                removal_undo(engine, map_get(&engine->volumes->by_name, name));
                return error_prefix(err, "remove %s", name);
        }
        volume_free(map_drop(&engine->volumes->by_name, name));
        return 0;
}

static int remove_volume(Engine *engine, const char *name, Error *err) {
        ROOM_TO_REMOVE(engine);
        int r = removal_begin(engine, name, err);

        if (r == 0)
                r = removal_end(engine, name, err);
        if (r == 0)
                emit(engine, "destroy", name);
        return r;
}

void volume_unuse_and_remove(Engine *engine, const char *name, const char *container_id) {
        Error error = { 0 };

        volume_unuse(engine, name, container_id);
        if (remove_volume(engine, name, &error) < 0 && error.kind != ERROR_CONFLICT &&
            error.kind != ERROR_NOT_FOUND)
                log_warn("anonymous volume %s: %s", name, error.message);
}

int engine_volume_remove(Engine *engine, const char *name, bool force, Error *err) {
        Error ours = { 0 };

        err = err ?: &ours;
        int r = remove_volume(engine, name, err);
        return r < 0 && force && err->kind == ERROR_NOT_FOUND ? 0 : r;
}

/* ---- filling ---- */

static pthread_mutex_t *fill_lock_of(Engine *engine, const char *name) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);

        return &volume->fill_lock; /* it is in use, and stays */
}

int volume_fill(Container *container, const char *name, const char *path, Error *err) {
        uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        _cleanup_close_ int volume_fd = -1, root_fd = -1, from_fd = -1;

        HOLD(fill_lock_of(container->engine, name));
        int r = volume_open_empty(container->engine, name, &volume_fd, err);
        if (r < 0 || volume_fd < 0)
                return r;
        r = rootfs_open_image(container, &root_fd, err);
        if (r < 0)
                return r;
        if (BUG("volume-copies")) {
                resolve = 0;
                path += strspn(path, "/");
        }
        from_fd = open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, resolve);
        if (from_fd < 0) /* the image has nothing there, or no directory */
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                               ? 0
                               : error_set(err, errno, "open %s of the image", path);
        r = directory_copy(from_fd, volume_fd, err);
        return r < 0 ? error_prefix(err, "fill volume %s from %s of the image", name, path) : 0;
}

/* ---- copies ---- */

void volume_info_done(VolumeInfo *info) {
        free(info->name);
        pairs_done(&info->labels);
        pairs_done(&info->options);
        *info = (VolumeInfo){ 0 };
}

static void info_copy(const Volume *volume, VolumeInfo *ret) {
        *ret = (VolumeInfo){ .name = str_copy(volume->info.name),
                             .created = volume->info.created,
                             .users = strv_length(volume->users) };
        pairs_copy(&ret->labels, &volume->info.labels);
        pairs_copy(&ret->options, &volume->info.options);
}

static bool is_directory(const Engine *engine, const char *name) {
        _cleanup_free_ char *path = str_format("volumes/%s/.", name);

        return faccessat(engine->data_root_fd, path, F_OK, 0) == 0;
}

int volume_info(Engine *engine, const char *name, VolumeInfo *ret, Error *err) {
        HOLD(&engine->volumes->lock);
        const Volume *volume = map_get(&engine->volumes->by_name, name);

        if (!volume && BUG("ids") && is_directory(engine, name)) { /* as if these were the index */
                *ret = (VolumeInfo){ .name = str_copy(name) };
                return 0;
        }
        if (!volume)
                return error_kind(err, ERROR_NOT_FOUND, "get %s: no such volume", name);
        info_copy(volume, ret);
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const VolumeInfo *)a)->name, ((const VolumeInfo *)b)->name);
}

void volumes_all(Engine *engine, VolumeInfo **ret, size_t *ret_count) {
        HOLD(&engine->volumes->lock);
        VolumeInfo *volumes = NEW_ARRAY(VolumeInfo, engine->volumes->by_name.count + 1);
        const char *name;
        void *value;
        size_t count = 0;

        MAP_EACH(&engine->volumes->by_name, name, value) {
                const Volume *volume = value;

                if (!volume->removing || volume->stuck)
                        info_copy(value, &volumes[count++]);
        }
        qsort(volumes, count, sizeof(*volumes), by_name);
        *ret = volumes;
        *ret_count = count;
}

void volumes_free_all(VolumeInfo *volumes, size_t count) {
        for (size_t i = 0; i < count; i++)
                volume_info_done(&volumes[i]);
        free(volumes);
}

VolumeMount *volume_mount_of(Engine *engine, const char *name) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);

        return volume && volume->info.options.count > 0 ? &volume->mount : NULL;
}

/* ---- create ---- */

static int create_check(const VolumeCreate *create, Error *err) {
        if (!str_empty(create->driver) && !str_equal(create->driver, "local"))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "create %s: error looking up volume plugin %s: plugin \"%s\" not "
                                  "found",
                                  create->name ?: "", create->driver, create->driver);
        int r = volume_options_check(&create->driver_opts, err);
        if (r < 0)
                return error_prefix(err, "create %s", create->name ?: "");
        return str_empty(create->name) ? 0 : name_check(create->name, err);
}

/* Lock held. */
static int create_locked(Engine *engine, const char *name, const VolumeCreate *create_,
                         Volume **ret, Error *err) {
        int r = volume_get(engine, name, ret, err);

        if (r < 0 || *ret)
                return r;
        r = volume_make(engine, name, create_, true, ret, err);
        if (r == 0)
                emit(engine, "create", name);
        return r;
}

static int create(Engine *engine, const char *name, const VolumeCreate *create_, VolumeInfo *ret,
                  Error *err) {
        HOLD(&engine->volumes->lock);
        Volume *volume;

        int r = create_locked(engine, name, create_, &volume, err);
        if (r == 0)
                info_copy(volume, ret);
        return r;
}

int engine_volume_create(Engine *engine, const VolumeCreate *request, Buf *json, Error *err) {
        _cleanup_(volume_info_done) VolumeInfo made = { 0 };
        _cleanup_(pairs_done) Pairs labels = { 0 };
        char random[ID_LENGTH + 1];
        const char *name = request->name;

        int r = create_check(request, err);
        if (r < 0)
                return r;
        pairs_copy(&labels, &request->labels);
        if (str_empty(name)) {
                id_new(random);
                name = random;
                pairs_put(&labels, VOLUME_ANONYMOUS, "");
        }
        const VolumeCreate as = { .labels = labels, .driver_opts = request->driver_opts };
        r = create(engine, name, &as, &made, err);
        if (r == 0)
                json_add_object(json, volume_document(engine, &made));
        return r;
}

/* ---- start and end of the daemon ---- */

static int load_row(void *data, const DbRecord *record, Error *err) {
        Volumes *volumes = data;
        Volume *volume = volume_new(record->id);

        int r = name_valid(record->id) ? json_parse(&volume_table, record->document ?: "{}",
                                                    strlen(record->document ?: "{}"), volume, err)
                                       : error_kind(err, ERROR_INTERNAL, "not a volume's name");
        if (r < 0) {
                error_prefix(err, "volume '%s' in the record", record->id);
                volume_free(volume);
                return r;
        }
        volume->removing = str_equal(record->state, STATE_REMOVING);
        (void)map_put(&volumes->by_name, record->id, volume);
        return 0;
}

int volumes_new(Engine *engine, Volumes **ret, Error *err) {
        Volumes *volumes = NEW(Volumes);
        _cleanup_close_ int fd = -1;

        pthread_mutex_init(&volumes->lock, NULL);
        int r = dir_open_at(engine->data_root_fd, "volumes", 0711, &fd, err);
        if (r == 0)
                r = db_each(engine->db, DB_VOLUMES, load_row, volumes, err);
        if (r < 0)
                volumes_free(volumes);
        else
                *ret = engine->volumes = volumes;
        return r;
}

/* Its removal is taken back if it is, or may be, in use. */
static bool keep_half_removed(Engine *engine, const char *name, bool all_known) {
        HOLD(&engine->volumes->lock);
        Volume *volume = map_get(&engine->volumes->by_name, name);

        if (all_known && strv_length(volume->users) == 0)
                return false;
        log_warn("volume %s, whose removal was begun by an earlier daemon, stays: %s", name,
                 strv_length(volume->users) > 0 ? "a container has it"
                                                : "not all containers are known");
        removal_undo(engine, volume);
        return true;
}

void volumes_finish_removals(Engine *engine, bool all_known) {
        _cleanup_strv_ char **names = NULL;
        const char *name;
        void *value;

        MAP_EACH(&engine->volumes->by_name, name, value) {
                if (((const Volume *)value)->removing)
                        strv_add(&names, name);
        }
        for (char **each = names; each && *each; each++) {
                Error error = { 0 };

                if (!keep_half_removed(engine, *each, all_known) &&
                    removal_end(engine, *each, &error) < 0)
                        log_warn("%s", error.message);
        }
}

static void free_value(void *volume) {
        volume_free(volume);
}

Volumes *volumes_free(Volumes *volumes) {
        if (!volumes)
                return NULL;
        map_done(&volumes->by_name, free_value);
        pthread_mutex_destroy(&volumes->lock);
        free(volumes);
        return NULL;
}
