/* reconcile.c: at the daemon's start, the record and the kernel are made to agree; and the
 * opposite, everything of ours is taken away. */
#include <errno.h>

#include "base/log.h"
#include "net/netns.h"
#include "net/state.h"
#include "os/rtnetlink.h"

/* ---- networks ---- */

static int restore_network(Net *net, const NetworkConfig *config, Error *err) {
        _cleanup_(network_freep) Network *network = NULL;
        int r;

        if (map_get(&net->networks, config->id))
                return 0;
        r = network_new(config, &network, err);
        if (r < 0)
                return error_prefix(err, "network %s", config->name);
        r = net_add_network(net, network, err);
        if (r < 0 && network->driver->late)
                (void)map_put(&net->networks, network->config.id, network);
        if (r == 0 || network->driver->late)
                TAKE_PTR(network);
        return r < 0 ? error_prefix(err, "network %s", config->name) : 0;
}

/* ---- endpoints ---- */

static char *bare_address(const char *with_prefix) {
        const char *slash = with_prefix ? strchr(with_prefix, '/') : NULL;

        return slash ? str_copy_n(with_prefix, (size_t)(slash - with_prefix))
                     : str_copy(with_prefix);
}

/* A port that another program took while no daemon was there stays published: the firewall's map is
 * ours alone. It is only not held, but no other endpoint's. */
static void hold_again(Net *net, Member *member) {
        NetPort *ports = member->endpoint.ports.items;

        member->held = NEW_ARRAY(int, member->endpoint.ports.count);
        for (size_t i = 0; i < member->endpoint.ports.count; i++) {
                Error err = { 0 };

                member->held[i] = -1;
                if (str_empty(ports[i].host_ip)) /* a record of before there was IPv6 */
                        str_replace(&ports[i].host_ip,
                                    member->places[NET_IPV4].address.family ? "0.0.0.0" : "::");
                if (ports[i].open ||
                    ports_hold(net->ports, &ports[i], 1, &member->held[i], &err) == 0)
                        continue;
                member->held[i] = -1;
                ports_note(net->ports, &ports[i]);
                log_warn("container %.12s: %s", member->endpoint.container_id, err.message);
        }
        member->held_count = member->endpoint.ports.count;
}

/* The record as it is, but for an address that it lacks and that was given just now. */
static void keep_record(Endpoint *to, const Endpoint *record) {
        Endpoint given = *to;

        *to = (Endpoint){ 0 };
        json_copy(&net_endpoint_table, record, to);
        if (str_empty(to->address)) {
                str_replace(&to->address, given.address);
                str_replace(&to->gateway, given.gateway);
        }
        if (str_empty(to->address6)) {
                str_replace(&to->address6, given.address6);
                str_replace(&to->gateway6, given.gateway6);
        }
        if (str_empty(to->mac))
                str_replace(&to->mac, given.mac);
        json_done(&net_endpoint_table, &given);
}

/* The same address as before; ports are held apart, as one that cannot be is no failure here. */
static int restore_member(Net *net, Network *network, const Endpoint *endpoint, Member **ret,
                          Error *err) {
        Endpoint wanted = { 0 };
        JsonArray ports;
        Member *member;
        int r;

        json_copy(&net_endpoint_table, endpoint, &wanted);
        wanted.namespace = endpoint->namespace;
        wanted.labels = endpoint->labels;
        if (!str_empty(endpoint->address)) {
                free(wanted.wanted_address);
                wanted.wanted_address = bare_address(endpoint->address);
        }
        if (!str_empty(endpoint->address6)) {
                free(wanted.wanted_address6);
                wanted.wanted_address6 = bare_address(endpoint->address6);
        }
        if (!str_empty(endpoint->mac))
                str_replace(&wanted.wanted_mac, endpoint->mac);
        ports = wanted.ports;
        wanted.ports = (JsonArray){ 0 };
        r = member_new(net, network, &wanted, &member, err);
        wanted.ports = ports;
        json_done(&net_endpoint_table, &wanted);
        if (r < 0)
                return r;
        keep_record(&member->endpoint, endpoint);
        free(member->held);
        hold_again(net, member);
        *ret = member;
        return 0;
}

