/* volumes.c: the index of volumes, and the API's calls on them. A volume is a directory below
 * <data root>/volumes and a row of the record; the row is there first and goes last, so that a
 * killed daemon leaves no directory that nobody knows of. Who mounts them is mounts.c's. */
#include "engine/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/filters.h"
#include "engine/ocispec.h"

typedef struct Volume {
        char *name;
        int64_t created; /* ns since 1970 */
        Pairs labels;
        /* Guarded by the index's lock. */
        char **users; /* container ids */
        bool removing;
} Volume;

struct Volumes {
        pthread_mutex_t lock;      /* taken after a container's; only the record's inside it */
        pthread_mutex_t fill_lock; /* one at a time is filled from an image */
        Map by_name;
};

static const JsonField volume_fields[] = {
        JSON_FIELD(Volume, "created", JSON_INT, created, 0),
        JSON_FIELD(Volume, "labels", JSON_PAIRS, labels, JSON_OMIT_EMPTY),
};
static const JsonTable volume_table = JSON_TABLE(Volume, "volume", volume_fields);

static void lock_dropp(pthread_mutex_t **lock) {
        pthread_mutex_unlock(*lock);
}
#define HOLD(mutex)                                                                                \
        _cleanup_(lock_dropp) UNUSED pthread_mutex_t *held_ = (mutex);                             \
        pthread_mutex_lock(held_)

static Volume *volume_free(Volume *volume) {
        if (!volume)
                return NULL;
        free(volume->name);
        json_done(&volume_table, volume);
        strv_free(volume->users);
        free(volume);
        return NULL;
}

/* ---- directories ---- */

char *volume_mountpoint(const Engine *engine, const char *name) {
        return str_format("%s/volumes/%s/_data", engine->options.data_root, name);
}

int volume_open(Engine *engine, const char *name, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("volumes/%s", name);
        _cleanup_close_ int fd = -1;

        int r = dir_open_at(engine->data_root_fd, path, 0710, &fd, err);
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
        if (!name_valid(name))
                return error_kind(err, ERROR_INVALID,
                                  "create %s: \"%s\" includes invalid characters for a local "
                                  "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If "
                                  "you intended to pass a host directory, use absolute path",
                                  name, name);
        return 0;
}

