/* mounts-change.c: mounts added to and taken from a container that is there. They are those of its
 * creation until they are changed, and then a set that is replaced as a whole, so that who reads
 * them needs no lock. What a mount is made of is mounts.c's. Anonymous volumes are named in the
 * record before they are made: a daemon that finds such names takes back those that nothing
 * mounts. */
#include <errno.h>

#include "base/log.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/mount-spec.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/ocispec.h"
#include "engine/state.h"
#include "engine/volumes.h"

static const JsonField set_fields[] = {
        JSON_NESTED(MountSet, "points", JSON_ARRAY, points, 0, &mount_point_table),
        JSON_FIELD(MountSet, "binds", JSON_STRINGS, binds, JSON_OMIT_EMPTY),
        JSON_NESTED(MountSet, "specs", JSON_ARRAY, specs, JSON_OMIT_EMPTY, &mount_spec_table),
        JSON_FIELD(MountSet, "tmpfs", JSON_PAIRS, tmpfs, JSON_OMIT_EMPTY),
};
static const JsonTable set_table = JSON_TABLE(MountSet, "mounts", set_fields);

/* ---- the set ---- */

MountSet *mount_set_ref(MountSet *set) {
        if (set)
                (void)atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
        return set;
}

MountSet *mount_set_unref(MountSet *set) {
        if (set && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1) {
                json_done(&set_table, set);
                free(set);
        }
        return NULL;
}

static MountSet *mount_set_new(void) {
        MountSet *set = NEW(MountSet);

        atomic_init(&set->references, 1);
        return set;
}

const JsonArray *container_mounts(const Container *container) {
        return container->mounted ? &container->mounted->points : &container->mounts;
}

const JsonArray *snapshot_mounts(const Container *container, const ContainerSnapshot *snapshot) {
        return snapshot && snapshot->mounted ? &snapshot->mounted->points : &container->mounts;
}

void host_lend_mounts(HostConfig *host, const MountSet *set) {
        host->binds = set->binds;
        host->mounts = set->specs;
        host->tmpfs = set->tmpfs;
}

/* ---- the record ---- */

void container_mounts_write(const Container *container, json_object *state) {
        if (container->mounted)
                json_object_object_add(state, "mounts", json_write(&set_table, container->mounted));
}

int container_mounts_read(Container *container, json_object *state, Error *err) {
        json_object *document = json_member(state, "mounts");
        MountSet *set = document ? mount_set_new() : NULL;
        int r = set ? json_read(&set_table, document, set, err) : 0;

        if (r < 0)
                mount_set_unref(set);
        else
                container->mounted = set;
        return r;
}

/* ---- what of it goes ---- */

static bool is_removed(char *const *removed, const char *destination) {
        for (; removed && *removed; removed++) {
                _cleanup_free_ char *clean = path_clean(*removed);

                if (str_equal(clean, destination))
                        return true;
        }
        return false;
}

static bool bind_is_removed(char *const *removed, const char *text) {
        MountPoint point = { 0 };
        /* It was parsed at the creation. */
        bool is =
                mount_parse_bind(text, &point, NULL) == 0 && is_removed(removed, point.destination);

        json_done(&mount_point_table, &point);
        return is;
}

static bool spec_is_removed(char *const *removed, const MountSpec *spec) {
        _cleanup_free_ char *target = path_clean(spec->target ?: "");

        return is_removed(removed, target);
}

static bool tmpfs_is_removed(char *const *removed, const char *destination) {
        _cleanup_free_ char *target = path_clean(destination);

        return is_removed(removed, target);
}

/* All that the container has but what is removed. */
static MountSet *set_without(const Container *container, char *const *removed) {
        const HostConfig host = container_host(container);
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;
        const MountSpec *specs = host.mounts.items;
        MountSet *set = mount_set_new();

        for (size_t i = 0; i < mounts->count; i++)
                if (!is_removed(removed, points[i].destination))
                        json_copy(&mount_point_table, &points[i],
                                  json_append(&set->points, &mount_point_table));
        for (char **text = host.binds; text && *text; text++)
                if (!bind_is_removed(removed, *text))
                        strv_add(&set->binds, *text);
        for (size_t i = 0; i < host.mounts.count; i++)
                if (!spec_is_removed(removed, &specs[i]))
                        json_copy(&mount_spec_table, &specs[i],
                                  json_append(&set->specs, &mount_spec_table));
        for (size_t i = 0; i < host.tmpfs.count; i++)
                if (!tmpfs_is_removed(removed, host.tmpfs.items[i].key))
                        pairs_put(&set->tmpfs, host.tmpfs.items[i].key, host.tmpfs.items[i].value);
        return set;
}

static int check_removed(const Container *container, char *const *removed, Error *err) {
        const JsonArray *mounts = container_mounts(container);

        for (; removed && *removed; removed++) {
                _cleanup_free_ char *clean = path_clean(*removed);

                if (!mount_find(mounts, clean))
                        return error_kind(err, ERROR_INVALID,
                                          "container %s has no mount at %s: Mounts and "
                                          "HostConfig.Tmpfs of its inspect have what it does",
                                          container->name, *removed);
        }
        return 0;
}

/* ---- what comes ---- */

static size_t count_anonymous(const JsonArray *added) {
        const MountSpec *specs = added->items;
        size_t count = 0;

        for (size_t i = 0; i < added->count; i++)
                count += str_equal(specs[i].type, "volume") && str_empty(specs[i].source);
        return count;
}

