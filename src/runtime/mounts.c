/* mounts.c: the container's mounts. The parent copies the sources of binds where host paths mean
 * what the document's author saw; init makes the rest and puts each on a descriptor that was opened
 * inside the root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "os/mount.h"
#include "os/procfs.h"
#include "runtime/idmap.h"
#include "runtime/private.h"

/* ---- the parent ---- */

/* A mount without maps of its own has the container's (runtime-spec config.md, "idmap"). */
static int container_map(Setup *setup, int *ret_fd, Error *err) {
        const OciLinux *linux_ = setup->config->linux_;

        *ret_fd = setup->ns.join[NAMESPACE_USER];
        if (*ret_fd >= 0)
                return 0;
        if (setup->own_map_fd < 0) {
                int r = idmap_userns(&linux_->uid_mappings, &linux_->gid_mappings,
                                     &setup->own_map_fd, err);

                if (r < 0)
                        return r;
        }
        *ret_fd = setup->own_map_fd;
        return 0;
}

static int map_source(Setup *setup, const OciMount *mount, const MountOptions *options, int fd,
                      Error *err) {
        _cleanup_close_ int own_fd = -1;
        int map_fd = -1, r;

        if (mount->uid_mappings.count == 0) {
                r = container_map(setup, &map_fd, err);
        } else {
                r = idmap_userns(&mount->uid_mappings, &mount->gid_mappings, &own_fd, err);
                map_fd = own_fd;
        }
        return r < 0 ? r : mount_map_ids(fd, options->map_recursive, map_fd, err);
}

static int copy_source(Setup *setup, const OciMount *mount, const MountOptions *options,
                       int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1, copy_fd = -1;
        int r;

        if (str_empty(mount->source))
                return error_kind(err, ERROR_INVALID, "mount '%s': a bind mount needs a source",
                                  mount->destination);
        /* An administrator's path: links in it are meant. */
        fd = openat(setup->options->bundle_fd, mount->source, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "error mounting \"%s\" to rootfs at \"%s\"",
                                 mount->source, mount->destination);
        r = mount_clone(fd, options->recursive, &copy_fd, err);
        if (r == 0 && options->map_ids)
                r = map_source(setup, mount, options, copy_fd, err);
        if (r < 0)
                return error_prefix(err, "error mounting \"%s\" to rootfs at \"%s\"", mount->source,
                                    mount->destination);
        *ret_fd = TAKE_FD(copy_fd);
        return 0;
}

int mounts_prepare(Setup *setup, Error *err) {
        const OciMount *mounts = setup->config->mounts.items;
        size_t count = setup->config->mounts.count;
        int r = 0;

        setup->source_fds = NEW_ARRAY(int, count + 1);
        setup->mount_options = NEW_ARRAY(MountOptions, count + 1);
        for (size_t i = 0; i < count; i++)
                setup->source_fds[i] = -1;
        for (size_t i = 0; r == 0 && i < count; i++) {
                r = mount_options_parse(&mounts[i], &setup->mount_options[i], err);
                if (r == 0 && setup->mount_options[i].bind)
                        r = copy_source(setup, &mounts[i], &setup->mount_options[i],
                                        &setup->source_fds[i], err);
        }
        return r;
}

/* ---- init ---- */

/* The propagation that the host's mounts get in the container's namespace: none to the host unless
 * the document shares. */
static void root_propagation(const OciConfig *config, uint64_t *ret, bool *ret_recursive) {
        const char *word = config->linux_ ? config->linux_->rootfs_propagation : NULL;

        if (str_empty(word) || !propagation_parse(word, ret, ret_recursive)) {
                *ret = MS_SLAVE;
                *ret_recursive = true;
        }
}

int mounts_enter_namespace(const Setup *setup, int host_root_fd, Error *err) {
        uint64_t propagation;
        bool recursive;
        int r;

        root_propagation(setup->config, &propagation, &recursive);
        if (propagation == MS_SHARED) {
                /* Nothing that is put on "/" may show on the host, though what lies below stays
                 * shared. */
                r = mount_change(host_root_fd, false, 0, 0, MS_PRIVATE, err);
        } else {
                r = mount_change(host_root_fd, true, 0, 0,
                                 propagation == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE, err);
        }
        return r < 0 ? error_prefix(err, "separate the mount namespace from the host's") : 0;
}

