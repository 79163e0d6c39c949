/* scope.c: a container's groups where systemd manages the tree: it makes a transient scope, whose
 * attributes are its own, and delegates what is below; the container's group is there. A scope
 * wants a process from the beginning on, but the kernel is to clone init into a group that is there
 * already: so one that only waits is the first, and ends once init is in. */
#include "runtime/scope.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/pidfd.h"
#include "os/systemd.h"

#define OWN_GROUP "/container"
#define DEFAULT_SLICE "system.slice"
#define DEFAULT_PREFIX "brig"
#define SCOPE ".scope"
#define NAME_MAX_LENGTH 255
#define START_TIMEOUT (30 * NSEC_PER_SEC) /* systemd may be starting a machine */

/* ---- names ---- */

void runtime_scope_done(RuntimeScope *scope) {
        free(scope->slice);
        free(scope->name);
        free(scope->path);
        free(scope->cgroup);
        *scope = (RuntimeScope){ 0 };
}

/* systemd.unit(5), "Unit File Format". */
static int check_name(const char *name, Error *err) {
        const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789:-_.\\@");

        if (name[length] || length > NAME_MAX_LENGTH || str_equal(name, SCOPE))
                return error_kind(err, ERROR_INVALID,
                                  "'%s' is no name of a scope: give letters, digits and ':-_.\\@', "
                                  "%d of them at the most",
                                  name, NAME_MAX_LENGTH);
        return 0;
}

static int name_scope(const char *slice, const char *prefix, const char *name, RuntimeScope *ret,
                      Error *err) {
        _cleanup_free_ char *slice_path = NULL;
        int r = systemd_slice_path(str_empty(slice) ? DEFAULT_SLICE : slice, &slice_path, err);

        if (r == 0 && str_ends(name, ".slice"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "'%s': a container is a scope in a slice, not a slice itself: "
                                  "give another NAME",
                                  name);
        if (r < 0)
                return r;
        ret->slice = str_copy(str_empty(slice) ? DEFAULT_SLICE : slice);
        ret->name = str_format("%s%s%s" SCOPE, prefix, str_empty(prefix) ? "" : "-", name);
        ret->path = str_format("%s/%s", slice_path, ret->name);
        ret->cgroup = str_format("%s" OWN_GROUP, ret->path);
        return check_name(ret->name, err);
}

int runtime_scope_parse(const char *cgroups_path, const char *id, RuntimeScope *ret, Error *err) {
        _cleanup_strv_ char **parts = str_split(cgroups_path ?: "", ':');
        RuntimeScope scope = { 0 };
        int r;

        if (str_empty(cgroups_path))
                r = name_scope(NULL, DEFAULT_PREFIX, id, &scope, err);
        else if (strv_length(parts) == 3)
                r = name_scope(parts[0], parts[1], parts[2], &scope, err);
        else
                return error_kind(err, ERROR_INVALID,
                                  "linux.cgroupsPath '%s': where systemd manages control groups it "
                                  "is SLICE:PREFIX:NAME, as system.slice:brig:web",
                                  cgroups_path);
        if (r < 0) {
                runtime_scope_done(&scope);
                return r;
        }
        *ret = scope;
        return 0;
}

void runtime_scope_release(const char *cgroup) {
        _cleanup_free_ char *scope = NULL;

        if (!str_ends(cgroup, SCOPE OWN_GROUP))
                return;
        scope = str_copy_n(cgroup, strlen(cgroup) - strlen(OWN_GROUP));
        cgroup_remove_unmanaged(scope);
}

/* ---- making one ---- */

static void hold(pid_t parent) __attribute__((noreturn));
static void hold(pid_t parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close_range(0, ~0U, 0);
        while (getppid() == parent)
                (void)pause();
        _exit(0);
}

static int start_holder(ScopeHolder *ret, Error *err) {
        const pid_t parent = getpid();
        pid_t pid = fork();
        int r;

        if (pid < 0)
                return error_set(err, errno, "fork");
        if (pid == 0)
                hold(parent);
        r = pidfd_of_child(pid, &ret->pidfd, err);
        if (r == 0)
                ret->pid = pid;
        return r;
}

void scope_holder_end(ScopeHolder *holder) {
        if (holder->pidfd < 0)
                return;
        (void)pidfd_signal(holder->pidfd, SIGKILL, NULL);
        (void)pidfd_wait(holder->pidfd, NULL, NULL);
        close_fd(&holder->pidfd);
}

/* A scope with processes is another's, and stays. */
static int check_free(const RuntimeScope *scope, Error *err) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;
        int r = cgroup_exists(scope->path) ? cgroup_pids(scope->path, &pids, &count, err) : 0;

        if (r == 0 && count > 0)
                return error_kind(err, ERROR_CONFLICT,
                                  "scope '%s' is in use by process %d: give the container another "
                                  "linux.cgroupsPath, or systemctl stop %s",
                                  scope->name, (int)pids[0], scope->name);
        return r;
}

static int ask_systemd(const RuntimeScope *scope, const char *id, pid_t pid, Error *err) {
        _cleanup_(dbus_closep) DBus *bus = NULL;
        _cleanup_free_ char *description = str_format("container %s", id);
        const SystemdScope wanted = { scope->name, scope->slice, description, pid };
        int r = systemd_connect(&bus, err);

        if (r == 0)
                r = systemd_start_scope(bus, &wanted, START_TIMEOUT, err);
        if (r == 0 && !cgroup_exists(scope->path))
                return error_kind(
                        err, ERROR_UNAVAILABLE,
                        "systemd made scope '%s', but there is no cgroup '%s': it manages "
                        "other control groups than those in /sys/fs/cgroup",
                        scope->name, scope->path);
        return r;
}

int scope_enter(const RuntimeScope *scope, const char *id, ScopeHolder *ret, Error *err) {
        ScopeHolder holder = { .pidfd = -1 };
        int r;

        if (!systemd_runs())
                return error_kind(
                        err, ERROR_UNAVAILABLE,
                        "no systemd runs here that could manage control groups: leave out "
                        "--systemd-cgroup (brigd: exec-opts native.cgroupdriver=systemd)");
        r = check_free(scope, err);
        if (r == 0)
                r = start_holder(&holder, err);
        if (r == 0)
                r = ask_systemd(scope, id, holder.pid, err);
        if (r == 0)
                r = cgroup_adopt(scope->path, scope->cgroup, holder.pid, err);
        if (r < 0) {
                scope_holder_end(&holder);
                return r;
        }
        *ret = holder;
        return 0;
}
