/* limits.c: a container's limits and restart policy and their change. They are those of its
 * creation until they are changed, and then a set that is replaced as a whole, so that who reads
 * them needs no lock. */
#include "base/log.h"
#include "engine/cgroup.h"
#include "engine/container-limits.h"
#include "engine/mounts-change.h"
#include "engine/ocispec.h"
#include "os/cgroup.h"
#include "runtime/runtime.h"

/* ---- the set ---- */

LimitSet *limit_set_ref(LimitSet *set) {
        if (set)
                (void)atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
        return set;
}

LimitSet *limit_set_unref(LimitSet *set) {
        if (set && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1) {
                json_done(&host_limits_table, &set->limits);
                free(set);
        }
        return NULL;
}

static LimitSet *limit_set_new(void) {
        LimitSet *set = NEW(LimitSet);

        atomic_init(&set->references, 1);
        return set;
}

static HostConfig host_with(const Container *container, const LimitSet *set,
                            const PublishSet *published, const MountSet *mounted) {
        HostConfig host = container->spec.host;

        if (set)
                host_limits_lend(&host, &set->limits);
        if (published)
                host.port_bindings = published->bindings;
        if (mounted)
                host_lend_mounts(&host, mounted);
        return host;
}

HostConfig container_host(const Container *container) {
        return host_with(container, container->limits, container->published, container->mounted);
}

HostConfig snapshot_host(const Container *container, const ContainerSnapshot *snapshot) {
        return host_with(container, snapshot->limits, snapshot->published, snapshot->mounted);
}

/* ---- the record ---- */

void container_limits_write(const Container *container, json_object *state) {
        if (container->limits)
                json_object_object_add(state, "limits",
                                       json_write(&host_limits_table, &container->limits->limits));
}

int container_limits_read(Container *container, json_object *state, Error *err) {
        json_object *document = json_member(state, "limits");
        LimitSet *set = document ? limit_set_new() : NULL;
        int r = set ? json_read(&host_limits_table, document, &set->limits, err) : 0;

        if (r < 0)
                limit_set_unref(set);
        else
                container->limits = set;
        return r;
}

/* ---- what may be changed ---- */

static int conflict(const Container *container, const char *why, Error *err) {
        return error_kind(err, ERROR_CONFLICT, "Cannot update container %s: %s", container->id,
                          why);
}

/* What does not go together with what it has, in Docker's words and order. */
static int conflicts_check(const Container *container, const HostConfig *has,
                           const HostLimits *given, Error *err) {
        if (given->nano_cpus > 0 && has->cpu_period > 0)
                return conflict(container,
                                "Conflicting options: Nano CPUs cannot be updated as CPU Period "
                                "has already been set",
                                err);
        if (given->nano_cpus > 0 && has->cpu_quota > 0)
                return conflict(container,
                                "Conflicting options: Nano CPUs cannot be updated as CPU Quota has "
                                "already been set",
                                err);
        if (given->cpu_period > 0 && has->nano_cpus > 0)
                return conflict(container,
                                "Conflicting options: CPU Period cannot be updated as NanoCPUs has "
                                "already been set",
                                err);
        if (given->cpu_quota > 0 && has->nano_cpus > 0)
                return conflict(container,
                                "Conflicting options: CPU Quota cannot be updated as NanoCPUs has "
                                "already been set",
                                err);
        /* Where swap has no limit, any will do; dockerd refuses even that. */
        if (given->memory > has->memory_swap && given->memory_swap == 0 && has->memory_swap != -1)
                return conflict(container,
                                "Memory limit should be smaller than already set memoryswap limit, "
                                "update the memoryswap at the same time",
                                err);
        if (has->auto_remove && !str_empty(given->restart_policy.name) &&
            !str_equal(given->restart_policy.name, "no"))
                return conflict(container,
                                "Restart policy cannot be updated because AutoRemove is enabled "
                                "for the container",
                                err);
        return 0;
}

int container_limits_change(const Container *container, const HostLimits *given, LimitSet **ret,
                            Error *err) {
        const HostConfig has = container_host(container);
        const HostLimits before = host_limits_of(&has);
        HostConfig alone = { 0 }, whole = has;
        LimitSet *set = NULL;
        int r;

        host_limits_lend(&alone, given);
        r = resources_check(&alone, true, err);
        if (r == 0)
                r = restart_check(&alone, err);
        if (r == 0)
                r = conflicts_check(container, &has, given, err);
        if (r < 0)
                return r;
        set = limit_set_new();
        json_copy(&host_limits_table, &before, &set->limits);
        host_limits_change(&set->limits, given);
        host_limits_lend(&whole, &set->limits);
        r = resources_check(&whole, false, err);
        if (r < 0)
                limit_set_unref(set);
        else
                *ret = set;
        return r;
}

/* ---- the group ---- */

/* Where there is no limit any more, the group must be told so: absence leaves what is there. */
static void say_none(const HostConfig *host, OciResources *resources) {
        if (host->pids_limit && *host->pids_limit == 0) {
                resources->pids = NEW(OciPids);
                resources->pids->limit = -1;
        }
}

int container_limits_apply(const Container *container, Error *err) {
        _cleanup_free_ char *cgroup = container_cgroup(container);
        const HostConfig host = container_host(container);
        OciResources resources = { 0 };
        CgroupSaved *saved = NULL;
        Error why = { 0 };
        int r = ocispec_limits(container, &resources, err);

        if (r == 0) {
                say_none(&host, &resources);
                saved = cgroup_save(cgroup);
                r = resources_apply(cgroup, &resources, err);
        }
        if (r < 0 && saved && cgroup_restore(saved, &why) < 0)
                log_error("take back the limits of container %s: %s", container->id, why.message);
        cgroup_saved_free(saved);
        json_done(&oci_resources_table, &resources);
        return r < 0 ? error_prefix(err, "Cannot update container %s", container->id) : 0;
}
