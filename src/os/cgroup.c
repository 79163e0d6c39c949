/* cgroup.c: finds the hierarchies below /sys/fs/cgroup and does what is alike in both versions;
 * cgroup-v1.c and cgroup-v2.c do the rest. What limits mean is their users' business. */
#include "os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/cgroup-private.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define FILE_MAX (1 << 20)

static Cgroups found;
static bool looked;

static bool is_type(int fd, long magic) {
        struct statfs info;

        return fstatfs(fd, &info) == 0 && info.f_type == magic;
}

/* One directory entry of the tmpfs: a hierarchy of v1, the unified one, or neither (a link cpu →
 * cpu,cpuacct). */
static void look_at(int root_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        Hierarchy *hierarchy;

        if (fd < 0 || strlen(name) >= sizeof(found.unified.name))
                return;
        if (is_type(fd, CGROUP2_SUPER_MAGIC) && found.unified.fd < 0)
                hierarchy = &found.unified;
        else if (is_type(fd, CGROUP_SUPER_MAGIC) && found.v1_count < CGROUP_HIERARCHIES_MAX)
                hierarchy = &found.v1[found.v1_count++];
        else
                return;
        (void)snprintf(hierarchy->name, sizeof(hierarchy->name), "%s", name);
        hierarchy->fd = TAKE_FD(fd);
}

static int look(Error *err) {
        _cleanup_close_ int root_fd = open(CGROUP_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = NULL;

        if (root_fd < 0)
                return error_set(err, errno, "open %s", CGROUP_ROOT);
        found.unified.fd = -1;
        if (is_type(root_fd, CGROUP2_SUPER_MAGIC)) {
                found.mode = CGROUP_V2;
                found.version = &cgroup_v2;
                found.unified.fd = TAKE_FD(root_fd);
                return 0;
        }
        dir = fdopendir(fcntl(root_fd, F_DUPFD_CLOEXEC, 3));
        if (!dir)
                return error_set(err, errno, "read %s", CGROUP_ROOT);
        for (struct dirent *entry; (entry = readdir(dir));)
                if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
                        look_at(root_fd, entry->d_name);
        if (found.v1_count == 0 && found.unified.fd < 0)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "no control groups are mounted below %s: mount cgroup2 there",
                                  CGROUP_ROOT);
        found.mode = found.unified.fd >= 0 ? CGROUP_HYBRID : CGROUP_V1;
        found.version = &cgroup_v1;
        return 0;
}

/* The first call must come from a single thread. */
int cgroups_get(const Cgroups **ret, Error *err) {
        if (!looked) {
                int r = look(err);

                if (r < 0)
                        return r;
                looked = true;
        }
        *ret = &found;
        return 0;
}

int cgroup_mode(CgroupMode *ret, Error *err) {
        const Cgroups *groups;
        int r = cgroups_get(&groups, err);

        if (r == 0)
                *ret = groups->mode;
        return r;
}

