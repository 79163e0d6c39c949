/* endpoints.c: a container's places on networks, from what was asked at create to what is joined
 * while it runs. The networks themselves are networks.c's; links and addresses are net's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>

#include "base/failpoint.h"
#include "base/ip.h"
#include "base/log.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/links.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "engine/policies.h"
#include "engine/registry.h"

/* ---- the namespace ---- */

int container_network_owner(Container *container, Container **ret, Error *err) {
        const char *ref = str_after(container_network_mode(container), "container:");

        *ret = NULL;
        return ref ? container_lookup(container->engine, ref, ret, err) : 0;
}

/* ---- plan ---- */

static ContainerEndpoint *endpoint_find(const Container *container, const char *network) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++)
                if (str_equal(endpoints[i].network_name, network) ||
                    str_equal(endpoints[i].network_id, network))
                        return &endpoints[i];
        return NULL;
}

int endpoint_plan_one(Container *container, const char *network, const EndpointSettings *settings,
                      ContainerEndpoint **ret, Error *err) {
        if (endpoint_find(container, network))
                return error_kind(err, ERROR_FORBIDDEN,
                                  "endpoint with name %s already exists in network %s",
                                  container->name, network);
        ContainerEndpoint *endpoint = json_append(&container->endpoints, &container_endpoint_table);
        endpoint->network_name = str_copy(network);
        if (settings) {
                json_copy(&endpoint_settings_table, settings, &endpoint->settings);
                endpoint->ipv6_optional = settings->ipv6_optional;
        }
        if (ret)
                *ret = endpoint;
        return 0;
}

void endpoint_add_short_id(const Container *container, ContainerEndpoint *endpoint) {
        char short_id[ID_SHORT + 1];

        if (!network_mode_is_user(endpoint->network_name))
                return;
        (void)snprintf(short_id, sizeof(short_id), "%.*s", ID_SHORT, container->id);
        if (!strv_has(endpoint->settings.aliases, short_id))
                strv_add(&endpoint->settings.aliases, short_id);
}

static const EndpointSettings *settings_for(const Container *container, const char *mode) {
        const EndpointSettings *settings = container->spec.endpoints.items;

        for (size_t i = 0; i < container->spec.endpoints.count; i++)
                if (str_equal(settings[i].network, mode) ||
                    (str_equal(settings[i].network, "default") && str_equal(mode, "bridge")))
                        return &settings[i];
        return NULL;
}

/* container:x is kept by id, so that it survives a rename. */
static int plan_joined(Container *container, Error *err) {
        _cleanup_container_ Container *owner = NULL;

        int r = container_network_owner(container, &owner, err);
        if (r < 0)
                return r;
        free(container->spec.host.network_mode);
        container->spec.host.network_mode = str_format("container:%s", owner->id);
        return 0;
}

int endpoints_plan(Container *container, Error *err) {
        const char *mode = container_network_mode(container);
        const EndpointSettings *settings = container->spec.endpoints.items, *first;

        if (container->spec.config.network_disabled)
                return 0;
        if (str_after(mode, "container:"))
                return plan_joined(container, err);
        first = settings_for(container, mode);
        int r = endpoint_plan_one(container, mode, first, NULL, err);
        for (size_t i = 0; r == 0 && i < container->spec.endpoints.count; i++)
                if (&settings[i] != first)
                        r = endpoint_plan_one(container, settings[i].network, &settings[i], NULL,
                                              err);
        return r;
}

/* ---- reserve ---- */

static int settings_check(const NetworkObject *network, const EndpointSettings *settings,
                          Error *err) {
        bool address = settings->ipam && (!str_empty(settings->ipam->ipv4_address) ||
                                          !str_empty(settings->ipam->ipv6_address));

        if (!network->predefined)
                return 0;
        if (address)
                return error_kind(
                        err, ERROR_INVALID,
                        "user specified IP address is supported on user defined networks only");
        if (strv_length(settings->aliases) > 0)
                return error_kind(err, ERROR_INVALID,
                                  "network-scoped alias is supported only for containers in user "
                                  "defined networks");
        return 0;
}

/* The container's own MAC address is that of its first network. */
static const char *mac_wanted(const Container *container, const ContainerEndpoint *place) {
        const char *mode = container_network_mode(container);

        if (!str_empty(place->settings.mac_address))
                return place->settings.mac_address;
        return str_equal(place->network_name, mode) || str_equal(place->network_id, mode)
                       ? container->spec.config.mac_address
                       : NULL;
}

