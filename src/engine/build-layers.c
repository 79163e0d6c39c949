/* build-layers.c: layers of the build cache and of the image store as one root. A layer of the
 * cache becomes the image store's when an image has it: its directory moves there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "build/cache.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "os/mount.h"

#define SCRATCH "build/scratch/fs"

/* `moving` is held. */
static int layer_path(Builder *builder, const char *layer, char **ret, Error *err) {
        const char *chain = str_after(layer, "sha256:") ? layer : map_get(&builder->moved, layer);
        _cleanup_free_ char *path = NULL;
        int r;

        if (!chain) {
                *ret = str_format("build/layers/%s/fs", layer);
                return 0;
        }
        r = image_layer_path(builder->engine->images, chain, &path, err);
        if (r == 0)
                *ret = str_format(IMAGE_DIRECTORY "%s", path);
        return r;
}

int builder_lowers(Builder *builder, char *const *layers, char ***ret, Error *err) {
        size_t count = strv_length(layers), used = 0;
        _cleanup_strv_ char **paths = strv_new(count + 1);
        int r = 0;

        for (size_t i = count; r == 0 && i-- > 0;) {
                _cleanup_free_ char *path = NULL;

                /* Of a layer that is there twice (COPY --link) the upper one has all of the lower
                 * one's files, and overlayfs takes each but once. */
                r = layer_path(builder, layers[i], &path, err);
                if (r == 0 && !strv_has(paths, path))
                        paths[used++] = TAKE_PTR(path);
        }
        if (r < 0)
                return r;
        if (used == 0)
                paths[0] = str_copy(SCRATCH);
        *ret = TAKE_PTR(paths);
        return 0;
}

int builder_layer_prepare(Builder *builder, char *const *layers, int layer_fd, Error *err) {
        _cleanup_strv_ char **lowers = NULL;
        struct stat below;
        int r = builder_lowers(builder, layers, &lowers, err);

        if (r < 0)
                return r;
        if (fstatat(builder->engine->data_root_fd, lowers[0], &below, 0) < 0)
                return error_set(err, errno, "look at layer '%s'", lowers[0]);
        if (mkdirat(layer_fd, "fs", 0755) < 0 || mkdirat(layer_fd, "work", 0700) < 0 ||
            fchownat(layer_fd, "fs", below.st_uid, below.st_gid, 0) < 0)
                return error_set(err, errno, "make the directories of a layer");
        return 0;
}

static int mount_locked(Builder *builder, char *const *layers, int layer_fd, int *ret_fd,
                        Error *err) {
        _cleanup_strv_ char **lowers = NULL;
        _cleanup_close_ int upper_fd = -1, work_fd = -1;
        int r = builder_lowers(builder, layers, &lowers, err);

        if (r == 0 && layer_fd >= 0)
                r = builder_layer_prepare(builder, layers, layer_fd, err);
        if (r == 0 && layer_fd >= 0)
                r = dir_open_at(layer_fd, "fs", 0, &upper_fd, err);
        if (r == 0 && layer_fd >= 0)
                r = dir_open_at(layer_fd, "work", 0, &work_fd, err);
        if (r < 0)
                return r;
        return rootfs_mount_layers(builder->engine, lowers, upper_fd, work_fd,
                                   layer_fd >= 0 ? OVERLAY_VOLATILE : 0, ret_fd, err);
}

int builder_mount(Builder *builder, char *const *layers, int layer_fd, int *ret_fd, Error *err) {
        int r;

        (void)pthread_rwlock_rdlock(&builder->moving);
        r = mount_locked(builder, layers, layer_fd, ret_fd, err);
        (void)pthread_rwlock_unlock(&builder->moving);
        return r;
}

static int mount_remapped_locked(Builder *builder, char *const *layers, const char *layer,
                                 int *ret_fd, Error *err) {
        _cleanup_strv_ char **lowers = NULL;
        _cleanup_free_ char *upper = layer ? str_format("%s/fs", layer) : NULL;
        _cleanup_free_ char *work = layer ? str_format("%s/work", layer) : NULL;
        _cleanup_close_ int layer_fd = -1;
        int r = builder_lowers(builder, layers, &lowers, err);

        if (r == 0 && layer)
                r = dir_open_at(builder->engine->data_root_fd, layer, 0, &layer_fd, err);
        if (r == 0 && layer)
                r = builder_layer_prepare(builder, layers, layer_fd, err);
        return r < 0 ? r
                     : userns_mount_layers(builder->engine, lowers, upper, work,
                                           layer ? OVERLAY_VOLATILE : 0, ret_fd, err);
}

int builder_mount_remapped(Builder *builder, char *const *layers, const char *layer, int *ret_fd,
                           Error *err) {
        int r;

        (void)pthread_rwlock_rdlock(&builder->moving);
        r = mount_remapped_locked(builder, layers, layer, ret_fd, err);
        (void)pthread_rwlock_unlock(&builder->moving);
        return r;
}

bool build_cancelled(void *data) {
        const Build *build = data;
        struct pollfd client = { .fd = build->cancel_fd, .events = POLLRDHUP };

        if (atomic_load(&build->engine->stopping))
                return true;
        return build->cancel_fd >= 0 && poll(&client, 1, 0) > 0 && client.revents;
}

/* ---- into the image store ---- */

static char *holder_of(const char *chain) {
        return str_format("build:%s", chain);
}

