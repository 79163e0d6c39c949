/* ocispec-devices.c: --device, --device-cgroup-rule and --privileged: the nodes in the container's
 * /dev beside the default ones, which the runtime makes, and what the devices cgroup allows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/bug.h"
#include "engine/ocispec.h"

#define PERMISSIONS 07777
#define DEPTH_MAX 8

typedef struct Rule {
        char type;
        int64_t major_, minor_; /* -1: any */
        const char *access;
} Rule;

/* Docker's default list: any node may be made; the usual ones may be used. */
static const Rule default_rules[] = {
        { 'c', -1, -1, "m" }, { 'b', -1, -1, "m" }, { 'c', 1, 3, "rwm" },    { 'c', 1, 5, "rwm" },
        { 'c', 1, 7, "rwm" }, { 'c', 1, 8, "rwm" }, { 'c', 1, 9, "rwm" },    { 'c', 5, 0, "rwm" },
        { 'c', 5, 1, "rwm" }, { 'c', 5, 2, "rwm" }, { 'c', 136, -1, "rwm" },
};

static void rule_add(OciLinux *linux_, bool allow, const Rule *rule) {
        OciDeviceRule *item = json_append(&linux_->resources->devices, &oci_device_rule_table);

        item->allow = allow;
        item->type = rule->type == 'a' ? NULL : str_format("%c", rule->type);
        item->major = rule->major_ < 0 ? NULL : PUT_INT(int64_t, rule->major_);
        item->minor = rule->minor_ < 0 ? NULL : PUT_INT(int64_t, rule->minor_);
        item->access = str_copy(rule->access);
}

static void node_add(OciLinux *linux_, const char *path, const struct stat *status) {
        OciDevice *device = json_append(&linux_->devices, &oci_device_table);

        device->path = str_copy(path);
        device->type = str_copy(S_ISBLK(status->st_mode) ? "b" : "c");
        device->major = major(status->st_rdev);
        device->minor = minor(status->st_rdev);
        device->file_mode = PUT_INT(int64_t, status->st_mode & PERMISSIONS);
        device->uid = PUT_INT(int64_t, status->st_uid);
        device->gid = PUT_INT(int64_t, status->st_gid);
}

static bool is_device(const struct stat *status) {
        return S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
}

/* ---- directories of devices ---- */

/* Not the host's to give: the container has its own, or none. */
static const char *const skipped[] = { "pts",  "shm",         "fd",    "mqueue",
                                       ".lxc", ".lxd-mounts", ".udev", "console" };

static bool is_skipped(const char *name) {
        for (size_t i = 0; i < ELEMENTS(skipped); i++)
                if (str_equal(skipped[i], name))
                        return true;
        return str_equal(name, ".") || str_equal(name, "..");
}

typedef void (*NodeFn)(void *data, const char *path, const struct stat *status);

/* Calls node for each device below fd, which is the caller's; path is how it is called there. */
static void walk(int fd, const char *path, int depth, NodeFn node, void *data) {
        _cleanup_closedir_ DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
        struct dirent *entry;

        while (dir && depth > 0 && (entry = readdir(dir))) {
                _cleanup_free_ char *child_path = str_format("%s/%s", path, entry->d_name);
                struct stat status;

                if (is_skipped(entry->d_name) ||
                    fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (is_device(&status))
                        node(data, child_path, &status);
                if (!S_ISDIR(status.st_mode))
                        continue;
                _cleanup_close_ int child_fd =
                        openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child_fd >= 0)
                        walk(child_fd, child_path, depth - 1, node, data);
        }
}

typedef struct AddJob {
        OciLinux *linux_;
        const char *access; /* NULL: no rule */
} AddJob;

static void add_node(void *data, const char *path, const struct stat *status) {
        AddJob *job = data;
        const Rule rule = { S_ISBLK(status->st_mode) ? 'b' : 'c', major(status->st_rdev),
                            minor(status->st_rdev), job->access };

        node_add(job->linux_, path, status);
        if (job->access)
                rule_add(job->linux_, true, &rule);
}

/* ---- --device ---- */

static int device_add(const DeviceMapping *mapping, OciLinux *linux_, Error *err) {
        const char *source = mapping->path_on_host ?: "";
        const char *target =
                str_empty(mapping->path_in_container) ? source : mapping->path_in_container;
        AddJob job = { linux_, str_empty(mapping->cgroup_permissions)
                                       ? "rwm"
                                       : mapping->cgroup_permissions };
        struct stat status;
        _cleanup_close_ int fd = open(source, O_PATH | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &status) < 0) {
                _cleanup_free_ char *reason = str_lower(str_copy(strerror(errno)));

                return error_kind(err, ERROR_INVALID,
                                  "error gathering device information while adding custom device "
                                  "\"%s\": %s",
                                  source, reason);
        }
        if (is_device(&status)) {
                add_node(&job, target, &status);
                return 0;
        }
        size_t before = linux_->devices.count;
        _cleanup_close_ int dir_fd =
                S_ISDIR(status.st_mode) ? open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (dir_fd >= 0)
                walk(dir_fd, target, DEPTH_MAX, add_node, &job);
        if (linux_->devices.count > before)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "error gathering device information while adding custom device \"%s\": "
                          "not a device node",
                          source);
}

/* "c 1:3 rwm", "b *:* r", "a 7:* rwm" */
static int rule_parse(const char *text, Rule *ret, Error *err) {
        _cleanup_strv_ char **words = str_split(text, ' ');
        _cleanup_strv_ char **numbers = strv_length(words) == 3 ? str_split(words[1], ':') : NULL;

        if (strv_length(numbers) == 2 && strlen(words[0]) == 1 && strchr("abc", words[0][0]) &&
            *words[2] && strlen(words[2]) <= 3 && !words[2][strspn(words[2], "rwm")]) {
                bool any_major = str_equal(numbers[0], "*"), any_minor = str_equal(numbers[1], "*");

                *ret = (Rule){ words[0][0], -1, -1, strrchr(text, ' ') + 1 };
                if ((any_major ||
                     (str_to_int64(numbers[0], &ret->major_) == 0 && ret->major_ >= 0)) &&
                    (any_minor ||
                     (str_to_int64(numbers[1], &ret->minor_) == 0 && ret->minor_ >= 0)))
                        return 0;
        }
        return error_kind(err, ERROR_INVALID, "invalid device cgroup rule format: '%s'", text);
}

static void privileged(OciLinux *linux_) {
        static const Rule everything = { 'a', -1, -1, "rwm" };
        AddJob job = { linux_, NULL };
        _cleanup_close_ int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        rule_add(linux_, true, &everything);
        if (fd >= 0)
                walk(fd, "/dev", DEPTH_MAX, add_node, &job);
}

int ocispec_devices(const Container *container, OciLinux *linux_, Error *err) {
        static const Rule everything = { 'a', -1, -1, "rwm" };
        const HostConfig *host = &container->spec.host;
        const DeviceMapping *devices = host->devices.items;
        int r = 0;

        if (host->privileged || BUG("devices")) {
                privileged(linux_);
        } else {
                rule_add(linux_, false, &everything);
                for (size_t i = 0; i < ELEMENTS(default_rules); i++)
                        rule_add(linux_, true, &default_rules[i]);
        }
        for (size_t i = 0; r == 0 && i < host->devices.count; i++)
                r = device_add(&devices[i], linux_, err);
        for (char **text = host->device_cgroup_rules; r == 0 && text && *text; text++) {
                Rule rule;

                r = rule_parse(*text, &rule, err);
                if (r == 0)
                        rule_add(linux_, true, &rule);
        }
        return r;
}
