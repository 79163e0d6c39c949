/* tree-copy.c: copies what is selected into another root, by descriptors on both sides. What is at
 * a name in the destination is replaced, never written through. Where the destination is, is
 * tree-target.c's; bytes and attributes are tree-write.c's. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/map.h"
#include "build/tree-target.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* A directory of the destination that the walk is in. */
typedef struct OpenDirectory {
        int fd;
        bool existed;
} OpenDirectory;

typedef struct Copier {
        const Tree *tree;
        const CopyOptions *options;
        const TreeJob *job;
        const IgnorePatterns *excludes;
        Target target;
        OpenDirectory *dirs;
        size_t dir_count;
        Map links; /* "device:inode" of a source with several names → its first copy's path */
        bool no_clone;
        MadeDirectories made;
} Copier;

static int top_fd(const Copier *copier) {
        return copier->dir_count ? copier->dirs[copier->dir_count - 1].fd : copier->target.dir_fd;
}

/* What an entry is called in the destination's directory. */
static const char *target_name(const Copier *copier, const WalkEntry *entry) {
        return copier->target.name && copier->dir_count == 0 ? copier->target.name
                                                             : tree_base_name(entry->name);
}

/* Its path below the destination's root; the caller's. */
static char *target_path(const Copier *copier, const WalkEntry *entry) {
        return tree_path(copier->target.dir,
                         copier->target.name ? copier->target.name : entry->name);
}

static int entry_metadata(const Copier *copier, const WalkEntry *entry, Metadata *ret, Error *err) {
        const struct stat *status = entry->status;
        bool neutral = copier->tree->neutral_owner;

        *ret = (Metadata){
                .mode = status->st_mode & PERMISSION_BITS,
                .uid = copier->options->uid >= 0 ? (uid_t)copier->options->uid
                       : neutral                 ? 0
                                                 : status->st_uid,
                .gid = copier->options->gid >= 0 ? (gid_t)copier->options->gid
                       : neutral                 ? 0
                                                 : status->st_gid,
                .times = { clamped(status->st_atim, copier->options->epoch),
                           clamped(status->st_mtim, copier->options->epoch) },
        };
        return copier->options->chmod && !S_ISLNK(status->st_mode)
                       ? mode_apply(copier->options->chmod, ret->mode, S_ISDIR(status->st_mode),
                                    &ret->mode, err)
                       : 0;
}

static int entry_attributes(const Copier *copier, const WalkEntry *entry, Attributes *ret,
                            Error *err) {
        int r = attributes_read(entry->dir_fd, entry->base, ret, err);
        size_t kept = 0;

        if (r < 0 || !copier->options->harmless)
                return r;
        for (size_t i = 0; i < ret->count; i++) {
                Attribute *item = &ret->items[i];

                if (str_after(item->name, "user.")) {
                        ret->items[kept++] = *item;
                        continue;
                }
                free(item->name);
                free(item->value);
        }
        ret->count = kept;
        return 0;
}

/* ---- directories ---- */

static void push_directory(Copier *copier, int fd, bool existed) {
        if (!copier->dirs)
                copier->dirs = NEW_ARRAY(OpenDirectory, TREE_DEPTH_MAX);
        copier->dirs[copier->dir_count++] = (OpenDirectory){ fd, existed };
}

