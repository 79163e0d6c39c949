/* cgroup-v1.c: version 1, and hybrid, where the unified hierarchy beside it kills and freezes, as
 * it does both better. */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "os/cgroup-private.h"
#include "os/pidfd.h"

static char *parent_of(const char *level) {
        const char *slash = strrchr(level, '/');

        return slash ? str_copy_n(level, (size_t)(slash - level)) : str_copy("/");
}

/* A parent whose own is empty yet was made a moment ago, by a start beside this one, which is about
 * to write the same. */
static int inherit_file(const Hierarchy *hierarchy, const char *level, const char *file,
                        Error *err) {
        _cleanup_free_ char *parent = parent_of(level), *text = NULL, *again = NULL;
        int r = cgroup_file_read(hierarchy, parent, file, &text, err);

        if (r < 0 || !str_empty(str_trim(text)) || str_equal(parent, "/"))
                return r < 0 ? r : cgroup_file_write(hierarchy, level, file, text, err);
        r = inherit_file(hierarchy, parent, file, err);
        if (r == 0)
                r = cgroup_file_read(hierarchy, parent, file, &again, err);
        return r < 0 ? r : cgroup_file_write(hierarchy, level, file, str_trim(again), err);
}

/* A new cpuset admits nobody until it has processors and memory nodes: those of its parent. */
static int inherit_cpuset(const Hierarchy *hierarchy, const char *level, Error *err) {
        int r = inherit_file(hierarchy, level, "cpuset.cpus", err);

        return r < 0 ? r : inherit_file(hierarchy, level, "cpuset.mems", err);
}

static int v1_create(const char *base, const char *path, Error *err) {
        const Cgroups *groups;
        int r = cgroups_get(&groups, err);

        (void)base; /* nothing is written to a group that was there */
        for (size_t i = 0; r == 0 && i < groups->v1_count; i++) {
                const Hierarchy *hierarchy = &groups->v1[i];

                r = cgroup_make(hierarchy, path,
                                hierarchy == cgroups_find(groups, "cpuset") ? inherit_cpuset : NULL,
                                err);
        }
        if (r == 0 && groups->unified.fd >= 0)
                r = cgroup_make(&groups->unified, path, NULL, err);
        return r;
}

/* Signals every member, then thaws them, as frozen ones take it only then, and waits for each. */
static int kill_round(const char *path, bool freezer, int64_t end, size_t *ret_count, Error *err) {
        _cleanup_free_ pid_t *pids = NULL;
        _cleanup_free_ int *pidfds = NULL;
        size_t count;
        int r = cgroup_pids(path, &pids, &count, err);

        if (r < 0)
                return r;
        pidfds = NEW_ARRAY(int, count + 1);
        for (size_t i = 0; i < count; i++) {
                pidfds[i] = -1;
                if (pidfd_of(pids[i], &pidfds[i], NULL) == 0) /* else it has ended already */
                        (void)pidfd_signal(pidfds[i], SIGKILL, NULL);
        }
        if (freezer)
                (void)cgroup_write(path, "freezer", "freezer.state", "THAWED", NULL);
        for (size_t i = 0; i < count; i++) {
                if (r == 0 && pidfds[i] >= 0 &&
                    pidfd_wait_end(pidfds[i], MAX(end - clock_monotonic(), 0)) == -ETIMEDOUT)
                        r = error_set(err, ETIMEDOUT, "cgroup '%s': process %d does not end", path,
                                      (int)pids[i]);
                close_fd(&pidfds[i]);
        }
        *ret_count = count;
        return r;
}

static bool is_empty(const char *path) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 1;

        return cgroup_pids(path, &pids, &count, NULL) == 0 && count == 0;
}

/* Without cgroup.kill: rounds, as members may fork between the listing and the signal, unless a
 * freezer holds them. */
static int kill_by_rounds(const char *path, int64_t timeout, Error *err) {
        int64_t end = clock_monotonic() + timeout;
        bool freezer = cgroup_has(path, "freezer");
        size_t count = is_empty(path) ? 0 : 1;
        int r = 0;

        while (r == 0 && count > 0) {
                if (freezer)
                        (void)cgroup_write(path, "freezer", "freezer.state", "FROZEN", NULL);
                r = kill_round(path, freezer, end, &count, err);
        }
        return r;
}

/* By version 1's freezer, of which brig makes no use where there is a unified hierarchy, but
 * another program may. */
static bool is_frozen_by_v1(const char *path) {
        _cleanup_free_ char *text = NULL;

        return cgroup_has(path, "freezer") &&
               cgroup_read(path, "freezer", "freezer.state", &text, NULL) == 0 &&
               !str_after(text, "THAWED");
}

static int v1_kill(const char *path, int64_t timeout, Error *err) {
        const Cgroups *groups;
        int r = cgroups_get(&groups, err);

        if (r < 0)
                return r;
        /* What version 1 has frozen does not even die before it is thawed. */
        if (groups->unified.fd < 0 || is_frozen_by_v1(path))
                return kill_by_rounds(path, timeout, err);
        return cgroup_v2.kill(path, timeout, err);
}

static int v1_is_frozen(const char *path, bool *ret, Error *err) {
        const Cgroups *groups;
        _cleanup_free_ char *text = NULL;
        int r = cgroups_get(&groups, err);

        if (r == 0 && groups->unified.fd >= 0) {
                *ret = is_frozen_by_v1(path);
                return *ret ? 0 : cgroup_v2.is_frozen(path, ret, err);
        }
        if (r == 0)
                r = cgroup_read(path, "freezer", "freezer.state", &text, err);
        if (r == 0)
                *ret = str_after(text, "FROZEN") != NULL;
        return r;
}

