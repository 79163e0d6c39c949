/* net.c: net's public calls: they find the network and the endpoint, take the lock, and have the
 * other files do each its part in order. */
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/netns.h"
#include "net/state.h"
#include "os/procfs.h"

/* Two programs that both insist would spin: so often at once, then after a pause. */
#define REAPPLY_BURST 16
#define REAPPLY_PAUSE NSEC_PER_SEC

/* ---- the table ---- */

void net_put_network(Net *net, const Network *network, bool add) {
        Subnet *subnets;

        if (!network->driver->routed)
                return;
        subnets = NEW_ARRAY(Subnet, network->pool_count);
        for (size_t i = 0; i < network->pool_count; i++)
                subnets[i] = pool_subnet(network->pools[i]);
        FirewallNetwork elements = { .bridge = network->config.bridge,
                                     .subnets = subnets,
                                     .subnet_count = network->pool_count,
                                     .internal = network->config.internal,
                                     .icc = network->icc,
                                     .masquerade = network->masquerade,
                                     .trusted = network->trusted };
        memcpy(elements.modes, network->modes, sizeof(elements.modes));
        memcpy(elements.sources, network->sources, sizeof(elements.sources));
        firewall_put_network(net->firewall, &elements, add);
        free(subnets);
}

FirewallPort net_firewall_port(const Member *member, const NetPort *port) {
        FirewallPort result = { .host_port = (uint16_t)port->host_port,
                                .port = (uint16_t)port->container_port,
                                .protocol = port_protocol(port->protocol),
                                .open = port->open };

        (void)ip_parse(port->host_ip, &result.host_address); /* member_new checked it */
        result.address = member->places[net_family_index(result.host_address.family)].address;
        return result;
}

void net_put_member(Net *net, const Member *member, bool add) {
        const NetPort *ports = member->endpoint.ports.items;

        for (size_t i = 0; i < member->endpoint.ports.count; i++) {
                FirewallPort port = net_firewall_port(member, &ports[i]);

                firewall_put_port(net->firewall, &port, add);
        }
        for (size_t i = 0; member_speaks_out(member) && i < NET_FAMILIES; i++)
                if (member->places[i].address.family)
                        firewall_put_known(net->firewall, member->network->config.bridge,
                                           member->places[i].address, add);
}

bool net_has_link_local(const Network *network, const Member *but) {
        const Subnet link_local = { { 0xa9fe0000, AF_INET }, 16 };
        const char *container;
        Member *member;

        for (size_t i = 0; i < network->pool_count; i++)
                if (subnets_overlap(pool_subnet(network->pools[i]), link_local))
                        return false; /* the network's own subnet says it */
        for (size_t cursor = 0;
             map_next(&network->members, &cursor, &container, (void **)&member);) {
                char *const *text = member->endpoint.link_local;

                for (; member != but && member->joined && text && *text; text++)
                        if (!strchr(*text, ':'))
                                return true;
        }
        return false;
}

int net_apply(Net *net, Error *err) {
        const char *id;
        Network *network;
        int r;

        firewall_cancel(net->firewall);
        r = firewall_wait(net->firewall, err);
        if (r < 0)
                return r;
        firewall_put_table(net->firewall);
        MAP_EACH(&net->networks, id, network) {
                const char *container;
                Member *member;

                net_put_network(net, network, true);
                if (network->driver->routed && net_has_link_local(network, NULL))
                        firewall_put_link_local(net->firewall, network->config.bridge, true);
                for (size_t cursor = 0;
                     map_next(&network->members, &cursor, &container, (void **)&member);)
                        if (member->joined)
                                net_put_member(net, member, true);
        }
        r = policing_put(net, true, err);
        if (r < 0) {
                firewall_cancel(net->firewall);
                return r;
        }
        r = firewall_commit(net->firewall, err);
        policing_settle(net, r == 0);
        return r;
}

int net_apply_queued(Net *net, Error *err) {
        if (firewall_applied(net->firewall) && firewall_commit(net->firewall, NULL) == 0) {
                policing_settle(net, true);
                return 0;
        }
        return net_apply(net, err);
}

static void on_retry(void *data);

