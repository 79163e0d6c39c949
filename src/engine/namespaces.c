/* namespaces.c: --pid, --ipc, --uts and --cgroupns: which namespaces are the container's own, the
 * host's, or another container's. The network namespace comes to the monitor by descriptor. */
#include "engine/ocispec.h"
#include "os/cgroup.h"

/* What follows "container:", or NULL. */
static const char *other(const char *mode) {
        return mode ? str_after(mode, "container:") : NULL;
}

static bool is_one_of(const char *mode, const char *const *words, size_t count) {
        if (str_empty(mode))
                return true;
        for (size_t i = 0; i < count; i++)
                if (str_equal(mode, words[i]))
                        return true;
        return false;
}

bool pid_mode_is_private(const HostConfig *host) {
        return !str_equal(host->pid_mode, "host") && !other(host->pid_mode);
}

int namespaces_check(const ContainerCreate *create, Error *err) {
        static const char *const pid[] = { "host", "private" },
                                 *const uts[] = { "host", "private" },
                                 *const ipc[] = { "none", "host", "private", "shareable" },
                                 *const cgroup[] = { "host", "private" };
        const HostConfig *host = &create->host;

        if (!str_empty(other(host->ipc_mode)))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "IpcMode (--ipc) container:… is not supported yet: use --ipc "
                                  "host in both containers");
        if (!is_one_of(host->ipc_mode, ipc, ELEMENTS(ipc)))
                return error_kind(err, ERROR_INVALID, "Invalid IPC mode: %s", host->ipc_mode);
        if (!is_one_of(host->pid_mode, pid, ELEMENTS(pid)) && str_empty(other(host->pid_mode)))
                return error_kind(err, ERROR_INVALID, "Invalid PID mode: %s", host->pid_mode);
        if (!is_one_of(host->uts_mode, uts, ELEMENTS(uts)))
                return error_kind(err, ERROR_INVALID, "Invalid UTS mode: %s", host->uts_mode);
        if (!is_one_of(host->cgroupns_mode, cgroup, ELEMENTS(cgroup)))
                return error_kind(err, ERROR_INVALID, "invalid cgroup namespace mode: %s",
                                  host->cgroupns_mode);
        if (str_equal(host->uts_mode, "host") && !str_empty(create->config.hostname))
                return error_kind(err, ERROR_INVALID,
                                  "conflicting options: hostname and the UTS mode");
        return 0;
}

static void add(OciLinux *linux_, const char *type, char *path) {
        OciNamespace *item = json_append(&linux_->namespaces, &oci_namespace_table);

        item->type = str_copy(type);
        item->path = path;
}

static int join_pid(Container *container, OciLinux *linux_, Error *err) {
        const char *ref = other(container->spec.host.pid_mode);
        _cleanup_container_ Container *donor = NULL;

        int r = container_lookup(container->engine, ref, &donor, err);
        if (r < 0)
                return r;
        if (donor == container)
                return error_kind(err, ERROR_INVALID, "cannot join own PID namespace");
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(donor);
        if (snapshot->state.status != CONTAINER_RUNNING &&
            snapshot->state.status != CONTAINER_PAUSED)
                return error_kind(err, ERROR_CONFLICT,
                                  "cannot join PID of a non running container: %s", donor->id);
        add(linux_, "pid", str_format("/proc/%lld/ns/pid", (long long)snapshot->state.pid));
        return 0;
}

int ocispec_namespaces(Container *container, const OcispecContext *context, OciLinux *linux_,
                       Error *err) {
        const HostConfig *host = &container->spec.host;

        add(linux_, "mount", NULL);
        if (!str_equal(host->uts_mode, "host"))
                add(linux_, "uts", NULL);
        if (!str_equal(host->ipc_mode, "host"))
                add(linux_, "ipc", NULL);
        if (context->own_netns || context->joined_netns)
                add(linux_, "network", NULL);
        if (str_equal(host->cgroupns_mode, "private"))
                add(linux_, "cgroup", NULL);
        if (pid_mode_is_private(host))
                add(linux_, "pid", NULL);
        return other(host->pid_mode) ? join_pid(container, linux_, err) : 0;
}
