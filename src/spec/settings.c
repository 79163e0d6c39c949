/* settings.c: see settings.h. */
#include "spec/settings.h"

#include "base/clock.h"
#include "spec/container.h"

static const JsonField runtime_fields[] = {
        JSON_FIELD(RuntimeSpec, "path", JSON_STRING, path, JSON_OMIT_EMPTY),
        JSON_FIELD(RuntimeSpec, "runtimeArgs", JSON_STRINGS, arguments, JSON_OMIT_EMPTY),
        JSON_FIELD(RuntimeSpec, "runtimeType", JSON_STRING, type, JSON_OMIT_EMPTY),
        JSON_FIELD(RuntimeSpec, "options", JSON_RAW, options, JSON_OMIT_EMPTY),
};
const JsonTable runtime_spec_table = JSON_TABLE(RuntimeSpec, "runtime", runtime_fields);

static const JsonField image_gc_fields[] = {
        JSON_FIELD(ImageGc, "max-size", JSON_STRING, max_size, JSON_OMIT_EMPTY),
        JSON_FIELD(ImageGc, "unused-for", JSON_STRING, unused_for, JSON_OMIT_EMPTY),
        JSON_FIELD(ImageGc, "min-age", JSON_STRING, min_age, JSON_OMIT_EMPTY),
};
const JsonTable image_gc_table = JSON_TABLE(ImageGc, "image-gc", image_gc_fields);

static const JsonField settings_fields[] = {
        JSON_FIELD(DaemonSettings, "debug", JSON_BOOL, debug, 0),
        JSON_FIELD(DaemonSettings, "default-runtime", JSON_STRING, default_runtime, JSON_PRESENT),
        JSON_FIELD(DaemonSettings, "features", JSON_RAW, features, 0),
        JSON_NESTED(DaemonSettings, "image-gc", JSON_INLINE, image_gc, 0, &image_gc_table),
        JSON_FIELD(DaemonSettings, "insecure-registries", JSON_STRINGS, insecure_registries, 0),
        JSON_FIELD(DaemonSettings, "labels", JSON_STRINGS, labels, 0),
        JSON_FIELD(DaemonSettings, "max-concurrent-downloads", JSON_MAYBE_INT, downloads, 0),
        JSON_FIELD(DaemonSettings, "max-concurrent-uploads", JSON_MAYBE_INT, uploads, 0),
        JSON_FIELD(DaemonSettings, "max-download-attempts", JSON_MAYBE_INT, attempts, 0),
        JSON_FIELD(DaemonSettings, "registry-mirrors", JSON_STRINGS, registry_mirrors, 0),
        JSON_NESTED(DaemonSettings, "runtimes", JSON_MAP, runtimes, 0, &runtime_spec_table),
        JSON_FIELD(DaemonSettings, "shutdown-timeout", JSON_MAYBE_INT, shutdown_timeout, 0),
};
const JsonTable daemon_settings_table = JSON_TABLE(DaemonSettings, "settings", settings_fields);

static const JsonField ulimit_fields[] = {
        JSON_FIELD(Ulimit, "Hard", JSON_INT, hard, 0),
        JSON_FIELD(Ulimit, "Soft", JSON_INT, soft, 0),
};
const JsonTable default_ulimit_table = JSON_TABLE(Ulimit, "ulimit", ulimit_fields);

static const JsonField defaults_fields[] = {
        JSON_FIELD(ContainerDefaults, "default-cgroupns-mode", JSON_STRING, cgroupns_mode,
                   JSON_PRESENT),
        JSON_FIELD(ContainerDefaults, "default-ipc-mode", JSON_STRING, ipc_mode, JSON_PRESENT),
        JSON_FIELD(ContainerDefaults, "default-shm-size", JSON_INT, shm_size, 0),
        JSON_NESTED(ContainerDefaults, "default-ulimits", JSON_MAP, ulimits, 0,
                    &default_ulimit_table),
        JSON_FIELD(ContainerDefaults, "dns-opts", JSON_STRINGS, dns_options, 0),
        JSON_FIELD(ContainerDefaults, "dns-search", JSON_STRINGS, dns_search, 0),
        JSON_FIELD(ContainerDefaults, "host-gateway-ips", JSON_STRINGS, host_gateway, 0),
        JSON_FIELD(ContainerDefaults, "init", JSON_BOOL, init, 0),
        JSON_FIELD(ContainerDefaults, "no-new-privileges", JSON_BOOL, no_new_privileges, 0),
        JSON_FIELD(ContainerDefaults, "seccomp", JSON_STRING, seccomp, JSON_PRESENT),
};
const JsonTable container_defaults_table =
        JSON_TABLE(ContainerDefaults, "defaults", defaults_fields);

#define MIN_AGE (600 * NSEC_PER_SEC)

static int gc_duration(const char *name, const char *text, int64_t *ret, Error *err) {
        if (!text || (duration_parse(text, ret) == 0 && *ret >= 0))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid image-gc.%s \"%s\": give a duration, as 720h or 30m", name,
                          text);
}

int image_gc_bounds(const ImageGc *said, ImageGcBounds *ret, Error *err) {
        ImageGcBounds bounds = { .age = MIN_AGE };
        int r = gc_duration("unused-for", said->unused_for, &bounds.unused, err);

        if (r == 0)
                r = gc_duration("min-age", said->min_age, &bounds.age, err);
        if (r < 0)
                return r;
        if (said->max_size && str_to_size(said->max_size, &bounds.size) < 0)
                return error_kind(
                        err, ERROR_INVALID,
                        "invalid image-gc.max-size \"%s\": give bytes, or a number with a "
                        "unit, as 20GB",
                        said->max_size);
        *ret = bounds;
        return 0;
}

const RuntimeSpec *settings_runtime(const DaemonSettings *settings, const char *name) {
        const RuntimeSpec *runtimes = settings->runtimes.items;

        for (size_t i = 0; i < settings->runtimes.count; i++)
                if (str_equal(runtimes[i].name, name))
                        return &runtimes[i];
        return NULL;
}

bool runtime_is_own(const char *name) {
        static const char *const names[] = { "runc", "brig-runtime", "io.containerd.runc.v2" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(names[i], name))
                        return true;
        return false;
}
