/* cgroup-join.c: how a process that was just cloned joins the hierarchies of version 1: by writing
 * to a file that its parent opened. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/cgroup-private.h"

int cgroup_join_fds(const char *path, int fds[CGROUP_HIERARCHIES_MAX], size_t *ret_count,
                    Error *err) {
        _cleanup_free_ char *name = str_format("%s/tasks", cgroup_relative(path));
        const Cgroups *groups;
        size_t count = 0;
        int r = cgroups_enter(path, &groups, err);

        for (size_t i = 0; r == 0 && i < groups->v1_count; i++) {
                fds[count] = openat(groups->v1[i].fd, name, O_WRONLY | O_CLOEXEC);
                if (fds[count] >= 0)
                        count++;
                else if (errno != ENOENT)
                        r = error_set(err, errno, "open cgroup '%s' of hierarchy '%s'", path,
                                      groups->v1[i].name);
        }
        if (r == 0)
                *ret_count = count;
        while (r < 0 && count > 0)
                close_fd(&fds[--count]);
        return r;
}

/* "cpu,cpuacct:sub" has controllers; "sub" is for all. */
static const char *path_of(const char *text) {
        const char *colon = strchr(text, ':');

        return colon ? colon + 1 : text;
}

static bool names_controller(const char *text, const Hierarchy *hierarchy, const Cgroups *groups) {
        _cleanup_free_ char *list = str_copy_n(text, (size_t)(path_of(text) - text));
        _cleanup_strv_ char **names = str_split(list, ',');

        for (char **name = names; name && *name; name++) {
                char *colon = strchr(*name, ':');

                if (colon)
                        *colon = '\0';
                if (cgroups_find(groups, *name) == hierarchy)
                        return true;
        }
        return false;
}

static bool is_known(const Cgroups *groups, const char *controller) {
        return str_equal(controller, "systemd") || cgroups_find(groups, controller);
}

int cgroup_check_subgroup(const char *text, Error *err) {
        const char *path = path_of(text);
        _cleanup_free_ char *list = str_copy_n(text, (size_t)(path - text));
        _cleanup_strv_ char **names = NULL, **parts = str_split(path, '/');
        const Cgroups *groups;
        int r = cgroups_get(&groups, err);

        if (r < 0)
                return r;
        for (char **part = parts; part && *part; part++)
                if (str_equal(*part, ".."))
                        return error_kind(err, ERROR_INVALID,
                                          "--cgroup: %s is not a sub cgroup path", path);
        if (path == text)
                return 0;
        list[strlen(list) - 1] = '\0';
        names = str_split(list, ',');
        for (char **name = names; name && *name; name++)
                if (!is_known(groups, *name))
                        return error_kind(err, ERROR_INVALID,
                                          "--cgroup: unknown controller %s in %s", *name, text);
        return 0;
}

char *cgroup_subgroup(const char *path, const char *text) {
        const char *sub = path_of(text);

        sub += strspn(sub, "/");
        return *sub ? str_format("%s/%s", path, sub) : str_copy(path);
}

/* The last text that names this hierarchy, or all. */
static char *group_in(const Hierarchy *hierarchy, const Cgroups *groups, const char *path,
                      char *const *texts) {
        const char *found = NULL;

        for (; *texts; texts++)
                if (path_of(*texts) == *texts || names_controller(*texts, hierarchy, groups))
                        found = *texts;
        return found ? cgroup_subgroup(path, found) : str_copy(path);
}

int cgroup_join_subgroups(const char *path, char *const *texts, int fds[CGROUP_HIERARCHIES_MAX],
                          size_t *ret_count, Error *err) {
        const Cgroups *groups;
        size_t count = 0;
        int r = cgroups_enter(path, &groups, err);

        for (size_t i = 0; r == 0 && i < groups->v1_count; i++) {
                const Hierarchy *hierarchy = &groups->v1[i];
                _cleanup_free_ char *group = group_in(hierarchy, groups, path, texts),
                                    *name = str_format("%s/tasks", cgroup_relative(group));

                fds[count] = openat(hierarchy->fd, name, O_WRONLY | O_CLOEXEC);
                if (fds[count] >= 0)
                        count++;
                else if (errno != ENOENT || !str_equal(group, path))
                        r = error_kind(err, ERROR_NOT_FOUND,
                                       "adding pid to cgroups: open %s%s/cgroup.procs: %s",
                                       hierarchy->name, group,
                                       errno == ENOENT ? "no such file or directory"
                                                       : strerrordesc_np(errno));
        }
        if (r == 0)
                *ret_count = count;
        while (r < 0 && count > 0)
                close_fd(&fds[--count]);
        return r;
}