/* On the loop's thread. What was begun while the table was gone is no connection that a policy let
 * pass. */
static void reapply(Net *net) {
        Error err = { 0 };
        int r = net_apply(net, &err);

        if (r == 0 && policing_is_on(&net->policing))
                r = policing_sweep(net, &err);
        if (r == 0) {
                log_info("the firewall's table was changed by another program: applied again");
                return;
        }
        log_error("the firewall's table was changed by another program and could not be applied "
                  "again: %s",
                  err.message);
        net->retry = loop_add_timer(net->loop, clock_monotonic() + REAPPLY_PAUSE, on_retry, net);
}

static void on_retry(void *data) {
        Net *net = data;

        net_lock(net);
        net->retry = NULL;
        reapply(net);
        net_unlock(net);
}

/* When it may be applied again: a time that is past or to come. */
static int64_t next_turn(Net *net) {
        const int64_t now = clock_monotonic();

        if (now >= net->burst_at + REAPPLY_PAUSE) {
                net->burst_at = now;
                net->burst = 0;
        }
        return net->burst++ < REAPPLY_BURST ? now : net->burst_at + REAPPLY_PAUSE;
}

static void on_watch(void *data, int fd, uint32_t events) {
        Net *net = data;

        (void)fd;
        (void)events;
        net_lock(net);
        if (firewall_was_changed(net->firewall) && firewall_applied(net->firewall) && !net->retry) {
                const int64_t next = next_turn(net);

                if (clock_monotonic() >= next)
                        reapply(net);
                else
                        net->retry = loop_add_timer(net->loop, next, on_retry, net);
        }
        net_unlock(net);
}

/* ---- Net ---- */

