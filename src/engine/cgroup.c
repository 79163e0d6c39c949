/* cgroup.c: which control group a container has: below a parent, in directories that brig makes, or
 * below a scope that systemd makes (--exec-opt native.cgroupdriver=systemd). A container that runs
 * keeps the one that its record has, whatever the daemon is told since. */
#include "engine/cgroup.h"
#include "engine/engine-private.h"
#include "os/systemd.h"
#include "runtime/runtime.h"

#define SCOPE_PREFIX "brig"

static const char *parent_of(const Container *container) {
        const char *own = container->spec.host.cgroup_parent;

        return str_empty(own) ? container->engine->options.cgroup_parent : own;
}

/* The caller's. */
static char *group_below(const Container *container) {
        const char *parent = parent_of(container);

        return str_format("%s%s/%s", parent[0] == '/' ? "" : "/", parent, container->id);
}

int cgroup_check_parent(bool systemd, const char *parent, Error *err) {
        _cleanup_free_ char *path = NULL;

        if (systemd && !str_empty(parent) && systemd_slice_path(parent, &path, NULL) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "cgroup-parent for systemd cgroup should be a valid slice named "
                                  "as \"xxx.slice\"");
        return 0;
}

int cgroup_check_driver(const EngineOptions *options, Error *err) {
        if (options->systemd_cgroup && !systemd_runs())
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "exec-opts native.cgroupdriver=systemd: no systemd runs here: "
                                  "leave it out, or say native.cgroupdriver=cgroupfs");
        return 0;
}

char *container_cgroups_path(const Container *container) {
        return container->engine->options.systemd_cgroup
                       ? str_format("%s:" SCOPE_PREFIX ":%s", parent_of(container), container->id)
                       : group_below(container);
}

int container_plan_cgroup(Container *container, Error *err) {
        const bool systemd = container->engine->options.systemd_cgroup;
        _cleanup_free_ char *path = container_cgroups_path(container);
        RuntimeScope scope = { 0 };

        /* One that was made under the other driver may have any parent. */
        int r = cgroup_check_parent(systemd, parent_of(container), err);
        if (r == 0 && systemd)
                r = runtime_scope_parse(path, container->id, &scope, err);
        if (r == 0)
                str_replace(&container->state.cgroup, systemd ? scope.cgroup : path);
        runtime_scope_done(&scope);
        return r;
}

/* Without a record it was made by an older brig, which knew directories alone, or never started. */
char *container_cgroup(const Container *container) {
        if (container->state.cgroup)
                return str_copy(container->state.cgroup);
        if (container->engine->options.systemd_cgroup &&
            str_empty(container->spec.host.cgroup_parent))
                return str_format(CGROUP_PARENT "/%s", container->id);
        return group_below(container);
}
