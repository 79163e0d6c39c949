/* validate.c: what can be said of a document before anything is made. Every refusal names the
 * field. */
#include <errno.h>
#include <sys/stat.h>

#include "os/apparmor.h"
#include "runtime/private.h"

#define ID_MAX 4294967294LL /* -1 means "unchanged" to the kernel */

static int check_ids(const OciUser *user, Error *err) {
        const int64_t *groups = user->additional_gids.items;

        if (user->uid < 0 || user->uid > ID_MAX)
                return error_kind(err, ERROR_INVALID, "process.user.uid: %lld is not a user id",
                                  (long long)user->uid);
        if (user->gid < 0 || user->gid > ID_MAX)
                return error_kind(err, ERROR_INVALID, "process.user.gid: %lld is not a group id",
                                  (long long)user->gid);
        for (size_t i = 0; i < user->additional_gids.count; i++)
                if (groups[i] < 0 || groups[i] > ID_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "process.user.additionalGids: %lld is not a group id",
                                          (long long)groups[i]);
        if (user->umask && (*user->umask < 0 || *user->umask > 0777))
                return error_kind(err, ERROR_INVALID,
                                  "process.user.umask: must be between 0 and 0777");
        return 0;
}

static int check_capabilities(const OciCapabilities *capabilities, Error *err) {
        char **const sets[] = { capabilities->bounding, capabilities->effective,
                                capabilities->inheritable, capabilities->permitted,
                                capabilities->ambient };

        for (size_t i = 0; i < ELEMENTS(sets); i++)
                for (char **name = sets[i]; name && *name; name++)
                        if (capability_number(*name) < 0)
                                return error_kind(err, ERROR_INVALID,
                                                  "process.capabilities: no capability '%s'",
                                                  *name);
        return 0;
}

static int check_rlimits(const JsonArray *rlimits, Error *err) {
        const OciRlimit *list = rlimits->items;

        for (size_t i = 0; i < rlimits->count; i++) {
                if (rlimit_number(list[i].type) < 0)
                        return error_kind(err, ERROR_INVALID, "process.rlimits: no limit '%s'",
                                          list[i].type);
                for (size_t k = 0; k < i; k++)
                        if (str_equal(list[i].type, list[k].type))
                                return error_kind(err, ERROR_INVALID,
                                                  "process.rlimits: '%s' is given twice",
                                                  list[i].type);
                if (list[i].soft > list[i].hard)
                        return error_kind(
                                err, ERROR_INVALID,
                                "process.rlimits: the soft limit of %s exceeds the hard one",
                                list[i].type);
        }
        return 0;
}

int runtime_validate_process(const OciProcess *process, Error *err) {
        int r;

        if (!process->args || !process->args[0])
                return error_kind(err, ERROR_INVALID, "process.args: must not be empty");
        if (str_empty(process->cwd))
                return error_kind(err, ERROR_INVALID, "Cwd property must not be empty");
        if (process->cwd[0] != '/')
                return error_kind(err, ERROR_INVALID, "Cwd must be an absolute path");
        if (!str_empty(process->apparmor_profile) &&
            !str_equal(process->apparmor_profile, APPARMOR_UNCONFINED) && !apparmor_enabled())
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "process.apparmorProfile '%s': AppArmor is not enabled on this "
                                  "host; remove it or say \"unconfined\"",
                                  process->apparmor_profile);
        if (!str_empty(process->selinux_label))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "process.selinuxLabel: not done; remove it");
        if (process->oom_score_adj &&
            (*process->oom_score_adj < -1000 || *process->oom_score_adj > 1000))
                return error_kind(err, ERROR_INVALID,
                                  "process.oomScoreAdj: must be between -1000 and 1000");
        r = check_ids(&process->user, err);
        if (r == 0 && process->capabilities)
                r = check_capabilities(process->capabilities, err);
        if (r == 0)
                r = schedule_validate(process, err);
        return r == 0 ? check_rlimits(&process->rlimits, err) : r;
}

