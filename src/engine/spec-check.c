/* spec-check.c: what a request to create a container may hold, as far as the document alone shows
 * it, and the defaults that inspect shows. In Docker's words; kinds are never "not found", as a
 * client would take that for a missing image and pull it. */
#include "base/bug.h"
#include "engine/cgroup.h"
#include "engine/create-parts.h"
#include "engine/engine-private.h"
#include "engine/health.h"
#include "engine/log-driver.h"
#include "engine/ocispec.h"
#include "engine/publish.h"
#include "engine/stop.h"
#include "os/apparmor.h"
#include "os/cgroup.h"

#define DEFAULT_SHM_SIZE (64LL << 20)
#define INVALID(...) error_kind(err, ERROR_INVALID, __VA_ARGS__)

static const char *const masked_paths[] = {
        "/proc/asound",        "/proc/acpi",       "/proc/kcore",       "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi",          "/sys/firmware",
};
static const char *const readonly_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* ---- checks ---- */

static int config_check(const ContainerConfig *config, Error *err) {
        int signal;

        if (!str_empty(config->working_dir) && config->working_dir[0] != '/')
                return INVALID("the working directory '%s' is invalid, it needs to be an absolute "
                               "path",
                               config->working_dir);
        for (char **entry = config->env; entry && *entry; entry++)
                if (!**entry || **entry == '=')
                        return INVALID("invalid environment variable: %s", *entry);
        if (config->stop_timeout && *config->stop_timeout < -1)
                return INVALID("StopTimeout: must be -1 (no limit) or a number of seconds");
        if (!str_empty(config->stop_signal)) {
                int r = signal_parse(config->stop_signal, &signal, err);

                if (r < 0)
                        return r;
        }
        return health_config_check(config->health, err);
}

/* What is in a line of the container's files (netfiles.c) and would make two of it. */
static int line_check(const char *name, char *text, Error *err) {
        if (!text || BUG("file-lines"))
                return 0;
        for (size_t n = strlen(text); n > 0 && strchr("\r\n", text[n - 1]); n--)
                text[n - 1] = '\0'; /* YAML's "name: |" has one, which says nothing */
        if (text[strcspn(text, "\r\n")])
                return INVALID("%s: a line break within, which would make two lines of it in the "
                               "container's files: leave it out",
                               name);
        return 0;
}

static int lines_check(ContainerConfig *config, HostConfig *host, Error *err) {
        const struct {
                const char *name;
                char *const *texts;
        } lists[] = {
                { "Dns", host->dns },
                { "DnsSearch", host->dns_search },
                { "DnsOptions", host->dns_options },
                { "Links", host->links },
        };
        int r = line_check("Hostname", config->hostname, err);

        if (r == 0)
                r = line_check("Domainname", config->domainname, err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(lists); i++)
                for (char *const *text = lists[i].texts; r == 0 && text && *text; text++)
                        r = line_check(lists[i].name, *text, err);
        return r;
}

int restart_check(const HostConfig *host, Error *err) {
        static const char *const names[] = { "", "no", "always", "unless-stopped", "on-failure" };
        const RestartPolicy *policy = &host->restart_policy;
        const char *name = policy->name ?: "";
        bool known = false;

        for (size_t i = 0; i < ELEMENTS(names); i++)
                known |= str_equal(names[i], name);
        if (!known)
                return INVALID("invalid restart policy '%s'", name);
        if (policy->maximum_retry_count < 0)
                return INVALID("maximum retry count cannot be negative");
        if (policy->maximum_retry_count > 0 && *name && !str_equal(name, "on-failure"))
                return INVALID("maximum retry count cannot be used with restart policy '%s'", name);
        if (host->auto_remove && *name && !str_equal(name, "no"))
                return INVALID("can't create 'AutoRemove' container with restart policy");
        return 0;
}

