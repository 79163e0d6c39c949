/* network-map-read.c: the map's model from two answers of the API. */
#include "cli/cli.h"
#include "cli/network-map.h"

static char *words(json_object *object, const char *name) {
        return str_copy(json_words(object, name));
}

static size_t length_of(json_object *array) {
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* ---- containers ---- */

static char *port_text(json_object *port) {
        const char *ip = json_words(port, "IP"), *type = json_words(port, "Type");
        const char *format = strchr(ip, ':') ? "[%s]:%lld → %lld/%s" : "%s:%lld → %lld/%s";

        return str_format(format, ip, (long long)json_number(port, "PublicPort"),
                          (long long)json_number(port, "PrivatePort"), type);
}

static void read_container(json_object *object, MapContainer *ret) {
        json_object *names = json_member(object, "Names"), *ports = json_member(object, "Ports");
        const char *name = length_of(names) > 0
                                   ? json_object_get_string(json_object_array_get_idx(names, 0))
                                   : NULL;

        *ret = (MapContainer){ .id = words(object, "Id"),
                               .name = str_copy(str_after(name, "/") ?: name ?: ""),
                               .image = words(object, "Image") };
        for (size_t i = 0; i < length_of(ports); i++) {
                json_object *port = json_object_array_get_idx(ports, i);

                if (json_number(port, "PublicPort") > 0)
                        strv_take(&ret->ports, port_text(port));
        }
}

static int by_container_name(const void *a, const void *b) {
        return strcmp(((const MapContainer *)a)->name, ((const MapContainer *)b)->name);
}

/* ---- networks ---- */

static const char *link_of(json_object *network) {
        static const char *const options[] = { "com.docker.network.bridge.name", "parent" };
        json_object *given = json_member(network, "Options");

        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (*json_words(given, options[i]))
                        return json_words(given, options[i]);
        return "";
}

static void read_network(json_object *object, MapNetwork *ret) {
        json_object *pools = json_member(json_member(object, "IPAM"), "Config");

        *ret = (MapNetwork){ .id = words(object, "Id"),
                             .name = words(object, "Name"),
                             .driver = words(object, "Driver"),
                             .link = str_copy(link_of(object)),
                             .internal = json_truth(object, "Internal") };
        for (size_t i = 0; i < length_of(pools); i++) {
                json_object *pool = json_object_array_get_idx(pools, i);
                const char *gateway = json_words(pool, "Gateway");

                strv_format(&ret->subnets, *gateway ? "%s via %s" : "%s",
                            json_words(pool, "Subnet"), gateway);
        }
}

static int by_network_name(const void *a, const void *b) {
        return strcmp(((const MapNetwork *)a)->name, ((const MapNetwork *)b)->name);
}

/* ---- both ---- */

/* A container that joins another one's network has no place of its own. */
static void read_places(json_object *container, size_t index, NetworkMap *map) {
        json_object *places = json_member(json_member(container, "NetworkSettings"), "Networks");

        for (size_t i = 0; i < map->network_count; i++) {
                MapNetwork *network = &map->networks[i];
                json_object *place = json_member(places, network->name);

                if (!place)
                        continue;
                GROW(network->places, network->place_count);
                network->places[network->place_count++] =
                        (MapPlace){ .container = index,
                                    .ipv4 = words(place, "IPAddress"),
                                    .ipv6 = words(place, "GlobalIPv6Address") };
        }
}

static json_object *find_container(json_object *containers, const char *id) {
        for (size_t i = 0; i < length_of(containers); i++) {
                json_object *object = json_object_array_get_idx(containers, i);

                if (str_equal(json_words(object, "Id"), id))
                        return object;
        }
        return NULL;
}

static bool is_joined(json_object *container, const NetworkMap *map) {
        json_object *places = json_member(json_member(container, "NetworkSettings"), "Networks");

        for (size_t i = 0; i < map->network_count; i++)
                if (json_member(places, map->networks[i].name))
                        return true;
        return false;
}

void network_map_read(json_object *networks, json_object *containers, bool joined_only,
                      NetworkMap *ret) {
        *ret = (NetworkMap){ .networks = NEW_ARRAY(MapNetwork, length_of(networks) + 1),
                             .containers = NEW_ARRAY(MapContainer, length_of(containers) + 1),
                             .network_count = length_of(networks) };
        for (size_t i = 0; i < ret->network_count; i++)
                read_network(json_object_array_get_idx(networks, i), &ret->networks[i]);
        for (size_t i = 0; i < length_of(containers); i++) {
                json_object *container = json_object_array_get_idx(containers, i);

                if (!joined_only || is_joined(container, ret))
                        read_container(container, &ret->containers[ret->container_count++]);
        }
        qsort(ret->networks, ret->network_count, sizeof(*ret->networks), by_network_name);
        qsort(ret->containers, ret->container_count, sizeof(*ret->containers), by_container_name);
        for (size_t i = 0; i < ret->container_count; i++)
                read_places(find_container(containers, ret->containers[i].id), i, ret);
}

void network_map_done(NetworkMap *map) {
        for (size_t i = 0; i < map->network_count; i++) {
                MapNetwork *network = &map->networks[i];

                for (size_t n = 0; n < network->place_count; n++) {
                        free(network->places[n].ipv4);
                        free(network->places[n].ipv6);
                }
                free(network->places);
                strv_free(network->subnets);
                free(network->id);
                free(network->name);
                free(network->driver);
                free(network->link);
        }
        for (size_t i = 0; i < map->container_count; i++) {
                MapContainer *container = &map->containers[i];

                strv_free(container->ports);
                strv_free(container->ingress);
                strv_free(container->egress);
                free(container->id);
                free(container->name);
                free(container->image);
        }
        for (size_t i = 0; i < map->arrow_count; i++)
                free(map->arrows[i].ports);
        free(map->arrows);
        free(map->networks);
        free(map->containers);
        *map = (NetworkMap){};
}