/* Whether the address is one that the network takes or refuses. What is no address is refused. */
static bool ipv6_counts(const ContainerEndpoint *place, const NetworkObject *network) {
        const char *wanted = place->settings.ipam ? place->settings.ipam->ipv6_address : NULL;
        IpAddress address;

        if (str_empty(wanted))
                return false;
        return !place->ipv6_optional || network->config.ipv6 || ip_parse(wanted, &address) < 0 ||
               address.family != AF_INET6;
}

static int endpoint_fill(Container *container, ContainerEndpoint *place,
                         const NetworkObject *network, Error *err) {
        Endpoint *endpoint = &place->endpoint;
        const EndpointSettings *settings = &place->settings;
        const char *mac = mac_wanted(container, place);

        json_done(&net_endpoint_table, endpoint);
        str_replace(&place->network_id, network->config.id);
        str_replace(&place->network_name, network->config.name);
        free(place->endpoint_id);
        place->endpoint_id = alloc_zero(1, ID_LENGTH + 1);
        id_new(place->endpoint_id);
        endpoint->network_id = str_copy(network->config.id);
        endpoint->container_id = str_copy(container->id);
        endpoint->container_name = str_copy(container->name);
        endpoint->hostname = str_copy(container->spec.config.hostname);
        endpoint_add_short_id(container, place);
        endpoint->aliases = strv_copy(settings->aliases);
        if (settings->ipam && !str_empty(settings->ipam->ipv4_address))
                endpoint->wanted_address = str_copy(settings->ipam->ipv4_address);
        if (ipv6_counts(place, network))
                endpoint->wanted_address6 = str_copy(settings->ipam->ipv6_address);
        if (settings->ipam)
                endpoint->link_local = strv_copy(settings->ipam->link_local_ips);
        if (!str_empty(mac))
                endpoint->wanted_mac = str_copy(mac);
        pairs_copy(&endpoint->options, &settings->driver_opts);
        for (char **link = settings->links; link && *link; link++) {
                int r = link_parse(*link, &endpoint->links, err);
                if (r < 0)
                        return r;
        }
        endpoint->default_gateway = gateway_elect(container, AF_INET) == place;
        endpoint->default_gateway6 = gateway_elect(container, AF_INET6) == place;
        endpoint->insists = place->insists;
        endpoint_lend_labels(container, endpoint);
        return endpoint_fill_ports(container, endpoint, err);
}

/* Docker's words around net's, where it is the port that could not be had. */
static int reserve_error(const Container *container, const ContainerEndpoint *place, int r,
                         Error *err) {
        bool port = err && (strstr(err->message, "failed to bind host port") ||
                            str_after(err->message, "Bind for") ||
                            str_after(err->message, "all ports from"));

        if (port)
                return error_prefix(
                        err, "driver failed programming external connectivity on endpoint %s (%s)",
                        container->name, place->endpoint_id);
        return r;
}

/* Its documents name its networks, and so do its endpoints. */
static int check_namesakes(const Container *container, const ContainerEndpoint *place,
                           const NetworkObject *network, Error *err) {
        const ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++)
                if (&endpoints[i] != place &&
                    str_equal(endpoints[i].network_name, network->config.name))
                        return error_kind(err, ERROR_FORBIDDEN,
                                          "container %s cannot be on two networks that have the "
                                          "name %s: leave one of them out",
                                          container->name, network->config.name);
        return 0;
}

int endpoint_reserve_one(Container *container, ContainerEndpoint *place, Error *err) {
        Engine *engine = container->engine;
        _cleanup_network_ NetworkObject *network = NULL;

        int r = network_acquire(engine, place->network_id ? place->network_id : place->network_name,
                                &network, err);
        if (r < 0)
                return r;
        r = check_namesakes(container, place, network, err);
        if (r == 0)
                r = settings_check(network, &place->settings, err);
        if (r == 0)
                r = endpoint_fill(container, place, network, err);
        if (r == 0 && network_has_endpoints(&network->config)) {
                r = endpoint_reserve(engine->net, &network->config, &place->endpoint, err);
                if (r < 0)
                        r = reserve_error(container, place, r, err);
        }
        if (r < 0) {
                json_done(&net_endpoint_table, &place->endpoint);
                network_release(engine, network->config.id);
        }
        return r;
}