static bool is_namespaced_ipc(const char *name) {
        static const char *const names[] = { "kernel.msgmax", "kernel.msgmnb",
                                             "kernel.msgmni", "kernel.sem",
                                             "kernel.shmall", "kernel.shmmax",
                                             "kernel.shmmni", "kernel.shm_rmid_forced" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(names[i], name))
                        return true;
        return str_after(name, "fs.mqueue.") != NULL;
}

static int sysctls_check(const HostConfig *host, Error *err) {
        for (size_t i = 0; i < host->sysctls.count; i++) {
                const char *name = host->sysctls.items[i].key;

                if (str_after(name, "net.")) {
                        if (str_equal(host->network_mode, "host"))
                                return INVALID("sysctl \"%s\" not allowed in host network "
                                               "namespace",
                                               name);
                } else if (is_namespaced_ipc(name)) {
                        if (str_after(host->ipc_mode ?: "", "container:"))
                                return INVALID("sysctl \"%s\" is not allowed in the IPC namespace "
                                               "of another container: set it there",
                                               name);
                        if (str_equal(host->ipc_mode, "host"))
                                return INVALID("sysctl \"%s\" is not allowed in the host ipc "
                                               "namespace",
                                               name);
                } else {
                        return INVALID("sysctl \"%s\" is not in a separate kernel namespace", name);
                }
        }
        return 0;
}

static int drivers_check(const Engine *engine, const HostConfig *host, Error *err) {
        if (!str_empty(host->runtime) && !runtime_is_own(host->runtime) &&
            !settings_runtime(engine_settings(engine), host->runtime))
                return INVALID("Unknown runtime specified %s", host->runtime);
        return 0;
}

static int seccomp_text_check(const char *text, Error *err) {
        _cleanup_json_ json_object *profile = NULL;

        if (!text)
                return 0;
        int r = json_parse_any(text, strlen(text), &profile, err);
        return r < 0 ? error_prefix(err, "Decoding seccomp profile failed") : 0;
}

/* Dockerd ignores the name of a profile on such a host: the container would run without what was
 * asked for. */
static int apparmor_check(const char *profile, Error *err) {
        if (!profile || str_equal(profile, APPARMOR_UNCONFINED) || apparmor_enabled())
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "AppArmor is not enabled on this host: --security-opt apparmor=%s; use "
                          "apparmor=unconfined",
                          profile);
}

static int security_check(const Engine *engine, const HostConfig *host, Error *err) {
        SecurityOptions security = { 0 };

        int r = capabilities_check(host, err);
        if (r == 0)
                r = security_parse(&engine->options.defaults, host->security_opt, &security, err);
        if (r == 0)
                r = apparmor_check(security.apparmor, err);
        return r < 0 ? r : seccomp_text_check(security.seccomp, err);
}

/* ---- defaults ---- */

static void set_default(char **text, const char *value) {
        if (str_empty(*text))
                str_replace(text, value);
}

static void set_paths(char ***list, bool *given, const char *const *paths, size_t count) {
        if (*given)
                return;
        for (size_t i = 0; i < count; i++)
                strv_add(list, paths[i]);
        *given = true;
}

/* Those that the container has not got. */
static void add_ulimits(HostConfig *host, const JsonArray *defaults) {
        const Ulimit *items = defaults->items;

        for (size_t i = 0; i < defaults->count; i++) {
                const Ulimit *own = host->ulimits.items;
                bool given = false;

                for (size_t j = 0; j < host->ulimits.count; j++)
                        given |= str_equal(own[j].name, items[i].name);
                if (!given)
                        json_copy(&ulimit_table, &items[i],
                                  json_append(&host->ulimits, &ulimit_table));
        }
}