/* Files of procfs over which a mount is customary (lxcfs). */
static const char *const over_proc[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/net/dev",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
};

/* A mount over a part of procfs could redirect what the runtime or a tool reads and writes there.
 */
static int check_target(int target_fd, const OciMount *mount, Error *err) {
        struct statfs info;
        struct stat status;

        if (fstatfs(target_fd, &info) < 0 || fstat(target_fd, &status) < 0)
                return error_set(err, errno, "mount '%s'", mount->destination);
        if (info.f_type != PROC_SUPER_MAGIC || BUG("proc-cover") ||
            (status.st_ino == 1 && str_equal(mount->type, "proc")))
                return 0;
        for (size_t i = 0; i < ELEMENTS(over_proc); i++)
                if (str_equal(mount->destination, over_proc[i]))
                        return 0;
        return error_kind(err, ERROR_FORBIDDEN,
                          "\"%s\" cannot be mounted because it is inside /proc",
                          mount->destination);
}

/* Whether that is the root's /proc, by whatever name. */
static bool is_place_of_proc(int root_fd, int target_fd) {
        _cleanup_close_ int fd = -1;
        struct stat proc, target;

        return root_open(root_fd, "proc", O_PATH, &fd, NULL) == 0 && fstat(fd, &proc) == 0 &&
               fstat(target_fd, &target) == 0 && proc.st_dev == target.st_dev &&
               proc.st_ino == target.st_ino;
}

/* What tools and the runtime look up in /proc must come from the kernel: an image's or a client's
 * own files there would answer in its place (CVE-2019-16884). source_fd: of a bind, else -1. */
static int check_proc(int root_fd, int target_fd, const OciMount *mount, int source_fd,
                      Error *err) {
        struct statfs info;

        if (!is_place_of_proc(root_fd, target_fd) || BUG("proc-writes"))
                return 0;
        if (source_fd < 0 && str_equal(mount->type, "proc"))
                return 0;
        if (source_fd >= 0 && fstatfs(source_fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC)
                return 0;
        return error_kind(err, ERROR_FORBIDDEN,
                          "\"%s\" cannot be mounted because it is not of type proc",
                          mount->destination);
}

static bool is_kernel_type(const char *type) {
        return str_equal(type, "proc") || str_equal(type, "sysfs") || str_equal(type, "mqueue");
}

/* procfs and sysfs must lie where the document says, or later writes to /proc would go to a place
 * of the image's choice. What is returned is what was checked: a volume's owner may swap a
 * directory for a link at any moment. */
static int open_ordinary(int root_fd, const OciMount *mount, int *ret_fd, Error *err) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
        int fd;

        do
                fd = (int)syscall(SYS_openat2, root_fd, mount->destination, &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        if (fd >= 0) {
                *ret_fd = fd;
                return 0;
        }
        if (errno == ELOOP || errno == ENOTDIR)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "filesystem \"%s\" must be mounted on ordinary directory: '%s' "
                                  "is or passes a symbolic link",
                                  mount->type, mount->destination);
        return error_set(err, errno, "open '%s' in the container's root", mount->destination);
}

static int open_or_make_ordinary(int root_fd, const OciMount *mount, int *ret_fd, Error *err) {
        _cleanup_close_ int made_fd = -1;
        int r = open_ordinary(root_fd, mount, ret_fd, err);

        if (r != -ENOENT)
                return r;
        r = root_make(root_fd, mount->destination, true, &made_fd, err);
        return r == 0 ? open_ordinary(root_fd, mount, ret_fd, err) : r;
}

/* What the kernel makes the files of is mounted on a directory of the root, through no link. */
static bool wants_ordinary(const OciMount *mount) {
        if (BUG("linked-proc"))
                return false;
        if (BUG("proc-race"))
                return false;
        return is_kernel_type(mount->type);
}

/* A directory goes onto a directory, and anything else onto what is none. In Docker's words. */
static int check_kinds(int target_fd, bool directory, Error *err) {
        struct stat status;

        if (fstat(target_fd, &status) < 0)
                return error_set(err, errno, "look at its place");
        if (S_ISDIR(status.st_mode) == directory)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "not a directory: Are you trying to mount a directory onto a file (or "
                          "vice-versa)? Check if the specified host path exists and is the "
                          "expected type");
}

