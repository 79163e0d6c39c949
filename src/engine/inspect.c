/* inspect.c: the whole document of a container, with the members and in the order of Docker's. */
#include "engine/apparmor.h"
#include "engine/container-health.h"
#include "engine/container-limits.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/links.h"
#include "engine/logconfig.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "os/apparmor.h"

static void put_state(json_object *object, Container *container,
                      const ContainerSnapshot *snapshot) {
        json_object *document = json_object_new_object();
        json_object *health = container_health_document(container, snapshot);
        const ContainerState *state = &snapshot->state;
        int64_t status = state->status;

        json_put_text(document, "Status", status_name(state));
        json_put_bool(document, "Running",
                      status == CONTAINER_RUNNING || status == CONTAINER_PAUSED ||
                              status == CONTAINER_RESTARTING);
        json_put_bool(document, "Paused", status == CONTAINER_PAUSED);
        json_put_bool(document, "Restarting", status == CONTAINER_RESTARTING);
        json_put_bool(document, "OOMKilled", state->oom_killed);
        json_put_bool(document, "Dead", status == CONTAINER_DEAD);
        json_put_int(document, "Pid", state->pid);
        json_put_int(document, "ExitCode", state->exit_code);
        json_put_text(document, "Error", state->error);
        json_put_time(document, "StartedAt", state->started_at);
        json_put_time(document, "FinishedAt", state->finished_at);
        if (health)
                json_put(document, "Health", health);
        json_put(object, "State", document);
}

static void put_args(json_object *object, char *const *args) {
        json_object *array = json_object_new_array();

        for (; args && *args; args++)
                (void)json_object_array_add(array, json_object_new_string(*args));
        json_put(object, "Args", array);
}

static void put_path(json_object *object, const char *name, const Container *container,
                     const char *file) {
        _cleanup_free_ char *path = str_format(
                "%s/containers/%s/%s", container->engine->options.data_root, container->id, file);

        json_put_text(object, name, path);
}

static void put_log_path(json_object *object, const Container *container) {
        _cleanup_free_ char *file = container_log_path(container);

        if (str_equal(container_log_driver(container), "json-file"))
                put_path(object, "LogPath", container, file);
        else
                json_put_text(object, "LogPath", "");
}

static void put_driver(json_object *object, const Container *container) {
        json_object *driver = json_object_new_object(), *data = json_object_new_object();
        Buf lowers = { 0 };

        for (char **lower = container->lowers; lower && *lower; lower++)
                buf_format(&lowers, "%s%s/%s", lowers.length ? ":" : "",
                           container->engine->options.data_root, *lower);
        _cleanup_free_ char *text = buf_take(&lowers);
        json_put_text(data, "LowerDir", text);
        put_path(data, "UpperDir", container, "upper");
        put_path(data, "WorkDir", container, "work");
        json_put(driver, "Data", data);
        json_put_text(driver, "Name", "overlay2");
        json_put(object, "GraphDriver", driver);
}

static void put_sizes(json_object *object, const Container *container) {
        int64_t own = container_size_rw(container);
        Image image = { 0 };

        json_put_int(object, "SizeRw", own);
        if (image_find(container->engine->images, container->image_id, &image, NULL) == 0)
                own += image.size;
        image_done(&image);
        json_put_int(object, "SizeRootFs", own);
}

/* The default bridge's endpoint stands at the top, too, as it did before there were networks. */
static void put_default_endpoint(json_object *settings, const ContainerSnapshot *snapshot) {
        const ContainerEndpoint *endpoints = snapshot->endpoints.items, *found = NULL;
        int64_t prefix;

        for (size_t i = 0; i < snapshot->endpoints.count; i++)
                if (str_equal(endpoints[i].network_name, "bridge") && endpoints[i].joined)
                        found = &endpoints[i];
        _cleanup_free_ char *address =
                address_split(found ? found->endpoint.address : NULL, &prefix);
        json_put_text(settings, "EndpointID", found ? found->endpoint_id : "");
        json_put_text(settings, "Gateway", found ? found->endpoint.gateway : "");
        json_put_text(settings, "IPAddress", address);
        json_put_int(settings, "IPPrefixLen", prefix);
        put_ipv6(settings, found ? &found->endpoint : NULL);
        json_put_text(settings, "MacAddress", found ? found->endpoint.mac : "");
}