static int set_defaults(const Engine *engine, HostConfig *host, Error *err) {
        const ContainerDefaults *defaults = &engine->options.defaults;
        CgroupMode mode;

        int r = cgroup_mode(&mode, err);
        if (r < 0)
                return r;
        set_default(&host->ipc_mode, defaults->ipc_mode ?: "private");
        set_default(&host->cgroupns_mode, defaults->cgroupns_mode ? defaults->cgroupns_mode
                                          : mode == CGROUP_V2 && !host->privileged ? "private"
                                                                                   : "host");
        set_default(&host->runtime, engine_settings(engine)->default_runtime ?: "runc");
        add_ulimits(host, &defaults->ulimits);
        if (!host->init && defaults->init)
                host->init = PUT_INT(bool, true);
        set_default(&host->network_mode, "default");
        set_default(&host->restart_policy.name, "no");
        if (host->shm_size == 0)
                host->shm_size = defaults->shm_size ?: DEFAULT_SHM_SIZE;
        if (host->memory > 0 && host->memory_swap == 0)
                host->memory_swap = host->memory > INT64_MAX / 2 ? -1 : host->memory * 2;
        if (!host->oom_kill_disable)
                host->oom_kill_disable = PUT_INT(bool, false);
        if (!host->privileged) {
                set_paths(&host->masked_paths, &host->has_masked_paths, masked_paths,
                          ELEMENTS(masked_paths));
                set_paths(&host->readonly_paths, &host->has_readonly_paths, readonly_paths,
                          ELEMENTS(readonly_paths));
        }
        return 0;
}

/* What version 2 of the control groups has no file for is left out and said, as Docker does. */
static int drop_unsupported(HostConfig *host, char ***warnings, Error *err) {
        CgroupMode mode;
        int r = cgroup_mode(&mode, err);

        if (r < 0 || mode != CGROUP_V2)
                return r;
        if (host->oom_kill_disable && *host->oom_kill_disable) {
                *host->oom_kill_disable = false;
                strv_add(warnings, "Your kernel does not support OomKillDisable. OomKillDisable "
                                   "discarded.");
        }
        if (host->memory_swappiness && *host->memory_swappiness >= 0) {
                free(TAKE_PTR(host->memory_swappiness));
                strv_add(warnings, "Your kernel does not support memory swappiness capabilities or "
                                   "the cgroup is not mounted. Memory swappiness discarded.");
        }
        if (host->kernel_memory_tcp != 0) {
                host->kernel_memory_tcp = 0;
                strv_add(warnings, "Your kernel does not support kernel memory TCP limit "
                                   "capabilities or the cgroup is not mounted. Limitation "
                                   "discarded.");
        }
        return 0;
}

/* dockerd takes them, too, and says nothing. */
static void warn_of_windows(const HostConfig *host, char ***warnings) {
        if (host->cpu_count || host->cpu_percent || host->io_maximum_iops ||
            host->io_maximum_bandwidth)
                strv_add(warnings, "CpuCount, CpuPercent, IOMaximumIOps and IOMaximumBandwidth are "
                                   "for Windows and limit nothing here.");
}

int container_spec_check(Engine *engine, ContainerCreate *create, char ***warnings, Error *err) {
        HostConfig *host = &create->host;

        int r = config_check(&create->config, err);

        if (r == 0)
                r = lines_check(&create->config, host, err);
        if (r == 0)
                r = resources_check(host, false, err);
        if (r == 0)
                r = cgroup_check_parent(engine->options.systemd_cgroup, host->cgroup_parent, err);
        if (r == 0)
                r = restart_check(host, err);
        if (r == 0)
                r = port_bindings_check(&host->port_bindings, err);
        if (r == 0)
                r = namespaces_check(create, err);
        if (r == 0)
                r = security_check(engine, host, err);
        if (r == 0)
                r = log_config_check(&engine->options.log, &host->log_config, err);
        if (r == 0)
                r = sysctls_check(host, err);
        if (r == 0)
                r = drivers_check(engine, host, err);
        if (r == 0)
                r = set_defaults(engine, host, err);
        if (r == 0)
                r = userns_check(engine, host, err);
        if (r == 0 && warnings)
                r = drop_unsupported(host, warnings, err);
        if (r == 0 && warnings)
                warn_of_windows(host, warnings);
        if (r == 0 && warnings && host->port_bindings.count > 0 &&
            str_equal(host->network_mode, "host"))
                strv_add(warnings, "Published ports are discarded when using host network mode");
        return r;
}
