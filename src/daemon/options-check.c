/* options-check.c: defaults, and what the values of brigd's options say together. Whether networks
 * can be as they are described is the engine's to say. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/options-private.h"
#include "os/systemd.h"

#define PROFILE_MAX ((size_t)1024 * 1024)
#define INVALID(...) error_kind(err, ERROR_INVALID, __VA_ARGS__)

static void set_default(char **slot, const char *value) {
        if (!*slot)
                *slot = str_copy(value);
}

/* ---- the builder ---- */

static int check_builder(DaemonOptions *values, Error *err) {
        const BuilderGc *gc = &values->builder.gc;
        const bool *device = values->builder.entitlements.device;
        int64_t bytes = 0;

        if (device && *device)
                return INVALID("builder.entitlements.device is not done: devices are not given to "
                               "builds: leave it out, or say false");
        if (gc->policy)
                return INVALID("builder.gc.policy is not done: builder.gc.defaultKeepStorage is "
                               "the cap of the whole cache");
        if (gc->keep && str_to_size(gc->keep, &bytes) < 0)
                return INVALID("invalid size of the build cache \"%s\": give bytes, or a number "
                               "with a unit, as 20GB",
                               gc->keep);
        if (gc->enabled && !*gc->enabled)
                bytes = 0;
        else if (!gc->keep)
                return 0;
        values->build_cache_max = NEW(int64_t);
        *values->build_cache_max = bytes;
        return 0;
}

/* ---- what containers get ---- */

static int check_shm_size(DaemonOptions *values, Error *err) {
        json_object *size = values->shm_size;
        int64_t *bytes = &values->defaults.shm_size;

        if (!size)
                return 0;
        if (json_object_is_type(size, json_type_int))
                *bytes = json_object_get_int64(size);
        else if (!json_object_is_type(size, json_type_string) ||
                 str_to_size(json_object_get_string(size), bytes) < 0)
                *bytes = -1;
        return *bytes > 0 ? 0
                          : INVALID("invalid default-shm-size '%s': give bytes, or a number with a "
                                    "unit, as 64M",
                                    json_object_get_string(size));
}

static int check_seccomp(DaemonOptions *values, Error *err) {
        const char *profile = values->seccomp_profile;
        _cleanup_json_ json_object *document = NULL;
        _cleanup_free_ char *text = NULL;
        Error why = { 0 };
        size_t length;
        int r;

        if (str_empty(profile) || str_equal(profile, "builtin"))
                return 0;
        if (str_equal(profile, "unconfined")) {
                values->defaults.seccomp = str_copy(profile);
                return 0;
        }
        r = file_read_at(AT_FDCWD, profile, PROFILE_MAX, &text, &length, &why);
        if (r >= 0)
                r = json_parse_any(text, length, &document, &why);
        if (r < 0)
                return INVALID("opening seccomp profile (%s) failed: %s", profile, why.message);
        values->defaults.seccomp = TAKE_PTR(text);
        return 0;
}