static int copy_enter(void *data, const WalkEntry *entry, Error *err) {
        Copier *copier = data;
        const char *name = target_name(copier, entry);
        _cleanup_free_ char *path = target_path(copier, entry);
        _cleanup_close_ int fd = -1;
        bool existed = true;

        if (*entry->name == '\0') {
                fd = fcntl(copier->target.dir_fd, F_DUPFD_CLOEXEC, 0);
        } else {
                existed = mkdirat(top_fd(copier), name, 0700) < 0;
                if (existed && errno != EEXIST)
                        return error_set(err, errno, "make directory '/%s'", path);
                fd = openat(top_fd(copier), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
                return not_directory(path, err);
        if (fd < 0)
                return error_set(err, errno, "open directory '/%s'", path);
        push_directory(copier, TAKE_FD(fd), existed);
        return 0;
}

/* The top of a context has nothing of its own that counts: when it was unpacked, and whose it is.
 */
static bool has_own(const Copier *copier, const WalkEntry *entry) {
        return *entry->path || !copier->tree->neutral_owner;
}

/* Where a directory's content went has its times, as with BuildKit, so that the layer is the same
 * whenever it is made. */
static int copy_times(Copier *copier, const WalkEntry *entry, int fd, Error *err) {
        const struct timespec times[2] = {
                clamped(entry->status->st_atim, copier->options->epoch),
                clamped(entry->status->st_mtim, copier->options->epoch),
        };

        if (!has_own(copier, entry))
                return 0;
        made_directories_drop(&copier->made, copier->target.dir);
        return futimens(fd, times) < 0
                       ? error_set(err, errno, "set the times of '/%s'", copier->target.dir)
                       : 0;
}

/* At the end, as filling it changes its times. What was there and was not itself selected keeps its
 * own. */
static int copy_leave(void *data, const WalkEntry *entry, Error *err) {
        Copier *copier = data;
        OpenDirectory *top = &copier->dirs[--copier->dir_count];
        _cleanup_close_ int fd = TAKE_FD(top->fd);
        Attributes attributes = {};
        Metadata metadata;
        int r;

        if (entry->parent && top->existed)
                return 0;
        if (*entry->name == '\0' && !(copier->options->itself && has_own(copier, entry)))
                return copy_times(copier, entry, fd, err);
        r = entry_metadata(copier, entry, &metadata, err);
        if (r == 0)
                r = entry_attributes(copier, entry, &attributes, err);
        if (r == 0)
                r = metadata_set(fd, &metadata, &attributes, err);
        attributes_done(&attributes);
        return r < 0 ? error_prefix(err, "'%s'", entry->path) : 0;
}

/* ---- hard links ---- */

static char *link_key(const struct stat *status) {
        return str_format("%llx:%llx", (unsigned long long)status->st_dev,
                          (unsigned long long)status->st_ino);
}

/* A copy was replaced by another source's: later names are not to become links to that. */
static void forget_link(Copier *copier, const char *path) {
        _cleanup_free_ char *key = NULL;
        const char *candidate;
        char *kept;

        MAP_EACH(&copier->links, candidate, kept)
                if (str_equal(kept, path)) {
                        key = str_copy(candidate);
                        break;
                }
        if (key)
                free(map_drop(&copier->links, key));
}

/* Makes the entry another name of an earlier copy; *ret says whether there was one. */
static int copy_as_link(Copier *copier, const WalkEntry *entry, bool *ret, Error *err) {
        _cleanup_free_ char *key = link_key(entry->status);
        const char *first = map_get(&copier->links, key);
        _cleanup_close_ int fd = -1;

        *ret = false;
        if (!first)
                return 0;
        fd = tree_open(copier->target.root_fd, first, O_PATH | O_NOFOLLOW);
        if (fd < 0)
                return error_set(err, fd, "open '/%s'", first);
        if (linkat(fd, "", top_fd(copier), target_name(copier, entry), AT_EMPTY_PATH) < 0)
                return error_set(err, errno, "link '%s' to '/%s'", entry->path, first);
        *ret = true;
        return 0;
}

static void remember_link(Copier *copier, const WalkEntry *entry) {
        _cleanup_free_ char *key = link_key(entry->status);

        free(map_put(&copier->links, key, target_path(copier, entry)));
}

/* ---- what is no directory ---- */

/* Makes room at the entry's name. */
static int clear_name(Copier *copier, const WalkEntry *entry, Error *err) {
        const char *name = target_name(copier, entry);
        _cleanup_free_ char *path = NULL;

        if (faccessat(top_fd(copier), name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        path = target_path(copier, entry);
        if (copier->links.count > 0)
                forget_link(copier, path);
        return clear_target(top_fd(copier), name, path, err);
}

static int open_source(const WalkEntry *entry, int *ret_fd, Error *err) {
        const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        int fd = openat(entry->dir_fd, entry->base, flags | O_NOATIME);

        if (fd < 0 && errno == EPERM)
                fd = openat(entry->dir_fd, entry->base, flags);
        if (fd < 0 && errno == ELOOP) /* it became a link */
                return changed_during(entry->path, err);
        if (fd < 0)
                return error_set(err, errno, "open");
        *ret_fd = fd;
        return 0;
}

static int check_unchanged(const Copier *copier, const WalkEntry *entry, int fd, bool *ret_grows,
                           Error *err) {
        FileStamp before = stamp_of(entry->status), now;
        struct stat status;

        if (fstat(fd, &status) < 0)
                return error_set(err, errno, "stat");
        *ret_grows = tree_grows(copier->tree, &status);
        now = stamp_of(&status);
        return S_ISREG(status.st_mode) && stamp_equal(&before, &now)
                       ? 0
                       : changed_during(entry->path, err);
}

static int copy_content(Copier *copier, const WalkEntry *entry, const Metadata *metadata,
                        Error *err) {
        _cleanup_close_ int from_fd = -1, to_fd = -1;
        Attributes attributes = {};
        bool grows = false;
        int r = entry->socket ? 0 : open_source(entry, &from_fd, err);

        if (r == 0 && !entry->socket)
                r = check_unchanged(copier, entry, from_fd, &grows, err);
        if (r < 0)
                return r;
        to_fd = openat(top_fd(copier), target_name(copier, entry),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to_fd < 0)
                return error_set(err, errno, "create");
        r = entry->socket ? 0
                          : copy_bytes(from_fd, to_fd,
                                       grows ? (uint64_t)entry->status->st_size : UINT64_MAX,
                                       &copier->no_clone, copier->job, err);
        if (r == 0 && !entry->socket)
                r = check_unchanged(copier, entry, from_fd, &grows, err);
        if (r == 0 && grows && ftruncate(to_fd, entry->status->st_size) < 0)
                r = error_set(err, errno, "shorten");
        if (r == 0)
                r = entry_attributes(copier, entry, &attributes, err);
        if (r == 0)
                r = metadata_set(to_fd, metadata, &attributes, err);
        attributes_done(&attributes);
        return r;
}

static int copy_file(Copier *copier, const WalkEntry *entry, const Metadata *metadata, Error *err) {
        bool linked = false;
        int r = entry->status->st_nlink > 1 ? copy_as_link(copier, entry, &linked, err) : 0;

        if (r < 0 || linked)
                return r;
        r = copy_content(copier, entry, metadata, err);
        if (r == 0 && entry->status->st_nlink > 1)
                remember_link(copier, entry);
        return r;
}

static int make_node(Copier *copier, const WalkEntry *entry, const char *name, Error *err) {
        const struct stat *status = entry->status;
        _cleanup_free_ char *target = NULL;
        int r;

        if (!S_ISLNK(status->st_mode))
                return mknodat(top_fd(copier), name, status->st_mode, status->st_rdev) < 0
                               ? error_set(err, errno, "make the node")
                               : 0;
        r = link_target(entry->dir_fd, entry->base, entry->path, &target, err);
        if (r < 0)
                return r;
        return symlinkat(target, top_fd(copier), name) < 0 ? error_set(err, errno, "make the link")
                                                           : 0;
}

/* Links, devices and FIFOs, which are not opened. */
static int copy_node(Copier *copier, const WalkEntry *entry, const Metadata *metadata, Error *err) {
        const char *name = target_name(copier, entry);
        Attributes attributes = {};
        int r = make_node(copier, entry, name, err);

        if (r == 0)
                r = entry_attributes(copier, entry, &attributes, err);
        if (r == 0)
                r = metadata_set_at(top_fd(copier), name, S_ISLNK(entry->status->st_mode), metadata,
                                    &attributes, err);
        attributes_done(&attributes);
        return r;
}

static int copy_other(void *data, const WalkEntry *entry, Error *err) {
        Copier *copier = data;
        Metadata metadata;
        int r;

        if (copier->options->harmless &&
            (S_ISBLK(entry->status->st_mode) || S_ISCHR(entry->status->st_mode)))
                return 0;
        r = clear_name(copier, entry, err);
        if (r < 0)
                return r;
        r = entry_metadata(copier, entry, &metadata, err);
        if (r == 0)
                r = S_ISREG(entry->status->st_mode) ? copy_file(copier, entry, &metadata, err)
                                                    : copy_node(copier, entry, &metadata, err);
        return r < 0 ? error_prefix(err, "copy '%s'", entry->path) : 0;
}

/* ---- archives ---- */

static int unpack_into(Copier *copier, int file_fd, Error *err) {
        const CopyOptions *options = copier->options;
        int r = target_directory(&copier->target, options, &copier->made, err);

        if (r < 0)
                return r;
        r = options->unpack(options->unpack_data, file_fd, copier->target.dir_fd, err);
        return r < 0 ? r : 1;
}

/* 1: it was an archive. */
static int try_unpack(Copier *copier, const Selected *item, Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat status;
        int r;

        if (!copier->options->unpack || item->directory)
                return 0;
        /* Its type first: opening a device may do things. */
        fd = tree_open(copier->tree->root_fd, item->path, O_PATH | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &status) < 0)
                return error_set(err, fd < 0 ? -fd : errno, "open '%s'", item->path);
        if (!S_ISREG(status.st_mode))
                return 0;
        close_fd(&fd);
        fd = tree_open(copier->tree->root_fd, item->path,
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return error_set(err, fd, "open '%s'", item->path);
        r = copier->options->unpack(copier->options->unpack_data, fd, -1, err);
        if (r == 1)
                r = lseek(fd, 0, SEEK_SET) < 0 ? error_set(err, errno, "rewind '%s'", item->path)
                                               : unpack_into(copier, fd, err);
        return r < 0 ? error_prefix(err, "unpack '%s'", item->path) : r;
}

/* ---- items ---- */

/* Where an item goes: into the destination's directory, or to its name. */
static int find_target(Copier *copier, const Selected *item, Error *err) {
        if (item->directory || copier->options->parents)
                return target_directory(&copier->target, copier->options, &copier->made, err);
        return target_file(&copier->target, copier->options, item->name, &copier->made, err);
}

static int copy_item(Copier *copier, Walk *walk, const Selected *item, Error *err) {
        int r = try_unpack(copier, item, err);

        if (r != 0)
                return r < 0 ? r : 0;
        /* With parents directories stay entered between items; their target does not change. */
        if (!copier->options->parents || copier->target.dir_fd < 0)
                r = find_target(copier, item, err);
        if (r == 0)
                r = walk_item(walk, item, err);
        if (r == 0 && !copier->options->parents)
                r = walk_end(walk, err);
        return r;
}

static int copy_items(Copier *copier, const Selection *selection, Error *err) {
        static const WalkVisitor visitor = { copy_enter, copy_leave, copy_other };
        Walk walk = {
                .tree = copier->tree,
                .excludes = copier->excludes,
                .job = copier->job,
                .visitor = &visitor,
                .data = copier,
                .parents = copier->options->parents,
                .base_fd = -1,
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < selection->count; i++)
                r = copy_item(copier, &walk, &selection->items[i], err);
        if (r == 0)
                r = walk_end(&walk, err);
        walk_done(&walk);
        return r;
}

static void copier_done(Copier *copier) {
        while (copier->dir_count > 0)
                close_fd(&copier->dirs[--copier->dir_count].fd);
        free(copier->dirs);
        map_done(&copier->links, free);
        target_done(&copier->target);
        made_directories_done(&copier->made);
}

int tree_copy(const Tree *tree, const Selection *selection, int dest_fd, const CopyOptions *options,
              const TreeJob *job, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *excludes = NULL;
        _cleanup_(copier_done) Copier copier = {
                .tree = tree,
                .options = options,
                .job = job,
                .target = { .root_fd = dest_fd, .dir_fd = -1 },
        };
        int r = options->excludes ? ignore_from_list(options->excludes, &excludes, err) : 0;

        if (r < 0)
                return r;
        copier.excludes = excludes;
        if (selection->count > 1) {
                r = target_require_directory(dest_fd, options, err);
                if (r < 0)
                        return r;
        }
        r = copy_items(&copier, selection, err);
        return r < 0 ? r : made_directories_finish(&copier.made, dest_fd, options->epoch, err);
}
