/* build-run-layers.c: the layers of a RUN step's root: those of its image, what every container
 * gets, and the mount points that the image lacks, which lie in a layer below the step's, so that
 * its own has nothing of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/fd.h"
#include "engine/build-run.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "os/mount.h"

#define STUBS "stubs"

/* ---- layers ---- */

static bool is_image_layer(const char *path) {
        return str_after(path, IMAGE_DIRECTORY) || str_equal(path, "build/scratch/fs");
}

int run_lowers(Build *build, const SolveJob *job, char ***ret, Error *err) {
        _cleanup_strv_ char **lowers = NULL, **with_init = NULL;
        char *init = NULL;
        size_t at = 0;
        int r = builder_lowers(build->builder, job->layers, &lowers, err);

        if (r < 0)
                return r;
        /* Those of steps that an image has by now are above the first of the base, too. */
        while (lowers[at] && !is_image_layer(lowers[at]))
                strv_add(&with_init, lowers[at++]);
        if (!lowers[at]) { /* from scratch */
                char *scratch[] = { (char *)"build/scratch/fs", NULL };

                r = init_layer(build->engine, scratch, &init, err);
        } else {
                r = init_layer(build->engine, lowers + at, &init, err);
        }
        if (r < 0)
                return r;
        strv_take(&with_init, init);
        for (; lowers[at]; at++)
                strv_add(&with_init, lowers[at]);
        *ret = TAKE_PTR(with_init);
        return 0;
}

/* ---- mount points ---- */

static int make_stub(int root_fd, const MountPoint *point, Error *err) {
        static const CopyOptions options_of_file = { .epoch = -1 };
        CopyOptions options = options_of_file;
        struct stat source;
        bool made;

        if (str_equal(point->type, "tmpfs"))
                return tree_make_directory(root_fd, point->destination, 0, 0, &made, err);
        if (stat(point->source, &source) < 0)
                return error_set(err, errno, "look at the source of a build's mount");
        if (S_ISDIR(source.st_mode))
                return tree_make_directory(root_fd, point->destination, 0, 0, &made, err);
        _cleanup_close_ int there = open_in_root(root_fd, point->destination, O_PATH,
                                                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (there >= 0)
                return 0;
        options.dest = point->destination;
        return tree_put_file(root_fd, "file", "", 0, 0644, &options, err);
}

/* The bug of CVE-2024-23652: mount points go by their names, through the image's links. */
static void remove_points(int root_fd, const Container *container) {
        const MountPoint *points = container->mounts.items;

        for (size_t i = 0; i < container->mounts.count; i++)
                if (unlinkat(root_fd, points[i].destination + 1, 0) < 0 && errno == EISDIR)
                        (void)unlinkat(root_fd, points[i].destination + 1, AT_REMOVEDIR);
}

int run_mounts_stubs(const RunMounts *mounts, Container *container, Error *err) {
        Engine *engine = mounts->build->engine;
        const MountPoint *points = container->mounts.items;
        _cleanup_free_ char *path = str_format("containers/%s/" STUBS "/fs", container->id);
        _cleanup_close_ int state_fd = -1, upper_fd = -1, work_fd = -1, root_fd = -1;
        struct stat below;
        char **lowers = NULL;
        int r;

        if (container->mounts.count == 0)
                return 0;
        r = dir_open_at(engine->containers_fd, container->id, 0, &state_fd, err);
        if (r == 0)
                r = dir_open_at(state_fd, STUBS "/work", 0700, &work_fd, err);
        if (r == 0)
                r = dir_open_at(state_fd, STUBS "/fs", 0755, &upper_fd, err);
        if (r < 0)
                return r;
        if (fstatat(engine->data_root_fd, container->lowers[0], &below, 0) < 0 ||
            fchown(upper_fd, below.st_uid, below.st_gid) < 0)
                return error_set(err, errno, "make the mount points of a step");
        r = rootfs_mount_layers(engine, container->lowers, upper_fd, work_fd, OVERLAY_VOLATILE,
                                &root_fd, err);
        for (size_t i = 0; r == 0 && i < container->mounts.count; i++)
                r = make_stub(root_fd, &points[i], err);
        if (r < 0)
                return r;
        if (BUG("build-mounts"))
                remove_points(root_fd, container);
        strv_take(&lowers, TAKE_PTR(path));
        for (char **lower = container->lowers; *lower; lower++)
                strv_add(&lowers, *lower);
        strv_free(container->lowers);
        container->lowers = lowers;
        return 0;
}