static bool is_address(const char *text) {
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int check_addresses(char *const *list, const char *name, Error *err) {
        for (; list && *list; list++)
                if (!is_address(*list))
                        return INVALID("%s '%s' is no IP address", name, *list);
        return 0;
}

static int check_ulimits(const JsonArray *list, Error *err) {
        const Ulimit *items = list->items;

        for (size_t i = 0; i < list->count; i++)
                if (items[i].hard >= 0 && (items[i].soft < 0 || items[i].soft > items[i].hard))
                        return INVALID("default-ulimits: %s: ulimit soft limit must be less than "
                                       "or equal to hard limit",
                                       items[i].name);
        return 0;
}

static bool is_mode(const char *mode, const char *one, const char *other) {
        return !mode || str_equal(mode, one) || str_equal(mode, other);
}

static int check_defaults(DaemonOptions *values, Error *err) {
        const ContainerDefaults *defaults = &values->defaults;
        int r;

        if (!is_mode(defaults->ipc_mode, "private", "shareable"))
                return INVALID("IPC mode '%s' is not supported as default-ipc-mode: say private or "
                               "shareable",
                               defaults->ipc_mode);
        if (!is_mode(defaults->cgroupns_mode, "private", "host"))
                return INVALID("invalid default-cgroupns-mode '%s': say host or private",
                               defaults->cgroupns_mode);
        if (values->init_path && values->init_path[0] != '/')
                return INVALID("init-path '%s' must be absolute", values->init_path);
        r = check_shm_size(values, err);
        if (r == 0)
                r = check_ulimits(&defaults->ulimits, err);
        if (r == 0)
                r = check_addresses(values->dns, "dns", err);
        if (r == 0)
                r = check_addresses(defaults->host_gateway, "host-gateway-ips", err);
        return r < 0 ? r : check_seccomp(values, err);
}

/* ---- what can be changed later ---- */

/* dockerd refuses a key with two values, too. */
static int check_labels(char *const *labels, Error *err) {
        for (char *const *label = labels; label && *label; label++) {
                size_t key = strcspn(*label, "=");

                if (key == 0 || !(*label)[key])
                        return INVALID("bad attribute format: %s: give labels as KEY=VALUE",
                                       *label);
                for (char *const *other = labels; other < label; other++)
                        if (strncmp(*other, *label, key + 1) == 0 && !str_equal(*other, *label))
                                return INVALID("conflict labels for %s and %s", *other, *label);
        }
        return 0;
}

static int check_number(const int64_t *number, int64_t least, const char *name, Error *err) {
        if (number && *number < least)
                return INVALID("invalid %s: %lld: give a number of at least %lld", name,
                               (long long)*number, (long long)least);
        return 0;
}

static int check_numbers(const DaemonOptions *values, Error *err) {
        const DaemonSettings *settings = &values->settings;
        int r = check_number(settings->downloads, 1, "max-concurrent-downloads", err);

        if (r == 0)
                r = check_number(settings->uploads, 1, "max-concurrent-uploads", err);
        if (r == 0)
                r = check_number(settings->attempts, 1, "max-download-attempts", err);
        if (r == 0)
                r = check_number(settings->shutdown_timeout, 0, "shutdown-timeout", err);
        return r < 0 ? r : check_number(values->mtu, 0, "mtu", err);
}

static int check_runtime(const RuntimeSpec *runtime, Error *err) {
        if (runtime_is_own(runtime->name))
                return INVALID("runtime name '%s' is reserved", runtime->name);
        if (!str_empty(runtime->type) || runtime->options)
                return INVALID("runtimes: %s: runtimeType and options are containerd's, which brig "
                               "needs none of: give a path",
                               runtime->name);
        return str_empty(runtime->path) ? INVALID("runtimes: %s: give a path", runtime->name) : 0;
}

static int check_runtimes(const DaemonSettings *settings, Error *err) {
        const RuntimeSpec *runtimes = settings->runtimes.items;
        const char *chosen = settings->default_runtime;

        for (size_t i = 0; i < settings->runtimes.count; i++) {
                int r = check_runtime(&runtimes[i], err);

                if (r < 0)
                        return r;
                for (size_t j = 0; j < i; j++)
                        if (str_equal(runtimes[i].name, runtimes[j].name))
                                return INVALID("runtime '%s' was already registered",
                                               runtimes[i].name);
        }
        if (!str_empty(chosen) && !runtime_is_own(chosen) && !settings_runtime(settings, chosen))
                return INVALID("specified default runtime '%s' does not exist: add it with "
                               "--add-runtime",
                               chosen);
        return 0;
}

/* dockerd's features, and the one value that brig has of each, where it has but one. */
static const struct {
        const char *name;
        int only; /* -1: either */
        const char *reason;
} features[] = {
        { "buildkit", -1, "" },
        { "cdi", false, "devices are not described by CDI: give them with --device" },
        { "containerd-snapshotter", false, "images are in brig's own store" },
        { "windows-dns-proxy", false, "this is no Windows" },
};

static int check_feature(const char *name, json_object *value, Error *err) {
        if (!json_object_is_type(value, json_type_boolean))
                return INVALID("features.%s: must be true or false", name);
        for (size_t i = 0; i < ELEMENTS(features); i++) {
                if (!str_equal(features[i].name, name))
                        continue;
                if (features[i].only < 0 || features[i].only == json_object_get_boolean(value))
                        return 0;
                return INVALID("feature %s is not supported: %s; leave it out, or say false", name,
                               features[i].reason);
        }
        return INVALID("unknown feature '%s': there are buildkit, cdi, containerd-snapshotter",
                       name);
}

static int check_features(json_object *object, Error *err) {
        if (!object)
                return 0;
        if (!json_object_is_type(object, json_type_object))
                return INVALID("features: must be an object");
        json_object_object_foreach(object, name, value) {
                int r = check_feature(name, value, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the rest ---- */

bool options_systemd_cgroup(const DaemonOptions *values) {
        const char *driver = NULL;

        for (char *const *item = values->exec_options; item && *item && !driver; item++)
                driver = str_after(*item, "native.cgroupdriver=");
        return str_equal(driver, "systemd");
}

static int check_cgroup_parent(const DaemonOptions *values, Error *err) {
        _cleanup_free_ char *path = NULL;

        if (!options_systemd_cgroup(values) || str_empty(values->cgroup_parent) ||
            systemd_slice_path(values->cgroup_parent, &path, NULL) == 0)
                return 0;
        return INVALID("cgroup-parent for systemd cgroup should be a valid slice named as "
                       "\"xxx.slice\"");
}

static int check_exec_options(char *const *list, Error *err) {
        const char *first = list ? *list : NULL;

        for (; list && *list; list++) {
                const char *driver = str_after(*list, "native.cgroupdriver=");

                if (!str_equal(driver, "systemd") && !str_equal(driver, "cgroupfs"))
                        return INVALID("invalid exec-opts '%s': give native.cgroupdriver=cgroupfs "
                                       "or native.cgroupdriver=systemd",
                                       *list);
                if (!str_equal(*list, first))
                        return INVALID("invalid exec-opts: '%s' and '%s': give one of them", first,
                                       *list);
        }
        return 0;
}

static int check_mirrors(char *const *list, Error *err) {
        for (; list && *list; list++)
                if (!str_after(*list, "http://") && !str_after(*list, "https://"))
                        return INVALID("invalid mirror: '%s' is no URL: give http://HOST or "
                                       "https://HOST",
                                       *list);
        return 0;
}

bool options_tls(const DaemonOptions *values) {
        return options_tls_verify(values) || (values->tls.on && *values->tls.on);
}

bool options_tls_verify(const DaemonOptions *values) {
        return values->tls.verify && *values->tls.verify;
}

static int check_readable(const char *path, const char *name, Error *err) {
        if (access(path, R_OK) == 0)
                return 0;
        return INVALID("%s '%s': %s", name, path, strerror(errno));
}

static int check_tls(DaemonOptions *values, Error *err) {
        TlsSettings *tls = &values->tls;
        int r;

        if (!options_tls(values))
                return 0;
        set_default(&tls->cert, "/etc/brig/cert.pem");
        set_default(&tls->key, "/etc/brig/key.pem");
        if (options_tls_verify(values))
                set_default(&tls->ca, "/etc/brig/ca.pem");
        r = check_readable(tls->cert, "tlscert", err);
        if (r == 0)
                r = check_readable(tls->key, "tlskey", err);
        return r == 0 && tls->ca ? check_readable(tls->ca, "tlscacert", err) : r;
}

static void set_defaults(DaemonOptions *values) {
        set_default(&values->data_root, "/var/lib/brig");
        set_default(&values->exec_root, "/run/brig");
        set_default(&values->pidfile, "/run/brig/brigd.pid");
        set_default(&values->log_driver, "json-file");
        if (!values->registry_hosts_dirs) {
                strv_add(&values->registry_hosts_dirs, "/etc/containerd/certs.d");
                strv_add(&values->registry_hosts_dirs, "/etc/docker/certs.d");
        }
        if (!values->hosts)
                strv_add(&values->hosts, "unix:///run/brig/brig.sock");
}

int options_complete(DaemonOptions *values, Error *err) {
        const DaemonSettings *settings = &values->settings;
        ImageGcBounds bounds;
        LogLevel level;
        int r;

        set_defaults(values);
        if (values->data_root[0] != '/' || values->exec_root[0] != '/')
                return INVALID("data-root and exec-root must be absolute paths, not '%s' and '%s'",
                               values->data_root, values->exec_root);
        r = check_builder(values, err);
        if (r == 0)
                r = check_defaults(values, err);
        if (r == 0)
                r = image_gc_bounds(&settings->image_gc, &bounds, err);
        if (r == 0)
                r = check_labels(settings->labels, err);
        if (r == 0)
                r = check_numbers(values, err);
        if (r == 0)
                r = check_runtimes(settings, err);
        if (r == 0)
                r = check_features(settings->features, err);
        if (r == 0)
                r = check_exec_options(values->exec_options, err);
        if (r == 0)
                r = check_cgroup_parent(values, err);
        if (r == 0)
                r = check_mirrors(settings->registry_mirrors, err);
        if (r == 0)
                r = check_tls(values, err);
        return r < 0 ? r : options_log_level(values, &level, err);
}

int options_log_level(const DaemonOptions *values, LogLevel *ret, Error *err) {
        if (log_level_parse(values->log_level ?: "info", ret) < 0)
                return INVALID("log-level '%s' is none of debug, info, warn, error, fatal",
                               values->log_level);
        if (values->settings.debug)
                *ret = LOG_LEVEL_DEBUG;
        return 0;
}