int endpoints_reserve(Container *container, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                int r = endpoint_reserve_one(container, &endpoints[i], err);
                if (r < 0) {
                        endpoints_leave(container);
                        return r;
                }
        }
        return 0;
}

/* ---- join and leave ---- */

void endpoint_event(const Container *container, const ContainerEndpoint *place,
                    const char *action) {
        _cleanup_network_ NetworkObject *network = NULL;
        Pairs attributes = { 0 };

        if (network_lookup(container->engine, place->network_id, &network, NULL) < 0)
                return;

        pairs_put(&attributes, "container", container->id);
        pairs_put(&attributes, "name", network->config.name);
        pairs_put(&attributes, "type", network->config.driver);
        engine_event_emit(container->engine, "network", action, network->config.id, &attributes);
        pairs_done(&attributes);
}

int endpoint_join_one(Container *container, ContainerEndpoint *place, int netns_fd, Error *err) {
        Engine *engine = container->engine;
        _cleanup_network_ NetworkObject *network = NULL;

        int r = network_lookup(engine, place->network_id, &network, err);
        if (r < 0)
                return r;
        if (network_has_endpoints(&network->config))
                r = endpoint_join(engine->net, &network->config, &place->endpoint, netns_fd, err);
        if (r < 0)
                return reserve_error(container, place, r, err);
        place->joined = true;
        return 0;
}

bool container_on_resolver(const Container *container) {
        const ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                _cleanup_network_ NetworkObject *network = NULL;
                const char *ref = endpoints[i].network_id ? endpoints[i].network_id
                                                          : endpoints[i].network_name;
                if (network_lookup(container->engine, ref, &network, NULL) == 0 &&
                    network->config.resolver)
                        return true;
        }
        return false;
}

int container_resolver_attach(Container *container, int netns_fd, Error *err) {
        bool given;
        _cleanup_strv_ char **upstream = netfiles_upstream(container, &given);

        return resolver_attach(container->engine->net, container->id, netns_fd, upstream, given,
                               err);
}

static int join_and_tell(Container *container, ContainerEndpoint *place, int netns_fd, Error *err) {
        int r = endpoint_join_one(container, place, netns_fd, err);

        if (r == 0)
                endpoint_event(container, place, "connect");
        return r;
}

int endpoints_join(Container *container, int netns_fd, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < container->endpoints.count; i++)
                r = join_and_tell(container, &endpoints[i], netns_fd, err);
        if (r == 0 && netns_fd >= 0 && container_on_resolver(container))
                r = container_resolver_attach(container, netns_fd, err);
        return r;
}

void endpoint_leave_one(Container *container, ContainerEndpoint *place) {
        Engine *engine = container->engine;
        _cleanup_network_ NetworkObject *network = NULL;
        Error error = { 0 };

        if (!place->endpoint.network_id)
                return;
        if (network_lookup(engine, place->endpoint.network_id, &network, &error) == 0) {
                if (network_has_endpoints(&network->config) &&
                    endpoint_leave(engine->net, &network->config, &place->endpoint, &error) < 0)
                        log_error("take container %s off network %s: %s", container->id,
                                  network->config.name, error.message);
                if (place->joined)
                        endpoint_event(container, place, "disconnect");
                network_release(engine, network->config.id);
        }
        json_done(&net_endpoint_table, &place->endpoint);
        free(TAKE_PTR(place->endpoint_id));
        place->joined = false;
}

void endpoints_leave(Container *container) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++)
                endpoint_leave_one(container, &endpoints[i]);
        resolver_detach(container->engine->net, container->id);
}

void container_endpoint_drop(Container *container, size_t index) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        json_done(&container_endpoint_table, &endpoints[index]);
        for (size_t i = index + 1; i < container->endpoints.count; i++)
                endpoints[i - 1] = endpoints[i];
        container->endpoints.count--;
}

int endpoints_rename(Container *container, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < container->endpoints.count; i++) {
                Endpoint *endpoint = &endpoints[i].endpoint;
                if (!endpoint->network_id)
                        continue;
                str_replace(&endpoint->container_name, container->name);
                r = endpoint_rename(container->engine->net, endpoint, err);
        }
        return r;
}
