/* settings.c: the daemon's settings that change while it runs. A set of them never changes: a
 * reload puts another in its place. Whoever works with one keeps it as long as it likes, so old
 * ones stay until the engine ends; a reload that changes nothing makes none. */
#include <stdatomic.h>
#include <unistd.h>

#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/image-collect.h"

struct Settings {
        DaemonSettings values;
        RegistryOptions registry; /* borrows from values and the options */
        ImageGcBounds image_gc;
        Settings *older;
};

static int64_t number(const int64_t *value, int64_t usual) {
        return value ? *value : usual;
}

static Settings *settings_new(const Engine *engine, const DaemonSettings *values) {
        Settings *settings = NEW(Settings);

        json_copy(&daemon_settings_table, values, &settings->values);
        settings->registry = (RegistryOptions){
                .insecure = settings->values.insecure_registries,
                .mirrors = settings->values.registry_mirrors,
                .host_directories = engine->options.registry_hosts_dirs,
                .downloads = number(values->downloads, 0),
                .uploads = number(values->uploads, 0),
                .attempts = number(values->attempts, 0),
        };
        /* The daemon has checked them. */
        (void)image_gc_bounds(&settings->values.image_gc, &settings->image_gc, NULL);
        return settings;
}

void settings_start(Engine *engine) {
        atomic_store(&engine->settings, settings_new(engine, &engine->options.settings));
}

void settings_end(Engine *engine) {
        for (Settings *settings = atomic_load(&engine->settings), *older; settings;
             settings = older) {
                older = settings->older;
                json_done(&daemon_settings_table, &settings->values);
                free(settings);
        }
        atomic_store(&engine->settings, NULL);
}

const DaemonSettings *engine_settings(const Engine *engine) {
        return &atomic_load(&engine->settings)->values;
}

const RegistryOptions *engine_registry(const Engine *engine) {
        return &atomic_load(&engine->settings)->registry;
}

const ImageGcBounds *engine_image_gc(const Engine *engine) {
        return &atomic_load(&engine->settings)->image_gc;
}

/* ---- reloading ---- */

/* The settings as dockerd's event has them: texts as they are, all else as JSON. */
static void emit(Engine *engine, const DaemonSettings *values) {
        _cleanup_json_ json_object *object = json_write(&daemon_settings_table, values);
        char host[256] = "";
        Pairs attributes = { 0 };

        json_object_object_foreach(object, name, value) {
                pairs_put(&attributes, name,
                          value ? json_object_is_type(value, json_type_string)
                                          ? json_object_get_string(value)
                                          : json_object_to_json_string_ext(value,
                                                                           JSON_C_TO_STRING_PLAIN)
                                : "");
        }
        (void)gethostname(host, sizeof(host) - 1);
        pairs_put(&attributes, "name", host);
        pairs_put(&attributes, "live-restore", "true");
        pairs_put(&attributes, "default-runtime", values->default_runtime ?: "runc");
        engine_event_emit(engine, "daemon", "reload", "brig", &attributes);
        pairs_done(&attributes);
}

static bool same(const DaemonSettings *a, const DaemonSettings *b) {
        _cleanup_free_ char *one = json_text(&daemon_settings_table, a);
        _cleanup_free_ char *other = json_text(&daemon_settings_table, b);

        return str_equal(one, other);
}

void engine_reload(Engine *engine, const DaemonSettings *values) {
        Settings *before = atomic_load(&engine->settings), *fresh;

        if (!same(&before->values, values)) {
                fresh = settings_new(engine, values);
                fresh->older = before;
                atomic_store(&engine->settings, fresh);
                image_collect_soon(engine);
        }
        emit(engine, values);
}
