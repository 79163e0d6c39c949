/* namespaces.c: --pid, --ipc, --uts and --cgroupns: which namespaces are the container's own, the
 * host's, or another container's. Namespaces of others come to the monitor by descriptor. */
#include <errno.h>
#include <fcntl.h>

#include "engine/locks.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

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

        if (!is_one_of(host->ipc_mode, ipc, ELEMENTS(ipc)) && str_empty(other(host->ipc_mode)))
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

/* container:x is kept by id, so that it survives a rename. */
static int resolve(const Engine *engine, char **mode, Error *err) {
        const char *ref = other(*mode);
        _cleanup_container_ Container *donor = NULL;
        int r;

        if (!ref)
                return 0;
        r = container_lookup((Engine *)engine, ref, &donor, err);
        if (r < 0)
                return r;
        free(*mode);
        *mode = str_format("container:%s", donor->id);
        return 0;
}

int namespaces_resolve(Container *container, Error *err) {
        HostConfig *host = &container->spec.host;
        int r = resolve(container->engine, &host->ipc_mode, err);

        if (r == 0)
                r = resolve(container->engine, &host->pid_mode, err);
        if (r < 0 && err && err->kind == ERROR_NOT_FOUND)
                err->kind = ERROR_INVALID; /* as dockerd's: clients would go and pull the image */
        return r;
}

static void add(OciLinux *linux_, const char *type) {
        OciNamespace *item = json_append(&linux_->namespaces, &oci_namespace_table);

        item->type = str_copy(type);
}

void container_set_pidfd(Container *container, int pidfd) {
        lock_take(&container->state_lock, LOCK_STATE);
        int old = container->pidfd;
        container->pidfd = pidfd;
        lock_drop(&container->state_lock, LOCK_STATE);
        close_fd(&old);
}

/* -1: it does not run, or no descriptor is left: see errno. */
static int pidfd_dup(Container *container) {
        lock_take(&container->state_lock, LOCK_STATE);
        int fd = container->pidfd < 0 ? -1 : fcntl(container->pidfd, F_DUPFD_CLOEXEC, 0);
        int number = container->pidfd < 0 ? ESRCH : errno;
        lock_drop(&container->state_lock, LOCK_STATE);
        errno = number;
        return fd;
}

static int not_running(const Container *container, const char *what, Error *err) {
        return error_kind(err, ERROR_CONFLICT, "cannot join %s of a non running container: %s",
                          what, container->id);
}

int container_namespace_open(Container *container, const char *what, const char *file, int *ret_fd,
                             Error *err) {
        _cleanup_close_ int pidfd = pidfd_dup(container);
        _cleanup_close_ int fd = -1;
        char path[64];

        if (pidfd < 0)
                return errno == ESRCH ? not_running(container, what, err)
                                      : error_set(err, errno, "container %s", container->id);
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        if (!snapshot || snapshot->state.pid <= 0)
                return not_running(container, what, err);
        (void)snprintf(path, sizeof(path), "/proc/%lld/ns/%s", (long long)snapshot->state.pid,
                       file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
                return error_set(err, errno, "open the %s namespace of container %s", file,
                                 container->id);
        /* If init was there until now, the number was its own when the file was opened. */
        if (fd < 0 || pidfd_signal(pidfd, 0, NULL) < 0)
                return not_running(container, what, err);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int pid_mode_open(Container *container, const Container *owner, int *ret_fd, int *ret_userns_fd,
                  Error *err) {
        const char *ref = other(container->spec.host.pid_mode);
        _cleanup_container_ Container *donor = NULL;

        if (!ref)
                return 0;
        int r = container_lookup(container->engine, ref, &donor, err);
        if (r < 0)
                return r;
        if (donor == container)
                return error_kind(err, ERROR_INVALID, "cannot join own PID namespace");
        r = container_namespace_open(donor, "PID", "pid", ret_fd, err);
        return r < 0 ? r : userns_share(container, owner, donor, ret_userns_fd, err);
}

int ocispec_namespaces(Container *container, const OcispecContext *context, OciLinux *linux_,
                       Error *err) {
        const HostConfig *host = &container->spec.host;

        add(linux_, "mount");
        if (!str_equal(host->uts_mode, "host"))
                add(linux_, "uts");
        if (!str_equal(host->ipc_mode, "host"))
                add(linux_, "ipc");
        if (context->own_netns || context->joined_netns)
                add(linux_, "network");
        if (str_equal(host->cgroupns_mode, "private"))
                add(linux_, "cgroup");
        /* Another's comes to the monitor by descriptor, as the network does. */
        if (!str_equal(host->pid_mode, "host"))
                add(linux_, "pid");
        ocispec_userns(container, linux_);
        return 0;
}