static int restore_endpoint(Net *net, const Endpoint *endpoint, Error *err) {
        Network *network =
                endpoint->network_id ? map_get(&net->networks, endpoint->network_id) : NULL;
        Member *member;
        int r;

        if (!network)
                return error_kind(err, ERROR_NOT_FOUND, "network %s not found",
                                  endpoint->network_id ?: "");
        if (map_get(&network->members, endpoint->container_id))
                return 0;
        r = restore_member(net, network, endpoint, &member, err);
        if (r < 0)
                return r;
        (void)map_put(&network->members, endpoint->container_id, member);
        member_name_link(member);
        member->enforced = policing_is_on(&net->policing) && network->driver->routed &&
                           !str_empty(member->endpoint.host_link);
        return 0;
}

static int restore_link(Net *net, const Endpoint *endpoint, int netns_fd, Error *err) {
        Network *network =
                endpoint->network_id ? map_get(&net->networks, endpoint->network_id) : NULL;
        Member *member = network ? map_get(&network->members, endpoint->container_id) : NULL;
        int r = 0;

        if (!member || member->joined)
                return 0;
        if (network->driver->rejoin && !network->driver->rejoin(member, netns_fd))
                r = network->driver->join(net, member, netns_fd, err);
        member->joined = r == 0;
        if (r == 0)
                member_announce(net, member);
        return r;
}

/* ---- what nobody remembers ---- */

typedef struct Strays {
        const Net *net;
        char **links, **parents; /* of containers; of networks */
} Strays;

static bool is_remembered(const Net *net, const RtnlLink *link) {
        const char *id, *container;
        Network *network;
        Member *member;

        MAP_EACH(&net->networks, id, network) {
                if (str_equal(network->config.bridge, link->name) ||
                    str_equal(network->config.parent, link->name))
                        return true;
                for (size_t cursor = 0;
                     map_next(&network->members, &cursor, &container, (void **)&member);)
                        if (str_equal(member->endpoint.host_link, link->name))
                                return true;
        }
        return false;
}

static void collect(void *data, const RtnlLink *link) {
        Strays *strays = data;

        if (strays->net && is_remembered(strays->net, link))
                return;
        if (str_equal(link->alias, LINK_ALIAS))
                strv_add(&strays->parents, link->name);
        else if (str_equal(link->kind, "veth") && str_after(link->alias, LINK_ALIAS " "))
                strv_add(&strays->links, link->name);
}

/* Deletes every link of ours, or (keep) those that the record does not have. */
static int sweep(Net *net, bool keep, Error *err) {
        Strays strays = { .net = keep ? net : NULL };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r = rtnl_open(&rtnl, err);

        if (r == 0)
                r = rtnl_each_link(rtnl, collect, &strays, err);
        for (size_t i = 0; r == 0 && strays.links && strays.links[i]; i++)
                reaper_delete_link(net->reaper, strays.links[i], "");
        for (size_t i = 0; r == 0 && strays.parents && strays.parents[i]; i++) {
                rtnl_put_delete(rtnl, strays.parents[i]);
                r = rtnl_commit(rtnl, err);
                zones_remove(net->zones, strays.parents[i]);
        }
        strv_free(strays.links);
        strv_free(strays.parents);
        return r;
}

static int stray_links(Net *net, char ***ret, Error *err) {
        Strays strays = { .net = net };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r = rtnl_open(&rtnl, err);

        if (r == 0)
                r = rtnl_each_link(rtnl, collect, &strays, err);
        for (char **name = strays.parents; name && *name; name++)
                strv_add(&strays.links, *name);
        strv_free(strays.parents);
        if (r < 0)
                strv_free(strays.links);
        else
                *ret = strays.links;
        return r;
}

/* Links that another brigd remembers are none of ours, and one that is deleted just now is none
 * that stays: so what is there twice, with all deletions between. */
int net_strays(Net *net, char ***ret, Error *err) {
        _cleanup_strv_ char **first = NULL, **second = NULL;
        int r;

        net_lock(net);
        r = firewall_applied(net->firewall) ? stray_links(net, &first, err) : 0;
        net_unlock(net);
        if (r < 0 || !first)
                return r;
        reaper_wait(net->reaper, NULL);
        net_lock(net);
        r = stray_links(net, &second, err);
        net_unlock(net);
        for (char **name = second; name && *name; name++)
                if (strv_has(first, *name))
                        strv_add(ret, *name);
        return r;
}

