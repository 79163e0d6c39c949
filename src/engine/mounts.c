/* mounts.c: a container's mount points, from what the request and the image ask for: parsed by
 * mount-spec.c, volumes taken into use from volumes.c. ocispec-mounts.c turns them into mounts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/image-mount.h"
#include "engine/mount-spec.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/ocispec.h"
#include "engine/outside.h"
#include "engine/registry.h"
#include "engine/root-mount.h"
#include "engine/volumes.h"

MountPoint *mount_find(const JsonArray *points, const char *destination) {
        MountPoint *items = points->items;

        for (size_t i = 0; i < points->count; i++)
                if (str_equal(items[i].destination, destination))
                        return &items[i];
        return NULL;
}

bool mounts_have_volume(const JsonArray *mounts, const char *name) {
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (str_equal(points[i].name, name))
                        return true;
        return false;
}

/* Takes what point holds, into a place of its own or that of one which it overrides; also of one
 * whose volume or image can't be used: what takes the job back ends its use. */
static void put(const MountJob *job, MountPoint *point) {
        Container *container = job->container;
        MountPoint *slot = mount_find(job->points, point->destination);
        _cleanup_free_ char *former = NULL;

        if (slot) {
                former = TAKE_PTR(slot->name);
                json_done(&mount_point_table, slot);
        } else {
                slot = json_append(job->points, &mount_point_table);
        }
        *slot = *point;
        *point = (MountPoint){ 0 };
        if (former && !mounts_have_volume(job->points, former))
                volume_unuse(container->engine, former, container->id);
}

static void point_done(MountPoint *point) {
        json_done(&mount_point_table, point);
}
#define _cleanup_point_ _cleanup_(point_done)

static int duplicate(const MountPoint *point, Error *err) {
        return error_kind(err, ERROR_INVALID, "Duplicate mount point: %s", point->destination);
}

static const MountSpec *find_spec(const Container *container, const char *destination) {
        const HostConfig host = container_host(container);
        const MountSpec *specs = host.mounts.items;

        for (size_t i = 0; i < host.mounts.count; i++) {
                _cleanup_free_ char *target = path_clean(specs[i].target ?: "");

                if (str_equal(target, destination))
                        return &specs[i];
        }
        return NULL;
}

/* ---- volumes ---- */

static void volume_create_done(VolumeCreate *create) {
        json_done(&volume_create_table, create);
}

/* An anonymous volume's name stands in its container's directory before the volume is made: by it a
 * daemon that finds a create cut short takes the volume back. */
#define VOLUME_MARK "volume-"

