/* endpoint.c: an endpoint's way: reserve, join, leave. Links are made without the lock, so that
 * many containers start at once. */
#include <errno.h>

#include "base/log.h"
#include "net/state.h"

static int find_network(Net *net, const char *id, Network **ret, Error *err) {
        *ret = id ? map_get(&net->networks, id) : NULL;
        return *ret ? 0 : error_kind(err, ERROR_NOT_FOUND, "network %s not found", id ?: "");
}

static int find_member(Net *net, const Endpoint *endpoint, const NetworkConfig *config,
                       Member **ret, Error *err) {
        Network *network;
        int r = find_network(net, config->id, &network, err);

        if (r < 0)
                return r;
        *ret = map_get(&network->members, endpoint->container_id);
        return *ret ? 0
                    : error_kind(err, ERROR_NOT_FOUND,
                                 "container %.12s has no endpoint on network %s",
                                 endpoint->container_id, network->config.name);
}

/* ---- what the caller reads and what it may change ---- */

static void give_results(Endpoint *to, const Endpoint *from) {
        str_replace(&to->address, from->address);
        str_replace(&to->gateway, from->gateway);
        str_replace(&to->address6, from->address6);
        str_replace(&to->gateway6, from->gateway6);
        str_replace(&to->mac, from->mac);
        str_replace(&to->host_link, from->host_link);
        str_replace(&to->inner_link, from->inner_link);
        net_ports_done(&to->ports);
        net_ports_copy(&from->ports, &to->ports);
}

static void take_names(Endpoint *to, const Endpoint *from) {
        str_replace(&to->hostname, from->hostname);
        str_replace(&to->container_name, from->container_name);
        strv_free(to->aliases);
        to->aliases = strv_copy(from->aliases);
        to->default_gateway = from->default_gateway;
        to->default_gateway6 = from->default_gateway6;
}

/* ---- resolver ---- */

void member_announce(Net *net, const Member *member) {
        IpAddress addresses[NAMES_ADDRESSES];

        for (size_t i = 0; i < NAMES_ADDRESSES; i++)
                addresses[i] = member->places[i].address;
        if (member->network->driver->addresses)
                resolver_add(net->resolver, &member->network->config, &member->endpoint, addresses);
}

/* ---- reserve ---- */

static int reserve(Net *net, const NetworkConfig *config, Endpoint *endpoint, Error *err) {
        Network *network;
        Member *member;
        int r = find_network(net, config->id, &network, err);

        if (r < 0)
                return r;
        if (map_get(&network->members, endpoint->container_id))
                return error_kind(
                        err, ERROR_FORBIDDEN, "endpoint with name %s already exists in network %s",
                        endpoint->container_name ?: endpoint->container_id, network->config.name);
        r = member_new(net, network, endpoint, &member, err);
        if (r < 0)
                return r;
        str_replace(&member->endpoint.network_id, network->config.id);
        str_replace(&member->endpoint.host_link, NULL);
        str_replace(&member->endpoint.inner_link, NULL);
        (void)map_put(&network->members, endpoint->container_id, member);
        give_results(endpoint, &member->endpoint);
        return 0;
}

int endpoint_reserve(Net *net, const NetworkConfig *config, Endpoint *endpoint, Error *err) {
        int r;

        net_lock(net);
        r = reserve(net, config, endpoint, err);
        net_unlock(net);
        return r;
}

/* ---- join ---- */

static int publish(Net *net, Member *member, Error *err) {
        if (!member_speaks_out(member))
                return 0;
        net_put_member(net, member, true);
        return net_apply_queued(net, err);
}

/* Queues what the first container with a link-local address brings to its network, or the last one
 * takes away. member is joined and one of the network's. False: nothing. */
static bool put_link_local(Net *net, const Member *member, bool add) {
        const Network *network = member->network;

        if (!network->driver->routed || !net_has_link_local(network, NULL) ||
            net_has_link_local(network, member))
                return false;
        firewall_put_link_local(net->firewall, network->config.bridge, add);
        return true;
}

static int put_joined(Net *net, Member *member, Error *err) {
        bool last;
        int r;

        member->joined = true;
        r = put_link_local(net, member, true) ? net_apply_queued(net, err) : 0;
        if (r == 0)
                r = publish(net, member, err);
        if (r == 0) {
                member_announce(net, member);
                return 0;
        }
        last = put_link_local(net, member, false);
        member->joined = false; /* before the table may be put whole, which is without it */
        if (last)
                (void)net_apply_queued(net, NULL); /* r tells what went wrong first */
        return r;
}

static void forget_connections(Net *net, const Member *member) {
        const NetPort *ports = member->endpoint.ports.items;

        for (size_t i = 0; i < member->endpoint.ports.count; i++) {
                FirewallPort port = net_firewall_port(member, &ports[i]);

                if (!port.open) /* nothing is translated */
                        reaper_forget(net->reaper, &port);
        }
}