int net_stray_remove(Net *net, const char *link, Error *err) {
        _cleanup_strv_ char **strays = NULL;
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r;

        net_lock(net);
        r = stray_links(net, &strays, err);
        if (r == 0 && strv_has(strays, link)) {
                r = rtnl_open(&rtnl, err);
                if (r == 0) {
                        rtnl_put_delete(rtnl, link);
                        r = rtnl_commit(rtnl, err);
                }
                zones_remove(net->zones, link);
        }
        net_unlock(net);
        return r;
}

/* ---- public ---- */

/* One network or endpoint that cannot be restored is no reason to leave the others down: the first
 * failure is returned, all are logged. */
static void note_failure(int r, const Error *why, int *result, Error *err) {
        if (r == 0)
                return;
        log_error("restore the network: %s", why->message);
        if (*result == 0 && err)
                *err = *why;
        *result = *result ?: r;
}

static bool has_routed(const Net *net) {
        const char *id;
        Network *network;

        MAP_EACH(&net->networks, id, network)
                if (network->driver->routed)
                        return true;
        return false;
}

static void add_zones(Net *net) {
        const char *id;
        Network *network;

        MAP_EACH(&net->networks, id, network)
                if (network_is_zoned(network))
                        zones_add(net->zones, network->config.bridge);
}

/* A second daemon on this host can do without the table, as long as it has no networks in it. */
static int apply_table(Net *net, Error *err) {
        if (!has_routed(net) && firewall_is_anothers(net->firewall)) {
                log_info("another brigd in this network namespace has the firewall's table: no "
                         "networks of driver bridge can be made here");
                return 0;
        }
        return net_apply(net, err);
}

int net_reconcile(Net *net, const NetworkConfig *networks, size_t network_count,
                  const Endpoint *endpoints, const int *netns_fds, size_t endpoint_count,
                  Error *err) {
        int result = 0;

        net_lock(net);
        for (size_t i = 0; i < network_count; i++) {
                Error why = { 0 };

                note_failure(restore_network(net, &networks[i], &why), &why, &result, err);
        }
        for (size_t i = 0; i < endpoint_count; i++) {
                Error why = { 0 };

                if (netns_fds[i] >= 0)
                        note_failure(restore_endpoint(net, &endpoints[i], &why), &why, &result,
                                     err);
        }
        /* A link that was lost comes back to a firewall that knows the policies. */
        if (policing_is_on(&net->policing)) {
                Error why = { 0 };

                note_failure(net_apply(net, &why), &why, &result, err);
        }
        add_zones(net);
        for (size_t i = 0; i < endpoint_count; i++) {
                Error why = { 0 };

                if (netns_fds[i] >= 0)
                        note_failure(restore_link(net, &endpoints[i], netns_fds[i], &why), &why,
                                     &result, err);
        }
        if (result == 0)
                result = apply_table(net, err);
        else
                note_failure(net_apply(net, NULL), &(Error){ .message = "firewall" }, &result,
                             NULL);
        if (policing_is_on(&net->policing)) {
                Error why = { 0 };

                note_failure(policing_sweep(net, &why), &why, &result, err);
        }
        /* Links that another brigd remembers are none of ours to sweep. */
        if (result == 0 && firewall_applied(net->firewall))
                result = sweep(net, true, err);
        net_unlock(net);
        /* Names of links in containers are free for those that come now. */
        reaper_wait(net->reaper, NULL);
        return result;
}

static void free_network(void *network) {
        network_free(network);
}

int net_destroy_all(Net *net, Error *err) {
        int r;

        net_lock(net);
        policing_done(&net->policing);
        map_done(&net->networks, free_network);
        ports_free(net->ports);
        net->ports = ports_new();
        r = sweep(net, false, err);
        /* Forwarding goes before the rules that kept it from strangers. */
        if (r == 0)
                r = net_stop_forwarding(net, err);
        if (r == 0)
                r = firewall_remove_table(net->firewall, err);
        net_unlock(net);
        reaper_wait(net->reaper, NULL);
        return r;
}
