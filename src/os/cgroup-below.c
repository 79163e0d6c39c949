/* cgroup-below.c: groups below one that systemd made for the caller and manages: what is above them
 * is left to it (systemd's CGROUP_DELEGATION). */
#include <fcntl.h>
#include <unistd.h>

#include "os/cgroup-private.h"

int cgroup_create_below(const char *base, const char *path, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        return r < 0 ? r : groups->version->create(base, path, err);
}

int cgroup_adopt(const char *base, const char *path, pid_t pid, Error *err) {
        const Cgroups *groups;
        char number[16];
        int r = cgroups_enter(path, &groups, err);

        if (r < 0 || groups->unified.fd < 0)
                return r;
        (void)snprintf(number, sizeof(number), "%d", (int)pid);
        r = cgroup_make(&groups->unified, path, NULL, err);
        if (r == 0)
                r = cgroup_file_write(&groups->unified, path, "cgroup.procs", number, err);
        return r == 0 && groups->mode == CGROUP_V2 ? groups->version->create(base, path, err) : r;
}

void cgroup_remove_unmanaged(const char *path) {
        const Cgroups *groups;

        if (cgroups_enter(path, &groups, NULL) < 0)
                return;
        /* One that has members, or that systemd has removed, is as it should be. */
        for (size_t i = 0; i < groups->v1_count; i++)
                if (!str_equal(groups->v1[i].name, "systemd"))
                        (void)unlinkat(groups->v1[i].fd, cgroup_relative(path), AT_REMOVEDIR);
}