static int name_anonymous(Container *container, MountPoint *point, Error *err) {
        char name[ID_LENGTH + 1];

        id_new(name);
        _cleanup_free_ char *mark = str_format("%s/" VOLUME_MARK "%s", container->id, name);
        _cleanup_close_ int fd = openat(container->engine->containers_fd, mark,
                                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set(err, errno, "note an anonymous volume of container %s",
                                 container->id);
        point->name = str_copy(name);
        return 0;
}

/* Where it has options, they are mounted for that alone, as in Docker. */
static int fill(Container *container, const MountPoint *point, Error *err) {
        int r = volume_activate(container->engine, point->name, container->id, err);

        if (r == 0)
                r = volume_fill(container, point->name, point->destination, err);
        volume_deactivate(container->engine, point->name, container->id);
        return r;
}

/* asked: labels and options of one that is made; NULL: none. */
static int use_volume(MountJob *job, MountPoint *point, const MountVolumeOptions *asked,
                      Error *err) {
        _cleanup_(volume_create_done) VolumeCreate create = { 0 };
        Container *container = job->container;
        bool made, anonymous = !point->name;
        char *name;
        int r = 0;

        if (anonymous && job->names)
                point->name = str_copy(*job->names++);
        else if (anonymous)
                r = name_anonymous(container, point, err);
        if (r < 0)
                return r;
        if (asked)
                pairs_copy(&create.labels, &asked->labels);
        if (asked && asked->driver_config)
                pairs_copy(&create.driver_opts, &asked->driver_config->options);
        r = volume_options_check(&create.driver_opts, err);
        if (r < 0)
                return r;
        if (anonymous)
                pairs_put(&create.labels, VOLUME_ANONYMOUS, "");
        r = volume_use(container->engine, point->name, container->id, &create,
                       !container->spec.host.auto_remove, &name, &made, err);
        if (r < 0)
                return r;
        if (made)
                strv_add(&job->made, name);
        free(point->name);
        point->name = name;
        point->created_here = anonymous;
        free(point->source);
        point->source = volume_mountpoint(container->engine, name);
        return point->no_copy ? 0 : fill(container, point, err);
}

/* A volume that the request itself asks for is made by its driver. One that nothing uses may have
 * any name, as in Docker. */
static int use_own_volume(MountJob *job, MountPoint *point, Error *err) {
        const char *driver = job->container->spec.host.volume_driver;

        if (!str_empty(driver) && !str_equal(driver, "local"))
                return error_kind(err, ERROR_INVALID,
                                  "error looking up volume plugin %s: plugin \"%s\" not found",
                                  driver, driver);
        return use_volume(job, point, NULL, err);
}

/* ---- sources of mounts, in Docker's order: a later one overrides those of volumes-from ---- */

/* One that another container has. */
static int take_over(MountJob *job, const MountPoint *theirs, bool read_only, Error *err) {
        _cleanup_point_ MountPoint point = { 0 };
        int r = 0;

        json_copy(&mount_point_table, theirs, &point);
        point.rw = point.rw && !read_only;
        point.no_copy = true;
        if (point.name)
                r = use_volume(job, &point, NULL, err);
        if (r == 0 && point.image)
                r = image_mount_hold(job->container, &point, err);
        point.created_here = false;
        put(job, &point);
        return r;
}

static int resolve_from(MountJob *job, Error *err) {
        Container *container = job->container;

        for (char **from = container->spec.host.volumes_from; from && *from; from++) {
                _cleanup_container_ Container *donor = NULL;
                _cleanup_free_ char *ref = NULL;
                bool read_only;

                int r = mount_parse_from(*from, &ref, &read_only, err);
                /* Not of the kind "not found": a client would take that for the image's. */
                if (r == 0 && container_lookup(container->engine, ref, &donor, NULL) < 0)
                        r = error_kind(err, ERROR_INVALID, "No such container: %s", ref);
                if (r < 0)
                        return r;
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(donor);
                const JsonArray *mounts = snapshot_mounts(donor, snapshot);
                const MountPoint *points = mounts->items;
                for (size_t i = 0; r == 0 && i < mounts->count; i++)
                        if (!str_equal(points[i].type, "tmpfs"))
                                r = take_over(job, &points[i], read_only, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int resolve_binds(MountJob *job, char ***taken, Error *err) {
        Container *container = job->container;

        for (char **text = container->spec.host.binds; text && *text; text++) {
                _cleanup_point_ MountPoint point = { 0 };

                int r = mount_parse_bind(*text, &point, err);
                if (r < 0)
                        return r;
                if (strv_has(*taken, point.destination))
                        return duplicate(&point, err);
                strv_add(taken, point.destination);
                if (str_equal(point.type, "volume"))
                        r = use_own_volume(job, &point, err);
                put(job, &point);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int source_check(const MountSpec *spec, Error *err) {
        Error why = { 0 };

        if (!str_equal(spec->type, "bind") || (spec->bind && spec->bind->create_mountpoint))
                return 0;
        int r = outside_exists(spec->source, false, &why);
        if (r > 0)
                return 0;
        if (r < 0 && why.kind == ERROR_UNAVAILABLE) {
                if (err)
                        *err = why;
                return r;
        }
        return error_kind(err, ERROR_INVALID,
                          "invalid mount config for type \"bind\": bind source path does not "
                          "exist: %s",
                          spec->source);
}

int mount_resolve(MountJob *job, const MountSpec *spec, char ***taken, Error *err) {
        _cleanup_point_ MountPoint point = { 0 };
        int r = mount_parse_spec(spec, &point, err);

        if (r == 0)
                r = source_check(spec, err);
        if (r < 0)
                return r;
        if (strv_has(*taken, point.destination))
                return duplicate(&point, err);
        strv_add(taken, point.destination);
        if (str_equal(point.type, "volume"))
                r = use_volume(job, &point, spec->volume, err);
        else if (str_equal(point.type, "image"))
                r = image_mount_find(job->container, &point, err);
        else if (str_equal(point.type, "container"))
                r = root_mount_find(job->container, &point, err);
        put(job, &point);
        return r;
}

static int resolve_specs(MountJob *job, char ***taken, Error *err) {
        Container *container = job->container;
        const MountSpec *specs = container->spec.host.mounts.items;

        for (size_t i = 0; i < container->spec.host.mounts.count; i++) {
                int r = mount_resolve(job, &specs[i], taken, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int resolve_tmpfs(MountJob *job, char ***taken, Error *err) {
        const Pairs *tmpfs = &job->container->spec.host.tmpfs;

        for (size_t i = 0; i < tmpfs->count; i++) {
                _cleanup_point_ MountPoint point = { 0 };

                int r = mount_parse_tmpfs(tmpfs->items[i].key, tmpfs->items[i].value, &point, err);
                if (r < 0)
                        return r;
                if (strv_has(*taken, point.destination))
                        return duplicate(&point, err);
                strv_add(taken, point.destination);
                put(job, &point);
        }
        return 0;
}

/* Volumes of the image and of `-v /path`: anonymous, where nothing else is mounted. */
static int resolve_anonymous(MountJob *job, Error *err) {
        Container *container = job->container;

        for (char **path = container->spec.config.volumes; path && *path; path++) {
                _cleanup_point_ MountPoint point = { .rw = true };

                point.destination = path_clean(*path);
                if (mount_find(job->points, point.destination))
                        continue;
                if (str_equal(point.destination, "/"))
                        return error_kind(err, ERROR_INVALID,
                                          "invalid volume specification: '%s': destination can't "
                                          "be '/'",
                                          *path);
                point.type = str_copy("volume");
                point.driver = str_copy("local");
                point.mode = str_copy("");
                int r = use_own_volume(job, &point, err);
                put(job, &point);
                if (r < 0)
                        return r;
        }
        return 0;
}

void mount_set_read_only_below(MountPoint *point, const MountSpec *spec, bool below) {
        const MountBindOptions *bind = spec ? spec->bind : NULL;

        if (bind && bind->read_only_non_recursive)
                below = false;
        if (bind && bind->read_only_force_recursive)
                below = true;
        point->ro_below = below && !point->rw && !str_equal(point->type, "tmpfs");
}

/* As the request says for each, and its API version for all others. */
static void set_read_only_below(Container *container) {
        MountPoint *points = container->mounts.items;

        for (size_t i = 0; i < container->mounts.count; i++)
                mount_set_read_only_below(&points[i], find_spec(container, points[i].destination),
                                          !container->spec.shallow_read_only);
}

int mounts_check_idmaps(const Container *container, const JsonArray *mounts, Error *err) {
        const MountPoint *points = mounts->items;
        bool remapped = container_is_remapped(container);

        for (size_t i = 0; i < mounts->count; i++) {
                const char *idmap = points[i].idmap;

                if (!idmap)
                        continue;
                if (remapped != str_equal(idmap, "idmap"))
                        return error_kind(err, ERROR_INVALID, "mount option '%s' of %s: %s", idmap,
                                          points[i].destination,
                                          remapped ? "in a user namespace say idmap alone, for the "
                                                     "container's ids, or --userns host"
                                                   : "without a user namespace say which ids: "
                                                     "idmap=uids=…;gids=…");
                if (!str_empty(container->spec.host.runtime) &&
                    !runtime_is_own(container->spec.host.runtime))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "mount option '%s' is done by brig's own runtime alone: "
                                          "run the container without --runtime %s",
                                          idmap, container->spec.host.runtime);
        }
        return 0;
}

int mounts_resolve(Container *container, const Image *image, Error *err) {
        MountJob job = { .container = container, .points = &container->mounts };
        _cleanup_strv_ char **taken = NULL;

        int r = resolve_from(&job, err);
        if (r == 0)
                r = resolve_binds(&job, &taken, err);
        if (r == 0)
                r = resolve_specs(&job, &taken, err);
        if (r == 0)
                r = resolve_tmpfs(&job, &taken, err);
        if (r == 0)
                r = resolve_anonymous(&job, err);
        if (r == 0)
                r = mounts_check_idmaps(container, &container->mounts, err);
        if (r == 0)
                set_read_only_below(container);
        if (r < 0) {
                mounts_undo(container);
                for (char **name = job.made; name && *name; name++)
                        volume_unuse_and_remove(container->engine, *name, container->id);
        }
        strv_free(job.made);
        return r;
}

static void release_volumes(const Container *container, bool remove_anonymous) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                if (!points[i].name)
                        continue;
                if (remove_anonymous && points[i].created_here)
                        volume_unuse_and_remove(container->engine, points[i].name, container->id);
                else
                        volume_unuse(container->engine, points[i].name, container->id);
        }
}

static bool has_anonymous(const Container *container) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (points[i].name && points[i].created_here)
                        return true;
        return false;
}

/* Made just now: nobody else knows of them, whatever the record is. */
void mounts_undo(Container *container) {
        release_volumes(container, true);
}

void mounts_abandon(Engine *engine, const char *container_id) {
        _cleanup_close_ int fd = openat(engine->containers_fd, container_id,
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *entry;

        if (!dir)
                return; /* nothing was made */
        TAKE_FD(fd);
        while ((entry = readdir(dir))) {
                const char *name = str_after(entry->d_name, VOLUME_MARK);
                if (name && id_valid(name))
                        volume_unuse_and_remove(engine, name, container_id);
        }
}

void mounts_adopt(Container *container, bool runs) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        mount_places_clear(container); /* where a daemon was killed while it started */
        for (size_t i = 0; i < mounts->count; i++) {
                if (!points[i].name)
                        continue;
                volume_adopt_use(container->engine, points[i].name, container->id);
                if (runs)
                        volume_adopt_mount(container->engine, points[i].name, container->id);
        }
}

void mounts_end(const Container *container) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (points[i].name)
                        volume_deactivate(container->engine, points[i].name, container->id);
}

void mounts_release(Container *container, bool remove_volumes) {
        bool keep = remove_volumes && engine_record_was_restored(container->engine);

        if (keep && has_anonymous(container))
                log_warn("the anonymous volumes of container %s stay: a container that the record, "
                         "which was restored, does not know may have them, too. Remove them once "
                         "nothing is missed (brig volume rm)",
                         container->id);
        release_volumes(container, remove_volumes && !keep);
}

void mounts_note_use(const Container *container, const JsonArray *mounts) {
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                Error error = { 0 };

                if (points[i].image &&
                    image_used(container->engine->images, points[i].image, &error) < 0)
                        log_warn("note the last use of image %s: %s", points[i].image,
                                 error.message);
        }
}

void mounts_event(const Container *container, bool mounted) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                Pairs attributes = { 0 };

                if (!points[i].name)
                        continue;
                pairs_put(&attributes, "container", container->id);
                pairs_put(&attributes, "driver", points[i].driver ?: "local");
                if (mounted) {
                        pairs_put(&attributes, "destination", points[i].destination);
                        pairs_put(&attributes, "read/write", points[i].rw ? "true" : "false");
                        pairs_put(&attributes, "propagation", points[i].propagation ?: "");
                }
                engine_event_emit(container->engine, "volume", mounted ? "mount" : "unmount",
                                  points[i].name, &attributes);
                pairs_done(&attributes);
        }
}

/* ---- at start ---- */

/* -v makes a missing directory, --mount refuses. */
static int prepare_bind(const Container *container, const MountPoint *point, Error *err) {
        const MountSpec *spec = find_spec(container, point->destination);
        int r = outside_exists(point->source, false, err);

        if (r < 0)
                return error_prefix(err, "mount source '%s'", point->source);
        if (r > 0)
                return 0;
        r = spec ? source_check(spec, err) : 0;
        if (r < 0)
                return r;
        r = outside_exists(point->source, true, err);
        return r < 0 ? error_prefix(err, "error while creating mount source path '%s'",
                                    point->source)
                     : 0;
}

int mounts_prepare(Container *container, Error *err) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < mounts->count; i++) {
                if (points[i].name)
                        r = volume_activate(container->engine, points[i].name, container->id, err);
                else if (str_equal(points[i].type, "bind"))
                        r = prepare_bind(container, &points[i], err);
        }
        return r;
}

int mounts_open(const Container *container, bool remapped, int **ret_fds, Error *err) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;
        int *fds = NEW_ARRAY(int, mounts->count + 1);
        int r = 0;

        for (size_t i = 0; i < mounts->count; i++)
                fds[i] = -1;
        for (size_t i = 0; r == 0 && i < mounts->count; i++)
                if (points[i].image)
                        r = image_mount_open(container, i, remapped, &fds[i], err);
                else if (points[i].donor)
                        r = root_mount_open(container, i, &fds[i], err);
                else if (points[i].subpath)
                        r = volume_open_subpath(container->engine, points[i].name,
                                                points[i].subpath, &fds[i], err);
        if (r < 0)
                mounts_close(container, fds);
        else
                *ret_fds = fds;
        return r;
}

void mounts_close(const Container *container, int *fds) {
        const size_t count = container_mounts(container)->count;

        if (!fds)
                return;
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        mount_places_clear(container);
        free(fds);
}