static void put_network_settings(json_object *object, const Container *container,
                                 const ContainerSnapshot *snapshot) {
        json_object *settings = json_object_new_object();
        JsonArray ports = { 0 };
        _cleanup_free_ char *key = snapshot->state.pid ? str_format("/proc/%lld/ns/net",
                                                                    (long long)snapshot->state.pid)
                                                       : NULL;

        json_put_text(settings, "Bridge", "");
        json_put_text(settings, "SandboxID", snapshot->state.pid ? container->id : "");
        json_put_bool(settings, "HairpinMode", false);
        json_put_text(settings, "LinkLocalIPv6Address", "");
        json_put_int(settings, "LinkLocalIPv6PrefixLen", 0);
        ports_of(container, snapshot, &ports);
        json_put(settings, "Ports", port_bindings_write(&ports));
        port_bindings_done(&ports);
        json_put_text(settings, "SandboxKey", key);
        json_put(settings, "SecondaryIPAddresses", NULL);
        json_put(settings, "SecondaryIPv6Addresses", NULL);
        put_default_endpoint(settings, snapshot);
        json_put(settings, "Networks", networks_document(container, snapshot));
        json_put(object, "NetworkSettings", settings);
}

/* Of one that runs what the kernel says, as the daemon may have learned of AppArmor since it was
 * started; of another what it would get. "" where there is no AppArmor, as dockerd has it. */
static void put_profile(json_object *object, const Container *container,
                        const ContainerSnapshot *snapshot) {
        const Engine *engine = container->engine;
        const HostConfig *host = &container->spec.host;
        _cleanup_free_ char *now = NULL;
        SecurityOptions security;
        const char *profile = NULL;

        if (apparmor_enabled() && snapshot->state.pid)
                (void)apparmor_of((pid_t)snapshot->state.pid, &now, NULL); /* it may have ended */
        if (!now && apparmor_enabled() &&
            security_parse(&engine->options.defaults, host->security_opt, &security, NULL) == 0)
                profile = apparmor_profile(engine, host, &security);
        json_put_text(object, "AppArmorProfile", now ?: profile ?: "");
}

static void put_identity(json_object *object, Container *container,
                         const ContainerSnapshot *snapshot) {
        _cleanup_free_ char *name = str_format("/%s", snapshot->name);

        json_put_text(object, "Id", container->id);
        json_put_time(object, "Created", container->created);
        json_put_text(object, "Path", container->path);
        put_args(object, container->args);
        put_state(object, container, snapshot);
        json_put_text(object, "Image", container->image_id);
        put_path(object, "ResolvConfPath", container, "resolv.conf");
        put_path(object, "HostnamePath", container, "hostname");
        put_path(object, "HostsPath", container, "hosts");
        put_log_path(object, container);
        json_put_text(object, "Name", name);
        json_put_int(object, "RestartCount", snapshot->state.restart_count);
        json_put_text(object, "Driver", "overlay2");
        json_put_text(object, "Platform", container->platform);
        json_put_text(object, "MountLabel", "");
        json_put_text(object, "ProcessLabel", "");
        put_profile(object, container, snapshot);
}

static void put_config(json_object *object, const Container *container,
                       const ContainerSnapshot *snapshot) {
        ContainerConfig config = container->spec.config; /* lent */

        config.labels = *snapshot_labels(container, snapshot);
        json_put(object, "Config", container_config_write(&config));
}

int engine_container_inspect(Engine *engine, const char *ref, bool size, Buf *json, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        json_object *object = json_object_new_object();
        put_identity(object, container, snapshot);
        json_put(object, "ExecIDs", exec_ids(container));
        const HostConfig now = snapshot_host(container, snapshot);
        json_object *host = host_config_write(&now);
        (void)json_object_object_add(host, "Links", links_document(container)); /* or null */
        json_put(object, "HostConfig", host);
        put_driver(object, container);
        if (size)
                put_sizes(object, container);
        json_put(object, "Mounts", mounts_document(container, snapshot));
        put_config(object, container, snapshot);
        put_network_settings(object, container, snapshot);
        json_add_object(json, object);
        return 0;
}