/* Whether the comma-separated list has the word. */
static bool list_has(const char *list, const char *word) {
        size_t length = strlen(word);

        for (const char *at = list; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
                if (strcspn(at, ",") == length && memcmp(at, word, length) == 0)
                        return true;
        return false;
}

const Hierarchy *cgroups_find(const Cgroups *groups, const char *controller) {
        for (size_t i = 0; i < groups->v1_count; i++)
                if (list_has(groups->v1[i].name, controller))
                        return &groups->v1[i];
        return groups->mode == CGROUP_V2 || str_empty(controller) ? &groups->unified : NULL;
}

const char *cgroup_relative(const char *path) {
        while (*path == '/')
                path++;
        return *path ? path : ".";
}

static int check_path(const char *path, Error *err) {
        bool bad = path[0] != '/' || strlen(path) > 3000;

        for (const char *at = path; *at && !bad; at += strcspn(at, "/")) {
                size_t length;

                at += strspn(at, "/");
                length = strcspn(at, "/");
                bad = (length == 1 && at[0] == '.') ||
                      (length == 2 && at[0] == '.' && at[1] == '.') || length > 255;
        }
        return bad ? error_kind(err, ERROR_INVALID,
                                "cgroup path '%s': must be absolute, without '.' and '..'", path)
                   : 0;
}

/* Opens the groups after checking the path: what every public call starts with. */
int cgroups_enter(const char *path, const Cgroups **ret, Error *err) {
        int r = check_path(path, err);

        return r < 0 ? r : cgroups_get(ret, err);
}

static int make_level(const Hierarchy *hierarchy, const char *level, CgroupLevel made, Error *err) {
        if (mkdirat(hierarchy->fd, level, 0755) == 0)
                return made ? made(hierarchy, level, err) : 0;
        if (errno == EEXIST)
                return 0;
        return error_set(err, errno, "create cgroup '%s' of hierarchy '%s'", level,
                         hierarchy->name);
}

int cgroup_make(const Hierarchy *hierarchy, const char *path, CgroupLevel made, Error *err) {
        const char *relative = cgroup_relative(path);
        _cleanup_free_ char *level = str_copy(relative);
        int r;

        /* The parents nearly always exist: the last level first. */
        if (mkdirat(hierarchy->fd, level, 0755) == 0)
                return made ? made(hierarchy, level, err) : 0;
        for (char *slash = strchr(level, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                r = make_level(hierarchy, level, made, err);
                *slash = '/';
                if (r < 0)
                        return r;
        }
        return make_level(hierarchy, level, made, err);
}

int cgroup_file_read(const Hierarchy *hierarchy, const char *path, const char *file, char **ret,
                     Error *err) {
        _cleanup_free_ char *name = str_format("%s/%s", cgroup_relative(path), file);

        return file_read_at(hierarchy->fd, name, FILE_MAX, ret, NULL, err);
}

static int write_each(const Hierarchy *hierarchy, const char *path, const char *file,
                      char *const *texts, Error *err) {
        _cleanup_free_ char *name = str_format("%s/%s", cgroup_relative(path), file);
        _cleanup_close_ int fd = openat(hierarchy->fd, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open %s/%s%s%s", CGROUP_ROOT, hierarchy->name,
                                 *hierarchy->name ? "/" : "", name);
        for (; texts && *texts; texts++)
                if (write(fd, *texts, strlen(*texts)) < 0)
                        return error_set(err, errno, "write '%s' to %s/%s%s%s", *texts, CGROUP_ROOT,
                                         hierarchy->name, *hierarchy->name ? "/" : "", name);
        return 0;
}

int cgroup_file_write(const Hierarchy *hierarchy, const char *path, const char *file,
                      const char *text, Error *err) {
        return write_each(hierarchy, path, file, (char *const[]){ (char *)text, NULL }, err);
}

uint64_t cgroup_number(const Hierarchy *hierarchy, const char *path, const char *file,
                       const char *key) {
        _cleanup_free_ char *text = NULL, *digits = NULL;
        const char *at;
        uint64_t number;

        if (cgroup_file_read(hierarchy, path, file, &text, NULL) < 0)
                return 0;
        for (at = text; key && at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
                const char *value = str_after(at, key);

                if (value && *value == ' ') {
                        at = value + 1;
                        break;
                }
        }
        if (!at)
                return 0;
        digits = str_copy_n(at, strspn(at, "0123456789"));
        return str_to_uint64(digits, &number) < 0 ? 0 : number;
}

int cgroup_wait_event(const Hierarchy *unified, const char *path, const char *line,
                      int64_t timeout) {
        _cleanup_free_ char *name = str_format("%s/cgroup.events", cgroup_relative(path));
        _cleanup_close_ int fd = openat(unified->fd, name, O_RDONLY | O_CLOEXEC);
        int64_t end = clock_monotonic() + timeout;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        for (;;) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };
                char text[256];
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
                int64_t left = end - clock_monotonic();

                if (n < 0) /* ENODEV: the group has gone meanwhile */
                        return errno == ENODEV ? 0 : -errno;
                text[n] = '\0';
                if (strstr(text, line))
                        return 0;
                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(&poll_fd, 1, (int)(left / NSEC_PER_MSEC) + 1) < 0 && errno != EINTR)
                        return -errno;
        }
}

int cgroup_create(const char *path, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        return r < 0 ? r : groups->version->create(path, err);
}

int cgroup_create_unified(const char *path, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        if (r < 0 || groups->unified.fd < 0)
                return r;
        return groups->mode == CGROUP_V2 ? groups->version->create(path, err)
                                         : cgroup_make(&groups->unified, path, NULL, err);
}