static int volume_make(Engine *engine, const char *name, const Pairs *labels, bool durable,
                       Volume **ret, Error *err) {
        Volume *volume = NEW(Volume);
        _cleanup_close_ int fd = -1;

        volume->name = str_copy(name);
        volume->created = clock_now();
        if (labels)
                pairs_copy(&volume->labels, labels);
        _cleanup_free_ char *document = json_text(&volume_table, volume);
        const DbRecord record = { .id = name, .name = name, .document = document };
        int r = db_insert(engine->db, DB_VOLUMES, &record, durable, err);
        if (r == 0) {
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

int volume_use(Engine *engine, const char *name, const char *container_id, const Pairs *labels,
               bool durable, char **ret_name, bool *ret_made, Error *err) {
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
                r = volume_make(engine, wanted, labels, durable, &volume, err);
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
        Volume *volume;

        int r = volume_get(engine, name, &volume, err);
        if (r < 0)
                return r;
        if (!volume)
                return error_kind(err, ERROR_NOT_FOUND, "get %s: no such volume", name);
        if (strv_length(volume->users) > 0) {
                _cleanup_free_ char *users = strv_join(volume->users, ", ");
                return error_kind(err, ERROR_CONFLICT, "remove %s: volume is in use - [%s]", name,
                                  users);
        }
        const DbRecord record = { .id = name, .state = "{\"removing\":true}" };
        r = db_update(engine->db, DB_VOLUMES, &record, false, err);
        if (r == 0)
                volume->removing = true;
        return r;
}

static int removal_end(Engine *engine, const char *name, Error *err) {
        int r = volume_remove_directory(engine, name, err);

        HOLD(&engine->volumes->lock);
        if (r == 0)
                r = db_delete(engine->db, DB_VOLUMES, name, true, err);
        if (r < 0) {
                Volume *volume = map_get(&engine->volumes->by_name, name);
                if (volume)
                        volume->removing = false; /* so that it can be tried again */
                return error_prefix(err, "remove %s", name);
        }
        volume_free(map_drop(&engine->volumes->by_name, name));
        return 0;
}

void volume_unuse_and_remove(Engine *engine, const char *name, const char *container_id) {
        Error error = { 0 };

        volume_unuse(engine, name, container_id);
        int r = removal_begin(engine, name, &error);
        if (r == 0)
                r = removal_end(engine, name, &error);
        if (r == 0)
                emit(engine, "destroy", name);
        else if (error.kind != ERROR_CONFLICT && error.kind != ERROR_NOT_FOUND)
                log_warn("anonymous volume %s: %s", name, error.message);
}

int engine_volume_remove(Engine *engine, const char *name, bool force, Error *err) {
        Error ours = { 0 };

        err = err ?: &ours;
        int r = removal_begin(engine, name, err);
        if (r < 0)
                return force && err->kind == ERROR_NOT_FOUND ? 0 : r;
        r = removal_end(engine, name, err);
        if (r == 0)
                emit(engine, "destroy", name);
        return r;
}

/* ---- filling ---- */

static bool is_empty(int fd) {
        _cleanup_closedir_ DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
        struct dirent *entry;

        if (dir)
                rewinddir(dir);
        while (dir && (entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        return false;
        return dir != NULL;
}

int volume_fill(Container *container, const char *name, const char *path, Error *err) {
        struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int volume_fd = -1, root_fd = -1, from_fd = -1;

        HOLD(&container->engine->volumes->fill_lock);
        int r = volume_open(container->engine, name, &volume_fd, err);
        if (r < 0 || !is_empty(volume_fd))
                return r;
        r = rootfs_open_image(container, &root_fd, err);
        if (r < 0)
                return r;
        from_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (from_fd < 0) /* the image has nothing there, or no directory */
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                               ? 0
                               : error_set(err, errno, "open %s of the image", path);
        r = directory_copy(from_fd, volume_fd, err);
        return r < 0 ? error_prefix(err, "fill volume %s from %s of the image", name, path) : 0;
}

/* ---- documents ---- */

static json_object *pairs_or_null(const Pairs *pairs) {
        json_object *object = pairs->count ? json_object_new_object() : NULL;

        for (size_t i = 0; i < pairs->count; i++)
                (void)json_object_object_add(object, pairs->items[i].key,
                                             json_object_new_string(pairs->items[i].value));
        return object;
}

static json_object *volume_document(const Engine *engine, const Volume *volume) {
        json_object *object = json_object_new_object();
        _cleanup_free_ char *mountpoint = volume_mountpoint(engine, volume->name);
        char when[CLOCK_TEXT_MAX];

        clock_format(volume->created / NSEC_PER_SEC * NSEC_PER_SEC, when);
        (void)json_object_object_add(object, "CreatedAt", json_object_new_string(when));
        (void)json_object_object_add(object, "Driver", json_object_new_string("local"));
        (void)json_object_object_add(object, "Labels", pairs_or_null(&volume->labels));
        (void)json_object_object_add(object, "Mountpoint", json_object_new_string(mountpoint));
        (void)json_object_object_add(object, "Name", json_object_new_string(volume->name));
        (void)json_object_object_add(object, "Options", NULL);
        (void)json_object_object_add(object, "Scope", json_object_new_string("local"));
        return object;
}

static void add_document(Buf *json, json_object *object) {
        buf_add_str(json, json_object_to_json_string_ext(
                                  object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

int engine_volume_inspect(Engine *engine, const char *name, Buf *json, Error *err) {
        HOLD(&engine->volumes->lock);
        const Volume *volume = map_get(&engine->volumes->by_name, name);

        if (!volume)
                return error_kind(err, ERROR_NOT_FOUND, "get %s: no such volume", name);
        _cleanup_json_ json_object *object = volume_document(engine, volume);
        add_document(json, object);
        return 0;
}

static int create_check(const VolumeCreate *create, Error *err) {
        if (!str_empty(create->driver) && !str_equal(create->driver, "local"))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "create %s: error looking up volume plugin %s: plugin \"%s\" not "
                                  "found",
                                  create->name ?: "", create->driver, create->driver);
        if (create->driver_opts.count > 0)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "DriverOpts (--opt) of volumes is not supported yet: mount the "
                                  "device on the host and bind it");
        return str_empty(create->name) ? 0 : name_check(create->name, err);
}

int engine_volume_create(Engine *engine, const VolumeCreate *create, Buf *json, Error *err) {
        char random[ID_LENGTH + 1];
        const char *name = create->name;

        int r = create_check(create, err);
        if (r < 0)
                return r;
        if (str_empty(name)) {
                id_new(random);
                name = random;
        }
        HOLD(&engine->volumes->lock);
        Volume *volume;
        r = volume_get(engine, name, &volume, err);
        if (r == 0 && !volume) {
                r = volume_make(engine, name, &create->labels, true, &volume, err);
                if (r == 0)
                        emit(engine, "create", name);
        }
        if (r < 0)
                return r;
        _cleanup_json_ json_object *object = volume_document(engine, volume);
        add_document(json, object);
        return 0;
}

/* ---- list ---- */

static bool volume_matches(const Volume *volume, const Filters *filters) {
        char *const *names = filters_get(filters, "name");
        char *const *drivers = filters_get(filters, "driver");
        char *const *dangling = filters_get(filters, "dangling");

        if (!text_matches(volume->name, names))
                return false;
        if (drivers && !strv_has(drivers, "local"))
                return false;
        if (dangling && filter_is_true(dangling[0]) != (strv_length(volume->users) == 0))
                return false;
        return labels_match(&volume->labels, filters_get(filters, "label")) && !volume->removing;
}

static int by_name(const void *a, const void *b) {
        return strcmp((*(const Volume *const *)a)->name, (*(const Volume *const *)b)->name);
}

int engine_volume_list(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "dangling", "driver", "label", "name", NULL };
        const char *name;
        void *value;
        size_t count = 0;

        int r = filters_check(filters, accepted, err);
        if (r < 0)
                return r;
        HOLD(&engine->volumes->lock);
        _cleanup_free_ Volume **volumes = NEW_ARRAY(Volume *, engine->volumes->by_name.count + 1);
        MAP_EACH(&engine->volumes->by_name, name, value) {
                if (volume_matches(value, filters))
                        volumes[count++] = value;
        }
        qsort(volumes, count, sizeof(*volumes), by_name);
        buf_add_str(json, "{\"Volumes\":[");
        for (size_t i = 0; i < count; i++) {
                _cleanup_json_ json_object *object = volume_document(engine, volumes[i]);

                buf_add_str(json, i > 0 ? "," : "");
                add_document(json, object);
        }
        buf_add_str(json, "],\"Warnings\":null}");
        return 0;
}

/* ---- start and end of the daemon ---- */

typedef struct LoadJob {
        Engine *engine;
        Volumes *volumes;
        char **half_removed;
} LoadJob;

static int load_row(void *data, const DbRecord *record, Error *err) {
        LoadJob *job = data;
        Volume *volume = NEW(Volume);

        volume->name = str_copy(record->id);
        int r = name_valid(record->id) ? json_parse(&volume_table, record->document ?: "{}",
                                                    strlen(record->document ?: "{}"), volume, err)
                                       : error_kind(err, ERROR_INTERNAL, "not a volume's name");
        if (r < 0) {
                error_prefix(err, "volume '%s' in the record", record->id);
                volume_free(volume);
                return r;
        }
        if (record->state && strstr(record->state, "removing"))
                strv_add(&job->half_removed, record->id);
        (void)map_put(&job->volumes->by_name, record->id, volume);
        return 0;
}

int volumes_new(Engine *engine, Volumes **ret, Error *err) {
        LoadJob job = { engine, NEW(Volumes), NULL };
        _cleanup_close_ int fd = -1;

        pthread_mutex_init(&job.volumes->lock, NULL);
        pthread_mutex_init(&job.volumes->fill_lock, NULL);
        int r = dir_open_at(engine->data_root_fd, "volumes", 0711, &fd, err);
        if (r == 0)
                r = db_each(engine->db, DB_VOLUMES, load_row, &job, err);
        if (r == 0) {
                *ret = engine->volumes = job.volumes;
                for (char **name = job.half_removed; name && *name; name++) {
                        Error error = { 0 };

                        if (removal_end(engine, *name, &error) < 0)
                                log_warn("%s", error.message);
                }
        } else {
                volumes_free(job.volumes);
        }
        strv_free(job.half_removed);
        return r;
}

static void free_value(void *volume) {
        volume_free(volume);
}

Volumes *volumes_free(Volumes *volumes) {
        if (!volumes)
                return NULL;
        map_done(&volumes->by_name, free_value);
        pthread_mutex_destroy(&volumes->lock);
        pthread_mutex_destroy(&volumes->fill_lock);
        free(volumes);
        return NULL;
}
