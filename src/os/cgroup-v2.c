/* cgroup-v2.c: version 2 (cgroup-v2.rst): one hierarchy, controllers enabled level by level. */
#include <errno.h>

#include "os/cgroup-private.h"

/* Enables for the children of `level` every controller that it has; one that the kernel refuses (a
 * realtime process outside) stays off, and a limit that needs it then fails by name. */
static int enable_controllers(const Hierarchy *unified, const char *level, Error *err) {
        _cleanup_free_ char *have = NULL, *enabled = NULL;
        _cleanup_strv_ char **names = NULL, **on = NULL;
        int r = cgroup_file_read(unified, level, "cgroup.controllers", &have, err);

        if (r == 0)
                r = cgroup_file_read(unified, level, "cgroup.subtree_control", &enabled, err);
        if (r < 0)
                return r;
        names = str_split(str_trim(have), ' ');
        on = str_split(str_trim(enabled), ' ');
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *text = str_format("+%s", *name);

                if (!strv_has(on, *name))
                        (void)cgroup_file_write(unified, level, "cgroup.subtree_control", text,
                                                NULL);
        }
        return 0;
}

static int v2_create(const char *path, Error *err) {
        const Cgroups *groups;
        _cleanup_free_ char *level = str_copy(cgroup_relative(path));
        int r = cgroups_get(&groups, err);

        if (r == 0)
                r = enable_controllers(&groups->unified, "/", err);
        for (char *slash = strchr(level, '/'); r == 0 && slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                r = cgroup_make(&groups->unified, level, NULL, err);
                if (r == 0)
                        r = enable_controllers(&groups->unified, level, err);
                *slash = '/';
        }
        return r < 0 ? r : cgroup_make(&groups->unified, path, NULL, err);
}

static int v2_kill(const char *path, int64_t timeout, Error *err) {
        const Cgroups *groups;
        Error why = {};
        int r = cgroups_get(&groups, err);

        if (r < 0)
                return r;
        r = cgroup_file_write(&groups->unified, path, "cgroup.kill", "1", &why);
        if (r == -ENOENT)
                return 0; /* no such group */
        if (r < 0) {
                if (err)
                        *err = why;
                return r;
        }
        r = cgroup_wait_event(&groups->unified, path, "populated 0", timeout);
        return r < 0 ? error_set(err, -r, "cgroup '%s': its processes do not end", path) : 0;
}

static int v2_freeze(const char *path, bool frozen, int64_t timeout, Error *err) {
        const Cgroups *groups;
        int r = cgroups_get(&groups, err);

        if (r == 0)
                r = cgroup_file_write(&groups->unified, path, "cgroup.freeze", frozen ? "1" : "0",
                                      err);
        if (r < 0)
                return r;
        r = cgroup_wait_event(&groups->unified, path, frozen ? "frozen 1" : "frozen 0", timeout);
        return r < 0 ? error_set(err, -r, "cgroup '%s': cannot be %s", path,
                                 frozen ? "frozen" : "thawed")
                     : 0;
}

static int v2_is_frozen(const char *path, bool *ret, Error *err) {
        const Cgroups *groups;
        _cleanup_free_ char *text = NULL;
        int r = cgroups_get(&groups, err);

        if (r == 0)
                r = cgroup_file_read(&groups->unified, path, "cgroup.events", &text, err);
        if (r == 0)
                *ret = strstr(text, "frozen 1") != NULL;
        return r;
}

static int v2_stats(const char *path, CgroupStats *ret, Error *err) {
        const Cgroups *groups;
        const Hierarchy *unified;
        int r = cgroups_get(&groups, err);

        if (r < 0)
                return r;
        unified = &groups->unified;
        *ret = (CgroupStats){
                .memory_usage = cgroup_number(unified, path, "memory.current", NULL),
                .memory_max_usage = cgroup_number(unified, path, "memory.peak", NULL),
                .memory_limit = cgroup_number(unified, path, "memory.max", NULL),
                .memory_inactive_file =
                        cgroup_number(unified, path, "memory.stat", "inactive_file"),
                .cpu_total = cgroup_number(unified, path, "cpu.stat", "usage_usec") * 1000,
                .cpu_user = cgroup_number(unified, path, "cpu.stat", "user_usec") * 1000,
                .cpu_system = cgroup_number(unified, path, "cpu.stat", "system_usec") * 1000,
                .pids_current = cgroup_number(unified, path, "pids.current", NULL),
                .pids_limit = cgroup_number(unified, path, "pids.max", NULL),
                .oom_kills = cgroup_number(unified, path, "memory.events", "oom_kill"),
        };
        return 0;
}

const CgroupVersion cgroup_v2 = { v2_create, v2_kill, v2_freeze, v2_is_frozen, v2_stats };