int cgroup_clone_fd(const char *path, int *ret_fd, Error *err) {
        const Cgroups *groups;
        int fd, r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        if (groups->unified.fd < 0) {
                *ret_fd = -1;
                return 0;
        }
        fd = openat(groups->unified.fd, cgroup_relative(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open cgroup '%s'", path);
        *ret_fd = fd;
        return 0;
}

/* A hierarchy in which the group was not made is passed over: exec may join a group that another
 * runtime made. */
static int attach_one(const Hierarchy *hierarchy, const char *path, pid_t pid, Error *err) {
        char number[16];
        Error why = {};
        int r;

        (void)snprintf(number, sizeof(number), "%d", (int)pid);
        r = cgroup_file_write(hierarchy, path, "cgroup.procs", number, &why);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && err)
                *err = why;
        return r;
}

int cgroup_attach(const char *path, pid_t pid, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        for (size_t i = 0; r == 0 && i < groups->v1_count; i++)
                r = attach_one(&groups->v1[i], path, pid, err);
        if (r == 0 && groups->unified.fd >= 0)
                r = attach_one(&groups->unified, path, pid, err);
        return r;
}

static int find_controller(const char *path, const char *controller, const Hierarchy **ret,
                           Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        *ret = cgroups_find(groups, controller);
        if (!*ret || (*ret)->fd < 0)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "this machine has no cgroup controller '%s'", controller);
        return 0;
}

bool cgroup_has(const char *path, const char *controller) {
        const Hierarchy *hierarchy;

        return find_controller(path, controller, &hierarchy, NULL) == 0 &&
               faccessat(hierarchy->fd, cgroup_relative(path), F_OK, 0) == 0;
}

int cgroup_write(const char *path, const char *controller, const char *file, const char *text,
                 Error *err) {
        const Hierarchy *hierarchy;
        int r = find_controller(path, controller, &hierarchy, err);

        return r < 0 ? r : cgroup_file_write(hierarchy, path, file, text, err);
}

int cgroup_write_each(const char *path, const char *controller, const char *file,
                      char *const *texts, Error *err) {
        const Hierarchy *hierarchy;
        int r = find_controller(path, controller, &hierarchy, err);

        return r < 0 ? r : write_each(hierarchy, path, file, texts, err);
}

int cgroup_read(const char *path, const char *controller, const char *file, char **ret,
                Error *err) {
        const Hierarchy *hierarchy;
        int r = find_controller(path, controller, &hierarchy, err);

        return r < 0 ? r : cgroup_file_read(hierarchy, path, file, ret, err);
}

int cgroup_kill(const char *path, int64_t timeout, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        return r < 0 ? r : groups->version->kill(path, timeout, err);
}

int cgroup_freeze(const char *path, bool frozen, int64_t timeout, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        return r < 0 ? r : groups->version->freeze(path, frozen, timeout, err);
}

int cgroup_is_frozen(const char *path, bool *ret, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        return r < 0 ? r : groups->version->is_frozen(path, ret, err);
}

int cgroup_stats(const char *path, CgroupStats *ret, Error *err) {
        const Cgroups *groups;
        const Hierarchy *hierarchy;
        int r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        hierarchy = groups->unified.fd >= 0 ? &groups->unified : &groups->v1[0];
        if (faccessat(hierarchy->fd, cgroup_relative(path), F_OK, 0) < 0)
                return error_set(err, errno, "statistics of cgroup '%s'", path);
        *ret = (CgroupStats){ 0 };
        groups->version->stats(groups, path, ret);
        return 0;
}

/* ---- removal ---- */

#define REMOVE_TRIES 200

/* rmdir; EBUSY for as long as the kernel has not quite buried a member that has ended already: it
 * tells nobody when it has. */
static int remove_directory(int parent_fd, const char *name) {
        for (int i = 0;; i++) {
                if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if (errno != EBUSY || i == REMOVE_TRIES)
                        return -errno;
                (void)poll(NULL, 0, i < 10 ? 1 : 10);
        }
}

static int remove_tree(int parent_fd, const char *name, int depth) {
        _cleanup_closedir_ DIR *dir = NULL;
        int fd, r;

        if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        dir = fdopendir(fd);
        if (!dir) {
                close_fd(&fd);
                return -ENOMEM;
        }
        for (struct dirent *entry; depth < 64 && (entry = readdir(dir));) {
                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                r = remove_tree(dirfd(dir), entry->d_name, depth + 1);
                if (r < 0)
                        return r;
        }
        return remove_directory(parent_fd, name);
}

static int remove_from(const Hierarchy *hierarchy, const char *path, Error *err) {
        int r = remove_tree(hierarchy->fd, cgroup_relative(path), 0);

        return r < 0 ? error_set(err, -r, "remove cgroup '%s' of hierarchy '%s'", path,
                                 hierarchy->name)
                     : 0;
}