/* Lock held. Nothing is left of a join that failed but what was reserved. */
static void abandon_join(Net *net, Member *member) {
        policing_dismiss(net, member);
        str_replace(&member->endpoint.host_link, NULL);
        str_replace(&member->endpoint.inner_link, NULL);
}

/* Lock held. */
static int prepare_join(Net *net, Member *member, const Endpoint *endpoint, Error *err) {
        int r;

        take_names(&member->endpoint, endpoint);
        member_name_link(member);
        r = policing_admit(net, member, err);
        if (r < 0)
                abandon_join(net, member);
        return r;
}

int endpoint_join(Net *net, const NetworkConfig *config, Endpoint *endpoint, int netns_fd,
                  Error *err) {
        const NetDriver *driver;
        Member *member;
        int r;

        net_lock(net);
        r = find_member(net, endpoint, config, &member, err);
        if (r == 0 && member->joined)
                r = error_kind(err, ERROR_CONFLICT, "container %.12s is on network %s already",
                               endpoint->container_id, config->name);
        if (r == 0)
                r = prepare_join(net, member, endpoint, err);
        net_unlock(net);
        if (r < 0)
                return r;
        /* The caller has one operation at a time on an endpoint, and a network with members is not
         * removed: the member stays. */
        driver = member->network->driver;
        r = driver->join ? driver->join(net, member, netns_fd, err) : 0;
        net_lock(net);
        if (r == 0) {
                r = put_joined(net, member, err);
                if (r < 0 && driver->leave)
                        driver->leave(net, member);
        }
        if (r < 0)
                abandon_join(net, member);
        net_unlock(net);
        if (r < 0)
                return r;
        forget_connections(net, member);
        give_results(endpoint, &member->endpoint);
        return 0;
}

/* ---- leave ---- */

/* The port's socket goes last. */
static void unpublish(Net *net, Member *member) {
        Error err = { 0 };

        if (member->joined && member_speaks_out(member)) {
                net_put_member(net, member, false);
                if (net_apply_queued(net, &err) < 0)
                        log_error("take container %.12s out of the firewall: %s",
                                  member->endpoint.container_id, err.message);
                forget_connections(net, member);
        }
        member_release_ports(net, member);
}

/* Takes the member out of everything that answers for it. */
static void withdraw(Net *net, Member *member) {
        Error err = { 0 };

        resolver_drop(net->resolver, member->network->config.id, member->endpoint.container_id);
        policing_dismiss(net, member);
        if (member->joined && put_link_local(net, member, false) && net_apply_queued(net, &err) < 0)
                log_error("network %s: %s", member->network->config.name, err.message);
        (void)map_drop(&member->network->members, member->endpoint.container_id);
        unpublish(net, member);
        member_release(net, member);
}

int endpoint_leave(Net *net, const NetworkConfig *config, Endpoint *endpoint, Error *err) {
        const NetDriver *driver;
        Member *member;
        bool enforced;

        (void)err; /* what is left over is taken away at the next start */
        net_lock(net);
        if (find_member(net, endpoint, config, &member, NULL) < 0) {
                net_unlock(net);
                return 0;
        }
        driver = member->network->driver;
        enforced = member->enforced;
        /* One for which policies are enforced is off its network before they no longer are. */
        if (enforced && member->joined && driver->leave)
                driver->leave(net, member);
        withdraw(net, member);
        net_unlock(net);
        if (!enforced && member->joined && driver->leave)
                driver->leave(net, member);
        member_free(member);
        return 0;
}

/* ---- changes ---- */

static int update(Net *net, const NetworkConfig *config, const Endpoint *endpoint, Member **ret,
                  Error *err) {
        Member *member;
        int r = find_member(net, endpoint, config, &member, err), published;

        if (r < 0)
                return r;
        unpublish(net, member);
        take_names(&member->endpoint, endpoint);
        net_ports_done(&member->endpoint.ports);
        net_ports_copy(&endpoint->ports, &member->endpoint.ports);
        r = member_take_ports(net, member, err);
        /* One that got none is in the firewall without. */
        published = publish(net, member, r == 0 ? err : NULL);
        r = r < 0 ? r : published;
        if (r < 0)
                return r;
        forget_connections(net, member);
        *ret = member;
        return 0;
}

int endpoint_update(Net *net, const NetworkConfig *config, Endpoint *endpoint, int netns_fd,
                    Error *err) {
        Member *member;
        int r;

        net_lock(net);
        r = update(net, config, endpoint, &member, err);
        if (r == 0)
                give_results(endpoint, &member->endpoint);
        net_unlock(net);
        if (r < 0 || !member->network->driver->route)
                return r;
        return member->network->driver->route(member, netns_fd, err);
}

int endpoint_rename(Net *net, const Endpoint *endpoint, Error *err) {
        Network *network;
        Member *member;
        int r;

        net_lock(net);
        r = find_network(net, endpoint->network_id, &network, err);
        member = r == 0 ? map_get(&network->members, endpoint->container_id) : NULL;
        if (member) {
                take_names(&member->endpoint, endpoint);
                if (member->joined)
                        member_announce(net, member);
        }
        net_unlock(net);
        return r;
}
