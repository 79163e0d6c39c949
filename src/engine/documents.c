/* documents.c: the parts that the documents of inspect and list share: networks, ports, mounts,
 * sizes. What never changes is read from the container, the rest from its snapshot. */
#include "engine/documents.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/mounts-change.h"
#include "engine/network-mode.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/size.h"

void json_put(json_object *object, const char *name, json_object *value) {
        (void)json_object_object_add(object, name, value);
}

void json_put_text(json_object *object, const char *name, const char *value) {
        json_put(object, name, json_object_new_string(value ?: ""));
}

void json_put_int(json_object *object, const char *name, int64_t value) {
        json_put(object, name, json_object_new_int64(value));
}

void json_put_bool(json_object *object, const char *name, bool value) {
        json_put(object, name, json_object_new_boolean(value));
}

void json_put_time(json_object *object, const char *name, int64_t when) {
        char text[CLOCK_TEXT_MAX];

        json_put_text(object, name, clock_format(when, text));
}

void json_add_object(Buf *json, json_object *object) {
        buf_add_str(json, json_object_to_json_string_ext(
                                  object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)json_object_put(object);
}

/* ---- networks ---- */

char *address_split(const char *text, int64_t *ret_prefix) {
        const char *slash = text ? strchr(text, '/') : NULL;

        *ret_prefix = 0;
        if (slash && str_to_int64(slash + 1, ret_prefix) < 0)
                *ret_prefix = 0;
        return slash ? str_copy_n(text, (size_t)(slash - text)) : str_copy(text ?: "");
}

static json_object *strings_or_null(char *const *list) {
        json_object *array = list && *list ? json_object_new_array() : NULL;

        for (; list && *list; list++)
                (void)json_object_array_add(array, json_object_new_string(*list));
        return array;
}

void put_ipv6(json_object *object, const Endpoint *endpoint) {
        int64_t prefix;
        _cleanup_free_ char *address = address_split(endpoint ? endpoint->address6 : NULL, &prefix);

        json_put_text(object, "IPv6Gateway", endpoint ? endpoint->gateway6 : NULL);
        json_put_text(object, "GlobalIPv6Address", address);
        json_put_int(object, "GlobalIPv6PrefixLen", prefix);
}

/* Those that its endpoint has, or will have: the short id is there once it was connected. */
static char *const *aliases_connected(const Container *container,
                                      const ContainerEndpoint *endpoint) {
        char *const *asked = endpoint->settings.aliases;
        _cleanup_free_ char *brief = str_copy_n(container->id, ID_SHORT);

        if (endpoint->endpoint.aliases)
                return endpoint->endpoint.aliases;
        return strv_has(asked, brief) ? asked : NULL;
}

/* What the resolver of a user's network answers to, of this container. */
static json_object *dns_names(const Container *container, const ContainerEndpoint *endpoint) {
        _cleanup_strv_ char **names = NULL;
        const Endpoint *joined = &endpoint->endpoint;
        char *const *alias = aliases_connected(container, endpoint);

        if (!str_empty(joined->container_name))
                strv_add(&names, joined->container_name);
        for (; alias && *alias; alias++)
                if (!strv_has(names, *alias))
                        strv_add(&names, *alias);
        if (!str_empty(joined->hostname) && !strv_has(names, joined->hostname))
                strv_add(&names, joined->hostname);
        return strings_or_null(names);
}

/* As asked for: the short id is one that the engine gives it, and stands among DNSNames. Null where
 * there is none. */
static json_object *aliases_of(const Container *container, char *const *aliases) {
        _cleanup_strv_ char **asked = NULL;

        for (; aliases && *aliases; aliases++)
                if (strlen(*aliases) != ID_SHORT || strncmp(*aliases, container->id, ID_SHORT) != 0)
                        strv_add(&asked, *aliases);
        return strings_or_null(asked);
}

static json_object *endpoint_document(const Container *container,
                                      const ContainerEndpoint *endpoint) {
        json_object *object = json_write(&endpoint_settings_table, &endpoint->settings);
        const Endpoint *joined = &endpoint->endpoint;
        int64_t prefix;
        _cleanup_free_ char *address = address_split(joined->address, &prefix);

        json_put(object, "Aliases",
                 aliases_of(container, joined->aliases ?: endpoint->settings.aliases));
        if (network_mode_is_user(endpoint->network_name))
                json_put(object, "DNSNames", dns_names(container, endpoint));
        json_put_text(object, "NetworkID", endpoint->network_id);
        json_put_text(object, "EndpointID", endpoint->endpoint_id);
        json_put_text(object, "Gateway", joined->gateway ? joined->gateway : "");
        json_put_text(object, "IPAddress", address);
        json_put_int(object, "IPPrefixLen", prefix);
        put_ipv6(object, joined);
        json_put_text(object, "MacAddress", joined->mac ? joined->mac : "");
        return object;
}

json_object *networks_document(const Container *container, const ContainerSnapshot *snapshot) {
        json_object *object = json_object_new_object();
        const ContainerEndpoint *endpoints = snapshot->endpoints.items;

        for (size_t i = 0; i < snapshot->endpoints.count; i++)
                json_put(object, endpoints[i].network_name,
                         endpoint_document(container, &endpoints[i]));
        return object;
}

/* ---- ports ---- */

/* What is collected by port; index: its place in ports, counted from 1. A container may have
 * thousands. */
typedef struct PortList {
        JsonArray *ports;
        Map index;
} PortList;

static PortBindings *ports_slot(PortList *list, const char *name) {
        const uintptr_t place = (uintptr_t)map_get(&list->index, name);
        PortBindings *slot;

        if (place > 0)
                return (PortBindings *)list->ports->items + place - 1;
        slot = json_append(list->ports, &port_bindings_table);
        slot->port = str_copy(name);
        (void)map_put(&list->index, name, (void *)(uintptr_t)list->ports->count);
        return slot;
}

static void add_published(const Endpoint *endpoint, PortList *list) {
        const NetPort *ports = endpoint->ports.items;

        for (size_t i = 0; i < endpoint->ports.count; i++) {
                _cleanup_free_ char *name = str_format(
                        "%lld/%s", (long long)ports[i].container_port, ports[i].protocol ?: "tcp");
                PortBindings *slot = ports_slot(list, name);

                if (ports[i].open)
                        continue; /* no port of the host's */
                PortBinding *binding = json_append(&slot->bindings, &port_binding_table);
                binding->host_ip =
                        str_copy(str_empty(ports[i].host_ip) ? "0.0.0.0" : ports[i].host_ip);
                binding->host_port = str_format("%lld", (long long)ports[i].host_port);
        }
}

void ports_of(const Container *container, const ContainerSnapshot *snapshot, JsonArray *ret) {
        const ContainerEndpoint *endpoints = snapshot->endpoints.items;
        PortList list = { .ports = ret };
        bool joined = false;

        for (size_t i = 0; i < snapshot->endpoints.count; i++) {
                if (!endpoints[i].endpoint.address && !endpoints[i].endpoint.address6)
                        continue;
                joined = true;
                add_published(&endpoints[i].endpoint, &list);
        }
        /* Exposed, not published. */
        for (char **port = container->spec.config.exposed_ports; joined && port && *port; port++)
                (void)ports_slot(&list, *port);
        map_done(&list.index, NULL);
}

/* ---- mounts ---- */

/* tmpfs: those of --tmpfs. */
static bool is_hidden(const Pairs *tmpfs, const MountPoint *point) {
        for (size_t i = 0; i < tmpfs->count; i++)
                if (str_equal(point->type, "tmpfs") &&
                    str_equal(tmpfs->items[i].key, point->destination))
                        return true;
        return false;
}

json_object *mounts_document(const Container *container, const ContainerSnapshot *snapshot) {
        json_object *array = json_object_new_array();
        const HostConfig host = snapshot_host(container, snapshot);
        const JsonArray *mounts = snapshot_mounts(container, snapshot);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                if (is_hidden(&host.tmpfs, &points[i]))
                        continue;
                json_object *object = json_object_new_object();
                json_put_text(object, "Type", points[i].type);
                if (points[i].name || points[i].image_name)
                        json_put_text(object, "Name", points[i].name ?: points[i].image_name);
                json_put_text(object, "Source", points[i].source);
                json_put_text(object, "Destination", points[i].destination);
                if (points[i].driver)
                        json_put_text(object, "Driver", points[i].driver);
                json_put_text(object, "Mode", points[i].mode);
                json_put_bool(object, "RW", points[i].rw);
                json_put_text(object, "Propagation", points[i].propagation);
                (void)json_object_array_add(array, object);
        }
        return array;
}

/* ---- size ---- */

int64_t container_size_rw(const Container *container) {
        _cleanup_free_ char *path = str_format("%s/upper", container->id);
        int fd;

        if (dir_open_at(container->engine->containers_fd, path, 0, &fd, NULL) < 0)
                return 0;
        return directory_size(fd);
}