int cgroup_remove(const char *path, Error *err) {
        const Cgroups *groups;
        int first, r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        if (str_equal(cgroup_relative(path), "."))
                return error_kind(err, ERROR_INVALID, "the root cgroup cannot be removed");
        first = groups->unified.fd >= 0 ? remove_from(&groups->unified, path, err) : 0;
        for (size_t i = 0; i < groups->v1_count; i++) {
                r = remove_from(&groups->v1[i], path, first < 0 ? NULL : err);
                if (first == 0)
                        first = r;
        }
        return first;
}

static bool remove_empty(const Hierarchy *hierarchy, const char *path) {
        return unlinkat(hierarchy->fd, cgroup_relative(path), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

static bool has_group(const Hierarchy *hierarchy, const char *path) {
        return hierarchy && hierarchy->fd >= 0 &&
               faccessat(hierarchy->fd, cgroup_relative(path), F_OK, 0) == 0;
}

static void add_children(const Hierarchy *hierarchy, const char *path, char ***names) {
        _cleanup_close_ int fd = openat(hierarchy->fd, cgroup_relative(path),
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                return;
        TAKE_FD(fd);
        for (const struct dirent *entry; (entry = readdir(dir));)
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
                    !strv_has(*names, entry->d_name))
                        strv_add(names, entry->d_name);
}

int cgroup_children(const char *path, char ***ret, Error *err) {
        const Cgroups *groups;
        int r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        if (groups->unified.fd >= 0)
                add_children(&groups->unified, path, ret);
        for (size_t i = 0; i < groups->v1_count; i++)
                add_children(&groups->v1[i], path, ret);
        return 0;
}

bool cgroup_exists(const char *path) {
        const Cgroups *groups;

        return cgroups_enter(path, &groups, NULL) == 0 &&
               (has_group(&groups->unified, path) ||
                has_group(cgroups_find(groups, "freezer"), path) ||
                (groups->v1_count > 0 && has_group(&groups->v1[0], path)));
}

bool cgroup_remove_empty(const char *path) {
        const Cgroups *groups;
        bool gone = true;

        if (cgroups_enter(path, &groups, NULL) < 0)
                return false;
        if (groups->unified.fd >= 0)
                gone = remove_empty(&groups->unified, path);
        for (size_t i = 0; i < groups->v1_count; i++)
                gone = remove_empty(&groups->v1[i], path) && gone;
        return gone;
}

/* ---- members ---- */

static void add_pids(const char *text, pid_t **pids, size_t *count) {
        for (const char *at = text; *at;) {
                size_t length = strcspn(at, "\n");
                _cleanup_free_ char *number = str_copy_n(at, length);
                int64_t pid;

                if (str_to_int64(number, &pid) == 0 && pid > 0) {
                        GROW(*pids, *count);
                        (*pids)[(*count)++] = (pid_t)pid;
                }
                at += length + (at[length] == '\n');
        }
}

static int walk_pids(int parent_fd, const char *name, int depth, pid_t **pids, size_t *count) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_free_ char *text = NULL;
        int r, fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        dir = fdopendir(fd);
        if (!dir) {
                close_fd(&fd);
                return -ENOMEM;
        }
        r = file_read_at(fd, "cgroup.procs", 16 << 20, &text, NULL, NULL);
        if (r < 0) /* removed between opening and reading */
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        add_pids(text, pids, count);
        for (struct dirent *entry; depth < 64 && (entry = readdir(dir));) {
                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                r = walk_pids(dirfd(dir), entry->d_name, depth + 1, pids, count);
                if (r < 0)
                        return r;
        }
        return 0;
}

int cgroup_pids(const char *path, pid_t **ret, size_t *ret_count, Error *err) {
        const Hierarchy *hierarchy;
        const Cgroups *groups;
        pid_t *pids = NULL;
        size_t count = 0;
        int r = cgroups_enter(path, &groups, err);

        if (r < 0)
                return r;
        hierarchy = groups->unified.fd >= 0 ? &groups->unified :
                    cgroups_find(groups, "freezer") ?: &groups->v1[0];
        r = walk_pids(hierarchy->fd, cgroup_relative(path), 0, &pids, &count);
        if (r < 0) {
                free(pids);
                return error_set(err, -r, "members of cgroup '%s'", path);
        }
        *ret = pids;
        *ret_count = count;
        return 0;
}
