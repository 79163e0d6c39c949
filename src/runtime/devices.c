/* devices.c: the container's /dev: the default devices of runtime-spec config-linux.md, those of
 * the document, and the links. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/mount.h"
#include "runtime/private.h"

static const struct {
        const char *path;
        unsigned minor_;
        unsigned major_;
} defaults[] = {
        { "/dev/null", 3, 1 },   { "/dev/zero", 5, 1 },    { "/dev/full", 7, 1 },
        { "/dev/random", 8, 1 }, { "/dev/urandom", 9, 1 }, { "/dev/tty", 0, 5 },
};

static const struct {
        const char *path, *target;
} links[] = {
        { "/dev/fd", "/proc/self/fd" },       { "/dev/stdin", "/proc/self/fd/0" },
        { "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
        { "/dev/core", "/proc/kcore" },
};

/* As runc does: no link to a core that this kernel does not show. */
static bool is_wanted(const char *target) {
        if (!str_equal(target, "/proc/kcore"))
                return true;
        return access(target, F_OK) == 0; /* path: the host's /proc */
}

typedef struct Node {
        const char *path;
        mode_t mode; /* type and permissions */
        dev_t number;
        uid_t uid;
        gid_t gid;
} Node;

/* What stands at the name is the device that was asked for, or nobody uses it. */
static int verify(int fd, const Node *node, Error *err) {
        struct stat status;

        if (fstat(fd, &status) < 0)
                return error_set(err, errno, "device '%s'", node->path);
        if ((status.st_mode & S_IFMT) != (node->mode & S_IFMT) || status.st_rdev != node->number)
                return error_kind(err, ERROR_CONFLICT, "device '%s': another file is in its place",
                                  node->path);
        return 0;
}

static int make_node(int parent_fd, const char *name, const Node *node, Error *err) {
        _cleanup_close_ int fd = -1;
        bool made = mknodat(parent_fd, name, node->mode, node->number) == 0;
        int r;

        if (!made && errno != EEXIST)
                return error_set(err, errno, "make device '%s'", node->path);
        if (made && !node->uid && !node->gid)
                return 0;
        fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open device '%s'", node->path);
        r = verify(fd, node, err);
        if (r < 0 || !made)
                return r;
        if ((node->uid || node->gid) && fchownat(fd, "", node->uid, node->gid, AT_EMPTY_PATH) < 0)
                return error_set(err, errno, "give device '%s' to %u:%u", node->path, node->uid,
                                 node->gid);
        return 0;
}

static int open_or_make_file(int parent_fd, const char *name, const char *path, int *ret_fd,
                             Error *err) {
        _cleanup_close_ int file_fd = -1;
        int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT) {
                file_fd = openat(parent_fd, name,
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
                if (file_fd >= 0)
                        fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0)
                return error_set(err, errno, "make '%s'", path);
        *ret_fd = fd;
        return 0;
}

/* A user namespace may not make devices: the host's is bound over an empty file. */
static int bind_node(int parent_fd, const char *name, const Node *node, Error *err) {
        _cleanup_close_ int source_fd = openat(AT_FDCWD, node->path, O_PATH | O_CLOEXEC),
                            copy_fd = -1, target_fd = -1;
        int r;

        if (source_fd < 0)
                return error_set(err, errno, "open the host's device '%s'", node->path);
        r = verify(source_fd, node, err);
        if (r == 0)
                r = open_or_make_file(parent_fd, name, node->path, &target_fd, err);
        if (r < 0)
                return r;
        r = mount_clone(source_fd, false, &copy_fd, err);
        if (r == 0)
                r = mount_attach(copy_fd, target_fd, err);
        return r < 0 ? error_prefix(err, "device '%s'", node->path) : 0;
}

static int place(const Setup *setup, int root_fd, const Node *node, Error *err) {
        _cleanup_close_ int parent_fd = -1;
        const char *name;
        int r = root_make_parent(root_fd, node->path, &parent_fd, &name, err);

        if (r < 0)
                return r;
        return setup->bind_devices ? bind_node(parent_fd, name, node, err)
                                   : make_node(parent_fd, name, node, err);
}

