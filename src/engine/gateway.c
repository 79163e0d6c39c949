/* gateway.c: which of a container's networks carries its default routes, one a family, and its
 * published ports, also when it is connected and disconnected while it runs. Joining itself is
 * endpoints.c's. */
#include <arpa/inet.h>

#include "base/log.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/networks.h"

/* What is known of one that could carry it. */
typedef struct Candidate {
        int64_t priority;
        bool both; /* families */
        const char *name;
} Candidate;

static bool is_better(const Candidate *a, const Candidate *b) {
        if (a->priority != b->priority)
                return a->priority > b->priority;
        if (a->both != b->both)
                return a->both;
        return strcmp(a->name, b->name) < 0;
}

/* False: its network does not lead out. */
static bool is_candidate(const Container *container, const ContainerEndpoint *place, int family,
                         Candidate *ret) {
        _cleanup_network_ NetworkObject *network = NULL;
        const char *ref = place->network_id ? place->network_id : place->network_name;

        if (network_lookup(container->engine, ref, &network, NULL) < 0 ||
            !network_leads_out(&network->config, family))
                return false;
        *ret = (Candidate){ .priority = place->settings.gw_priority,
                            .both = network_leads_out(&network->config, AF_INET) &&
                                    network_leads_out(&network->config, AF_INET6),
                            .name = place->network_name };
        return true;
}

const ContainerEndpoint *gateway_elect(const Container *container, int family) {
        const ContainerEndpoint *endpoints = container->endpoints.items, *elected = NULL;
        Candidate best = { 0 }, candidate;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                if (!is_candidate(container, &endpoints[i], family, &candidate) ||
                    (elected && !is_better(&candidate, &best)))
                        continue;
                elected = &endpoints[i];
                best = candidate;
        }
        return elected;
}

/* ---- while it runs ---- */

static int change(Container *container, ContainerEndpoint *place, bool ipv4, bool ipv6,
                  Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;
        Endpoint *endpoint = &place->endpoint;

        int r = network_lookup(container->engine, place->network_id, &network, err);
        if (r < 0)
                return r;
        endpoint->default_gateway = ipv4;
        endpoint->default_gateway6 = ipv6;
        r = endpoint_fill_ports(container, endpoint, err);
        if (r == 0)
                r = endpoint_update(container->engine->net, &network->config, endpoint,
                                    container->netns_fd, err);
        if (r < 0)
                endpoint_clear_ports(endpoint);
        return r;
}

/* Takes from each endpoint what another is to carry, or (gain) gives each what it is to carry. */
static int move(Container *container, bool gain, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        const ContainerEndpoint *ipv4 = gateway_elect(container, AF_INET);
        const ContainerEndpoint *ipv6 = gateway_elect(container, AF_INET6);

        for (size_t i = 0; i < container->endpoints.count; i++) {
                ContainerEndpoint *place = &endpoints[i];
                const Endpoint *has = &place->endpoint;
                bool keeps4 = place == ipv4 && (gain || has->default_gateway);
                bool keeps6 = place == ipv6 && (gain || has->default_gateway6);

                if (!place->joined ||
                    (keeps4 == has->default_gateway && keeps6 == has->default_gateway6))
                        continue;
                int r = change(container, place, keeps4, keeps6, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gateway_yield(Container *container, Error *err) {
        return move(container, false, err);
}

/* Ports are one endpoint's at a time: they are given up first. */
int gateway_update(Container *container, Error *err) {
        int r = move(container, false, err);
        return r < 0 ? r : move(container, true, err);
}