/* The intent: from here on a daemon that is killed knows what it may have made. */
static int note_anonymous(Container *container, const JsonArray *added, Error *err) {
        size_t count = count_anonymous(added);
        int r;

        if (count == 0)
                return 0;
        for (; count > 0; count--) {
                char name[ID_LENGTH + 1];

                id_new(name);
                strv_add(&container->state.volumes_begun, name);
        }
        r = container_save(container, container_is_kept(container), err);
        if (r < 0)
                container->state.volumes_begun = strv_free(container->state.volumes_begun);
        return r;
}

static int taken_check(const MountSet *set, const MountSpec *spec, Error *err) {
        _cleanup_free_ char *target = path_clean(spec->target ?: "");

        if (!mount_find(&set->points, target))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "Duplicate mount point: %s: name it in MountsRemoved (brig update "
                          "--mount-rm %s), too, for this one to take its place",
                          target, target);
}

static int add_all(MountJob *job, MountSet *set, const JsonArray *added, Error *err) {
        const MountSpec *specs = added->items;
        _cleanup_strv_ char **taken = NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < added->count; i++) {
                r = taken_check(set, &specs[i], err);
                if (r == 0)
                        r = mount_resolve(job, &specs[i], &taken, err);
                if (r < 0)
                        break;
                mount_set_read_only_below((MountPoint *)set->points.items + set->points.count - 1,
                                          &specs[i], true);
                json_copy(&mount_spec_table, &specs[i],
                          json_append(&set->specs, &mount_spec_table));
        }
        return r < 0 ? r : mounts_check_idmaps(job->container, &set->points, err);
}

/* ---- uses ---- */

static void keep_layers(char *const *kept, char **layers) {
        for (; kept && *kept; kept++)
                while (layers && strv_drop(layers, *kept))
                        ;
}

/* The layers of an image's mount are held no more but for those that the rest needs. */
static void release_layers(const Container *container, const JsonArray *has,
                           const MountPoint *point) {
        _cleanup_strv_ char **layers = strv_copy(point->layers);
        const MountPoint *points = has->items;
        Error error = { 0 };

        keep_layers(container->lowers, layers);
        for (size_t i = 0; i < has->count; i++)
                keep_layers(points[i].layers, layers);
        for (char **layer = layers; layer && *layer; layer++)
                if (image_release_layer(container->engine->images, container->id,
                                        *layer + strlen(IMAGE_DIRECTORY), &error) < 0)
                        log_error("release a layer that container %s mounted: %s", container->id,
                                  error.message);
}

/* What `had` uses and `has` does not is used no more. made: volumes that go with it. */
static void end_uses(Container *container, const JsonArray *had, const JsonArray *has,
                     char *const *made) {
        const MountPoint *points = had->items;
        Engine *engine = container->engine;

        for (size_t i = 0; i < had->count; i++) {
                const char *name = points[i].name;

                if (points[i].layers)
                        release_layers(container, has, &points[i]);
                if (!name || mounts_have_volume(has, name))
                        continue;
                if (strv_has(made, name))
                        volume_unuse_and_remove(engine, name, container->id);
                else
                        volume_unuse(engine, name, container->id);
        }
}

/* ---- change ---- */

int mounts_change_check(const Container *container, const ContainerUpdate *update, Error *err) {
        int r = check_removed(container, update->mounts_removed, err);

        if (r < 0)
                return r;
        if (container_is_running(container))
                return error_kind(err, ERROR_CONFLICT,
                                  "container %s runs, and its mounts are changed while it does "
                                  "not: stop it (brig stop %s), update it, start it again",
                                  container->name, container->name);
        return 0;
}

int mounts_change_begin(Container *container, const ContainerUpdate *update, MountsChange *ret,
                        Error *err) {
        MountSet *set = set_without(container, update->mounts_removed);
        MountJob job = { .container = container, .points = &set->points };
        int r = note_anonymous(container, &update->mounts_added, err);

        if (r < 0) {
                mount_set_unref(set);
                return r;
        }
        job.names = container->state.volumes_begun;
        r = add_all(&job, set, &update->mounts_added, err);
        *ret = (MountsChange){ set, job.made };
        if (r < 0)
                mounts_change_undo(container, ret);
        return r;
}

void mounts_change_undo(Container *container, MountsChange *change) {
        bool begun = container->state.volumes_begun != NULL;
        Error error = { 0 };

        end_uses(container, &change->set->points, container_mounts(container), change->made);
        container->state.volumes_begun = strv_free(container->state.volumes_begun);
        if (begun && container_save(container, container_is_kept(container), &error) < 0)
                log_error("record container %s as it was: %s", container->id, error.message);
        mounts_change_done(change);
}

void mounts_change_settle(Container *container, const MountsChange *change) {
        const JsonArray *had = change->set ? &change->set->points : &container->mounts;

        mounts_note_use(container, had);
        end_uses(container, had, container_mounts(container), NULL);
}

void mounts_change_done(MountsChange *change) {
        mount_set_unref(change->set);
        strv_free(change->made);
        *change = (MountsChange){ 0 };
}

/* ---- at the daemon's start ---- */

void mounts_change_forget(Container *container) {
        _cleanup_strv_ char **names = TAKE_PTR(container->state.volumes_begun);
        Error error = { 0 };

        /* What the change became, a record that was restored does not know. */
        if (names && engine_record_was_restored(container->engine)) {
                if (container_save(container, container_is_kept(container), &error) < 0)
                        log_error("record container %s: %s", container->id, error.message);
                return;
        }
        for (char **name = names; name && *name; name++)
                if (id_valid(*name) && !mounts_have_volume(container_mounts(container), *name))
                        volume_unuse_and_remove(container->engine, *name, container->id);
}