static bool makes_namespace(const OciLinux *linux_, const char *type) {
        const OciNamespace *list = linux_->namespaces.items;

        for (size_t i = 0; i < linux_->namespaces.count; i++)
                if (str_equal(list[i].type, type) && str_empty(list[i].path))
                        return true;
        return false;
}

static bool has_namespace(const OciLinux *linux_, const char *type) {
        const OciNamespace *list = linux_->namespaces.items;

        for (size_t i = 0; i < linux_->namespaces.count; i++)
                if (str_equal(list[i].type, type))
                        return true;
        return false;
}

static int check_namespaces(const OciConfig *config, Error *err) {
        const OciLinux *linux_ = config->linux_;
        const OciNamespace *list = linux_->namespaces.items;

        for (size_t i = 0; i < linux_->namespaces.count; i++) {
                for (size_t k = 0; k < i; k++)
                        if (str_equal(list[i].type, list[k].type))
                                return error_kind(err, ERROR_INVALID,
                                                  "linux.namespaces: '%s' is given twice",
                                                  list[i].type);
        }
        if (!has_namespace(linux_, "mount"))
                return error_kind(err, ERROR_INVALID,
                                  "linux.namespaces: a mount namespace is needed");
        if (!has_namespace(linux_, "uts") && !str_empty(config->hostname))
                return error_kind(err, ERROR_INVALID,
                                  "unable to set hostname without a private UTS namespace");
        if (!has_namespace(linux_, "uts") && !str_empty(config->domainname))
                return error_kind(err, ERROR_INVALID,
                                  "unable to set domainname without a private UTS namespace");
        return 0;
}

/* Ids have 32 bits, the last one is nobody's; the kernel would take a longer number for its lower
 * bits, and so for root. */
static int check_ranges(const JsonArray *mappings, const char *what, Error *err) {
        const int64_t end = UINT32_MAX;
        const OciIdMapping *list = mappings->items;

        for (size_t i = 0; i < mappings->count; i++)
                if (list[i].container_id < 0 || list[i].host_id < 0 || list[i].size < 1 ||
                    list[i].size > end || list[i].container_id > end - list[i].size ||
                    list[i].host_id > end - list[i].size)
                        return error_kind(
                                err, ERROR_INVALID, "%s: %lld, %lld, %lld: ids are from 0 to %lld",
                                what, (long long)list[i].container_id, (long long)list[i].host_id,
                                (long long)list[i].size, (long long)end - 1);
        return 0;
}

static int check_mappings(const OciLinux *linux_, Error *err) {
        bool mapped = linux_->uid_mappings.count > 0 || linux_->gid_mappings.count > 0;
        int r = check_ranges(&linux_->uid_mappings, "linux.uidMappings", err);

        if (r == 0)
                r = check_ranges(&linux_->gid_mappings, "linux.gidMappings", err);
        if (r < 0)
                return r;

        if (mapped && !has_namespace(linux_, "user"))
                return error_kind(err, ERROR_INVALID,
                                  "linux.uidMappings: user namespace mappings specified, but no "
                                  "user namespace");
        if (makes_namespace(linux_, "user") &&
            (linux_->uid_mappings.count == 0 || linux_->gid_mappings.count == 0))
                return error_kind(
                        err, ERROR_INVALID,
                        "linux.uidMappings, linux.gidMappings: a new user namespace needs both");
        return 0;
}

static const char *const ipc_sysctls[] = {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
};

static bool is_ipc_sysctl(const char *name) {
        for (size_t i = 0; i < ELEMENTS(ipc_sysctls); i++)
                if (str_equal(ipc_sysctls[i], name))
                        return true;
        return str_after(name, "fs.mqueue.") != NULL;
}

/* The name in the form a.b.c, where a '/' is a '.' of the path: ".." is written "//" there, and
 * would lead from net to the whole host's. */