static int open_target(int root_fd, const OciMount *mount, int source_fd, int *ret_fd, Error *err) {
        bool directory = true;
        struct stat status;
        int r;

        if (source_fd >= 0) {
                if (fstat(source_fd, &status) < 0)
                        return error_set(err, errno, "mount '%s'", mount->destination);
                directory = S_ISDIR(status.st_mode);
        }
        r = wants_ordinary(mount) ? open_or_make_ordinary(root_fd, mount, ret_fd, err)
                                  : root_make(root_fd, mount->destination, directory, ret_fd, err);
        if (r == 0 && source_fd >= 0)
                r = check_kinds(*ret_fd, directory, err);
        if (r == 0)
                r = check_proc(root_fd, *ret_fd, mount, source_fd, err);
        return r == 0 ? check_target(*ret_fd, mount, err) : r;
}

/* The attributes and the propagation that the options name, on a detached mount. */
static int apply_options(const Setup *setup, int mount_fd, const MountOptions *options, bool is_new,
                         Error *err) {
        uint64_t propagation = options->propagation;
        bool recursive = options->propagation_recursive;
        int r = 0;

        if (!is_new && (options->set || options->clear))
                r = mount_change(mount_fd, false, options->set, options->clear, 0, err);
        if (r == 0 && (options->recursive_set || options->recursive_clear))
                r = mount_change(mount_fd, true, options->recursive_set, options->recursive_clear,
                                 0, err);
        if (r == 0 && !is_new && !propagation) {
                /* A copy of a shared mount is a peer of it: not what the document asked for unless
                 * its root is shared too. */
                root_propagation(setup->config, &propagation, &recursive);
                recursive = true;
        }
        if (r == 0 && propagation)
                r = mount_change(mount_fd, recursive, 0, 0, propagation, err);
        return r;
}

/* What goes onto a tmpfs is made in it: it becomes read-only last. */
static bool is_late(const OciMount *mount) {
        return str_equal(mount->type, "tmpfs");
}

static int make_new(const OciMount *mount, const MountOptions *options, int *ret_fd, Error *err) {
        const char *source = str_empty(mount->source) ? mount->type : mount->source;

        if (str_empty(mount->type))
                return error_kind(err, ERROR_INVALID,
                                  "mount '%s': has neither a type nor the option bind",
                                  mount->destination);
        return mount_new(mount->type, source, options->data,
                         is_late(mount) ? options->set & ~(uint64_t)MOUNT_ATTR_RDONLY
                                        : options->set,
                         ret_fd, err);
}

static int make_one(const Setup *setup, int root_fd, const OciMount *mount, size_t index,
                    Error *err) {
        const MountOptions *options = &setup->mount_options[index];
        _cleanup_close_ int mount_fd = -1, target_fd = -1;
        bool is_new = setup->source_fds[index] < 0;
        int r;

        if (str_equal(mount->type, "cgroup") || str_equal(mount->type, "cgroup2"))
                return mount_cgroups(setup, root_fd, mount, options, err);
        if (is_new)
                r = make_new(mount, options, &mount_fd, err);
        else
                mount_fd = fcntl(setup->source_fds[index], F_DUPFD_CLOEXEC, 3), r = 0;
        if (r == 0)
                r = open_target(root_fd, mount, is_new ? -1 : mount_fd, &target_fd, err);
        /* What is copied is charged to the container, and held to its limit. */
        if (r == 0 && options->copy_up)
                r = cgroups_join(setup, err);
        if (r == 0 && options->copy_up)
                r = mount_copy_up(setup, target_fd, mount_fd, err);
        if (r == 0)
                r = apply_options(setup, mount_fd, options, is_new, err);
        if (r == 0)
                r = mount_attach(mount_fd, target_fd, err);
        if (r == 0 && is_new && is_late(mount) && (options->set & MOUNT_ATTR_RDONLY))
                setup->source_fds[index] = TAKE_FD(mount_fd); /* for root_finish */
        return r;
}