typedef struct Storing {
        Build *build;
        bool locked; /* `moving`, for writing */
} Storing;

static bool storing_cancelled(void *data) {
        return build_cancelled(((Storing *)data)->build);
}

/* Packing takes as long as a layer is large: only its move is what others wait for. */
static void storing_lock(void *data) {
        Storing *storing = data;

        (void)pthread_rwlock_wrlock(&storing->build->builder->moving);
        storing->locked = true;
}

static void storing_done(Storing *storing) {
        if (storing->locked)
                (void)pthread_rwlock_unlock(&storing->build->builder->moving);
}

/* Its directory was moved; what the records say of it. `moving` is held for writing. */
static int record_move(Build *build, const char *layer, const char *chain, const char *making,
                       Error *err) {
        Builder *builder = build->builder;
        ImageStore *images = build->engine->images;
        _cleanup_free_ char *holder = holder_of(chain);
        int r;

        (void)map_put(&builder->moved, layer, str_copy(chain));
        r = failpoint("build.stored", err);
        if (r == 0)
                r = build_cache_layer_moved(builder->cache, layer, chain, err);
        if (r == 0)
                r = failpoint("build.moved", err);
        if (r == 0)
                r = image_hold_layer(images, chain, holder, err);
        if (r == 0)
                r = image_release(images, making, err);
        return r < 0 ? r : failpoint("build.held", err);
}

static int move_layer(Build *build, const char *layer, const char *parent, int64_t epoch,
                      char chain[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_(storing_done) Storing storing = { .build = build };
        _cleanup_free_ char *making = str_format("build:%s", layer);
        const LayerAdd add = { .from_fd = build->builder->layers_fd,
                               .name = layer,
                               .parent_chain = parent,
                               .holder = making,
                               .epoch = epoch,
                               .keep = true, /* the cache's, until no build has it */
                               .cancelled = storing_cancelled,
                               .moving = storing_lock,
                               .data = &storing };
        char diff[DIGEST_TEXT_MAX];
        int64_t size;
        int r = image_layer_add(build->engine->images, &add, diff, chain, &size, err);

        return r < 0 ? r : record_move(build, layer, chain, making, err);
}

/* The chain id that it has already. */
static bool find_moved(Builder *builder, const char *layer, char chain[DIGEST_TEXT_MAX]) {
        const char *before;

        (void)pthread_rwlock_rdlock(&builder->moving);
        before = map_get(&builder->moved, layer);
        if (before)
                memcpy(chain, before, DIGEST_TEXT_MAX);
        (void)pthread_rwlock_unlock(&builder->moving);
        return before != NULL;
}

/* The chain id that it had already, or has from now on. Of two builds with one layer the second
 * waits for the first. */
static int store_layer(Build *build, const char *layer, const char *parent, int64_t epoch,
                       char chain[DIGEST_TEXT_MAX], Error *err) {
        Builder *builder = build->builder;
        _cleanup_free_ char *name = str_format("layer %s", layer);
        FlightResult flight = FLIGHT_LANDED;
        int r = 0;

        while (flight == FLIGHT_LANDED) {
                if (find_moved(builder, layer, chain))
                        return 0;
                flight = flight_begin(builder->flights, name, build_cancelled, build);
        }
        if (flight == FLIGHT_CANCELLED)
                return error_set(err, ECANCELED, "the build was cancelled");
        /* It may have landed between the look and the claim. */
        if (!find_moved(builder, layer, chain))
                r = move_layer(build, layer, parent, epoch, chain, err);
        flight_end(builder->flights, name);
        return r;
}

/* A layer that COPY --link made lies upon whatever: the image store has it by its parent, too. What
 * is not there is somebody else's, of whom only the name is wanted. */
static int join_layer(Build *build, const char *parent, char chain[DIGEST_TEXT_MAX], Error *err) {
        ImageStore *images = build->engine->images;
        char below[DIGEST_TEXT_MAX], diff[DIGEST_TEXT_MAX], joined[DIGEST_TEXT_MAX];
        const LayerAdd add = { .parent_chain = parent,
                               .holder = build->holder,
                               .cancelled = build_cancelled,
                               .data = build };
        int r = image_layer_ids(images, chain, below, diff, NULL);

        if (r == -ENOENT || (r == 0 && str_equal(below, parent ?: "")))
                return 0;
        r = image_layer_rebase(images, chain, &add, joined, err);
        if (r == 0)
                memcpy(chain, joined, DIGEST_TEXT_MAX);
        return r;
}

int builder_store_layers(Build *build, char *const *layers, int64_t epoch, char ***ret_chains,
                         Error *err) {
        _cleanup_strv_ char **chains = NULL;
        const char *parent = NULL;
        size_t count = strv_length(layers);
        int r = 0;

        for (size_t i = 0; r == 0 && i < count; i++) {
                char chain[DIGEST_TEXT_MAX];

                if (str_after(layers[i], "sha256:"))
                        (void)snprintf(chain, sizeof(chain), "%s", layers[i]);
                else
                        r = store_layer(build, layers[i], parent, epoch, chain, err);
                if (r == 0)
                        r = join_layer(build, parent, chain, err);
                if (r == 0)
                        strv_add(&chains, chain);
                parent = r == 0 ? chains[i] : NULL;
        }
        if (r == 0)
                *ret_chains = TAKE_PTR(chains);
        return r;
}