static bool leads_astray(const char *name) {
        _cleanup_strv_ char **parts = str_split(name, '.');

        for (char **part = parts; part && *part; part++)
                if (str_empty(*part) || str_equal(*part, "/") || str_equal(*part, "//"))
                        return true;
        return strchr(name, '\n') != NULL;
}

/* Only what belongs to a namespace of the container's: anything else would change the host. */
static int check_sysctls(const OciLinux *linux_, Error *err) {
        for (size_t i = 0; i < linux_->sysctl.count; i++) {
                _cleanup_free_ char *name = str_copy(linux_->sysctl.items[i].key);
                bool good;

                if (strchr(name, '/') &&
                    (!strchr(name, '.') || strchr(name, '/') < strchr(name, '.')))
                        for (char *at = name; *at; at++)
                                *at = *at == '/' ? '.' : *at == '.' ? '/' : *at;
                if (leads_astray(name))
                        return error_kind(err, ERROR_INVALID, "linux.sysctl: '%s' is not a name",
                                          linux_->sysctl.items[i].key);
                good = (is_ipc_sysctl(name) && has_namespace(linux_, "ipc")) ||
                       (str_after(name, "net.") && has_namespace(linux_, "network")) ||
                       (str_equal(name, "kernel.domainname") && has_namespace(linux_, "uts"));
                if (!good)
                        return error_kind(err, ERROR_INVALID,
                                          "sysctl \"%s\" is not in a separate kernel namespace",
                                          name);
        }
        return 0;
}

static int check_time_offsets(const OciLinux *linux_, Error *err) {
        const OciTimeOffset *list = linux_->time_offsets.items;

        if (linux_->time_offsets.count > 0 && !makes_namespace(linux_, "time"))
                return error_kind(err, ERROR_INVALID,
                                  "linux.timeOffsets: a new time namespace is needed");
        for (size_t i = 0; i < linux_->time_offsets.count; i++)
                if (!str_equal(list[i].clock, "monotonic") && !str_equal(list[i].clock, "boottime"))
                        return error_kind(
                                err, ERROR_INVALID,
                                "linux.timeOffsets: '%s' is neither monotonic nor boottime",
                                list[i].clock);
        return 0;
}

static int check_refused(const OciLinux *linux_, Error *err) {
        const struct {
                const char *name;
                const json_object *value;
        } refused[] = { { "intelRdt", linux_->intel_rdt },
                        { "netDevices", linux_->net_devices },
                        { "memoryPolicy", linux_->memory_policy } };

        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (refused[i].value)
                        return error_kind(err, ERROR_UNSUPPORTED, "linux.%s: not done; remove it",
                                          refused[i].name);
        return 0;
}

static int check_linux(const OciConfig *config, Error *err) {
        const OciLinux *linux_ = config->linux_;
        uint64_t propagation;
        bool recursive;
        int r = check_namespaces(config, err);

        if (r == 0)
                r = check_mappings(linux_, err);
        if (r == 0)
                r = check_sysctls(linux_, err);
        if (r == 0)
                r = check_time_offsets(linux_, err);
        if (r == 0 && linux_->personality)
                r = personality_validate(linux_->personality, err);
        if (r == 0)
                r = check_refused(linux_, err);
        if (r < 0)
                return r;
        if (!str_empty(linux_->rootfs_propagation) &&
            !propagation_parse(linux_->rootfs_propagation, &propagation, &recursive))
                return error_kind(err, ERROR_INVALID,
                                  "linux.rootfsPropagation: '%s' is none of shared, slave, "
                                  "private, unbindable",
                                  linux_->rootfs_propagation);
        if (!str_empty(linux_->mount_label))
                return error_kind(err, ERROR_UNSUPPORTED, "linux.mountLabel: not done; remove it");
        return 0;
}

