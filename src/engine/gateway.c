/* gateway.c: which of a container's networks carries its default route and its published ports,
 * also when it is connected and disconnected while it runs. Joining itself is endpoints.c's. */
#include "base/log.h"
#include "engine/internal.h"

/* The network that carries the default route and the ports: one that is not internal before one
 * that is, then by name. */
size_t gateway_elect(const Container *container) {
        const ContainerEndpoint *endpoints = container->endpoints.items;
        size_t best = 0;
        bool best_internal = true;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                _cleanup_network_ NetworkObject *network = NULL;
                const char *ref = endpoints[i].network_id ? endpoints[i].network_id
                                                          : endpoints[i].network_name;
                if (network_lookup(container->engine, ref, &network, NULL) < 0)
                        continue;
                bool internal = network->config.internal;
                if (i == 0 || (best_internal && !internal) ||
                    (best_internal == internal &&
                     strcmp(endpoints[i].network_name, endpoints[best].network_name) < 0)) {
                        best = i;
                        best_internal = internal;
                }
        }
        return best;
}

/* Whether this network leads out of the host. */
static bool leads_out(const Container *container, const ContainerEndpoint *place) {
        _cleanup_network_ NetworkObject *network = NULL;

        return network_lookup(container->engine, place->network_id, &network, NULL) == 0 &&
               str_equal(network->config.driver, "bridge") && !network->config.internal;
}

bool gateway_claim(Container *container, const ContainerEndpoint *place) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++)
                if (&endpoints[i] != place && endpoints[i].endpoint.default_gateway &&
                    (leads_out(container, &endpoints[i]) || !leads_out(container, place)))
                        return false;
        /* An internal network carries neither route nor ports, so nothing is taken from it. */
        for (size_t i = 0; i < container->endpoints.count; i++)
                endpoints[i].endpoint.default_gateway = false;
        return true;
}

/* Ports are an endpoint's from its reservation on: one that is to have them joins anew, under its
 * old address. */
static int rejoin(Container *container, ContainerEndpoint *place, Error *err) {
        Endpoint before = { 0 };

        json_copy(&net_endpoint_table, &place->endpoint, &before);
        place->joined = false; /* it does not leave for those who watch events */
        endpoint_leave_one(container, place);
        int r = endpoint_reserve_one(container, place, true, &before, err);
        if (r == 0) {
                r = endpoint_join_one(container, place, container->netns_fd, err);
                if (r < 0)
                        endpoint_leave_one(container, place);
        }
        json_done(&net_endpoint_table, &before);
        return r;
}

static bool publishes(const Container *container) {
        return container->spec.host.port_bindings.count > 0 ||
               container->spec.host.publish_all_ports;
}

int gateway_restore(Container *container, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        _cleanup_network_ NetworkObject *network = NULL;

        for (size_t i = 0; i < container->endpoints.count; i++)
                if (endpoints[i].endpoint.default_gateway)
                        return 0;
        if (container->endpoints.count == 0)
                return 0;
        ContainerEndpoint *place = &endpoints[gateway_elect(container)];
        if (!leads_out(container, place))
                return 0;
        if (publishes(container))
                return rejoin(container, place, err);
        int r = network_lookup(container->engine, place->network_id, &network, err);
        if (r < 0)
                return r;
        return endpoint_route(container->engine->net, &network->config, &place->endpoint,
                              container->netns_fd, err);
}
