/* tree-attributes.c: what the digest and the copy of an entry both read: its stamp, the target of a
 * link, extended attributes. The latter have no call that takes a directory's descriptor (before
 * Linux 6.13), so they go by /proc/self/fd, whose last component is not followed. */
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "build/tree-private.h"

#define LIST_FIRST 512
#define ATTRIBUTE_MAX 65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX */
#define TARGET_MAX 4096

static int64_t nanoseconds(struct timespec time) {
        return (int64_t)time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

FileStamp stamp_of(const struct stat *status) {
        return (FileStamp){
                .device = status->st_dev,
                .inode = status->st_ino,
                .size = (uint64_t)status->st_size,
                .mtime = nanoseconds(status->st_mtim),
                .ctime = nanoseconds(status->st_ctim),
        };
}

bool stamp_equal(const FileStamp *a, const FileStamp *b) {
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               a->mtime == b->mtime && a->ctime == b->ctime;
}

bool tree_grows(const Tree *tree, struct stat *status) {
        for (size_t i = 0; i < tree->growing_count && S_ISREG(status->st_mode); i++) {
                const struct stat *then = &tree->growing[i];

                /* One that is shorter than it was has been written anew. */
                if (then->st_dev != status->st_dev || then->st_ino != status->st_ino ||
                    then->st_size > status->st_size)
                        continue;
                status->st_size = then->st_size;
                status->st_mtim = then->st_mtim;
                status->st_ctim = then->st_ctim;
                return true;
        }
        return false;
}

int changed_during(const char *path, Error *err) {
        return error_kind(err, ERROR_CONFLICT,
                          "'%s' changed during the build: build again once nothing writes to it",
                          path);
}

int link_target(int dir_fd, const char *base, const char *path, char **ret, Error *err) {
        _cleanup_free_ char *target = alloc_zero(1, TARGET_MAX + 1);
        ssize_t length = readlinkat(dir_fd, base, target, TARGET_MAX + 1);

        if (length < 0 && errno == EINVAL) /* it was one a moment ago */
                return changed_during(path, err);
        if (length < 0 || length > TARGET_MAX)
                return error_set(err, length < 0 ? errno : ENAMETOOLONG, "read link '%s'", path);
        target[length] = '\0';
        *ret = TAKE_PTR(target);
        return 0;
}

/* ---- extended attributes ---- */

/* Those that an archive of files keeps, too: it is the same context, packed or not. */
static bool wanted(const char *name) {
        return (str_after(name, "user.") && !str_after(name, "user.overlay.")) ||
               str_equal(name, "security.capability");
}

static char *proc_path(int dir_fd, const char *base) {
        return str_format("/proc/self/fd/%d/%s", dir_fd, *base ? base : ".");
}

/* Into *ret the names, each with its NUL; the count of bytes. */
static ssize_t list_names(const char *path, char **ret) {
        char *names = alloc_zero(1, LIST_FIRST);
        ssize_t length = llistxattr(path, names, LIST_FIRST);

        if (length < 0 && errno == ERANGE) {
                names = alloc_resize(names, 1, ATTRIBUTE_MAX);
                length = llistxattr(path, names, ATTRIBUTE_MAX);
        }
        if (length < 0) {
                int r = -errno;

                free(names);
                return r == -ENOTSUP ? 0 : r;
        }
        *ret = names;
        return length;
}

static int compare_attributes(const void *a, const void *b) {
        return strcmp(((const Attribute *)a)->name, ((const Attribute *)b)->name);
}

static int add_attribute(const char *path, const char *name, char *value, Attributes *to) {
        ssize_t size = lgetxattr(path, name, value, ATTRIBUTE_MAX);

        if (size < 0)
                return errno == ENODATA ? 0 : -errno; /* removed meanwhile */
        GROW(to->items, to->count);
        to->items[to->count++] = (Attribute){ .name = str_copy(name),
                                              .value = alloc_copy(value, (size_t)size + !size),
                                              .size = (size_t)size };
        return 0;
}

int attributes_read(int dir_fd, const char *base, Attributes *ret, Error *err) {
        _cleanup_(attributes_done) Attributes found = {};
        _cleanup_free_ char *names = NULL, *value = NULL, *path = proc_path(dir_fd, base);
        ssize_t length = list_names(path, &names);

        if (length < 0)
                return error_set(err, (int)length, "list extended attributes");
        for (const char *name = names; name && name < names + length; name += strlen(name) + 1) {
                int r;

                if (!wanted(name))
                        continue;
                value = value ?: alloc_zero(1, ATTRIBUTE_MAX);
                r = add_attribute(path, name, value, &found);
                if (r < 0)
                        return error_set(err, r, "read extended attribute '%s'", name);
        }
        if (found.count > 1)
                qsort(found.items, found.count, sizeof(*found.items), compare_attributes);
        *ret = found;
        found = (Attributes){};
        return 0;
}

int attributes_write(int fd, const char *base, const Attributes *attributes, Error *err) {
        _cleanup_free_ char *path = base && attributes->count ? proc_path(fd, base) : NULL;

        for (size_t i = 0; i < attributes->count; i++) {
                const Attribute *item = &attributes->items[i];
                int r = path ? lsetxattr(path, item->name, item->value, item->size, 0)
                             : fsetxattr(fd, item->name, item->value, item->size, 0);

                /* A file system without them can still hold the image, as elsewhere. */
                if (r < 0 && errno != ENOTSUP)
                        return error_set(err, errno, "set extended attribute '%s'", item->name);
        }
        return 0;
}

void attributes_done(Attributes *attributes) {
        for (size_t i = 0; i < attributes->count; i++) {
                free(attributes->items[i].name);
                free(attributes->items[i].value);
        }
        free(attributes->items);
        *attributes = (Attributes){};
}
