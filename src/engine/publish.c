/* publish.c: the ports that a container publishes and their change. They are those of its creation
 * until they are changed, and then a set that is replaced as a whole, so that who reads them needs
 * no lock. Sockets and elements are net's. */
#include <arpa/inet.h>
#include <errno.h>

#include "base/ip.h"
#include "engine/endpoints.h"
#include "engine/publish.h"
#include "net/ports.h"

/* ---- the set ---- */

PublishSet *publish_set_ref(PublishSet *set) {
        if (set)
                (void)atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
        return set;
}

PublishSet *publish_set_unref(PublishSet *set) {
        if (set && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1) {
                port_bindings_done(&set->bindings);
                free(set);
        }
        return NULL;
}

static PublishSet *publish_set_new(void) {
        PublishSet *set = NEW(PublishSet);

        atomic_init(&set->references, 1);
        return set;
}

const JsonArray *container_bindings(const Container *container) {
        return container->published ? &container->published->bindings
                                    : &container->spec.host.port_bindings;
}

/* ---- the record ---- */

void container_publish_write(const Container *container, json_object *state) {
        if (container->published)
                json_object_object_add(state, "published",
                                       port_bindings_write(&container->published->bindings));
}

int container_publish_read(Container *container, json_object *state, Error *err) {
        json_object *document = json_member(state, "published");
        PublishSet *set = document ? publish_set_new() : NULL;
        int r = set ? port_bindings_read("published", document, &set->bindings, err) : 0;

        if (r < 0)
                publish_set_unref(set);
        else
                container->published = set;
        return r;
}

/* ---- ports ---- */

/* "80/tcp"; the protocol may be missing. */
int container_port_parse(const char *text, int *ret_port, char **ret_protocol, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, '/');

        const size_t count = strv_length(parts);

        if (count < 1 || count > 2 || str_to_int_in(parts[0], 1, 65535, ret_port) < 0)
                return error_kind(err, ERROR_INVALID, "invalid port specification: \"%s\"",
                                  count == 2 ? parts[0] : text);
        *ret_protocol = str_lower(str_copy(str_empty(parts[1]) ? "tcp" : parts[1]));
        return 0;
}

static int host_port_parse(const char *text, NetPort *port, Error *err) {
        _cleanup_strv_ char **ends = NULL;
        int first, last;

        if (str_empty(text))
                return 0;
        ends = str_split(text, '-');
        size_t count = strv_length(ends);
        if (count < 1 || count > 2 || str_to_int_in(ends[0], 0, 65535, &first) < 0 ||
            (count == 2 && str_to_int_in(ends[1], first, 65535, &last) < 0))
                return error_kind(err, ERROR_INVALID, "invalid port specification: \"%s\"", text);
        port->host_port = first;
        port->host_port_end = count == 2 ? last : 0;
        return 0;
}

int container_port_add(JsonArray *ports, const char *spec, const PortBinding *binding, Error *err) {
        _cleanup_free_ char *protocol = NULL;
        int number;

        int r = container_port_parse(spec, &number, &protocol, err);
        if (r < 0)
                return r;
        NetPort *port = json_append(ports, &net_port_table);
        port->container_port = number;
        port->protocol = TAKE_PTR(protocol);
        if (!binding)
                return 0;
        port->host_ip = str_copy(binding->host_ip);
        return host_port_parse(binding->host_port, port, err);
}

/* A port of an address of the host goes where packets of its family do; if those go nowhere, net
 * says what is wrong with it. */
bool container_port_is_for(const Container *container, const Endpoint *endpoint,
                           const PortBinding *binding) {
        bool ipv6 = binding->host_ip && strchr(binding->host_ip, ':');

        if (str_empty(binding->host_ip) ||
            (ipv6 ? endpoint->default_gateway6 : endpoint->default_gateway))
                return true;
        return !gateway_elect(container, ipv6 ? AF_INET6 : AF_INET);
}

/* ---- whether they could ever be published ---- */

char *port_spec_of(const char *text, Error *err) {
        _cleanup_free_ char *protocol = NULL;
        int port;

        if (container_port_parse(text, &port, &protocol, err) < 0)
                return NULL;
        if (port_protocol(protocol) == 0) {
                (void)error_kind(err, ERROR_INVALID, "invalid proto: %s", protocol);
                return NULL;
        }
        return str_format("%d/%s", port, protocol);
}

int port_binding_check(const char *spec, const PortBinding *binding, Error *err) {
        JsonArray parsed = { 0 };
        IpAddress address;
        int r = container_port_add(&parsed, spec, binding, err);

        net_ports_done(&parsed);
        if (r == 0 && !str_empty(binding->host_ip) && ip_parse(binding->host_ip, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid IP address: %s", binding->host_ip);
        return r;
}

int port_bindings_check(const JsonArray *all, Error *err) {
        const PortBindings *ports = all->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < all->count; i++) {
                const PortBinding *bindings = ports[i].bindings.items;
                _cleanup_free_ char *spec = port_spec_of(ports[i].port, err);

                if (!spec)
                        return -EINVAL;
                for (size_t j = 0; r == 0 && j < ports[i].bindings.count; j++)
                        r = port_binding_check(spec, &bindings[j], err);
        }
        return r;
}

/* ---- what is to be published ---- */

static bool is_bound(const JsonArray *all, const char *spec) {
        const PortBindings *ports = all->items;

        for (size_t i = 0; i < all->count; i++)
                if (str_equal(ports[i].port, spec) && ports[i].bindings.count > 0)
                        return true;
        return false;
}

static void want(WantedList *list, const char *spec, const PortBinding *binding) {
        GROW(list->items, list->count);
        list->items[list->count++] = (Wanted){ spec, binding, false };
}

WantedList wanted_of(const Container *container, const JsonArray *all) {
        const PortBindings *ports = all->items;
        WantedList list = { 0 };

        for (size_t i = 0; i < all->count; i++) {
                const PortBinding *bindings = ports[i].bindings.items;

                for (size_t j = 0; j < ports[i].bindings.count; j++)
                        want(&list, ports[i].port, &bindings[j]);
        }
        if (!container->spec.host.publish_all_ports)
                return list;
        for (char **port = container->spec.config.exposed_ports; port && *port; port++)
                if (!is_bound(all, *port))
                        want(&list, *port, NULL);
        return list;
}

void endpoint_clear_ports(Endpoint *endpoint) {
        net_ports_done(&endpoint->ports);
}

int endpoint_fill_ports(const Container *container, Endpoint *endpoint, Error *err) {
        WantedList list;
        int r = 0;

        endpoint_clear_ports(endpoint);
        if (!endpoint->default_gateway && !endpoint->default_gateway6)
                return 0;
        list = wanted_of(container, container_bindings(container));
        for (size_t i = 0; r == 0 && i < list.count; i++)
                if (!list.items[i].binding ||
                    container_port_is_for(container, endpoint, list.items[i].binding))
                        r = container_port_add(&endpoint->ports, list.items[i].spec,
                                               list.items[i].binding, err);
        free(list.items);
        return r;
}
