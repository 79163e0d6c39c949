/* rebase.c: a layer upon another parent: the same files, so hard links of them; a chain id, and so
 * a snapshot, of its own. What COPY --link made is used so. See image.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/id.h"
#include "image/store.h"
#include "sql/sql.h"

#define DEPTH_MAX                                                                                  \
        64 /* directories in each other, two descriptors each; what is deeper is copied            \
            */
#define XATTRS_MAX 65536

/* ---- a tree of links ---- */

/* Of a directory: the files keep theirs. */
static int copy_xattrs(int from_fd, int to_fd) {
        _cleanup_free_ char *names = alloc_zero(1, XATTRS_MAX), *value = NULL;
        ssize_t length = flistxattr(from_fd, names, XATTRS_MAX);

        if (length < 0)
                return errno == ENOTSUP ? 0 : -errno;
        for (const char *name = names; name < names + length; name += strlen(name) + 1) {
                ssize_t size;

                value = value ?: alloc_zero(1, XATTRS_MAX);
                size = fgetxattr(from_fd, name, value, XATTRS_MAX);
                if (size < 0 || fsetxattr(to_fd, name, value, (size_t)size, 0) < 0)
                        return -errno;
        }
        return 0;
}

/* Last, as what was made in it changed its times. */
static int copy_attributes(int from_fd, int to_fd) {
        struct stat st;
        int r;

        if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0 ||
            fchmod(to_fd, st.st_mode & 07777) < 0)
                return -errno;
        r = copy_xattrs(from_fd, to_fd);
        if (r < 0)
                return r;
        return futimens(to_fd, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0 ? -errno : 0;
}

static int check_cancelled(void *data) {
        const LayerAdd *add = data;

        return add->cancelled && add->cancelled(add->data) ? -ECANCELED : 0;
}

static int link_tree(const LayerAdd *add, int from_fd, int to_fd, unsigned depth);

static int link_entry(const LayerAdd *add, int from_fd, int to_fd, const char *name,
                      unsigned depth) {
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_close_ int source_fd = -1, target_fd = -1;
        struct stat st;

        if (check_cancelled((void *)add) < 0)
                return -ECANCELED;
        if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return linkat(from_fd, name, to_fd, name, 0) < 0 ? -errno : 0;
        if (mkdirat(to_fd, name, 0700) < 0)
                return -errno;
        source_fd = openat(from_fd, name, flags);
        if (source_fd < 0)
                return -errno;
        target_fd = openat(to_fd, name, flags);
        return target_fd < 0 ? -errno : link_tree(add, source_fd, target_fd, depth + 1);
}