static int type_bits(const char *type) {
        switch (type[0] && !type[1] ? type[0] : 0) {
        case 'c':
        case 'u':
                return S_IFCHR;
        case 'b':
                return S_IFBLK;
        case 'p':
                return S_IFIFO;
        }
        return -1;
}

static int place_listed(const Setup *setup, int root_fd, const OciDevice *device, Error *err) {
        int type = type_bits(device->type);
        Node node = { .path = device->path,
                      .mode = (mode_t)((device->file_mode ? *device->file_mode & 07777 : 0666)),
                      .number = makedev((unsigned)device->major, (unsigned)device->minor),
                      .uid = device->uid ? (uid_t)*device->uid : 0,
                      .gid = device->gid ? (gid_t)*device->gid : 0 };

        if (type < 0)
                return error_kind(err, ERROR_INVALID,
                                  "linux.devices: '%s': type '%s' is none of c, b, u, p",
                                  device->path, device->type);
        if (type == S_IFIFO)
                node.number = 0;
        node.mode |= (mode_t)type;
        return place(setup, root_fd, &node, err);
}

static bool is_listed(const OciConfig *config, const char *path) {
        const OciDevice *devices = config->linux_ ? config->linux_->devices.items : NULL;

        for (size_t i = 0; devices && i < config->linux_->devices.count; i++)
                if (str_equal(devices[i].path, path))
                        return true;
        return false;
}

static int make_link(int root_fd, const char *path, const char *target, Error *err) {
        _cleanup_close_ int parent_fd = -1;
        char found[64];
        const char *name;
        ssize_t n;
        int r = root_make_parent(root_fd, path, &parent_fd, &name, err);

        if (r < 0 || symlinkat(target, parent_fd, name) == 0)
                return r;
        if (errno != EEXIST)
                return error_set(err, errno, "link '%s'", path);
        n = readlinkat(parent_fd, name, found, sizeof(found));
        if (n == (ssize_t)strlen(target) && memcmp(found, target, (size_t)n) == 0)
                return 0;
        /* Docker's images bring plain files here at times; they are replaced, as nothing else may
         * answer to these names. */
        if (unlinkat(parent_fd, name, 0) < 0 || symlinkat(target, parent_fd, name) < 0)
                return error_set(err, errno, "link '%s'", path);
        return 0;
}

/* Whether destination is /dev, however it is written: "//dev/", "/./dev". */
static bool is_dev(const char *destination) {
        _cleanup_strv_ char **parts = str_split(destination, '/');
        const char *last = NULL;

        for (size_t i = 0; parts && parts[i]; i++) {
                if (!*parts[i] || str_equal(parts[i], "."))
                        continue;
                if (last || !str_equal(parts[i], "dev"))
                        return false;
                last = parts[i];
        }
        return last != NULL;
}

/* A /dev that is bound from elsewhere is left as it is. */
static bool dev_is_bound(const Setup *setup) {
        const OciMount *mounts = setup->config->mounts.items;

        for (size_t i = 0; i < setup->config->mounts.count; i++)
                if (setup->mount_options[i].bind && is_dev(mounts[i].destination))
                        return true;
        return false;
}

static int make_nodes(const Setup *setup, int root_fd, Error *err) {
        const OciLinux *linux_ = setup->config->linux_;
        const OciDevice *devices = linux_ ? linux_->devices.items : NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(defaults); i++) {
                Node node = { .path = defaults[i].path,
                              .mode = S_IFCHR | 0666,
                              .number = makedev(defaults[i].major_, defaults[i].minor_) };

                if (!is_listed(setup->config, node.path))
                        r = place(setup, root_fd, &node, err);
        }
        for (size_t i = 0; r == 0 && devices && i < linux_->devices.count; i++)
                r = place_listed(setup, root_fd, &devices[i], err);
        return r;
}

int devices_make(const Setup *setup, int root_fd, Error *err) {
        mode_t mask = umask(0);
        int r = 0;

        if (!dev_is_bound(setup)) {
                r = make_nodes(setup, root_fd, err);
                for (size_t i = 0; r == 0 && i < ELEMENTS(links); i++)
                        if (is_wanted(links[i].target))
                                r = make_link(root_fd, links[i].path, links[i].target, err);
                if (r == 0)
                        r = make_link(root_fd, "/dev/ptmx", "pts/ptmx", err);
        }
        (void)umask(mask);
        return r;
}
