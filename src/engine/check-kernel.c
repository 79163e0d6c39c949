/* check-kernel.c: what the kernel has of containers that nobody knows: control groups with their
 * processes, monitors, mounts, links. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/check.h"
#include "engine/engine-private.h"
#include "engine/lifecycle.h"
#include "engine/registry.h"
#include "os/cgroup.h"
#include "os/pidfd.h"
#include "os/procfs.h"

#define KILL_TIMEOUT (10 * NSEC_PER_SEC)
#define END_TIMEOUT (2 * NSEC_PER_SEC)
#define TABLE_MAX (64 << 20) /* bytes of /proc/self/mountinfo */

static bool is_stray(EngineChecking *checking, const char *id) {
        return id_valid(id) && !container_is_alive(checking->engine, id) &&
               !check_has_row(checking, id);
}

/* ---- control groups ---- */

static char *group_path(const EngineChecking *checking, const char *id) {
        const char *parent = checking->engine->options.cgroup_parent;

        return str_format("%s%s/%s", parent[0] == '/' ? "" : "/", parent, id);
}

/* Another brigd's containers may be below the same parent: what is ours has a directory. */
static bool is_ours(const EngineChecking *checking, const char *id) {
        const Engine *engine = checking->engine;

        return faccessat(engine->run_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
               faccessat(engine->containers_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int drop_group(EngineChecking *checking, const char *id, Error *err) {
        _cleanup_free_ char *path = group_path(checking, id);
        int r;

        if (!is_stray(checking, id) || !is_ours(checking, id))
                return 0;
        r = cgroup_kill(path, KILL_TIMEOUT, err);
        return r < 0 ? r : cgroup_remove(path, err);
}

int check_control_groups(EngineChecking *checking, Error *err) {
        const char *parent = checking->engine->options.cgroup_parent;
        _cleanup_free_ char *path = str_format("%s%s", parent[0] == '/' ? "" : "/", parent);
        _cleanup_strv_ char **names = NULL;
        int r = cgroup_children(path, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                _cleanup_free_ char *problem = NULL, *group = group_path(checking, names[i]);
                _cleanup_free_ pid_t *pids = NULL;
                size_t count = 0;

                if (!is_stray(checking, names[i]) || cgroup_pids(group, &pids, &count, NULL) < 0)
                        continue;
                if (!is_ours(checking, names[i]))
                        continue;
                problem = str_format("no container has it; %zu processes are in it", count);
                CheckFinding finding = {
                        .kind = (char *)"control-group",
                        .name = names[i],
                        .problem = problem,
                        .remedy = (char *)"end them and remove it: --repair",
                };
                r = check_tell(checking, &finding, drop_group);
        }
        return r;
}

/* ---- monitors ---- */

/* The container whose monitor of ours the process is; the caller's, NULL: none. A monitor's
 * arguments are its container and its run directory. */
static char *monitored(const char *run, const char *pid) {
        _cleanup_free_ char *path = str_format("/proc/%s/cmdline", pid), *text = NULL;
        const char *id, *directory;
        size_t length, first;

        if (file_read_at(AT_FDCWD, path, PATH_MAX * 2, &text, &length, NULL) < 0)
                return NULL;
        first = strlen(text) + 1;
        if (!str_equal(text, "brig-monitor") || first + ID_LENGTH + 1 >= length)
                return NULL;
        id = text + first;
        directory = id + strlen(id) + 1;
        if (!id_valid(id) || directory >= text + length)
                return NULL;
        directory = str_after(directory, run);
        return directory && directory[0] == '/' && str_equal(directory + 1, id) ? str_copy(id)
                                                                                : NULL;
}

static int end_monitor(EngineChecking *checking, const char *pid, Error *err) {
        int number = 0;
        _cleanup_close_ int fd = str_to_int_in(pid, 1, INT_MAX, &number) < 0
                                         ? -1
                                         : (int)syscall(SYS_pidfd_open, number, 0);
        _cleanup_free_ char *run = engine_run_directory(checking->engine),
                            *id = monitored(run, pid);

        /* By the descriptor, so that it is the process that was looked at. */
        if (fd < 0 || !id || !is_stray(checking, id))
                return 0;
        return syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH
                       ? error_set(err, errno, "end process %s", pid)
                       : 0;
}

/* The monitor of a container that was removed just now is about to. */
static bool ends_soon(const char *pid) {
        _cleanup_close_ int fd = -1;
        int number = 0;

        if (str_to_int_in(pid, 1, INT_MAX, &number) < 0)
                return false;
        fd = (int)syscall(SYS_pidfd_open, number, 0);
        return fd < 0 ? errno == ESRCH : pidfd_wait_end(fd, END_TIMEOUT) == 0;
}

int check_processes(EngineChecking *checking, Error *err) {
        _cleanup_free_ char *run = engine_run_directory(checking->engine);
        _cleanup_closedir_ DIR *proc = opendir("/proc");
        int r = 0;

        if (!proc)
                return error_set(err, errno, "read /proc");
        for (const struct dirent *entry; r == 0 && (entry = readdir(proc));) {
                _cleanup_free_ char *id = NULL, *problem = NULL;

                if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
                        continue;
                id = monitored(run, entry->d_name);
                if (!id || !is_stray(checking, id) || ends_soon(entry->d_name))
                        continue;
                problem = str_format("it is the monitor of %.12s, which no container is", id);
                CheckFinding finding = {
                        .kind = (char *)"process",
                        .name = (char *)entry->d_name,
                        .problem = problem,
                        .remedy = (char *)"end it: --repair",
                };
                r = check_tell(checking, &finding, end_monitor);
        }
        return r;
}

/* ---- mounts ---- */

/* At these nothing stays mounted in the daemon's namespace: containers' roots are in their own, and
 * what is mounted for a job is in none. What is on volumes, or over the store's own directories,
 * may be a user's. */
static const char *const bare[] = { "containers", "image/snapshots", "image/tmp" };

static int unmount(EngineChecking *checking, const char *path, Error *err) {
        (void)checking;
        return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT
                       ? error_set(err, errno, "unmount '%s'", path)
                       : 0;
}

static bool is_bare(const char *data_root, const char *point) {
        const char *below = str_after(point, data_root);

        for (size_t i = 0; below && *below == '/' && i < ELEMENTS(bare); i++) {
                const char *rest = str_after(below + 1, bare[i]);

                /* Below one of its own directories. */
                if (rest && *rest == '/' && strchr(rest + 1, '/'))
                        return true;
        }
        return false;
}

static int tell_of_mount(EngineChecking *checking, char *point) {
        CheckFinding finding = {
                .kind = (char *)"mount",
                .name = point,
                .problem = (char *)"nobody has it mounted",
                .remedy = (char *)"unmount it: --repair",
        };

        return check_tell(checking, &finding, unmount);
}

int check_mounts(EngineChecking *checking, Error *err) {
        _cleanup_free_ char *data_root = realpath(checking->engine->options.data_root, NULL);
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        size_t length;
        int r;

        if (!data_root)
                return error_set(err, errno, "look at '%s'", checking->engine->options.data_root);
        r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX, &text, &length, err);
        lines = r == 0 ? str_split(text, '\n') : NULL;
        /* The topmost one first: others may be below it. */
        for (size_t i = strv_length(lines); r == 0 && i-- > 0;) {
                char point[PATH_MAX];

                if (sscanf(lines[i], "%*u %*u %*s %*s %4095s", point) != 1)
                        continue;
                mountinfo_unescape(point);
                if (is_bare(data_root, point))
                        r = tell_of_mount(checking, point);
        }
        return r;
}

/* ---- links ---- */

static int drop_link(EngineChecking *checking, const char *name, Error *err) {
        return net_stray_remove(checking->engine->net, name, err);
}

int check_links(EngineChecking *checking, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = net_strays(checking->engine->net, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                CheckFinding finding = {
                        .kind = (char *)"link",
                        .name = names[i],
                        .problem = (char *)"no network and no container has it",
                        .remedy = (char *)"it can be removed: --repair",
                };

                r = check_tell(checking, &finding, drop_link);
        }
        return r;
}