/* The tmpfs mounts that are to be read-only. */
static int finish_late(const Setup *setup, Error *err) {
        const OciMount *mounts = setup->config->mounts.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < setup->config->mounts.count; i++)
                if (is_late(&mounts[i]) && !setup->mount_options[i].bind &&
                    setup->source_fds[i] >= 0)
                        r = mount_change(setup->source_fds[i], false, MOUNT_ATTR_RDONLY, 0, 0, err);
        return r;
}

int mounts_make(const Setup *setup, int root_fd, Error *err) {
        const OciMount *mounts = setup->config->mounts.items;

        for (size_t i = 0; i < setup->config->mounts.count; i++) {
                int r = make_one(setup, root_fd, &mounts[i], i, err);

                if (r < 0)
                        return error_prefix(err, "error mounting \"%s\" to rootfs at \"%s\"",
                                            mounts[i].source ?: mounts[i].type ?: "", mounts[i].destination);
        }
        return 0;
}

/* ---- the root itself ---- */

/* The new root lies on "/" now: makes it the namespace's root and lets the old one go. */
static int pivot(Error *err) {
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return error_set(err, errno, "pivot_root");
        /* path: "." is the old root, which lies over the new one until it is taken off. */
        if (umount2(".", MNT_DETACH) < 0) /* path: as above */
                return error_set(err, errno, "take off the old root");
        if (chdir("/") < 0)
                return error_set(err, errno, "enter the root");
        return 0;
}

/* One of the host's mounts, by its path there: taken off, or where it may not be (a user namespace
 * holds it), hidden. */
static int hide_mount(const char *path, Error *err) {
        _cleanup_close_ int tmpfs_fd = -1, fd = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
        struct statfs info;
        int r;

        if (fd < 0)
                return errno == ENOENT || errno == EACCES
                               ? 0
                               : error_set(err, errno, "open '%s'", path);
        r = mount_change(fd, false, 0, 0, MS_PRIVATE,
                         NULL);                       /* fails where it is no mount any more */
        if (r == 0 && umount2(path, MNT_DETACH) == 0) /* path: the host's, which this is still in */
                return 0;
        if (fstatfs(fd, &info) < 0 ||
            (info.f_type != PROC_SUPER_MAGIC && info.f_type != SYSFS_MAGIC) || r == -EINVAL)
                return 0;
        r = mount_new("tmpfs", "tmpfs", NULL, 0, &tmpfs_fd, err);
        return r < 0 ? r : mount_attach(tmpfs_fd, fd, err);
}

/* Without pivot_root the host's mounts stay in the namespace. A procfs or sysfs that shows all
 * would let a user namespace inside mount another (mount_namespaces(7)). */
static int hide_host_kernel_files(Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        int r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL, err);

        lines = r < 0 ? NULL : str_split(text, '\n');
        for (char **line = lines; r == 0 && line && *line; line++) {
                _cleanup_strv_ char **words = str_split(*line, ' ');
                const char *type = strstr(*line, " - ");

                if (type && strv_length(words) > 4 &&
                    (str_after(type, " - proc ") || str_after(type, " - sysfs "))) {
                        mountinfo_unescape(words[4]);
                        r = hide_mount(words[4], err);
                }
        }
        return r;
}

int root_enter(const Setup *setup, int root_fd, Error *err) {
        int r;

        if (fchdir(root_fd) < 0)
                return error_set(err, errno, "enter the container's root");
        if (!setup->options->no_pivot)
                return pivot(err);
        r = hide_host_kernel_files(err);
        if (r < 0)
                return r;
        if (chroot(".") < 0 || chdir("/") < 0) /* path: the directory entered above */
                return error_set(err, errno, "chroot into the container's root");
        return 0;
}

int root_finish(const Setup *setup, Error *err) {
        const OciConfig *config = setup->config;
        const char *word = config->linux_ ? config->linux_->rootfs_propagation : NULL;
        _cleanup_close_ int root_fd = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        uint64_t propagation;
        bool recursive;
        int r = 0;

        if (root_fd < 0)
                return error_set(err, errno, "open the container's root");
        if (!str_empty(word) && propagation_parse(word, &propagation, &recursive))
                r = mount_change(root_fd, false, 0, 0, propagation, err);
        if (r == 0)
                r = finish_late(setup, err);
        if (r == 0 && config->root->readonly)
                r = mount_change(root_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
        return r < 0 ? error_prefix(err, "root") : 0;
}
