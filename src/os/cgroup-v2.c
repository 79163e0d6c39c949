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

static int v2_create(const char *base, const char *path, Error *err) {
        const Cgroups *groups;
        _cleanup_free_ char *level = str_copy(cgroup_relative(path));
        const size_t managed = base ? strlen(cgroup_relative(base)) : 0;
        int r = cgroups_get(&groups, err);

        if (r == 0 && !base)
                r = enable_controllers(&groups->unified, "/", err);
        for (char *slash = strchr(level, '/'); r == 0 && slash; slash = strchr(slash + 1, '/')) {
                if ((size_t)(slash - level) < managed)
                        continue;
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
        Error why = { 0 };
        int r = cgroups_get(&groups, &why);

        if (r == 0)
                r = cgroup_file_write(&groups->unified, path, "cgroup.freeze", frozen ? "1" : "0",
                                      &why);
        if (!frozen && (r == -ENOENT || r == -ENODEV))
                return 0; /* the group has gone meanwhile: nothing of it is frozen */
        if (r < 0) {
                if (err)
                        *err = why;
                return r;
        }
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

static void v2_io_stats(const Hierarchy *unified, const char *path, CgroupStats *ret) {
        _cleanup_free_ char *io = cgroup_text(unified, path, "io.stat");

        if (!io)
                return;
        cgroup_parse_io_stat(io, "rbytes", "wbytes", &ret->io[CGROUP_IO_BYTES]);
        cgroup_parse_io_stat(io, "rios", "wios", &ret->io[CGROUP_IO_OPERATIONS]);
}

static void v2_stats(const Cgroups *groups, const char *path, CgroupStats *ret) {
        const Hierarchy *unified = &groups->unified;
        _cleanup_free_ char *memory = cgroup_text(unified, path, "memory.stat");

        ret->memory_usage = cgroup_number(unified, path, "memory.current", NULL);
        ret->memory_max_usage = cgroup_number(unified, path, "memory.peak", NULL);
        ret->memory_limit = cgroup_number(unified, path, "memory.max", NULL);
        ret->memory_failures = cgroup_number(unified, path, "memory.events", "oom");
        ret->oom_kills = cgroup_number(unified, path, "memory.events", "oom_kill");
        ret->cpu_total = cgroup_number(unified, path, "cpu.stat", "usage_usec") * 1000;
        ret->cpu_user = cgroup_number(unified, path, "cpu.stat", "user_usec") * 1000;
        ret->cpu_system = cgroup_number(unified, path, "cpu.stat", "system_usec") * 1000;
        ret->cpu_periods = cgroup_number(unified, path, "cpu.stat", "nr_periods");
        ret->cpu_throttled_periods = cgroup_number(unified, path, "cpu.stat", "nr_throttled");
        ret->cpu_throttled = cgroup_number(unified, path, "cpu.stat", "throttled_usec") * 1000;
        ret->pids_current = cgroup_number(unified, path, "pids.current", NULL);
        ret->pids_limit = cgroup_number(unified, path, "pids.max", NULL);
        if (memory)
                cgroup_parse_counts(memory, &ret->memory, &ret->memory_count);
        v2_io_stats(unified, path, ret);
}

const CgroupVersion cgroup_v2 = { v2_create, v2_kill, v2_freeze, v2_is_frozen, v2_stats };
