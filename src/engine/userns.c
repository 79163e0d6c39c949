/* userns.c: userns-remap: which containers run in a user namespace of their own, with what, and
 * what they then may not be. On the disk nothing is remapped: layers, the container's own files and
 * volumes are seen through id-mapped mounts, so that images are everybody's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/engine-private.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "os/mount.h"

bool engine_remaps(const Engine *engine) {
        return engine->options.remap.uid_count > 0;
}

static bool is_remapped(const Engine *engine, const HostConfig *host) {
        return engine_remaps(engine) && !str_equal(host->userns_mode, "host");
}

bool container_is_remapped(const Container *container) {
        return is_remapped(container->engine, &container->spec.host);
}

int userns_check(const Engine *engine, const HostConfig *host, Error *err) {
        if (!is_remapped(engine, host))
                return 0;
        if (host->privileged)
                return error_kind(err, ERROR_INVALID,
                                  "privileged mode is incompatible with user namespaces.  You must "
                                  "run the container in the host namespace when running privileged "
                                  "mode");
        if (str_equal(host->network_mode, "host"))
                return error_kind(err, ERROR_INVALID,
                                  "cannot share the host's network namespace when user namespaces "
                                  "are enabled");
        if (str_equal(host->pid_mode, "host"))
                return error_kind(err, ERROR_INVALID,
                                  "cannot share the host PID namespace when user namespaces are "
                                  "enabled");
        if (!str_empty(host->runtime) && !runtime_is_own(host->runtime))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "userns-remap is done by brig's own runtime alone: run the "
                                  "container with --userns host, or without --runtime %s",
                                  host->runtime);
        return 0;
}

static void put_maps(JsonArray *list, const IdRange *ranges, size_t count) {
        for (size_t i = 0; i < count; i++) {
                OciIdMapping *mapping = json_append(list, &oci_id_mapping_table);

                *mapping = (OciIdMapping){ ranges[i].inside, ranges[i].outside, ranges[i].count };
        }
}

void ocispec_userns(const Container *container, OciLinux *linux_) {
        const IdMap *map = &container->engine->options.remap;
        OciNamespace *item;

        if (!container_is_remapped(container))
                return;
        /* Comes to the monitor by descriptor. */
        item = json_append(&linux_->namespaces, &oci_namespace_table);
        item->type = str_copy("user");
        put_maps(&linux_->uid_mappings, map->uids, map->uid_count);
        put_maps(&linux_->gid_mappings, map->gids, map->gid_count);
}

/* What is not mapped stays, and is nobody's inside. */
static int64_t outside(const IdRange *ranges, size_t count, int64_t id) {
        for (size_t i = 0; i < count; i++)
                if (id >= ranges[i].inside && id - ranges[i].inside < ranges[i].count)
                        return ranges[i].outside + (id - ranges[i].inside);
        return id;
}

uid_t userns_uid(const Container *container, int64_t uid) {
        const IdMap *map = &container->engine->options.remap;

        return (uid_t)(container_is_remapped(container) ? outside(map->uids, map->uid_count, uid)
                                                        : uid);
}

gid_t userns_gid(const Container *container, int64_t gid) {
        const IdMap *map = &container->engine->options.remap;

        return (gid_t)(container_is_remapped(container) ? outside(map->gids, map->gid_count, gid)
                                                        : gid);
}

int64_t userns_last_gid(const Container *container) {
        const IdMap *map = &container->engine->options.remap;
        int64_t last = 0;

        if (!container_is_remapped(container))
                return INT32_MAX;
        for (size_t i = 0; i < map->gid_count; i++)
                last = MAX(last, map->gids[i].inside + map->gids[i].count - 1);
        return MIN(last, INT32_MAX);
}

int userns_make(const Container *container, int *ret_userns_fd, int *ret_netns_fd, Error *err) {
        _cleanup_close_ int userns_fd = -1, netns_fd = -1;
        int r;

        if (!container_is_remapped(container))
                return netns_new(ret_netns_fd, err);
        /* The network namespace belongs to the user namespace: root there may use it. */
        r = userns_new(&container->engine->options.remap, &userns_fd, &netns_fd, err);
        if (r == 0)
                r = netns_bring_up(netns_fd, err);
        if (r < 0)
                return r;
        *ret_userns_fd = TAKE_FD(userns_fd);
        *ret_netns_fd = TAKE_FD(netns_fd);
        return 0;
}

