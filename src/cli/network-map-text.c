/* network-map-text.c: the map as a tree of text, and as JSON. */
#include "cli/cells.h"
#include "cli/cli.h"
#include "cli/network-map.h"

/* ---- text ---- */

static void add_joined(Buf *out, const char *separator, const char *text) {
        if (str_empty(text))
                return;
        buf_add_str(out, separator);
        cells_add(out, text);
}

static void add_list(Buf *out, char *const *list) {
        for (size_t i = 0; list && list[i]; i++)
                add_joined(out, i ? ", " : "  ", list[i]);
}

/* The other networks of a container, as it joins them. */
static void add_others(const NetworkMap *map, const MapNetwork *here, size_t container, Buf *out) {
        const char *separator = "  also on ";

        for (size_t i = 0; i < map->network_count; i++) {
                const MapNetwork *network = &map->networks[i];

                for (size_t n = 0; network != here && n < network->place_count; n++) {
                        if (network->places[n].container != container)
                                continue;
                        add_joined(out, separator, network->name);
                        separator = ", ";
                }
        }
}

static size_t widest_name(const NetworkMap *map, const MapNetwork *network) {
        size_t widest = 0;

        for (size_t i = 0; i < network->place_count; i++)
                widest = MAX(widest,
                             cells_width(map->containers[network->places[i].container].name));
        return widest;
}

static void add_place(const NetworkMap *map, const MapNetwork *network, size_t number, size_t width,
                      Buf *out) {
        const MapPlace *place = &network->places[number];
        const MapContainer *container = &map->containers[place->container];
        size_t used = cells_width(container->name);

        buf_add_str(out, number + 1 < network->place_count ? "├─ " : "└─ ");
        cells_add(out, container->name);
        buf_format(out, "%*s", (int)(width - used), "");
        add_joined(out, "  ", place->ipv4);
        add_joined(out, "  ", place->ipv6);
        add_list(out, container->ports);
        add_others(map, network, place->container, out);
        buf_add_char(out, '\n');
}

/* ---- text: policies ---- */

static bool is_selected(const MapContainer *container) {
        return container->ingress || container->egress;
}

static void add_direction(Buf *out, const char *name, char *const *policies) {
        _cleanup_free_ char *list = policies ? strv_join(policies, ", ") : NULL;

        if (!list)
                return;
        buf_format(out, "  %s by ", name);
        cells_add(out, list);
}

static void add_selected(const NetworkMap *map, Buf *out) {
        size_t width = 0, left = 0;

        for (size_t i = 0; i < map->container_count; i++) {
                if (!is_selected(&map->containers[i]))
                        continue;
                width = MAX(width, cells_width(map->containers[i].name));
                left++;
        }
        if (left > 0)
                buf_add_str(out, "\nSelected by policies\n");
        for (size_t i = 0; i < map->container_count; i++) {
                const MapContainer *container = &map->containers[i];

                if (!is_selected(container))
                        continue;
                buf_add_str(out, --left > 0 ? "├─ " : "└─ ");
                cells_add(out, container->name);
                buf_format(out, "%*s", (int)(width - cells_width(container->name)), "");
                add_direction(out, "ingress", container->ingress);
                add_direction(out, "egress", container->egress);
                buf_add_char(out, '\n');
        }
}

static void add_arrows(const NetworkMap *map, Buf *out) {
        if (map->arrow_count > 0)
                buf_add_str(out, "\nWhat they leave between containers\n");
        for (size_t i = 0; i < map->arrow_count; i++) {
                const MapArrow *arrow = &map->arrows[i];

                buf_add_str(out, i + 1 < map->arrow_count ? "├─ " : "└─ ");
                cells_add(out, map->containers[arrow->from].name);
                buf_add_str(out, " → ");
                cells_add(out, map->containers[arrow->to].name);
                add_joined(out, "  ", arrow->ports);
                buf_add_char(out, '\n');
        }
}

void network_map_text(const NetworkMap *map, Buf *out) {
        for (size_t i = 0; i < map->network_count; i++) {
                const MapNetwork *network = &map->networks[i];
                size_t width = widest_name(map, network);

                if (i > 0)
                        buf_add_char(out, '\n');
                cells_add(out, network->name);
                buf_format(out, "  (%s", network->driver);
                add_joined(out, " ", network->link);
                buf_add_str(out, network->internal ? ", internal)" : ")");
                add_list(out, network->subnets);
                buf_add_char(out, '\n');
                for (size_t n = 0; n < network->place_count; n++)
                        add_place(map, network, n, width, out);
        }
        add_selected(map, out);
        add_arrows(map, out);
}

/* ---- JSON ---- */

static json_object *strings(char *const *list) {
        json_object *array = json_object_new_array();

        for (; list && *list; list++)
                (void)json_object_array_add(array, json_object_new_string(*list));
        return array;
}

static void put(json_object *object, const char *name, const char *text) {
        (void)json_object_object_add(object, name, json_object_new_string(text));
}

/* Which policies select the container for a direction, and with whom that leaves it; null where it
 * is open. */
static json_object *direction_json(const NetworkMap *map, size_t container, bool ingress) {
        char *const *policies =
                ingress ? map->containers[container].ingress : map->containers[container].egress;
        json_object *object, *peers;

        if (!policies)
                return NULL;
        object = json_object_new_object();
        peers = json_object_new_array();
        (void)json_object_object_add(object, "Policies", strings(policies));
        for (size_t i = 0; i < map->arrow_count; i++) {
                const MapArrow *arrow = &map->arrows[i];
                json_object *peer;

                if ((ingress ? arrow->to : arrow->from) != container)
                        continue;
                peer = json_object_new_object();
                put(peer, "Name", map->containers[ingress ? arrow->from : arrow->to].name);
                put(peer, "Ports", arrow->ports);
                (void)json_object_array_add(peers, peer);
        }
        (void)json_object_object_add(object, "Containers", peers);
        return object;
}

static json_object *place_json(const NetworkMap *map, const MapPlace *place) {
        const MapContainer *container = &map->containers[place->container];
        json_object *object = json_object_new_object();

        put(object, "Id", container->id);
        put(object, "Name", container->name);
        put(object, "Image", container->image);
        put(object, "IPv4", place->ipv4);
        put(object, "IPv6", place->ipv6);
        (void)json_object_object_add(object, "Ports", strings(container->ports));
        (void)json_object_object_add(object, "Ingress",
                                     direction_json(map, place->container, true));
        (void)json_object_object_add(object, "Egress",
                                     direction_json(map, place->container, false));
        return object;
}

void network_map_json(const NetworkMap *map, Buf *out) {
        _cleanup_json_ json_object *array = json_object_new_array();

        for (size_t i = 0; i < map->network_count; i++) {
                const MapNetwork *network = &map->networks[i];
                json_object *object = json_object_new_object(), *places = json_object_new_array();

                put(object, "Id", network->id);
                put(object, "Name", network->name);
                put(object, "Driver", network->driver);
                put(object, "Link", network->link);
                (void)json_object_object_add(object, "Internal",
                                             json_object_new_boolean(network->internal));
                (void)json_object_object_add(object, "Subnets", strings(network->subnets));
                for (size_t n = 0; n < network->place_count; n++)
                        (void)json_object_array_add(places, place_json(map, &network->places[n]));
                (void)json_object_object_add(object, "Containers", places);
                (void)json_object_array_add(array, object);
        }
        buf_add_str(out, json_object_to_json_string_ext(
                                 array, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                JSON_C_TO_STRING_NOSLASHESCAPE));
        buf_add_char(out, '\n');
}