static int link_tree(const LayerAdd *add, int from_fd, int to_fd, unsigned depth) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd =
                depth < DEPTH_MAX ? openat(from_fd, ".", O_RDONLY | O_CLOEXEC) : -1;
        struct dirent *entry;
        int r = 0;

        if (depth == DEPTH_MAX)
                return -ELOOP;
        if (fd < 0 || !(dir = fdopendir(fd)))
                return -errno;
        TAKE_FD(fd);
        while (r == 0 && (errno = 0, entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        r = link_entry(add, from_fd, to_fd, entry->d_name, depth);
        if (r == 0 && errno)
                r = -errno;
        return r < 0 ? r : copy_attributes(from_fd, to_fd);
}

/* A file has too many names, may have no more, or lies too deep. */
static bool must_be_copied(int r) {
        return r == -EMLINK || r == -EPERM || r == -ELOOP;
}

/* ---- a layer ---- */

typedef struct Rebase {
        ImageStore *store;
        const char *chain;
        const LayerAdd *add;
        Layer layer;   /* upon its new parent */
        bool unkept;   /* its blob is made when somebody asks */
        int64_t epoch; /* with this */
        int from_fd;   /* its files */
        char name[48]; /* where the new snapshot is made, below tmp/ */
        PinSet pins;
} Rebase;

static void rebase_done(Rebase *rebase) {
        if (rebase->name[0]) /* it has no such name any more, unless something failed */
                (void)dir_remove_at(rebase->store->tmp_fd, rebase->name, NULL);
        close_fd(&rebase->from_fd);
        layer_done(&rebase->layer);
        pins_release(&rebase->pins);
}

static int load(Rebase *rebase, Error *err) {
        ImageStore *store = rebase->store;
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = layer_load(store, rebase->chain, &rebase->layer, err);

        if (r == 0)
                r = sql_prepare(store->db, &row, err, "SELECT epoch FROM unkept WHERE chain=?", "t",
                                rebase->chain);
        if (r == 0)
                r = sql_step(row, err);
        rebase->unkept = r > 0;
        rebase->epoch = r > 0 ? sqlite3_column_int64(row, 0) : -1;
        return MIN(r, 0);
}

static int open_files(Rebase *rebase, Error *err) {
        _cleanup_free_ char *path = str_format("%s/fs", digest_hex(rebase->chain));
        int r = layer_ensure(rebase->store, rebase->chain, err);

        return r < 0 ? r : dir_open_at(rebase->store->snapshots_fd, path, 0, &rebase->from_fd, err);
}

/* Copies them where they can't be linked: another layer than it was, maybe, and a blob of it. */
static int copy_files(Rebase *rebase, Error *err) {
        LayerAdd add = *rebase->add;
        int64_t size;

        add.epoch = rebase->epoch;

        return image_layer_copy(rebase->store, rebase->from_fd, &add, rebase->layer.diff,
                                rebase->layer.chain, &size, err);
}

static int link_files(Rebase *rebase, Error *err) {
        _cleanup_free_ char *target = NULL;
        _cleanup_close_ int to_fd = -1;
        char id[ID_LENGTH + 1];
        int r;

        id_new(id);
        (void)snprintf(rebase->name, sizeof(rebase->name), "snap-%.32s", id);
        target = str_format("%s/fs", rebase->name);
        r = dir_open_at(rebase->store->tmp_fd, target, 0755, &to_fd, err);
        if (r < 0)
                return r;
        r = link_tree(rebase->add, rebase->from_fd, to_fd, 0);
        return r < 0 ? error_set(err, r, "link the files of layer %s", rebase->chain) : 0;
}

/* The claim is ended. */
static int make(Rebase *rebase, Error *err) {
        ImageStore *store = rebase->store;
        const LayerPlace place = { .from_fd = store->tmp_fd,
                                   .name = rebase->name,
                                   .holder = rebase->add->holder,
                                   .unsynced = true,
                                   .unkept = rebase->unkept,
                                   .epoch = rebase->epoch };
        Error why = {};
        int r = open_files(rebase, &why);

        if (r == 0)
                r = link_files(rebase, &why);
        if (r == 0)
                r = layer_place(store, &rebase->layer, &place, NULL, &why);
        layer_give_up(store, rebase->layer.chain);
        if (must_be_copied(r))
                return copy_files(rebase, err);
        if (r < 0 && err)
                *err = why;
        return r;
}

int image_layer_rebase(ImageStore *store, const char *chain, const LayerAdd *add, char ret_chain[],
                       Error *err) {
        const char *parent = add->parent_chain;
        _cleanup_(rebase_done) Rebase rebase = { .store = store,
                                                 .chain = chain,
                                                 .add = add,
                                                 .from_fd = -1,
                                                 .pins = { .store = store } };
        Layer *layer = &rebase.layer;
        bool present;
        int r;

        pins_add(&rebase.pins, chain);
        if (parent)
                pins_add(&rebase.pins, parent);
        r = load(&rebase, err);
        if (r < 0)
                return r;
        pins_add(&rebase.pins, layer->blob);
        (void)snprintf(layer->parent, sizeof(layer->parent), "%s", parent ?: "");
        digest_chain(parent, layer->diff, layer->chain);
        r = layer_claim(&rebase.pins, layer->chain, check_cancelled, (void *)add, &present, err);
        if (r == 0 && present)
                r = image_hold_layer(store, layer->chain, add->holder, err);
        else if (r == 0)
                r = make(&rebase, err);
        if (r == 0)
                memcpy(ret_chain, layer->chain, DIGEST_TEXT_MAX);
        return r;
}