static int check_mount_map(const OciLinux *linux_, const OciMount *mount,
                           const MountOptions *options, Error *err) {
        bool own = mount->uid_mappings.count > 0;
        int r;

        if (!options->map_ids)
                return 0;
        r = check_ranges(&mount->uid_mappings, "uidMappings of a mount", err);
        if (r == 0)
                r = check_ranges(&mount->gid_mappings, "gidMappings of a mount", err);
        if (r < 0)
                return r;
        if (own != (mount->gid_mappings.count > 0))
                return error_kind(err, ERROR_INVALID,
                                  "mount '%s': needs both, uidMappings and gidMappings",
                                  mount->destination);
        if (!options->bind)
                return error_kind(err, ERROR_INVALID,
                                  "mount '%s': ids are mapped for bind mounts only",
                                  mount->destination);
        if (!own && !has_namespace(linux_, "user"))
                return error_kind(err, ERROR_INVALID,
                                  "mount '%s': option idmap needs uidMappings and gidMappings, or "
                                  "a container with a user namespace",
                                  mount->destination);
        return 0;
}

static int check_mounts(const OciLinux *linux_, const JsonArray *mounts, Error *err) {
        const OciMount *list = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                MountOptions options = {};
                int r = mount_options_parse(&list[i], &options, err);

                mount_options_done(&options);
                if (r == 0)
                        r = check_mount_map(linux_, &list[i], &options, err);
                if (r < 0)
                        return r;
                if (str_empty(list[i].destination) || list[i].destination[0] != '/')
                        return error_kind(err, ERROR_INVALID,
                                          "mount destination '%s' is not an absolute path",
                                          list[i].destination ?: "");
        }
        return 0;
}

/* runtime-spec config.md "POSIX-platform Hooks": a path MUST be absolute (some run in the
 * container's root, where a relative one would be the image's file), a timeout greater than zero.
 */
static int check_list(const JsonArray *hooks, const char *kind, Error *err) {
        const OciHook *list = hooks->items;

        for (size_t i = 0; i < hooks->count; i++) {
                if (str_empty(list[i].path) || list[i].path[0] != '/')
                        return error_kind(err, ERROR_INVALID,
                                          "hooks.%s #%zu: path '%s' is not absolute", kind, i,
                                          list[i].path ?: "");
                if (list[i].timeout && (*list[i].timeout < 1 || *list[i].timeout > INT32_MAX))
                        return error_kind(err, ERROR_INVALID,
                                          "hooks.%s #%zu: timeout %lld: have 1 to %d seconds", kind,
                                          i, (long long)*list[i].timeout, INT32_MAX);
        }
        return 0;
}

static int check_hooks(const OciHooks *hooks, Error *err) {
        const struct {
                const JsonArray *hooks;
                const char *kind;
        } all[] = { { &hooks->prestart, "prestart" },
                    { &hooks->create_runtime, "createRuntime" },
                    { &hooks->create_container, "createContainer" },
                    { &hooks->start_container, "startContainer" },
                    { &hooks->poststart, "poststart" },
                    { &hooks->poststop, "poststop" } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(all); i++)
                r = check_list(all[i].hooks, all[i].kind, err);
        return r;
}

int runtime_validate(const OciConfig *config, Error *err) {
        int r;

        if (!config->version || !str_after(config->version, "1."))
                return error_kind(err, ERROR_INVALID, "ociVersion '%s': 1.x is understood",
                                  config->version ?: "");
        if (!config->process)
                return error_kind(err, ERROR_INVALID, "process: is missing");
        if (!config->root || str_empty(config->root->path))
                return error_kind(err, ERROR_INVALID, "root: is missing");
        if (!config->linux_)
                return error_kind(err, ERROR_INVALID, "linux: is missing");
        r = runtime_validate_process(config->process, err);
        if (r == 0)
                r = check_linux(config, err);
        if (r == 0)
                r = check_mounts(config->linux_, &config->mounts, err);
        return r == 0 && config->hooks ? check_hooks(config->hooks, err) : r;
}
