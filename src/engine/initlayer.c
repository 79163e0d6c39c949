/* initlayer.c: the layer between an image and its containers: what Docker puts into each root
 * beside what the image has (moby's "init layer"). It is made once an image, beside the snapshot of
 * its topmost layer, with which it goes; so neither a start nor a container's differences show it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/bug.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "os/mount.h"

#define SNAPSHOT_SUFFIX "/fs"
#define LAYER "init"
#define UNFINISHED "init.new"
#define OPEN_ATTEMPTS 64

typedef struct Stub {
        const char *directory, *name;
        mode_t type;
        const char *target; /* of a link */
} Stub;

/* Where the engine mounts, and marks that programs look for: /.dockerenv says that they are in a
 * container, /etc/mtab what is mounted. */
static const Stub stubs[] = {
        { "dev", "pts", S_IFDIR, NULL },
        { "dev", "shm", S_IFDIR, NULL },
        { "dev", "mqueue", S_IFDIR, NULL },
        { "dev", "console", S_IFREG, NULL },
        { ".", "proc", S_IFDIR, NULL },
        { ".", "sys", S_IFDIR, NULL },
        { ".", ".dockerenv", S_IFREG, NULL },
        { "etc", "hosts", S_IFREG, NULL },
        { "etc", "hostname", S_IFREG, NULL },
        { "etc", "resolv.conf", S_IFREG, NULL },
        { "etc", "mtab", S_IFLNK, "/proc/mounts" },
};

/* One layer is made at a time: a first container of an image is rare. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

/* ---- the stubs, in the image's root ---- */

/* -1 and 0: the image has something else of that name, which is left alone. */
static int open_directory(int root_fd, const char *path, int *ret_fd, Error *err) {
        struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        int attempts = 0;

        if (mkdirat(root_fd, path, 0755) < 0 && errno != EEXIST)
                return error_set(err, errno, "make /%s of the image's containers", path);
        do /* EAGAIN: something on the host was renamed or mounted while a ".." was followed */
                *ret_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        while (*ret_fd < 0 && (errno == EAGAIN || errno == EINTR) && ++attempts < OPEN_ATTEMPTS);
        if (*ret_fd < 0 && errno != ENOTDIR && errno != ENOENT && errno != ELOOP)
                return error_set(err, errno, "open /%s of the image", path);
        return 0;
}

static int make_one(int dir_fd, const Stub *stub) {
        if (stub->target)
                return symlinkat(stub->target, dir_fd, stub->name);
        if (stub->type == S_IFDIR)
                return mkdirat(dir_fd, stub->name, 0755);
        return mknodat(dir_fd, stub->name, S_IFREG | 0755, 0);
}

/* A file of the image makes room; a directory stays, as in Docker. */
static int make_stub_in(int dir_fd, const Stub *stub, Error *err) {
        struct stat found;

        if (fstatat(dir_fd, stub->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISDIR(found.st_mode) || BUG("linked-proc") || unlinkat(dir_fd, stub->name, 0) < 0))
                return S_ISDIR(found.st_mode) || BUG("linked-proc")
                               ? 0
                               : error_set(err, errno, "replace /%s/%s of the image",
                                           stub->directory, stub->name);
        return make_one(dir_fd, stub) < 0
                       ? error_set(err, errno, "make /%s/%s of the image's containers",
                                   stub->directory, stub->name)
                       : 0;
}

/* The directory keeps its time: what a container or a build's step changes in it is copied up with
 * the directory, and would have the time at which this layer happened to be made. */
static int make_stub(int root_fd, const Stub *stub, Error *err) {
        _cleanup_close_ int dir_fd = -1;
        struct stat directory;
        int r = open_directory(root_fd, stub->directory, &dir_fd, err);

        if (r < 0 || dir_fd < 0)
                return r;
        if (fstat(dir_fd, &directory) < 0)
                return error_set(err, errno, "look at /%s of the image", stub->directory);
        r = make_stub_in(dir_fd, stub, err);
        if (r == 0 &&
            futimens(dir_fd, (struct timespec[]){ directory.st_atim, directory.st_mtim }) < 0)
                r = error_set(err, errno, "keep the time of /%s of the image", stub->directory);
        return r;
}

static int make_stubs(int root_fd, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(stubs); i++)
                r = make_stub(root_fd, &stubs[i], err);
        return r;
}

/* ---- the layer ---- */

static int open_directories(int snapshot_fd, int *ret_upper, int *ret_work, Error *err) {
        int r = dir_remove_at(snapshot_fd, UNFINISHED, err); /* of a daemon that was killed */

        if (r < 0 && r != -ENOENT)
                return r;
        r = dir_open_at(snapshot_fd, UNFINISHED "/work", 0700, ret_work, err);
        if (r < 0)
                return r;
        if (mkdirat(snapshot_fd, UNFINISHED SNAPSHOT_SUFFIX, 0755) < 0)
                return error_set(err, errno, "make the directory of an init layer");
        return dir_open_at(snapshot_fd, UNFINISHED SNAPSHOT_SUFFIX, 0, ret_upper, err);
}

/* The root directory as the image has it: its mode, owner and time are the topmost layer's. */
static int copy_root(int snapshot_fd, int upper_fd, Error *err) {
        struct stat root;

        if (fstatat(snapshot_fd, "fs", &root, 0) < 0 ||
            fchown(upper_fd, root.st_uid, root.st_gid) < 0 ||
            fchmod(upper_fd, root.st_mode & 07777) < 0 ||
            futimens(upper_fd, (struct timespec[]){ root.st_atim, root.st_mtim }) < 0)
                return error_set(err, errno, "make the root of an init layer");
        return 0;
}

static int make_layer(Engine *engine, char *const *lowers, int snapshot_fd, Error *err) {
        _cleanup_close_ int upper_fd = -1, work_fd = -1, root_fd = -1;
        int r = open_directories(snapshot_fd, &upper_fd, &work_fd, err);

        if (r == 0)
                r = copy_root(snapshot_fd, upper_fd, err);
        if (r == 0)
                r = rootfs_mount_layers(engine, lowers, upper_fd, work_fd, 0, &root_fd, err);
        if (r == 0)
                r = make_stubs(root_fd, err);
        close_fd(&root_fd);
        if (r == 0)
                r = failpoint("create.initlayer", err);
        if (r == 0 && renameat(snapshot_fd, UNFINISHED, snapshot_fd, LAYER) < 0)
                r = error_set(err, errno, "keep an init layer");
        return r;
}

int init_layer(Engine *engine, char *const *lowers, char **ret, Error *err) {
        size_t length = strlen(lowers[0]) - strlen(SNAPSHOT_SUFFIX);
        _cleanup_free_ char *snapshot = str_copy_n(lowers[0], length);
        _cleanup_free_ char *layer = str_format("%s/" LAYER SNAPSHOT_SUFFIX, snapshot);
        _cleanup_close_ int snapshot_fd = -1;
        int r;

        (void)pthread_mutex_lock(&making);
        r = faccessat(engine->data_root_fd, layer, F_OK, 0) < 0 ? -errno : 0;
        if (r == -ENOENT) {
                r = dir_open_at(engine->data_root_fd, snapshot, 0, &snapshot_fd, err);
                if (r == 0)
                        r = make_layer(engine, lowers, snapshot_fd, err);
        } else if (r < 0) {
                r = error_set(err, -r, "look for the init layer '%s'", layer);
        }
        (void)pthread_mutex_unlock(&making);
        if (r == 0)
                *ret = TAKE_PTR(layer);
        return r;
}