/* ---- layers that the daemon mounts for a remapped container ---- */

typedef struct Layers {
        const Engine *engine;
        char *const *lowers;
        const char *upper, *work;
        unsigned flags;
        int view_fd, fd, r;
        Error error;
} Layers;

static int open_directory(const Layers *layers, const char *path, int *ret_fd, Error *err) {
        *ret_fd = open_in_root(layers->view_fd, path, O_PATH | O_DIRECTORY,
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        return *ret_fd < 0 ? error_set(err, errno, "open layer '%s'", path) : 0;
}

static int mount_all(Layers *layers, Error *err) {
        size_t count = strv_length(layers->lowers), opened = 0;
        _cleanup_free_ int *fds = NEW_ARRAY(int, count + 1);
        _cleanup_close_ int upper = -1, work = -1;
        int r = userns_enter_view(layers->view_fd, err);

        if (r == 0 && layers->upper)
                r = open_directory(layers, layers->upper, &upper, err);
        if (r == 0 && layers->work)
                r = open_directory(layers, layers->work, &work, err);
        for (; r == 0 && opened < count; opened++)
                r = open_directory(layers, layers->lowers[opened], &fds[opened], err);
        if (r == 0)
                r = overlay_mount(fds, count, upper, work, layers->flags, &layers->fd, err);
        while (opened > 0)
                close_fd(&fds[--opened]);
        return r;
}

static void *layers_thread(void *data) {
        Layers *layers = data;

        layers->r = mount_all(layers, &layers->error);
        return NULL;
}

int userns_mount_layers(const Engine *engine, char *const *lowers, const char *upper,
                        const char *work, unsigned flags, int *ret_fd, Error *err) {
        _cleanup_close_ int userns_fd = -1, view_fd = -1;
        Layers layers = { engine, lowers, upper, work, flags, -1, -1, 0, {} };
        pthread_t thread;
        int r = userns_new(&engine->options.remap, &userns_fd, NULL, err);

        if (r == 0)
                r = userns_view(engine->data_root_fd, userns_fd, &view_fd, err);
        if (r < 0)
                return r;
        layers.view_fd = view_fd;
        /* Its ids and its mount namespace end with it. */
        r = pthread_create(&thread, NULL, layers_thread, &layers);
        if (r != 0)
                return error_set(err, r, "start a thread");
        (void)pthread_join(thread, NULL);
        if (layers.r < 0) {
                *err = layers.error;
                return layers.r;
        }
        *ret_fd = layers.fd;
        return 0;
}

/* ---- what runs ---- */

/* Of the process; whether it is not this daemon's. */
static bool is_another(int fd) {
        struct stat theirs, ours;

        return fstat(fd, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
               (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev);
}

int userns_of_running(Container *container, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = container_namespace_open(container, "user", "user", &fd, err);

        if (r < 0)
                return r;
        *ret_fd = is_another(fd) ? TAKE_FD(fd) : -1;
        return 0;
}

static bool is_same(int one_fd, int other_fd) {
        struct stat one, other;

        return fstat(one_fd, &one) == 0 && fstat(other_fd, &other) == 0 &&
               one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

int userns_share(const Container *container, const Container *owner, Container *donor, int *ret_fd,
                 Error *err) {
        _cleanup_close_ int fd = -1;
        int r;

        if (!container_is_remapped(container))
                return 0;
        r = userns_of_running(donor, &fd, err);
        if (r < 0)
                return r;
        if (fd < 0)
                return error_kind(err, ERROR_CONFLICT,
                                  "container %s is in the host's user namespace: to share its "
                                  "namespaces, run this one with --userns host",
                                  donor->name);
        if (owner && !is_same(*ret_fd, fd))
                return error_kind(err, ERROR_CONFLICT,
                                  "containers %s and %s are in two user namespaces, and one that "
                                  "shares both can be in neither: share network and processes of "
                                  "the same container, or run all of them with --userns host",
                                  owner->name, donor->name);
        close_fd(ret_fd);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
