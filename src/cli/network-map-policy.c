/* network-map-policy.c: what network policies leave of the map's connections. */
#include "cli/cli.h"
#include "cli/network-map.h"

static size_t length_of(json_object *array) {
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

char *policy_ports_text(json_object *pair) {
        json_object *ports = json_member(pair, "Ports");
        const char *before = "";
        Buf out = {};

        if (json_truth(pair, "All"))
                return str_copy("all");
        if (json_truth(pair, "Apart"))
                return str_copy("apart");
        for (size_t i = 0; i < length_of(ports); i++) {
                json_object *range = json_object_array_get_idx(ports, i);
                const char *protocol = json_words(range, "Protocol");
                const int64_t first = json_number(range, "Port"),
                              last = json_number(range, "EndPort");

                if (str_equal(protocol, before))
                        buf_add_char(&out, ',');
                else
                        buf_format(&out, "%s%s/", *before ? " " : "", protocol);
                before = protocol;
                buf_format(&out, "%lld", (long long)first);
                if (last > first)
                        buf_format(&out, "-%lld", (long long)last);
        }
        return out.length ? buf_take(&out) : str_copy("-");
}

static int by_name(const void *name, const void *container) {
        return strcmp(name, ((const MapContainer *)container)->name);
}

static MapContainer *find_container(const NetworkMap *map, const char *name) {
        return map->container_count ? bsearch(name, map->containers, map->container_count,
                                              sizeof(*map->containers), by_name)
                                    : NULL;
}

static void read_names(json_object *array, char ***ret) {
        for (size_t i = 0; i < length_of(array); i++)
                strv_take(ret,
                          str_copy(json_object_get_string(json_object_array_get_idx(array, i))));
}

/* Between containers of which a policy selects one side; the others' need no telling. */
static void read_pair(json_object *pair, NetworkMap *map) {
        const MapContainer *from = find_container(map, json_words(pair, "From"));
        const MapContainer *to = find_container(map, json_words(pair, "To"));

        if (!from || !to || from == to || !(from->egress || to->ingress) ||
            (!json_truth(pair, "All") && length_of(json_member(pair, "Ports")) == 0))
                return;
        GROW(map->arrows, map->arrow_count);
        map->arrows[map->arrow_count++] = (MapArrow){ .from = (size_t)(from - map->containers),
                                                      .to = (size_t)(to - map->containers),
                                                      .ports = policy_ports_text(pair) };
}

void network_map_read_policies(json_object *table, NetworkMap *map) {
        json_object *containers = json_member(table, "Containers");
        json_object *pairs = json_member(table, "Pairs");

        for (size_t i = 0; i < length_of(containers); i++) {
                json_object *object = json_object_array_get_idx(containers, i);
                MapContainer *container = find_container(map, json_words(object, "Name"));

                if (!container)
                        continue;
                read_names(json_member(object, "Ingress"), &container->ingress);
                read_names(json_member(object, "Egress"), &container->egress);
        }
        for (size_t i = 0; i < length_of(pairs); i++)
                read_pair(json_object_array_get_idx(pairs, i), map);
}