static int v1_freeze(const char *path, bool frozen, int64_t timeout, Error *err) {
        int64_t end = clock_monotonic() + timeout;
        const Cgroups *groups;
        bool now = !frozen;
        int r = cgroups_get(&groups, err);

        if (r == 0 && groups->unified.fd >= 0) {
                if (!frozen && is_frozen_by_v1(path))
                        (void)cgroup_write(path, "freezer", "freezer.state", "THAWED", NULL);
                return cgroup_v2.freeze(path, frozen, timeout, err);
        }
        while (r == 0) {
                /* The kernel freezes on when the state is written again, and notifies nobody. */
                r = cgroup_write(path, "freezer", "freezer.state", frozen ? "FROZEN" : "THAWED",
                                 err);
                if (r == 0)
                        r = v1_is_frozen(path, &now, err);
                if (r < 0 || now == frozen)
                        return r;
                if (clock_monotonic() >= end)
                        return error_set(err, ETIMEDOUT, "cgroup '%s': cannot be %s", path,
                                         frozen ? "frozen" : "thawed");
                (void)poll(NULL, 0, 1);
        }
        return r;
}

/* 0 where the machine has no such controller. */
static uint64_t number(const Cgroups *groups, const char *path, const char *controller,
                       const char *file, const char *key) {
        const Hierarchy *hierarchy = cgroups_find(groups, controller);

        return hierarchy ? cgroup_number(hierarchy, path, file, key) : 0;
}

/* The block layer's own counts, and those of the BFQ scheduler where it is in charge: it then has
 * them all. */
static const struct {
        CgroupIoKind kind;
        const char *file;
} io_files[] = {
        { CGROUP_IO_BYTES, "blkio.throttle.io_service_bytes_recursive" },
        { CGROUP_IO_BYTES, "blkio.throttle.io_service_bytes" },
        { CGROUP_IO_OPERATIONS, "blkio.throttle.io_serviced_recursive" },
        { CGROUP_IO_OPERATIONS, "blkio.throttle.io_serviced" },
        { CGROUP_IO_QUEUED, "blkio.bfq.io_queued_recursive" },
        { CGROUP_IO_SERVICE_TIME, "blkio.bfq.io_service_time_recursive" },
        { CGROUP_IO_WAIT_TIME, "blkio.bfq.io_wait_time_recursive" },
        { CGROUP_IO_MERGED, "blkio.bfq.io_merged_recursive" },
        { CGROUP_IO_TIME, "blkio.bfq.time_recursive" },
        { CGROUP_IO_SECTORS, "blkio.bfq.sectors_recursive" },
};

static void io_stats(const Cgroups *groups, const char *path, CgroupStats *ret) {
        const Hierarchy *hierarchy = cgroups_find(groups, "blkio");

        for (size_t i = 0; hierarchy && i < ELEMENTS(io_files); i++) {
                CgroupIoCounts *counts = &ret->io[io_files[i].kind];
                _cleanup_free_ char *text =
                        counts->count ? NULL : cgroup_text(hierarchy, path, io_files[i].file);

                if (text)
                        cgroup_parse_io(text, counts);
        }
}

static void memory_stats(const Cgroups *groups, const char *path, CgroupStats *ret) {
        const Hierarchy *hierarchy = cgroups_find(groups, "memory");
        _cleanup_free_ char *text = cgroup_text(hierarchy, path, "memory.stat");

        if (!hierarchy)
                return;
        ret->memory_usage = cgroup_number(hierarchy, path, "memory.usage_in_bytes", NULL);
        ret->memory_max_usage = cgroup_number(hierarchy, path, "memory.max_usage_in_bytes", NULL);
        ret->memory_limit = cgroup_number(hierarchy, path, "memory.limit_in_bytes", NULL);
        ret->memory_failures = cgroup_number(hierarchy, path, "memory.failcnt", NULL);
        ret->oom_kills = cgroup_number(hierarchy, path, "memory.oom_control", "oom_kill");
        if (text)
                cgroup_parse_counts(text, &ret->memory, &ret->memory_count);
}

static void v1_stats(const Cgroups *groups, const char *path, CgroupStats *ret) {
        _cleanup_free_ char *each =
                cgroup_text(cgroups_find(groups, "cpuacct"), path, "cpuacct.usage_percpu");

        memory_stats(groups, path, ret);
        io_stats(groups, path, ret);
        if (each)
                cgroup_parse_numbers(each, &ret->cpu_each, &ret->cpu_count);
        ret->cpu_total = number(groups, path, "cpuacct", "cpuacct.usage", NULL);
        ret->cpu_user = number(groups, path, "cpuacct", "cpuacct.usage_user", NULL);
        ret->cpu_system = number(groups, path, "cpuacct", "cpuacct.usage_sys", NULL);
        ret->cpu_periods = number(groups, path, "cpu", "cpu.stat", "nr_periods");
        ret->cpu_throttled_periods = number(groups, path, "cpu", "cpu.stat", "nr_throttled");
        ret->cpu_throttled = number(groups, path, "cpu", "cpu.stat", "throttled_time");
        ret->pids_current = number(groups, path, "pids", "pids.current", NULL);
        ret->pids_limit = number(groups, path, "pids", "pids.max", NULL);
}

const CgroupVersion cgroup_v1 = { v1_create, v1_kill, v1_freeze, v1_is_frozen, v1_stats };