int net_new(Loop *loop, Net **ret, Error *err) {
        _cleanup_(net_freep) Net *net = NEW(Net);
        _cleanup_close_ int proc_fd = -1;
        int r;

        /* An engine has no more open once it has worked than before. */
        (void)procfs_open_young(&proc_fd, NULL);
        net->loop = loop;
        net->conntrack_fd = -1;
        (void)pthread_mutex_init(&net->lock, NULL);
        net->ports = ports_new();
        r = firewall_open(&net->firewall, err);
        if (r == 0)
                r = reaper_new(&net->reaper, err);
        if (r == 0)
                r = zones_new(&net->zones, err);
        if (r == 0)
                r = resolver_new(&net->resolver, err);
        if (r == 0)
                r = loop_add_fd(loop, firewall_watch_fd(net->firewall), EPOLLIN, on_watch, net,
                                &net->watch, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(net);
        return 0;
}

static void free_network(void *network) {
        network_free(network);
}

Net *net_free(Net *net) {
        if (!net)
                return NULL;
        loop_remove(net->watch);
        loop_remove(net->retry);
        zones_free(net->zones);
        resolver_free(net->resolver);
        reaper_free(net->reaper);
        firewall_close(net->firewall);
        close_fd(&net->conntrack_fd);
        policing_done(&net->policing);
        map_done(&net->networks, free_network);
        ports_free(net->ports);
        free(net->sources);
        (void)pthread_mutex_destroy(&net->lock);
        free(net);
        return NULL;
}

/* ---- networks ---- */

static int check_bridge_name(const Net *net, const Network *network, Error *err) {
        const char *id;
        Network *other;

        MAP_EACH(&net->networks, id, other)
                if (network->config.bridge &&
                    str_equal(other->config.bridge, network->config.bridge))
                        return error_kind(err, ERROR_FORBIDDEN,
                                          "cannot create network %s (%s): conflicts with network "
                                          "%s (%s): networks have same bridge name",
                                          network->config.id, network->config.bridge,
                                          other->config.id, other->config.bridge);
        return 0;
}

int net_add_network(Net *net, Network *network, Error *err) {
        int r = check_bridge_name(net, network, err);

        if (r == 0 && network->driver->routed)
                r = net_ensure_forwarding(net, network, err);
        if (r == 0 && network->driver->create)
                r = network->driver->create(net, network, err);
        if (r == 0)
                (void)map_put(&net->networks, network->config.id, network);
        return r;
}

/* Takes back what net_add_network did, but for the Network itself. */
static void drop_network(Net *net, Network *network) {
        Error err = { 0 };

        (void)map_drop(&net->networks, network->config.id);
        if (network->driver->remove && network->driver->remove(net, network, &err) < 0)
                log_warn("network %s: %s", network->config.name, err.message);
}

static int fill_config(const Net *net, NetworkConfig *config, Error *err) {
        const NetDriver *driver;
        int r = network_driver(config->driver, &driver, err);

        if (r == 0 && driver->prepare)
                r = driver->prepare(config, err);
        if (r == 0 && driver->addresses)
                r = pools_fill(net, config, err);
        return r;
}

static int create_network(Net *net, NetworkConfig *filled, Error *err) {
        _cleanup_(network_freep) Network *network = NULL;
        int r;

        if (map_get(&net->networks, filled->id))
                return error_kind(err, ERROR_CONFLICT, "network %s exists already", filled->id);
        r = fill_config(net, filled, err);
        if (r == 0)
                r = network_new(filled, &network, err);
        if (r == 0)
                r = net_add_network(net, network, err);
        if (r < 0)
                return r;
        if (network->driver->routed) {
                net_put_network(net, network, true);
                r = net_apply_queued(net, err);
        }
        if (r < 0) {
                drop_network(net, network);
                return r;
        }
        json_done(&net_config_table, filled);
        json_copy(&net_config_table, &network->config, filled);
        if (network_is_zoned(network))
                zones_add(net->zones, network->config.bridge);
        TAKE_PTR(network);
        return 0;
}

int network_create(Net *net, NetworkConfig *config, Error *err) {
        NetworkConfig filled = { 0 };
        int r;

        json_copy(&net_config_table, config, &filled);
        net_lock(net);
        r = create_network(net, &filled, err);
        net_unlock(net);
        if (r < 0) {
                json_done(&net_config_table, &filled);
                return r;
        }
        json_done(&net_config_table, config);
        *config = filled;
        return 0;
}

static int check_beside(const Net *others, const NetworkConfig *config, Error *err) {
        _cleanup_(network_freep) Network *network = NULL;
        NetworkConfig filled = { 0 };
        int r;

        json_copy(&net_config_table, config, &filled);
        r = fill_config(others, &filled, err);
        if (r == 0)
                r = network_new(&filled, &network, err);
        if (r == 0)
                r = check_bridge_name(others, network, err);
        json_done(&net_config_table, &filled);
        return r;
}

int network_check(Net *net, const NetworkConfig *config, const NetworkConfig *others, size_t count,
                  Error *err) {
        Net beside = { 0 };
        int r;

        for (size_t i = 0; i < count; i++) {
                Network *other;

                /* One that cannot be restored is in nobody's way; net_reconcile tells of it. */
                if (network_new(&others[i], &other, NULL) == 0)
                        (void)map_put(&beside.networks, other->config.id, other);
        }
        net_lock(net);
        beside.sources = net->sources;
        beside.source_count = net->source_count;
        r = check_beside(&beside, config, err);
        net_unlock(net);
        map_done(&beside.networks, free_network);
        return r;
}

static int remove_network(Net *net, Network *network, Error *err) {
        Error why = { 0 };
        int r = 0;

        if (network->members.count)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "error while removing network: network %s id %s has active "
                                  "endpoints",
                                  network->config.name, network->config.id);
        if (network->driver->remove)
                r = network->driver->remove(net, network, err);
        if (r < 0)
                return r;
        (void)map_drop(&net->networks, network->config.id);
        if (network_is_zoned(network))
                zones_remove(net->zones, network->config.bridge);
        if (network->driver->routed) {
                net_put_network(net, network, false);
                /* The link is gone, and so is the network: its elements can only be in the way. */
                if (net_apply_queued(net, &why) < 0)
                        log_warn("network %s: %s", network->config.name, why.message);
        }
        network_free(network);
        return 0;
}

int network_remove(Net *net, const NetworkConfig *config, Error *err) {
        Network *network;
        int r;

        net_lock(net);
        network = map_get(&net->networks, config->id);
        r = network ? remove_network(net, network, err) : 0;
        net_unlock(net);
        return r;
}
