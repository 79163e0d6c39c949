/* connect.c: putting a container on a network and taking it off, running or not. */
#include <errno.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/endpoints.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "engine/state.h"

static int connect_check(Container *container, const NetworkObject *network, Error *err) {
        const char *mode = container_network_mode(container);

        if (container->state.status == CONTAINER_REMOVING ||
            container->state.status == CONTAINER_DEAD)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is marked for removal and cannot be connected or "
                                  "disconnected to the "
                                  "network",
                                  container->id);
        if (str_after(mode, "container:"))
                return error_kind(err, ERROR_INVALID,
                                  "container sharing network namespace with another container or "
                                  "host cannot be "
                                  "connected to any other network");
        if (str_equal(mode, "host"))
                return error_kind(err, ERROR_INVALID,
                                  "container cannot be disconnected from host network or connected "
                                  "to host network");
        if (str_equal(network->config.driver, "host"))
                return error_kind(err, ERROR_FORBIDDEN,
                                  "container cannot be connected to host network: create it with "
                                  "--network host");
        bool has_other = container->endpoints.count > 0;
        if (has_other && (str_equal(network->config.driver, "null") || str_equal(mode, "none")))
                return error_kind(err, ERROR_INVALID,
                                  "container cannot be connected to multiple networks with one of "
                                  "the networks in "
                                  "private (none) mode");
        return 0;
}

/* By its id; by its name, which others may share, where there is no network of the id that the
 * endpoint has: it was made anew since. */
static bool is_of(Engine *engine, const ContainerEndpoint *endpoint, const NetworkObject *network) {
        _cleanup_network_ NetworkObject *other = NULL;

        if (str_equal(endpoint->network_id, network->config.id))
                return true;
        return str_equal(endpoint->network_name, network->config.name) &&
               (!endpoint->network_id ||
                network_lookup(engine, endpoint->network_id, &other, NULL) < 0);
}

static bool is_on(const Container *container, const NetworkObject *network, size_t *ret_index) {
        const ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                if (!is_of(container->engine, &endpoints[i], network))
                        continue;
                *ret_index = i;
                return true;
        }
        return false;
}

/* Serves names from the first network on that has them. */
static int resolver_ensure(Container *container, const NetworkObject *network, Error *err) {
        if (!network->config.resolver)
                return 0;
        return container_resolver_attach(container, container->netns_fd, err);
}

static int join_live(Container *container, ContainerEndpoint *place, const NetworkObject *network,
                     Error *err) {
        int r = gateway_yield(container, err);
        if (r == 0)
                r = endpoint_reserve_one(container, place, err);
        if (r < 0)
                return r;
        r = failpoint("connect.intent", err);
        if (r == 0)
                r = container_save(container, false, err); /* the intent: see start.c */
        if (r == 0)
                r = failpoint("connect.join", err);
        if (r == 0)
                r = endpoint_join_one(container, place, container->netns_fd, err);
        if (r == 0)
                r = failpoint("connect.names", err);
        if (r == 0)
                r = resolver_ensure(container, network, err);
        if (r == 0)
                r = netfiles_update_hosts(container, err);
        if (r < 0)
                endpoint_leave_one(container, place);
        else
                endpoint_event(container, place, "connect");
        return r;
}

/* It has no endpoint. What it published it goes on publishing, whoever has the port meanwhile. */
static int join_again(Container *container, ContainerEndpoint *place, Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;
        Error error = { 0 };

        int r = failpoint("network.reconnect", err);
        if (r == 0 && container->netns_fd < 0)
                r = error_kind(err, ERROR_INTERNAL, "its network namespace cannot be reached");
        if (r == 0)
                r = network_lookup(container->engine, place->network_id, &network, err);
        if (r < 0)
                return r;
        place->insists = true;
        r = join_live(container, place, network, err);
        place->insists = false;
        /* The network may have lost the family whose default route it had. */
        if (r == 0 && gateway_update(container, &error) < 0)
                log_error("container %s: %s", container->id, error.message);
        return r;
}

int container_reconnect(Container *container, const char *network_id, bool anew, Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items, *place = NULL;

        for (size_t i = 0; i < container->endpoints.count; i++)
                if (str_equal(endpoints[i].network_id, network_id))
                        place = &endpoints[i];
        if (!place || (!anew && place->endpoint.network_id))
                return 0;
        json_done(&net_endpoint_table, &place->endpoint);
        free(TAKE_PTR(place->endpoint_id));
        place->joined = false;
        int r = join_again(container, place, err);
        /* Without an endpoint it is connected at the next start. */
        int saved = container_save(container, container_is_kept(container), r < 0 ? NULL : err);
        return r < 0 ? r : saved;
}

/* What was given up for an endpoint that could not join is taken again. */
static void take_back(Container *container) {
        Error error = { 0 };

        container_endpoint_drop(container, container->endpoints.count - 1);
        if (container_is_running(container) && gateway_update(container, &error) < 0)
                log_error("container %s: %s", container->id, error.message);
        (void)container_save(container, false, NULL); /* the caller's error says what went wrong */
}

int engine_network_connect(Engine *engine, const char *ref, const char *container_ref,
                           const EndpointSettings *settings, Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_network_ NetworkObject *network = NULL;
        ContainerEndpoint *place;
        size_t index;

        int r = network_lookup(engine, ref, &network, err);
        if (r == 0)
                r = container_lookup(engine, container_ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = connect_check(container, network, err);
        if (r < 0)
                return r;
        if (is_on(container, network, &index))
                return error_kind(err, ERROR_FORBIDDEN,
                                  "endpoint with name %s already exists in network %s",
                                  container->name, network->config.name);
        r = endpoint_plan_one(container, network->config.name, settings, &place, err);
        if (r < 0)
                return r;
        endpoint_add_short_id(container, place);
        str_replace(&place->network_id, network->config.id);
        if (container_is_running(container))
                r = join_live(container, place, network, err);
        if (r == 0)
                r = failpoint("connect.record", err);
        if (r < 0) {
                take_back(container);
                return r;
        }
        r = container_save(container, container_is_kept(container), err);
        container_publish(container);
        return r;
}

int engine_network_disconnect(Engine *engine, const char *ref, const char *container_ref,
                              bool force, Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_network_ NetworkObject *network = NULL;
        size_t index;

        int r = network_lookup(engine, ref, &network, err);
        if (r < 0)
                return r;
        r = container_lookup(engine, container_ref, &container, err);
        /* The force of Docker is for endpoints without a container: here there are none. */
        if (r < 0)
                return r == -ENOENT && force ? 0 : r;
        CONTAINER_LOCKED(container);
        if (str_equal(container_network_mode(container), "host"))
                return error_kind(err, ERROR_INVALID,
                                  "container cannot be disconnected from host network or connected "
                                  "to host network");
        if (!is_on(container, network, &index))
                return error_kind(err, ERROR_INTERNAL,
                                  "container %s is not connected to network %s", container->id,
                                  network->config.name);
        r = failpoint("disconnect.leave", err);
        if (r < 0)
                return r;
        endpoint_leave_one(container, (ContainerEndpoint *)container->endpoints.items + index);
        container_endpoint_drop(container, index);
        if (container_is_running(container)) {
                r = failpoint("disconnect.gateway", err);
                if (r == 0)
                        r = gateway_update(container, err);
                int written = netfiles_update_hosts(container, r < 0 ? NULL : err);
                r = r < 0 ? r : written;
        }
        if (r == 0)
                r = failpoint("disconnect.record", err);
        int saved = container_save(container, container_is_kept(container), r < 0 ? NULL : err);
        container_publish(container);
        return r < 0 ? r : saved;
}
