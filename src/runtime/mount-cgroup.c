/* mount-cgroup.c: the mount of type cgroup: the container's own groups, bound from the host's
 * hierarchies, so that it sees no other with or without a cgroup namespace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "os/mount.h"
#include "runtime/private.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* A copy of the host's mount at the container's own group. hierarchy: "" or a directory of v1. */
static int copy_group(const Setup *setup, const char *hierarchy, const MountOptions *options,
                      int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%s/%s%s", CGROUP_ROOT, hierarchy, setup->cgroup);
        uint64_t ignored = BUG("user-cgroups") ? MOUNT_ATTR_RDONLY : 0;
        int r = mount_clone_path(path, ret_fd, err);

        if (r == 0)
                r = mount_change(*ret_fd, false, options->set & ~ignored, options->clear,
                                 MS_PRIVATE, err);
        if (r < 0)
                close_fd(ret_fd);
        return r;
}

static int mount_v2(const Setup *setup, int target_fd, const MountOptions *options, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = copy_group(setup, "", options, &fd, err);

        return r < 0 ? r : mount_attach(fd, target_fd, err);
}

/* "cpu" and "cpuacct" as links to "cpu,cpuacct". */
static int link_names(int tmpfs_fd, const char *hierarchy, Error *err) {
        _cleanup_strv_ char **names = str_split(hierarchy, ',');

        for (char **name = names; names && names[0] && names[1] && *name; name++)
                if (symlinkat(hierarchy, tmpfs_fd, *name) < 0 && errno != EEXIST)
                        return error_set(err, errno, "link %s", *name);
        return 0;
}

static int mount_hierarchy(const Setup *setup, int tmpfs_fd, const char *name,
                           const MountOptions *options, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = copy_group(setup, name, options, &fd, err);

        if (r ==
            -ENOENT) /* a hierarchy in which the container has no group of its own is not shown */
                return 0;
        if (r < 0)
                return r;
        if (mkdirat(tmpfs_fd, name, 0755) < 0)
                return error_set(err, errno, "make directory '%s'", name);
        r = mount_attach_at(fd, tmpfs_fd, name, err);
        return r < 0 ? r : link_names(tmpfs_fd, name, err);
}

static int mount_v1(const Setup *setup, int target_fd, const MountOptions *options, Error *err) {
        char mode[] = "mode=755", *tmpfs_options[] = { mode, NULL };
        _cleanup_close_ int tmpfs_fd = -1, list_fd = openat(AT_FDCWD, CGROUP_ROOT,
                                                            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = NULL;
        int r = mount_new("tmpfs", "tmpfs", tmpfs_options,
                          options->set & ~(uint64_t)MOUNT_ATTR_RDONLY, &tmpfs_fd, err);

        if (r == 0)
                r = mount_attach(tmpfs_fd, target_fd, err);
        if (r < 0)
                return r;
        dir = list_fd < 0 ? NULL : fdopendir(list_fd);
        if (!dir)
                return error_set(err, errno, "read %s", CGROUP_ROOT);
        list_fd = -1; /* dir's now */
        for (struct dirent *entry; r == 0 && (entry = readdir(dir));)
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        r = mount_hierarchy(setup, tmpfs_fd, entry->d_name, options, err);
        if (r == 0 && (options->set & MOUNT_ATTR_RDONLY))
                r = mount_change(tmpfs_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
        return r;
}

int mount_cgroups(const Setup *setup, int root_fd, const OciMount *mount,
                  const MountOptions *options, Error *err) {
        _cleanup_close_ int target_fd = -1;
        CgroupMode mode;
        int r = cgroup_mode(&mode, err);

        if (r == 0)
                r = cgroups_join(setup, err);
        if (r == 0)
                r = root_make(root_fd, mount->destination, true, &target_fd, err);
        if (r < 0)
                return r;
        return mode == CGROUP_V2 ? mount_v2(setup, target_fd, options, err)
                                 : mount_v1(setup, target_fd, options, err);
}
